"""Surfaces into files that printers' software reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}


def write_3mf(path: Path, vertices: np.ndarray, faces: np.ndarray, unit: str = "mm") -> Path:
    """A 3MF file, in millimetres whatever `unit` is: the format's default, and all that some slicers look at.

    Args:
        vertices: (n, 3) float in `unit`.
        faces: (m, 3) int, facing outwards.
    """
    import trimesh  # a second; only where it is needed

    mesh = trimesh.Trimesh(np.asarray(vertices, np.float64) * MM_PER_UNIT[unit], faces, process=False)
    path.write_bytes(mesh.export(file_type="3mf"))
    return path
