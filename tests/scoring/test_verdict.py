"""Verdicts on made cases: each is what a person would say who sees the points and the part."""

import numpy as np
import pytest

from cadrecode.cloud import sample_surface
from cadrecode.figures import length
from cadrecode.fit import ruler_for
from cadrecode.frames import Frame
from cadrecode.program import build, iou, mesh_of, parse
from cadrecode.scoring import build_text
from cadrecode.scoring.unexplained import Cluster, Kind, in_words
from cadrecode.scoring.verdict import Verdict, assess_cloud, assess_volume

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-10))\n"
NO_HOLE = HEAD + "r=w0.sketch().rect(200,100).finalize().extrude(20)"
HOLES = "push([(50,10),(-50,10),(-50,-30),(50,-30)]).circle(10,mode='s')"
PLATE = NO_HOLE.replace(".finalize()", f".{HOLES}.finalize()")
THICKER = PLATE.replace("extrude(20)", "extrude(23)")
SINK = PLATE + ".cut(cq.Workplane('XY',origin=(0,0,2)).sketch().circle(7).finalize().extrude(20))"
HALF = HEAD + "r=w0.sketch().push([(-50,0)]).rect(100,100).finalize().extrude(20)"
RING = HEAD + "r=w0.sketch().circle(100).circle(70,mode='s').finalize().extrude(60)"
BOX = HEAD + "r=w0.sketch().rect(200,200).finalize().extrude(60)"
BALL = "import cadquery as cq\nw0=cq.Workplane('XY')\nr=w0.sphere(100)"


def scan(text, noise=0.0, seen=None, count=8192):
    points, normals = sample_surface(*mesh_of(build(parse(text))), count, 0)
    points = points + np.random.default_rng(1).normal(0, noise, points.shape)
    return ruler_for(points if seen is None else points[seen(points, normals)])


@pytest.fixture(scope="module")
def plate():
    return scan(PLATE)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_part_that_explains_all_points_is_a_good_match(noise):
    assessed = assess_cloud(build_text(PLATE).solid, scan(PLATE, noise))
    assert assessed.verdict is Verdict.GOOD
    assert assessed.unexplained == ()
    assert assessed.likeness == pytest.approx(1, abs=0.02)


def test_a_plate_without_its_holes_lacks_details_and_their_places_are_named(plate):
    assessed = assess_cloud(build_text(NO_HOLE).solid, plate)
    assert assessed.verdict is Verdict.DETAILS
    assert {cluster.kind for cluster in assessed.unexplained} == {Kind.HOLE}
    places = sorted(np.round(cluster.place, 0).tolist()[:2] for cluster in assessed.unexplained)
    np.testing.assert_allclose(places, [(-50, -30), (-50, 10), (50, -30), (50, 10)], atol=1.5)
    assert [cluster.size for cluster in assessed.unexplained] == pytest.approx([20] * 4, abs=1)
    (entry,) = assessed.report("mm")["unexplained"]
    assert (entry["count"], str(entry["text"])) == (4, f"4 round spots of {length(entry['size'], 'mm')}: holes?")


def test_holes_that_nobody_saw_are_a_detail_too():
    assessed = assess_cloud(build_text(PLATE).solid, scan(NO_HOLE))
    assert assessed.verdict is Verdict.DETAILS
    assert assessed.unexplained


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_a_bar_that_ends_where_the_scan_does_is_no_good_match(noise):
    """Its end has no points, but is so narrow that all of it is near those of its sides."""
    bar = HEAD + "r=w0.sketch().rect(200,20).finalize().extrude(4)"
    short = bar.replace("rect(200,20)", "push([(-20,0)]).rect(160,20)")
    assessed = assess_cloud(build_text(short).solid, scan(bar, noise, lambda points, _: points[:, 0] < 60))
    assert assessed.verdict is Verdict.DETAILS
    [end] = assessed.unexplained
    assert (end.kind, end.place[0]) == (Kind.BARE, pytest.approx(60))
    assert assess_cloud(build_text(short).solid, scan(short, noise)).verdict is Verdict.GOOD


def test_a_hole_that_is_one_of_the_scan_is_no_good_match():
    """Both faces of a thin plate lack points there, as at a true hole, but the hole's wall has none."""
    sheet = HEAD + "r=w0.sketch().rect(200,150).finalize().extrude(3)"
    holed = sheet.replace(".finalize()", ".circle(24,mode='s').finalize()")
    unseen = scan(sheet, seen=lambda points, _: np.linalg.norm(points[:, :2], axis=1) > 24)
    assessed = assess_cloud(build_text(holed).solid, unseen)
    assert assessed.verdict is Verdict.DETAILS
    assert [cluster.kind for cluster in assessed.unexplained] == [Kind.BARE]
    assert assess_cloud(build_text(holed).solid, scan(holed)).verdict is Verdict.GOOD


def test_few_points_are_too_few_for_many_faces():
    """What 256 points say of a box, they cannot say of a comb: there is no place where it is wrong."""
    teeth = ",".join(f"({x},40)" for x in range(-90, 91, 20))
    comb = NO_HOLE.replace(".finalize()", f".push([{teeth}]).rect(10,20,mode='s').finalize()")
    assessed = assess_cloud(build_text(comb).solid, scan(comb, count=256))
    assert (assessed.verdict, assessed.unexplained) == (Verdict.DETAILS, ())
    assert assess_cloud(build_text(comb).solid, scan(comb, count=8192)).verdict is Verdict.GOOD
    for few in (BOX, BALL):
        assert assess_cloud(build_text(few).solid, scan(few, count=256)).verdict is Verdict.GOOD


def test_a_wrong_thickness_is_no_good_match(plate):
    assert assess_cloud(build_text(THICKER).solid, plate).verdict is Verdict.DETAILS
    assert assess_cloud(build_text(THICKER).solid, scan(PLATE, 1.0)).verdict is Verdict.DETAILS


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_few_points_do_not_make_a_wrong_thickness_right(noise):
    off = build_text(PLATE.replace("extrude(20)", "extrude(21)")).solid
    assessed = assess_cloud(off, scan(PLATE, noise, count=256))
    assert assessed.verdict is Verdict.DETAILS
    assert assessed.likeness == pytest.approx(iou(off, build_text(PLATE).solid), abs=0.03)
    assert assess_cloud(build_text(PLATE).solid, scan(PLATE, count=256)).verdict is Verdict.GOOD


def test_half_a_plate_and_a_box_for_a_ring_are_no_match(plate):
    assert assess_cloud(build_text(HALF).solid, plate).verdict is Verdict.NONE
    assert assess_cloud(build_text(BOX).solid, scan(RING)).verdict is Verdict.NONE
    assert assess_cloud(build_text("r=(").solid, plate).verdict is Verdict.NONE


def test_a_missing_pin_is_a_detail_however_long_it_is(plate):
    pin = PLATE + ".union(w0.workplane(offset=0).circle(10).extrude(120))"
    assessed = assess_cloud(build_text(PLATE).solid, scan(pin))
    assert assessed.verdict is Verdict.DETAILS
    assert [cluster.kind for cluster in assessed.unexplained] == [Kind.BOSS]
    assert assessed.likeness == pytest.approx(iou(build(parse(PLATE)), build(parse(pin))), abs=0.05)


@pytest.mark.parametrize("text", [BALL, PLATE, RING])
def test_what_was_seen_from_one_side_is_a_guess(text):
    half = scan(text, seen=lambda points, normals: normals @ (0.3, 0.5, 0.8) > 0.1)
    assert assess_cloud(build_text(text).solid, half).verdict is Verdict.PARTLY


def test_a_closed_mesh_is_compared_by_volume_and_by_its_holes():
    solid = build(parse(PLATE))
    assert assess_volume(build_text(PLATE).solid, solid).verdict is Verdict.GOOD
    unfilled = assess_volume(build_text(NO_HOLE).solid, solid)
    assert unfilled.verdict is Verdict.DETAILS
    assert [cluster.kind for cluster in unfilled.unexplained] == [Kind.HOLE] * 4
    assert assess_volume(build_text(HALF).solid, solid).verdict is Verdict.NONE
    blind = assess_volume(build_text(PLATE).solid, build(parse(SINK)))
    assert blind.likeness > 0.99
    assert (blind.verdict, [cluster.kind for cluster in blind.unexplained]) == (Verdict.DETAILS, [Kind.HOLE])


def test_a_thin_rim_that_stands_out_is_no_good_match_and_a_skin_all_around_is():
    disk = build(parse(HEAD + "r=w0.sketch().circle(100).finalize().extrude(20)"))
    rim = (
        HEAD + "r=w0.sketch().circle(100).finalize().extrude(20).union(w0.sketch().circle(110).finalize().extrude(0.5))"
    )
    assessed = assess_volume(build_text(rim).solid, disk)
    assert assessed.likeness > 0.99  # the price of a rim in volume
    assert (assessed.verdict, len(assessed.unexplained)) == (Verdict.DETAILS, 1)
    assert assessed.unexplained[0].size == pytest.approx(230, rel=0.02)

    ball = build(parse(BALL))  # the difference to a smaller ball is one skin, with an outer and an inner side
    assert assess_volume(build_text(BALL.replace("100", "99.9")).solid, ball).verdict is Verdict.GOOD


def test_places_and_sizes_are_in_the_units_of_the_file():
    frame = Frame.of(np.array([(0.0, 0, 0), (10, 5, 1)]))
    assessed = assess_volume(build_text(NO_HOLE).solid, build(parse(PLATE))).in_file(frame)
    assert assessed.unexplained[0].size == pytest.approx(1, rel=0.05)
    places = np.array([cluster.place for cluster in assessed.unexplained])
    assert np.allclose(np.sort(places[:, 0]), [2.5, 2.5, 7.5, 7.5], atol=0.01)


def test_alike_places_are_counted_together():
    clusters = [Cluster(Kind.HOLE, (x, 0, 0), size, 9) for x, size in ((1, 5), (2, 5.2), (3, 9))]
    texts = [str(entry["text"]) for entry in in_words(clusters, "mm")]
    assert texts == ["2 round spots of 5.10 mm: holes?", "a round spot of 9.00 mm: a hole?"]
