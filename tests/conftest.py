"""What every room's tests share."""

import gc
import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NEEDS_DATA = "needs the measuring data beside the checkout"
NOT_INSTALLED = "is not installed (optional: pip install '.[scale]', pip install datasets)"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real shapes, programs and scans that lie beside the checkout, on machines that have them."""
    if not SHARED_DATA.is_dir():
        pytest.skip(NEEDS_DATA)
    return SHARED_DATA


@pytest.fixture(scope="session")
def sandbox():
    """The warm sandbox of this process: starting another for each file would take seconds of the processor."""
    from cadrecode.kernel import shared_sandbox

    return shared_sandbox()


@pytest.fixture(scope="session")
def processes():
    """Makes processes that have torch already: forked from a clean process that has imported it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cadrecode.training"])
    return context


@pytest.fixture(scope="module")
def one_thread():
    """On a busy machine two threads wait for each other longer than these models take."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def processor_time(monkeypatch):
    """Seconds of a fit are the processor's: by the clock, a fit would get to less on a crowded machine."""
    monkeypatch.setattr(time, "monotonic", time.process_time)


@pytest.fixture
def proof_here(monkeypatch):
    """A merge is proved in this process. A fresh one, as people get it, takes seconds, and has tests of its own."""
    from cadrecode.merging import plan as merging
    from cadrecode.merging import proof

    monkeypatch.setattr(merging, "ask_process", proof.answer_to)


@pytest.fixture
def points() -> np.ndarray:
    """(100, 3) float64, off-centre, of mixed signs."""
    return np.random.default_rng(7).uniform(-30, 50, (100, 3))


@pytest.fixture
def cube() -> tuple[np.ndarray, np.ndarray]:
    """A 2 x 4 x 6 box away from the origin: (8, 3) vertices and (12, 3) faces, outward."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * [2, 4, 6] + [10, -5, 3]
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([t for a, b, c, d in quads for t in ([a, b, c], [a, c, d])])
    return corners, faces


def pytest_collection_finish():
    """What the imports have made stays, so the collector of garbage need not look through it in every test."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter):
    """Say once how many tests the missing data skipped, and each library that is missing."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    without_data = sum(NEEDS_DATA in reason for reason in reasons)
    if without_data:
        terminalreporter.write_line(f"{without_data} tests skipped: each {NEEDS_DATA} ({SHARED_DATA}).")
    for library in sorted(
        {reason.split(f" {NOT_INSTALLED}")[0].split()[-1] for reason in reasons if NOT_INSTALLED in reason}
    ):
        terminalreporter.write_line(f"Tests skipped: {library} {NOT_INSTALLED}.")
