"""A part that stands askew: written in its own axes, placed as a whole."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cadrecode.errors import ProgramError
from cadrecode.frames import Frame
from cadrecode.invent.draw import invent
from cadrecode.program import build, mesh_of, parse, write
from cadrecode.program.edit import parameters, set_parameters, to_raw, transform
from cadrecode.program.language import Placement, Program
from cadrecode.program.solid import bounds, from_mesh, iou

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,0))\n"
BOX = "w0.workplane(offset=0/2).box(30,20,10)"
PLACED = HEAD + f"r={BOX}\nr=r.rotate((0,0,0),(0,0,1),30).translate((5,0,2))"
LARGE = 150.0  # RAW units in a MODEL unit: a part of 300 mm


def frame_of(seed: int, raw_per_model: float = LARGE) -> Frame:
    rotation = Rotation.random(random_state=seed).as_matrix()
    center = tuple(np.random.default_rng(seed).normal(size=3) * 400)
    return Frame(center, raw_per_model, tuple(map(tuple, rotation.tolist())))


def test_the_turn_stands_in_a_line_of_its_own_and_reads_back_the_same():
    program = parse(PLACED)
    assert program.placement == Placement((0, 0, 1), 30, (5, 0, 2))
    assert write(program) == PLACED
    low, high = bounds(build(program))
    np.testing.assert_allclose((low + high) / 2, (5, 0, 2), atol=1e-9)
    cos, sin = np.cos(np.radians(30)), np.sin(np.radians(30))
    np.testing.assert_allclose(high - low, (30 * cos + 20 * sin, 30 * sin + 20 * cos, 10))


@pytest.mark.parametrize(
    "body",
    [
        f"{BOX}.translate((1,2,3))",
        f"{BOX}.rotate((0,0,0),(1,2,3),-20)",
        f"{BOX}.translate((1,2,3)).rotate((0,0,0),(0,1,0),20).translate((1,0,0)).translate((0,0,1))",
        f"{BOX}.rotate((0,0,0),(0,0,1),45).union({BOX})",
        f"{BOX}.cut({BOX}.rotate((0,0,0),(0,0,1),45).translate((0,3,1)))",
        f"{BOX}.union({BOX}.union({BOX}.translate((0,0,9))).rotate((0,0,0),(1,0,0),90)).rotate((0,0,0),(1,1,0),9)",
    ],
)
def test_turns_and_moves_anywhere_mean_what_they_mean_in_cadquery(body, sandbox):
    program = parse(HEAD + f"r={body}")
    assert parse(write(program)) == program
    execution = sandbox.run(HEAD + f"r={body}")
    solid = build(program)
    assert solid.volume() == pytest.approx(execution.volume, rel=1e-6)
    np.testing.assert_allclose(np.ravel(bounds(solid)), execution.bounding_box, atol=1e-5)


def test_a_turn_about_an_axis_elsewhere_is_one_about_the_origin_and_a_move(sandbox):
    text = HEAD + f"r={BOX}.rotate((1,2,3),(1,2,9),90)"
    solid = build(parse(text))
    np.testing.assert_allclose(np.ravel(bounds(solid)), sandbox.run(text).bounding_box, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("rotate((0,0,0),(0,0,0),30)", "no direction"),
        ("rotate((0,0,0),(0,0,1))", "lacks its argument angleDegrees"),
        ("translate((0,0))", "3 numbers"),
        ("translate((0,0,1),2)", "fewer arguments"),
    ],
)
def test_what_is_no_placement_is_refused_in_words(call, words):
    with pytest.raises(ProgramError, match=words):
        parse(HEAD + f"r={BOX}.{call}")


def test_a_turned_program_stands_where_the_turned_cloud_stood():
    for seed in range(12):
        program, frame = invent(np.random.default_rng(seed)), frame_of(seed)
        vertices, _ = mesh_of(build(program))
        expected = frame.code_to_raw(vertices)
        text = write(to_raw(program, frame))
        turned, _ = mesh_of(build(parse(text)))
        assert len(turned) == len(vertices)
        np.testing.assert_allclose(turned.min(0), expected.min(0), atol=0.01)  # mm, of 300
        np.testing.assert_allclose(turned.max(0), expected.max(0), atol=0.01)


def test_opencascade_and_manifold_agree_on_turned_parts(sandbox):
    for seed in range(12):
        program, frame = invent(np.random.default_rng(seed)), frame_of(seed)
        upright = sandbox.run(write(to_raw(program, Frame((0, 0, 0), LARGE))))
        placed = to_raw(program, frame)
        turned, solid = sandbox.run(write(placed)), build(placed)
        assert turned.valid
        assert turned.solids == upright.solids == len(build(program).decompose())
        assert turned.volume == pytest.approx(upright.volume, rel=1e-6)
        assert solid.volume() == pytest.approx(turned.volume, rel=0.005)  # its circles are polygons
        np.testing.assert_allclose(np.ravel(bounds(solid)), turned.bounding_box, atol=0.003 * 2 * LARGE)


def test_its_numbers_are_those_of_the_part_itself():
    frame = Frame((0.123, -7.7, 1234.5), 15.0, frame_of(1).rotation)
    text = write(to_raw(parse(HEAD + "r=w0.workplane(offset=0/2).box(200,100,40)"), frame))
    assert "box(30,15,6)" in text
    assert "translate((0.123,-7.7,1234.5))" in text


def test_placed_programs_are_scaled_moved_and_edited_like_others():
    program = parse(PLACED)
    moved = transform(program, 2, (1, 1, 1))
    low, high = bounds(build(program))
    np.testing.assert_allclose(bounds(build(moved)), (low * 2 + 1, high * 2 + 1))
    wider = set_parameters(program, {"block width": 60})
    assert wider.placement == program.placement
    assert build(wider).volume() == pytest.approx(2 * build(program).volume())
    assert [p.name for p in parameters(program)] == [p.name for p in parameters(Program(program.steps))]


def test_a_program_that_turns_already_is_turned_as_a_whole():
    frame = frame_of(3, 100.0)
    program = parse(PLACED)
    vertices, faces = mesh_of(build(program))
    expected = from_mesh(frame.code_to_raw(vertices), faces)
    assert iou(build(parse(write(to_raw(program, frame)))), expected) > 0.9999


@pytest.mark.parametrize(
    ("placed", "end"),
    [
        (".rotate((0,0,0),(0,0,1),33).translate((0,0,0))", "r=r.rotate((0,0,0),(0,0,1),33)"),
        (".translate((0,0,0))", ".box(1,2,3)"),
        (".rotate((0,0,0),(0,0,1),33).translate((0,0,2))", "r=r.rotate((0,0,0),(0,0,1),33).translate((0,0,2))"),
    ],
)
def test_a_move_by_nothing_is_not_written(placed, end):
    program = parse("import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,0))\nr=w0.box(1,2,3)" + placed)
    assert write(program).endswith(end)
    assert iou(build(program), build(parse(write(program)))) > 0.999
