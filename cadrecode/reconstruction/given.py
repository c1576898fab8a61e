"""The input of a rebuild: the scan in the model's frame, and the ruler that its candidates are compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.assessor import Assessor
from cadrecode.cloud import Cloud, normalise
from cadrecode.cloud.align import SKIPPED, Alignment, align
from cadrecode.cloud.clean import Cleaned, clean
from cadrecode.cloud.distance import MOST_POINTS
from cadrecode.config import ReconstructConfig
from cadrecode.errors import Message
from cadrecode.frames import Frame
from cadrecode.program import mesh_of
from cadrecode.reconstruction.volume import ByVolume
from cadrecode.scoring import ByDistance, Yardstick
from cadrecode.snapping import face_places

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler
    from cadrecode.program.solid import Manifold


@dataclass(frozen=True)
class Given:
    """A scan, cleaned, turned upright and scaled.

    Args:
        cloud: RAW, without what was cleaned away.
        assessor: Judges by that cloud: the frame between the file (RAW) and the candidates (CODE), and what they are
            compared with.
        points_model: (N, 3) MODEL.
        normals: (N, 3) of the file, along the part's own axes; None where it has none.
        alignment: How the part is turned in the file.
        cleaned: What was taken out of the cloud; None where cleaning was off.
    """

    cloud: Cloud
    assessor: Assessor
    points_model: np.ndarray = field(repr=False)
    normals: np.ndarray | None = field(repr=False)
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
        if cloud.solid is None:
            _, frame = normalise(cloud.points, alignment.rotation)
        else:
            frame = Frame.of(cloud.solid[0], alignment.rotation)
        normals = None if cloud.normals is None else frame.to_own_axes(cloud.normals)
        assessor = Assessor.of(cloud, frame, config.seed)
        return cls(cloud, assessor, frame.to_model(cloud.points), normals, alignment, cleaned)

    @property
    def frame(self) -> Frame:
        """Between the file (RAW) and the candidates (CODE)."""
        return self.assessor.frame

    @property
    def warnings(self) -> tuple[Message, ...]:
        """What is guessed about the scan, and what of it is left out."""
        count = len(self.cloud.points)
        if self.solid is not None or count <= MOST_POINTS or len(self.ruler.further):
            return self.assessor.warnings
        used, of = f"{MOST_POINTS:,}", f"{count:,}"
        thinned = Message("{used} of the {count} points were used, chosen at random.", used=used, count=of)
        return (thinned, *self.assessor.warnings)

    @property
    def ruler(self) -> CloudRuler:
        """The ruler of the points, CODE, with flat faces for sides that they lack; the verdict does without these."""
        return self.assessor.closed[0]

    @property
    def solid(self) -> Manifold | None:
        """The closed mesh of the file, CODE; None where there are points alone."""
        return self.assessor.solid

    @cached_property
    def faces(self) -> list[np.ndarray]:
        """The levels of the closed mesh's flat faces along each axis, CODE."""
        return face_places(*mesh_of(self.solid))

    @cached_property
    def yardstick(self) -> Yardstick:
        """Measures candidates by volume where the file holds a closed solid, else by the distance to the points."""
        return ByDistance(self.ruler) if self.solid is None else ByVolume(self.solid, self.ruler)
