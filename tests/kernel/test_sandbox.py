"""Any text in, a named outcome out, and the app still there."""

import gzip
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import trimesh

from cadrecode.errors import KernelError
from cadrecode.kernel import Outcome, Sandbox, process, shared_sandbox

HEAD = "import cadquery as cq\n"

ORDINARY = [  # program, volume
    ("r = cq.Workplane().box(1, 2, 3)", 6),
    ("result = cq.Workplane('XY').box(1, 2, 3)", 6),
    ("r = cq.Solid.makeBox(1, 2, 3)", 6),
    ("r = cq.Workplane().circle(2).extrude(3)", 12 * math.pi),
    ("r = cq.Workplane().box(4, 4, 1).faces('>Z').workplane().hole(2)", 16 - math.pi),
    ("r = cq.Workplane().rect(2, 2).revolve(360, (3, 0), (3, 1))", 4 * 2 * math.pi * 3),
    ("r = cq.Workplane().circle(1).workplane(offset=3).circle(1).loft()", 3 * math.pi),
    ("r = cq.Workplane().circle(1).sweep(cq.Workplane('XZ').lineTo(0, 5))", 5 * math.pi),
    ("r = cq.Workplane().polyline([(0, 0), (4, 0), (0, 3)]).close().extrude(2)", 12),
    ("r = cq.Workplane().spline([(1, 0), (0, 1), (-1, 0), (0, -1)], periodic=True).close().extrude(1)", None),
    ("r = cq.Workplane().box(5, 5, 5).edges('|Z').fillet(1)", 125 - 5 * (4 - math.pi)),
    ("r = cq.Workplane().box(5, 5, 5).faces('>Z').edges().chamfer(1)", None),
    ("r = cq.Workplane().box(5, 5, 5).faces('>Z').shell(-1)", 125 - 3 * 3 * 4),
    ("r = cq.Workplane().sketch().rect(4, 4).vertices().fillet(1).finalize().extrude(1)", 12 + math.pi),
    ("r = cq.Workplane().placeSketch(cq.Sketch().rect(2, 2).circle(.5, mode='s')).extrude(1)", 4 - math.pi / 4),
    ("p = cq.Plane(origin=(1, 2, 3), xDir=(0, 1, 0), normal=(1, 0, 0))\nr = cq.Workplane(p).rect(1, 2).extrude(3)", 6),
    ("r = cq.Workplane().box(1, 1, 1).val().moved(cq.Location(cq.Vector(1, 2, 3)))", 1),
    ("r = cq.Workplane().box(9, 9, 1).faces('>Z').workplane().rarray(3, 3, 2, 2).hole(1)", 81 - math.pi),
    ("r = cq.Workplane().box(2, 2, 2).cut(cq.Workplane().box(1, 1, 9)).union(cq.Workplane().box(1, 1, 1))", 7),
    ("r = cq.Workplane().pushPoints([(0, 0), (5, 0)]).box(1, 1, 1, combine=False)", 2),
    (
        "top = cq.selectors.BoxSelector((-.1, -.1, .9), (.1, .1, 1.1))\n"
        "r = cq.Workplane().box(2, 2, 2).faces(top).workplane().hole(1)",
        8 - math.pi / 2,
    ),
    (
        "from math import pi, cos\nimport math\n"
        "def post(x: float, h: float = 2) -> cq.Workplane:\n    return cq.Workplane().center(x, 0).box(1, 1, h)\n"
        "r = post(0)\nfor i in range(1, 3):\n    r = r.union(post(5 * i, h=round(cos(0)) + 1))\n"
        "print(f'{r.val().Volume():.2f}', [s for s in ('a', 'b')], math.pi == pi)\n"
        "if __name__ == '__main__':\n    assert len(r.solids().vals()) == 3",
        6,
    ),
]


@pytest.mark.parametrize(("code", "volume"), ORDINARY)
def test_ordinary_programs_run(sandbox, code, volume):
    execution = sandbox.run(HEAD + code)
    assert execution.ok, execution.detail
    assert execution.valid
    assert execution.volume == pytest.approx(volume, rel=1e-6) if volume else execution.volume > 0


@pytest.mark.parametrize(
    ("code", "outcome", "detail", "line"),
    [
        ("r = (", Outcome.SYNTAX, "line 2, column 5", 2),
        ("return 3", Outcome.SYNTAX, "outside function", 2),
        ("cq.exporters.os.system('id')", Outcome.FORBIDDEN, ".system", 2),
        ("def f(n):\n    return 1 / n\n\nf(0)", Outcome.RAISED, "line 3: ZeroDivisionError", 3),
        ("r = cq.Workplane().box(1, 1, 1).edges().fillet(-1)", Outcome.RAISED, "line 2: ", 2),
        ("raise ValueError", Outcome.RAISED, "no message", 2),
        ("q = 1", Outcome.NO_SHAPE, "does not assign r", None),
        ("r = 1", Outcome.NO_SHAPE, "r is a int", None),
        ("r = cq.Sketch().rect(1, 1)", Outcome.NO_SHAPE, "r is a Sketch", None),
        ("r = cq.Workplane()", Outcome.EMPTY, "holds no solid", None),
        ("r = cq.Workplane().box(1, 1, 1).faces('>Z')", Outcome.EMPTY, "Face", None),
        ("r = cq.Workplane().sphere(1).cut(cq.Workplane().sphere(1))", Outcome.EMPTY, "holds no solid", None),
        ("r = cq.Workplane().polyline([(0,0),(4,0),(4,4),(2,-1),(0,4)]).close().extrude(1)", Outcome.INVALID, "", None),
        ("r = 1\nwhile True: pass", Outcome.TIMEOUT, "line 3: still running after 4 s", 3),
        ("while True:\n    try: 1 / 0\n    except BaseException: pass", Outcome.TIMEOUT, "4 s", None),
        ("x = [0] * 10**9", Outcome.MEMORY, "line 2: ", 2),
        ("x = 'x' * 10**8\nwhile True: x = x + x", Outcome.MEMORY, "line 3: ", 3),
    ],
)
def test_each_way_to_fail_has_its_name_and_line(sandbox, code, outcome, detail, line):
    execution = sandbox.run(HEAD + code, seconds=4 if outcome is Outcome.TIMEOUT else 60)
    assert execution.outcome == outcome, execution.detail
    assert detail in execution.detail
    assert line is None or execution.line == line
    assert not execution.ok
    assert execution.files == {}


def test_opencascade_crashing_is_an_outcome_with_its_line(sandbox):
    code = HEAD + "r=cq.Workplane().box(50,50,20).faces('+Z').shell(-1,kind='intersection').edges().fillet(1)"
    execution = sandbox.run(code)
    assert (execution.outcome, execution.line) == (Outcome.CRASHED, 2)
    assert "SIGSEGV" in execution.detail
    assert execution.seconds < 12


def test_opencascade_that_never_returns_is_an_outcome(sandbox):
    """CadQuery issue #1665: loops in C++, deaf to everything but SIGKILL."""
    code = (
        "import cadquery as cq; r=cq.Workplane().sketch().push([(48.58,-3.37)]).rect(3,87.68).rect(3,88.65)"
        ".polygon([(0,0),(1,1),(2,2)],mode='s').finalize().extrude(1)"
    )
    begin = time.monotonic()
    execution = sandbox.run(code, seconds=3)
    assert time.monotonic() - begin < 30
    assert execution.outcome in (Outcome.TIMEOUT, Outcome.RAISED), execution
    assert sandbox.run(HEAD + "r = cq.Workplane().box(1, 1, 1)").ok


def test_memory_that_cpp_cannot_get(sandbox, monkeypatch):
    # the C library reserves address space 64 MB at a time: of 100 MB a crash may leave more than half untouched
    monkeypatch.setattr(sandbox, "memory_mb", 300)
    execution = sandbox.run(
        HEAD + "r = cq.Workplane().box(1, 1, 1)\nx = [cq.Solid.makeSphere(i) for i in range(1, 10**6)]", seconds=60
    )
    assert execution.outcome == Outcome.MEMORY, execution


def test_programs_know_nothing_of_each_other(sandbox):
    assert sandbox.run(HEAD + "r = cq.Workplane().box(1, 1, 1)").ok
    assert sandbox.run("x = 1").outcome == Outcome.NO_SHAPE


def test_the_bounding_box_is_tight(sandbox):
    """The usual box of this part is larger by its edges' tolerances."""
    code = HEAD + "r = cq.Workplane().sphere(1).intersect(cq.Workplane().box(9, 9, 1).rotate((0,0,0),(1,0,0),0))"
    assert sandbox.run(code).bounding_box == pytest.approx((-1, -1, -0.5, 1, 1, 0.5), abs=1e-6)


@pytest.mark.parametrize(("unit", "millimetres"), [("mm", 1), ("cm", 10), ("m", 1000), ("inch", 25.4)])
def test_step_holds_the_numbers_in_their_unit(sandbox, tmp_path, unit, millimetres):
    code = HEAD + "r = cq.Workplane().box(1, 2, 3, centered=False)"
    files = sandbox.run(code, tmp_path, ["step"], unit=unit, name="Größe 1").files
    assert files == {"step": tmp_path / "Größe 1.step"}
    assert r"PRODUCT('Gr\X2\00F6\X0\\X2\00DF\X0\e 1'" in files["step"].read_text("ascii")
    vertices, facets = sandbox.tessellate(files["step"])
    np.testing.assert_allclose(vertices.min(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(vertices.max(axis=0), np.array([1, 2, 3]) * millimetres, rtol=1e-9)
    assert trimesh.Trimesh(vertices, facets, process=False).volume == pytest.approx(6 * millimetres**3)


def test_stl_and_glb_are_closed_and_stand_upright(sandbox, tmp_path):
    code = HEAD + "r = cq.Workplane().box(10, 20, 30).faces('>Z').workplane().hole(4)"
    execution = sandbox.run(code, tmp_path / "new", ["stl", "glb"], name="part")
    stl = trimesh.load_mesh(execution.files["stl"])
    assert stl.is_watertight
    assert stl.volume == pytest.approx(execution.volume, rel=0.005)
    assert stl.is_winding_consistent
    np.testing.assert_allclose(stl.extents, [10, 20, 30], rtol=1e-5)
    glb = trimesh.load(execution.files["glb"]).to_geometry()
    np.testing.assert_allclose(glb.extents, [10, 30, 20], rtol=1e-5)  # glTF: Y is up
    assert glb.volume == pytest.approx(execution.volume, rel=0.005)


def test_a_mirrored_and_a_moved_part_mesh_outwards(sandbox, tmp_path):
    code = HEAD + "r = cq.Workplane().box(1, 2, 3).mirror('XY').translate((5, 6, 7)).rotate((0,0,0),(1,1,0),30)"
    execution = sandbox.run(code, tmp_path, ["stl"])
    assert trimesh.load_mesh(execution.files["stl"]).volume == pytest.approx(6, rel=1e-4)


@pytest.mark.parametrize(
    "request_",
    [{"exports": ["step"]}, {"exports": ["dxf"]}, {"unit": "ell"}, {"name": "../x"}, {"name": ".."}, {"name": ""}],
)
def test_a_wrong_request_is_an_error_not_an_outcome(sandbox, request_):
    with pytest.raises(ValueError):
        sandbox.run("r = 1", **request_)


def test_a_folder_of_step_files_meshes_closed(sandbox, shared_data):
    for path in sorted((shared_data / "mfcad").glob("*.step"))[:5]:
        vertices, facets = sandbox.tessellate(path)
        mesh = trimesh.Trimesh(vertices, facets, process=False)
        assert mesh.is_watertight, path.name
        assert mesh.volume > 0


def test_broken_and_missing_files_are_errors_in_words(sandbox, tmp_path):
    sandbox.run(HEAD + "r = cq.Workplane().box(1, 1, 1)", tmp_path, ["step"], name="whole")
    whole = (tmp_path / "whole.step").read_bytes()
    for name, content, words in [
        ("cut.step", whole[: len(whole) // 2], "cannot read cut.step"),
        ("noise.stp", b"\0\1\2" * 99, "cannot read noise.stp"),
        ("noise.brep", b"hello", "cannot read noise.brep"),
        ("part.dxf", b"", "not .dxf"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(KernelError, match=words):
            sandbox.tessellate(tmp_path / name)
    with pytest.raises(KernelError, match="no such file"):
        sandbox.tessellate(tmp_path / "absent.step")


def test_several_threads_may_ask_at_once(sandbox):
    with ThreadPoolExecutor(6) as pool:
        sizes = range(1, 13)
        done = list(pool.map(lambda n: sandbox.run(f"{HEAD}r = cq.Workplane().box({n}, 1, 1)"), sizes))
    assert [round(execution.volume) for execution in done] == list(sizes)


def test_step_in_the_warm_sandbox_keeps_to_its_budget(sandbox, shared_data, tmp_path):
    with gzip.open(shared_data / "cad_recode" / "programs.jsonl.gz", "rt") as lines:
        programs = random.Random(0).sample([json.loads(line)["code"] for line in lines], 20)
    done = [sandbox.run(program, tmp_path, ["step"]) for program in programs]
    assert all(execution.ok for execution in done)
    crowd = max(1.0, os.getloadavg()[0] / os.cpu_count()) if hasattr(os, "getloadavg") else 1.0
    budget = 0.3 * crowd  # 0.3 s on a machine of one's own, a fair share of it on a crowded one
    assert statistics.median(execution.seconds for execution in done) < budget


def test_the_worker_is_single_threaded_so_that_a_fork_is_safe(sandbox):
    sandbox.layers()
    tasks = Path(f"/proc/{sandbox._worker._process.pid}/task")
    if not tasks.exists():
        pytest.skip("needs /proc")
    assert len(list(tasks.iterdir())) == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork server on this OS")
def test_a_dead_worker_takes_its_jobs_along_and_the_next_call_starts_another(sandbox):
    sandbox.layers()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(sandbox.run, "while True: pass")
        worker = sandbox._worker._process.pid
        deadline = time.monotonic() + 10
        while not (children := _children(worker)) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(worker, signal.SIGKILL)
        assert running.result().outcome == Outcome.CRASHED
    assert children
    while any(map(_lives, children)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(_lives, children))
    assert sandbox.run(HEAD + "r = cq.Workplane().box(1, 1, 1)").ok


@pytest.mark.slow
def test_without_fork_each_job_has_a_process_of_its_own(tmp_path, monkeypatch):
    with Sandbox(fork=False) as sandbox:
        monkeypatch.setattr(sandbox, "warm", lambda: None)  # no spare process for a job that never comes
        execution = sandbox.run(HEAD + "r = cq.Workplane().box(1, 2, 3)", tmp_path, ["step"])
        assert execution.volume == pytest.approx(6)
        assert execution.files["step"].stat().st_size > 1000
        assert sandbox.run("while True: pass", seconds=1).outcome == Outcome.TIMEOUT


def test_nothing_is_left_when_the_app_is_killed(tmp_path):
    app = (
        "import sys\nfrom cadrecode.kernel import Sandbox\ns = Sandbox()\ns.layers()\n"
        "print(s._worker._process.pid, s._worker.home, flush=True)\nsys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", app], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid, home = process.stdout.readline().split()
    assert Path(home).exists()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while Path(home).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(home).exists()
    while _lives(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(int(pid))


def test_a_kernel_that_cannot_start_says_why(monkeypatch):
    environment = process._environment

    def without_cadquery(home):
        (home / "cadquery.py").write_text("raise ImportError('libGL.so.1: no such file')")
        return environment(home)

    monkeypatch.setattr(process, "_environment", without_cadquery)
    with Sandbox() as sandbox, pytest.raises(KernelError, match=r"did not start: ImportError: libGL.*pip install"):
        sandbox.run("r = 1")


def test_importing_the_room_imports_no_cadquery():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, cadrecode.kernel; print('cadquery' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_there_is_one_shared_sandbox():
    assert shared_sandbox() is shared_sandbox()


def _lives(pid: int) -> bool:
    """Neither gone nor a zombie that its new parent has not buried yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _children(pid: int) -> list[int]:
    stats = (path.read_text() for path in Path("/proc").glob("[0-9]*/stat"))
    fields = ((int(stat.split()[0]), int(stat.rpartition(")")[2].split()[1])) for stat in stats)
    return [child for child, parent in fields if parent == pid]
