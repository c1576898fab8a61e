import re
import zlib

import numpy as np
import pytest

from cadrecode.errors import ProgramError
from cadrecode.invent import profiles
from cadrecode.invent.draw import FAMILIES, invent, invent_solid
from cadrecode.invent.held_out import held_out
from cadrecode.invent.outlines import Degenerate, as_step, polygon, rounded
from cadrecode.program import build, iou, parse, write
from cadrecode.program.grammar import grammar
from cadrecode.program.language import Box, Cylinder, Extrusion, Face, Loop, Mode, Operation, Sketch
from cadrecode.program.section import cross_section
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


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "machined"])  # it has whole numbers
def test_with_finer_heights_it_is_the_same_part_said_more_exactly(family):
    fractions = same = 0
    for seed in range(12):
        rough, fine = (invent_solid(np.random.default_rng(seed), family, height_steps=d) for d in (1, 10))
        assert build(parse(write(fine.program))).volume() == pytest.approx(fine.solid.volume(), rel=1e-9)
        same += 0.8 < iou(rough.solid, fine.solid) <= 1  # else rounding broke a part that was drawn before
        fractions += sum(number.partition(".")[2] not in ("", "5") for number in numbers_of(fine.program))
        assert {number.partition(".")[2] for number in numbers_of(rough.program)} <= {"", "5"}
    assert fractions > 12
    assert same >= 8


def numbers_of(program) -> list[str]:
    return re.findall(r"-?\d+\.?\d*", write(program).partition("origin")[2])


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


def test_the_parts_that_figures_are_of_stay_the_same():
    """`evaluate --targets invent:general` measures on them; a base's figures say nothing of others."""
    texts = "\n".join(write(held_out("general", index)) for index in range(60))
    assert zlib.crc32(texts.encode()) == 3338827944


@pytest.mark.slow
def test_designs_are_thinner_and_more_cut_and_have_shorter_and_longer_loops():
    """Each is a statistic in which real programs differ from `general`, too."""
    seen = {}
    for family in ("general", "designs"):
        rng = np.random.default_rng(2)
        made = [invent_solid(rng, family) for _ in range(250)]
        loops = [len(loop.edges) for shape in made for solid in shape.program.solids() for loop in loops_of(solid)]
        sides = [np.sort(np.diff(bounds(shape.solid), axis=0)[0]) for shape in made]
        seen[family] = (
            np.median([side[0] / side[2] for side in sides]),
            np.mean([step.operation is Operation.CUT for shape in made for step in shape.program.steps[1:]]),
            np.mean([len(shape.program.solids()) > 4 for shape in made]),
            np.mean(np.array(loops) <= 2),
            np.mean(np.array(loops) > 14),
        )
    general, designs = seen.values()
    assert designs[0] < general[0]
    assert all(more > fewer for more, fewer in zip(designs[1:], general[1:])), (designs, general)


def loops_of(solid) -> list[Loop]:
    if not isinstance(solid, Extrusion):
        return []
    shapes = [step.shape for step in solid.sketch.steps]
    shapes = [shape.sketch.steps[0].shape if isinstance(shape, Face) else shape for shape in shapes]
    return [shape for shape in shapes if isinstance(shape, Loop)]


@pytest.mark.parametrize("name", sorted(set(profiles.DRAWERS) - {"freeform"}))
def test_every_outline_stays_in_its_box_and_encloses_something(name):
    """A freeform one may reach further, or cross itself and be drawn anew."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        outline = profiles.draw_outline(rng, 90, 40, name)
        x0, y0, x1, y1 = outline.bounds()
        assert -45.01 <= x0 < x1 <= 45.01
        assert -20.01 <= y0 < y1 <= 20.01
        step = as_step(outline, Mode.ADD, round, round, round)
        assert cross_section(Sketch((step,)), 0.5).area() > 20


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


def test_a_spike_that_rounding_makes_is_no_loop():
    with pytest.raises(Degenerate):
        polygon([(0, 0), (4, 0), (4, 2.6), (7, 2.9), (4, 3.4), (4, 6), (0, 6)]).snapped(round, round, round)


def test_rounded_corners_lie_on_their_circle():
    outline = rounded([(0, 0), (10, 0), (10, 10), (0, 10)], 2)
    middle = outline.middles[0]
    assert np.hypot(middle[0] - 2, middle[1] - 2) == pytest.approx(2)


def test_machined_parts_are_valid_and_stay_the_same_for_a_seed():
    programs = [invent(np.random.default_rng(seed), "machined") for seed in range(12)]
    again = [invent(np.random.default_rng(seed), "machined") for seed in range(12)]
    assert programs == again
    assert len({write(program) for program in programs}) == 12
    for program in programs:
        low, high = bounds(build(program))
        assert (high - low).max() == pytest.approx(200, abs=2)
        assert np.abs(low + high).max() <= 2
        assert parse(write(program)) == program
        assert grammar().is_whole(grammar().read(grammar().start, write(program))), write(program)
