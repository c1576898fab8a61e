import numpy as np
import pytest

from cadrecode.errors import ProgramError
from cadrecode.frames import Frame
from cadrecode.invent.draw import invent
from cadrecode.program import build, parse
from cadrecode.program.edit import parameters, set_parameters, to_raw, transform
from cadrecode.program.solid import bounds

TEXT = (
    "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-10))\n"
    "r=w0.sketch().rect(200,80).push([(-50,0),(50,0)]).circle(12,mode='s').finalize().extrude(20)"
)


def test_to_raw_puts_the_part_where_the_cloud_was():
    frame = Frame((12.5, -3.0, 40.0), 21.0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        program = invent(rng)
        low, high = bounds(build(program))
        raw_low, raw_high = bounds(build(to_raw(program, frame)))
        np.testing.assert_allclose(raw_low, frame.code_to_raw(low), atol=2e-2)
        np.testing.assert_allclose(raw_high, frame.code_to_raw(high), atol=2e-2)


def test_volume_scales_with_the_third_power():
    program = parse(TEXT)
    assert build(transform(program, 0.1, (5, 6, 7))).volume() == pytest.approx(build(program).volume() / 1000)
    with pytest.raises(ProgramError, match="scale"):
        transform(program, 0)


def test_numbers_have_names_and_can_be_set():
    program = parse(TEXT)
    values = {parameter.name: parameter.value for parameter in parameters(program)}
    assert values["rectangle 1 width"] == 200
    assert values["hole 1 radius"] == 12
    assert values["hole 1 place 2 x"] == 50
    wider = set_parameters(program, {"hole 1 radius": 20, "extrusion 1 depth": 40})
    assert build(wider).volume() < 2 * build(program).volume()
    assert {p.name: p.value for p in parameters(wider)} == values | {"hole 1 radius": 20, "extrusion 1 depth": 40}


def test_impossible_numbers_are_refused_by_name():
    program = parse(TEXT)
    with pytest.raises(ProgramError, match="no number 'hole 9 radius'"):
        set_parameters(program, {"hole 9 radius": 1})
    with pytest.raises(ProgramError, match="hole 1 radius is -1"):
        set_parameters(program, {"hole 1 radius": -1})
