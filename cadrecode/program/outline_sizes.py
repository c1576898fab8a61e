"""The sizes and the places of what is drawn in a sketch: of loops, of slots, of patterns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from cadrecode.geometry import bounding_box
from cadrecode.program.language import Arc, Grid, Loop, Places, Point2, Ring
from cadrecode.program.roles import Obround

SAME = 1e-6  # coordinates nearer to each other than this count as equal
SAME_SHARE = 1e-3  # of a pattern's size: how far a place may be off its circle or its grid
Path = tuple[str | int, ...]  # to a number in the tree: ("steps", 0, "solid", "radius")
Moves = tuple[tuple[Path, float], ...]  # numbers that move together, and how far each moves
Size = tuple[str, float, Moves, bool]  # name, value, moves, whether it is a length


def move_of(*path: str | int, factor: float = 1.0) -> Moves:
    return ((path, factor),)


def _moved(path: Path, direction: Point2, factor: float = 1.0) -> Moves:
    """A point that moves along a direction."""
    return tuple(((*path, axis), factor * direction[axis]) for axis in range(2) if abs(direction[axis]) > SAME)


def loop_sizes(loop: Loop, path: Path) -> Iterator[Size]:
    """Width and length of a loop, and where its corners are.

    Corners in line move together, so that straight edges stay square, and the two ends of an arc, so that it keeps its
    radius.
    """
    edges = itertools.count(1)
    for axis, (what, letter) in enumerate((("width", "x"), ("length", "y"))):
        clusters = _clusters(loop, path, axis, with_arcs=True)
        if clusters[0][1] == max(high for _, high, _ in clusters):  # arcs reach from one end to the other
            clusters = _clusters(loop, path, axis, with_arcs=False)
        lowest, highest = clusters[0][0], max(high for _, high, _ in clusters)
        if len(clusters) > 1:
            last = max(range(len(clusters)), key=lambda index: clusters[index][1])
            yield what, highest - lowest, clusters[last][2], True
            inner = [cluster for index, cluster in enumerate(clusters) if index not in (0, last)]
            for low, _, moves in inner:
                yield f"edge {next(edges)} {letter}", low, moves, False
        yield letter, lowest, tuple(move for *_, moves in clusters for move in moves), False


def turned_sizes(loop: Loop, path: Path, along: str, *, is_cut: bool) -> Iterator[Size]:
    """Diameters and lengths of a half profile that is turned about its y axis, the largest first: its own, those of its
    shoulders, and that of a bore.

    Args:
        along: What its length is called: of a disk its thickness.
        is_cut: It is taken away, so what is around its axis stays and is no bore.
    """
    radii = sorted(
        ((max(low, high, key=abs), moves) for low, high, moves in _clusters(loop, path, 0, with_arcs=False)),
        key=lambda radius: -abs(radius[0]),
    )
    has_bore = not is_cut and abs(radii[-1][0]) > SAME and len(radii) > 1
    for index, (radius, moves) in enumerate(radii):
        what = f"shoulder {index} diameter" if index else "diameter"
        if has_bore and index == len(radii) - 1:
            what = "bore diameter"
        halved = tuple((place, math.copysign(0.5 * factor, radius)) for place, factor in moves)
        if abs(radius) > SAME:
            yield what, 2 * abs(radius), halved, True
    heights = _clusters(loop, path, 1, with_arcs=False)
    yield along, heights[-1][0] - heights[0][0], heights[-1][2], True
    for index, (low, _, moves) in enumerate(heights[1:-1], 1):
        yield f"face {index} offset", low, moves, False
    yield "offset", heights[0][0], tuple(move for *_, moves in heights for move in moves), False


def _clusters(loop: Loop, path: Path, axis: int, *, with_arcs: bool) -> list[tuple[float, float, Moves]]:
    """Coordinates that move together, lowest first: the lowest and the highest of each, and the moves.

    Args:
        with_arcs: The ends of an arc move together.
    """
    points = [((*path, "start"), loop.start)]
    points += [((*path, "edges", index, "end"), edge.end) for index, edge in enumerate(loop.edges)]
    values = [round(point[axis] / SAME) for _, point in points]
    cluster_of = {value: value for value in values}
    if with_arcs:
        for index, edge in enumerate(loop.edges):
            if isinstance(edge, Arc):
                ends = cluster_of[values[index]], cluster_of[values[index + 1]]
                cluster_of = {v: ends[0] if c == ends[1] else c for v, c in cluster_of.items()}
    moves: dict[int, dict[Path, float]] = {cluster: {} for cluster in cluster_of.values()}
    for (place, _), value in zip(points, values):
        moves[cluster_of[value]][(*place, axis)] = 1.0
    for index, edge in enumerate(loop.edges):
        if isinstance(edge, Arc):
            middle = (*path, "edges", index, "middle", axis)
            for value in (values[index], values[index + 1]):
                own = moves[cluster_of[value]]
                own[middle] = own.get(middle, 0.0) + 0.5
    members: dict[int, list[float]] = {}
    for (_, point), value in zip(points, values):
        members.setdefault(cluster_of[value], []).append(point[axis])
    return sorted((min(own), max(own), tuple(moves[cluster].items())) for cluster, own in members.items())


def slot_sizes(loop: Loop, slot: Obround, path: Path) -> Iterator[Size]:
    """Width and length of a slot with round ends, and its middle."""
    points = [((*path, "start"), loop.start)]
    for index, edge in enumerate(loop.edges):
        here = (*path, "edges", index)
        points += [((*here, "middle"), edge.middle)] if isinstance(edge, Arc) else []
        points.append(((*here, "end"), edge.end))
    (ax, ay), (cx, cy) = slot.along, slot.center
    wider: Moves = ()
    longer: Moves = ()
    for place, (x, y) in points:
        along, across = (x - cx) * ax + (y - cy) * ay, (y - cy) * ax - (x - cx) * ay
        end = math.copysign(0.5, along)
        longer += _moved(place, slot.along, end)
        if abs(across) < 0.25 * slot.width:  # the middle of an end
            continue
        wider += _moved(place, slot.along, -end) + _moved(place, (-ay, ax), math.copysign(0.5, across))
    yield "width", slot.width, wider, True
    yield "length", slot.length, longer, True
    for axis, letter in enumerate("xy"):
        yield letter, slot.center[axis], tuple(((*place, axis), 1.0) for place, _ in points), False


def place_sizes(places: Places, path: Path, is_turned: bool) -> Iterator[Size]:
    """The pitch circle or the spacings of equal shapes, and their middle; or each place, where they have no order.

    Args:
        is_turned: The part is round: four places in a square are on a circle.
    """
    match places:
        case Ring():
            yield "pitch circle diameter", 2 * places.radius, move_of(*path, "radius", factor=0.5), True
            yield "first angle", places.first, move_of(*path, "first"), False
            yield from _middle(places.center, [(*path, "center")])
            return
        case Grid():
            is_row = 1 in (places.columns, places.rows) and places.dx == places.dy  # which has an idle spacing
            for letter, field, number in (("x", "dx", places.columns), ("y", "dy", places.rows)):
                if number > 1:
                    moving = ("dx", "dy") if is_row else (field,)
                    moves = tuple(((*path, own), 1.0) for own in moving)
                    yield f"spacing {letter}", getattr(places, field), moves, True
            yield from _middle(places.center, [(*path, "center")])
            return
    paths = [(*path, index) for index in range(len(places))]
    points = np.array(places, float)
    ordered = list(_spacings(points, paths, is_turned)) if len(points) > 1 else []
    yield from ordered
    if ordered or len(points) == 1:
        on_circle = ordered and ordered[0][0].startswith("pitch")
        middle = (points if on_circle else bounding_box(points)).mean(axis=0)
        yield from _middle((float(middle[0]), float(middle[1])), paths)
        return
    for index, (place, point) in enumerate(zip(paths, places)):
        for axis, letter in enumerate("xy"):
            yield f"place {index + 1} {letter}", point[axis], move_of(*place, axis), False


def _middle(point: Point2, paths: list[Path]) -> Iterator[Size]:
    for axis, letter in enumerate("xy"):
        yield letter, point[axis], tuple(((*path, axis), 1.0) for path in paths), False


def _spacings(points: np.ndarray, paths: list[Path], is_turned: bool) -> Iterator[Size]:
    """Sizes of two places, a circle of places, or a full grid of them; none where they are neither."""
    if len(points) == 2:
        gap = points[1] - points[0]
        length = float(np.hypot(*gap))
        if length > SAME:
            along = tuple((gap / length).tolist())
            yield "spacing", length, _moved(paths[0], along, -0.5) + _moved(paths[1], along, 0.5), True
        return
    radius = pitch_radius(points)
    spacings = list(_grid_spacings(points, paths))
    if radius is not None and (is_turned or not spacings):
        directions = (points - points.mean(axis=0)) / radius
        moves = sum((_moved(path, tuple(d), 0.5) for path, d in zip(paths, directions.tolist())), ())
        yield "pitch circle diameter", 2 * radius, moves, True
    else:
        yield from spacings


def pitch_radius(points: np.ndarray) -> float | None:
    """The radius of the circle that places divide evenly; None where they do not."""
    away = points - points.mean(axis=0)
    reach = np.hypot(*away.T)
    radius = float(reach.mean())
    angles = np.sort(np.arctan2(away[:, 1], away[:, 0]))
    gaps = np.diff(np.append(angles, angles[0] + math.tau))
    even = np.abs(gaps - math.tau / len(points)).max() <= SAME_SHARE * math.tau
    on_circle = radius > SAME and np.abs(reach - radius).max() <= SAME_SHARE * radius
    return radius if even and on_circle else None


def _grid_spacings(points: np.ndarray, paths: list[Path]) -> Iterator[Size]:
    """The spacings of places in full columns and rows."""
    slack = SAME_SHARE * float(np.ptp(points, axis=0).max())
    indices, steps = [], []
    for axis in range(2):
        values = np.sort(points[:, axis])
        levels = values[np.append(True, np.diff(values) > slack)]
        gaps = np.diff(levels)
        if len(gaps) and np.ptp(gaps) > slack:
            return
        steps.append(float(gaps.mean()) if len(gaps) else 0.0)
        indices.append(np.abs(points[:, axis][:, None] - levels).argmin(axis=1))
    counts = [int(index.max()) + 1 for index in indices]
    if counts[0] * counts[1] != len(points):
        return
    for axis, letter in enumerate("xy"):
        if counts[axis] > 1:
            middle = (counts[axis] - 1) / 2
            moves = tuple(((*p, axis), float(k - middle)) for p, k in zip(paths, indices[axis]) if k != middle)
            yield f"spacing {letter}", steps[axis], moves, True
