"""A short text cannot ask for more than the app can give."""

import time

import numpy as np
import pytest

from cadrecode.errors import ProgramError
from cadrecode.program import budget, parse
from cadrecode.program.layout import laid_out
from cadrecode.program.solid import build

HEAD = "import cadquery as cq\n"
BOX = "cq.Workplane('XY').box(10,20,30)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"r={BOX}\n" + "r=r.mirror('XY',(0,0,1),union=True)\n" * 60, "pieces"),
        ("a=[1]\nb=[1]\n" + "a=[a,a]\nb=[b,b]\n" * 40 + f"c=a==b\nr={BOX}", "lists within"),
        ("r=cq.Workplane().rarray(1,1,1000,1000).box(1,1,1)", "places"),
        ("r=cq.Workplane().placeSketch(cq.Sketch().rarray(1,1,1000,1000).circle(1)).extrude(1)", "places"),
        (f"r=cq.Workplane().box({'9' * 4000},1,1)", "too large"),
        (f"a=-{'9' * 4000}\nr={BOX}", "too large"),
        (f"v=('ab',)\n{'v=v.add(v)' + chr(10)}r={BOX}", "vector holds numbers"),
        (f"v=([0]*1000,).multiply(1000)\nr={BOX}", "vector holds numbers"),
        (f"r={BOX}" + ".edges('|Z and |Z')" * 25 + ".fillet(1)", "no selector"),
    ],
)
def test_what_doubles_or_is_huge_is_refused_while_it_is_read(text, words):
    with pytest.raises(ProgramError, match=words):
        parse(HEAD + text)


def test_rounding_far_beyond_the_point_ends():
    text = "x=round(12345,-999999999)+10\nr=cq.Workplane().box(x,20,30)"
    assert parse(HEAD + text) == parse(HEAD + f"r={BOX}")


def test_selectors_of_selectors_do_not_multiply_the_text_that_is_handed_over():
    from cadrecode.handover import hand_over

    text = HEAD + f"r={BOX}" + ".faces('>Z or >Z or >Z')" * 8 + ".shell(-1)"
    assert len(hand_over(parse(text), "build123d")) < 20_000  # 3^8 times the name of the body without


def test_a_body_that_stands_in_a_program_many_times_is_built_once(monkeypatch):
    from cadrecode.program import solid

    built, real = [], solid.build_solid
    monkeypatch.setattr(solid, "build_solid", lambda *given: built.append(given) or real(*given))
    text = HEAD + f"r={BOX}.union(cq.Workplane().sphere(3))\n" + "r=r.union(r)\n" * 8
    assert build(parse(text)).volume() == pytest.approx(6000)
    assert len(built) < 20  # 512 without


def test_more_triangles_than_a_part_needs_are_refused():
    grid = [(8 * x, 8 * y) for x in range(30) for y in range(30)]
    with pytest.raises(ProgramError, match="triangles"):
        build(parse(HEAD + f"r=cq.Workplane().pushPoints({grid}).sphere(3)"))


def test_the_budget_is_the_time_of_this_thread_and_the_outer_one_holds(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "thread_time", lambda: clock[0])
    monkeypatch.setattr(budget, "BETWEEN_LOOKS", 0)
    budget.check()  # without a budget nothing is refused
    with pytest.raises(ProgramError, match="too long"), budget.limited(2), budget.limited(100):  # noqa: PT012
        budget.check()
        clock[0] = 3.0
        budget.check()
    budget.check()


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), OverflowError("x"), np.linalg.LinAlgError("x")])
def test_what_cannot_be_computed_has_words(error):
    with pytest.raises(ProgramError), budget.limited():
        raise error


@pytest.mark.parametrize("text", ["r=" + "-" * 90_000 + "1", "r=" + "not " * 20_000 + "1", "r=a" + ".b()" * 1500])
def test_laying_out_what_is_nested_too_deeply_leaves_it(text):
    assert laid_out(text) == text
