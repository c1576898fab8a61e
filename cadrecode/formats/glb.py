"""Binary glTF 2: the triangles and points of a scene, all parts in their places.

Read here and not by trimesh, which copies a mesh for each of the nodes that name it, and follows nodes that name
each other without an end.
"""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.content import wrong_content
from cadrecode.formats.limits import allowance, require_memory
from cadrecode.formats.parts import Parts
from cadrecode.formats.rows import FileContents

_POINTS, _TRIANGLES, _STRIP, _FAN = 0, 4, 5, 6
_INDEX_TYPES = {5121: "<u1", 5123: "<u2", 5125: "<u4"}
_JSON_BYTES = 25  # of memory, for a byte of JSON
# extensions that change how a part looks, not where its surface is
_HARMLESS = (
    "KHR_materials_",
    "KHR_texture_",
    "EXT_texture_",
    "MSFT_texture_",
    "KHR_lights_",
    "KHR_xmp",
    "KHR_animation",
)


def read_glb(path: Path) -> FileContents:
    """Read a binary glTF 2 scene. RAW units and axes are the file's (glTF means metres, Y up).

    Raises: PointCloudError: not a GLB, cut short, geometry packed in a way that is not supported, no surface.
    """
    data = path.read_bytes()
    if data[:4] != b"glTF":
        raise wrong_content(path, Message("a binary glTF model"), Message("it does not begin with glTF"))
    if len(data) < 20:
        raise PointCloudError("{name} ends inside its header. The file is cut short: copy it again.", name=path.name)
    version, announced, json_bytes = struct.unpack("<III", data[4:16])
    if version != 2:
        raise PointCloudError(
            "{name} is glTF version {version}; version 2 is needed. Export it again.", name=path.name, version=version
        )
    if len(data) < announced:
        raise PointCloudError(
            "{name} announces {announced:,} bytes but holds {actual:,}. The file is cut short: copy it again.",
            name=path.name,
            announced=announced,
            actual=len(data),
        )
    allowed = allowance(path)
    require_memory(path.name, _JSON_BYTES * json_bytes, allowed)
    parts = Parts(path.name, allowed - len(data))
    try:
        tree = json.loads(data[20 : 20 + json_bytes])
        _require_plain_geometry(path.name, tree)
        _Scene(tree, memoryview(data)[20 + json_bytes :], parts).walk()
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise PointCloudError(
            "{name} has damaged glTF contents ({error}). Export it again.", name=path.name, error=repr(error)[:200]
        ) from error
    return parts.joined()


class _Scene:
    """Args:
    tree: the file's JSON.
    rest: the bytes after it: the header of the binary chunk, and the chunk.
    """

    def __init__(self, tree: dict[str, Any], rest: memoryview, parts: Parts):
        self.tree, self.rest, self.parts = tree, rest, parts
        self._buffers: dict[int, memoryview] = {}

    def walk(self) -> None:
        """Give every part of the scene to `parts`. Each node has one parent at most, as glTF demands."""
        nodes, seen = self.tree.get("nodes", []), set()
        waiting = [(index, np.eye(4)) for index in self._roots(nodes)]
        while waiting:
            index, above = waiting.pop()
            if index in seen:
                raise ValueError(Message("node {index} has two parents", index=index))
            seen.add(index)
            self.parts.visit()
            node = nodes[index]
            matrix = above @ _matrix(node)
            if "mesh" in node:
                for primitive in self.tree["meshes"][node["mesh"]]["primitives"]:
                    self._add(primitive, matrix)
            waiting += [(child, matrix) for child in node.get("children", [])]

    def _roots(self, nodes: list[dict]) -> list[int]:
        scenes = self.tree.get("scenes", [])
        if scenes:
            return scenes[self.tree.get("scene", 0)].get("nodes", [])
        children = {child for node in nodes for child in node.get("children", [])}
        return [index for index in range(len(nodes)) if index not in children]

    def _add(self, primitive: dict, matrix: np.ndarray) -> None:
        self.parts.visit()
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_POINTS, _TRIANGLES, _STRIP, _FAN):
            return
        vertices = self._array(primitive["attributes"]["POSITION"], "<f4", 3)
        if mode == _POINTS:
            self.parts.add(vertices, None, matrix)
            return
        if "indices" in primitive:
            kind = _INDEX_TYPES[self.tree["accessors"][primitive["indices"]]["componentType"]]
            corners = self._array(primitive["indices"], kind, 1)[:, 0]
        else:
            corners = np.arange(len(vertices))
        self.parts.add(vertices, _triangles(corners, mode), matrix)

    def _array(self, number: int, kind: str, columns: int) -> np.ndarray:
        """(count, columns): the array of an accessor, without a copy."""
        accessor = self.tree["accessors"][number]
        view = self.tree["bufferViews"][accessor["bufferView"]]
        item = np.dtype(kind)
        count, stride = int(accessor["count"]), int(view.get("byteStride") or columns * item.itemsize)
        start = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
        if count < 0 or start < 0 or stride < columns * item.itemsize:
            raise ValueError(Message("accessor {number} is out of range", number=number))
        buffer = self._buffer(int(view.get("buffer", 0)))
        return np.ndarray((count, columns), item, buffer, start, (stride, item.itemsize))

    def _buffer(self, number: int) -> memoryview:
        if number not in self._buffers:
            uri = self.tree["buffers"][number].get("uri")
            if uri is None:
                (length,) = struct.unpack("<I", self.rest[:4].tobytes().ljust(4, b"\0"))
                self._buffers[number] = self.rest[8 : 8 + length]
            else:
                self._buffers[number] = memoryview(base64.b64decode(uri.partition(",")[2]))
        return self._buffers[number]


def _matrix(node: dict) -> np.ndarray:
    """(4, 4) from a node to its parent."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    if "rotation" in node:
        x, y, z, w = map(float, node["rotation"])
        matrix[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    if "scale" in node:
        matrix[:3, :3] *= np.array(node["scale"], np.float64).reshape(3)
    if "translation" in node:
        matrix[:3, 3] = np.array(node["translation"], np.float64).reshape(3)
    return matrix


def _triangles(corners: np.ndarray, mode: int) -> np.ndarray:
    """(F, 3) from the corners of triangles one by one, in a strip, or around the first."""
    if mode == _TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    if mode == _FAN:
        return np.column_stack((np.full(max(0, len(corners) - 2), corners[0]), corners[1:-1], corners[2:]))
    strip = np.column_stack((corners[:-2], corners[1:-1], corners[2:]))
    strip[1::2] = strip[1::2, ::-1]
    return strip


def _require_plain_geometry(name: str, tree: dict) -> None:
    """Refuse what trimesh would read as zeros or skip."""
    advice = Message("Export it without compression.")
    for extension in tree.get("extensionsRequired", []):
        if not extension.startswith(_HARMLESS):
            packed = Message("an extension that is not supported")
            if "draco" in extension:
                packed = Message("Draco compression")
            raise PointCloudError(
                "{name} needs {packed} ({extension}). {advice}",
                name=name,
                packed=packed,
                extension=extension,
                advice=advice,
            )
    for buffer in tree.get("buffers", []):
        if "uri" in buffer and not buffer["uri"].startswith("data:"):
            raise PointCloudError(
                "{name} keeps its geometry in another file, {file}. Export one .glb file.",
                name=name,
                file=buffer["uri"][:80],
            )
    for mesh in tree.get("meshes", []):
        for primitive in mesh["primitives"]:
            accessor = tree["accessors"][primitive["attributes"]["POSITION"]]
            extensions = ", ".join(primitive.get("extensions", {})) or Message("sparse accessors")
            if "bufferView" not in accessor or "sparse" in accessor:
                packed = extensions
                if "draco" in extensions:
                    packed = Message("Draco compression ({extensions})", extensions=extensions)
                raise PointCloudError(
                    "{name} packs its geometry with {packed}, which is not supported. {advice}",
                    name=name,
                    packed=packed,
                    advice=advice,
                )
            if accessor["componentType"] != 5126 or accessor.get("normalized"):
                raise PointCloudError(
                    "{name} stores its positions as rounded integers, which is not supported. {advice}",
                    name=name,
                    advice=advice,
                )
