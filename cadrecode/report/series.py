"""The columns of an evaluation: the answers of each model, and of each step that its answers went through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cadrecode.errors import Message
from cadrecode.scoring.bootstrap import interval
from cadrecode.scoring.target import BBOX_AGREES
from cadrecode.scoring.verdict import Verdict

ModelReport = tuple[str, dict]  # a model's name, and its report; or a scan's, of a sweep
RIGHT = 0.97  # IoU, at least, of a good match that is right
BANDS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.99)  # IoU from, of the table of verdicts


@dataclass(frozen=True)
class Series:
    """The answers that a column holds.

    Args:
        name: In words.
        rows: Of a report.
        prefix: Of the keys of the answers in the rows.
    """

    name: str
    rows: Sequence[dict]
    prefix: str = ""

    def of(self, row: dict, key: str) -> Any:
        return row.get(self.prefix + key, row.get(key))

    def ious(self) -> np.ndarray:
        """(n,) float; a failure has 0."""
        return np.array([self.of(row, "iou") for row in self.rows], np.float64)


def steps_of(report: dict) -> list[tuple[Message, str]]:
    """The steps of an answer, each with the prefix of its keys; what a person gets in the end is the last."""
    if "final_mean_iou" in report:
        return [(Message("rebuilt"), "")]
    if "programs" in report:
        nearest = [(Message("nearest of several"), "best_")] if "best_n" in report else []
        fitted = [(Message("fitted"), "fit_")] if "fit_n" in report else []
        return [(Message("first program"), ""), *nearest, *fitted]
    several = report.get("candidates", 1)
    steps = [(Message("single sample"), "single_" if several > 1 else "")]
    if several > 1:
        steps.append((Message("best of {n}", n=several), ""))
    return [*steps, (Message("fitted"), "fit_")] if "fit_median_iou" in report else steps


def series_of(reports: Sequence[ModelReport], said: Callable[[str], str] = str) -> list[Series]:
    """All columns.

    Args:
        said: Translates a message.
    """
    columns = []
    for name, report in reports:
        steps = steps_of(report)
        for step, prefix in steps:
            names = [name] if len(reports) > 1 else []
            names += [said(step)] if len(steps) > 1 or not names else []
            columns.append(Series(": ".join(names), report["shapes"], prefix))
    return columns


@dataclass(frozen=True)
class Metric:
    """A line of the table of scores.

    Args:
        name: In words.
        key: In a row, under which a value must be for the line to be there.
        statistic: Over the rows.
        value_of: Of a series and a row; None: the value under the key.
        all: Whether failures are among the rows.
        percent: Whether it is a share.
    """

    name: Message
    key: str
    statistic: Callable[..., Any] = np.mean
    value_of: Callable[[Series, dict], Any] | None = None
    all: bool = False
    percent: bool = False


METRICS = (
    Metric(Message("mean IoU, failures 0"), "iou", all=True),
    Metric(Message("median IoU, failures 0"), "iou", np.median, all=True),
    Metric(Message("mean IoU, valid"), "iou"),
    Metric(Message("mean Chamfer x 1,000"), "cd"),
    Metric(Message("median Chamfer x 1,000"), "cd", np.median),
    Metric(Message("F-score at 1 %"), "f_score"),
    Metric(Message("normal consistency"), "normal_consistency"),
    Metric(Message("invalid"), "outcome", value_of=lambda s, row: s.of(row, "cd") is None, all=True, percent=True),
    Metric(
        Message("as many through holes"), "true_genus", all=True, percent=True,
        value_of=lambda s, row: s.of(row, "genus") == row["true_genus"],
    ),
    Metric(
        Message("bounding box within 0.5 %"), "bbox_error", all=True, percent=True,
        value_of=lambda s, row: (s.of(row, "bbox_error") or 0.0) <= BBOX_AGREES and s.of(row, "cd") is not None,
    ),
    Metric(Message("characters, median"), "characters", np.median),
    Metric(Message("numbers, median"), "numbers", np.median),
    Metric(  # of the whole way alone: other rows count the seconds of all steps together
        Message("seconds, median"), "verdict", np.median, lambda s, row: row["seconds"], all=True
    ),
)  # fmt: skip


def scores(series: Sequence[Series]) -> list[tuple[Message, list[tuple[str, str]]]]:
    """The table: for each metric that any row has, a cell for each column: the figure, and its interval."""
    table = [(metric.name, [_cell(metric, column) for column in series]) for metric in METRICS]
    return [(name, cells) for name, cells in table if any(figure for figure, _ in cells)]


def _cell(metric: Metric, series: Series) -> tuple[str, str]:
    """Both empty where no row has a value."""
    rows = [row for row in series.rows if metric.all or series.of(row, "cd") is not None]
    rows = [row for row in rows if series.prefix + metric.key in row or metric.key in row]
    if not rows:
        return "", ""
    value_of = metric.value_of or (lambda series, row: series.of(row, metric.key))
    values = np.array([value_of(series, row) for row in rows], np.float64)
    low, high = interval(values, metric.statistic)
    figures = [_shown(value, metric) for value in (float(metric.statistic(values)), low, high)]
    return f"{figures[0]}{' %' if metric.percent else ''}", f"{figures[1]} – {figures[2]}"


def _shown(value: float, metric: Metric) -> str:
    if metric.percent:
        return f"{100 * value:.1f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def verdicts(pairs: Iterable[tuple[str, float]]) -> dict[str, list[int]]:
    """The number of results with each verdict and an IoU in each of BANDS. Verdicts never see the IoU.

    Args:
        pairs: (verdict, IoU).
    """
    counts = {str(verdict): [0] * len(BANDS) for verdict in Verdict}
    for verdict, overlap in pairs:
        counts[verdict][int(np.searchsorted(BANDS[1:], overlap, side="right"))] += 1
    return counts


def good_matches(rows: Sequence[dict]) -> tuple[int, int]:
    """The number of results that are called a good match, and of those among them that are right."""
    right = [row["iou"] >= RIGHT for row in rows if row["verdict"] == Verdict.GOOD]
    return len(right), sum(right)
