"""Triangles and lines as a binary glTF file, the format that a browser draws without conversion.

glTF is Y up and parts are Z up, so everything is turned. It is also scaled, because the viewer has a fixed range of
distances: a part of any size fills the same sphere.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VIEW_DIAGONAL = 3.0  # of the box around what is drawn
TRIANGLES, LINES = 4, 1  # glTF primitive modes
FLOAT, UINT = 5126, 5125  # glTF component types
VERTICES, INDICES = 34962, 34963  # glTF buffer targets


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
    blob, views, accessors, meshes = bytearray(), [], [], []
    materials: list[dict] = []

    def add(array: np.ndarray, kind: str, component: int, target: int) -> int:
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": array.nbytes, "target": target})
        accessor = {"bufferView": len(views) - 1, "componentType": component, "count": len(array), "type": kind}
        if target == VERTICES:
            accessor |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        accessors.append(accessor)
        blob.extend(array.tobytes())  # every element is 4 bytes wide, so views stay aligned
        return len(accessors) - 1

    for layer in layers:
        if not len(layer.indices):
            continue
        lit = layer.normals is not None
        scaled = (np.asarray(layer.vertices, np.float64) - center) * (VIEW_DIAGONAL / diagonal)
        attributes = {"POSITION": add(_y_up(scaled), "VEC3", FLOAT, VERTICES)}
        if lit:
            attributes["NORMAL"] = add(_y_up(layer.normals), "VEC3", FLOAT, VERTICES)
        flat = np.ascontiguousarray(layer.indices, np.uint32).reshape(-1)
        primitive = {
            "attributes": attributes,
            "indices": add(flat, "SCALAR", UINT, INDICES),
            "mode": TRIANGLES if np.shape(layer.indices)[1] == 3 else LINES,
            "material": len(materials),
        }
        meshes.append({"primitives": [primitive]})
        materials.append(_material(layer.colour, lit))

    document = {
        "asset": {"version": "2.0", "generator": "cadrecode"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": list(range(len(meshes)))}],
        "nodes": [{"mesh": i} for i in range(len(meshes))],
        "meshes": meshes,
        "materials": materials,
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(blob)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(blob))
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(blob), b"BIN\0") + blob
    path.write_bytes(header + chunks)
    return path


def _y_up(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) Z up -> (N, 3) float32 Y up."""
    x, y, z = np.asarray(vectors, np.float64).T
    return np.ascontiguousarray(np.stack((x, z, -y), axis=1), np.float32)


def _material(colour: tuple[float, float, float], lit: bool) -> dict:
    linear = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in colour]
    material = {
        "pbrMetallicRoughness": {"baseColorFactor": [*linear, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.7},
        "doubleSided": True,
    }
    return material if lit else material | {"extensions": {"KHR_materials_unlit": {}}}
