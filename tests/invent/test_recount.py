"""Other counts of what repeats: still the same design, and still a pattern in its text."""

import numpy as np
import pytest

from cadrecode.data.copies import copies_of, pattern_copy
from cadrecode.data.dataset import in_code_frame, make_pair
from cadrecode.data.pairs import Programs
from cadrecode.invent.recount import recounted
from cadrecode.program import build, mesh_of, parse, write
from cadrecode.program import language as cad
from cadrecode.program.solid import bounds, shells

HEAD = "import cadquery as cq\n"
FINS = (
    HEAD
    + "r=cq.Workplane('XY').rect(200,120).extrude(10).faces('>Z').workplane().rarray(15,1,13,1).rect(6,120).extrude(40)"
)
GEAR = (
    HEAD + "w0=cq.Workplane('XY',origin=(0,0,0))\n"
    "r=w0.sketch().circle(84).parray(90,0,360,24).rect(20,10).reset().circle(20,mode='s').finalize().extrude(30)"
)
HOLES = HEAD + "r=cq.Workplane('XY').circle(100).extrude(20).faces('>Z').workplane().polarArray(70,0,360,4).hole(16)"
BRACKET = HEAD + "r=cq.Workplane('XY').box(200,100,10)"


def rises(text: str, height: float) -> int:
    """Separate areas in which a plane through a height cuts the part."""
    return len(build(parse(text)).slice(height).decompose())


@pytest.mark.parametrize(
    ("text", "low", "high", "word"),
    [(FINS, 8, 16, "rarray"), (GEAR, 15, 30, "parray"), (HOLES, 3, 8, "polarArray")],
    ids=["fins", "teeth", "holes"],
)
def test_counts_are_drawn_around_the_count_and_stay_a_pattern(text, low, high, word):
    seen = set()
    for seed in range(16):
        changed = recounted(parse(text), np.random.default_rng(seed))
        assert changed is not None
        solid = build(changed)
        assert shells(solid) == (1, 0)
        if text is HOLES:
            seen.add(solid.genus())
        else:
            seen.add(max(cad.count_of(step.places) for step in changed.steps[-1].solid.sketch.steps))
        assert word in write(changed)
    assert min(seen) >= low
    assert max(seen) <= high
    assert len(seen) >= 4


def test_fins_that_are_counted_are_there():
    for seed in range(8):
        changed = recounted(parse(FINS), np.random.default_rng(seed))
        columns = changed.steps[-1].solid.sketch.steps[0].places.columns
        low, high = bounds(build(changed))
        assert rises(write(changed), high[2] - 0.1 * (high[2] - low[2])) == columns


def test_copies_are_in_the_code_frame_and_lie_on_their_part():
    programs = Programs("x", [make_pair("fins", FINS), make_pair("bracket", BRACKET)], [])
    copies = copies_of(programs, pattern_copy, 3, seed=0)
    assert 2 <= len(copies) <= 3, "nothing repeats in the bracket"
    from cadrecode.cloud.distance import point_to_surface

    for pair in copies:
        assert pair.name.startswith("fins, recounted")
        solid = build(parse(pair.text))
        assert in_code_frame(*bounds(solid))
        gaps = point_to_surface(pair.points.astype(float) * 100, *mesh_of(solid))
        assert np.quantile(gaps, 0.95) < 1.0, "numbers are rounded, the points are not"
        assert "rarray" in pair.text


def test_what_does_not_repeat_has_no_copies():
    assert recounted(parse(BRACKET), np.random.default_rng(0)) is None
