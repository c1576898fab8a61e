"""The three frames, and the way between them.

RAW   the user's file, in the user's units.
MODEL centred on the bounding box, longest side 2: what the network sees.
CODE  MODEL x 100: what programs are written in, so that their numbers are mostly integers in -100..100.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MODEL_SIDE = 2.0  # longest bounding-box side in the MODEL frame
CODE_PER_MODEL = 100.0  # one MODEL unit is 100 CODE units


@dataclass(frozen=True)
class Frame:
    """Where a cloud stood and how large it was.

    Args:
        center: middle of the bounding box, RAW.
        raw_per_model: RAW units in one MODEL unit; half of the longest side.
    """

    center: tuple[float, float, float]
    raw_per_model: float

    @classmethod
    def of(cls, points: np.ndarray) -> Frame:
        """The frame that centres (N, 3) RAW points and makes their longest side 2.

        Raises: ValueError: the points have no extent.
        """
        low, high = np.min(points, axis=0), np.max(points, axis=0)
        side = float((high - low).max())
        if not side > 0:
            raise ValueError("All points are the same; a frame needs an extent.")
        return cls(center=tuple(float(c) for c in (low + high) / 2), raw_per_model=side / MODEL_SIDE)

    @property
    def raw_per_code(self) -> float:
        """RAW units in one CODE unit."""
        return self.raw_per_model / CODE_PER_MODEL

    def to_model(self, raw: np.ndarray) -> np.ndarray:
        """(N, 3) RAW -> (N, 3) float64 MODEL."""
        return (np.asarray(raw, np.float64) - self.center) / self.raw_per_model

    def to_raw(self, model: np.ndarray) -> np.ndarray:
        """(N, 3) MODEL -> (N, 3) float64 RAW."""
        return np.asarray(model, np.float64) * self.raw_per_model + self.center

    def to_code(self, raw: np.ndarray) -> np.ndarray:
        """(N, 3) RAW -> (N, 3) float64 CODE."""
        return self.to_model(raw) * CODE_PER_MODEL

    def code_to_raw(self, code: np.ndarray) -> np.ndarray:
        """(N, 3) CODE -> (N, 3) float64 RAW."""
        return self.to_raw(np.asarray(code, np.float64) / CODE_PER_MODEL)
