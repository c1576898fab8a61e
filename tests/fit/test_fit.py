"""Programs that are wrong in a known way, and the clouds that tell."""

import numpy as np
import pytest

from cadrecode.cloud import sample_surface
from cadrecode.errors import ProgramError
from cadrecode.fit import fit, ruler_for
from cadrecode.fit.box import in_box
from cadrecode.fit.knobs import knobs_of
from cadrecode.fit.objective import Objective
from cadrecode.fit.repeats import counted_again
from cadrecode.fit.tidy import tidied
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.solid import sagitta_of, shells, through_holes

pytestmark = pytest.mark.usefixtures("processor_time")
HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"
PLATE = HEAD + "r=w0.sketch().rect(200,100).push([(60,0),(-60,0)]).circle(20,mode='s').finalize().extrude(30)"
SHAFT = (
    HEAD + "r=w0.sketch().circle(18).finalize().extrude(100).union(w0.sketch().circle(12.5).finalize().extrude(-100))"
)
TUBE = HEAD + "r=w0.sketch().circle(18).circle(12.5,mode='s').finalize().extrude(100,both=True)"
ROD = HEAD + "r=w0.workplane(offset=0/2).cylinder(200,30)"
HOLLOW = HEAD + "r=w0.workplane(offset=0/2).cylinder(200,31).cut(w0.workplane(offset=0/2).cylinder(180,24))"


def cloud(text, n=768, noise=0.0):
    """So few points are searched once; of more, there is a second, closer search."""
    points, _ = sample_surface(*mesh_of(build(parse(text))), n, 0)
    return points + noise * np.random.default_rng(1).standard_normal(points.shape)


def sides(program):
    return np.ptp(mesh_of(build(parse(write(program))))[0], axis=0)


def overlap(program, text):
    return iou(build(program), build(parse(text)))


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.998), (2.0, 0.985)])
def test_numbers_come_back(noise, least):
    off = (
        PLATE.replace("rect(200,100)", "rect(193,106)")
        .replace("(60,0)", "(55,4)")
        .replace("extrude(30)", "extrude(36)")
    )
    fitted = fit(parse(off), cloud(PLATE, noise=noise), seconds=6, structure=False)
    assert overlap(parse(off), PLATE) < 0.8
    assert overlap(fitted.program, PLATE) > least
    assert fitted.distance_after < fitted.distance_before


def test_round_numbers_where_the_cloud_allows_them():
    off = PLATE.replace("rect(200,100)", "rect(198.5,101.3)").replace("extrude(30)", "extrude(30.8)")
    fitted = fit(parse(off), cloud(PLATE), seconds=8)
    assert write(fitted.program) == write(parse(PLATE))


@pytest.mark.parametrize(
    ("true", "drawn"),
    [
        ("rect(200,30).rarray(14,1,14,1).rect(6,90)", "rect(200,30).rarray(17,1,11,1).rect(8,90)"),
        ("circle(75).parray(80,0,360,12).rect(40,20)", "circle(75).parray(80,0,360,9).rect(42,22)"),
    ],
)
def test_what_repeats_is_counted_again(true, drawn):
    part, off = (f"{HEAD}r=w0.sketch().{sketch}.finalize().extrude(40)" for sketch in (true, drawn))
    search = Objective(ruler_for(cloud(part, 4096)).coarse(384, 192, 0), parse(off), np.inf)
    again = counted_again(parse(off), search)
    assert overlap(parse(off), part) < 0.85
    assert overlap(again, part) > 0.92
    assert counted_again(parse(part), search) == parse(part)  # without a look at others


@pytest.mark.slow
def test_a_right_program_is_left_alone_and_soon():
    fitted = fit(parse(PLATE), cloud(PLATE, n=4096, noise=1.0), seconds=8)
    assert overlap(fitted.program, PLATE) > 0.99
    assert fitted.seconds < 20


@pytest.mark.slow
def test_a_tube_becomes_the_stepped_shaft_that_it_is():
    fitted = fit(parse(TUBE), cloud(SHAFT, n=4096), seconds=5)
    assert overlap(parse(TUBE), SHAFT) < 0.5
    assert overlap(fitted.program, SHAFT) > 0.97


def test_a_rod_loses_its_cavity():
    fitted = fit(parse(HOLLOW), cloud(ROD), seconds=8)
    assert shells(build(parse(HOLLOW))) == (1, 1)
    assert shells(build(fitted.program)) == (1, 0)
    assert overlap(fitted.program, ROD) > 0.99


@pytest.mark.slow
def test_a_hole_that_the_model_missed_is_cut_and_one_that_it_dreamt_is_filled():
    solid = HEAD + "r=w0.sketch().rect(200,100).finalize().extrude(30)"
    assert overlap(fit(parse(solid), cloud(PLATE, n=4096), seconds=4).program, PLATE) > 0.98
    assert overlap(fit(parse(PLATE), cloud(solid, n=4096), seconds=4).program, solid) > 0.999


def test_the_same_seed_gives_the_same_program_when_time_does_not_run_out():
    off = parse(ROD.replace("30", "26"))
    first, second = (fit(off, cloud(ROD), seconds=30) for _ in range(2))
    assert write(first.program) == write(second.program)
    assert first.evaluations == second.evaluations


def test_what_builds_nothing_cannot_be_fitted():
    nothing = parse(HEAD + "r=w0.sketch().rect(10,10).rect(20,20,mode='s').finalize().extrude(5)")
    with pytest.raises(ProgramError, match="no solid"):
        fit(nothing, cloud(ROD))


def test_knobs_keep_a_rectangle_of_segments_square():
    corners = ".segment((0,0),(50,0)).segment((50,20)).segment((0,20)).close().assemble()"
    loop = parse(f"{HEAD}r=w0.sketch(){corners}.finalize().extrude(9)")
    moved = knobs_of(loop)[2].turned(loop, 7.0).steps[0].solid.sketch.steps[0].shape
    assert len({x for x, _ in (moved.start, *(edge.end for edge in moved.edges))}) == 2


@pytest.mark.parametrize(
    ("pattern", "knobs"),
    [("rarray(40,40,2,2)", {"dx", "dy", "center"}), ("parray(30,0,360,5)", {"radius", "first", "center"})],
)
def test_a_pattern_of_slots_has_knobs_of_its_own(pattern, knobs):
    slots = parse(f"{HEAD}r=w0.sketch().rect(100,100).{pattern}.slot(10,6,mode='s').finalize().extrude(9)")
    places = ("steps", 0, "solid", "sketch", "steps", 1, "places")
    assert {path[7] for knob in knobs_of(slots) for path, _ in knob.moves if path[:7] == places} == knobs
    assert overlap(fit(slots, cloud(write(slots)), seconds=1).program, write(slots)) > 0.99


def test_no_size_becomes_nothing():
    program = parse(ROD)
    assert [knob.turned(program, -1000.0) for knob in knobs_of(program) if knob.is_length] == [None, None]


def test_a_cavity_costs_more_than_any_distance():
    objective = Objective(ruler_for(cloud(HOLLOW)), parse(ROD), np.inf)
    assert objective.cost(parse(HOLLOW)) > objective.cost(parse(TUBE))


def test_noise_alone_is_no_reason_to_grow_a_thin_part():
    thin, wider, wide = (parse(f"{HEAD}r=w0.workplane(offset=0/2).box({140 + w},{w},4)") for w in (60, 64, 72))
    objective = Objective(ruler_for(cloud(write(thin), n=2048, noise=2.0)), thin, np.inf, fine=True)
    at_thin, at_wider = objective.cost(thin), objective.cost(wider)
    assert at_wider < at_thin - 4 * objective.noise  # points thrown outward pull, those thrown inward are near a face
    assert not objective.told_apart(thin, at_thin, wider, at_wider)
    objective = Objective(ruler_for(cloud(write(wide), n=2048, noise=2.0)), thin, np.inf, fine=True)
    assert objective.told_apart(thin, objective.cost(thin), wide, objective.cost(wide))


def test_numbers_that_the_cloud_cannot_tell_apart_become_round():
    off = PLATE.replace("rect(200,100)", "rect(193,106)").replace("extrude(30)", "extrude(36)")
    fitted = fit(parse(off), cloud(PLATE, n=2048, noise=2.0), seconds=8, structure=False)
    assert write(fitted.program) == write(parse(PLATE))


@pytest.mark.slow
def test_a_hole_that_touches_the_walls_stays_open():
    """No point tells the inside of a wall of no thickness from its outside: the sides are guessed wrong."""
    bar = HEAD.replace("'XY'", "'YZ'") + "r=w0.sketch().rect(74,14).circle(7,mode='s').finalize().extrude(200)"
    fitted = fit(parse(bar), cloud(bar, n=2048), seconds=5)
    assert overlap(fitted.program, bar) > 0.995


def test_what_has_no_effect_is_dropped_and_no_size_becomes_zero():
    """A cut as thin as this changes nothing, and rounded to 0 it would be no program."""
    thin_cut = PLATE + ".cut(w0.workplane(offset=30).box(10,10,0.02))"
    fitted = fit(parse(thin_cut), cloud(PLATE), seconds=8, structure=False)
    assert write(fitted.program) == write(parse(PLATE))
    assert parse(write(fitted.program)) == parse(PLATE)


def test_what_is_found_can_be_written_and_read_back():
    """Rounded to whole numbers, the short edge of this loop would end where it begins."""
    corners = "(0,0),(100,0)).segment((100,60)).segment((99.6,60.4)).segment((0,60))"
    loop = f"{HEAD}r=w0.sketch().segment({corners}.close().assemble().finalize().extrude(50)"
    fitted = fit(parse(loop), cloud(loop.replace("100", "108")), seconds=4, structure=False)
    assert parse(write(fitted.program)).steps
    assert overlap(fitted.program, loop.replace("100", "108")) > 0.99


def test_a_boss_that_the_model_missed_is_put_on_the_body():
    block = HEAD + "r=w0.workplane(offset=0/2).box(200,100,40)"
    boss = (
        HEAD
        + "w1=cq.Workplane('XY',origin=(0,0,10))\n"
        + (
            "r=w0.workplane(offset=0/2).box(200,100,40).union(w1.sketch().push([(40,-20)]).circle(9).finalize().extrude(18))"
        )
    )
    fitted = fit(parse(block), cloud(boss), seconds=8)
    assert build(fitted.program).bounding_box()[5] == pytest.approx(28, abs=0.1)
    assert overlap(fitted.program, boss) > 0.998


def test_what_sticks_out_of_the_cloud_is_taken_away():
    tee = (
        HEAD
        + "w1=cq.Workplane('XY',origin=(0,0,10))\n"
        + (
            "r=w0.workplane(offset=0/2).box(200,100,40).union(w1.sketch().push([(40,-20)]).circle(9).finalize().extrude(80))"
        )
    )
    block = HEAD + "r=w0.workplane(offset=0/2).box(200,100,40)"
    fitted = fit(parse(tee), cloud(block), seconds=8)
    assert build(fitted.program).bounding_box()[5] == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize(
    "feature",
    [
        "workplane(offset=40).moveTo(-70,20).box(40,40,60)",
        "workplane(offset=30).moveTo(60,0).cylinder(60,25)",
        "moveTo(0,80).box(60,60,30)",
    ],
)
def test_a_bounding_box_that_is_short_is_reached_even_when_there_is_no_time(feature):
    block = HEAD + "r=w0.box(200,100,40)"
    points = cloud(f"{block}.union(w0.{feature})")
    fitted = fit(parse(block), points, seconds=0)
    assert sides(fitted.program) == pytest.approx(np.ptp(points, axis=0), rel=5e-3)
    assert overlap(fitted.program, f"{block}.union(w0.{feature})") > 0.97


def test_a_bounding_box_is_reached_by_a_number_where_that_is_the_shorter_way():
    points = cloud(PLATE)
    fitted = fit(parse(PLATE.replace("extrude(30)", "extrude(27)")), points, seconds=0)
    assert len(fitted.program.steps) == 1
    assert sides(fitted.program) == pytest.approx((200, 100, 30), rel=5e-3)


@pytest.mark.parametrize("leans", [20, 60])
def test_what_sticks_out_of_a_clean_cloud_is_cut_off_even_when_there_is_no_time(leans):
    bracket = PLATE + ".union(w0.workplane(offset=25).moveTo(0,{at}).box(40,{wide},50))"
    inside, out = bracket.format(at=0, wide=100), bracket.format(at=leans / 2, wide=100 + leans)
    points = cloud(inside)
    fitted = fit(parse(out), points, seconds=0)
    assert sides(parse(out))[1] == 100 + leans
    assert sides(fitted.program) == pytest.approx(np.ptp(points, axis=0), rel=5e-3)
    assert overlap(fitted.program, inside) > overlap(parse(out), inside)
    assert write(fit(parse(out), points, seconds=0, structure=False).program) == write(parse(out))


def test_no_box_is_sought_without_time(monkeypatch):
    objective = Objective(ruler_for(cloud(PLATE)), parse(PLATE), deadline=np.inf)
    short = parse(PLATE.replace("extrude(30)", "extrude(24)"))
    assert in_box(short, objective.cost(short), objective)[0] != short
    calls = []
    monkeypatch.setattr(Objective, "out_of_time", property(lambda self: len(calls) >= 3))
    monkeypatch.setattr(Objective, "evaluate", lambda self, program: calls.append(program))
    in_box(short, 1.0, objective)
    assert len(calls) <= 3  # the search has dozens of programs to measure


def test_a_small_hole_that_the_cloud_shows_is_not_dropped_for_its_numbers():
    plate = HEAD + "r=w0.workplane(offset=0/2).box(200,120,8)"
    drilled = parse(plate + ".cut(w0.workplane(offset=-50).sketch().push([(60,30)]).circle(2).finalize().extrude(99))")
    for shown, holes in ((write(drilled), 1), (plate, 0)):
        objective = Objective(ruler_for(cloud(shown, 4096)), drilled, np.inf, fine=True)
        tidy, _, _ = tidied(drilled, objective.cost(drilled), drilled, objective)
        assert through_holes(build(tidy)) == holes


def test_a_program_that_builds_with_fine_facets_alone_is_fitted_with_these(monkeypatch):
    """A fillet may have no room between the corners of coarse facets."""
    fine, built = sagitta_of(parse(PLATE)), Objective.solid
    monkeypatch.setattr(Objective, "solid", lambda self, program: None if self.sagitta > fine else built(self, program))
    off = parse(PLATE.replace("extrude(30)", "extrude(31)"))
    assert overlap(fit(off, cloud(PLATE), seconds=2.0).program, PLATE) > overlap(off, PLATE) + 0.02
