"""Holes, rounded edges, shells, arrays, mirrors: as OpenCASCADE builds them, with names, and written one way."""

import math

import pytest

from cadrecode.errors import ProgramError
from cadrecode.fit.knobs import knobs_of
from cadrecode.program import build, parse, write
from cadrecode.program.edit import parameters, set_parameters, transform

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,0))\nw1=cq.Workplane('XY',origin=(0,0,5))\n"
BOX = "w0.workplane(offset=0/2).box(20,12,10)"
CYLINDER = "w0.workplane(offset=0/2).cylinder(10,6)"
STEPPED = f"{BOX}.union(w1.workplane(offset=10/2).cylinder(10,3))"
L_SHAPE = (
    "w0.sketch().segment((0,0),(20,0)).segment((20,5)).segment((5,5)).segment((5,20)).segment((0,20)).close()"
    ".assemble()"
)
SLOT = "w0.sketch().segment((-10,-5),(10,-5)).arc((15,0),(10,5)).segment((-10,5)).arc((-15,0),(-10,-5)).assemble()"
FINISHED = [
    f"{BOX}.edges('|Z').fillet(1)",
    f"{BOX}.edges().fillet(1)",
    f"{BOX}.edges().chamfer(1)",
    f"{CYLINDER}.faces('>Z').edges().fillet(2)",
    f"{SLOT}.finalize().extrude(6).edges('>Z and |X').fillet(1)",
    f"{STEPPED}.edges().fillet(1)",
    f"{STEPPED}.edges('%CIRCLE').chamfer(1)",
    f"{L_SHAPE}.finalize().extrude(6).edges().fillet(1)",
    f"{L_SHAPE}.vertices('>Y').chamfer(2).reset().finalize().extrude(6)",
    f"{L_SHAPE}.vertices().fillet(2).reset().push([(2,2)]).circle(1,mode='s').finalize().extrude(6)",
    f"{BOX}.copyWorkplane(w1).pushPoints([(0,0),(6,2)]).hole(3).faces('>Z').edges().fillet(0.8)",
    f"{BOX}.copyWorkplane(w1).pushPoints([(0,0)]).cboreHole(3,5,2)",
    f"{BOX}.copyWorkplane(w1).pushPoints([(0,0)]).cskHole(3,5,82,6)",
    f"{BOX}.copyWorkplane(w1).polarArray(4,0,360,5).hole(2,4)",
    f"{BOX}.copyWorkplane(w1).rarray(4,3,3,2).hole(2)",
    f"{BOX}.shell(-1)",
    f"{BOX}.faces('>Z').shell(1)",
    f"{STEPPED}.faces('<Z').shell(-1)",
    f"{BOX}.edges('|Z').fillet(2).faces('>Z').shell(-1)",
    f"{L_SHAPE}.finalize().extrude(6).mirror('YZ',(0,0,0),union=True)",
    "w0.sketch().circle(20).parray(12,10,360,5).rect(6,2,mode='s').reset().rarray(3,4,2,2).circle(1,mode='s')"
    ".finalize().extrude(5)",
    f"{BOX}.edges('|Z').fillet(1).union(w1.workplane(offset=10/2).cylinder(10,4))",
]


@pytest.mark.parametrize("body", FINISHED)
def test_it_is_what_opencascade_builds_and_reads_back_to_the_letter(body, sandbox):
    program = parse(HEAD + f"r={body}")
    text = write(program)
    assert parse(text) == program
    assert text.splitlines()[-1] == f"r={body}"
    execution = sandbox.run(text)
    assert execution.valid
    assert build(program).volume() == pytest.approx(execution.volume, rel=4e-3)
    assert build(transform(program, 0.1, (3, 4, 5))).volume() == pytest.approx(execution.volume / 1000, rel=4e-3)


CUBE = "w0.workplane(offset=0/2).box(50,50,50)"
PLATE = "w0.workplane(offset=0/2).box(60,40,10).copyWorkplane(w1)"


@pytest.mark.parametrize(
    ("body", "largest", "too_large"),
    [
        (CUBE + ".edges('|Z').fillet({})", 24.9, 25),  # two rounds meet on a side
        (CUBE + ".edges('>Z and >X').fillet({})", 49, 50),  # one takes all of a side
        (CUBE + ".edges('>Z').chamfer({})", 24, 26),
        (CYLINDER + ".faces('>Z').edges().fillet({})", 5.9, 6.1),  # a round cap may be taken whole
        (CYLINDER + ".edges().fillet({})", 4.9, 5),  # the wall may not
        (PLATE + ".pushPoints([(0,12)]).hole(10).faces('>Z').edges().fillet({})", 1.4, 1.5),
        (PLATE + ".pushPoints([(0,12)]).hole(10).faces('>Z').edges('%CIRCLE').chamfer({})", 2.9, 3.1),
        (PLATE + ".pushPoints([(-6,0),(6,0)]).hole(10).faces('>Z').edges('%CIRCLE').fillet({})", 0.9, 1.1),
        (CUBE + ".shell(-{})", 24, 25),
        (CUBE + ".shell(-{})", 24, 30),  # the cavity would be inside out
    ],
)
def test_a_blend_or_wall_without_room_is_refused_where_opencascade_refuses_it(body, largest, too_large, sandbox):
    assert sandbox.run(HEAD + f"r={body.format(largest)}").valid
    assert build(parse(HEAD + f"r={body.format(largest)}")).volume() > 0
    assert not sandbox.run(HEAD + f"r={body.format(too_large)}").valid
    with pytest.raises(ProgramError, match="There is no room for the"):
        build(parse(HEAD + f"r={body.format(too_large)}"))


def test_a_program_with_a_fillet_has_its_sliders():
    program = parse(HEAD + f"r={BOX}.edges('|Z').fillet(2).copyWorkplane(w1).pushPoints([(1,2)]).cboreHole(3,5,2)")
    values = {parameter.name: parameter.value for parameter in parameters(program)}
    assert values["block width"] == 20
    assert values["fillet radius"] == 2
    assert values["hole 1 diameter"] == 3
    assert values["hole 1 counterbore depth"] == 2
    assert values["hole 1 y"] == 2
    changed = set_parameters(program, {"fillet radius": 1, "hole 1 diameter": 4})
    assert {p.name: p.value for p in parameters(changed)} == values | {"fillet radius": 1, "hole 1 diameter": 4}
    two = parse(HEAD + f"r={BOX}.edges('|Z').fillet(2).faces('>Z').edges().fillet(1)")
    assert {"fillet 1 radius", "fillet 2 radius"} <= {parameter.name for parameter in parameters(two)}


@pytest.mark.parametrize(
    "calls",
    [
        ".rect(50,30).vertices().fillet(4).circle(3,mode='s')",  # where the corners were
        ".rect(50,30).vertices().chamfer(4).circle(8,mode='s')",
        ".rect(50,30).vertices().circle(3,mode='s').circle(5,mode='s')",
        ".rect(50,30).vertices('>Y').rect(4,6,angle=30,mode='s').slot(8,2,mode='s')",
        ".rect(50,30).vertices('>X').fillet(4).reset().circle(3,mode='s')",
        ".rect(50,30).vertices('>X').fillet(4).push([(1,1)]).circle(3,mode='s')",
        ".rect(50,30).vertices().vertices('>X').fillet(6)",
        ".rect(50,30).vertices('>X and >Y').rarray(10,2,2,1).circle(2,mode='s')",
        ".rect(50,30).vertices('>X and >Y').parray(10,0,360,3).circle(2,mode='s')",
        ".rect(50,30).push([(5,0),(-10,0)]).circle(3,mode='s').circle(4,mode='s')",
        ".rect(50,30).circle(5,mode='s').vertices().circle(2,mode='s')",  # a circle has a vertex on its right
        ".slot(30,10).vertices().circle(2,mode='s')",
        ".rect(50,30).parray(8,20,360,3).circle(3,mode='s').reset().vertices().circle(1,mode='s')",
        ".regularPolygon(20,6).vertices('>X').circle(4,mode='s')",  # a hexagon with a vertex at the top
        ".regularPolygon(20,5,angle=10).vertices('>X').circle(4,mode='s')",
        ".polygon([(0,0),(10,0),(20,0),(20,20),(0,20),(0,0)]).vertices().circle(2,mode='s')",
    ],
)
def test_what_a_sketch_has_chosen_stays_chosen_as_in_cadquery(calls, sandbox):
    text = f"import cadquery as cq\nr=cq.Workplane().sketch(){calls}.finalize().extrude(5)"
    execution = sandbox.run(text)
    assert execution.valid
    assert build(parse(text)).volume() == pytest.approx(execution.volume, rel=5e-4)


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        (".vertices().fillet(4).fillet(2)", "changed since its corners"),
        (".vertices('>Y').fillet(4).vertices('<Y').fillet(6)", "chosen already"),
        (".vertices('>Y').circle(3,mode='s').fillet(4)", "changed since its corners"),
        (".vertices().rarray(10,1,2,1).circle(2,mode='s')", "array of arrays"),
        (".parray(10,30,360,1).rarray(10,1,2,1).rect(4,2,mode='s')", "array of arrays"),
        (".push([(0,0)]).vertices().fillet(2)", "Places are chosen"),
        (".rect(20,10,mode='s',tag='h').vertices(tag='h').circle(2,mode='s')", "no argument tag"),
        (".vertices().fillet(4).reset().vertices().circle(2,mode='s')", "blended corners"),
        (".push([(25,0)]).rect(20,10).reset().vertices().circle(2,mode='s')", "overlap"),
        (".rect(50,30,mode='s').vertices().circle(2)", "overlap"),  # nothing is left
        (".ellipse(20,10,mode='s').vertices().circle(2,mode='s')", "ellipses"),
        (".vertices('|Z').circle(2,mode='s')", "no such corner"),
        (".segment((0,0),(9,0)).segment((0,5)).close().vertices().assemble(mode='s')", "not assembled"),
    ],
)
def test_what_a_sketch_has_chosen_is_refused_where_it_is_not_known(calls, words):
    with pytest.raises(ProgramError, match=words):
        parse(f"import cadquery as cq\nr=cq.Workplane().sketch().rect(50,30){calls}.finalize().extrude(5)")


@pytest.mark.parametrize("body", FINISHED[:18:3])
def test_every_knob_of_a_finished_part_changes_it(body):
    program = parse(HEAD + f"r={body}")
    for knob in knobs_of(program):
        assert knob.turned(program, 0.01) != program


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"{BOX}.edges('|Q').fillet(1)", "no selector"),
        (f"{CYLINDER}.edges('|X').fillet(1)", "no edge"),
        (f"{BOX}.shell(-7)", "no room"),
        (f"{BOX}.faces('|X and |Y').shell(-1)", "no face"),
        (f"{BOX}.vertices('>Z').fillet(1)", "No edges are chosen"),
        ("w0.sketch().circle(5).vertices().fillet(1).finalize().extrude(1)", "no corner"),
        ("w0.hole(3)", "not in the language here"),
    ],
)
def test_what_cannot_be_finished_is_refused_in_words(body, words):
    with pytest.raises(ProgramError, match=words):
        build(parse(HEAD + f"r={body}"))


@pytest.mark.parametrize("radius", [0.5, 2, 5])
def test_a_fillet_takes_the_volume_of_a_round_one(radius):
    box = 20 * 12 * 10
    taken = box - build(parse(HEAD + f"r={BOX}.edges('|Z').fillet({radius})")).volume()
    assert taken == pytest.approx(4 * (1 - math.pi / 4) * radius**2 * 10, rel=1e-3)
