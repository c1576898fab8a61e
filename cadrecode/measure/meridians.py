"""Half profiles about a line: of a closed solid by sections through it, of a cloud by folding it about the line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manifold3d import CrossSection, Manifold
from scipy.ndimage import map_coordinates

from cadrecode.measure.grid import Grid, along
from cadrecode.measure.outlines import short
from cadrecode.measure.proposals import Reader
from cadrecode.measure.turning import rows_of
from cadrecode.measure.walls import LEAN, Walls
from cadrecode.measure.wedges import longest_run, roundest, wedges_about
from cadrecode.measure.winding import bordered, contoured
from cadrecode.program.language import Point2
from cadrecode.program.planes import plane_axes
from cadrecode.program.solid import mesh_of, sample, triangles_of

HALF_SECTIONS = 8  # planes through the line in which the half profile is looked for; each has two
ALIKE = 0.02  # of its area: half sections that differ by less are of one profile
FEWEST_ALIKE = 3  # half sections, one after another
LEAST_ALIKE = 0.5  # of the half sections of a part of a turn: those of one profile
CAP = 0.95  # cosine with the axis: points whose normals are nearer to it say nothing of where it stands
POINTS = 6000  # on a solid, that say where it is round
OF_A_SCAN = 2000  # vertices: arcs of meshes with fewer are as a CAD system made them
PAIRS = 600  # of points, whose normals meet somewhere
LEAST_ANGLE = np.sin(np.radians(20))  # between the normals of a pair
MEETS = 0.01  # of the size: how far from the line a point's normal may pass
LEAST_ROUND = 0.3  # of the points that are not on caps: the least share that is round about the line
BAND = 0.015, 0.05  # of the size: heights and distances of points that are of one wall
FEWEST = 40  # such points
ANGLES = 32  # places on a circle about the line
FULL_TURN = np.arange(ANGLES) * (2 * np.pi / ANGLES)
FEWEST_OF_RUN, ALIKE_CELLS = 4, 0.8  # of these places, and of the cells of two half sections: those of one profile
OFF, LEAST_DEGREES = 0.4, 20.0  # how far a round angle may be from that of an end face; and what is no sliver
THROUGH = 0.03  # of a unit normal: how far that of an end face may be from the direction of turning
NEARBY = 1.6  # radii: points that say where the line of a feature stands
GOLDEN = (np.sqrt(5) - 1) / 2
FAN = np.pi * ((np.arange(HALF_SECTIONS) * GOLDEN) % 1)  # directions of the planes


class HalfSections:
    """Half profiles of a closed solid: those that most of its half sections through a line agree on.

    Args:
        levels: Along each axis.
        size: Longest side, CODE.
    """

    steps_show = True

    def __init__(self, solid: Manifold, levels: Sequence[np.ndarray], size: float):
        self.solid, self.levels, self.size = solid, levels, size
        self.vertices, _ = mesh_of(solid)
        self._fans: dict[tuple, list[tuple[float, CrossSection]]] = {}
        self._points: tuple[np.ndarray, np.ndarray] | None = None

    def main(self, axis: int) -> None:
        return None

    def by_points(self, axis: int) -> Point2 | None:
        if len(self.vertices) < OF_A_SCAN:
            return None
        if self._points is None:
            self._points = sample(self.solid, POINTS, np.random.default_rng(0))
        points, normals = self._points
        return round_about(points, normals, axis, self.size)

    def refined(self, axis: int, center: Point2, radius: float) -> Point2:
        return center

    def about(self, axis: int, center: Point2) -> tuple[CrossSection, Reader]:
        middle = _medoid([half for _, half in self._fan(axis, center)])
        nearest = self._at_vertices(axis, center, FAN)
        alike = [half for angle in nearest for half in self._halves(axis, center, angle) if _alike(half, middle)]
        profile = max(alike, key=CrossSection.area, default=middle)
        return profile, Reader(self.size, (np.zeros(1), self.levels[axis]))

    def wedges(self, axis: int, center: Point2) -> list[tuple[float, float, CrossSection, Reader]]:
        across = plane_axes(axis)
        corners, normals, areas = triangles_of(self.solid)
        places = corners.mean(axis=1)[:, across] - center
        made = []
        faces = wedges_about(places, normals[:, across], areas, self.size)
        for start, degrees in dict.fromkeys((*faces, *self._runs(axis, center))):
            halves = [half for angle, half in self._fan(axis, center) if (angle - start) % 360 < degrees]
            if len(halves) < FEWEST_ALIKE:
                inner = np.radians(start + degrees * (np.arange(FEWEST_ALIKE) + 0.5) / FEWEST_ALIKE)
                halves = [self._halves(axis, center, angle)[0] for angle in inner]
            middle = _medoid(halves)
            alike = [half for half in halves if _alike(half, middle)]
            if len(alike) > LEAST_ALIKE * len(halves) and not middle.is_empty():
                reader = Reader(self.size, (np.zeros(1), self.levels[axis]))
                made.append((round(start, 2), round(degrees, 2), max(alike, key=CrossSection.area), reader))
        return made

    def _runs(self, axis: int, center: Point2) -> list[tuple[float, float]]:
        """The turn over which half sections are alike: its ends are within the part where a pipe goes on straight."""
        angles, halves = zip(*self._fan(axis, center))
        filled = [half for half in halves if not half.is_empty()]
        if len(filled) < FEWEST_ALIKE:
            return []
        middle = _medoid(filled)
        run = longest_run([_alike(half, middle) for half in halves])
        if run is None or run[1] < FEWEST_ALIKE:
            return []
        first, count = run
        at = [angles[(first + step) % len(angles)] for step in (-1, 0, count - 1, count)]
        start, end = roundest(at[0], at[1], at[1]), roundest(at[2], at[3], at[2])
        return [(start % 360, (end - start) % 360)]

    def _fan(self, axis: int, center: Point2) -> list[tuple[float, CrossSection]]:
        """Half sections in different directions, and these in degrees, ascending."""
        key = axis, *center
        if key not in self._fans:
            both = [(np.degrees(angle), self._halves(axis, center, angle)) for angle in FAN]
            fan = [(float(angle) + 180 * side, halves[side]) for angle, halves in both for side in range(2)]
            self._fans[key] = sorted(fan, key=lambda pair: pair[0])
        return self._fans[key]

    def _at_vertices(self, axis: int, center: Point2, angles: np.ndarray) -> np.ndarray:
        """For each angle the one near it in which most corners of round faces lie: their radius is the true one."""
        u, v = (self.vertices[:, plane_axes(axis)] - center).T
        window = np.pi / HALF_SECTIONS
        bins = np.round(np.degrees(np.arctan2(v, u)) % 180 * 20).astype(int) % 3600
        counts = np.bincount(bins[np.hypot(u, v) > 1e-3 * self.size], minlength=3600)
        at = np.radians(np.arange(3600) / 20)
        gap = np.abs((at[None] - angles[:, None] + np.pi / 2) % np.pi - np.pi / 2)
        return at[np.where(gap < window, counts[None], -1).argmax(axis=1)]

    def _halves(self, axis: int, center: Point2, angle: float) -> tuple[CrossSection, CrossSection]:
        first, second, up = rows_of(axis)
        outward = np.cos(angle) * first + np.sin(angle) * second
        rows = np.stack((outward, up, np.cross(outward, up)))
        moved = -rows @ (center[0] * first + center[1] * second)
        section = self.solid.transform(np.column_stack((rows, moved))).slice(0.0)
        reach = 4 * self.size
        right = CrossSection.square((reach, 2 * reach)).translate((0, -reach))
        return section ^ right, section.mirror((1, 0)) ^ right


def _alike(first: CrossSection, second: CrossSection) -> bool:
    return first.area() + second.area() - 2 * (first ^ second).area() < ALIKE * second.area()


def _medoid(areas: Sequence[CrossSection]) -> CrossSection:
    """The area that differs least from all the others."""
    own = np.array([area.area() for area in areas])
    differs = np.zeros((len(areas), len(areas)))
    for i in range(len(areas)):
        for j in range(i):
            differs[i, j] = differs[j, i] = own[i] + own[j] - 2 * (areas[i] ^ areas[j]).area()
    return areas[int(differs.sum(axis=1).argmin())]


class FoldedCloud:
    """Half profiles of a cloud: where most of each circle about the line lies inside, moved onto the folded points.

    Args:
        points, normals: (N, 3) CODE.
        middles: (N, 3), the points on the middle of their faces.
        areas: (N,) of the surface that each stands for.
        numbers: (nx, ny, nz) winding numbers on the grid.
        reader: Reads the sections; it knows how near outlines have to be to their points.
        size: Longest side, CODE.
    """

    steps_show = False

    def __init__(
        self,
        points: np.ndarray,
        normals: np.ndarray,
        middles: np.ndarray,
        areas: np.ndarray,
        numbers: np.ndarray,
        grid: Grid,
        size: float,
    ):
        self.points, self.normals, self.middles, self.areas = points, normals, middles, areas
        self.grid, self.size = grid, size
        self.filled = np.clip(numbers, 0, 1)

    def reading(self, reader: Reader) -> FoldedCloud:
        self.like = reader
        return self

    def main(self, axis: int) -> Point2 | None:
        return round_about(self.middles, self.normals, axis, self.size)

    def by_points(self, axis: int) -> None:
        return None  # `main` has asked them

    def refined(self, axis: int, center: Point2, radius: float) -> Point2:
        """The middle by the points nearby: sections of a cone between two levels are rough."""
        away = np.hypot(*(self.middles[:, plane_axes(axis)] - center).T)
        near = away < NEARBY * radius
        return round_about(self.middles[near], self.normals[near], axis, self.size) or center

    def about(self, axis: int, center: Point2) -> tuple[CrossSection, Reader]:
        return self._profile(axis, center, FULL_TURN), self._reader(axis, center, np.ones(len(self.points), bool))

    def wedges(self, axis: int, center: Point2) -> list[tuple[float, float, CrossSection, Reader]]:
        across = plane_axes(axis)
        places = self.middles[:, across] - center
        faces = []
        for start, degrees in wedges_about(places, self.normals[:, across], self.areas, self.size, THROUGH):
            first, last = (roundest(end - OFF, end + OFF, round(end, 1)) for end in (start, start + degrees))
            faces.append((first % 360, round(last - first, 1)))
        angles = np.degrees(np.arctan2(places[:, 1], places[:, 0]))
        made = []
        for start, degrees in dict.fromkeys((*faces, *self._runs(axis, center))):
            within = np.radians(start + degrees * (np.arange(ANGLES) + 0.5) / ANGLES)
            region = self._profile(axis, center, within) if degrees > LEAST_DEGREES else CrossSection()
            if not region.is_empty():
                reader = self._reader(axis, center, (angles - start) % 360 < degrees)
                made.append((start, degrees, region, reader))
        return made

    def _runs(self, axis: int, center: Point2) -> list[tuple[float, float]]:
        """The turn over which half sections are alike."""
        filled = self._field(axis, center, FULL_TURN)[0].reshape(-1, ANGLES) > 0.5
        both = filled.T.astype(np.float32) @ filled
        own = np.diag(both)
        shares = both / np.maximum(own[:, None] + own - both, 1)
        if not own.any():
            return []
        middle = int(np.where(own > 0, shares.sum(axis=1), 0).argmax())
        run = longest_run((shares[middle] > ALIKE_CELLS).tolist())
        if run is None or run[1] < FEWEST_OF_RUN:
            return []
        step = 360 / ANGLES
        first, last = run[0] * step, (run[0] + run[1] - 1) * step
        start, end = roundest(first - step, first, first), roundest(last, last + step, last)
        return [(start % 360, end - start)]

    def _reader(self, axis: int, center: Point2, rows: np.ndarray) -> Reader:
        reader = Reader(self.size, (np.zeros(1), self.grid.levels[axis]), self.like.tolerances, self.like.on_level)
        reader.walls = self._walls(axis, center, self.like.walls, rows)
        reader.deadline = self.like.deadline
        return reader

    def _profile(self, axis: int, center: Point2, turns: np.ndarray) -> CrossSection:
        """The half profile, by the mean of the winding numbers on circles about the line."""
        field, cell = self._field(axis, center, turns)
        both = field.mean(axis=2).T
        edges = cell * (np.arange(-len(both) - 1, len(both) + 1) + 0.5)
        area = contoured(np.concatenate((both[::-1], both)), edges, bordered(self.grid, axis))
        reach = 4 * self.size
        return area ^ CrossSection.square((reach, 2 * reach)).translate((0, -reach))

    def _field(self, axis: int, center: Point2, turns: np.ndarray) -> tuple[np.ndarray, float]:
        """(heights, radii, turns) winding numbers about a line, and how far apart the radii are."""
        grid = self.grid
        across = plane_axes(axis)
        cell = max(float(np.median(grid.widths[k])) for k in across)
        farthest = np.hypot(*(np.abs(grid.levels[k][[0, -1]] - middle).max() for k, middle in zip(across, center)))
        radii = cell * np.arange(0.5, min(farthest, self.size) / cell)
        at = []
        inside = np.ones((len(radii), len(turns)), bool)
        for middle, along_turn, k in zip(center, (np.cos(turns), np.sin(turns)), across):
            place = middle + np.outer(radii, along_turn)
            inside &= (place > grid.levels[k][0]) & (place < grid.levels[k][-1])
            at.append(np.interp(place, grid.places[k], np.arange(len(grid.places[k]))))
        return np.stack([map_coordinates(row, at, order=1) * inside for row in along(self.filled, axis)]), cell

    def _walls(self, axis: int, center: Point2, like: Walls, rows: np.ndarray) -> Walls:
        """Points as (distance, height), with normals that lie in the planes through the line."""
        across = plane_axes(axis)
        points, normals = self.points[rows], self.normals[rows]
        out = points[:, across] - center
        distance = np.hypot(*out.T)
        out = out / np.maximum(distance, 1e-9)[:, None]
        outward = (out * normals[:, across]).sum(axis=1)
        flat = np.column_stack((outward, normals[:, axis]))
        length = np.hypot(*flat.T)
        upright = length > np.sqrt(1 - LEAN**2)
        places = np.column_stack((distance, points[:, axis]))
        return Walls(places[upright], flat[upright] / length[upright, None], like.reach, like.noise)


def round_about(points: np.ndarray, normals: np.ndarray, axis: int, size: float) -> Point2 | None:
    """Where the line along an axis stands that the normals of most points meet; None where too few meet one line.

    Args:
        points, normals: (N, 3).
    """
    across = plane_axes(axis)
    walls = np.abs(normals[:, axis]) < CAP
    places, flat, heights = points[walls][:, across], normals[walls][:, across], points[walls, axis]
    if len(places) < FEWEST:
        return None
    flat = flat / np.hypot(*flat.T)[:, None]
    aside = np.column_stack((-flat[:, 1], flat[:, 0]))  # across each normal
    reach = (aside * places).sum(axis=1)  # how far each normal's line passes the origin
    first, second = np.random.default_rng(0).integers(len(places), size=(2, PAIRS))
    sine = aside[first, 0] * aside[second, 1] - aside[first, 1] * aside[second, 0]
    clear = np.abs(sine) > LEAST_ANGLE
    first, second, sine = first[clear], second[clear], sine[clear]
    if not len(first):
        return None
    meets = (
        np.column_stack(
            (
                reach[first] * aside[second, 1] - reach[second] * aside[first, 1],
                aside[first, 0] * reach[second] - aside[second, 0] * reach[first],
            )
        )
        / sine[:, None]
    )
    misses = np.abs(meets @ aside.T - reach) < MEETS * size
    best = int(misses.sum(axis=1).argmax())
    if misses[best].mean() < LEAST_ROUND:
        return None
    meeting = misses[best]
    center = np.linalg.lstsq(aside[meeting], reach[meeting], rcond=None)[0]
    meeting = np.abs(aside @ center - reach) < MEETS * size  # the walls of a pipe that goes on straight do not
    x, y = _centred(places[meeting], flat[meeting], heights[meeting], center, size)
    return short(x), short(y)


def _centred(places: np.ndarray, flat: np.ndarray, heights: np.ndarray, center: np.ndarray, size: float) -> np.ndarray:
    """The middle about which points of one wall and one height are equally far, near the one given (Gauss-Newton)."""
    for _ in range(3):
        out = places - center
        distance = np.maximum(np.hypot(*out.T), 1e-9)
        out = out / distance[:, None]
        outward = (out * flat).sum(axis=1)
        near = np.abs(outward) > np.cos(np.arcsin(LEAN))
        key = np.column_stack((heights / (BAND[0] * size), distance / (BAND[1] * size), outward > 0))[near]
        wall = np.unique(key.astype(int), axis=0, return_inverse=True)[1].reshape(-1)
        columns = np.column_stack((out[near], distance[near]))
        means = np.stack([np.bincount(wall, column) for column in columns.T], axis=1) / np.bincount(wall)[:, None]
        off = columns - means[wall]
        center = center + np.linalg.lstsq(off[:, :2], off[:, 2], rcond=None)[0]
    return center
