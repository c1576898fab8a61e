"""Scenes of many parts, .glb and .3mf, through trimesh: all parts in their places, joined to a single mesh."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.content import wrong_content
from cadrecode.formats.polygons import require_indices
from cadrecode.formats.rows import ZIP_ERRORS, FileContents

_GLTF_TRIANGLES = (4, 5, 6)  # triangles, strips, fans
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
_UNPACKED_LIMIT = 1 << 31  # bytes; a small archive can unpack to more than any memory


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
    try:
        tree = json.loads(data[20 : 20 + json_bytes])
        _require_plain_geometry(path.name, tree)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise PointCloudError(
            "{name} has damaged glTF contents ({error}). Export it again.", name=path.name, error=repr(error)
        ) from error
    return _join(path.name, data, "glb")


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


def read_3mf(path: Path) -> FileContents:
    """Read a 3MF package. RAW units are the file's numbers.

    Raises: PointCloudError: not a 3MF, cut short, damaged, no surface.
    """
    data = path.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(data)):
        if data[:2] == b"PK":
            raise PointCloudError(
                "{name} is a package without its end. The file is cut short: copy it again.", name=path.name
            )
        raise wrong_content(path, Message("a 3MF model"), Message("it is no zip package"))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            names = archive.namelist()
            if unpacked > _UNPACKED_LIMIT:
                raise PointCloudError(
                    "{name} unpacks to {size:.1f} GB; at most {most:.1f} are read.",
                    name=path.name,
                    size=unpacked / 1e9,
                    most=_UNPACKED_LIMIT / 1e9,
                )
            damaged = archive.testzip()
    except ZIP_ERRORS as error:
        raise PointCloudError(
            "{name} is a damaged package ({error}). Copy or export it again.", name=path.name, error=error
        ) from error
    if damaged is not None:
        raise PointCloudError(
            "{name} is a damaged package: {what} does not match its checksum. Copy it again.",
            name=path.name,
            what=damaged,
        )
    if not any("3d/3dmodel.model" in name.lower() for name in names):
        raise PointCloudError(
            "{name} is a zip archive without 3D/3dmodel.model, so not a 3MF model. Export it again.", name=path.name
        )
    return _join(path.name, data, "3mf")


def _join(name: str, data: bytes, kind: str) -> FileContents:
    import trimesh  # half a second: only scenes need it

    try:
        options = {"skip_materials": True} if kind == "glb" else {}
        scene = trimesh.load_scene(io.BytesIO(data), file_type=kind, process=False, **options)
        parts = scene.dump()
    except Exception as error:  # a foreign parser on a foreign file: anything may come
        raise PointCloudError(
            "{name} could not be read as {kind} ({error}). Export it again.",
            name=name,
            kind=kind.upper(),
            error=repr(error),
        ) from error
    meshes = [part for part in parts if isinstance(part, trimesh.Trimesh)]
    if not meshes:
        clouds = [part.vertices for part in parts if isinstance(part, trimesh.PointCloud)]
        if clouds:
            points = np.concatenate(clouds).astype(np.float64)
            return FileContents(points, faces=np.empty((0, 3), np.int64), announced=len(points))
        raise PointCloudError("{name} holds no surface and no points: the scene is empty.", name=name)
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts)]).astype(np.int64)
    vertices = np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float64)
    require_indices(faces, len(vertices), name)
    return FileContents(np.array(vertices), faces=np.array(faces))
