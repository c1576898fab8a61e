"""A real Ray cluster of two nodes on this machine makes what one process makes, also when a node is killed.

Ray is optional (`pip install '.[scale]'`): where it is absent these tests skip.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from cadrecode.build_dataset import build_dataset
from cadrecode.data.dataset import load_programs
from cadrecode.data.shards import shards_of
from cadrecode.label import label
from cadrecode.parallel import Workers
from cadrecode.program import build, mesh_of, parse
from cadrecode.trial import Trial
from tests.conftest import NOT_INSTALLED

os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # or a token that this user has would be asked for, by one node only
ray = pytest.importorskip("ray", reason=f"ray {NOT_INSTALLED}")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SOURCE = "invent:plates:600"
ROD = "import cadquery as cq\nr=cq.Workplane('XY',origin=(0,0,-100)).circle(30).extrude(200)"


@dataclass
class Cluster:
    """The head of a cluster and its second node, each with one processor."""

    address: str
    second: subprocess.Popen

    def kill_second(self) -> None:
        processes = [psutil.Process(self.second.pid), *psutil.Process(self.second.pid).children(recursive=True)]
        for process in processes:
            process.send_signal(signal.SIGKILL)
        self.second.wait()


@pytest.fixture(scope="module")
def cluster():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # a socket's path is short: not pytest's
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}  # other tests run, too
    node = [sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus=1", "--object-store-memory=100000000"]
    head = [f"--port={address.split(':')[1]}", "--head", "--include-dashboard=false", f"--temp-dir={folder}", "--block"]
    started = []
    try:
        with (folder / "log.txt").open("w") as log:
            started.append(subprocess.Popen([*node, *head], env=environment, stdout=log, stderr=log))
            wait_for_nodes(1, address)
            second = [*node, f"--address={address}", "--block"]
            started.append(subprocess.Popen(second, env=environment, stdout=log, stderr=log))
            wait_for_nodes(2, address)
        yield Cluster(address, started[1])
    finally:
        ray.shutdown()
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for_nodes(count: int, address: str) -> None:
    while not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError):
            time.sleep(0.5)
    while sum(node["Alive"] for node in ray.nodes()) != count:
        time.sleep(0.2)


@pytest.fixture
def workers(cluster):
    return Workers(engine="ray", address=cluster.address)


def test_labels_come_from_all_nodes(workers, tmp_path):
    (tmp_path / "parts").mkdir()
    for name, text in (("rod", ROD), ("thin", ROD.replace("30", "10")), ("broken", "r = (")):
        (tmp_path / "parts" / f"{name}.py").write_text(text)
    made = label(tmp_path / "parts", tmp_path / "labels", workers=workers)
    assert {pair.name for pair in made.pairs} == {"rod", "thin"}
    assert [entry.name for entry in made.skipped] == ["broken"]


def test_an_evaluation_has_the_rows_of_one_process(workers, tmp_path):
    vertices, faces = mesh_of(build(parse(ROD)))
    np.savez(tmp_path / "targets.npz", a_v=vertices, a_f=faces, b_v=vertices / 2, b_f=faces)
    trial = Trial(input="mesh", source="measured", seconds=10)
    reports = [trial.run(tmp_path / "targets.npz", **who) for who in ({}, {"workers": workers})]
    for report in reports:
        assert [row["id"] for row in report["shapes"]] == ["a", "b"]
        assert report["final_worst_iou"] > 0.99


def test_a_killed_node_loses_no_row_and_repeats_none(cluster, workers, tmp_path):
    killed = []

    def kill(done, _):
        if not killed and len(shards_of(tmp_path / "many")) == 2:
            cluster.kill_second()
            killed.append(done)

    settings = {"apart_from": [], "shard_rows": 128}
    alone = build_dataset(SOURCE, tmp_path / "one", **settings)
    many = build_dataset(SOURCE, tmp_path / "many", workers=workers, on_progress=kill, **settings)
    assert killed
    assert killed[0] < 600
    assert many["shards"] == alone["shards"], "the same files, byte for byte"
    assert len({pair.name for pair in load_programs(tmp_path / "many").pairs}) == 600
    wait_for_nodes(1, cluster.address)
