"""The faces and the sharp edges of a built solid, as OpenCASCADE would name them.

A mesh knows triangles alone. Triangles in one plane are a facet; facets that turn into each other by equal small steps
are one curved face, as those of a cylinder are; where two faces meet at an angle stands an edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from manifold3d import Manifold

from cadrecode.program import budget
from cadrecode.program.selectors import Item, selected

FLAT = 5e-3  # radians between triangles of one facet; a circle of 128 sides turns by 0.05 at each
SHARP = math.radians(24)  # between facets that meet in an edge; a circle of 16 sides turns by 22.5 degrees at each
LIKE = 0.06  # largest relative difference of the widths of neighbouring facets of one curved face
SLIVER = 1e-6  # of the solid's size: thinner triangles are noise
STRAIGHT = 1e-5  # of an edge's length


@dataclass(frozen=True)
class Segments:
    """The straight pieces of all sharp edges: n of them, each between two triangles.

    Args:
        start, end: (n,) int, vertices; the left facet has its inside to the left on the way.
        left, right: (n,) int, facets.
        turn: (n,) float, radians between the two normals; positive where the edge is convex.
    """

    start: np.ndarray
    end: np.ndarray
    left: np.ndarray
    right: np.ndarray
    turn: np.ndarray


class Topology:
    """The topology of a solid that is not empty."""

    def __init__(self, solid: Manifold):
        low, high = np.array(solid.bounding_box()).reshape(2, 3)
        self.size = float((high - low).max())
        mesh = solid.simplify(SLIVER * self.size).to_mesh64()
        self.points = np.array(mesh.vert_properties, np.float64)[:, :3]  # (v, 3)
        self.triangles = np.array(mesh.tri_verts).reshape(-1, 3).astype(np.int64)  # (t, 3)
        a, b, c = (self.points[self.triangles[:, corner]] for corner in range(3))
        cross = np.cross(b - a, c - a)
        self._areas = np.linalg.norm(cross, axis=1) / 2
        self._normals = cross / np.maximum(2 * self._areas, 1e-300)[:, None]
        self._middles = (a + b + c) / 3
        self._connect()

    def _connect(self) -> None:
        """Facets, and the segments between those that meet at an angle."""
        halves = self.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        owner = np.repeat(np.arange(len(self.triangles)), 3)
        low, high = halves.min(axis=1), halves.max(axis=1)
        order = np.lexsort((halves[:, 0] > halves[:, 1], high, low))
        first, second = order[0::2], order[1::2]
        start, end = halves[first].T
        left, right = owner[first], owner[second]
        along = self.points[end] - self.points[start]
        length = np.linalg.norm(along, axis=1)
        cross = np.cross(self._normals[left], self._normals[right])
        sine = np.sum(cross * along, axis=1) / np.maximum(length, 1e-300)
        cosine = np.sum(self._normals[left] * self._normals[right], axis=1)
        turn = np.arctan2(sine, cosine)
        size = np.abs(turn)
        self.facet = _components(len(self.triangles), left[size < FLAT], right[size < FLAT])
        count = int(self.facet.max()) + 1
        self.facet_area = np.bincount(self.facet, self._areas, count)
        sums = np.stack([np.bincount(self.facet, self._areas * self._normals[:, axis], count) for axis in range(3)], 1)
        self.facet_normal = sums / np.maximum(np.linalg.norm(sums, axis=1), 1e-300)[:, None]
        smooth = (size >= FLAT) & (size < SHARP)
        self._join_curved(left[smooth], right[smooth], length[smooth], count)
        sharp = size >= SHARP
        facets = self.facet[left[sharp]], self.facet[right[sharp]]
        self.segments = Segments(start[sharp], end[sharp], *facets, turn[sharp])

    def _join_curved(self, left: np.ndarray, right: np.ndarray, length: np.ndarray, count: int) -> None:
        """Facets of like width that turn into each other are one curved face; of any width, they are one patch."""
        a, b = self.facet[left], self.facet[right]
        self.patch_of_facet = _components(count, a, b)
        widths = self.facet_area[a] / length, self.facet_area[b] / length
        like = np.abs(widths[0] - widths[1]) < LIKE * np.maximum(*widths)
        self.face_of_facet = _components(count, a[like], b[like])
        self.curved = np.zeros(count, bool)  # of facets
        self.curved[a[like]] = self.curved[b[like]] = True

    @cached_property
    def faces(self) -> list[Item]:
        """Every face, by its number in `face_of_facet`."""
        facets = self.face_of_facet[self.facet]
        count = int(self.face_of_facet.max()) + 1
        area = np.bincount(facets, self._areas, count)
        moments = np.stack([np.bincount(facets, self._areas * self._middles[:, axis], count) for axis in range(3)], 1)
        centers = moments / np.maximum(area, 1e-300)[:, None]
        items = []
        for face, facet in enumerate(np.unique(self.face_of_facet, return_index=True)[1].tolist()):
            if self.curved[facet]:
                items.append(Item(tuple(centers[face].tolist()), None, "CYLINDER"))
            else:
                items.append(Item(tuple(centers[face].tolist()), _direction(self.facet_normal[facet]), "PLANE"))
        return items

    @cached_property
    def edges(self) -> list[tuple[list[int], tuple[int, int]]]:
        """Every sharp edge: its segments, and the two faces that meet in it."""
        pairs: dict[tuple[int, int], list[int]] = {}
        faces = np.sort(np.stack((self.face_of_facet[self.segments.left], self.face_of_facet[self.segments.right])), 0)
        for segment, pair in enumerate(zip(*faces.tolist())):
            pairs.setdefault(pair, []).append(segment)
        edges = []
        for pair, segments in pairs.items():
            budget.check()
            if len(segments) == 1:
                edges.append((segments, pair))
                continue
            start, end = self.segments.start[segments], self.segments.end[segments]
            names = {vertex: index for index, vertex in enumerate(dict.fromkeys((*start.tolist(), *end.tolist())))}
            at = _components(len(names), *(np.array([names[v] for v in ends.tolist()]) for ends in (start, end)))
            group = at[[names[v] for v in start.tolist()]]
            edges += [([segments[i] for i in np.flatnonzero(group == number)], pair) for number in np.unique(group)]
        return edges

    def edge_items(self) -> list[Item]:
        """Each edge as selectors see it."""
        items = []
        for segments, _ in self.edges:
            start, end = self.points[self.segments.start[segments]], self.points[self.segments.end[segments]]
            lengths = np.linalg.norm(end - start, axis=1)
            center = tuple((lengths @ ((start + end) / 2) / lengths.sum()).tolist())
            along = (end - start) / lengths[:, None]
            straight = np.linalg.norm(np.cross(along, along[0]), axis=1).max() < STRAIGHT
            direction = _direction(along[0]) if straight else None
            items.append(Item(center, direction, "LINE" if straight else "CIRCLE"))
        return items

    def chosen_edges(self, faces: str | None, edges: str | None) -> list[int]:
        """Segments of the edges that a selector names, among those of the faces that another selector names.

        Raises: ProgramError: a text is no selector.
        """
        among = range(len(self.edges))
        if faces is not None:
            wanted = set(selected(self.faces, faces))
            among = [index for index in among if wanted & set(self.edges[index][1])]
        if edges is not None:
            items = self.edge_items()
            among = [among[place] for place in selected([items[index] for index in among], edges)]
        return [segment for index in among for segment in self.edges[index][0]]


def _direction(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (np.round(vector, 12) + 0.0).tolist()
    return x, y, z


def _components(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(count,) int: numbers of the groups that pairs of things make, from 0."""
    root = np.arange(count)
    while True:
        low, high = np.minimum(root[a], root[b]), np.maximum(root[a], root[b])
        if (low == high).all():
            return np.unique(root, return_inverse=True)[1].reshape(-1)
        np.minimum.at(root, high, low)  # a root hangs on the lowest root that it is paired with
        while (root[root] != root).any():
            root = root[root]
