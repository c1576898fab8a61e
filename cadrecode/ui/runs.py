"""Facts from run folders that several tabs show."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cadrecode.jobs import queue
from cadrecode.runs import Run, State
from cadrecode.ui.words.text import Words


def metrics(run: Run) -> list[dict[str, Any]]:
    """The figures of a run; read again only where the file has changed, however many pages look."""
    return _metrics(run, *_stamp(run))


def newest(run: Run) -> dict[str, Any]:
    """The last value of each of its figures."""
    return _newest(run, *_stamp(run))


def _stamp(run: Run) -> tuple[int, int]:
    """When the figures of a run were written, and how many bytes they are; zeros where there are none yet."""
    try:
        stat = (run.folder / "metrics.jsonl").stat()
    except FileNotFoundError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=128)
def _metrics(run: Run, written: int, size: int) -> list[dict[str, Any]]:
    return run.metrics()


@lru_cache(maxsize=1024)  # every run of the list, at every look
def _newest(run: Run, written: int, size: int) -> dict[str, Any]:
    return {key: value for row in _metrics(run, written, size) for key, value in row.items() if value is not None}


def ious(run: Run, status: dict[str, Any]) -> tuple[float | None, float | None]:
    """The median IoU of the base and of the adapter as it was saved, else as it was evaluated last; None where there
    was no evaluation."""
    scores = status.get("scores") or {}
    if scores.get("adapter", {}).get("median_iou") is not None:
        return scores.get("base", {}).get("median_iou"), scores["adapter"]["median_iou"]
    rows = [row for row in metrics(run) if row.get("median_iou") is not None]
    first = rows[0]["median_iou"] if rows and rows[0]["step"] == 0 else None
    return first, rows[-1]["median_iou"] if rows and rows[-1]["step"] else None


def queued(run: Run, words: Words, waiting: list[Run] | None = None) -> str:
    """The place in the queue of a run that waits, in words.

    Args:
        waiting: The runs that wait, where they are known already.
    """
    waiting = queue.waiting(run.runs_dir) if waiting is None else waiting
    return words.state(State.QUEUED) + (f" #{waiting.index(run) + 1}" if run in waiting else "")
