"""Writes glTF 2 in a single file (.glb): arrays in one buffer, and the JSON that describes them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

FLOAT, UINT = 5126, 5125  # glTF component types
VERTICES, INDICES = 34962, 34963  # glTF buffer targets


class GlbFile:
    """A file in the making: add the arrays, then write it with the scene that names them by number."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.views: list[dict] = []
        self.accessors: list[dict] = []

    def vectors(self, array: np.ndarray) -> int:
        """Add (N, 3) float, such as positions or normals. Returns its number."""
        vectors = np.asarray(array, "<f4")
        box = {"min": vectors.min(axis=0).tolist(), "max": vectors.max(axis=0).tolist()}
        return self._add(vectors.tobytes(), VERTICES, componentType=FLOAT, count=len(vectors), type="VEC3", **box)

    def indices(self, array: np.ndarray) -> int:
        """Add the corners of triangles or the ends of lines. Returns the array's number."""
        return self._add(
            np.asarray(array, "<u4").tobytes(), INDICES, componentType=UINT, count=int(np.size(array)), type="SCALAR"
        )

    def _add(self, content: bytes, target: int, **accessor: Any) -> int:
        place = {"buffer": 0, "byteOffset": len(self.buffer), "byteLength": len(content), "target": target}
        self.views.append(place)
        self.accessors.append({"bufferView": len(self.views) - 1, **accessor})
        self.buffer.extend(content)  # every element is 4 bytes wide, so views stay aligned
        return len(self.accessors) - 1

    def write(self, path: Path, nodes: list[dict], meshes: list[dict], materials: list[dict], **more: Any) -> Path:
        """Write a scene that shows all nodes."""
        scene = {
            "asset": {"version": "2.0", "generator": "cadrecode"},
            "scene": 0,
            "scenes": [{"nodes": list(range(len(nodes)))}],
            "nodes": nodes,
            "meshes": meshes,
            "materials": materials,
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.buffer)}],
            **more,
        }
        text = json.dumps(scene, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(self.buffer), b"BIN\0") + self.buffer
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
        return path
