"""Any file to a cloud: find the reader, check its contents, sample surfaces."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cadrecode import shipped
from cadrecode.cloud.check import flatness_warnings, require_distinct, require_points_array
from cadrecode.cloud.closed import Surface, closed_surface
from cadrecode.cloud.sample import sample_surface
from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.arrays import read_npy, read_npz
from cadrecode.formats.columns import usable_normals
from cadrecode.formats.content import wrong_content
from cadrecode.formats.glb import read_glb
from cadrecode.formats.las import read_las
from cadrecode.formats.limits import allowance
from cadrecode.formats.meshes import read_obj, read_off, read_stl
from cadrecode.formats.pcd import read_pcd
from cadrecode.formats.ply import read_ply
from cadrecode.formats.rows import FileContents, RowCollector, require_finite
from cadrecode.formats.table import read_table
from cadrecode.formats.threemf import read_3mf
from cadrecode.geometry import area_vectors

SURFACE_POINTS = 8192  # as the published model was trained
MAX_POINTS = 20_000_000  # 2.4 GB at the peak, measured on a .npy of 25 million

POINTS = Message("points")

_CLOUD_READERS = {
    ".npy": read_npy, ".npz": read_npz, ".txt": read_table, ".xyz": read_table, ".pts": read_table, ".csv": read_table,
    ".ply": read_ply, ".pcd": read_pcd, ".las": read_las,
}  # fmt: skip
_MESH_READERS = {".stl": read_stl, ".obj": read_obj, ".off": read_off, ".glb": read_glb, ".3mf": read_3mf}

CLOUD_SUFFIXES = tuple(_CLOUD_READERS)  # .ply is here and holds a mesh where it has faces
MESH_SUFFIXES = tuple(_MESH_READERS)
BREP_SUFFIXES = (".step", ".stp", ".brep")
SURFACE_SUFFIXES = (*MESH_SUFFIXES, *BREP_SUFFIXES, ".ply")
READABLE = CLOUD_SUFFIXES + MESH_SUFFIXES + BREP_SUFFIXES


@dataclass(frozen=True)
class Cloud:
    """Points of a part.

    Args:
        points: (N, 3) float64, RAW.
        normals: (N, 3) float64 of length 1, or None.
        name: the name of the file or of the shape.
        kind: "cloud" (points in the file), "mesh" or "brep" (sampled on its surface), "shape" (made here).
        warnings: messages for the person.
        announced: points in the file, before any were left out; None where points were sampled.
        solid: the mesh itself, RAW, where it is closed; parts are then compared with it by volume.
        used_as: how the input is used, in words.
    """

    points: np.ndarray
    normals: np.ndarray | None
    name: str
    kind: str
    warnings: tuple[str, ...] = ()
    announced: int | None = None
    solid: Surface | None = field(default=None, repr=False)
    used_as: Message = POINTS

    @classmethod
    def of_mesh(
        cls,
        vertices: np.ndarray,
        faces: np.ndarray,
        *,
        name: str = "part",
        kind: str = "mesh",
        warnings: tuple[str, ...] = (),
        n_surface: int = SURFACE_POINTS,
        seed: int = 0,
    ) -> Cloud:
        """Points sampled on a mesh, (V, 3) and (F, 3), with the mesh itself where it is closed."""
        points, normals = sample_surface(vertices, faces, n_surface, seed)
        solid, used_as = closed_surface(vertices, faces)
        return cls(points, normals, name, kind, warnings, None, solid, used_as)


def read_cloud(path: str | Path, *, seed: int = 0) -> Cloud:
    """Read a cloud, or sample the surface of a mesh or a STEP or BREP model.

    Args:
        path: a file; its suffix, in any case, says what it is.
        seed: for the sampling of a surface, and for which points stay when there are more than MAX_POINTS.
    Raises: PointCloudError: there is nothing usable in it, and what to do about it.
    """
    path = _existing_file(path)
    suffix = _known_suffix(path)
    contents = _read(path, suffix, seed)
    warnings = list(contents.warnings)
    if contents.faces is not None and len(contents.faces):
        kind = "brep" if suffix in BREP_SUFFIXES else "mesh"
        _require_surface(contents, path.name)
        cloud = Cloud.of_mesh(contents.points, contents.faces, name=path.name, kind=kind, seed=seed)
    elif contents.faces is not None and suffix in (*BREP_SUFFIXES, ".stl"):
        raise PointCloudError("{name} holds no triangles. A surface is needed: export the part again.", name=path.name)
    else:
        kind, points, announced = "cloud", require_points_array(contents.points, path.name), contents.announced
        normals, more = usable_normals(contents.normals, path.name)
        warnings += more
        announced = len(points) if announced is None else announced
        cloud = Cloud(points, normals, path.name, kind, announced=announced)
    require_distinct(cloud.points, path.name)
    warnings += flatness_warnings(cloud.points, path.name)
    if cloud.solid is None and cloud.normals is not None:
        from cadrecode.cloud.normals import checked_directions  # scipy, which pretraining does without

        normals, said = checked_directions(cloud.points, cloud.normals, seed=seed)
        cloud, warnings = replace(cloud, normals=normals), [*warnings, *said]
    return replace(cloud, warnings=tuple(warnings))


def read_mesh(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the surface in a mesh file, a .ply with faces, or a STEP or BREP model.

    Returns: vertices (V, 3) float64, RAW, and faces (F, 3) int64. A scene of several parts comes as a single mesh.
    Raises:  PointCloudError: there is no surface in it, or a damaged one.
    """
    path = _existing_file(path)
    suffix = _known_suffix(path)
    if suffix not in SURFACE_SUFFIXES:
        raise PointCloudError(
            "{name} holds points; a surface is needed: {suffixes}.",
            name=path.name,
            suffixes=", ".join(SURFACE_SUFFIXES),
        )
    contents = _read(path, suffix, seed=0)
    if contents.faces is None or not len(contents.faces):
        raise PointCloudError("{name} holds points but no faces; a surface is needed.", name=path.name)
    _require_surface(contents, path.name)
    return contents.points, contents.faces


def _existing_file(path: str | Path) -> Path:
    path = Path(path)
    try:
        path = shipped.find(path)
        if path.is_dir():
            raise PointCloudError("{path} is a folder. Name one file in it.", path=path)
        if not path.exists():
            raise PointCloudError("{path} does not exist.{hint}", path=path, hint=_close_name(path))
        if path.stat().st_size == 0:
            raise PointCloudError("{name} is empty (0 bytes). Export or download it again.", name=path.name)
    except (OSError, ValueError) as error:  # no permission, a name that no file can have
        raise PointCloudError("{path} cannot be read: {error}.", path=path, error=error) from error
    return path


def _close_name(path: Path) -> str:
    if not path.parent.is_dir():
        return Message(" There is no folder {parent} either.", parent=path.parent)
    readable = [other.name for other in path.parent.iterdir() if other.suffix.lower() in READABLE]
    close = difflib.get_close_matches(path.name, readable, n=1)
    return Message(" Did you mean {close}?", close=close[0]) if close else ""


def _known_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        what = Message("the extension {suffix}", suffix=path.suffix) if path.suffix else Message("no extension")
        raise PointCloudError(
            "{name} has {what}, which is not known. Clouds: {clouds}; meshes: {meshes}; CAD: {solids}.",
            name=path.name,
            what=what,
            clouds=" ".join(CLOUD_SUFFIXES),
            meshes=" ".join(MESH_SUFFIXES),
            solids=" ".join(BREP_SUFFIXES),
        )
    return suffix


def _read(path: Path, suffix: str, seed: int) -> FileContents:
    try:
        if suffix in _CLOUD_READERS:
            return _CLOUD_READERS[suffix](path, RowCollector(path.name, MAX_POINTS, seed, allowance(path)))
        if suffix in _MESH_READERS:
            return _MESH_READERS[suffix](path)
        return _read_brep(path, suffix)
    except OSError as error:
        raise PointCloudError("{path} cannot be read: {error}.", path=path, error=error) from error


def _read_brep(path: Path, suffix: str) -> FileContents:
    """STEP and BREP through the kernel, after the checks that need no kernel."""
    with path.open("rb") as file:
        head = file.read(4096)
        file.seek(max(0, path.stat().st_size - 4096))
        tail = file.read()
    if suffix == ".brep":
        if b"CASCADE Topology" not in head and b"Open CASCADE" not in head:
            raise wrong_content(
                path, Message("an OpenCASCADE BREP model"), Message("its first lines do not name CASCADE Topology")
            )
    elif not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"ISO-10303-21"):
        raise wrong_content(path, Message("a STEP model"), Message("it does not begin with ISO-10303-21"))
    elif b"END-ISO-10303-21" not in tail:
        raise PointCloudError(
            "{name} ends without END-ISO-10303-21. The file is cut short: copy or export it again.", name=path.name
        )
    from cadrecode.kernel.sandbox import shared_sandbox  # starts the kernel: only where a file needs it

    vertices, faces = shared_sandbox().tessellate(path)
    return FileContents(np.asarray(vertices, np.float64), faces=np.asarray(faces, np.int64))


def _require_surface(contents: FileContents, name: str) -> None:
    finite = np.isfinite(contents.points).all(axis=1)
    require_finite(name, int(np.count_nonzero(~finite)), int(np.argmin(finite)) + 1, len(finite), Message("vertices"))
    if not area_vectors(contents.points, contents.faces).any():
        raise PointCloudError(
            "{name} has {n:,} triangles, all without area. A surface is needed.", name=name, n=len(contents.faces)
        )
