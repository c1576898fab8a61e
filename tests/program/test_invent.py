import numpy as np
import pytest

from cadrecode.errors import ProgramError
from cadrecode.program import build, parse, write
from cadrecode.program.invent import FAMILIES, invent, invent_solid
from cadrecode.program.language import Box, Cylinder, Extrusion
from cadrecode.program.outlines import polygon, rounded
from cadrecode.program.solid import bounds, is_single_body


@pytest.mark.parametrize("family", FAMILIES)
def test_inventions_are_valid_normalised_single_bodies(family):
    rng = np.random.default_rng(0)
    for _ in range(40):
        invention = invent_solid(rng, family)
        text = write(invention.program)
        assert write(parse(text)) == text
        solid = build(parse(text))
        assert solid.volume() == pytest.approx(invention.solid.volume(), rel=1e-9)
        assert is_single_body(solid)
        low, high = bounds(solid)
        assert np.abs(low + high).max() <= 2
        assert (high - low).max() == pytest.approx(200, abs=2)


def test_same_seed_same_part_and_another_seed_another():
    assert write(invent(np.random.default_rng(3))) == write(invent(np.random.default_rng(3)))
    assert write(invent(np.random.default_rng(3))) != write(invent(np.random.default_rng(4)))


def test_the_general_family_uses_the_whole_language():
    rng = np.random.default_rng(1)
    programs = [invent(rng) for _ in range(200)]
    kinds = {type(solid) for program in programs for solid in program.solids()}
    assert kinds == {Box, Cylinder, Extrusion}
    assert {len(program.solids()) for program in programs} == {1, 2, 3, 4}
    text = "\n".join(map(write, programs))
    for word in (".arc((", ".segment((", ".rect(", ".circle(", "mode='s'", ".union(", ".cut(", ".face("):
        assert word in text
    assert len({write(program) for program in programs}) > 195


def test_an_unknown_family_names_the_known_ones():
    with pytest.raises(ProgramError, match="brackets"):
        invent(np.random.default_rng(0), "teapots")


def test_a_loop_has_one_text_however_it_is_drawn():
    corners = [(-2.1, -1), (2, -1), (2, 1.2), (-2.1, 1.2)]
    drawings = [polygon(corners[i:] + corners[:i]) for i in range(4)]
    drawings += [polygon((corners[i:] + corners[:i])[::-1]) for i in range(4)]
    drawings.append(polygon([*corners, (-2.1, 0.1)]))  # a needless corner on an edge
    snapped = {drawing.snapped(round, round, round) for drawing in drawings}
    assert len(snapped) == 1


def test_rounded_corners_lie_on_their_circle():
    outline = rounded([(0, 0), (10, 0), (10, 10), (0, 10)], 2)
    middle = outline.middles[0]
    assert np.hypot(middle[0] - 2, middle[1] - 2) == pytest.approx(2)
