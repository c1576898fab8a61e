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


def values_of(program, **options):
    return {parameter.name: parameter.value for parameter in parameters(program, **options)}


def test_numbers_have_names_and_can_be_set():
    program = parse(TEXT)
    values = values_of(program)
    assert list(values)[:5] == [
        "plate width", "plate length", "plate thickness", "hole 1 diameter", "hole 1 spacing",
    ]  # fmt: skip
    assert (values["plate width"], values["hole 1 diameter"], values["hole 1 spacing"]) == (200, 24, 100)
    wider = set_parameters(program, {"hole 1 radius": 20, "plate thickness": 30, "hole 1 spacing": 90})
    assert values_of(wider) == values | {"hole 1 diameter": 40, "plate thickness": 30, "hole 1 spacing": 90}
    assert build(wider).volume() == pytest.approx(30 * (200 * 80 - 2 * np.pi * 400), rel=0.01)


def test_impossible_numbers_are_refused_by_name():
    program = parse(TEXT)
    with pytest.raises(ProgramError, match="no number 'hole 9 radius'"):
        set_parameters(program, {"hole 9 radius": 1})
    with pytest.raises(ProgramError, match="hole 1 diameter is -1"):
        set_parameters(program, {"hole 1 diameter": -1})


def test_a_part_that_changes_its_proportions_keeps_its_names():
    program = parse(TEXT)
    thick = set_parameters(program, {"plate thickness": 150})
    assert "block height" in values_of(thick)
    assert values_of(thick, named_like=program)["plate thickness"] == 150
    back = set_parameters(thick, {"plate thickness": 20}, named_like=program)
    assert back == program
