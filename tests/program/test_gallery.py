"""Programs as people write them: CadQuery's own examples, and ordinary scripts."""

import itertools
from pathlib import Path

import pytest

from cadrecode.errors import ProgramError
from cadrecode.kernel import Sandbox
from cadrecode.program import build, parse, write

HERE = Path(__file__).parent
GALLERY = sorted((*(HERE / "gallery").glob("*.py"), *(HERE / "scripts").glob("*.py")))
OUTSIDE = ["text('A',5,-1)", "twistExtrude(5,30)", "sweep(path)", "spline([(0,0),(1,1)])", "interpPlate([])"]
HEAD = "import cadquery as cq\nimport math\n"
PLATE = "cq.Workplane('XY').box(60,40,8)"
ORDINARY = [
    "L=80\nt=5\nresult=cq.Workplane('XY').box(L,L/2,2*t)",
    "result=cq.Workplane('XY').circle(20).extrude(10)",
    "result=cq.Workplane('XY').cylinder(30,10).faces('>Z').workplane().hole(6)",
    "result=cq.Workplane('XZ').rect(30,20).extrude(5)",
    f"result={PLATE}.faces('>Z').workplane().hole(12,4)",
    f"result={PLATE}.faces('>Z').workplane().pushPoints([(-20,10),(20,10),(0,-10)]).hole(5)",
    f"result={PLATE}.faces('<Z').workplane().center(10,5).circle(4).cutBlind(-3)",
    f"result={PLATE}.faces('>X').workplane().hole(4)",
    f"result={PLATE}.faces('>Z').workplane().rect(20,10).cutThruAll()",
    f"result={PLATE}.faces('>Z').workplane().rarray(20,15,3,2).hole(3)",
    f"result={PLATE}.faces('>Z').workplane().polarArray(15,0,360,6).hole(3)",
    f"result={PLATE}.faces('>Z').workplane().slot2D(30,8,30).cutThruAll()",
    f"result={PLATE}.faces('>Z').workplane().circle(15).extrude(20).faces('>Z').workplane().hole(10)",
    f"result={PLATE}.edges('|Z').fillet(4).faces('>Z').edges().chamfer(1)",
    f"result={PLATE}.faces('>Z').workplane().circle(10).cutBlind(-4).faces('>Z').edges('%CIRCLE').fillet(0.5)",
    "result=cq.Workplane('XY').circle(20).circle(12).extrude(30)",
    "result=cq.Workplane('XY').polyline([(0,0),(40,0),(40,10),(10,10),(10,30),(0,30)]).close().extrude(15)",
    "result=cq.Workplane('XY').moveTo(0,0).lineTo(30,0).lineTo(30,20).lineTo(0,20).close().extrude(4)",
    "w=30\nr=cq.Workplane('XY').rect(w,w).extrude(10)\nfor i in range(4):\n    a=math.radians(90*i)\n"
    "    r=r.faces('>Z').workplane().center(10*math.cos(a),10*math.sin(a)).hole(3)\nresult=r",
    "part=cq.Workplane('XY').box(30,30,10,centered=(True,True,False))\n"
    "part=part.cut(cq.Workplane('XY').circle(5).extrude(10))\nshow_object(part)",
    "pts=[(15*math.cos(2*math.pi*k/6),15*math.sin(2*math.pi*k/6)) for k in range(6)]\n"
    "result=cq.Workplane('XY').circle(22).extrude(5).faces('>Z').workplane().pushPoints(pts).hole(4)",
    "body=cq.Workplane('XY').box(20,20,20)\nhole=cq.Workplane('XY').cylinder(30,5)\nresult=body-hole",
    "result=cq.Workplane('XZ').moveTo(5,0).lineTo(15,0).lineTo(15,20).lineTo(5,20).close().revolve(360,(0,0,0),(0,1,0))",
    f"result={PLATE}.faces('>Z').workplane().rect(50,30,forConstruction=True).vertices().cskHole(3,6,90)",
    "result=cq.Workplane('XY').polygon(6,20).extrude(8).faces('>Z').workplane().hole(8)",
    "result=cq.Workplane('XY').rect(40,30).extrude(20).faces('>Z').shell(-2)",
    "h=10\ndef_=3\nif h > 5:\n    h+=def_\nresult=cq.Workplane('YZ').workplane(offset=5).circle(h/2).extrude(-h)",
]


def check(text: str, sandbox: Sandbox) -> None:
    program = parse(text)
    truth, written = sandbox.run(text.replace("show_object(part)", "r=part")), sandbox.run(write(program))
    assert build(program).volume() == pytest.approx(truth.volume, rel=0.01)
    assert written.volume == pytest.approx(truth.volume, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in GALLERY if path.stem != "extrude_until"], ids=lambda path: path.stem)
def test_examples_of_cadquery_are_read_with_their_volume(path, sandbox):
    check(path.read_text(), sandbox)


@pytest.mark.slow
@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_scripts_are_read_with_their_volume(text, sandbox):
    check(HEAD + text, sandbox)


def test_an_extrusion_until_a_curved_face_is_refused():
    with pytest.raises(ProgramError, match="no face at which"):
        parse((HERE / "gallery" / "extrude_until.py").read_text())


def test_functions_of_numpy_are_those_of_math():
    text = "import cadquery as cq\nimport {0} as m\nr=cq.Workplane().circle(30).extrude(5)\nfor k in {1}:\n"
    text += "    r=r.faces('>Z').workplane(origin=(0,0,0)).center(20*m.cos(k),20*m.sin(k)).hole(4)"
    by_numpy = parse(text.format("numpy", "m.linspace(0,2*m.pi,6,endpoint=False)"))
    assert by_numpy == parse(text.format("math", "[2*m.pi*k/6 for k in range(6)]"))


def test_functions_see_their_own_names_alone():
    head = "import cadquery as cq\ndef block(w, d=2):\n    h = w\n    return cq.Workplane().box(w, d, h)\n"
    assert build(parse(head + "r=block(3, d=4)")).volume() == pytest.approx(36)
    for line in ("r=cq.Workplane().box(h,1,1)", "r=block()", "r=block(1,2,3)", "r=block(1,k=2)"):
        with pytest.raises(ProgramError):
            parse(head + "block(1)\n" + line)
    with pytest.raises(ProgramError, match="too deeply"):
        parse("def f(x):\n    return f(x)\nr=f(1)")
    with pytest.raises(ProgramError, match="argument is changed"):
        parse("def f(x):\n    x.append(1)\nf([1])")


def test_two_lengths_of_a_chamfer_lie_as_in_opencascade(sandbox):
    for plane, face in (("XY", ">Z"), ("XZ", "<Y"), ("YZ", ">X")):
        text = f"import cadquery as cq\nw0=cq.Workplane('{plane}')\n"
        text += f"r=w0.rect(40,30).extrude(12).faces('{face}').chamfer(6,1)"
        text += "\nr=r.intersect(w0.workplane(offset=9).rect(60,60).extrude(1))"
        assert build(parse(text)).volume() == pytest.approx(sandbox.run(text).volume, rel=1e-3)


@pytest.mark.parametrize("call", OUTSIDE)
def test_what_is_outside_of_the_language_is_refused_with_its_place(call):
    with pytest.raises(ProgramError, match="is not in the language") as caught:
        parse(f"import cadquery as cq\nr=cq.Workplane('XY').rect(2,2).{call}.extrude(1)")
    assert caught.value.line == 2


def test_a_text_that_doubles_is_refused():
    lines = ["import cadquery as cq", "a0=cq.Workplane('XY').box(1,1,1)"]
    lines += [f"a{k + 1}=a{k}.union(a{k}.translate((1,0,0)))" for k in range(40)]
    with pytest.raises(ProgramError, match="unfolds to"):
        parse("\n".join([*lines, "r=a40"]))


def test_places_of_places_are_refused():
    places = ",".join(f"({k},0)" for k in range(100))
    sketch = "w0.sketch().circle(1)"
    for _ in range(3):
        sketch = f"w0.sketch().push([{places}]).face({sketch})"
    with pytest.raises(ProgramError, match="unfolds to"):
        parse(f"import cadquery as cq\nw0=cq.Workplane('XY')\nr={sketch}.finalize().extrude(1)")


@pytest.mark.parametrize(
    "line",
    [
        "n=10**10**10",
        "n='a'*10**9",
        "n=[0]*1001",
        "n=[k for k in range(10**8)]",
        "for i in range(900):\n    for j in range(900):\n        n=i",
        "r="
        + "".join(itertools.repeat("cq.Workplane().box(1,1,1).union(", 140))
        + "cq.Workplane().box(1,1,1)"
        + ")" * 140,
    ],
)
def test_what_would_compute_for_long_is_refused(line):
    with pytest.raises(ProgramError):
        parse(f"import cadquery as cq\n{line}")


def test_sizes_can_stand_at_the_top_with_their_names():
    program = parse(HEAD + f"r={PLATE}.edges('|Z').fillet(4).faces('>Z').workplane().hole(6)")
    text = write(program, names=True)
    assert "plate_width=60\n" in text
    assert "fillet_radius=4\n" in text
    assert ".hole(hole_1_diameter)" in text
    assert parse(text) == program
    assert parse(text.replace("hole_1_diameter=6", "hole_1_diameter=8")).finishes[1].diameter == 8


def test_the_depth_of_a_through_cut_is_no_dimension():
    program = parse(HEAD + f"r={PLATE}.faces('>Z').workplane().rect(20,6).cutThruAll()")
    text = write(program, names=True)
    assert "window_1_width=20\n" in text
    assert "depth" not in text
    assert parse(text) == program
