"""A verdict on a result, from what the input shows. The true shape is never used.

Two questions are answered apart: whether the part explains what was seen, and whether enough of it was seen. A surface
that is off by d on average misses d times its area of the volume, so that a distance becomes a share of the volume,
which means the same for thick and for thin parts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import poisson

from cadrecode.cloud.distance import ONE_SIDED, CloudRuler, Measured, point_to_surface
from cadrecode.errors import Message
from cadrecode.frames import Frame
from cadrecode.geometry import bounding_box
from cadrecode.program import iou, mesh_of
from cadrecode.program.solid import Manifold, bounds, through_holes
from cadrecode.program.topology import Topology
from cadrecode.scoring.ranking import far_from
from cadrecode.scoring.unexplained import (
    LINK,
    Cluster,
    Kind,
    clusters_of,
    hull_volume,
    in_words,
    linked_groups,
    pieces_of,
    strays_of,
)

GOOD, SOME = 0.978, 0.8  # likely IoU, at least: of a good match, and of a part whose main shape is right
CLOSE = 0.9  # likely IoU, at least, of the faces that were seen, where others were not
MOST_FAR = 0.35  # share of the points that are unexplained, at most, where others were not seen
UNSEEN = 0.12  # share of the surface without points near it: more was not seen
LINE, LINE_NOISE = 1e-4, 2.0  # of the size, and of the noise: the spread of a cloud that is a line
MOST_AREA = 5.0  # of a part's surface, in areas of the cloud: more is held up by lone points alone
CHANCE = 0.12  # of the noise of a mean: a third of what is left of it where a part is right, so that doubt counts
PATCHES = 10  # along the longest side: the patches in which gaps are averaged, so that noise cancels out
LOCAL_NEIGHBOURS, LOCAL_GAP = 4, 1.5  # of random points, 1 place in 10,000 is farther from all of them than that
AREA_NEIGHBOURS = 8  # the distance to the last of them gives the area that a point stands for
FACE_POINTS, NO_CHANCE = (12, 100), 1e-6  # that a face is likely to have, and the probability of so few
DOUBT = 0.1  # of the volume, by which a surface of such small faces may be wrong: of 28 faces beside 256 points, 0.03
ON_FACE = 1e-3, 3.0  # of the size, and of the noise: so near to a face, a point lies on it
FAR = 0.04  # of the size: where the surface of a good match is nowhere farther from that of a closed input
PIECE, THIN = 3e-4, 0.006  # of the volume, and of the size: smaller and thinner pieces of a difference do not count


class Verdict(StrEnum):
    GOOD = "good_match"
    DETAILS = "details_missing"
    PARTLY = "partly_seen"
    NONE = "no_match"


WORDS = {
    Verdict.GOOD: Message("good match"),
    Verdict.DETAILS: Message("main shape right, details missing"),
    Verdict.PARTLY: Message("only part of the surface was seen; the rest is a guess"),
    Verdict.NONE: Message("no match: do not use"),
}


@dataclass(frozen=True)
class Assessment:
    """The judgement of a result.

    Args:
        verdict: In a word.
        likeness: The IoU with a closed input; for a cloud, what it is likely to be.
        unexplained: Where part and input disagree, largest first.
    """

    verdict: Verdict
    likeness: float = 0.0
    unexplained: tuple[Cluster, ...] = ()

    @property
    def text(self) -> Message:
        """The verdict in words."""
        return WORDS[self.verdict]

    def in_file(self, frame: Frame) -> Assessment:
        """With places and sizes in the file's units, of one that is in CODE."""
        places = frame.code_to_raw(np.array([cluster.place for cluster in self.unexplained]).reshape(-1, 3))
        moved = [
            cluster.scaled(place, frame.raw_per_code) for cluster, place in zip(self.unexplained, places, strict=True)
        ]
        return replace(self, unexplained=tuple(moved))

    def report(self, unit: str) -> dict[str, Any]:
        """The entries of a report: `verdict`, `verdict_text` and `unexplained`."""
        return {
            "verdict": str(self.verdict),
            "verdict_text": self.text,
            "unexplained": in_words(self.unexplained, unit),
        }


def assess_volume(part: Manifold | None, solid: Manifold) -> Assessment:
    """The verdict on a part whose input is a closed solid in the same frame. None: no part was made."""
    if part is None:
        return Assessment(Verdict.NONE)
    likeness = iou(part, solid)
    low, high = bounds(solid)
    size = float((high - low).max())
    pieces = tuple(pieces_of(solid - part, part - solid, PIECE * solid.volume(), THIN * size))
    pieces = pieces or tuple(strays_of(part, solid, FAR * size))
    verdict = Verdict.DETAILS
    if likeness < SOME:
        verdict = Verdict.NONE
    elif likeness >= GOOD and through_holes(part) == through_holes(solid) and not pieces:
        verdict = Verdict.GOOD
    return Assessment(verdict, likeness, pieces)


def assess_cloud(part: Manifold | None, ruler: CloudRuler) -> Assessment:
    """The verdict on a part whose input is a cloud.

    Args:
        part: None where no part was made.
        ruler: Measures by the cloud, in the part's frame.
    """
    if part is None:
        return Assessment(Verdict.NONE)
    if _is_line(ruler) or part.surface_area() > MOST_AREA * _area_of(ruler.points):
        return Assessment(Verdict.NONE)
    measured = _by_local_spacing(ruler.measure(*mesh_of(part)), ruler)
    per_length = part.surface_area() / part.volume()
    far = far_from(ruler)
    gaps = _no_more_than_hulls(measured.gaps, ruler, far, part.surface_area())
    off = _mean_gap(gaps, measured.facing, ruler) * per_length
    bare = measured.unsupported > 0
    guessed = float(np.mean(measured.unsupported)) * per_length
    unseen = float(bare.mean()) > UNSEEN or _one_sided(measured, ruler) > ONE_SIDED
    clusters = tuple(clusters_of(measured, ruler.points, ruler.spacing, far))
    if unseen:
        is_other = float(np.mean(np.abs(measured.gaps) > far)) > MOST_FAR
        verdict = Verdict.NONE if is_other or 1 - off < CLOSE else Verdict.PARTLY
        return Assessment(verdict, max(1 - off - guessed, 0.0), clusters)
    likeness = max(1 - off - guessed, 0.0)
    if likeness >= GOOD and not clusters:
        topology = Topology(part)
        likeness -= DOUBT * _share_of_small_faces(topology, len(ruler.points))
        clusters = _faces_without_points(topology, ruler)
    if likeness < SOME:
        verdict = Verdict.NONE
    elif likeness < GOOD or clusters:
        verdict = Verdict.DETAILS
    else:
        verdict = Verdict.GOOD
    return Assessment(verdict, likeness, clusters)


def _share_of_small_faces(topology: Topology, points: int) -> float:
    """The share of a part's surface on faces too small for so many points to say whether they are right."""
    area = np.bincount(topology.patch_of_facet, topology.facet_area)
    return float(area[area * points < FACE_POINTS[0] * area.sum()].sum() / area.sum())


def _faces_without_points(topology: Topology, ruler: CloudRuler) -> tuple[Cluster, ...]:
    """Small faces that so few points lie on that it is no chance: a bar may end where the scan has a hole.

    The number of points on a face is a Poisson variable. Of a narrow face, no place is far from its neighbours' points.
    """
    area = np.bincount(topology.face_of_facet, topology.facet_area)
    expected = area * (len(ruler.points) / area.sum())
    near = max(ON_FACE[0] * ruler.size, ON_FACE[1] * ruler.noise)
    found = []
    for face in np.flatnonzero((expected >= FACE_POINTS[0]) & (expected <= FACE_POINTS[1])):
        triangles = topology.triangles[topology.face_of_facet[topology.facet] == face]
        low, high = bounding_box(topology.points[triangles].reshape(-1, 3))
        beside = ruler.points[((ruler.points > low - near) & (ruler.points < high + near)).all(axis=1)]
        count = np.count_nonzero(point_to_surface(beside, topology.points, triangles) < near) if len(beside) else 0
        if poisson.cdf(count, expected[face]) < NO_CHANCE:
            place = tuple(((low + high) / 2).tolist())
            found.append(Cluster(Kind.BARE, place, float((high - low).max()), round(float(expected[face]))))
    return tuple(sorted(found, key=lambda cluster: -cluster.weight))


def _area_of(points: np.ndarray) -> float:
    """About the area that the points lie on, from their usual distances: lone points add hardly anything."""
    points = np.unique(points, axis=0)
    count = min(AREA_NEIGHBOURS, len(points) - 1)
    reach = cKDTree(points).query(points, k=count + 1)[0][:, -1]
    return float(np.median(np.pi * reach**2 / count)) * len(points)


def _is_line(ruler: CloudRuler) -> bool:
    """Whether all points lie on one line within their noise, so that they say nothing about a solid."""
    spreads = np.linalg.svd(ruler.points - ruler.points.mean(axis=0), compute_uv=False)
    return float(spreads[1]) / np.sqrt(len(ruler.points)) <= max(LINE * ruler.size, LINE_NOISE * ruler.noise)


def _by_local_spacing(measured: Measured, ruler: CloudRuler) -> Measured:
    """The comparison with a surface whose places count as unsupported only where the points around them are denser.

    A scanner does not see all faces equally well.
    """
    doubtful = np.flatnonzero(measured.unsupported > 0)
    if not len(doubtful):
        return measured
    tree = cKDTree(ruler.points)
    _, near = tree.query(measured.samples[doubtful])
    reach = tree.query(ruler.points[near], k=min(LOCAL_NEIGHBOURS + 1, len(ruler.points)))[0][:, -1]
    unsupported = measured.unsupported.copy()
    unsupported[doubtful] -= np.maximum(LOCAL_GAP * reach - ruler.spacing, 0)
    return replace(measured, unsupported=np.maximum(unsupported, 0))


def _no_more_than_hulls(gaps: np.ndarray, ruler: CloudRuler, far: float, area: float) -> np.ndarray:
    """(N,) gaps, those of points far outside smaller where they would stand for more volume than the points enclose.

    The tip of a missing pin is far from the part, but only the pin is missing.

    Args:
        area: The area of the part's surface.
    """
    gaps, per_point = gaps.copy(), area / len(gaps)
    rows = np.flatnonzero(gaps > far)
    for group in linked_groups(ruler.points[rows], LINK * ruler.spacing):
        missed, most = per_point * gaps[rows[group]].sum(), hull_volume(ruler.points[rows[group]])
        if missed > most > 0:
            gaps[rows[group]] *= most / missed
    return gaps


def _mean_gap(gaps: np.ndarray, facing: np.ndarray, ruler: CloudRuler) -> float:
    """The mean distance between points and surface that noise does not explain.

    Signed gaps are averaged over patches of one direction, and the square that noise leaves in such a mean is taken off
    its square. The noise is the spread about the means, but no more than the cloud's own: where points are sparse, a
    cloud alone cannot tell noise from the shape.

    Args:
        gaps: (N,) of the ruler's points.
        facing: (N, 3) normals of the surface nearest to them.
    """
    cells = np.floor((ruler.points - ruler.box[0]) / (ruler.size / PATCHES)).astype(np.int64)
    axis = np.abs(facing).argmax(axis=1)
    side = 2 * axis + (np.take_along_axis(facing, axis[:, None], 1)[:, 0] > 0)
    keys = np.column_stack((cells, side))
    _, patch, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    patch = patch.reshape(-1)
    means = np.bincount(patch, gaps) / counts
    variance = np.sum((gaps - means[patch]) ** 2) / max(len(gaps) - len(counts), 1)
    by_chance = min(variance, ruler.noise**2) / counts
    off = np.sqrt(np.maximum(means**2 - by_chance, 0)) - CHANCE * np.sqrt(by_chance)
    return max(float(np.average(off, weights=counts)), 0.0)


def _one_sided(measured: Measured, ruler: CloudRuler) -> float:
    """The length of the mean normal over the surface that was seen: 0 for the whole of a closed surface.

    Where the cloud's normals are not sure, as in a deep channel, those of the part stand in for them.
    """
    if ruler.normals is None:
        return 0.0
    sure = ruler.normals.confidence > 0.5
    directions = np.where(sure[:, None], ruler.normals.directions, measured.facing)
    areas = cKDTree(ruler.points).query(ruler.points, k=AREA_NEIGHBOURS)[0][:, -1] ** 2  # of each point's patch
    return float(np.linalg.norm(np.average(directions, axis=0, weights=np.maximum(areas, 1e-12))))
