"""Triangles and lines as a binary glTF file, the format that a browser draws without conversion.

glTF is Y up and parts are Z up, so everything is turned. It is also scaled, because the viewer has a fixed range of
distances: a part of any size fills the same sphere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cadrecode.formats.glb_write import GlbFile

VIEW_DIAGONAL = 3.0  # of the box around what is drawn
TRIANGLES, LINES = 4, 1  # glTF primitive modes


@dataclass(frozen=True)
class Layer:
    """Triangles or lines of a single colour.

    Args:
        vertices: (V, 3) float, RAW.
        indices: (T, 3) int for triangles, (L, 2) int for lines.
        colour: red, green, blue in [0, 1], as a screen shows them (sRGB).
        normals: (V, 3) float; without them the layer is drawn in its plain colour, without light.
    """

    vertices: np.ndarray
    indices: np.ndarray
    colour: tuple[float, float, float]
    normals: np.ndarray | None = None


def write_glb(path: Path, layers: list[Layer], center: np.ndarray, diagonal: float) -> Path:
    """Write layers, centred on `center` (RAW) and scaled so that `diagonal` (RAW) becomes VIEW_DIAGONAL."""
    file = GlbFile()
    meshes: list[dict] = []
    materials: list[dict] = []
    for layer in layers:
        if not len(layer.indices):
            continue
        scaled = (np.asarray(layer.vertices, np.float64) - center) * (VIEW_DIAGONAL / diagonal)
        attributes = {"POSITION": file.vectors(_y_up(scaled))}
        if layer.normals is not None:
            attributes["NORMAL"] = file.vectors(_y_up(layer.normals))
        primitive = {
            "attributes": attributes,
            "indices": file.indices(layer.indices),
            "mode": TRIANGLES if np.shape(layer.indices)[1] == 3 else LINES,
            "material": len(materials),
        }
        meshes.append({"primitives": [primitive]})
        materials.append(_material(layer.colour, layer.normals is not None))
    nodes = [{"mesh": i} for i in range(len(meshes))]
    return file.write(path, nodes, meshes, materials, extensionsUsed=["KHR_materials_unlit"])


def _y_up(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) Z up -> (N, 3) Y up."""
    x, y, z = np.asarray(vectors, np.float64).T
    return np.stack((x, z, -y), axis=1)


def _material(colour: tuple[float, float, float], lit: bool) -> dict:
    linear = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in colour]
    material = {
        "pbrMetallicRoughness": {"baseColorFactor": [*linear, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.7},
        "doubleSided": True,
    }
    return material if lit else material | {"extensions": {"KHR_materials_unlit": {}}}
