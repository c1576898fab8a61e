import gzip
import json

import pytest

from cadrecode.errors import ProgramError
from cadrecode.program import build, parse, write
from cadrecode.program.language import Box, Cylinder, Extrusion, Mode, Operation

FLANGE = (
    "import cadquery as cq\n"
    "w0=cq.Workplane('XY',origin=(0,0,-10))\n"
    "r=w0.sketch().circle(50).push([(-35,0),(35,0)]).circle(5,mode='s').finalize().extrude(20)"
    ".union(w0.workplane(offset=30/2).moveTo(0,10).cylinder(30,20)).cut(w0.workplane(offset=8/2).box(10,20,8))"
)


def test_reads_solids_in_order_with_their_operations():
    program = parse(FLANGE)
    assert [type(step.solid) for step in program.steps] == [Extrusion, Cylinder, Box]
    assert [step.operation for step in program.steps] == [Operation.UNION, Operation.UNION, Operation.CUT]
    holes = program.steps[0].solid.sketch.steps[1]
    assert holes.mode is Mode.SUBTRACT
    assert holes.places == ((-35, 0), (35, 0))


def test_canonical_text_is_written_back_to_the_letter():
    assert write(parse(FLANGE)) == FLANGE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cad_recode/programs.jsonl.gz", "fusion360/train.jsonl.gz"])
def test_every_real_program_reads_and_keeps_its_solid(shared_data, name):
    with gzip.open(shared_data / name, "rt") as lines:
        texts = [json.loads(line)["code"] for line in lines]
    programs = [parse(text) for text in texts]  # all of them
    for program in programs[::25]:
        again = parse(write(program))
        assert write(again) == write(program)
        assert build(again).volume() == pytest.approx(build(program).volume(), rel=1e-9)


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("import cadquery as cq\nr=(", 2, 3, None),
        ("import os", 1, 1, "import cadquery as cq"),
        ("r=w0.sketch()", 1, 3, "one of: none"),
        ("import cadquery as cq\nr=cq.Workplane('AB').box(1,2,3)", 2, 16, "XY"),
        ("import cadquery as cq\nr=cq.Workplane('XY').box(1,2)", 2, 3, "height"),
        ("import cadquery as cq\nr=cq.Workplane('XY').fillet(1)", 2, 22, "sketch"),
        ("import cadquery as cq\nr=cq.Workplane('XY').box(1,'a',3)", 2, 28, "a number"),
        ("import cadquery as cq\nr=cq.Workplane('XY').sketch().segment((0,0),(0,0))", 2, 3, "two different points"),
        (
            "import cadquery as cq\nr=cq.Workplane('XY').sketch().segment((0,0),(1,0)).segment((1,1)).assemble()",
            2,
            3,
            "`.close()`",
        ),
        ("import cadquery as cq\nr=cq.Workplane('XY').sketch().circle(1).extrude(2)", 2, 3, "`.finalize()`"),
    ],
)
def test_a_malformed_program_says_where_and_what_was_expected(text, line, column, expected):
    with pytest.raises(ProgramError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert expected is None or expected in caught.value.expected


def test_a_program_without_r_is_refused():
    with pytest.raises(ProgramError, match="does not assign r"):
        parse("import cadquery as cq\nw0=cq.Workplane('XY')")


def test_nothing_is_executed(tmp_path):
    with pytest.raises(ProgramError):
        parse(f"r=open({str(tmp_path / 'made')!r}, 'w')")
    assert not (tmp_path / "made").exists()


def test_a_very_long_text_is_refused_before_it_is_read():
    with pytest.raises(ProgramError, match="characters"):
        parse("r=1\n" * 50_000)
