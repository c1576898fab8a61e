"""Freed memory goes back to the system where memory counts."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from cadrecode.config import TrainConfig
from cadrecode.estimate import GIB, estimate
from cadrecode.training.heap import is_scarce

FREED = """
import runpy, sys
from pathlib import Path
import numpy as np

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

del_me = np.ones(3 * 2**20)  # 24 MB: from here on glibc keeps blocks that are smaller
del del_me
if sys.argv[1] == "yes":
    assert runpy.run_path("cadrecode/training/heap.py")["return_freed_blocks"]()  # the package would import torch
blocks = [np.ones(2**19) for _ in range(40)]  # 4 MB each
full = resident()
del blocks[::2]
print(full - resident())
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone")
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
    assert not is_scarce(config, estimate(config, available_bytes=3 * needed))
    assert is_scarce(config, estimate(config, available_bytes=needed * 3 // 2))
    assert is_scarce(config.changed(gradient_checkpointing=True), estimate(config, available_bytes=64 * GIB))
