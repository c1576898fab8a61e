"""Programs with the numbers that a person would write: what is changed, how far, and why."""

import math

import numpy as np
import pytest

from cadrecode.cloud import Cloud
from cadrecode.config import ReconstructConfig
from cadrecode.invent import machined
from cadrecode.invent.draw import invent
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.edit import parameters, rounded, transform
from cadrecode.program.roles import box_of
from cadrecode.program.section import circle_through
from cadrecode.reconstruction.given import Given
from cadrecode.reconstruction.rebuild import _with_simple_numbers
from cadrecode.scoring import build_text
from cadrecode.snapping import face_places, onto_faces, snapped

HEAD = (
    "import cadquery as cq\nw0=cq.Workplane('XY',origin=(500.013,0.02,-4.013))\n"
    "w1=cq.Workplane('XY',origin=(500.013,0.02,4.01))\n"
)
PLATE = (
    "w0.sketch().rect(80.03,40.02).push([(24.01,0.01)]).circle(8.02,mode='s')"
    ".push([(-30.02,-10),(-30.01,10.02),(10,-10.01),(10,10)]).circle(2.22,mode='s').finalize().extrude(8.023)"
)


def anything(program):
    return True


def values_of(program):
    return {number.name: number.value for number in parameters(program)}


def test_sizes_places_and_levels_become_round_and_each_says_why():
    boss = "union(w1.sketch().push([(-9.98,0)]).circle(6.01).circle(3.28,mode='s').finalize().extrude(9.99))"
    program = parse(HEAD + f"r={PLATE}.{boss}")
    simple, snaps = snapped(program, 0.05, anything)
    values = values_of(simple)
    wanted = {
        "plate width": 80, "plate length": 40, "plate thickness": 8, "hole 1 diameter": 16, "hole 2 diameter": 4.4,
        "hole 2 spacing x": 40, "boss diameter": 12, "boss height": 10, "hole 3 diameter": 6.6, "hole 1 y": 0,
    }  # fmt: skip
    assert {name: values[name] for name in wanted} == wanted
    assert len(build(simple).decompose()) == 1  # the boss still stands on the plate
    reasons = {snap.name: str(snap) for snap in snaps}
    assert reasons["plate thickness"] == "8.023 -> 8: whole, within 0.05"
    assert reasons["hole 3 diameter"] == "6.56 -> 6.6: clearance hole for M6, medium (ISO 273), within 0.05"
    assert reasons["hole 1 y"] == "0.01 -> 0: centred, within 0.05"


def test_the_distance_of_two_holes_is_left_where_their_coordinates_are_simple():
    plate = "r=w0.sketch().rect(120,80).push([(50.01,20),(-50,-29.99)]).circle(1.5,mode='s').finalize().extrude(40)"
    simple, _ = snapped(parse("w0=cq.Workplane('XY')\n" + plate), 0.1, anything)
    assert "push([(50,20),(-50,-30)])" in write(simple)  # they are 111.8034 apart


def test_a_size_changes_by_little_of_itself():
    plate = "r=w0.sketch().rect(200,150).push([(50,20)]).circle(0.547,mode='s').finalize().extrude(5)"
    simple, _ = snapped(parse("w0=cq.Workplane('XY')\n" + plate), 0.2, anything)
    assert values_of(simple)["hole 1 diameter"] == 1.1


def test_a_fillet_may_change_by_more_than_the_surface_may_move():
    """Measured on chords, a radius of 2 comes out as 1.98; the surface moves by 0.41 of the change."""
    sheet = "r=w0.sketch().rect(80,40).vertices().fillet({}).reset().finalize().extrude(8)"
    simple, snaps = snapped(parse(HEAD + sheet.format(1.98)), 0.012, anything)
    assert values_of(simple)["corner fillet radius"] == 2
    assert str(snaps[-1]) == "1.98 -> 2: whole, within 0.029"
    simple, _ = snapped(parse(HEAD + sheet.format(1.95)), 0.012, anything)
    assert values_of(simple)["corner fillet radius"] == 1.95


def test_like_sizes_become_equal_and_mirrored_places_symmetric():
    program = parse(
        HEAD + "r=w0.sketch().rect(80,40).push([(-20.033,5)]).circle(3.016,mode='s').push([(20.023,5)])"
        ".circle(3.022,mode='s').finalize().extrude(8)"
    )
    simple, snaps = snapped(program, 0.02, anything)
    values = values_of(simple)
    assert values["hole 1 diameter"] == values["hole 2 diameter"]
    assert "equal to hole 1 diameter" in str({snap.name: snap for snap in snaps}["hole 2 diameter"])
    assert values["hole 1 x"] == pytest.approx(-values["hole 2 x"])


def test_patterns_and_slots_keep_their_shape():
    program = parse(
        HEAD + "r=w0.sketch().circle(40.02).push([(30.02,0),(0,30.02),(-30.02,0),(0,-30.02)]).circle(3.28,mode='s')"
        ".segment((-5.01,-2.01),(5.01,-2.01)).arc((7.02,0),(5.01,2.01)).segment((-5.01,2.01))"
        ".arc((-7.02,0),(-5.01,-2.01)).assemble(mode='s').finalize().extrude(10.01)"
    )
    text = write(snapped(program, 0.05, anything)[0])
    assert "push([(30,0),(0,30),(-30,0),(0,-30)]).circle(3.3" in text
    assert "segment((-5,-2),(5,-2)).arc((7,0),(5,2)).segment((-5,2)).arc((-7,0),(-5,-2))" in text


@pytest.mark.parametrize(("x", "width", "placed"), [(-0.024, 60, 0), (0.024, 60.02, 0), (0.036, 60.02, 0.036)])
def test_a_part_is_placed_in_the_middle_where_no_end_moves_by_more_than_allowed(x, width, placed):
    program = parse(f"import cadquery as cq\nw0=cq.Workplane('XY',origin=({x},0,0))\nr=w0.box({width},40,8)")
    simple, _ = snapped(program, 0.0375, anything)
    assert box_of(simple.steps[0].solid)[:, 0].mean() == pytest.approx(placed, abs=1e-6)
    assert np.abs(box_of(simple.steps[0].solid) - box_of(program.steps[0].solid)).max() <= 0.0375 + 1e-9


def test_what_the_input_contradicts_stays():
    program = parse(HEAD + f"r={PLATE}")

    def thick(changed):
        return build(changed).volume() > 0 and values_of(changed)["plate thickness"] == pytest.approx(8.023)

    simple, snaps = snapped(program, 0.05, thick)
    values = values_of(simple)
    assert values["plate thickness"] == pytest.approx(8.023)
    assert (values["plate width"], values["hole 1 diameter"]) == (80, 16)
    assert "plate thickness" not in {snap.name for snap in snaps}


def test_a_part_that_stands_askew_is_snapped_in_its_own_axes():
    turned = f"r={PLATE}.rotate((0,0,0),(0,0,1),33).translate((1.234,5.678,9.1))"
    simple, snaps = snapped(parse(HEAD + turned), 0.05, anything)
    assert simple.placement == parse(HEAD + turned).placement
    assert "plate width" in {snap.name for snap in snaps}


@pytest.mark.parametrize("draw", [invent, machined.draw])
def test_no_number_changes_by_more_than_allowed_and_the_part_stays_the_part(draw):
    rng = np.random.default_rng(5)
    for _ in range(12):
        program = transform(draw(rng), 0.3971, (0.123, 4.567, -8.9))
        simple, snaps = snapped(program, 0.02, anything)
        assert all(abs(snap.after - snap.before) <= 2.001 * 0.02 for snap in snaps)
        for before, after in zip(program.solids(), simple.solids()):
            assert np.abs(box_of(before) - box_of(after)).max() <= 2.001 * 0.02
        assert iou(build(program), build(simple)) > 0.9


def test_round_programs_stay_as_they_are():
    program = parse(
        "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-4))\n"
        "r=w0.sketch().rect(80,40).push([(24,0)]).circle(8,mode='s').finalize().extrude(8).edges('|Z').fillet(2)"
    )
    assert snapped(program, 0.3, anything) == (program, ())


def test_levels_go_onto_the_faces_of_the_mesh():
    exact = parse("import cadquery as cq\nr=cq.Workplane('XY').workplane(offset=12.34/2).box(80.12,40.06,12.34)")
    rough = parse("import cadquery as cq\nr=cq.Workplane('XY').workplane(offset=12.4/2).box(80,40,12.4)")
    moved = onto_faces(rough, face_places(*mesh_of(build(exact))))
    np.testing.assert_allclose(build(moved).bounding_box(), build(exact).bounding_box(), atol=1e-5)


def test_of_a_closed_mesh_the_best_gets_simple_numbers_even_when_its_time_is_up():
    head = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-10))\n"
    text = head + "r=w0.sketch().rect(200,{}).finalize().extrude(20)"
    vertices, faces = mesh_of(build(parse(text.format(100))))
    config = ReconstructConfig(align=False, clean="off")
    given = Given.of(Cloud.of_mesh(vertices, faces, n_surface=500, seed=0), config)
    ranked = [given.yardstick.measured(build_text(text.format(width))) for width in ("100.003", "100.0037")]
    late = [candidate.text for candidate in _with_simple_numbers(ranked, given, config, lambda: False, -math.inf)]
    assert sorted(late) == [text.format(100), text.format("100.0037")]
    early = _with_simple_numbers(ranked, given, config, lambda: False, math.inf)
    assert [candidate.text for candidate in early] == 2 * [text.format(100)]


def test_a_mirror_goes_with_the_level_that_it_lies_on():
    half = "r=w0.sketch().push([(20,0)]).rect(40.02,40.02).finalize().extrude(8.02)"
    program = parse(HEAD + half + ".mirror('YZ',(500.003,0,0),union=True)")
    simple, _ = snapped(program, 0.05, anything)
    assert simple.finishes[0].base[0] == pytest.approx(box_of(simple.steps[0].solid)[0, 0], abs=1e-6)
    assert len(build(simple).decompose()) == 1


def turned(plane, axis, places, middle):
    """A profile of three lines, an arc and a line, given by (place along the axis, radius); `middle` is the arc's."""
    order = (lambda pair: pair) if axis[0] else (lambda pair: pair[::-1])
    a, b, c, d, e = (order(place) for place in places)
    edges = f"segment({a},{b}).segment({c}).arc({order(middle)},{d}).segment({e}).close().assemble()"
    head = f"import cadquery as cq\nw0=cq.Workplane('{plane}')\n"
    return parse(f"{head}r=w0.sketch().{edges}.finalize().revolve(360,(0,0),{axis})")


@pytest.mark.parametrize(("plane", "axis"), [("XZ", (0, 1)), ("YX", (1, 0)), ("YZ", (0, -1))])
def test_places_along_the_axis_of_what_is_turned_become_round_and_so_do_radii(plane, axis):
    lean = math.sqrt(0.5)
    exact = turned(plane, axis, [(-16, 5), (-16, 30), (-7, 30), (-1, 24), (16, 5)], (-7 + 6 * lean, 24 + 6 * lean))
    wider = 0.01 * (axis == (0, 1))  # the radii of other profiles have no names yet
    off = [(-15.999, 5), (-15.999, 30 + wider), (-6.993, 30 + wider), (-0.993, 24 + wider), (16.001, 5)]
    rough = turned(plane, axis, off, (-6.993 + 6 * lean, 24 + wider + 6 * lean))
    simple, snaps = snapped(rough, 0.012, anything)
    assert write(rounded(simple, 6)) == write(rounded(exact, 6))
    assert snaps


def test_a_quarter_of_a_circle_stays_one_when_its_ends_become_round():
    start, end = 40.03 + 9.96j, 29.98 + 20.02j
    middle = (start + end) / 2 - 1j * (end - start) * math.tan(math.pi / 8) / 2
    quarter = f"segment((40.03,9.96)).arc(({middle.real},{middle.imag}),(29.98,20.02))"
    outline = f"segment((-40.02,-20.03),(40.03,-20.03)).{quarter}.segment((-40.02,20.02)).close().assemble()"
    simple, _ = snapped(parse(HEAD + f"r=w0.sketch().{outline}.finalize().extrude(8)"), 0.05, anything)
    begin, arc = simple.steps[0].solid.sketch.steps[0].shape.sides[2]
    *center, radius = circle_through(begin, arc.middle, arc.end)
    assert radius == pytest.approx(10, abs=1e-6)
    assert center == pytest.approx([arc.end[0], begin[1]], abs=1e-6)


@pytest.mark.parametrize("axis", ["(0,0),(0,1)", "(0,0),(1,0)", "(-3,1),(-3,5)", "(-3,0),(3,-1)"])
def test_the_box_of_what_is_turned_is_that_of_its_solid(axis):
    text = f"r=w0.sketch().push([(4,30)]).rect(5,40).finalize().revolve(360,{axis})"
    program = parse(HEAD + text)
    box, solid = box_of(program.steps[0].solid), np.reshape(build(program).bounding_box(), (2, 3))
    assert box == pytest.approx(solid, abs=0.1)


def test_what_is_turned_goes_onto_the_faces_of_the_mesh_and_keeps_its_axis():
    text = "r=w0.sketch().push([({x},0.01)]).rect(10,{height}).finalize().revolve(360,(0,0),(0,1))"
    exact, rough = (parse(HEAD.replace("XY", "XZ") + text.format(x=x, height=h)) for x, h in ((20, 30), (20.1, 30.2)))
    moved = onto_faces(rough, face_places(*mesh_of(build(exact))))
    assert box_of(moved.steps[0].solid)[:, 2] == pytest.approx(box_of(exact.steps[0].solid)[:, 2], abs=1e-5)
    assert box_of(moved.steps[0].solid)[:, :2] == pytest.approx(box_of(rough.steps[0].solid)[:, :2], abs=1e-9)


def test_a_shaft_of_a_closed_mesh_gets_its_radius_although_facets_of_a_wider_one_are_nearer():
    """Facets of a program lie further within its circles than those of the mesh."""
    head = "import cadquery as cq\nw0=cq.Workplane('XZ',origin=(0,0,0))\n"
    text = head + "r=w0.sketch().segment((0,-100),({r},-100)).segment(({r},100)).segment((0,100)).close().assemble()"
    text += ".finalize().revolve(360,(0,0),(0,1))"
    config = ReconstructConfig(align=False, clean="off")

    def given_of(radius):
        vertices, faces = mesh_of(build(parse(text.format(r=radius)), 0.01))
        return Given.of(Cloud.of_mesh(vertices, faces, n_surface=500, seed=0), config)

    given, other = given_of(30), given_of(30.03)
    wide, round_number = given.yardstick.measured(build_text(text.format(r=30.03))), build_text(text.format(r=30))
    (simple,) = _with_simple_numbers([wide], given, config, lambda: False, -math.inf)
    assert simple.text == round_number.text
    assert not other.yardstick.keeps(round_number, other.yardstick.measured(wide), other.yardstick.resolution)
