"""Shorter spellings of what is drawn: rounded corners as such, and outlines that are equal once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from cadrecode.geometry import lines_meet, turned_left
from cadrecode.measure.features import SAME_SIZE, Feature, Prism, numbers_of, same_shape
from cadrecode.measure.judge import Judge, better
from cadrecode.measure.outlines import DECIMALS
from cadrecode.measure.proposals import region_of
from cadrecode.program.language import (
    ORIGIN,
    Arc,
    Blend,
    Corners,
    Face,
    Line,
    Loop,
    Point2,
    Rect,
    Sketch,
    SketchStep,
)

NEAR = 0.03  # CODE: how far an outline may be from its shorter spelling
SAME_RADIUS = 0.05  # of the radius: what the corners of an outline may differ by
LEAST_TURN = np.radians(25)  # of a corner that is rounded
RADIUS_DECIMALS = 0, 1, 2
SELECTORS = {None: (0, 0), ">X": (1, 0), "<X": (-1, 0), ">Y": (0, 1), "<Y": (0, -1)}  # the farthest corners that way

Edge = Line | Arc


def respelled(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features with fewer numbers in their sketches, which cover what they covered."""
    for index, feature in enumerate(features):
        if isinstance(feature, Prism) and not judge.out_of_time:
            shorter = replace(feature, steps=respelled_steps(feature.steps))
            features = better(features, (*features[:index], shorter, *features[index + 1 :]), judge)
    return features


def respelled_steps(steps: Sequence[SketchStep]) -> tuple[SketchStep, ...]:
    """Steps of a sketch with fewer numbers."""
    rounded = tuple(_with_round_corners(step) for step in steps)
    pooled = _pooled(rounded)
    return pooled if numbers_of(pooled) < numbers_of(rounded) and _same_region(pooled, rounded) else rounded


def _same_region(first: Sequence[SketchStep], second: Sequence[SketchStep]) -> bool:
    """Whether the outlines of two sketches are nowhere much apart."""
    one, other = region_of(first), region_of(second)
    parts = [np.asarray(part) for part in one.to_polygons()]
    around = sum(float(np.hypot(*(np.roll(part, -1, axis=0) - part).T).sum()) for part in parts)
    return (one - other).area() + (other - one).area() < NEAR * around


# --- rounded corners


def _with_round_corners(step: SketchStep) -> SketchStep:
    """A loop whose arcs round its corners as a rectangle or a loop of lines with its corners rounded."""
    if not isinstance(step.shape, Loop) or step.places != ORIGIN:
        return step
    for drawn, corners in _sharpened(step.shape):
        shorter = replace(step, shape=Face(Sketch((drawn, corners))))
        if numbers_of([shorter]) < numbers_of([step]) and _same_region(
            [SketchStep(step.shape)], [SketchStep(shorter.shape)]
        ):
            return shorter
    return step


def _sharpened(loop: Loop) -> Iterator[tuple[SketchStep, Corners]]:
    """The loop of lines and the corners that its arcs may round, with the fewest digits first."""
    found = _corners_of(loop)
    if found is None:
        return
    points, radii = found
    rounded = [radius for radius in radii if radius > 0]
    radius = float(np.median(rounded))
    if np.ptp(rounded) > max(SAME_RADIUS * radius, NEAR):
        return
    selector = _selector(points, [radius > 0 for radius in radii])
    if selector is False:
        return
    drawn = _polygon(points)
    slack = max(NEAR / 2, np.ptp(rounded) / 2)
    for short in (round(radius, decimals) for decimals in RADIUS_DECIMALS):
        if short > 0 and abs(short - radius) <= slack:
            yield drawn, Corners(Blend.FILLET, short, selector)


def _corners_of(loop: Loop) -> tuple[list[Point2], list[float]] | None:
    """The corners between the lines of a loop and the radius that each is rounded by, 0 where it is sharp; None where
    an arc does not round a corner."""
    edges = _closed(loop)
    starts = [start for start, _ in _started(loop)]
    if not any(isinstance(edge, Arc) for edge in edges):
        return None
    points, radii = [], []
    for i, edge in enumerate(edges):
        before, after = edges[i - 1], edges[(i + 1) % len(edges)]
        if isinstance(edge, Line):
            if isinstance(before, Line):
                points.append(starts[i])
                radii.append(0.0)
            continue
        if isinstance(before, Arc) or isinstance(after, Arc):
            return None
        corner = _rounded_corner((starts[i - 1], starts[i]), (edge.end, after.end), edge)
        if corner is None:
            return None
        points.append(corner[0])
        radii.append(corner[1])
    return points, radii


def _rounded_corner(
    before: tuple[Point2, Point2], after: tuple[Point2, Point2], arc: Arc
) -> tuple[Point2, float] | None:
    """Where two lines meet and the radius of the arc between them; None where it does not touch both."""
    (a, b), (c, d) = np.array(before), np.array(after)
    first, second = (b - a) / np.hypot(*(b - a)), (d - c) / np.hypot(*(d - c))
    turn = math.atan2(turned_left(first) @ second, first @ second)
    if not LEAST_TURN < abs(turn) < np.pi - LEAST_TURN:
        return None
    corner = lines_meet(b, first, c, second)
    setbacks = float((corner - b) @ first), float((c - corner) @ second)
    radius = sum(setbacks) / 2 / math.tan(abs(turn) / 2)
    center = b + radius * math.copysign(1, turn) * turned_left(first)
    touches = min(setbacks) > 0 and abs(setbacks[0] - setbacks[1]) < max(2 * NEAR, SAME_RADIUS * radius)
    on_arc = abs(math.dist(arc.middle, center) - radius) < max(2 * NEAR, SAME_RADIUS * radius)
    return (_short(corner), radius) if touches and on_arc else None


def _selector(points: Sequence[Point2], is_rounded: Sequence[bool]) -> str | bool | None:
    """What names the corners that are rounded; False where nothing does."""
    for selector, (x, y) in SELECTORS.items():
        reach = [x * point[0] + y * point[1] for point in points]
        if [value > max(reach) - NEAR for value in reach] == list(is_rounded):
            return selector
    return False


def _polygon(points: Sequence[Point2]) -> SketchStep:
    """A rectangle along the axes, or a loop of lines."""
    (left, low), (right, high) = np.min(points, axis=0), np.max(points, axis=0)
    ends = {(x, y) for x in (left, right) for y in (low, high)}
    if len(points) == 4 and set(points) == ends:
        middle = round(float(left + right) / 2, DECIMALS + 1), round(float(low + high) / 2, DECIMALS + 1)
        return SketchStep(Rect(*_short(np.subtract((right, high), (left, low)))), places=(middle,))
    return SketchStep(Loop(points[0], tuple(map(Line, points[1:]))))


# --- equal outlines


def _pooled(steps: Sequence[SketchStep]) -> tuple[SketchStep, ...]:
    """Outlines that are equal as one step with the places of all; nothing moves over a step of another mode."""
    pooled: list[SketchStep] = []
    for step in steps:
        for index in reversed(range(len(pooled))):
            if pooled[index].mode is not step.mode:
                pooled.append(step)
                break
            together = _together(pooled[index], step)
            if together is not None:
                pooled[index] = together
                break
        else:
            pooled.append(step)
    return tuple(pooled)


def _together(first: SketchStep, second: SketchStep) -> SketchStep | None:
    """Two steps as one, where their outlines are equal."""
    host, other = _about_middle(first), _about_middle(second)
    if host is None or other is None or not _alike(host.shape.sketch, other.shape.sketch):
        return None
    return replace(host, places=(*host.places, *other.places))


def _about_middle(step: SketchStep) -> SketchStep | None:
    """A single loop, or a sketch that begins with one or with a rectangle, as a sketch about its own middle that stands
    at its place."""
    if step.places != ORIGIN:
        return step if isinstance(step.shape, Face) and isinstance(step.places, tuple) else None
    drawn, *rest = step.shape.sketch.steps if isinstance(step.shape, Face) else (SketchStep(step.shape),)
    match drawn.shape:
        case Loop() if drawn.places == ORIGIN and not any(isinstance(other, SketchStep) for other in rest):
            corners = _points(drawn.shape)
            center = _short((corners.min(axis=0) + corners.max(axis=0)) / 2)
            drawn = SketchStep(_shifted(drawn.shape, center))
        case Rect() if isinstance(drawn.places, tuple) and len(drawn.places) == 1 and rest:
            (center,) = drawn.places
            drawn = replace(drawn, places=ORIGIN)
        case _:
            return None
    return replace(step, shape=Face(Sketch((drawn, *rest))), places=(center,))


def _alike(first: Sketch, second: Sketch) -> bool:
    if len(first.steps) != len(second.steps):
        return False
    for a, b in zip(first.steps, second.steps):
        if isinstance(a, Corners) or isinstance(b, Corners):
            same = isinstance(a, Corners) and isinstance(b, Corners) and a.selector == b.selector
            same = same and abs(a.size - b.size) < SAME_SIZE
        elif isinstance(a.shape, Loop) and isinstance(b.shape, Loop):
            same = _congruent(a.shape, b.shape)
        else:
            same = same_shape(a.shape, b.shape)
        if not same:
            return False
    return True


def _congruent(first: Loop, second: Loop) -> bool:
    """Whether one loop is the other, begun at any of its corners."""
    if len(_closed(first)) != len(_closed(second)):
        return False
    a, b = (np.array([[_middle(edge, start), edge.end] for start, edge in _started(loop)]) for loop in (first, second))
    return any(np.abs(a - np.roll(b, shift, axis=0)).max() < SAME_SIZE for shift in range(len(a)))


def _middle(edge: Edge, start: Point2) -> Point2:
    return edge.middle if isinstance(edge, Arc) else ((start[0] + edge.end[0]) / 2, (start[1] + edge.end[1]) / 2)


# --- loops


def _closed(loop: Loop) -> list[Edge]:
    """All edges, the last of which ends where the first begins."""
    edges = list(loop.edges)
    return edges if edges[-1].end == loop.start else [*edges, Line(loop.start)]


def _started(loop: Loop) -> list[tuple[Point2, Edge]]:
    """Where each edge begins, and the edge."""
    edges = _closed(loop)
    return [(edges[index - 1].end, edge) for index, edge in enumerate(edges)]


def _points(loop: Loop) -> np.ndarray:
    return np.array([_middle(edge, start) if part else start for start, edge in _started(loop) for part in range(2)])


def _shifted(loop: Loop, center: Point2) -> Loop:
    """A loop with its origin at `center`."""

    def at(point: Point2) -> Point2:
        return _short(np.subtract(point, center))

    edges = (Arc(at(e.middle), at(e.end)) if isinstance(e, Arc) else Line(at(e.end)) for e in loop.edges)
    return Loop(at(loop.start), tuple(edges))


def _short(point: np.ndarray) -> Point2:
    return round(float(point[0]), DECIMALS) + 0.0, round(float(point[1]), DECIMALS) + 0.0
