"""Pictures and the 3D view: what a browser gets is the part, in its own numbers, with what is known of its faces."""

import base64

import numpy as np
import pytest

from cadrecode import pictures
from cadrecode.part import Part
from cadrecode.part_faces import face_groups, moved_faces
from cadrecode.program import build, mesh_of, parse
from cadrecode.ui.viewer import component
from cadrecode.ui.viewer.scene import MOST_POINTS, scene
from cadrecode.ui.words.text import Words

BOX = "import cadquery as cq\nr=cq.Workplane('XY').box(40,20,10)"
DRILLED = BOX + ".faces('>Z').workplane().hole(6)"


@pytest.fixture
def box():
    return mesh_of(build(parse(BOX)))


def unpacked(text, kind, columns=3):
    return np.frombuffer(base64.b64decode(text), kind).reshape(-1, columns)


@pytest.mark.parametrize("shift", [0.0, 5e3, -1e6])
def test_the_view_gets_the_mesh_where_it_is(box, shift):
    vertices, faces = box[0] + shift, box[1]
    shown = scene("box", (vertices, faces), vertices, np.zeros(8), unit="mm", tolerance=0.5)
    np.testing.assert_allclose(shown["size"], (40, 20, 10))
    for key in ("vertices", "points"):
        np.testing.assert_allclose(unpacked(shown[key], np.float32) + shown["center"], vertices, atol=1e-5)
    np.testing.assert_array_equal(unpacked(shown["faces"], np.uint32), faces)
    assert len(unpacked(shown["edges"], np.uint32, 2)) == 12
    assert len(unpacked(shown["signed"], np.float32, 1)) == 8


def test_metres_are_shown_as_millimetres(box):
    shown = scene("box", box, None, unit="m", tolerance=0.1)
    assert (shown["unit"], shown["factor"]) == ("mm", 1000)
    assert "points" not in shown


def test_at_most_so_many_points_are_sent():
    points = np.random.default_rng(0).normal(size=(50_000, 3))
    assert len(unpacked(scene("cloud", None, points, unit="mm", tolerance=1)["points"], np.float32)) == MOST_POINTS


def test_a_box_has_twelve_edges_and_a_cylinder_only_its_rims(box):
    assert len(pictures.sharp_edges(*box)) == 12
    tube = mesh_of(build(parse("import cadquery as cq\nr=cq.Workplane('XY').cylinder(10,8)")))
    assert np.allclose(np.abs(tube[0][pictures.sharp_edges(*tube)][:, :, 2]), 5)  # none along the wall


def test_faces_are_those_that_a_person_sees():
    vertices, faces = mesh_of(build(parse(DRILLED)))
    groups = face_groups(vertices, faces)
    assert groups.max() + 1 == 7  # six sides, and the wall of the hole
    wall = [group for group in range(7) if np.ptp(vertices[faces[groups == group]].reshape(-1, 3), axis=0).max() == 10]
    assert len(wall) == 1


def test_each_number_moves_its_own_faces():
    part = Part.of_program(DRILLED)
    groups = face_groups(part.vertices, part.faces)
    numbers = [number for number in part.numbers if number.is_length]
    moved = moved_faces(part, groups, numbers)
    names = {frozenset(numbers[i].name for i in indices) for indices in moved}
    assert frozenset({"hole 1 diameter"}) in names
    middles = {group: part.vertices[part.faces[groups == group]].mean(axis=(0, 1)) for group in range(len(moved))}
    ends = [group for group, middle in middles.items() if abs(middle[0]) > 19]
    assert [[numbers[i].name for i in moved[group]] for group in ends] == [["block width"], ["block width"]]


def test_what_the_script_looks_for_is_in_its_markup():
    for language in ("en", "zh"):
        markup = component.view(Words(language)).html_template
        for part in ("stage", "tip", "lines", "spots", "cut", "knob", "legend", "measured"):
            assert f"cr-{part}" in markup
        assert not {"`", "${", "{{"} & {markup[i : i + n] for n in (1, 2) for i in range(len(markup))}  # Gradio's own


def test_small_pictures_show_something_in_the_middle(box):
    part = np.asarray(pictures.small_picture(box, pixels=80))[..., 3]
    cloud = np.asarray(pictures.small_picture(None, box[0], pixels=80))[..., 3]
    assert part.shape == (80, 80)
    assert part[40, 40] == 255
    assert part[0, 0] == 0  # what is behind it shows
    assert cloud.max() > 250
