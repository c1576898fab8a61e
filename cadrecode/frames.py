"""The three frames, and the way between them.

RAW   the user's file, in the user's units.
MODEL centred on the bounding box, longest side 2: the input of the network. A slanted part is turned upright.
CODE  MODEL x 100: the units of programs, so that their numbers are mostly integers in -100..100.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}  # the units of files and programs
TINY_MM = 1.0  # a scan in mm whose longest side is less was most likely taken in metres
MODEL_SIDE = 2.0  # longest bounding-box side in the MODEL frame
CODE_PER_MODEL = 100.0  # one MODEL unit is 100 CODE units


Point3 = tuple[float, float, float]
Rotation = tuple[Point3, ...]  # (3, 3), rows; hashable, so that frames are


@dataclass(frozen=True)
class Frame:
    """Where a cloud stood, how large it was, and how it was turned: RAW = rotation @ MODEL * raw_per_model + center.

    Args:
        center: middle of the bounding box that is along the part's own axes, RAW.
        raw_per_model: RAW units in one MODEL unit; half of the longest side.
        rotation: (3, 3) whose columns are the part's own axes, RAW; None where they are the axes of the file.
    """

    center: Point3
    raw_per_model: float
    rotation: Rotation | None = None

    @classmethod
    def of(cls, points: np.ndarray, rotation: np.ndarray | None = None) -> Frame:
        """The frame that centres points and scales their longest side, along the part's own axes, to 2.

        Args:
            points: (N, 3), RAW.
            rotation: (3, 3) whose columns are the part's own axes; None: the axes of the file.
        Raises: ValueError: the points have no extent, or `rotation` is no rotation.
        """
        if rotation is not None:
            rotation = np.asarray(rotation, np.float64)
            if not np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-9) or np.linalg.det(rotation) < 0:
                raise ValueError("The rotation's columns are not three right-handed unit vectors square to each other.")
            points = points @ rotation
        low, high = np.min(points, axis=0), np.max(points, axis=0)
        side = float((high - low).max())
        if not side > 0:
            raise ValueError("All points are the same; a frame needs an extent.")
        center, rows = (low + high) / 2, None
        if rotation is not None:
            center, rows = rotation @ center, tuple(tuple(row) for row in rotation.tolist())
        return cls(tuple(float(c) for c in center), side / MODEL_SIDE, rows)

    @property
    def raw_per_code(self) -> float:
        """RAW units in one CODE unit."""
        return self.raw_per_model / CODE_PER_MODEL

    def to_own_axes(self, directions: np.ndarray) -> np.ndarray:
        """(N, 3) directions, such as normals: RAW -> along the part's own axes, of the same length."""
        return directions if self.rotation is None else directions @ np.array(self.rotation)

    def turn(self) -> tuple[Point3, float]:
        """The rotation as a unit axis and a right-handed angle about it, 0 to 180 degrees."""
        return turn_of(np.eye(3) if self.rotation is None else np.array(self.rotation))

    def to_model(self, raw: np.ndarray) -> np.ndarray:
        """(N, 3) RAW -> (N, 3) float64 MODEL."""
        centred = np.asarray(raw, np.float64) - self.center
        return self.to_own_axes(centred) / self.raw_per_model

    def to_raw(self, model: np.ndarray) -> np.ndarray:
        """(N, 3) MODEL -> (N, 3) float64 RAW."""
        scaled = np.asarray(model, np.float64) * self.raw_per_model
        return (scaled if self.rotation is None else scaled @ np.array(self.rotation).T) + self.center

    def to_code(self, raw: np.ndarray) -> np.ndarray:
        """(N, 3) RAW -> (N, 3) float64 CODE."""
        return self.to_model(raw) * CODE_PER_MODEL

    def code_to_raw(self, code: np.ndarray) -> np.ndarray:
        """(N, 3) CODE -> (N, 3) float64 RAW."""
        return self.to_raw(np.asarray(code, np.float64) / CODE_PER_MODEL)


def turn_of(rotation: np.ndarray) -> tuple[Point3, float]:
    """A (3, 3) rotation as a unit axis and a right-handed angle about it, 0 to 180 degrees."""
    from scipy.spatial.transform import Rotation as Turn  # here, because pretraining imports this file without SciPy

    vector = Turn.from_matrix(rotation).as_rotvec()
    angle = float(np.linalg.norm(vector))
    x, y, z = (vector / angle).tolist() if angle > 1e-12 else (0.0, 0.0, 1.0)
    return (x, y, z), math.degrees(angle)
