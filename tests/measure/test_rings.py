"""What repeats around a circle is written once, with its count."""

import numpy as np
import pytest

from cadrecode.frames import Frame
from cadrecode.measure import from_mesh
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.solid import from_mesh as solid_from_mesh

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\nr="
GEAR = HEAD + "w0.circle(40).circle(9).extrude(12).cut(w0.polarArray(40,7,360,17).rect(13,7).extrude(12))"
TRAPEZES = (
    "w0.sketch().circle(40).parray(40,0,360,12)"
    ".face(cq.Sketch().segment((-1,-4),(7,-2)).segment((7,2)).segment((-1,4)).close().assemble()).finalize().extrude(9)"
)
KNOB = HEAD + "w0.circle(40).circle(9).extrude(12).cut(w0.polarArray(42,0,360,11).circle(6).extrude(12))"
CASES = [(GEAR, 17, "rect("), (HEAD + TRAPEZES, 12, "face("), (KNOB, 11, "circle(")]


def read(text):
    vertices, faces = mesh_of(build(parse(text)))
    vertices = Frame.of(vertices).to_code(vertices)
    best = from_mesh(vertices, faces, seconds=10)[0].program
    return best, solid_from_mesh(vertices, faces)


@pytest.mark.parametrize(("text", "count", "shape"), CASES)
def test_teeth_and_notches_are_a_ring_of_one(text, count, shape):
    program, truth = read(text)
    written = write(program)
    assert iou(build(program), truth) > 0.995
    after = written[written.index("parray(") :]
    assert f",360,{count})" in after, written
    assert shape in after
    assert len(written) < 420


def test_a_rim_with_one_tooth_less_is_no_ring():
    missing = HEAD + "w0.circle(40).extrude(12).cut(w0.polarArray(40,0,300,11).rect(13,7).extrude(12))"
    program, truth = read(missing)
    assert iou(build(program), truth) > 0.99


def test_an_outline_off_the_middle_keeps_its_place():
    program, truth = read(GEAR.replace("w0.circle(40)", "w0.rect(120,20).extrude(3).union(w0.circle(40)", 1) + ")")
    assert np.isfinite(truth.volume())
    assert iou(build(program), truth) > 0.98
