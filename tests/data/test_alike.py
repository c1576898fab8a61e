"""Programs of one family have one spelling, and numbers that a model can learn."""

import numpy as np
import pytest
from manifold3d import Manifold

from cadrecode.data import digits
from cadrecode.data.alike import alike
from cadrecode.data.digits import with_few_digits
from cadrecode.invent.recount import recounted
from cadrecode.program import build, iou, parse, write
from cadrecode.program import language as cad
from cadrecode.program.solid import bounds, shells

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-20))\n"
PLATE, FINS = "w0.sketch().rect(200,120).finalize().extrude(10)", "rect(6,120).finalize().extrude(40)"
TOP = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-10))\nw1=cq.Workplane('XY',origin=(0,0,20))\n"


def spelled(text: str) -> str:
    return write(alike(parse(text)))


def test_order_direction_and_idle_spacing_do_not_show():
    expected = f"{HEAD}r={PLATE}.union(w0.sketch().rarray(15,1,13,1).{FINS})"
    assert spelled(f"{HEAD}r={PLATE}.union(w0.sketch().rarray(15,15,13,1).{FINS})") == expected
    assert spelled(f"{HEAD}r=w0.sketch().rarray(15,14.5,13,1).{FINS}.union({PLATE})") == expected
    pulled_down = "w0.sketch().rect(200,120).finalize().extrude(-10)"
    fins_down = "w1.sketch().rarray(15,15,13,1).rect(6,120).finalize().extrude(-40)"
    assert spelled(f"{TOP}r={fins_down}.union({pulled_down})") == expected
    both = "w1.sketch().rect(200,120).finalize().extrude(5,both=True)"
    origin = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-20))\nw1=cq.Workplane('XY',origin=(0,0,-15))\n"
    assert spelled(f"{origin}r=w0.sketch().rarray(15,15,13,1).{FINS}.union({both})") == expected


def test_what_stands_on_a_plate_begins_where_the_plate_does():
    low = f"{HEAD}r={PLATE}.union(w0.sketch().rarray(15,1,13,1).{FINS})"
    text = HEAD + "w1=cq.Workplane('XY',origin=(0,0,-10))\n"
    short = "rect(6,120).finalize().extrude(30)"
    assert spelled(f"{text}r={PLATE}.union(w1.sketch().rarray(15,1,13,1).{short})") == low
    beside = f"{text}r={PLATE}.union(w1.sketch().push([(110,0)]).rect(40,120).finalize().extrude(30))"
    assert "(0,0,-10)" in spelled(beside), "it overhangs"


@pytest.mark.parametrize(
    "steps",
    [
        f"{PLATE}.cut(w0.circle(30).extrude(50)).union(w0.circle(20).extrude(50))",
        f"{PLATE}.union(w0.circle(30).extrude(50)).cut(w0.circle(10).extrude(50)).intersect(w0.rect(90,90).extrude(30))",
    ],
    ids=["a boss in a hole", "an intersection"],
)
def test_an_order_that_matters_stays(steps):
    program = parse(f"{HEAD}r={steps}")
    assert iou(build(alike(program)), build(program)) > 0.9999


def test_a_cut_elsewhere_comes_after_all_additions():
    text = spelled(f"{HEAD}r={PLATE}.cut(w0.moveTo(-80,0).circle(9).extrude(50)).union(w0.moveTo(50,0).box(20,20,30))")
    assert text.index(".union(") < text.index(".cut(")


def test_equal_numbers_are_rounded_alike_and_planes_too():
    text = f"import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-32.93))\nr={PLATE}"
    text = text.replace("120", "119.98") + ".union(w0.sketch().rarray(12.96,1,14,1).rect(7.59,119.98).finalize()"
    rounded = write(with_few_digits(parse(text + ".extrude(65.86))")))
    assert "(0,0,-33)" in rounded
    assert ".extrude(66)" in rounded
    assert "rect(200,120)" in rounded
    assert "12.96" in rounded


def test_a_pin_thinner_than_half_a_unit_is_not_rounded_away():
    text = f"{HEAD}r={PLATE}.union(w0.circle(0.44).extrude(40))"
    assert "circle(0.4)" in write(with_few_digits(parse(text)))
    assert "circle(0.4)" in write(with_few_digits(parse(text), like=parse(text.replace("0.44", "2"))))


def test_a_copy_has_the_digits_of_its_original_and_more_where_its_part_needs_them(monkeypatch):
    tried = []

    def counted(program: cad.Program) -> Manifold:
        tried.append(program)
        return build(program)

    monkeypatch.setattr(digits, "build", counted)
    walls, floor = "rect(200,{0}).rect(190.5,{1},mode='s').finalize().extrude({2})", "rect(200,{0}).finalize()"
    box = f"w0.sketch().{walls}.union(w0.sketch().{floor}.extrude({{3}}))"
    original = parse(f"{HEAD}r={box.format(120, 110.5, 50, 5)}")
    like = with_few_digits(parse(f"{HEAD}r={box.format(133.1, 122.96, 47.08, 5.02)}"), like=original)
    assert write(like) == f"{HEAD}r={box.format(133, 123, 47, 5)}"
    assert len(tried) == 2
    thin = with_few_digits(parse(f"{HEAD}r={box.format(133.1, 122.96, 47.08, 1.4449)}"), like=original)
    assert write(thin) == f"{HEAD}r={box.format(133, 123, 47, 1.4)}"


def test_a_box_with_four_posts_has_copies_in_other_proportions():
    box = "w0.sketch().rect(200,120).rect(190,110,mode='s').finalize().extrude(50)"
    posts = "w0.sketch().rarray(170,90,2,2).circle(6).circle(2,mode='s').finalize().extrude(30)"
    program = parse(f"{HEAD}r={box}.union(w0.sketch().rect(200,120).finalize().extrude(5)).union({posts})")
    seen = set()
    for seed in range(8):
        changed = recounted(program, np.random.default_rng(seed))
        walls, floor, four = (step.solid for step in changed.steps)
        assert cad.count_of(four.sketch.steps[0].places) == 4
        assert walls.sketch.steps[0].shape == floor.sketch.steps[0].shape
        assert shells(build(changed)) == (1, 0)
        seen.add(round(floor.sketch.steps[0].shape.width / floor.sketch.steps[0].shape.height, 2))
    assert len(seen) >= 6


def test_copies_of_a_family_stay_in_it():
    fins = parse(f"{HEAD}r={PLATE}.union(w0.sketch().rarray(15,1,13,1).{FINS})")
    gear = parse(f"{HEAD}r=w0.sketch().circle(84).parray(90,0,360,24).rect(20,10).finalize().extrude(30)")
    lengths = set()
    for seed in range(8):
        plate, row = (step.solid for step in recounted(fins, np.random.default_rng(seed)).steps)
        assert row.sketch.steps[0].shape.height == pytest.approx(plate.sketch.steps[0].shape.height)
        low, high = bounds(build(recounted(gear, np.random.default_rng(seed))))
        assert high[0] == pytest.approx(-low[0], rel=0.1)
        assert high[0] == pytest.approx(high[1], rel=0.1)
        lengths.add(round(plate.sketch.steps[0].shape.height / plate.sketch.steps[0].shape.width, 3))
    assert len(lengths) == 8
