"""Freed memory goes back to the system where memory counts."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cadrecode.config import TrainConfig
from cadrecode.estimate import estimate, is_scarce
from cadrecode.figures import GIB
from cadrecode.runs import Run

FREED = """
import runpy, sys
from pathlib import Path
import numpy as np

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

del_me = np.ones(3 * 2**20)  # 24 MB: from here on glibc keeps blocks that are smaller
del del_me
if sys.argv[1] == "yes":
    assert runpy.run_path("cadrecode/heap.py")["return_freed_blocks"]()  # the package would import torch
blocks = [np.ones(2**19) for _ in range(40)]  # 4 MB each
full = resident()
del blocks[::2]
print(full - resident())
"""


HEAPS = """
import ctypes, runpy, sys, threading

if sys.argv[2] == "yes":
    assert runpy.run_path("cadrecode/heap.py")["share_arenas"]()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(9)
threads = [threading.Thread(target=lambda: (libc.malloc(1000), together.wait())) for _ in range(8)]
[thread.start() for thread in threads]
together.wait()
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""
GLIBC_ALONE = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone"
)


@GLIBC_ALONE
def test_threads_share_two_heaps_only_then(tmp_path):
    heaps = {}
    for requested in ("yes", "no"):
        words = [sys.executable, "-c", HEAPS, str(tmp_path / requested), requested]
        subprocess.run(words, check=True, cwd=Path(__file__).parents[2])
        heaps[requested] = (tmp_path / requested).read_text().count("<heap nr=")
    assert heaps["yes"] == 2
    assert heaps["no"] > 4


@GLIBC_ALONE
def test_blocks_between_others_go_back_only_then():
    freed = {}
    for requested in ("yes", "no"):
        words = [sys.executable, "-c", FREED, requested]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        freed[requested] = float(done.stdout)
    assert freed["yes"] == pytest.approx(80, abs=8)
    assert freed["no"] < 20


def test_memory_counts_when_it_is_asked_for_or_short():
    config = TrainConfig(base_model_name="embedded", device="cpu")
    needed = estimate(config).peak_bytes
    assert not is_scarce(config, needed, 3 * needed)
    assert is_scarce(config, needed, needed * 3 // 2)
    assert is_scarce(config.changed(gradient_checkpointing=True), needed, 64 * GIB)
    plenty, short = (estimate(config, available_bytes=room) for room in (3 * needed, needed * 3 // 2))
    assert plenty.most_bytes > plenty.peak_bytes == short.peak_bytes == short.most_bytes


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "batch"), [("ours", 2), ("embedded", 8)])
def test_the_real_peak_is_below_what_is_expected_at_most(kind, batch, bases, make_config, tmp_path):
    """In a process of its own, as its peak is that of all it ever did."""
    config = make_config(tmp_path / "run", per_device_train_batch_size=batch, auto_merge_final=False, max_steps=2)
    if kind == "embedded":
        config = config.changed(base_model_name="embedded", n_points=512, max_seq_length=1000)
    (tmp_path / "settings.yaml").write_text(config.to_yaml())
    words = [sys.executable, "-m", "cadrecode", "train", "--config", str(tmp_path / "settings.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    log = Run(tmp_path / "run").log_tail(1000)
    expected = 1024 * float(re.search(r"Expected at most: ([\d.]+) GB", log)[1])
    peak = Run(tmp_path / "run").metrics()[-1]["peak_memory_mb"]
    print(f"{kind}, batch {batch}: {peak:.0f} MB taken, {expected:.0f} expected at most")
    assert 0.98 * peak < expected < 1.9 * peak
