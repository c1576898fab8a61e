"""Writers of surfaces: STL and 3MF."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from cadrecode.frames import MM_PER_UNIT
from cadrecode.geometry import face_normals


def write_stl(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Write binary STL of a mesh: (n, 3) float, (m, 3) int. STL knows no units and only float32."""
    records = np.zeros(len(faces), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    records["normal"], records["corners"] = face_normals(vertices, faces), np.asarray(vertices, np.float64)[faces]
    path.write_bytes(b"cadrecode".ljust(80, b" ") + struct.pack("<I", len(faces)) + records.tobytes())


def write_3mf(path: Path, vertices: np.ndarray, faces: np.ndarray, unit: str) -> None:
    """Write a 3MF file, in millimetres whatever `unit` is: the format's default, and all that some slicers look at.

    Args:
        vertices: (n, 3) float in `unit`.
        faces: (m, 3) int, facing outwards.
    """
    import trimesh  # a second; only where it is needed

    mesh = trimesh.Trimesh(np.asarray(vertices, np.float64) * MM_PER_UNIT[unit], faces, process=False)
    path.write_bytes(mesh.export(file_type="3mf"))
