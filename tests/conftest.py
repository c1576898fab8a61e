"""What every room's tests share."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real shapes, programs and scans that lie beside the checkout, on machines that have them."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the measuring data beside the checkout ({SHARED_DATA}), which is not part of the project")
    return SHARED_DATA


@pytest.fixture
def proof_here(monkeypatch):
    """A merge is proved in this process. A fresh one, as people get it, takes seconds, and has tests of its own."""
    from cadrecode.merging import plan as merging
    from cadrecode.merging import proof

    monkeypatch.setattr(merging, "_ask_fresh_process", proof.answer_to)
