"""The layout changes how a program reads, never what it says."""

import ast

import pytest

from cadrecode.program import parse
from cadrecode.program.layout import laid_out

LONG = (
    "import cadquery as cq\nw0=cq.Workplane('XY',origin=(-18,75,207.502))\nw1=cq.Workplane('XY',origin=(0,0,1e-05))\n"
    "r=w0.sketch().rect(54,63.996).push([(0.005,0)]).circle(11.229,mode='s').finalize().extrude(4.995)"
    ".cut(w1.sketch().push([(0.334,25.902)]).rect(13.18,4.141).finalize().extrude(7.56))"
    ".union(w1.workplane(offset=-15/2).moveTo(27.5,5).box(31,16,15))"
)


def test_a_long_program_gets_a_line_for_each_step_and_stays_the_same():
    shown = laid_out(LONG)
    assert ast.dump(ast.parse(shown)) == ast.dump(ast.parse(LONG))
    assert parse(shown) == parse(LONG)
    assert max(len(line) for line in shown.splitlines()) < 75
    assert "    w0.sketch()\n    .rect(54, 63.996)\n" in shown
    assert "    .cut(\n        w1.sketch()\n        .push([(0.334, 25.902)])\n" in shown


def test_it_is_at_rest_after_once():
    assert laid_out(laid_out(LONG)) == laid_out(LONG)


@pytest.mark.parametrize("text", ["r=(", "r=cq.Workplane('XY').box(1,2,3) # mine\n", "\0"])
def test_what_it_cannot_lay_out_without_loss_stays_as_it_is(text):
    assert laid_out(text) == text


def test_a_short_program_stays_on_its_line():
    assert laid_out("r=cq.Workplane('XY').box(1,2,3)") == "r = cq.Workplane('XY').box(1, 2, 3)\n"
