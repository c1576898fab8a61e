"""Curves and histograms: the numbers that were logged, and nothing that was not."""

import numpy as np
import pytest

from cadrecode.ui.draw import figures

NAMES = {
    "iou": "IoU",
    "gain": "gain",
    "invalid": "invalid",
    "step": "step",
    "rate": "rate",
    "parts": "parts",
    "part_iou": "IoU",
}


def test_smoothing_keeps_a_constant_and_follows_a_step():
    np.testing.assert_allclose(figures.smooth(np.full(5, 2.0)), 2.0)
    follows = figures.smooth(np.r_[np.ones(5), np.zeros(60)])
    assert follows[4] == pytest.approx(1)
    assert follows[-1] < 1e-3


def test_the_curve_has_both_losses_and_leaves_out_what_is_no_number():
    names = {"raw": "each", "smooth": "smooth", "eval": "held-out", "step": "step", "loss": "loss"}
    metrics = [
        {"step": 1, "loss": 3.0},
        {"step": 2, "loss": None},
        {"step": 2, "eval_loss": 2.5},
        {"step": 3, "loss": 1.0},
    ]
    traces = {trace.name: trace for trace in figures.losses(metrics, names).data}
    assert list(traces["each"].x) == [1, 3]
    assert list(traces["held-out"].y) == [2.5]
    assert not figures.losses([], names).data


def test_another_run_lies_over_the_curve():
    names = {"raw": "each", "smooth": "smooth", "eval": "held-out", "step": "step", "loss": "loss"}
    other = {"plates": [{"step": 5, "loss": 2.0}, {"step": 6, "loss": 2.0}]}
    traces = {trace.name: trace for trace in figures.losses([{"step": 1, "loss": 3.0}], names, other).data}
    assert list(traces["plates"].y) == pytest.approx([2.0, 2.0])
    assert traces["plates"].line.color != traces["smooth"].line.color


def test_quality_shows_what_was_evaluated():
    rows = [{"step": 0, "median_iou": 0.5, "invalid_ratio": 0.25}, {"step": 5, "loss": 1.0}]
    traces = {trace.name: trace for trace in figures.quality(rows, NAMES).data}
    assert (list(traces["IoU"].y), list(traces["invalid"].y)) == ([0.5], [0.25])
    assert [list(trace.y) for trace in figures.rate([{"step": 1, "learning_rate": 1e-3}], NAMES).data] == [[1e-3]]


def test_the_gain_has_its_interval_also_where_it_is_a_loss():
    rows = [
        {"step": 0, "median_iou": 0.5},
        {"step": 5, "median_iou": 0.6, "gain": 0.1, "gain_low": -0.2, "gain_high": 0.15},
    ]
    figure = figures.quality(rows, NAMES)
    [gain] = [trace for trace in figure.data if trace.name == "gain"]
    assert (list(gain.x), list(gain.y)) == ([5], [0.1])
    assert (list(gain.error_y.array), list(gain.error_y.arrayminus)) == (pytest.approx([0.05]), pytest.approx([0.3]))
    assert figure.layout.yaxis.range[0] < -0.2
    assert all(trace.name != "gain" for trace in figures.quality(rows[:1], NAMES).data)


def test_a_histogram_counts_every_part():
    (trace,) = figures.histogram({"base": [0.0, 0.0, 0.97, 0.99, 1.0]}, NAMES).data
    assert sum(trace.y) == 5
    assert (trace.y[0], trace.y[-1]) == (2, 3)
