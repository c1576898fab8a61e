"""Planes of symmetry: found in the points of a cloud or in a closed solid, and tested there.

A plane across an axis through the middle of the part is one of symmetry where the image of a cloud lies on its own
surface as well as the cloud itself does, or where a solid shares its volume with its image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from manifold3d import Manifold
from scipy.spatial import cKDTree

from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.features import Feature, Prism
from cadrecode.measure.mirror_sketches import Axis
from cadrecode.measure.outlines import DECIMALS
from cadrecode.program.planes import plane_axes
from cadrecode.program.solid import bounds, iou

SAME_CLOUD = 0.985  # of the share of points on their own surface: 0.99 and more where there is symmetry, else 0.96
SAME_SOLID = 0.998  # IoU of a closed solid with its image: a hole on one side of a small part is more than the rest
NEIGHBOURS = 4  # of a point, one of which must be of its face
ON_SURFACE = 2.0  # how far from a neighbour's plane, over what a surface explains
BESIDE = 3.0  # how far from the neighbour, in spacings
SAME_WAY = 0.8  # cosine of the normals of one face
CENTRED = 0.5  # of what a surface explains: how far the plane may be from 0, where a part's middle lies, to be there
ALMOST = 1e-6


@dataclass(frozen=True)
class MirrorPlane:
    """A plane of symmetry across an axis.

    Args:
        place: Where it meets the axis.
        share: How much of the part its image is like, 1 where all of it.
    """

    axis: int
    place: float
    share: float = 1.0

    def of_points(self, points: np.ndarray) -> np.ndarray:
        """The images of points, (n, 3)."""
        images = points.copy()
        images[:, self.axis] = 2 * self.place - images[:, self.axis]
        return images

    def of_directions(self, directions: np.ndarray) -> np.ndarray:
        """The images of directions, (n, 3)."""
        images = directions.copy()
        images[:, self.axis] *= -1
        return images

    def of_solid(self, solid: Manifold) -> Manifold:
        normal = np.eye(3)[self.axis]
        return solid.mirror(normal.tolist()).translate((2 * self.place * normal).tolist())

    def line(self, axis: int, near: float = 0.0) -> Axis:
        """Where the plane meets the sketches across another axis."""
        return Axis(plane_axes(axis).index(self.axis), self.place, near)

    def of_feature(self, feature: Feature) -> Prism | None:
        """The image of an extrusion along an axis; None for others."""
        if not isinstance(feature, Prism):
            return None
        if feature.axis == self.axis:
            low, high = (round(2 * self.place - end, DECIMALS) + 0.0 for end in (feature.high, feature.low))
            return replace(feature, low=low, high=high)
        steps = tuple(map(self.line(feature.axis).step_image, feature.steps))
        return None if None in steps else replace(feature, steps=steps)


def planes_of_cloud(judge: CloudJudge) -> tuple[MirrorPlane, ...]:
    """The planes of symmetry of a cloud, the surest first."""
    tree = cKDTree(judge.points)
    own = _on_surface(judge.points, judge.normals, tree, judge, skip=1)
    middle = (judge.points.min(axis=0) + judge.points.max(axis=0)) / 2
    planes = []
    for axis in range(3):
        place = 0.0 if abs(middle[axis]) < CENTRED * judge.exact else round(float(middle[axis]), DECIMALS)
        plane = MirrorPlane(axis, place)
        images = plane.of_points(judge.points), plane.of_directions(judge.normals)
        share = _on_surface(*images, tree, judge) / max(own, ALMOST)
        if share >= SAME_CLOUD:
            planes.append(replace(plane, share=min(share, 1.0)))
    return tuple(sorted(planes, key=lambda plane: -plane.share))


def _on_surface(points: np.ndarray, normals: np.ndarray, tree: cKDTree, judge: CloudJudge, skip: int = 0) -> float:
    """The share of points, with their normals, that lie on the surface of a cloud.

    Args:
        tree: Of the cloud's points.
        skip: 1 where a point's nearest neighbour is itself.
    """
    count = min(NEIGHBOURS + skip, tree.n)
    away, near = (found.reshape(len(points), -1)[:, skip:] for found in tree.query(points, k=count))
    off = np.abs(np.einsum("nki,nki->nk", points[:, None] - judge.points[near], judge.normals[near]))
    same_way = np.einsum("nki,ni->nk", judge.normals[near], normals) > SAME_WAY
    on = (off < ON_SURFACE * judge.exact) & (away < BESIDE * judge.spacing) & same_way
    return float(on.any(axis=1)[judge.sure].mean()) if judge.sure.any() else 0.0


def planes_of_solid(solid: Manifold) -> tuple[MirrorPlane, ...]:
    """The planes of symmetry of a closed solid, the surest first."""
    middle = np.mean(bounds(solid), axis=0)
    planes = []
    for axis in range(3):
        plane = MirrorPlane(axis, round(float(middle[axis]), DECIMALS) + 0.0)
        share = iou(solid, plane.of_solid(solid))
        if share >= SAME_SOLID:
            planes.append(replace(plane, share=share))
    return tuple(sorted(planes, key=lambda plane: -plane.share))
