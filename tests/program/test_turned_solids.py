"""Revolutions, spheres and tapered extrusions: as OpenCASCADE builds them, and with their names."""

import math

import numpy as np
import pytest

from cadrecode.errors import ProgramError
from cadrecode.program import build, parse, write
from cadrecode.program.edit import parameters, set_parameters, transform
from cadrecode.program.solid import bounds

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(1,2,3))\n"
L_SHAPE = (
    "w0.sketch().segment((0,0),(20,0)).segment((20,5)).segment((5,5)).segment((5,20)).segment((0,20))"
    ".close().assemble()"
)
TAPERED_CIRCLE = "w0.sketch().push([(3,4)]).circle(10).finalize().extrude(-8,taper=20)"


@pytest.mark.parametrize(
    "body",
    [
        "w0.sketch().push([(5,0)]).rect(2,4).finalize().revolve(360,(0,0),(0,1))",
        "w0.sketch().push([(5,0)]).rect(2,4).finalize().revolve(90,(0,0),(0,1))",
        "w0.sketch().push([(-5,0)]).rect(2,4).finalize().revolve(90,(0,0),(0,1))",
        "w0.sketch().rect(20,10).circle(2,mode='s').finalize().revolve(100,(0,-20),(1,-19))",
        "w0.sketch().push([(1,0)]).rect(2,4).finalize().revolve(250,(0,5),(0,3))",
        "w0.workplane(offset=3).moveTo(1,2).sphere(5)",
        f"{L_SHAPE}.finalize().extrude(5,taper=10)",
        f"{L_SHAPE}.finalize().extrude(5,taper=-20)",
        f"{L_SHAPE}.finalize().extrude(5,both=True,taper=-10)",
        TAPERED_CIRCLE,
    ],
)
def test_it_is_what_opencascade_builds_and_reads_back_to_the_letter(body, sandbox):
    program = parse(HEAD + f"r={body}")
    assert write(program) == HEAD + f"r={body}"
    execution, solid = sandbox.run(HEAD + f"r={body}"), build(program)
    assert execution.valid
    assert solid.volume() == pytest.approx(execution.volume, rel=6e-3)
    size = np.ptp(np.reshape(execution.bounding_box, (2, 3)), axis=0).max()
    np.testing.assert_allclose(np.ravel(bounds(solid)), execution.bounding_box, atol=5e-3 * size)


def test_the_axis_may_be_left_out_as_in_cadquery():
    profile = "cq.Workplane('XY').sketch().push([(5,0)]).rect(2,4).finalize()"
    text = write(parse(f"r={profile}.revolve()"))
    assert text.endswith(".revolve(360,(0,0),(0,1))")
    assert write(parse(f"r={profile}.revolve(-90,(0,0,0),(0,1,0))")).endswith(".revolve(270,(0,0),(0,1))")


def test_a_taper_that_ends_in_a_ridge_is_built_of_layers():
    solid = build(parse("r=cq.Workplane('XY').sketch().rect(20,10).finalize().extrude(10,taper=45)"))
    assert solid.volume() == pytest.approx(5 * 10 * (2 * 20 + 10) / 6, rel=5e-3)  # a hipped roof, 5 high


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sketch().rect(20,10).circle(2,mode='s').finalize().extrude(5,taper=10)", "hole is tapered"),
        ("sketch().rect(20,10).finalize().revolve(90,(0,0),(0,1))", "crosses its axis"),
        ("sketch().rect(20,10).finalize().revolve(90,(1,1),(1,1))", "no direction"),
        ("sketch().rect(20,10).finalize().extrude(5,taper=90)", "taper is 90"),
        ("sketch().rect(20,10).revolve()", "not finalized"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(body, words):
    with pytest.raises(ProgramError, match=words):
        build(parse(f"r=cq.Workplane('XY').{body}"))


def test_angles_have_names_and_do_not_scale():
    program = parse(HEAD + f"r={TAPERED_CIRCLE}.union(w0.sketch().push([(5,0)]).rect(2,4).finalize().revolve(90))")
    values = {parameter.name: parameter for parameter in parameters(program)}
    assert values["disk taper"].value == 20
    assert values["revolution angle"].value == 90
    assert values["revolution angle"].maximum <= 360
    assert build(transform(program, 0.1)).volume() == pytest.approx(build(program).volume() / 1000)
    half = set_parameters(
        parse(HEAD + "r=w0.sketch().push([(5,0)]).circle(1).finalize().revolve(90)"), {"revolution angle": 180}
    )
    assert build(half).volume() == pytest.approx(math.pi * 5 * math.pi, rel=0.01)  # by Pappus
