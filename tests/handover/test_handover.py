"""Programs in the words of other CAD systems: what they build there is what OpenCASCADE builds of the program."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from cadrecode.cloud import read_mesh
from cadrecode.errors import ProgramError
from cadrecode.export import export_program
from cadrecode.handover import FORMATS, hand_over
from cadrecode.part import Part
from cadrecode.program import from_mesh, parse

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,0))\nw1=cq.Workplane('XY',origin=(0,0,5))\n"
BOX = "w0.workplane(offset=0/2).box(20,12,10)"
L_SHAPE = "w0.sketch().segment((0,0),(20,0)).segment((20,5)).segment((5,5)).segment((5,20)).segment((0,20)).close()"
TURNED = (
    "cq.Workplane('XZ',origin=(1,2,3)).sketch().push([(10,0)]).rect(6,12)"
    ".reset().push([(12,2)]).circle(1.5,mode='s').finalize().revolve({},(0,0),(0,1))"
)
PARTS = {
    "plate": "cq.Workplane('XY',origin=(500,0,-4)).sketch().rect(80,40).push([(24,0)]).circle(8,mode='s').finalize()"
    ".extrude(8)",
    "slot": "w0.sketch().segment((-10,-5),(10,-5)).arc((15,0),(10,5)).segment((-10,5)).arc((-15,0),(-10,-5)).assemble()"
    ".finalize().extrude(6).edges('>Z and |X').fillet(1)",
    "patterns": "w0.sketch().circle(20).parray(12,10,360,5).rect(6,2,mode='s').reset().rarray(3,4,2,2)"
    ".circle(1,mode='s').finalize().extrude(5,both=True)",
    "corners": f"{L_SHAPE}.assemble().vertices('>Y').chamfer(2).reset().vertices('<Y').fillet(1).reset().finalize()"
    ".extrude(-6)",
    "holes": f"{BOX}.copyWorkplane(w1).pushPoints([(-6,0)]).cskHole(3,5,82,6).copyWorkplane(w1)"
    ".rarray(4,6,2,2).cboreHole(1,2,2)",
    "finishes": f"{BOX}.edges('|Z').fillet(2).faces('>Z').edges().chamfer(0.5,1).faces('<Z').shell(-1)",
    "turned": TURNED.format(360),
    "part of a turn": TURNED.format(250),
    "tapered": "cq.Workplane('YZ',origin=(1,2,3)).sketch().rect(20,12).reset().push([(10,6)]).rect(8,6,mode='s')"
    ".finalize().extrude(-6,taper=8).rotate((0,0,0),(1,1,0),30).translate((5,0,1))",
    "mirrored": f"{L_SHAPE}.assemble().finalize().extrude(6).mirror('YZ',(0,0,0),union=True)"
    ".cut(w0.workplane(offset=6).moveTo(12,2).sphere(3)).intersect(w1.workplane(offset=-6/2).box(30,60,10))",
}
NEAR = 1e-3  # of the volume


@pytest.fixture(scope="module")
def volumes(sandbox):
    return {name: sandbox.run(f"{HEAD}r={text}").volume for name, text in PARTS.items()}


def write(system: str, folder: Path) -> list[Path]:
    ending = {"build123d": ".py", "freecad": ".FCMacro", "openscad": ".scad"}[system]
    for name, text in PARTS.items():
        (folder / f"{name}{ending}").write_text(hand_over(parse(f"{HEAD}r={text}"), system, name=name))
    return sorted(folder.glob(f"*{ending}"))


def answer_of(command: list[str], script: str, folder: Path) -> dict:
    """What a script run by another program leaves in answer.json."""
    (folder / "run.py").write_text(script)
    done = subprocess.run([*command, "run.py"], cwd=folder, capture_output=True, text=True, timeout=500)
    assert (folder / "answer.json").is_file(), done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads((folder / "answer.json").read_text())


@pytest.mark.parametrize("name", PARTS)
def test_sizes_and_features_have_names_in_every_system(name):
    program = parse(f"{HEAD}r={PARTS[name]}")
    texts = {system: hand_over(program, system, name=name) for system in FORMATS}
    ast.parse(texts["build123d"])
    ast.parse(texts["freecad"])
    assert texts["openscad"].count("{") == texts["openscad"].count("}")
    assert all("700000" not in text for text in texts.values())  # no mark is left


def test_what_openscad_cannot_say_comes_as_points_and_says_so():
    texts = {name: hand_over(parse(f"{HEAD}r={text}"), "openscad") for name, text in PARTS.items()}
    assert {name for name, text in texts.items() if "polyhedron(" in text} == {"slot", "finishes", "tapered"}
    assert "// Rounded or bevelled edges come as a mesh" in texts["slot"]
    assert "// Walls that lean come as a mesh" in texts["tapered"]
    assert "// The outline comes as points" in texts["corners"]
    assert "plate_thickness = 8;" in texts["plate"]
    assert "linear_extrude(abs(plate_thickness))" in texts["plate"]


def test_other_systems_count_in_millimetres():
    text = hand_over(parse(f"{HEAD}r={PARTS['plate']}"), "build123d", unit="inch")
    assert "plate_thickness = 203.2\n" in text
    with pytest.raises(ProgramError, match="outside of the language"):
        Part("import cadquery", np.empty((0, 3)), np.empty((0, 3))).in_words_of("freecad")


@pytest.mark.slow
def test_build123d_builds_the_same(volumes, tmp_path):
    python = os.environ.get("BUILD123D_PYTHON") or (find_spec("build123d") and sys.executable)
    if not python:
        pytest.skip("needs build123d: set BUILD123D_PYTHON to a Python that has it")
    write("build123d", tmp_path)
    script = (
        "import json, pathlib, runpy\n"
        "paths = [path for path in pathlib.Path('.').glob('*.py') if path.name != 'run.py']\n"
        "built = {path.stem: runpy.run_path(str(path))['part'].volume for path in paths}\n"
        "pathlib.Path('answer.json').write_text(json.dumps(built))\n"
    )
    assert answer_of([python], script, tmp_path) == pytest.approx(volumes, rel=NEAR)


@pytest.mark.slow
def test_freecad_builds_the_same_and_follows_its_spreadsheet(volumes, tmp_path):
    freecad = shutil.which("freecadcmd") or shutil.which("FreeCADCmd")
    if not freecad:
        pytest.skip("needs FreeCAD's console (apt-get install freecad)")
    write("freecad", tmp_path)
    script = (
        "import json, pathlib\n"
        "built = {}\n"
        "for path in pathlib.Path('.').glob('*.FCMacro'):\n"
        "    names = {'__name__': '__main__'}\n"
        "    exec(path.read_text(), names)\n"
        "    assert not [thing.Label for thing in names['doc'].Objects if 'Invalid' in thing.State], path\n"
        "    built[path.stem] = names['part'].Shape.Volume\n"
        "    if path.stem == 'plate':\n"
        "        sheet = names['doc'].getObject('Dimensions')\n"
        "        sheet.set(sheet.getCellFromAlias('plate_thickness'), '16')\n"
        "        names['doc'].recompute()\n"
        "        built['plate of twice the thickness'] = names['part'].Shape.Volume\n"
        "pathlib.Path('answer.json').write_text(json.dumps(built))\n"
    )
    wanted = {**volumes, "plate of twice the thickness": 2 * volumes["plate"]}
    assert answer_of([freecad], script, tmp_path) == pytest.approx(wanted, rel=NEAR)


@pytest.mark.slow
def test_openscad_builds_the_same(volumes, tmp_path):
    if not shutil.which("openscad"):
        pytest.skip("needs OpenSCAD (apt-get install openscad)")
    built = {}
    for path in write("openscad", tmp_path):
        mesh = path.with_suffix(".stl")
        done = subprocess.run(["openscad", "-o", mesh, path], capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr
        assert "WARNING" not in done.stderr
        built[path.stem] = from_mesh(*read_mesh(mesh)).volume()
    assert built == pytest.approx(volumes, rel=NEAR)


def test_a_step_has_the_features_names_and_colours_and_comes_back(sandbox, volumes, tmp_path):
    for name in ("holes", "finishes", "mirrored"):
        exported = export_program(f"{HEAD}r={PARTS[name]}", sandbox, name=name)
        path = tmp_path / f"{name}.step"
        path.write_bytes(exported.contents["step"])
        assert from_mesh(*read_mesh(path)).volume() == pytest.approx(volumes[name], rel=0.01)
    text = (tmp_path / "holes.step").read_text()
    assert set(re.findall(r"ADVANCED_FACE\('(.*?)'", text)) == {"block", "hole 1", "hole 2"}
    assert text.count("COLOUR_RGB(") >= 3
    assert "ADVANCED_FACE('shell" in (tmp_path / "finishes.step").read_text()
