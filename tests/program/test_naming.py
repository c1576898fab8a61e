"""Numbers by what they are, as a person would call them."""

import numpy as np
import pytest

from cadrecode.invent import machined
from cadrecode.invent.draw import invent
from cadrecode.program import build, parse, write
from cadrecode.program.edit import parameters, set_parameters

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-4))\nw1=cq.Workplane('XY',origin=(0,0,4))\n"
PLATE = "w0.sketch().rect(80,40).push([(24,0)]).circle(8,mode='s').finalize().extrude(8)"
SLOT = "segment((-5,-2),(5,-2)).arc((7,0),(5,2)).segment((-5,2)).arc((-7,0),(-5,-2)).assemble("


def values(body):
    return {number.name: number.value for number in parameters(parse(HEAD + f"r={body}"))}


@pytest.mark.parametrize(
    ("body", "sizes"),
    [
        (PLATE, {"plate width": 80, "plate length": 40, "plate thickness": 8, "hole 1 diameter": 16}),
        ("w0.workplane(offset=8/2).box(60,40,8)", {"plate width": 60, "plate length": 40, "plate thickness": 8}),
        ("w0.workplane(offset=-50/2).box(60,40,50)", {"block width": 60, "block length": 40, "block height": 50}),
        ("w0.sketch().circle(30).finalize().extrude(5)", {"disk diameter": 60, "disk thickness": 5}),
        ("w0.sketch().circle(3).finalize().extrude(-50)", {"cylinder diameter": 6, "cylinder height": 50}),
        ("w0.sketch().circle(3).finalize().extrude(25,both=True)", {"cylinder diameter": 6, "cylinder height": 50}),
        ("w0.workplane(offset=0).sphere(4)", {"sphere diameter": 8}),
        (
            f"{PLATE}.union(w1.sketch().circle(6).circle(2,mode='s').finalize().extrude(10))",
            {"boss diameter": 12, "boss height": 10, "hole 2 diameter": 4},
        ),
        (
            f"{PLATE}.union(w1.workplane(offset=6/2).cylinder(6,5)).union(w1.workplane(offset=9/2).moveTo(20,0).box(4,4,9))",
            {"boss 1 diameter": 10, "boss 1 height": 6, "boss 2 width": 4, "boss 2 height": 9},
        ),
        (  # a flange, its hub first
            "w1.sketch().circle(22).finalize().extrude(16).union(w0.sketch().circle(42).finalize().extrude(8))",
            {"disk diameter": 84, "disk thickness": 8, "boss diameter": 44, "boss height": 16},
        ),
        (
            "w0.sketch().circle(6).finalize().extrude(8).union(w1.sketch().circle(9).finalize().extrude(20))"
            ".union(w1.workplane(offset=25).cylinder(10,4))",
            {"section 1 diameter": 12, "section 2 diameter": 18, "section 2 length": 20, "section 3 length": 10},
        ),
        (f"{PLATE}.cut(w1.sketch().circle(3).finalize().extrude(-5))", {"hole 2 diameter": 6, "hole 2 depth": 5}),
        (f"{PLATE}.cut(w1.workplane(offset=-8/2).cylinder(8,3))", {"hole 2 diameter": 6}),
        (
            f"{PLATE}.cut(w1.sketch().rect(6,9).finalize().extrude(-3))",
            {"pocket 1 width": 6, "pocket 1 length": 9, "pocket 1 depth": 3},
        ),
        (f"{PLATE}.cut(w1.sketch().rect(6,9).finalize().extrude(-9))", {"window 1 width": 6}),
        (f"{PLATE}.cut(w1.sketch().push([(40,0)]).rect(6,50).finalize().extrude(-2))", {"step 1 depth": 2}),
        (f"w0.sketch().rect(80,40).{SLOT}mode='s').finalize().extrude(8)", {"slot 1 width": 4, "slot 1 length": 14}),
        (f"{PLATE}.cut(w0.sketch().{SLOT}).finalize().extrude(8))", {"slot 1 width": 4, "slot 1 length": 14}),
        (
            "w0.sketch().circle(40).push([(30,0),(0,30),(-30,0),(0,-30)]).circle(3,mode='s').finalize().extrude(8)",
            {"disk diameter": 80, "hole 1 diameter": 6, "pitch circle diameter": 60},
        ),
        (
            "w0.sketch().rect(90,90).push([(30,30),(-30,30),(-30,-30),(30,-30)]).circle(3,mode='s').finalize().extrude(8)",
            {"hole 1 diameter": 6, "hole 1 spacing x": 60, "hole 1 spacing y": 60},
        ),
        (
            "w0.workplane(offset=8/2).box(60,40,8).edges('|Z').fillet(2).faces('<Z').shell(-1)",
            {"plate thickness": 8, "fillet radius": 2, "shell thickness": 1},
        ),
        (
            "w0.workplane(offset=8/2).box(60,40,8).copyWorkplane(w1).polarArray(15,0,360,5).cboreHole(3,5,2)",
            {"hole 1 diameter": 3, "pitch circle diameter": 30, "hole 1 counterbore depth": 2},
        ),
        (
            "w0.sketch().segment((2,0),(10,0)).segment((10,25)).segment((6,25)).segment((6,60)).segment((2,60)).close()"
            ".assemble().finalize().revolve(360,(0,0),(0,1))",
            {
                "shaft diameter": 20,
                "shaft shoulder 1 diameter": 12,
                "shaft bore diameter": 4,
                "shaft length": 60,
                "shaft face 1 offset": 25,
            },
        ),
        (
            "w0.box(40,40,40).cut(w0.sketch().segment((12,-2),(30,-2)).segment((30,2)).segment((12,2)).close().assemble()"
            ".finalize().revolve(360,(0,0),(0,1)))",
            {"hollow diameter": 60, "hollow shoulder 1 diameter": 24, "hollow length": 4},
        ),
        ("w0.sketch().push([(9,0)]).rect(2,30).finalize().revolve(90,(0,0),(0,1))", {"revolution angle": 90}),
    ],
)
def test_a_number_is_named_by_what_it_is(body, sizes):
    named = values(body)
    assert {name: named.get(name) for name in sizes} == pytest.approx(sizes)


def test_the_most_telling_numbers_come_first_and_a_through_cut_has_no_depth_to_tell():
    body = f"{PLATE}.edges('|Z').fillet(2).union(w1.sketch().circle(6).finalize().extrude(10))"
    cut = f"{body}.cut(w0.sketch().push([(-24,0)]).circle(3).finalize().extrude(8))"
    names = [number.name for number in parameters(parse(HEAD + f"r={cut}")) if number.is_length]
    assert names[0] == "plate width"
    assert names.index("hole 2 diameter") < names.index("fillet radius") < names.index("hole 2 depth")


def test_what_stands_on_a_face_follows_it():
    body = (
        f"{PLATE}.union(w1.sketch().circle(6).finalize().extrude(10))"
        ".cut(w0.sketch().push([(-24,0)]).circle(3).finalize().extrude(8))"
        ".cut(w1.sketch().push([(-10,10)]).circle(3).finalize().extrude(-2))"
    )
    program = parse(HEAD + f"r={body}")
    thick = set_parameters(program, {"plate thickness": 20})
    grown = 12 * (80 * 40 - np.pi * (64 + 9))
    assert build(thick).volume() - build(program).volume() == pytest.approx(grown, rel=0.01)
    assert len(build(thick).decompose()) == 1


FACES = [
    ("box(60,35,{})", ".faces('>Z').workplane().hole(10)"),
    ("box(60,35,{})", ".faces('<Z').workplane().cboreHole(5,8,2)"),
    ("box(60,35,{})", ".faces('>Z').workplane().circle(5).extrude(10)"),
    ("box(60,35,{})", ".faces('>Z').workplane().circle(5).cutBlind(-3)"),
    ("box(60,35,{})", ".faces('>Z').workplane().circle(5).extrude(10).faces('>Z').workplane().hole(3,4)"),
    (  # after a finish, the boss is joined to a body of its own
        "box(60,35,{})",
        ".edges('|Z').fillet(3).faces('>Z').workplane().hole(5).faces('<Z').workplane().moveTo(15,0).circle(8).extrude(4)",
    ),
    ("box(60,35,{})", ".union(cq.Workplane('XY',origin=(0,0,{}/2)).circle(6).extrude(5).faces('>Z').chamfer(1))"),
    ("rect(60,35).extrude({}/2,both=True)", ".faces('>Z').workplane().circle(5).extrude(10)"),
    ("cylinder({},30)", ".faces('<Z').workplane().circle(5).extrude(10)"),
    ("box({},35,20)", ".faces('>X').workplane().hole(5,8)"),
    ("box(35,{},20,centered=(True,True,False))", ".faces('<Y').workplane().center(0,10).rect(9,6).extrude(8)"),
    ("rect({},35).extrude(20)", ".faces('<X').workplane(centerOption='CenterOfBoundBox').circle(5).cutBlind(-3)"),
    (
        "polyline([(0,0),({0},0),({0},35),(0,35)]).close().extrude(20)",
        ".faces('>X').workplane(centerOption='CenterOfBoundBox').circle(5).extrude(6)",
    ),
    ("box(20,20,{})", ".faces('>Z').workplane().circle(3).cutThruAll()"),
]


@pytest.mark.parametrize(("base", "feature"), FACES)
def test_what_stands_on_a_face_follows_it_as_if_its_script_had_the_other_number(base, feature, sandbox):
    text = f"import cadquery as cq\nr=cq.Workplane().{base}{feature}"
    program = parse(text.replace("{}", "40").replace("{0}", "40"))
    (name,) = [n.name for n in parameters(program) if n.value == 40 and n.is_length and "edge" not in n.name]
    for value in (25, 90):
        execution = sandbox.run(text.replace("{}", str(value)).replace("{0}", str(value)))
        changed = build(set_parameters(program, {name: value}))
        assert changed.volume() == pytest.approx(execution.volume, rel=2e-3)
        assert len(changed.decompose()) == 1


def test_corners_of_a_loop_in_line_move_together_and_arcs_keep_their_radius():
    outline = (
        "segment((0,0),(20,0)).segment((20,5)).segment((8,5)).arc((5.9,5.9),(5,8)).segment((5,20)).segment((0,20))"
    )
    program = parse(HEAD + f"r=w0.sketch().{outline}.close().assemble().finalize().extrude(40)")
    named = {number.name: number.value for number in parameters(program)}
    assert (named["body width"], named["body length"], named["body edge 1 x"]) == (20, 20, 5)
    wider = set_parameters(program, {"body edge 1 x": 6})
    assert "segment((9,5)).arc((6.9,5.9),(6,8))" in write(wider)


def test_every_number_of_many_programs_has_a_name_of_its_own_and_can_be_set():
    rng = np.random.default_rng(3)
    programs = [invent(rng) for _ in range(20)] + [machined.draw(rng) for _ in range(20)]
    for program in programs:
        numbers = parameters(program)
        assert len({number.name for number in numbers}) == len(numbers)
        assert all(number.value > 0 for number in numbers if number.is_length and not number.is_angle)
        for number in numbers[:4]:
            changed = set_parameters(program, {number.name: 1.01 * number.value})
            after = {number.name: number.value for number in parameters(changed, named_like=program)}
            assert after[number.name] == pytest.approx(1.01 * number.value)


def test_sizes_at_the_top_build_the_same_part():
    rng = np.random.default_rng(4)
    for program in [invent(rng) for _ in range(10)] + [machined.draw(rng) for _ in range(10)]:
        assert parse(write(program, names=True)) == parse(write(program))


def test_equal_slots_have_one_size_and_the_places_of_all():
    slot = "segment((-30,-15),(30,-15)).arc((45,0),(30,15)).segment((-30,15)).arc((-45,0),(-30,-15)).assemble()"
    sketch = f"w0.sketch().rect(200,100).push([(0,20),(0,-20)]).face(w0.sketch().{slot},mode='s')"
    named = {number.name: number.value for number in parameters(parse(HEAD + f"r={sketch}.finalize().extrude(10)"))}
    slots = {name: value for name, value in named.items() if name.startswith("slot 1")}
    assert slots == {
        f"slot 1 {what}": value for what, value in zip(("width", "length", "spacing", "x", "y"), (30, 90, 40, 0, 0))
    }
