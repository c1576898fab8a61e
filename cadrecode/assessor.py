"""A scan that parts are compared with: prepared once, used for each change of a part."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.errors import Message
from cadrecode.fit import ruler_for
from cadrecode.frames import Frame
from cadrecode.measure import closed
from cadrecode.program import from_mesh
from cadrecode.scoring.verdict import Assessment, assess_cloud, assess_volume

if TYPE_CHECKING:
    from cadrecode.cloud import Cloud
    from cadrecode.cloud.distance import CloudRuler
    from cadrecode.program.solid import Manifold


@dataclass(frozen=True)
class Assessor:
    """A scan, ready to be compared with parts.

    Args:
        frame: Between the file (RAW) and what is compared (CODE).
        ruler: Of the scan's points, CODE.
        solid: The closed mesh of the file, CODE; None where there are points alone.
    """

    frame: Frame
    ruler: CloudRuler = field(repr=False)
    solid: Manifold | None = field(default=None, repr=False)

    @cached_property
    def closed(self) -> tuple[CloudRuler, list[tuple[int, int]]]:
        """The ruler that programs are measured, ranked and fitted by: with flat faces for the sides that the points
        lack, which are (axis, -1 or 1). The assessment does without these faces."""
        return closed(self.ruler) if self.solid is None else (self.ruler, [])

    @property
    def warnings(self) -> tuple[Message, ...]:
        """What is guessed about the scan."""
        names = ", ".join(f"{'-+'[way > 0]}{'XYZ'[axis]}" for axis, way in self.closed[1])
        if not names:
            return ()
        return (Message("The side that faces {sides} was not seen: it is taken for flat.", sides=names),)

    @classmethod
    def of(cls, cloud: Cloud, frame: Frame | None = None, seed: int = 0) -> Assessor:
        """Prepare a scan.

        Args:
            frame: That of the scan's bounding box where it is None.
            seed: Chooses the points of a large cloud.
        """
        solid = None
        if cloud.solid is None:
            frame = frame or Frame.of(cloud.points)
        else:
            vertices, faces = cloud.solid
            frame = frame or Frame.of(vertices)
            solid = from_mesh(frame.to_code(vertices), faces)
        normals = None if cloud.normals is None else frame.to_own_axes(cloud.normals)
        return cls(frame, ruler_for(frame.to_code(cloud.points), normals, seed=seed), solid)

    def assess(self, solid: Manifold | None) -> Assessment:
        """The assessment of a solid in CODE, its places in the file's units; None where no solid was made."""
        if self.solid is None:
            assessment = assess_cloud(solid, self.ruler)
        else:
            assessment = assess_volume(solid, self.solid)
        return assessment.in_file(self.frame)

    def assess_mesh(self, vertices: np.ndarray, faces: np.ndarray) -> Assessment:
        """The assessment of a closed mesh in the file's units."""
        return self.assess(from_mesh(self.frame.to_code(vertices), faces))
