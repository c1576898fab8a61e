"""Meshes that are plain lists of corners and faces: .stl .obj .off, read strictly. For .glb and .3mf see scenes.py."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.content import describe, read_head, wrong_content
from cadrecode.formats.limits import LONGEST_LINE, allowance, long_line
from cadrecode.formats.number_lines import blocks_of
from cadrecode.formats.polygons import LARGEST_INDEX, Polygons, require_indices
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
    ends, facets, solids_end = (_count(word, data) for word in (rb"endfacet", rb"facet", rb"endsolid"))
    points, bad = array("d"), None
    for corner in _VERTEX.finditer(data):
        try:
            points.extend(map(float, corner.groups()))
        except ValueError as error:
            bad = bad or error
            points.extend((0.0,) * (-len(points) % 3 or 3))
    if facets > ends:
        raise cut_short(name, facets, ends, Message("triangles"))
    if not solids_end:
        raise PointCloudError(
            "{name} ends after {ends:,} triangles without 'endsolid'. The file is cut short: copy it again.",
            name=name,
            ends=ends,
        )
    if len(points) != 9 * ends:
        raise PointCloudError(
            "{name} has {ends:,} triangles but {n:,} corners; three for each are needed.",
            name=name,
            ends=ends,
            n=len(points) // 3,
        )
    if bad is not None:
        raise PointCloudError(
            "{name} has a corner that is not three numbers ({error}). Export it again.", name=name, error=bad
        )
    vertices, numbers = weld(np.array(points).reshape(-1, 3))
    return FileContents(vertices, faces=numbers.reshape(-1, 3))


def _count(word: bytes, data: bytes) -> int:
    return sum(1 for _ in re.finditer(rb"\b" + word + rb"\b", data, re.IGNORECASE))


def _text_lines(path: Path, wanted: str) -> Iterator[str]:
    """The lines, without their ends."""
    head = read_head(path)
    if describe(head) is not None or b"\x00" in head:
        raise wrong_content(path, wanted, Message("it holds binary data"))
    with path.open(encoding="utf-8", errors="replace") as file:
        for block in blocks_of(file, path.name):
            for line in block:
                yield line.rstrip("\n")


def read_obj(path: Path) -> FileContents:
    """Read the vertices and faces of a Wavefront OBJ; materials and texture play no part.

    Raises: PointCloudError: neither vertices nor faces, a line that cannot be read, vertices that do not exist.
    """
    vertices, polygons = array("d"), Polygons(path.name, allowance(path))
    pending, count = "", 0
    for number, line in enumerate(_text_lines(path, Message("an OBJ mesh")), start=1):
        if line.endswith("\\"):  # goes on in the next line
            pending += line[:-1] + " "
            if len(pending) > LONGEST_LINE:
                raise long_line(path.name)
            continue
        words, pending = (pending + line).split("#")[0].split(), ""
        try:
            match words:
                case ["v", x, y, z, *_]:
                    vertices.extend((float(x), float(y), float(z)))
                    count += 1
                case ["f", _, _, _, *_]:
                    corners = [int(word.split("/")[0]) for word in words[1:]]
                    # they count from 1, or back from the newest vertex
                    polygons.add(c - 1 if c > 0 else (count + c if c else -1) for c in corners)
                case ["v" | "f", *_]:
                    raise ValueError
        except (ValueError, OverflowError) as error:
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
    points = np.array(vertices).reshape(-1, 3)
    faces = polygons.triangles()
    require_indices(faces, len(points), path.name)
    return FileContents(points, faces=faces)


def read_off(path: Path) -> FileContents:
    """Read an OFF mesh, also with colours or normals (COFF, NOFF).

    Raises: PointCloudError: not an OFF, fewer vertices or faces than announced, vertices that do not exist.
    """
    rows = (
        (number, words)
        for number, line in enumerate(_text_lines(path, Message("an OFF mesh")), start=1)
        if (words := line.split("#")[0].split())
    )
    _, first = next(rows, (0, [""]))
    magic = re.fullmatch(r"(?:ST)?C?N?OFF(\d*)", first[0], re.IGNORECASE)
    if magic is None:
        raise wrong_content(path, Message("an OFF mesh"), Message("it does not begin with OFF"))
    # the counts may follow on the same line, and ModelNet even writes OFF8 6 12
    counts = [word for word in [magic.group(1), *first[1:]] if word] or next(rows, (0, []))[1]
    try:
        n_vertices, n_faces = int(counts[0]), int(counts[1])
        if not (0 <= n_vertices < LARGEST_INDEX and 0 <= n_faces < LARGEST_INDEX):
            raise ValueError
    except (IndexError, ValueError) as error:
        raise PointCloudError(
            "{name} does not say how many vertices and faces it has. Export it again.", name=path.name
        ) from error
    vertices = array("d")
    for numbers in _numbers(path.name, rows, n_vertices, Message("vertices")):
        vertices.extend(numbers)
    points, polygons = np.array(vertices).reshape(-1, 3), Polygons(path.name, allowance(path))
    for corners in _numbers(path.name, rows, n_faces, Message("faces"), of_faces=True):
        polygons.add(corners)
    faces = polygons.triangles()
    require_indices(faces, len(points), path.name)
    return FileContents(points, faces=faces)


def _numbers(
    name: str, rows: Iterator[tuple[int, list[str]]], announced: int, what: str, of_faces: bool = False
) -> Iterator[list[float]]:
    """The numbers of each vertex, or of each face, whose row begins with how many there are.

    Args:
        rows: line numbers and words.
    """
    for done in range(announced):
        line, words = next(rows, (0, []))
        if not words:
            raise cut_short(name, announced, done, what)
        try:
            needed = 1 + max(0, int(words[0])) if of_faces else 3
            values = [int(word) if of_faces else float(word) for word in words[:needed]]
            if of_faces and any(abs(value) > LARGEST_INDEX for value in values):
                raise ValueError
        except ValueError as error:
            raise PointCloudError(
                "{name}, line {line:,} is {text!r}, not numbers of {what}.",
                name=name,
                line=line,
                text=" ".join(words)[:60],
                what=what,
            ) from error
        if len(values) < needed:
            if next(rows, None) is None:
                raise cut_short(name, announced, done, what)
            raise PointCloudError(
                "{name}, line {line:,} has {n} numbers where {needed} are needed.",
                name=name,
                line=line,
                n=len(values),
                needed=needed,
            )
        yield values[1:] if of_faces else values
