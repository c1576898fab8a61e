"""Places on a circle or in rows, written as such."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from cadrecode.measure.outlines import short
from cadrecode.measure.pieces import LARGEST_RADIUS
from cadrecode.measure.walls import circle_through_all
from cadrecode.program.language import Grid, Places, Point2, Ring, points_of

FEWEST = 3  # places of a pattern
NEAR = 0.05  # CODE: how far a place may be from its pattern
SAME_ROW = 0.1  # CODE: places of one row of a grid are nearer across it
ANGLES = (1.0, 0.5, 0.01)  # degrees: of places on a circle, multiples of the first that is near enough


def rounded_places(places: Places, decimals: int) -> Places:
    """With so many decimals; angles as they are."""

    def short(*values: float) -> tuple[float, ...]:
        return tuple(round(value, decimals) + 0.0 for value in values)

    match places:
        case Ring(center, radius, first, sweep, count):
            return Ring(short(*center), round(radius, decimals) + 0.0, first, sweep, count)
        case Grid(center, dx, dy, columns, rows):
            dx, dy = short(dx, dy)
            return Grid(short(*center), dx, dy, columns, rows)
    return tuple(short(*place) for place in places)


def places_numbers(places: Places) -> int:
    """The number of numbers in the text of places."""
    if isinstance(places, tuple):
        return 0 if places == ((0.0, 0.0),) else 2 * len(places)
    return 4 + (0 if places.center == (0, 0) else 2)


@lru_cache(maxsize=4096)
def pattern_of(places: tuple[Point2, ...], *, turns: bool) -> Places:
    """Places as a ring or a grid where they are one and that takes fewer numbers.

    Args:
        turns: Whether what stands there may be turned: shapes on a ring are.
    """
    if len(places) < FEWEST or len(set(places)) < len(places):
        return places
    candidates = [_grid(places), _ring(places) if turns else None]
    patterns = [pattern for pattern in candidates if pattern is not None and _same_places(points_of(pattern), places)]
    return min([places, *patterns], key=places_numbers)


def _same_places(pattern: tuple[Point2, ...], places: tuple[Point2, ...]) -> bool:
    if len(pattern) != len(places):
        return False
    apart = np.hypot(*(np.array(pattern)[:, None] - np.array(places)[None]).transpose(2, 0, 1))
    return bool(apart.min(axis=1).max() <= NEAR and apart.min(axis=0).max() <= NEAR)


def _grid(places: tuple[Point2, ...]) -> Grid | None:
    columns, rows = (_rows(np.array(places)[:, axis]) for axis in range(2))
    if len(columns) * len(rows) != len(places):
        return None
    dx, dy = (short((line[-1] - line[0]) / max(len(line) - 1, 1)) for line in (columns, rows))
    dx, dy = dx or dy, dy or dx  # of a single row, which has no spacing
    center = short((columns[0] + columns[-1]) / 2), short((rows[0] + rows[-1]) / 2)
    return Grid(center, dx, dy, len(columns), len(rows))


def _rows(values: np.ndarray) -> np.ndarray:
    """The heights of rows, lowest first."""
    values = np.sort(values)
    return np.array([row.mean() for row in np.split(values, np.flatnonzero(np.diff(values) > SAME_ROW) + 1)])


def _ring(places: tuple[Point2, ...]) -> Ring | None:
    x, y, radius = circle_through_all(np.array(places))
    if not 0 < radius < LARGEST_RADIUS:
        return None
    angles = np.sort(np.degrees(np.arctan2(*(np.array(places) - (x, y)).T[::-1])))
    step = 360 / len(places)
    first = float(np.mean(angles - step * np.arange(len(places))))
    ring = Ring((short(x), short(y)), short(radius), first, 360, len(places))
    starts = [_from_zero(first, step, grid) for grid in ANGLES]
    simple = (replace(ring, first=start) for start in starts)
    return next((own for own in simple if _same_places(points_of(own), places)), replace(ring, first=starts[-1]))


def _from_zero(first: float, step: float, grid: float) -> float:
    """The angle of the place of a full circle that comes first, from 0 on: a multiple of `grid`."""
    near = round(round(first % step / grid) * grid, 2)
    return 0.0 if near >= round(step, 2) else near
