"""The rows of a batch: a scan each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cadrecode.scoring.verdict import Verdict

WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"


@dataclass(frozen=True)
class BatchItem:
    """One scan of a batch.

    Args:
        name: The name of its file.
        state: WAITING, WORKING, DONE or FAILED.
        grade: How good the part is, as a `Verdict`; `verdict` in words.
        within: The share of the points within `tolerance`, which is in the unit of the batch.
        seconds: The time that it took.
        why: Why it failed, or what is missing.
        hint: What is doubtful about its unit, in words of the page.
        picture: Of the part, as a data address.
        folder: Where its files are, once it is done.
    """

    name: str
    state: str = WAITING
    grade: str = ""
    verdict: str = ""
    within: float | None = None
    tolerance: float = 0.0
    seconds: float | None = None
    why: str = ""
    hint: str = ""
    picture: str = ""
    folder: Path | None = None


def worst_first(rows: Sequence[BatchItem]) -> list[BatchItem]:
    """In the order in which a person should look: failures, then verdicts from bad to good, then what is not done."""
    order = [FAILED, Verdict.NONE, Verdict.PARTLY, Verdict.DETAILS, Verdict.GOOD, WORKING, WAITING]
    return sorted(rows, key=lambda row: (order.index(row.grade or row.state), row.within or 0.0))
