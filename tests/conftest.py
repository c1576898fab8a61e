"""What every room's tests share."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NEEDS_DATA = "needs the measuring data beside the checkout"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real shapes, programs and scans that lie beside the checkout, on machines that have them."""
    if not SHARED_DATA.is_dir():
        pytest.skip(NEEDS_DATA)
    return SHARED_DATA


@pytest.fixture
def proof_here(monkeypatch):
    """A merge is proved in this process. A fresh one, as people get it, takes seconds, and has tests of its own."""
    from cadrecode.merging import plan as merging
    from cadrecode.merging import proof

    monkeypatch.setattr(merging, "_ask_fresh_process", proof.answer_to)


def pytest_terminal_summary(terminalreporter):
    """Say once how many tests the missing data skipped."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NEEDS_DATA in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests skipped: each {NEEDS_DATA} ({SHARED_DATA}).")
