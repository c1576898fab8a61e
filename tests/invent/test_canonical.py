"""Whatever way a shape is written, it comes out in the one spelling that `invent` uses."""

import numpy as np
import pytest

from cadrecode.invent.canonical import canonical, turned
from cadrecode.invent.draw import invent
from cadrecode.invent.turn import Turn
from cadrecode.program import build, iou, parse, write
from cadrecode.program.solid import bounds

XY, ZX = "w0=cq.Workplane('XY',origin=(0,0,{}))\n", "w0=cq.Workplane('ZX',origin=(0,{},0))\n"
PLATE = XY.format(-10) + "r=w0.workplane(offset=20/2).box(200,100,20)"
DISC = XY.format(-10) + "r=w0.workplane(offset=20/2).cylinder(20,100)"
HOLED = XY.format(-10) + "r=w0.sketch().rect(200,100).push([(-60,0),(60,0)]).circle(20,mode='s').finalize().extrude(20)"
SLOT = (
    XY.format(-10)
    + "r=w0.sketch().segment((-60,-40),(60,-40)).arc((100,0),(60,40)).segment((-60,40)).arc((-100,0),(-60,-40))"
    ".assemble().finalize().extrude(20)"
)
STACK = (
    XY.format(-100)
    + "w1=cq.Workplane('XY',origin=(0,0,-50))\nr=w0.workplane(offset=50/2).cylinder(50,80)"
    + ".union(w1.workplane(offset=150/2).cylinder(150,30))"
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (XY.format(10) + "r=w0.sketch().push([(0,0)]).rect(200,100).finalize().extrude(-20)", PLATE),
        (XY.format(0) + "r=w0.sketch().rect(200,100).finalize().extrude(10,both=True)", PLATE),
        (
            XY.format(-10) + "r=w0.sketch().segment((100,50),(-100,50)).segment((-100,-50)).segment((0,-50))"
            ".segment((100,-50)).close().assemble().finalize().extrude(20)",
            PLATE,
        ),
        (ZX.format(-50) + "r=w0.sketch().rect(20,200).finalize().extrude(100)", PLATE),
        (XY.format(-10) + "r=w0.sketch().circle(100).finalize().extrude(20)", DISC),
        (
            XY.format(-10) + "r=w0.sketch().arc((0,100),(-100,0),(0,-100)).arc((71,-71),(100,0)).arc((71,71),(0,100))"
            ".assemble().finalize().extrude(20)",
            DISC,
        ),
        (  # the hole is drilled, and the disc in the ring fills it again
            XY.format(-10) + "r=w0.sketch().circle(100).circle(30,mode='s').finalize().extrude(20)"
            ".union(w0.sketch().circle(30).finalize().extrude(20))",
            DISC,
        ),
        (
            XY.format(-10) + "r=w0.sketch().rect(200,100).finalize().extrude(20)"
            ".cut(w0.sketch().push([(60,0)]).circle(20).push([(-60,0)]).circle(20).finalize().extrude(500))",
            HOLED,
        ),
        (  # two faces that share an edge
            XY.format(-10) + "r=w0.sketch().push([(-50,0)]).rect(100,100).push([(50,0)]).rect(100,100)"
            ".push([(-60,0)]).circle(20,mode='s').push([(60,0)]).circle(20,mode='s').finalize().extrude(20)",
            HOLED,
        ),
        (
            XY.format(-10) + "r=w0.sketch().arc((60,-40),(88,-28),(100,0)).arc((88,28),(60,40)).segment((-60,40))"
            ".arc((-88,28),(-100,0)).arc((-88,-28),(-60,-40)).close().assemble().finalize().extrude(20)",
            SLOT,
        ),
        (  # one within the other, the smaller one first
            XY.format(100) + "w1=cq.Workplane('XY',origin=(0,0,-50))\nr=w0.sketch().circle(30).finalize().extrude(-200)"
            ".union(w1.sketch().circle(80).finalize().extrude(-50))",
            STACK,
        ),
        (  # of a long bar that is cut off again the rest stays
            XY.format(-10) + "r=w0.sketch().rect(200,100).finalize().extrude(140)"
            ".cut(w0.workplane(offset=90).box(200,100,140))",
            PLATE,
        ),
    ],
)
def test_one_shape_one_text(written, expected):
    expected = "import cadquery as cq\n" + expected
    assert write(canonical(parse(written))) == expected
    assert write(canonical(parse(expected))) == expected


def test_inventions_are_canonical_already():
    rng = np.random.default_rng(3)
    programs = [invent(rng, "brackets") for _ in range(8)] + [invent(rng) for _ in range(32)]
    assert sum(write(canonical(program)) == write(program) for program in programs) >= 34  # the others' solids overlap


@pytest.mark.parametrize(
    "text",
    [
        "w0=cq.Workplane(cq.Plane((0,0,0),(1,0,0),(0,0.6,0.8)))\nr=w0.sketch().circle(9).finalize().extrude(20)",
        "w0=cq.Workplane('XY')\nr=w0.box(9,9,9).intersect(w0.cylinder(9,5))",
        "w0=cq.Workplane('XY')\nr=w0.box(9.4,9.4,9.4)",  # whole numbers would be another shape
        "w0=cq.Workplane('XY')\nr=w0.box(9,9,9).rotate((0,0,0),(0,0,1),30).translate((0,0,0))",
    ],
)
def test_what_the_spelling_cannot_say_stays_as_it_is(text):
    program = parse(text)
    assert canonical(program) is program
    assert turned(program, Turn((1, 0, 2), (1, 1, -1))) is None or "9.4" in text


def test_heights_keep_their_steps_where_they_are_asked_for():
    drawn = "r=w0.sketch().rect(200,60.2).push([(0.3,0)]).circle(10.7,mode='s').finalize().extrude({})"
    part = parse(XY.format(1.7) + drawn.format(-3.4))
    sketch = "r=w0.sketch().rect(200,60).circle(11,mode='s')"
    fine = write(canonical(part, 10))
    assert fine == f"import cadquery as cq\n{XY.format(-1.7)}{sketch}.finalize().extrude(3.4)"
    assert canonical(part) is part  # as 4 high it would be another shape
    thicker = parse(XY.format(16.7) + drawn.format(-33.4))
    assert write(canonical(thicker)).endswith(f"{XY.format(-17)}{sketch}.finalize().extrude(34)")
    turn = Turn((2, 0, 1), (1, -1, 1))
    back = turned(turned(turned(parse(fine), turn, 10), turn, 10), turn, 10)
    assert write(back).endswith("extrude(3.4)")
    assert build(back).volume() == pytest.approx(build(parse(fine)).volume(), rel=1e-6)


def test_every_number_of_a_plain_box_or_cylinder_has_the_steps_of_heights():
    box = XY.format(-1.7) + "r=w0.workplane(offset=3.4/2).box(200,60.2,3.4)"
    rod = XY.format(-100) + "r=w0.workplane(offset=200/2).cylinder(200,4.7)"
    for text in (box, rod):
        assert write(canonical(parse(text), 10)).endswith(text)
    stacked = parse(
        XY.format(-1.7) + "w1=cq.Workplane('XY',origin=(0,0,1.7))\n"
        "r=w0.workplane(offset=3.4/2).box(200,60.2,3.4).union(w1.workplane(offset=30.1/2).cylinder(30.1,8.6))"
    )
    assert "box(200,60,3.4)" in write(canonical(stacked, 10))
    assert "cylinder(30.1,8.6)" in write(canonical(stacked, 10))


def test_what_stands_flush_with_a_height_is_rounded_alike():
    foot = "import cadquery as cq\n" + XY.format(-40) + "w1=cq.Workplane('ZX',origin=(0,-50,0))\n"
    text = (
        foot
        + "r=w0.workplane(offset=6.4/2).box(100,200,6.4).union(w1.workplane(offset=7/2).moveTo(3.2,0).box(73.6,100,7))"
    )
    solids = canonical(parse(text), 10).solids()
    assert {solid.plane.origin[2] for solid in solids if solid.plane.name == "XY"} == {-40}
    upright = next(solid for solid in solids if solid.plane.name == "ZX")
    assert upright.center[0] - upright.width / 2 == pytest.approx(-33.6)  # where the foot ends


def test_an_order_that_matters_is_kept():
    text = (
        "w0=cq.Workplane('XY',origin=(0,0,-10))\nr=w0.workplane(offset=20/2).box(200,200,20)"
        ".cut(w0.workplane(offset=20/2).cylinder(20,60)).union(w0.workplane(offset=20/2).cylinder(20,30))"
    )
    program = parse(text)
    again = canonical(program)
    assert iou(build(program), build(again)) > 0.995
    assert len(again.steps) == 2  # a plate with a hole, and what stands in it
    assert write(again).count("mode='s'") == 1


def test_a_turned_program_is_the_turned_part_in_canonical_spelling():
    rng = np.random.default_rng(0)
    for _ in range(12):
        program, turn = invent(rng, "brackets"), Turn.draw(rng)
        after = turned(program, turn)
        low, high = bounds(build(after))
        expected = turn.points(np.stack(bounds(build(program))))
        assert np.allclose((low, high), (expected.min(axis=0), expected.max(axis=0)), atol=1)
        assert write(canonical(after)) == write(after)
