"""What a rebuild is given: the scan in the model's frame, and what its candidates are compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.cloud import Cloud, normalise
from cadrecode.cloud.align import SKIPPED, Alignment, align
from cadrecode.cloud.clean import Cleaned, clean
from cadrecode.config import ReconstructConfig
from cadrecode.fit import ruler_for
from cadrecode.frames import CODE_PER_MODEL, Frame
from cadrecode.program import from_mesh, mesh_of
from cadrecode.reconstruction.volume import ByVolume
from cadrecode.scoring import ByDistance, Candidate, Yardstick
from cadrecode.scoring.verdict import Assessment, assess_cloud, assess_volume
from cadrecode.snapping import face_places

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler
    from cadrecode.program.solid import Manifold


@dataclass(frozen=True)
class Given:
    """A scan, cleaned, turned upright and scaled.

    Args:
        cloud: RAW, without what was cleaned away.
        frame: Between the file (RAW) and the candidates (CODE).
        points_model: (N, 3) MODEL.
        normals: (N, 3) of the file, along the part's own axes; None where it has none.
        ruler: Of the points, CODE.
        solid: The closed mesh of the file, CODE; None where there are points alone.
        alignment: How the part is turned in the file.
        cleaned: What was taken out of the cloud; None where cleaning was off.
    """

    cloud: Cloud
    frame: Frame
    points_model: np.ndarray = field(repr=False)
    normals: np.ndarray | None = field(repr=False)
    ruler: CloudRuler = field(repr=False)
    solid: Manifold | None = field(repr=False)
    alignment: Alignment = SKIPPED
    cleaned: Cleaned | None = field(default=None, repr=False)

    @classmethod
    def of(cls, cloud: Cloud, config: ReconstructConfig, on_cleaning: Callable[[], None] = lambda: None) -> Given:
        """Prepare a scan. Raises: PointCloudError: it has no size."""
        cleaned = None
        if config.clean != "off":
            on_cleaning()
            cleaned = clean(cloud, surroundings=config.clean == "all", seed=config.seed)
            whole = cleaned.remaining.all()
            cloud = cleaned.cloud if whole else replace(cleaned.cloud, solid=None)
        alignment = align(cloud.points, cloud.normals, seed=config.seed) if config.align else SKIPPED
        solid = None
        if cloud.solid is None:
            points_model, frame = normalise(cloud.points, alignment.rotation)
        else:
            vertices, faces = cloud.solid
            frame = Frame.of(vertices, alignment.rotation)
            points_model = frame.to_model(cloud.points)
            solid = from_mesh(frame.to_code(vertices), faces)
        normals = None if cloud.normals is None else frame.to_own_axes(cloud.normals)
        ruler = ruler_for(points_model * CODE_PER_MODEL, normals, seed=config.seed)
        return cls(cloud, frame, points_model, normals, ruler, solid, alignment, cleaned)

    @cached_property
    def faces(self) -> list[np.ndarray]:
        """Where the flat faces of the closed mesh lie along each axis, CODE."""
        return face_places(*mesh_of(self.solid))

    @cached_property
    def yardstick(self) -> Yardstick:
        """By volume where the file holds a closed solid, else by the distance to the points."""
        return ByDistance(self.ruler) if self.solid is None else ByVolume(self.solid, self.ruler)

    def assess(self, candidate: Candidate) -> Assessment:
        """How good a candidate is, its places in CODE."""
        if self.solid is None:
            return assess_cloud(candidate, self.ruler)
        return assess_volume(candidate, self.solid)
