import itertools
import re

import numpy as np
import pytest

from cadrecode.cloud.distance import point_to_surface
from cadrecode.data.stream import (
    CHUNKS_BETWEEN,
    ChunkStream,
    held_out_pairs,
    invent_pairs,
    oldest_needed,
    revisit,
    shapes_apart,
    visits,
)
from cadrecode.invent.held_out import held_out
from cadrecode.program import build, mesh_of, parse
from cadrecode.program.solid import signature


def numbered(number: int) -> int:
    return number * number


@pytest.mark.parametrize(("turn", "height_steps"), [(False, 1), (True, 1), (True, 10)])
def test_clouds_lie_on_their_own_parts(turn, height_steps):
    pairs = invent_pairs((0, 1), 12, n_points=64, turn=turn, height_steps=height_steps)
    assert pairs.clouds.shape == (12, 64, 3)
    assert any(re.search(r"\.[1-46-9]", text) for text in pairs.texts) == (height_steps > 1)  # .5 is a middle, too
    for text, cloud in zip(pairs.texts, pairs.clouds):
        distances = point_to_surface(cloud * 100, *mesh_of(build(parse(text))))
        assert distances.max() < 1e-3


def test_the_seed_decides_everything():
    once, again, other = (invent_pairs((0, seed), 4, n_points=32) for seed in (1, 1, 2))
    assert once.texts == again.texts
    np.testing.assert_array_equal(once.clouds, again.clouds)
    assert once.texts != other.texts
    assert held_out_pairs(4).texts != invent_pairs((0, 0), 4).texts


def test_every_chunk_is_used_as_often_as_asked():
    order = list(itertools.islice(visits(3), 3 * 200))
    counts = np.bincount(order)
    assert (counts[:180] == 3).all()
    assert list(itertools.islice(visits(1), 5)) == [0, 1, 2, 3, 4]
    places = [place for place, number in enumerate(order) if number == 100]
    assert min(np.diff(places)) > CHUNKS_BETWEEN  # not the same pairs again at once


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("visit", [0, 1, 9, 40, 100])
def test_a_resumed_run_sees_the_chunks_it_would_have_seen(repeats, visit):
    first = oldest_needed(visit, repeats)
    resumed = revisit(itertools.count(first), first, visit, repeats)
    assert list(itertools.islice(resumed, 60)) == list(itertools.islice(visits(repeats), visit, visit + 60))


@pytest.mark.parametrize("workers", [0, 2])
def test_chunks_come_in_order_from_any_number_of_workers(workers):
    with ChunkStream(numbered, workers, first=3) as chunks:
        given = iter(chunks)
        assert [next(given) for _ in range(5)] == [9, 16, 25, 36, 49]
    assert not any(process.is_alive() for process in chunks.processes)


def test_what_is_held_out_by_its_shape_does_not_come():
    usual = invent_pairs((0, 1), 20, n_points=8)
    solids = [build(parse(text)) for text in usual.texts]
    held = {signature(solid) for solid in solids[:10]}
    assert len(held) == 10
    apart = invent_pairs((0, 1), 20, n_points=8, apart_from=held)
    assert not held & {signature(build(parse(text))) for text in apart.texts}
    assert apart.texts[:5] != usual.texts[:5]


def test_a_signature_is_of_the_shape_and_not_of_the_text():
    text = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,{}))\nr=w0.workplane(offset={}/2).{}"
    box = signature(build(parse(text.format(-20, 40, "box(200,100,40)"))))
    sketch = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,20))\nr=w0.sketch().rect(200,100).finalize()"
    assert signature(build(parse(sketch + ".extrude(-40)"))) == box
    assert signature(build(parse(sketch + ".extrude(-39)"))) != box
    assert signature(build(parse(text.format(-20, 40, "moveTo(0,1).box(200,98,40)")))) != box


def test_mirrored_and_turned_parts_have_other_signatures():
    """With the same box, volume and surface."""
    head = "import cadquery as cq\nw=cq.Workplane('{}')\nr="
    step = head.format("XY") + "w.moveTo({x},0).box(100,100,40).union(w.moveTo(-{x},0).box(100,50,40))"
    rod = "w.workplane(offset=-100).circle(100).extrude(200)"
    for texts in ([step.format(x=x) for x in (50, -50)], [head.format(plane) + rod for plane in ("XY", "YZ")]):
        first, second = (build(parse(text.replace("--", ""))) for text in texts)
        assert (first.volume(), first.surface_area()) == pytest.approx((second.volume(), second.surface_area()))
        assert signature(first) != signature(second)


def test_what_is_measured_on_is_kept_apart_by_its_shape():
    apart = shapes_apart("plates", 8, 2, 20)
    assert signature(build(held_out("plates", 7))) in apart
    assert signature(build(held_out("general", 7))) in apart
    assert {signature(build(parse(text))) for text in held_out_pairs(2, family="plates", n_points=8).texts} <= apart
