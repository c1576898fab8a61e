"""Places where a part and its scan disagree: where, how large, and what is likely to be missing there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from cadrecode.cloud.distance import signed_gaps
from cadrecode.errors import Message
from cadrecode.figures import length
from cadrecode.geometry import bounding_box, corner_crosses
from cadrecode.links import linked, linked_within
from cadrecode.program import mesh_of

if TYPE_CHECKING:
    from cadrecode.cloud.distance import Measured
    from cadrecode.program.solid import Manifold

FEWEST_POINTS = 4  # of a cluster: so many neighbours so far off are no chance
LINK = 1.5  # spacings between neighbours of one cluster
ROUND = 0.2  # relative difference of two extents of a round spot
ALIKE = 0.25  # relative difference of the sizes of places that are counted together
CAP = 0.5  # of the size of a wall: surface without points that is nearer belongs to it
MOST_LISTED = 12
REACH, CELLS = 2.5, 4  # times the distance that counts: about so near are corners of one place; cells along that


class Kind(StrEnum):
    HOLE = "hole"  # round, and the part has material where the scan has none
    POCKET = "pocket"
    BOSS = "boss"  # points outside of the part
    BARE = "bare"  # surface of the part where the scan has no points


@dataclass(frozen=True)
class Cluster:
    """A place where a part and its input disagree.

    Args:
        kind: What is likely to be missing.
        place: Its middle.
        size: Its diameter if it is round, else its longest extent.
        weight: The number of points, or of places on the surface, in it; 0 for a piece of volume.
    """

    kind: Kind
    place: tuple[float, float, float]
    size: float
    weight: int = 0

    def scaled(self, place: np.ndarray, scale: float) -> Cluster:
        """The same in another frame."""
        return Cluster(self.kind, tuple(float(value) for value in place), self.size * scale, self.weight)


def clusters_of(measured: Measured, points: np.ndarray, spacing: float, far: float) -> list[Cluster]:
    """The places where points lie far from a surface, or where a surface is far from all points; largest first.

    Args:
        measured: A surface beside a cloud.
        points: (N, 3) of the cloud, in the order of `measured.gaps`.
        spacing: Between neighbours in the cloud.
        far: Shorter distances count as agreement.
    """
    off, bare = np.abs(measured.gaps) > far, measured.unsupported > far
    places = np.vstack((points[off], measured.samples[bare]))
    signs = np.concatenate((np.sign(measured.gaps[off]), np.zeros(int(bare.sum()))))
    groups = [group for group in linked_groups(places, LINK * spacing) if len(group) >= FEWEST_POINTS]
    clusters = [_cluster(places[group], signs[group]) for group in _joined(groups, places, signs)]
    return sorted(clusters, key=lambda cluster: -cluster.weight)


def pieces_of(missing: Manifold, extra: Manifold, least: float, thin: float) -> list[Cluster]:
    """The pieces that a part lacks, and those that it has too much, largest first.

    Args:
        least: Volume of a piece.
        thin: Thickness of a piece: of thinner ones, the surface is only a little off.
    """
    clusters = []
    for solid, kind in ((missing, Kind.BOSS), (extra, Kind.POCKET)):
        for volume, low, high in _pieces(solid, least, thin):
            clusters.append((volume, _shaped(kind, low, high, 0)))
    return [cluster for _, cluster in sorted(clusters, key=lambda pair: -pair[0])]


def _pieces(solid: Manifold, least: float, thin: float) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Volume and box (3,), (3,) of each piece that is large and thick enough.

    Of two round walls in nearly one place the difference has thousands of splinters, and `Manifold.decompose` copies
    the whole solid for each.
    """
    if solid.is_empty():
        return
    vertices, faces = mesh_of(solid)
    labels = linked(len(vertices), faces[:, :2].ravel(), faces[:, 1:].ravel())
    count = int(labels.max()) + 1
    corners, piece_of = vertices[faces], labels[faces[:, 0]]
    crosses = corner_crosses(corners)
    volumes = np.bincount(piece_of, np.einsum("ij,ij->i", corners[:, 0], crosses) / 6, minlength=count)
    areas = np.bincount(piece_of, np.linalg.norm(crosses, axis=1) / 2, minlength=count)
    lows, highs = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(lows, labels, vertices)
    np.maximum.at(highs, labels, vertices)
    for hollow in np.flatnonzero(
        volumes < 0
    ):  # the inner side of a skin, which is thin although what it encloses is not
        around = (lows <= lows[hollow]).all(axis=1) & (highs >= highs[hollow]).all(axis=1) & (volumes > 0)
        if around.any():
            owner = np.flatnonzero(around)[volumes[around].argmin()]
            volumes[owner] += volumes[hollow]
            areas[owner] += areas[hollow]
    for piece in np.flatnonzero(volumes >= np.maximum(least, thin * areas / 2)):
        yield float(volumes[piece]), lows[piece], highs[piece]


def strays_of(part: Manifold, solid: Manifold, far: float) -> list[Cluster]:
    """Where corners of one solid lie far from the surface of the other, as those of a rim that is too thin for a piece.

    Args:
        far: Shorter distances count as agreement.
    """
    reach, clusters = REACH * far, []
    for one, other, outside, inside in (
        (solid, part, Kind.BOSS, Kind.POCKET),
        (part, solid, Kind.POCKET, Kind.BOSS),
    ):
        corners = mesh_of(one)[0]
        gaps = signed_gaps(corners, *mesh_of(other))
        for kind, rows in ((outside, np.flatnonzero(gaps > far)), (inside, np.flatnonzero(gaps < -far))):
            # cells, not corners, are linked: of a fine mesh there would be pairs without number
            cells, cell_of = np.unique(np.floor(corners[rows] / (reach / CELLS)), axis=0, return_inverse=True)
            for group in linked_groups(cells, CELLS):
                own = rows[np.isin(cell_of.reshape(-1), group)]
                around = np.abs(gaps[own]).max() / 2
                low, high = bounding_box(corners[own])
                clusters.append(_shaped(kind, low - around, high + around, 0))
    return sorted(clusters, key=lambda cluster: -cluster.size)


def linked_groups(places: np.ndarray, reach: float) -> list[np.ndarray]:
    """The rows of places that hang together over steps of at most `reach`."""
    labels = linked_within(places, reach) if len(places) else np.zeros(0, int)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def hull_volume(places: np.ndarray) -> float:
    """The volume of the convex hull of places (N, 3); 0 where they lie in a plane."""
    try:
        return float(ConvexHull(places).volume)
    except (QhullError, ValueError):  # fewer than four places, or flat
        return 0.0


def _joined(groups: list[np.ndarray], places: np.ndarray, signs: np.ndarray) -> list[np.ndarray]:
    """The groups, surface without points joined to the points around it: the caps of a hole to its wall."""
    walls = [group for group in groups if signs[group].any()]
    for group in groups:
        if signs[group].any():
            continue
        middle = places[group].mean(axis=0)
        for index, wall in enumerate(walls):
            low, high = bounding_box(places[wall])
            margin = CAP * float((high - low).max())
            if np.all((middle >= low - margin) & (middle <= high + margin)):
                walls[index] = np.concatenate((wall, group))
                break
        else:
            walls.append(group)
    return walls


def _cluster(places: np.ndarray, signs: np.ndarray) -> Cluster:
    inside, outside = np.count_nonzero(signs < 0), np.count_nonzero(signs > 0)
    kind = Kind.BARE
    if inside or outside:
        kind = Kind.POCKET if inside >= outside else Kind.BOSS
    low, high = bounding_box(places)
    return _shaped(kind, low, high, len(places))


def _shaped(kind: Kind, low: np.ndarray, high: np.ndarray, weight: int) -> Cluster:
    """A cluster within a box; a pocket is a hole where two of its sides are equally long."""
    sides = high - low
    size = float(sides.max())
    if kind is Kind.POCKET:
        for axis in range(3):
            a, b = np.delete(sides, axis)
            if abs(a - b) <= ROUND * max(a, b):
                kind, size = Kind.HOLE, float(a + b) / 2
                break
    middle = (low + high) / 2
    return Cluster(kind, (float(middle[0]), float(middle[1]), float(middle[2])), size, weight)


def in_words(clusters: Sequence[Cluster], unit: str) -> list[dict[str, Any]]:
    """Clusters of one kind and about one size together, for a report: kind, count, size, places and text."""
    groups: dict[Kind, list[list[Cluster]]] = defaultdict(list)
    for cluster in clusters:
        for group in groups[cluster.kind]:
            if abs(group[0].size - cluster.size) <= ALIKE * max(group[0].size, cluster.size):
                group.append(cluster)
                break
        else:
            groups[cluster.kind].append([cluster])
    entries = []
    for group in sorted((group for kind in groups.values() for group in kind), key=lambda group: -group[0].weight):
        size = float(np.mean([cluster.size for cluster in group]))
        entries.append(
            {
                "kind": str(group[0].kind),
                "count": len(group),
                "size": float(f"{size:.3g}"),
                "places": [[float(f"{value:.5g}") for value in cluster.place] for cluster in group],
                "text": _text(group[0].kind, len(group), length(size, unit)),
            }
        )
    return entries[:MOST_LISTED]


def _text(kind: Kind, count: int, size: str) -> Message:
    match kind, count:
        case Kind.HOLE, 1:
            return Message("a round spot of {size}: a hole?", size=size)
        case Kind.HOLE, _:
            return Message("{n} round spots of {size}: holes?", n=count, size=size)
        case Kind.POCKET, 1:
            return Message("points inside of the part over {size}: a slot or a pocket?", size=size)
        case Kind.POCKET, _:
            return Message("points inside of the part at {n} places of {size}: slots or pockets?", n=count, size=size)
        case Kind.BOSS, 1:
            return Message("points outside of the part over {size}: a boss or a rib?", size=size)
        case Kind.BOSS, _:
            return Message("points outside of the part at {n} places of {size}: bosses or ribs?", n=count, size=size)
        case _, 1:
            return Message("surface without points over {size}: an opening, or not seen?", size=size)
    return Message("surface without points at {n} places of {size}: openings, or not seen?", n=count, size=size)
