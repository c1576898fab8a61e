"""A part and its scan as the data that the 3D view draws."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import numpy as np

from cadrecode.geometry import bounding_box
from cadrecode.part_faces import face_groups
from cadrecode.pictures import sharp_edges
from cadrecode.ui.draw import html

MOST_POINTS = 8000  # more do not show, and every move of a slider sends them


def scene_name(content: str) -> str:
    """A short name for what a scene shows, by which later knowledge of it is matched."""
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def scene(
    content: str,
    mesh: tuple[np.ndarray, np.ndarray] | None,
    points: np.ndarray | None,
    signed: np.ndarray | None = None,
    *,
    unit: str,
    tolerance: float,
) -> dict[str, Any]:
    """The content of the view: places are moved by `center`, so that numbers of single precision are enough.

    Args:
        content: Tells scenes apart: the program of a part.
        mesh: (V, 3) float RAW vertices and (F, 3) int faces.
        points: (N, 3) float RAW.
        signed: (N,) float, the distances of these points from the part; None where they were not measured.
        unit: Of all lengths; what the view writes is in the unit that is shown.
        tolerance: Where the colours of the deviation end.
    """
    drawn = np.concatenate([places for places in (mesh and mesh[0], points) if places is not None])
    box = bounding_box(drawn if mesh is None else mesh[0])
    center = box.mean(axis=0)
    factor, shown_unit = html.shown_in(unit)
    shown: dict[str, Any] = {
        "part": scene_name(content), "center": center.tolist(), "size": np.ptp(box, axis=0).tolist(),
        "unit": shown_unit, "factor": factor, "tolerance": tolerance,
    }  # fmt: skip
    if mesh is not None:
        vertices, faces = mesh
        shown |= {
            "vertices": _packed(vertices - center, np.float32), "faces": _packed(faces, np.uint32),
            "groups": _packed(face_groups(vertices, faces), np.uint32),
            "edges": _packed(sharp_edges(vertices, faces), np.uint32),
        }  # fmt: skip
    if points is not None:
        picked = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)
        shown["points"] = _packed(points[picked] - center, np.float32)
        if signed is not None:
            shown["signed"] = _packed(signed[picked], np.float32)
    return shown


def _packed(array: np.ndarray, kind: type) -> str:
    return base64.b64encode(np.ascontiguousarray(array, kind).tobytes()).decode()
