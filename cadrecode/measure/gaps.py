"""Through holes by the gaps that they leave in both faces of a wall, and by the few points of their own walls.

A disc or a rectangle on a face, where n points would fall by their density and none does, is chance with e^-n. Both
faces of a wall have the gap of a through hole, so that even a hole whose own wall holds two or three points is seen.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from manifold3d import CrossSection, Manifold
from scipy.ndimage import find_objects, label, maximum
from scipy.spatial import Delaunay, QhullError, cKDTree

from cadrecode.geometry import nearest_on_rims, square_to, turned_left
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.emptiness import Emptiness
from cadrecode.measure.evidence import HALF_EXPLAINED, HOLE_NUMBERS
from cadrecode.measure.features import Feature, Prism, Tilted
from cadrecode.measure.grid import inside
from cadrecode.measure.outlines import rect_between
from cadrecode.measure.proposals import region_of
from cadrecode.measure.shorten import pooled_steps
from cadrecode.measure.turning import rows_of, turned_by
from cadrecode.measure.walls import circle_through_all, circles_through
from cadrecode.program.language import Circle, Operation, Rect, SketchStep
from cadrecode.program.solid import triangles_of

SQUARE = 0.9999  # cosine of a face of a body with the axis
LEAST_WALL = 1e-3  # of the size squared: walls with smaller faces are left out
NEAR_FACE = 2.0  # times the distance at which a surface explains a point: the points of a face are nearer
LEAST_RADIUS = 0.004, 2.5  # of the size, and of how exact the points are; the smaller
# points expected on both faces of a gap in which none lies: at least, and so that of this many places less than one is
# empty by chance
LEAST_EXPECTED, PLACES_PER_POINT = 7.0, 0.05
WALL_POINTS = 2, 3  # of a hole with a smaller gap: on a Delaunay triangle, and in all on its circle
ON_CIRCLE = 0.05  # of the radius
LEAST_DENSE = 0.45  # of the points to expect on the wall of a hole
MOST_BARE = 0.25, 2e-3  # of the depth of a hole without a point of its wall, where that is less likely by chance
WIDEST_OPENING = np.radians(240)  # around a hole, without a point of its wall; with more it is a rounded edge
CLEAR_WALL = 1.5  # times as many unexplained points on the wall of a hole as around it
BRIDGE = 0.7  # half the width of the bridge between a hole and a rim, in radii of the hole
WITHIN = 0.97  # share of a gap's area that lies on both faces
CLEAR, PIXELS = (1.1, 0.85), 4  # spacings: places that far from all points are a gap; pixels per spacing
PLACES = 16  # per spacing: points that are nearer to each other bound the same gaps
MOST_SQUARE, MOST_GAPS = 24, 400  # rectangles and gaps of one wall
SHARE, MUCH_MORE = 0.5, 2.0  # of the time that is left, for looking again; that pays with so many times the points
MOST_FAILURES = 60  # gaps of one direction whose points do not pay for them
EVEN, UNEVEN = 0.25, 1.0  # how far faces along axes, and others, may lie off their plane, by what a surface explains
MOST_TILTS = 4  # directions that are no axis
# of the size squared: the faces of a tilted direction together, and a single face
LEAST_TILTED, LEAST_TRIANGLE = 5e-3, 1e-3
DIRECTION_DECIMALS = 6
ROOM = 4.0, 20.0  # times its width, and spacings, together: how far a rectangle may grow to each side
SLACK = 0.02  # spacings: how far a rectangle may go beyond a point


@dataclass(frozen=True)
class View:
    """A cloud turned so that a direction points up.

    Args:
        rows: (3, 3), the directions of a sketch's axes, and the one that points up.
        points: (N, 3) along these.
        axis: That points up; None for a direction that is no axis.
    """

    rows: np.ndarray
    points: np.ndarray
    axis: int | None = None

    @classmethod
    def along(cls, axis: int, judge: CloudJudge) -> View:
        rows = rows_of(axis)
        return cls(rows, judge.points @ rows.T, axis)

    @classmethod
    def tilted(cls, normal: np.ndarray, judge: CloudJudge) -> View:
        normal = np.round(normal, DIRECTION_DECIMALS) + 0.0
        aside = np.round(square_to(normal)[:, 0], DIRECTION_DECIMALS) + 0.0
        rows = np.stack((aside, np.cross(normal, aside), normal))
        return cls(rows, judge.points @ rows.T)

    def cut(self, wall: Wall, step: SketchStep, judge: CloudJudge) -> Prism | Tilted:
        """A hole through a wall."""
        if self.axis is not None:
            return Prism(Operation.CUT, self.axis, round(wall.low, 3), round(wall.high, 3), (step,))
        low, high = round(wall.low - judge.exact, 3), round(wall.high + judge.exact, 3)  # it has no level to end at
        aside, _, normal = (tuple(map(float, row)) for row in self.rows)
        return Tilted(Operation.CUT, aside, normal, low, high, (step,))


@dataclass(frozen=True)
class Wall:
    """Material between two parallel faces of a body.

    Args:
        low, high: Heights of the faces.
        area: Where both face each other, on the plane of a sketch between them.
    """

    low: float
    high: float
    area: CrossSection


def with_all_gaps(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    """`with_gaps` by the judge's points, which shows how long that takes, then by as many of the cloud as there is time
    for."""
    began = time.thread_time()
    found = with_gaps(features, judge)
    now = time.thread_time()
    times = SHARE * (judge.deadline - now) / max(now - began, 1e-3)
    more = judge.by(len(judge.points) * max(times, 1.0))
    return with_gaps(features, more) if len(more.points) > MUCH_MORE * len(judge.points) else found


def with_gaps(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with through holes cut for gaps that both faces of a wall have, each where its points pay for it."""
    sharp = judge.sharper()
    added: list[Prism | Tilted] = []
    views = [View.along(axis, judge) for axis in range(3)]
    views += [View.tilted(normal, judge) for normal in tilts(judge.build(features), judge.size)]
    for view in views:
        body = judge.build((*features, *added))
        lost = sharp.costs((*features, *added)) > HALF_EXPLAINED
        walls = itertools.takewhile(lambda _: not judge.out_of_time, _walls_of(body, view, judge))
        tried = [gap for wall in walls for gap in _gaps(wall, lost, view, judge)]
        failures = 0
        for _, hole in sorted(tried, key=lambda pair: -pair[0]):
            if judge.out_of_time or failures == MOST_FAILURES:
                break
            region = region_of(hole.steps)
            same = [other for other in added if other.normal == hole.normal]
            if any(not (region ^ region_of(other.steps)).is_empty() for other in same):
                continue
            before = (*features, *added)
            least = sharp.nats_per_number * (HOLE_NUMBERS + isinstance(hole.steps[0].shape, Rect))
            if sharp.evidence(before, (*before, hole)) > least:
                added.append(hole)
            else:
                failures += 1
    return (*features, *_together(added))


def _together(holes: Sequence[Prism | Tilted]) -> list[Prism | Tilted]:
    """The holes, with those of the same span joined into one feature."""
    spans: dict[Prism | Tilted, list[SketchStep]] = {}
    for hole in holes:
        spans.setdefault(replace(hole, steps=()), []).extend(hole.steps)
    return [replace(hole, steps=pooled_steps(steps)) for hole, steps in spans.items()]


def tilts(body: Manifold, size: float) -> list[np.ndarray]:
    """Directions (3,) that are no axis, in which large faces of a body look, and others against them."""
    _, normals, areas = triangles_of(body)
    left = np.abs(normals).max(axis=1) < SQUARE
    tilts: list[np.ndarray] = []
    while len(tilts) < MOST_TILTS and areas[left].max(initial=0.0) > LEAST_TRIANGLE * size**2:
        normal = normals[np.where(left, areas, 0.0).argmax()]
        facing = normals @ normal
        sides = [areas[left & (way * facing > SQUARE)].sum() for way in (-1, 1)]
        left &= np.abs(facing) <= SQUARE
        if min(sides) > LEAST_TILTED * size**2:
            tilts.append(normal)
    return tilts


def _walls_of(body: Manifold, view: View, judge: CloudJudge) -> Iterator[Wall]:
    """The walls of a body across the direction that points up."""
    turned, step = turned_by(body, view.rows), judge.exact * (UNEVEN if view.axis is None else EVEN)
    corners, normals, _ = triangles_of(turned)
    facing, heights = normals[:, 2], corners[:, :, 2].mean(axis=1)
    sides = []
    for way in (-1, 1):
        levels = np.unique(np.round(heights[way * facing > SQUARE], 3))
        levels = levels[np.diff(levels, prepend=-np.inf) > step]
        sides.append([(float(z), turned.slice(z - way * step) - turned.slice(z + way * step)) for z in levels])
    least = LEAST_WALL * judge.size**2
    for low, below in sides[0]:
        for high, above in sides[1]:
            if judge.out_of_time:
                return
            area = below ^ above if high > low + 2 * step else CrossSection()
            if area.area() > least:
                area = area ^ turned.slice((low + high) / 2)
            if area.area() > least:
                yield Wall(low, high, area)


def _least_expected(judge: CloudJudge) -> float:
    return max(LEAST_EXPECTED, math.log(PLACES_PER_POINT * len(judge.points)))


def _gaps(wall: Wall, lost: np.ndarray, view: View, judge: CloudJudge) -> list[tuple[float, Prism | Tilted]]:
    """Holes that may go through a wall, each with the number of points that speak for it."""
    flat, heights = view.points[:, :2], view.points[:, 2]
    near = NEAR_FACE * judge.close
    here = (heights > wall.low - near) & (heights < wall.high + near)
    left, low, right, high = wall.area.bounds()
    here &= (flat > (left - near, low - near)).all(axis=1) & (flat < (right + near, high + near)).all(axis=1)
    if np.count_nonzero(here) < 4:
        return []
    within = (heights > wall.low + judge.exact) & (heights < wall.high - judge.exact)
    of_wall, explained = view.points[lost & within], flat[here & ~lost]
    flat = flat[here]
    empty = Emptiness.of(flat, wall.area.bounds(), judge.spacing / PIXELS)
    round_gaps = _round_gaps(empty, flat, (lost & within)[here], judge)
    shapes = [*round_gaps, *_square_gaps(wall.area, empty, flat, judge)]
    gaps: list[tuple[float, Prism | Tilted]] = []
    taken: list[tuple[float, float, float]] = []
    for count, step in sorted(shapes, key=lambda pair: -pair[0]):
        if len(gaps) == MOST_GAPS or judge.out_of_time:
            break
        (x, y), shape = step.places[0], step.shape
        reach = _half_width(shape)
        region = region_of((step,))
        if any(np.hypot(x - u, y - v) < 0.5 * min(reach, r) and reach > r / 3 for u, v, r in taken):
            continue
        is_within = (region ^ wall.area).area() > WITHIN * region.area()
        if is_within and _has_wall(step, wall, of_wall, judge) and _is_apart(step, wall, explained, judge):
            taken.append((x, y, reach))
            gaps.append((count, view.cut(wall, step, judge)))
    return gaps


def _half_width(shape: Circle | Rect) -> float:
    return shape.radius if isinstance(shape, Circle) else min(shape.width, shape.height) / 2


def _has_wall(step: SketchStep, wall: Wall, lost: np.ndarray, judge: CloudJudge) -> bool:
    """Whether about as many points lie on the wall of a hole as its area asks for.

    Args:
        lost: (n, 3) points within the wall that the body does not explain.
    """
    away, shape = lost[:, :2] - step.places[0], step.shape
    if isinstance(shape, Circle):
        length, off = 2 * np.pi * shape.radius, np.hypot(*away.T) - shape.radius
        near = ON_CIRCLE * shape.radius
    else:
        half = np.array((shape.width, shape.height)) / 2
        length, off = 4 * half.sum(), (np.abs(away) - half).max(axis=1)
        near = ON_CIRCLE * half.min()
    is_on = np.abs(off) < near + judge.exact
    on, heights = away[is_on], np.sort(lost[is_on, 2])
    beside = np.count_nonzero((off > near + judge.exact) & (off < length / (2 * np.pi) + judge.spacing))
    angles = np.sort(np.arctan2(*on.T))
    if (
        len(on) < CLEAR_WALL * beside
        or not len(on)
        or np.diff(angles, append=angles[0] + 2 * np.pi).max() > WIDEST_OPENING
    ):
        return False
    low, high = wall.low + judge.exact, wall.high - judge.exact
    bare = np.diff(heights, prepend=low, append=high).max() / (high - low)
    # of the longest of n + 1 intervals between n even places, where at most one is so long
    chance = (len(on) + 1) * (1 - min(bare, 1.0)) ** len(on)
    if bare > MOST_BARE[0] and chance < MOST_BARE[1]:
        return False
    expected = judge.per_area * length * (high - low)
    return len(on) >= LEAST_DENSE * expected


def _is_apart(step: SketchStep, wall: Wall, flat: np.ndarray, judge: CloudJudge) -> bool:
    """Whether points lie between a hole and the nearest rim of its wall, where that is no farther than points are from
    each other. Else the hole may be a part of what opens there: the tip of a drop, the round end of a slot.

    Args:
        flat: (n, 2) points of the wall and of both of its faces that the body explains: beside a rounded edge or a
            countersink that it lacks there are others.
    """
    middle, shape = np.array(step.places[0]), step.shape
    reach = _half_width(shape)
    [rim] = nearest_on_rims(middle[None], wall.area.to_polygons())
    away = float(np.hypot(*(rim - middle)))
    if away > reach + judge.spacing:
        return True
    along = (rim - middle) / max(away, 1e-9)
    between = (flat - middle) @ along
    aside = np.abs((flat - middle) @ turned_left(along))
    return bool(((aside < BRIDGE * reach) & (between > reach) & (between < away + judge.exact)).any())


def _round_gaps(
    empty: Emptiness, flat: np.ndarray, lost: np.ndarray, judge: CloudJudge
) -> Iterator[tuple[float, SketchStep]]:
    """Circles without a point in them that are wide, or that unexplained points lie on.

    Args:
        flat: (N, 2) points of the wall and its faces.
        lost: (N,) bool, which of them are unexplained points of the wall.
    """
    wide = math.sqrt(_least_expected(judge) / (2 * np.pi * judge.per_area))
    least = min(LEAST_RADIUS[0] * judge.size, LEAST_RADIUS[1] * judge.exact)
    near = empty.around_gaps(flat, lost, wide, least)
    flat, lost = flat[near], lost[near]
    if len(flat) < 4:
        return
    rows = _one_a_place(flat, lost, judge.spacing / PLACES)
    flat, lost = flat[rows], lost[rows]
    try:
        # joggled: points of a face that is seen from its edge are all on one line, which takes ten times as long
        corners = Delaunay(flat, qhull_options="QJ Pp").simplices
    except QhullError:  # all on one line
        return
    a, b, c = (flat[corners[:, k]] for k in range(3))
    x, y, radius = circles_through(a, b, c).T
    expected = 2 * np.pi * radius**2 * judge.per_area
    of_wall = lost[corners].sum(axis=1)
    possible = (radius > wide) | (radius > least) & (of_wall >= WALL_POINTS[0])
    possible &= radius < judge.size / 4
    rows = np.flatnonzero(possible)
    away = empty.away[empty.places_of(np.column_stack((x, y))[rows])]  # points between the gaps were left out
    tree = cKDTree(flat[lost]) if lost.any() else None
    for row in rows[away > radius[rows] - 2 * empty.pixel]:
        circle, on = (x[row], y[row], radius[row]), 0
        if tree is not None:
            circle, on = _on_wall(circle, flat[lost], tree, judge)
        if radius[row] > wide or on >= WALL_POINTS[1]:
            place = round(float(circle[0]), 3), round(float(circle[1]), 3)
            yield float(expected[row]) + on, SketchStep(Circle(round(float(circle[2]), 3)), places=(place,))


def _one_a_place(flat: np.ndarray, first: np.ndarray, width: float) -> np.ndarray:
    """Rows of one point in each square of a width, of those that come first where there are any: of a face that is seen
    from its edge, most points lie upon each other."""
    columns, lines = np.floor((flat - flat.min(axis=0)) / width).astype(np.int64).T
    rows = np.argsort(~first, kind="stable")
    places = (columns * (lines.max() + 1) + lines)[rows]
    return rows[np.unique(places, return_index=True)[1]]


def _on_wall(
    circle: tuple[float, float, float], lost: np.ndarray, tree: cKDTree, judge: CloudJudge
) -> tuple[tuple[float, float, float], int]:
    """The circle moved onto the unexplained points near it, and how many lie on it."""
    on = 0
    for share in (3.0, 1.0):
        x, y, radius = circle
        reach = share * (ON_CIRCLE * radius + judge.exact / 2)
        rows = np.array(tree.query_ball_point((x, y), radius + reach), int)
        rows = rows[np.hypot(*(lost[rows] - (x, y)).T) > radius - reach] if len(rows) else rows
        on = len(rows)
        if on < WALL_POINTS[1]:
            return circle, on
        fitted = circle_through_all(lost[rows])
        if np.hypot(fitted[0] - x, fitted[1] - y) + abs(fitted[2] - radius) > 0.5 * radius:
            return circle, on
        circle = fitted
    return circle, on


def _square_gaps(
    area: CrossSection, empty: Emptiness, flat: np.ndarray, judge: CloudJudge
) -> Iterator[tuple[float, SketchStep]]:
    """Rectangles along the axes without a point in them, around places that are far from all points."""
    u, v = empty.u, empty.v
    depths = np.where(inside(area.to_polygons(), u, v), empty.away, 0.0)
    i, j = np.nonzero(depths > min(CLEAR) * judge.spacing)
    depths[i, j] = cKDTree(flat).query(np.column_stack((u[i], v[j])))[0]
    bounds, flat = np.reshape(area.bounds(), (2, 2)), flat[np.argsort(flat[:, 0])]
    boxes: list[np.ndarray] = []
    for clear in CLEAR:
        for box in _deepest(depths, clear * judge.spacing, u, v):
            if not any((box.mean(axis=0) > other[0]).all() and (box.mean(axis=0) < other[1]).all() for other in boxes):
                boxes.append(_grown(box, flat, bounds, judge.spacing))
    for box in boxes:
        expected = float(2 * np.prod(box[1] - box[0]) * judge.per_area)
        if expected > _least_expected(judge):
            shape, middle = rect_between(*box)
            yield expected, SketchStep(shape, places=(middle,))


def _deepest(depths: np.ndarray, least: float, u: np.ndarray, v: np.ndarray) -> list[np.ndarray]:
    """Boxes (2, 2) around the connected places that are deeper than `least`, the deepest first.

    Args:
        depths: (nu, nv) distances of the places u, v from the nearest point.
    """
    labels, _ = label(depths > least)
    boxes, deep = find_objects(labels), labels > 0
    if not boxes:
        return []
    peaks = np.asarray(maximum(depths[deep], labels[deep], np.arange(1, len(boxes) + 1)))
    return [
        np.array([[axis[part.start], axis[part.stop - 1]] for axis, part in zip((u, v), boxes[index])]).T
        for index in np.argsort(-peaks)[:MOST_SQUARE]
    ]


def _grown(box: np.ndarray, flat: np.ndarray, bounds: np.ndarray, spacing: float) -> np.ndarray:
    """A rectangle (2, 2), grown side by side until points stop it.

    Args:
        flat: (N, 2), ascending along the first axis.
    """
    box, slack = box.copy(), SLACK * spacing
    reach = ROOM[0] * np.ptp(box, axis=0) + ROOM[1] * spacing
    flat = flat[slice(*np.searchsorted(flat[:, 0], (box[0, 0] - reach[0], box[1, 0] + reach[0])))]
    bounds = np.array((np.maximum(bounds[0], box[0] - reach), np.minimum(bounds[1], box[1] + reach)))
    moving = [(end, k) for end in range(2) for k in range(2)]
    while moving:
        for end, k in list(moving):
            way = 2 * end - 1
            other = flat[:, 1 - k]
            beside = (other > box[0, 1 - k] + slack) & (other < box[1, 1 - k] - slack)
            ahead = way * (flat[beside, k] - box[end, k])
            ahead = ahead[ahead > -slack]
            room = min(float(ahead.min()) if len(ahead) else np.inf, way * float(bounds[end, k] - box[end, k]))
            box[end, k] += way * min(max(room, 0.0), spacing / PIXELS)
            if room <= spacing / PIXELS:
                moving.remove((end, k))
    return box
