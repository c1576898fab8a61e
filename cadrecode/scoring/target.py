"""Program against truth. These numbers are reported and choose nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from cadrecode.cloud import sample_surface
from cadrecode.errors import ProgramError
from cadrecode.frames import MODEL_SIDE, Frame
from cadrecode.program import from_mesh, iou, mesh_of, write
from cadrecode.program.solid import bounds, through_holes
from cadrecode.scoring.candidate import Candidate, build_text

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox
    from cadrecode.program.solid import Manifold

SCORE_POINTS = 8192  # on each surface, as in published Chamfer distances
BBOX_AGREES = 0.005  # of the longest side: error of a side of a bounding box that agrees
CHAMFER_SCALE = 1000.0  # published figures are multiplied by it


def chamfer(a_points: np.ndarray, b_points: np.ndarray) -> float:
    """The Chamfer distance as published: both mean squared nearest distances, added, times 1,000.

    Args:
        a_points: (n, 3), in a frame in which the target's longest side is 1.
        b_points: (m, 3), in the same frame.
    """
    a_to_b = cKDTree(b_points).query(a_points)[0]
    b_to_a = cKDTree(a_points).query(b_points)[0]
    return float(CHAMFER_SCALE * (np.mean(a_to_b**2) + np.mean(b_to_a**2)))


@dataclass(frozen=True)
class Target:
    """A true solid, in the CODE frame in which programs for it are written.

    Args:
        id: its name in reports.
        solid: CODE.
        frame: CODE <-> RAW.
        surface: (8192, 3) points on it, unit cube (longest side 1).
        unit_per_code: unit-cube lengths in one CODE unit.
        seed: decides the samples.
    """

    id: str
    solid: Manifold = field(repr=False)
    frame: Frame
    surface: np.ndarray = field(repr=False)
    unit_per_code: float
    seed: int

    @classmethod
    def of(
        cls, id: str, vertices: np.ndarray, faces: np.ndarray, *, frame: Frame | None = None, seed: int = 0
    ) -> Target:
        """A target from a closed mesh.

        Args:
            vertices: (n, 3) RAW.
            faces: (m, 3).
            frame: The frame of the cloud that the model saw; the mesh's own when None.
            seed: For the samples.
        Raises: ProgramError: the mesh is not a closed solid.
        """
        vertices = np.asarray(vertices, np.float64)
        if (
            len(vertices) == 0
            or len(faces) == 0
            or not np.isfinite(vertices).all()
            or not np.ptp(vertices, axis=0).any()
        ):
            raise ProgramError("The mesh is empty, a single point, or has coordinates that are not numbers.")
        own = Frame.of(vertices)
        frame = frame or own
        solid = from_mesh(frame.to_code(vertices), faces)
        if not solid.volume() > 0:
            raise ProgramError("The mesh is flat: it encloses no volume.")
        unit_per_code = frame.raw_per_code / (own.raw_per_model * MODEL_SIDE)
        surface, _ = sample_surface(*mesh_of(solid), SCORE_POINTS, seed)
        return cls(id, solid, frame, surface * unit_per_code, unit_per_code, seed)


@dataclass(frozen=True)
class Score:
    """One program against one target. A failure has IoU 0 and no Chamfer distance.

    Args:
        outcome: An `Outcome` or OUTSIDE.
        iou: In [0, 1].
        cd: Chamfer distance x 1,000.
        detail: Why it failed.
        bbox_error: The largest error of a side of the bounding box, over the target's longest side.
    """

    outcome: str
    iou: float
    cd: float | None
    detail: str = ""
    bbox_error: float | None = None

    @property
    def ok(self) -> bool:
        return self.cd is not None


def score(program: str | Candidate, target: Target, sandbox: Sandbox | None = None) -> Score:
    """Boolean IoU and Chamfer distance of a program's solid and the target's.

    Args:
        program: Text in the CODE frame of the target, or a candidate that is built already.
        sandbox: for text outside of the language; see `build_text`.
    """
    built = program if isinstance(program, Candidate) else build_text(program, sandbox)
    if not built.ok:
        return Score(built.outcome, 0.0, None, built.detail)
    surface, _ = sample_surface(
        *built.mesh, SCORE_POINTS, target.seed + 1
    )  # not the target's own samples, even for equal meshes
    sides, true_sides = (np.ptp(bounds(solid), axis=0) for solid in (built.solid, target.solid))
    return Score(
        built.outcome,
        iou(built.solid, target.solid),
        chamfer(surface * target.unit_per_code, target.surface),
        bbox_error=float(np.abs(sides - true_sides).max() / true_sides.max()),
    )


def figures_of(candidate: Candidate, target: Target) -> dict[str, Any]:
    """The figures of a program against its target, for a report: an IoU of 0 and the reason where it makes no solid."""
    scored = score(candidate, target)
    row = {
        "outcome": str(scored.outcome),
        "iou": round(scored.iou, 6),
        "cd": None if scored.cd is None else round(scored.cd, 5),
        "bbox_error": None if scored.bbox_error is None else round(scored.bbox_error, 6),
        "program": candidate.text if candidate.program is None else write(candidate.program),
        "genus": through_holes(candidate.solid) if candidate.ok else None,
    }
    return row | {"detail": scored.detail} if scored.detail else row
