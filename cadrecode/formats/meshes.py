"""Meshes that are plain lists of corners and faces: .stl .obj .off, read strictly. For .glb and .3mf see scenes.py."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.content import describe, wrong_content
from cadrecode.formats.polygons import fan, require_indices
from cadrecode.formats.rows import FileContents, cut_short
from cadrecode.geometry import weld

_STL_HEADER, _STL_TRIANGLE = 84, 50  # bytes
_STL_ROW = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
_VERTEX = re.compile(rb"\bvertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)


def read_stl(path: Path) -> FileContents:
    """Read binary or ASCII STL; equal corners become one vertex.

    Raises: PointCloudError: neither of both, or fewer triangles than announced.
    """
    data = path.read_bytes()
    announced = int.from_bytes(data[80:84], "little") if len(data) >= _STL_HEADER else -1
    if len(data) != _STL_HEADER + _STL_TRIANGLE * announced:  # only its size tells a binary file surely
        if _looks_ascii(data):
            return _ascii_stl(path.name, data)
        if announced < 0 or describe(data[:2048]) is not None or b"\x00" not in data[:4096]:
            raise wrong_content(
                path, Message("an STL mesh"), Message("it is neither binary STL nor does it begin with 'solid'")
            )
    held = (len(data) - _STL_HEADER) // _STL_TRIANGLE
    if held < announced:
        raise cut_short(path.name, announced, held, Message("triangles"))
    rest = len(data) - _STL_HEADER - _STL_TRIANGLE * announced
    warnings = []
    if rest:
        text = Message("{name} goes on for {rest:,} bytes after the triangles it announces; they were not read.")
        warnings.append(Message(text, name=path.name, rest=rest))
    vertices, corners = weld(np.frombuffer(data, _STL_ROW, announced, _STL_HEADER)["corners"].reshape(-1, 3))
    return FileContents(vertices, faces=corners.reshape(-1, 3), warnings=warnings)


def _looks_ascii(data: bytes) -> bool:
    head = data[:2048].lstrip().lower()
    return head.startswith(b"solid") and b"\x00" not in head and (b"facet" in data[:4096].lower() or len(data) < 256)


def _ascii_stl(name: str, data: bytes) -> FileContents:
    lowered = data.lower()
    ends = len(re.findall(rb"\bendfacet\b", lowered))
    facets = len(re.findall(rb"\bfacet\b", lowered))
    corners = _VERTEX.findall(data)
    if facets > ends:
        raise cut_short(name, facets, ends, Message("triangles"))
    if not re.search(rb"\bendsolid\b", lowered):
        raise PointCloudError(
            "{name} ends after {ends:,} triangles without 'endsolid'. The file is cut short: copy it again.",
            name=name,
            ends=ends,
        )
    if len(corners) != 3 * ends:
        raise PointCloudError(
            "{name} has {ends:,} triangles but {n:,} corners; three for each are needed.",
            name=name,
            ends=ends,
            n=len(corners),
        )
    try:
        points = np.array(corners, dtype="S").astype(np.float64).reshape(-1, 3)
    except ValueError as error:
        raise PointCloudError(
            "{name} has a corner that is not three numbers ({error}). Export it again.", name=name, error=error
        ) from error
    vertices, numbers = weld(points)
    return FileContents(vertices, faces=numbers.reshape(-1, 3))


def _text_lines(path: Path, wanted: str) -> list[str]:
    data = path.read_bytes()
    if describe(data[:2048]) is not None or b"\x00" in data[:2048]:
        raise wrong_content(path, wanted, Message("it holds binary data"))
    return data.decode("utf-8", errors="replace").splitlines()


def read_obj(path: Path) -> FileContents:
    """Read the vertices and faces of a Wavefront OBJ; materials and texture play no part.

    Raises: PointCloudError: neither vertices nor faces, a line that cannot be read, vertices that do not exist.
    """
    vertices: list[list[float]] = []
    polygons: list[list[int]] = []
    pending = ""
    for number, line in enumerate(_text_lines(path, Message("an OBJ mesh")), start=1):
        if line.endswith("\\"):  # goes on in the next line
            pending += line[:-1] + " "
            continue
        words, pending = (pending + line).split("#")[0].split(), ""
        try:
            match words:
                case ["v", x, y, z, *_]:
                    vertices.append([float(x), float(y), float(z)])
                case ["f", _, _, _, *_]:
                    corners = [int(word.split("/")[0]) for word in words[1:]]
                    # they count from 1, or back from the newest vertex
                    polygons.append([c - 1 if c > 0 else (len(vertices) + c if c else -1) for c in corners])
                case ["v" | "f", *_]:
                    raise ValueError
        except ValueError as error:
            raise PointCloudError(
                "{name}, line {number:,} is {text!r}; three numbers or more are needed after {word}. The "
                "file may be cut short: export it again.",
                name=path.name,
                number=number,
                text=line.strip()[:60],
                word=words[0],
            ) from error
    if not vertices:
        raise wrong_content(path, Message("an OBJ mesh"), Message("no line begins with 'v'"))
    points = np.array(vertices)
    faces = fan([np.array(p) for p in polygons])
    require_indices(faces, len(points), path.name)
    return FileContents(points, faces=faces)


def read_off(path: Path) -> FileContents:
    """Read an OFF mesh, also with colours or normals (COFF, NOFF).

    Raises: PointCloudError: not an OFF, fewer vertices or faces than announced, vertices that do not exist.
    """
    lines = _text_lines(path, Message("an OFF mesh"))
    rows = [(i, words) for i, line in enumerate(lines, start=1) if (words := line.split("#")[0].split())]
    magic = re.fullmatch(r"(?:ST)?C?N?OFF(\d*)", rows[0][1][0], re.IGNORECASE) if rows else None
    if magic is None:
        raise wrong_content(path, Message("an OFF mesh"), Message("it does not begin with OFF"))
    # the counts may follow on the same line, and ModelNet even writes OFF8 6 12
    counts = [word for word in [magic.group(1), *rows[0][1][1:]] if word]
    rows = rows[1:]
    if not counts and rows:
        counts, rows = rows[0][1], rows[1:]
    try:
        n_vertices, n_faces = int(counts[0]), int(counts[1])
    except (IndexError, ValueError) as error:
        raise PointCloudError(
            "{name} does not say how many vertices and faces it has. Export it again.", name=path.name
        ) from error
    _require_rows(path.name, n_vertices, len(rows), rows[:n_vertices], 3, "vertices")
    points = np.array([[float(w) for w in words[:3]] for _, words in rows[:n_vertices]]).reshape(-1, 3)
    face_rows = rows[n_vertices : n_vertices + n_faces]
    _require_rows(path.name, n_faces, len(face_rows), face_rows, None, "faces")
    faces = fan([np.array([int(w) for w in words[1 : 1 + int(words[0])]]) for _, words in face_rows])
    require_indices(faces, len(points), path.name)
    return FileContents(points, faces=faces)


def _require_rows(name: str, announced: int, held: int, rows: list, columns: int | None, what: str) -> None:
    """Refuse too few rows, and rows without their numbers; a face row says itself how many it needs."""
    for done, (line, words) in enumerate(rows):
        try:
            needed = columns or int(words[0]) + 1
            values = [float(w) if columns else int(w) for w in words[:needed]]
        except ValueError as error:
            raise PointCloudError(
                "{name}, line {line:,} is {text!r}, not numbers of {what}.",
                name=name,
                line=line,
                text=" ".join(words)[:60],
                what=what,
            ) from error
        if len(values) < needed:
            if done == len(rows) - 1:
                raise cut_short(name, announced, done, what)
            raise PointCloudError(
                "{name}, line {line:,} has {n} numbers where {needed} are needed.",
                name=name,
                line=line,
                n=len(values),
                needed=needed,
            )
    if held < announced:
        raise cut_short(name, announced, held, what)
