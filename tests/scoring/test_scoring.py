"""Scores and distances by what must be true of them, and every way a text can fail by its name."""

import numpy as np
import pytest

from cadrecode.cloud import sample_surface
from cadrecode.cloud.distance import CloudRuler
from cadrecode.cloud.normals import given_normals, outward_normals
from cadrecode.errors import ProgramError
from cadrecode.frames import Frame
from cadrecode.kernel import Outcome
from cadrecode.program import build, mesh_of, parse
from cadrecode.scoring import (
    OUTSIDE,
    ByDistance,
    Target,
    build_text,
    chamfer,
    improve,
    point_subsets,
    rank,
    score,
)

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"
BLOCK = HEAD + "r=w0.workplane(offset=0/2).moveTo(0,0).box(200,100,40)"
HALF_BLOCK = HEAD + "r=w0.workplane(offset=0/2).moveTo(-50,0).box(100,100,40)"
PLATE = HEAD + "r=w0.sketch().rect(200,100).push([(60,0)]).circle(20,mode='s').finalize().extrude(20,both=True)"
LOFTED = (
    HEAD + "r=w0.workplane(offset=-20).rect(200,100).workplane(offset=40).rect(180,80).loft()"
)  # outside of the language


def mesh(text):
    return mesh_of(build(parse(text)))


def surface(text, n=4096, seed=3):
    return sample_surface(*mesh(text), n, seed)[0]


def order(ranked):
    return [candidate.index for candidate in ranked]


# --- Chamfer distance


def test_chamfer_is_both_mean_squares_times_a_thousand():
    a, b = np.zeros((1, 3)), np.array([[0.1, 0, 0], [0, 0.3, 0]])
    assert chamfer(a, b) == pytest.approx(1000 * (0.01 + (0.01 + 0.09) / 2))
    assert chamfer(a, b) == pytest.approx(chamfer(b, a))
    assert chamfer(b, b) == 0


# --- texts


@pytest.mark.parametrize(
    ("text", "outcome", "detail"),
    [
        (BLOCK, Outcome.OK, ""),
        (" \n", Outcome.NO_SHAPE, "empty"),
        ("import cadquery as cq\nr=cq.Workplane('XY'", Outcome.SYNTAX, "line 2"),
        ("r\0", Outcome.SYNTAX, ""),
        (HEAD + "r=w0.sketch().rect(10,10).rect(20,20,mode='s').finalize().extrude(5)", Outcome.EMPTY, "no area"),
        (LOFTED, OUTSIDE, "line 3"),
        ("q=1", OUTSIDE, ""),
    ],
)
def test_each_way_a_text_can_end_has_its_name(text, outcome, detail):
    built = build_text(text)
    assert (built.outcome, built.ok) == (outcome, outcome == Outcome.OK)
    assert detail in built.detail


def test_shells_tell_bodies_from_cavities():
    apart = (
        HEAD
        + "r=w0.workplane(offset=0/2).moveTo(-80,0).box(20,20,20)"
        + ".union(w0.workplane(offset=0/2).moveTo(80,0).box(20,20,20))"
    )
    hollow = BLOCK + ".cut(w0.workplane(offset=0/2).moveTo(0,0).box(50,50,10))"
    assert build_text(PLATE).shells == (1, 0)
    assert build_text(apart).shells == (2, 0)
    assert build_text(hollow).shells == (1, 1)


def test_text_outside_of_the_language_is_built_by_opencascade(sandbox):
    built = build_text(LOFTED, sandbox)
    assert built.outcome == Outcome.OK
    assert built.solid.volume() == pytest.approx(40 / 6 * (200 * 100 + 4 * 190 * 90 + 180 * 80), rel=1e-3)
    assert 0.8 < score(LOFTED, Target.of("block", *mesh(BLOCK)), sandbox).iou < 1


@pytest.mark.parametrize(
    ("text", "outcome"), [("q=1", Outcome.NO_SHAPE), ("import os", Outcome.FORBIDDEN), ("r=1/0", Outcome.RAISED)]
)
def test_the_sandbox_names_its_failures(sandbox, text, outcome):
    assert build_text(text, sandbox).outcome == outcome


# --- scores


def test_a_program_scores_full_marks_against_itself():
    scored = score(PLATE, Target.of("plate", *mesh(PLATE)))
    assert scored.iou == pytest.approx(1, abs=1e-6)
    assert 0 < scored.cd < 0.2  # what two samplings of one surface differ by


def test_half_of_a_block_has_half_of_its_iou():
    scored = score(HALF_BLOCK, Target.of("block", *mesh(BLOCK)))
    assert scored.iou == pytest.approx(0.5)
    sides, true_sides = (np.ptp(mesh(text)[0], axis=0) for text in (HALF_BLOCK, BLOCK))
    assert scored.bbox_error == pytest.approx(np.abs(sides - true_sides).max() / true_sides.max())
    assert scored.bbox_error > 0.1


def test_scores_do_not_depend_on_units_and_place():
    vertices, faces = mesh(BLOCK)
    here, there = Target.of("a", vertices, faces), Target.of("a", vertices * 0.0254 + (7, -3, 900), faces)
    a, b = score(PLATE, here), score(PLATE, there)
    assert a.iou == pytest.approx(b.iou)
    assert a.cd == pytest.approx(b.cd, rel=1e-6)


def test_a_program_is_read_in_the_frame_of_the_cloud_that_the_model_saw():
    vertices, faces = mesh(BLOCK)
    half_as_large = Frame((0, 0, 0), 2.0)  # CODE 100 is RAW 2: the program's block is 4 long, the target 2
    target = Target.of("block", vertices / 100, faces, frame=half_as_large)
    assert score(BLOCK, target).iou == pytest.approx(1 / 8)
    in_code = surface(BLOCK) / 200  # unit cube: the target's longest side is 1, so the program's block is 2 long
    assert score(BLOCK, target).cd == pytest.approx(chamfer(in_code, 2 * in_code), rel=0.1)


def test_a_failure_scores_nothing_and_keeps_its_name():
    scored = score("r=(", Target.of("block", *mesh(BLOCK)))
    assert (scored.outcome, scored.iou, scored.cd, scored.ok) == (Outcome.SYNTAX, 0.0, None, False)


@pytest.mark.parametrize("spoil", ["open", "inside out", "flat", "empty", "nan"])
def test_what_is_not_a_closed_solid_is_no_target(spoil):
    vertices, faces = mesh(BLOCK)
    spoilt = {
        "open": (vertices, faces[1:]),
        "inside out": (vertices, faces[:, ::-1]),
        "flat": (vertices * (1, 1, 0), faces),
        "empty": (vertices, faces[:0]),
        "nan": (np.where(vertices == vertices[0], np.nan, vertices), faces),
    }[spoil]
    with pytest.raises(ProgramError):
        Target.of("x", *spoilt)


# --- candidates

SHAFT = (
    HEAD + "r=w0.sketch().circle(18).finalize().extrude(100).union(w0.sketch().circle(12.5).finalize().extrude(-100))"
)
TUBE = HEAD + "r=w0.sketch().circle(18).circle(12.5,mode='s').finalize().extrude(100,both=True)"


def test_a_shaft_is_no_tube_of_its_radii():
    points = surface(SHAFT, 8192)
    worse_shaft = SHAFT.replace("circle(18)", "circle(17)")
    built = [build_text(TUBE), build_text(worse_shaft)]
    blind = CloudRuler(points[:256])
    distances = [blind.distance(*candidate.mesh) for candidate in built]
    assert distances[0] < distances[1]  # what a thin cloud tells by distances alone
    assert order(rank(built, ByDistance(blind))) == [1, 0]  # the places that it does not explain tell more
    assert order(rank(built, ByDistance(CloudRuler(points, outward_normals(points))))) == [1, 0]


def test_the_nearest_comes_first_and_failures_last():
    texts = ["r=(", HALF_BLOCK, PLATE, BLOCK]
    ranked = rank([build_text(text) for text in texts], ByDistance(CloudRuler(surface(PLATE))))
    assert order(ranked) == [2, 3, 1, 0]
    assert ranked[-1].distance is None


def test_of_two_at_one_distance_a_single_body_without_cavity_wins():
    hollow = BLOCK + ".cut(w0.workplane(offset=0/2).moveTo(0,0).box(4,4,4))"
    ranked = rank([build_text(hollow), build_text(BLOCK)], ByDistance(CloudRuler(surface(BLOCK) + 1)))
    assert order(ranked) == [1, 0]


def test_subsets_differ_repeat_by_seed_and_do_not_depend_on_their_number():
    points = surface(PLATE, 8192) / 100
    views = point_subsets(points, 4, 256, seed=5)
    assert (views.shape, views.dtype) == ((4, 256, 3), np.float32)
    np.testing.assert_array_equal(views[:2], point_subsets(points, 2, 256, seed=5))
    assert not np.array_equal(views[0], point_subsets(points, 1, 256, seed=6)[0])
    cloud = {tuple(point) for point in points.astype(np.float32)}
    chosen = [{tuple(point) for point in view} for view in views]
    assert all(view <= cloud and len(view) == 256 for view in chosen)
    assert len(chosen[0] & chosen[1]) < 64
    longer = point_subsets(points, 4, 256, seed=5, heard=5000)
    np.testing.assert_array_equal(longer[:, :256], views)
    assert [len(np.unique(view[256:], axis=0)) for view in longer] == [5000, 4096, 4096, 4096]


def test_a_small_cloud_repeats_its_points():
    points = surface(BLOCK, 40) / 100
    views = point_subsets(points, 3, 256, seed=0)
    assert views.shape == (3, 256, 3)
    assert all(len(np.unique(view, axis=0)) == 40 for view in views)


def test_only_a_nearer_solid_replaces_a_candidate():
    vertices, faces = mesh(BLOCK)
    points, normals = sample_surface(vertices, faces, 4000, 0)
    yardstick = ByDistance(CloudRuler(points, given_normals(points, normals)))
    judged = rank([build_text(HALF_BLOCK)], yardstick)
    no_solid = parse(HEAD + "r=w0.workplane(offset=0/2).moveTo(0,0).box(200,100,0.0000001)")
    assert improve(judged, yardstick, lambda program, seconds: no_solid, seconds=9, count=3) == judged
    (better,) = improve(judged, yardstick, lambda program, seconds: parse(BLOCK), seconds=9, count=3)
    assert better.distance < better.as_written.distance
    assert better.as_written == judged[0]
    assert improve([better], yardstick, lambda program, seconds: parse(HALF_BLOCK), seconds=9, count=3) == [better]


def test_a_bounding_box_that_agrees_is_worth_a_little_distance():
    points = surface(BLOCK, 4000)
    yardstick = ByDistance(CloudRuler(points))
    short = HEAD + "r=w0.workplane(offset=0/2).moveTo(0.7,0).box(198.6,100,40)"
    dented = HEAD + "r=w0.workplane(offset=0/2).box(200,100,40).cut(w0.workplane(offset=20).box(90,90,2))"
    judged = rank([build_text(short), build_text(dented)], yardstick)
    assert order(judged) == [1, 0]
    assert judged[1].distance < judged[0].distance  # the short one is nearer
    assert improve(judged[1:], yardstick, lambda program, seconds: parse(dented), seconds=9, count=1)[0].as_written
    noise = 1.5 * np.random.default_rng(0).standard_normal(points.shape)
    deeper = dented.replace("box(90,90,2)", "box(70,70,4)")
    noisy = ByDistance(CloudRuler(points + noise, outward_normals(points + noise)))
    judged = rank([build_text(short), build_text(deeper)], noisy)
    assert improve(judged[:1], noisy, lambda program, seconds: parse(deeper), seconds=9, count=1) == judged[:1]


def test_what_is_left_of_the_time_goes_to_the_best():
    vertices, faces = mesh(BLOCK)
    points, normals = sample_surface(vertices, faces, 4000, 0)
    yardstick = ByDistance(CloudRuler(points, given_normals(points, normals)))
    judged = rank([build_text(HALF_BLOCK), build_text(BLOCK), build_text("nonsense")], yardstick)
    calls = []

    def change(program, seconds):
        calls.append((program, seconds))
        return program

    assert improve(judged, yardstick, change, seconds=60, count=3) == judged
    assert [program for program, _ in calls] == [parse(BLOCK), parse(HALF_BLOCK), parse(BLOCK)]
    assert [round(seconds) for _, seconds in calls] == [30, 60, 60]


def test_a_hole_is_worth_its_numbers_in_noise_too():
    holes = [PLATE, PLATE.replace(".push([(60,0)]).circle(20,mode='s')", "")]
    points = surface(PLATE, 8192)
    points = points + np.random.default_rng(0).normal(0, 1.0, points.shape)
    yardstick = ByDistance(CloudRuler(points, outward_normals(points)))
    with_hole, without = rank([build_text(text) for text in holes], yardstick)
    assert (with_hole.index, with_hole.unexplained) == (0, 0)
    assert without.unexplained == 12  # as many as its size is worth
    assert yardstick.key(without)[1] - yardstick.key(with_hole)[1] > 5e-4 * yardstick.ruler.size


def test_in_noise_two_walls_on_either_side_of_the_points_are_no_better_than_one():
    rod = HEAD + "r=w0.sketch().circle(18.85).finalize().extrude(190)"
    bored = "w0.sketch().circle(1).finalize().extrude(190)"  # so that it is no closed cavity
    inner = "w0.workplane(offset=95).cylinder(187,17.2)"
    tube = HEAD + f"r=w0.sketch().circle(20.5).finalize().extrude(190).cut({inner}).cut({bored})"
    points = surface(rod, 8192)
    points = points + np.random.default_rng(0).normal(0, 2.0, points.shape)
    first, second = rank([build_text(tube), build_text(rod)], ByDistance(CloudRuler(points, outward_normals(points))))
    assert (first.index, second.index) == (1, 0)
    assert second.distance < first.distance
    assert second.unexplained == first.unexplained == 0
