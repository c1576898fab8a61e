"""Charts as SVG, which stands in the page itself and takes its colours from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

# Colour-blind people can tell the first four apart, on white as on dark.
COLOURS = (
    "#1f5fbf", "#c2570c", "#2a8f62", "#8659b5", "#0e8ca3", "#a07d00", "#b0306a", "#6b6f76", "#5a8f1f", "#8c5a2b"
)  # fmt: skip
BINS = 20
WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 34, 12, 10, 34  # around the histogram
LINE = 22  # height of a line of the sweep's charts
NAMES, FIGURES = 130, 42  # left and right of a line's bar

RECT = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" {}><title>{}</title></rect>')
TEXT = Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
RULE = Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"{}/>')
CHART = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')


def histogram(columns: Sequence[tuple[str, np.ndarray]], title: str, axis: str) -> Markup:
    """How many shapes reached which IoU, with a bar for each column.

    Args:
        columns: A name and (n,) IoU each.
        title, axis: Text, for screen readers and below the chart.
    """
    edges = np.linspace(0, 1, BINS + 1)
    counts = [np.histogram(np.clip(ious, 0, 1), edges)[0] for _, ious in columns]
    most = max([int(count.max()) for count in counts] + [1])
    per_count = (HEIGHT - TOP - BOTTOM) / most
    bin_width = (WIDTH - LEFT - RIGHT) / BINS
    bar = bin_width * 0.85 / max(len(columns), 1)
    base = HEIGHT - BOTTOM
    parts = [RULE.format(LEFT, base, WIDTH - RIGHT, base, "")]
    for value in sorted({most, most // 2} - {0}):
        y = base - value * per_count
        parts += [RULE.format(LEFT, y, WIDTH - RIGHT, y, ""), TEXT.format(LEFT - 5, y + 4, "end", value)]
    for tick in (0, 0.2, 0.4, 0.6, 0.8, 1):
        parts.append(TEXT.format(LEFT + tick * BINS * bin_width, base + 15, "middle", f"{tick:g}"))
    parts.append(TEXT.format((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, "middle", axis))
    for place, ((name, _), heights) in enumerate(zip(columns, counts)):
        paint = Markup('fill="{}"').format(COLOURS[place % len(COLOURS)])
        for index, count in enumerate(heights):
            if count:
                x = LEFT + bin_width * index + bin_width * 0.075 + bar * place
                tip = f"{name}, {edges[index]:.2f} – {edges[index + 1]:.2f}: {count}"
                parts.append(RECT.format(x, base - count * per_count, bar, count * per_count, paint, tip))
    return CHART.format(WIDTH, HEIGHT, title, Markup("").join(parts))


@dataclass(frozen=True)
class ScanLine:
    """The line of a sweep for a kind of scan.

    Args:
        name: In words.
        mean, low, high: Mean IoU, failures 0, and its interval.
        shares: Class of the colour, words, and share of the shapes each.
    """

    name: str
    mean: float
    low: float
    high: float
    shares: Sequence[tuple[str, str, float]]


def iou_chart(lines: Sequence[ScanLine], title: str) -> Markup:
    """A line for each kind of scan: the mean IoU as a dot on its interval."""
    height = LINE * len(lines) + BOTTOM
    length = WIDTH - NAMES - FIGURES
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = NAMES + tick * length
        parts += [RULE.format(x, 0, x, height - 22, ""), TEXT.format(x, height - 6, "middle", f"{tick:g}")]
    for place, line in enumerate(lines):
        y = LINE * (place + 0.5) + 2
        low, mean, high = (NAMES + length * value for value in (line.low, line.mean, line.high))
        wide = Markup(' style="stroke:{};stroke-width:3;stroke-opacity:.45"').format(COLOURS[0])
        parts += [TEXT.format(NAMES - 8, y + 4, "end", line.name), RULE.format(low, y, high, y, wide)]
        parts.append(Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4" fill="{}"/>').format(mean, y, COLOURS[0]))
        parts.append(TEXT.format(WIDTH, y + 4, "end", f"{line.mean:.3f}"))
    return CHART.format(WIDTH, height, title, Markup("").join(parts))


def verdict_chart(lines: Sequence[ScanLine], title: str) -> Markup:
    """A line for each kind of scan: the shares of the verdicts, the good matches that are wrong apart."""
    height = LINE * len(lines) + 6
    length = WIDTH - NAMES
    parts = []
    for place, line in enumerate(lines):
        y, x = LINE * place + 4, float(NAMES)
        parts.append(TEXT.format(NAMES - 8, y + 12, "end", line.name))
        for kind, words, share in line.shares:
            if share:
                paint = Markup('class="{}"').format(kind)
                parts.append(RECT.format(x, y, length * share, LINE - 6, paint, f"{line.name}, {words}: {share:.0%}"))
                x += length * share
    return CHART.format(WIDTH, height, title, Markup("").join(parts))
