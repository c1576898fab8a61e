"""Good programs, files, settings and run folders with a few bytes changed: `make fuzz SECONDS=60`.

Whatever is not refused in words is a find, which hypothesis makes as small as it can. The processor time of each target
is printed at the end.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from cadrecode.adapters import discover_adapters
from cadrecode.cloud import read_cloud
from cadrecode.config import TrainConfig
from cadrecode.errors import CadrecodeError
from cadrecode.jobs import queue
from cadrecode.kernel import rules
from cadrecode.program import parse, write
from cadrecode.program.edit import parameters
from cadrecode.program.layout import laid_out
from cadrecode.program.solid import build
from cadrecode.runs import Run, State
from cadrecode.ui.train import views
from cadrecode.ui.words.text import Words
from tests.attacks import files, meshes

MEMORY = 4 * 2**30
EXAMPLES = 200  # of one target, before the next has its turn
PROGRAMS = (
    "import cadquery as cq\nr=cq.Workplane('XY').box(10,20,30).faces('>Z').workplane().hole(2).edges('|Z').fillet(1)",
    "import cadquery as cq\nw0=cq.Workplane('XY',origin=(1,2,3))\n"
    "r=w0.sketch().segment((0,0),(9,0)).arc((9,9),(0,9)).close().assemble().push([(1,1)]).circle(1,mode='s').finalize()"
    ".extrude(5).union(w0.sphere(3)).rotate((0,0,0),(0,0,1),30).translate((1,2,3))",
    "import cadquery as cq\nimport math\npts=[(i*math.cos(i),2*i) for i in range(1,9)]\n"
    "r=cq.Workplane('XZ').box(9,9,9)\n"
    "for x,y in pts:\n    r=r.cut(cq.Workplane().center(x,y).circle(0.5).extrude(3,taper=2))\nr=r.shell(-0.2)",
    "import cadquery as cq\nr=(cq.Workplane('YZ').rarray(5,5,3,3).rect(2,2).revolve(180,(9,0),(9,1))"
    ".mirror('XY',(0,0,1),union=True).tag('a').faces('<X').workplane(offset=1).polarArray(3,0,360,5).cskHole(1,2,82))",
)
ENGLISH = Words("en")
RUN_FILES = {
    "status.json": b'{"kind": "training", "state": "failed", "created_at": 1.0, "ended_at": 2.0, "step": 3, '
    b'"total": 9, "error": "It", "error_message": {"template": "It {x}.", "values": {"x": 1}, "text": "It 1."}}',
    "config.yaml": b"train_data_path: invent:general\nlora_r: 16\n",
    "metrics.jsonl": b'{"step": 1, "loss": 2.5}\n{"step": 2, "loss": null, "eval_loss": 1.5}\n',
    "log.txt": b"loading\r10%\r20%\nerror\n",
    "samples/step-000002/samples.json": b'{"step": 2, "samples": [{"name": "a", "iou": 0.5, "code": "r=1"}]}',
    "adapter/adapter_config.json": b'{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "x"}',
}  # fmt: skip
YAML = "base_model_name_or_path: a\ntrain_data_path: [b, c]\nlora_r: 16\nlearning_rate: 2e-4\nseed: 1\nbf16: true\n"


def _good_files() -> dict[str, bytes]:
    points = np.random.default_rng(0).random((40, 3)).astype("<f4")
    rows = "".join("{} {} {}\n".format(*row) for row in points.round(3).tolist()).encode()
    corners = "".join("f {} {} {}\n".format(*(c + 1 for c in t)) for t in meshes.TRIANGLES)
    cube = "".join("v {} {} {}\n".format(*c) for c in meshes.CUBE.tolist())
    triangles = meshes.CUBE[np.array(meshes.TRIANGLES)].astype("<f4").reshape(-1, 9)
    return {
        ".npy": files.npy(files.shape("(40, 3)", "'<f4'"), points.tobytes()),
        ".npz": meshes.npz({"points.npy": files.npy(files.shape("(40, 3)", "'<f4'"), points.tobytes())}),
        ".xyz": rows,
        ".ply": files.ply(files.BINARY, 40, points.tobytes()),
        ".pcd": files.pcd(40, "binary", points.tobytes()),
        ".las": files.las(),
        ".stl": meshes.stl(12, b"".join(bytes(12) + row.tobytes() + bytes(2) for row in triangles)),
        ".obj": (cube + corners).encode(),
        ".off": f"OFF\n8 1 0\n{cube.replace('v ', '')}3 0 1 2\n".encode(),
        ".glb": meshes.glb(meshes.scene(), meshes.BODY),
        ".3mf": meshes.threemf(meshes.model(meshes.MESH)),
    }


def _changed(data: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for place, removed, new in changes:
        at = int(place * len(data))
        data = data[:at] + new + data[at + removed :]
    return data


PIECES = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [b"0", b"-1", b"1e999", b"9" * 400, b"(", b")", b"[", b"]", b"'", b'"', b"\n", b",", b"nan", b"None"]
    ),
)
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES), min_size=1, max_size=4)


def program(data: bytes) -> None:
    text = data.decode(errors="replace")
    rules.check(text)
    laid_out(text)
    tree = parse(text)
    parameters(tree)
    build(tree)
    build(parse(write(tree)))


def config(data: bytes) -> None:
    _in_file(".yaml", data, TrainConfig.load)


def _in_file(suffix: str, data: bytes, read: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(data)
        read(path)


def run_folder(data: bytes) -> None:
    """A folder of runs, a file of which was changed: list, queue and pages go on, and the run has words."""
    name, _, content = data.partition(b"\n")
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "broken")
        run.folder.mkdir()
        for other, good in RUN_FILES.items():
            path = run.folder / other
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if other.encode() == name else good)
        assert [found.name for found in queue.list_runs(folder)] == ["broken"]
        views.rows(Path(folder), ENGLISH)
        views.look(run, ENGLISH)
        discover_adapters(Path(folder))
        status = run.status()
        assert status.get("error") or status["state"] not in (State.FAILED, State.DAMAGED), "no words"
        run.log_tail(), run.metrics(), run.samples(), run.checkpoints()


def targets() -> dict[str, tuple[list[bytes], Callable[[bytes], object]]]:
    """What is fuzzed: good inputs, and what reads them."""
    readers = {
        f"file {suffix}": ([good], lambda data, suffix=suffix: _in_file(suffix, data, read_cloud))
        for suffix, good in _good_files().items()
    }
    return {
        "program": ([text.encode() for text in PROGRAMS], program), "YAML": ([YAML.encode()], config), **readers,
        "run folder": ([name.encode() + b"\n" + good for name, good in RUN_FILES.items()], run_folder),
    }  # fmt: skip


def fuzz(name: str, goods: list[bytes], send: Callable[[bytes], object], examples: int, seed: int) -> str:
    """Returns: the find, in words; empty where there was none."""

    @seeded(seed)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(goods), CHANGES)
    def attempt(good: bytes, changes: list) -> None:
        data = _changed(good, changes)
        try:
            send(data)
        except CadrecodeError as error:
            str(error)

    try:
        attempt()
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", []))
        return f"{name}: {type(error).__name__}: {str(error)[:300]}\n{notes[:2000]}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--target", help="only those whose name contains this")
    parser.add_argument("--seed", type=int, default=0, help="another seed tries other changes")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    until, rounds, finds, spent = time.monotonic() + options.seconds, 0, {}, Counter()
    chosen = {name: target for name, target in targets().items() if not options.target or options.target in name}
    while time.monotonic() < until and len(finds) < len(chosen):
        for name, (goods, send) in chosen.items():
            if name not in finds and time.monotonic() < until:
                began = time.process_time()
                find = fuzz(name, goods, send, EXAMPLES, options.seed + rounds)
                spent[name] += time.process_time() - began
                if find:
                    finds[name] = find
                    print(find, flush=True)
        rounds += 1
    print(*(f"{name:<12}{seconds:7.0f} s of processor time" for name, seconds in spent.items()), sep="\n")
    print(f"{rounds} rounds of {EXAMPLES} examples for each of {len(chosen)} targets; {len(finds)} with a find")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
