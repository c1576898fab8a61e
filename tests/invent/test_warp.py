"""Warped drawings keep what makes a design: what is flush, round, concentric, inside; whatever the numbers."""

import re

import numpy as np
import pytest

from cadrecode.invent.canonical import canonical, drawing, warped
from cadrecode.invent.draw import invent
from cadrecode.invent.outlines import CircleOutline, LoopOutline, RectOutline
from cadrecode.invent.pieces import Slab
from cadrecode.invent.warp import SYMMETRIC, Warp
from cadrecode.program import build, iou, parse, write
from cadrecode.program.solid import bounds

SLOT = LoopOutline(((-40, -10), (40, -10), (40, 10), (-40, 10)), (None, (50, 0), None, (-50, 0)))
PLATE = Slab(2, 0, 10, (RectOutline(-100, -50, 100, 50),), (SLOT, CircleOutline(70, 30, 12)))
BOSS = Slab(2, 10, 60, (CircleOutline(70, 30, 18),), (CircleOutline(70, 30, 12),))
SEEDS = range(40)


def drawn(seed: int) -> tuple[Slab, Slab]:
    warp = Warp.draw([PLATE, BOSS], np.random.default_rng(seed))
    return warp.slab(PLATE), warp.slab(BOSS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_warped_part_is_centred_and_as_long_as_the_code_frame(seed):
    boxes = np.array([slab.bounds() for slab in drawn(seed)])
    low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
    assert np.allclose(low, -high)
    assert (high - low).max() == pytest.approx(200)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_flush_concentric_or_inside_still_is(seed):
    plate, boss = drawn(seed)
    assert plate.high == boss.low
    (rect,), (_, hole), (outer,), (inner,) = plate.outers, plate.holes, boss.outers, boss.holes
    assert (hole.x, hole.y, hole.radius) == (inner.x, inner.y, inner.radius) == (outer.x, outer.y, inner.radius)
    assert 0 < inner.radius < outer.radius
    x0, y0, x1, y1 = outer.bounds()
    assert rect.x0 <= x0 < x1 <= rect.x1
    assert rect.y0 <= y0 < y1 <= rect.y1


@pytest.mark.parametrize("seed", SEEDS)
def test_an_arc_keeps_its_shape(seed):
    """Half turns stay half turns: as deep as half of what they span."""
    slot = drawn(seed)[0].holes[0]
    (left, bottom), (right, _), (_, top), _ = slot.corners
    for corner, middle in ((right, slot.middles[1][0]), (left, slot.middles[3][0])):
        assert abs(middle - corner) == pytest.approx((top - bottom) / 2)


def test_proportions_differ_from_draw_to_draw_and_mostly_not_from_side_to_side():
    plates = [drawn(seed)[0] for seed in range(200)]
    wide = np.array([plate.outers[0].y1 - plate.outers[0].y0 for plate in plates])
    assert wide.std() > 15
    assert len({plate.holes[1].radius for plate in plates}) == 200
    even = [abs(plate.holes[0].corners[0][0] + plate.holes[0].corners[1][0]) < 1e-6 for plate in plates]
    assert np.mean(even) == pytest.approx(SYMMETRIC, abs=0.1)


def test_the_same_draw_is_the_same_warp():
    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


def test_a_box_is_brought_into_the_frame():
    warp = Warp.onto_frame(np.array([0, 10, 20]), np.array([40, 20, 30]))
    assert [warp.along(0, x) for x in (0, 20, 40)] == [-100, 0, 100]
    assert [warp.along(1, y) for y in (10, 20)] == [-25, 25]
    assert warp.along(2, 99) == 25  # beyond the part: its end


@pytest.mark.slow
def test_a_warped_program_is_canonical_and_of_the_same_design():
    rng = np.random.default_rng(0)
    remaining = same = 0
    for _ in range(40):
        program = invent(rng, "brackets")
        made = warped(program, rng)
        if made is None:
            continue
        remaining += 1
        after = made.program
        assert abs(np.subtract(*bounds(build(after))[::-1])).max() == pytest.approx(200, abs=3)
        assert write(after) != write(program)
        assert len(drawing(after)) <= len(drawing(program))
        same += write(canonical(after)) == write(after)
    assert remaining >= 36
    assert same >= 0.8 * remaining  # in the others a slab has come to lie within another


def test_a_gentle_warp_changes_numbers_and_hardly_the_part():
    for seed in SEEDS:
        warp = Warp.draw([PLATE, BOSS], np.random.default_rng(seed), gentle=True)
        plate, boss = warp.slab(PLATE), warp.slab(BOSS)
        corners = np.abs(plate.bounds()[1] - plate.bounds()[0])
        assert corners[:2] == pytest.approx((200, 100), rel=0.3)
        assert boss.high - boss.low == pytest.approx(50, rel=0.3)
        assert plate.holes[1].radius == boss.holes[0].radius == pytest.approx(12, rel=0.3)


@pytest.mark.slow
def test_finer_heights_are_nearer_to_the_part_and_stay_out_of_sketches():
    likeness: dict[int, list[float]] = {1: [], 2: [], 10: []}
    for seed in range(30):
        program = invent(np.random.default_rng(seed), "plates")
        made = {steps: warped(program, np.random.default_rng(seed), steps) for steps in likeness}
        if None in made.values():
            continue
        assert iou(made[1].solid, made[10].solid) > 0.9999
        for steps, values in likeness.items():
            low, high = bounds(made[steps].solid)
            assert low == pytest.approx(-high, abs=2e-3)
            assert (high - low).max() == pytest.approx(200, abs=2e-3)
            values.append(iou(build(made[steps].program), made[steps].solid))
            text = write(made[steps].program)
            sketch = text.partition(".sketch()")[2].partition(".finalize")[0]
            assert not re.search(r"\.[1-46-9]", sketch)  # a middle may be a half
            height = float(text.partition("extrude(")[2].rstrip(")"))
            assert height * steps == pytest.approx(round(height * steps))
    assert len(likeness[10]) > 20
    assert np.median(likeness[1]) < np.median(likeness[2]) < np.median(likeness[10])


def test_what_is_no_drawing_is_not_warped():
    text = "w0=cq.Workplane('XY')\nr=w0.box(9,9,9).rotate((0,0,0),(0,0,1),30).translate((0,0,0))"
    assert warped(parse(text), np.random.default_rng(0)) is None
