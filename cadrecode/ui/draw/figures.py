"""Figures of runs and evaluations: curves over steps, of several runs in one figure, and histograms of IoU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.report.charts import BINS, COLOURS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PALE = "#9db8e2"
GREY = "rgba(128,140,155,0.5)"

Metrics = Sequence[dict]  # entries of metrics.jsonl


def smooth(values: Sequence[float], weight: float = 0.85) -> np.ndarray:
    """Exponential moving average, corrected for its start. N values -> (N,) float64."""
    out, mean = np.empty(len(values)), 0.0
    for i, value in enumerate(values):
        mean = weight * mean + (1 - weight) * value
        out[i] = mean / (1 - weight ** (i + 1))
    return out


def series(rows: Metrics, key: str) -> tuple[list[int], list[float]]:
    """The steps and values of a figure, where it was measured. Lists, because plotly packs arrays into bytes."""
    points = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
    return [step for step, _ in points], [value for _, value in points]


def losses(rows: Metrics, names: Mapping[str, str], others: Mapping[str, Metrics] | None = None) -> Figure:
    """The loss, raw and smoothed, the held-out loss as points, and the smoothed losses of other runs.

    Args:
        names: The labels raw, smooth, eval, step and loss.
        others: The entries of other runs by name.
    """
    figure = _figure(names["step"], names["loss"])
    steps, values = series(rows, "loss")
    if steps:
        figure.add_scatter(x=steps, y=values, name=names["raw"], mode="lines", line={"color": PALE, "width": 1})
        _line(figure, steps, smooth(values).tolist(), names["smooth"], COLOURS[0])
    _dots(figure, *series(rows, "eval_loss"), names["eval"], COLOURS[1])
    for colour, (name, theirs) in zip(COLOURS[2:] + COLOURS[1:2], (others or {}).items()):
        steps, values = series(theirs, "loss")
        _line(figure, steps, smooth(values).tolist(), name, colour)
    if not figure.data:
        figure.update_layout(xaxis_range=[0, 100], yaxis_range=[0, 4])
    return figure


def quality(rows: Metrics, names: Mapping[str, str], others: Mapping[str, Metrics] | None = None) -> Figure:
    """Median IoU, invalid ratio and the gain over the base at each evaluation, and the IoU of other runs.

    Args:
        names: The labels iou, invalid, gain and step.
    """
    figure = _figure(names["step"], "")
    _line(figure, *series(rows, "median_iou"), names["iou"], COLOURS[0], dots=True)
    _line(figure, *series(rows, "invalid_ratio"), names["invalid"], COLOURS[1], dots=True)
    lowest = _gain(figure, rows, names["gain"])
    for colour, (name, theirs) in zip(COLOURS[3:] + COLOURS[1:2], (others or {}).items()):
        _line(figure, *series(theirs, "median_iou"), f"{names['iou']}: {name}", colour, dots=True)
    figure.update_layout(yaxis_range=[lowest - 0.03, 1.03])
    if not figure.data:
        figure.update_layout(xaxis_range=[0, 100])
    return figure


def _gain(figure: Figure, rows: Metrics, name: str) -> float:
    """Draw the gain over the base with its interval. Returns: the lowest end of an interval, at most 0."""
    steps, gains = series(rows, "gain")
    if not steps:
        return 0.0
    lows, highs = (series(rows, key)[1] for key in ("gain_low", "gain_high"))
    up, down = (np.abs(np.subtract(ends, gains)).tolist() for ends in (highs, lows))
    error = {"type": "data", "symmetric": False, "array": up, "arrayminus": down}
    figure.add_scatter(
        x=steps, y=gains, name=name, mode="markers", marker={"color": COLOURS[2], "size": 8}, error_y=error
    )
    return min(0.0, *lows)


def rate(rows: Metrics, names: Mapping[str, str]) -> Figure:
    """The learning rate."""
    figure = _figure(names["step"], "")
    _line(figure, *series(rows, "learning_rate"), names["rate"], COLOURS[0])
    figure.update_layout(yaxis={"exponentformat": "e", "rangemode": "tozero"}, showlegend=True)
    if not figure.data:
        figure.update_layout(xaxis_range=[0, 100], yaxis_range=[0, 1e-3])
    return figure


def histogram(ious: Mapping[str, Sequence[float]], names: Mapping[str, str]) -> Figure:
    """How many parts reached which IoU, with a bar for each model; failures are at 0.

    Args:
        ious: The IoU of each part, by model.
        names: The labels part_iou and parts.
    """
    figure = _figure(names["part_iou"], names["parts"])
    edges = np.linspace(0, 1, BINS + 1)
    middles = ((edges[:-1] + edges[1:]) / 2).round(4).tolist()
    for colour, (name, values) in zip(COLOURS * len(ious), ious.items()):
        counts, _ = np.histogram(np.clip(values, 0, 1), edges)
        figure.add_bar(x=middles, y=counts.tolist(), name=name, marker_color=colour)
    figure.update_layout(xaxis_range=[0, 1], barmode="group", bargap=0.15)
    return figure


def _line(figure: Figure, steps: list[int], values: list[float], name: str, colour: str, dots: bool = False) -> None:
    if steps:
        mode = "lines+markers" if dots else "lines" if len(steps) > 1 else "markers"
        figure.add_scatter(x=steps, y=values, name=name, mode=mode, line={"color": colour, "width": 2.5})


def _dots(figure: Figure, steps: list[int], values: list[float], name: str, colour: str) -> None:
    if steps:
        figure.add_scatter(x=steps, y=values, name=name, mode="markers", marker={"color": colour, "size": 8})


def _figure(x: str, y: str) -> Figure:
    import plotly.graph_objects as go

    axis = {"gridcolor": "rgba(128,140,155,0.2)", "zeroline": False, "linecolor": GREY}
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=240,
        margin={"l": 48, "r": 12, "t": 34, "b": 40},
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#6f7b8b"},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
        showlegend=True,
        xaxis={"title": x, "rangemode": "tozero", **axis},
        yaxis={"title": y, **axis},
    )
    return figure
