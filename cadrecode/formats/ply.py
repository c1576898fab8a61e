"""PLY files: ASCII and binary of either byte order, as clouds or as meshes.

Read here and not by trimesh, which returns a cut-short ASCII file as a smaller cloud, without a word.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.columns import locate
from cadrecode.formats.content import wrong_content
from cadrecode.formats.limits import LARGEST_HEADER, allowance, require_memory
from cadrecode.formats.number_lines import BadLine, blocks_of, parse_lines
from cadrecode.formats.polygons import LARGEST_INDEX, TRIANGLE_BYTES, Polygons, fan_rows, require_indices
from cadrecode.formats.rows import ROWS_PER_BLOCK, FileContents, RowCollector, cut_short, rows_per_block

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_RECORD_BYTES = 60  # of memory and of time, for a record that is read alone


@dataclass
class Property:
    """One number of an element, or a list of them when `count_type` is set. Types are numpy's, without byte order."""

    name: str
    type: str
    count_type: str | None = None


@dataclass
class Element:
    """A group of records that the header announces."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)

    @property
    def has_lists(self) -> bool:
        return any(p.count_type for p in self.properties)

    def row(self, order: str) -> np.dtype:
        """A record without lists as a numpy type; names are positions, as files may repeat a name."""
        return np.dtype([(str(i), order + p.type) for i, p in enumerate(self.properties)])


def read_ply(path: Path, collector: RowCollector) -> FileContents:
    """Read a PLY file; `faces` is set when it has any.

    Raises: PointCloudError: not a PLY, a broken header, fewer points or faces than announced, wrong face indices.
    """
    with path.open("rb") as file:
        order, elements, header_lines = _header(path, file)
        vertex = next((e for e in elements if e.name == "vertex"), None)
        if vertex is None:
            listed = ", ".join(e.name for e in elements) or Message("nothing")
            raise PointCloudError(
                "{name} has no points: its header announces {listed}, and vertex is needed.",
                name=path.name,
                listed=listed,
            )
        if vertex.has_lists:
            raise PointCloudError(
                "{name} keeps a list in its points, which is not supported. Export plain x, y, z.", name=path.name
            )
        elements = [e for e in elements if e.count or e is vertex]
        surface = next((e for e in elements if e.name in ("face", "tristrips")), None)
        if surface is not None and surface.name == "tristrips":
            raise PointCloudError(
                "{name} keeps its surface as triangle strips. Export it again with plain faces.", name=path.name
            )
        if surface is not None:
            # a mesh keeps all of its vertices; the file holds 3 bytes at least for each
            require_memory(path.name, 64 * min(vertex.count, path.stat().st_size // 3), allowance(path))
            collector.max_points, collector.most_bytes = max(collector.max_points, vertex.count), None
        faces = None
        allowed = allowance(path)
        reader = _Binary(path.name, file, order, allowed) if order else _Ascii(path.name, file, header_lines, allowed)
        for element in elements:
            if element is vertex:
                reader.points(element, collector)
            elif element is surface:
                faces = reader.faces(element)
            else:
                reader.skip(element)
        warnings = reader.leftover()
    rows, more = collector.finish()
    if faces is not None:
        require_indices(faces, len(rows), path.name)
    normals = rows[:, 3:6] if rows.shape[1] == 6 else None
    return FileContents(rows[:, :3], normals, faces, collector.seen, warnings + more)


def _header(path: Path, file: BinaryIO) -> tuple[str, list[Element], int]:
    """The byte order ("" for ASCII), the elements and the header's lines. Leaves the file at the first record."""
    if file.readline(16).strip() != b"ply":
        raise wrong_content(path, Message("a PLY file"), Message("it does not begin with 'ply'"))
    order: str | None = None
    elements: list[Element] = []
    number = 1
    while True:
        raw = file.readline(LARGEST_HEADER)
        number += 1
        if file.tell() > LARGEST_HEADER:
            raise PointCloudError("{name} has a header without an end.", name=path.name)
        if not raw.endswith(b"\n") and raw.strip() != b"end_header":
            raise PointCloudError(
                "{name} ends inside its header, at line {number}. The file is cut short.", name=path.name, number=number
            )
        words = raw.decode("ascii", errors="replace").split()
        try:
            match words:
                case ["end_header"]:
                    break
                case [] | ["comment" | "obj_info", *_]:
                    continue
                case ["format", kind, "1.0"]:
                    order = _FORMATS[kind]
                case ["element", name, count] if int(count) >= 0:
                    elements.append(Element("vertex" if name in ("point", "points") else name, int(count)))
                case ["property", "list", count_type, kind, name] if not _TYPES[count_type].startswith("f"):
                    elements[-1].properties.append(Property(name, _TYPES[kind], _TYPES[count_type]))
                case ["property", kind, name]:
                    elements[-1].properties.append(Property(name, _TYPES[kind]))
                case _:
                    raise ValueError
        except (KeyError, ValueError, IndexError) as error:
            raise PointCloudError(
                "{name}, line {number} of the header is {text!r}, which PLY does not know. Export the file again.",
                name=path.name,
                number=number,
                text=" ".join(words)[:60],
            ) from error
    if order is None:
        raise PointCloudError(
            "{name} does not say its format (ascii, binary_little_endian or binary_big_endian).", name=path.name
        )
    return order, elements, number


def _coordinates(element: Element, name: str) -> list[int]:
    """Indices of x, y, z and, where named, of the normals."""
    xyz, normals = locate([p.name for p in element.properties], name)
    return xyz + (normals or [])


def _index_list(element: Element, name: str) -> int:
    lists = [i for i, p in enumerate(element.properties) if p.count_type]
    named = [i for i in lists if element.properties[i].name in ("vertex_indices", "vertex_index")]
    if not (named or len(lists) == 1):
        raise PointCloudError(
            "{name} has faces without a list named vertex_indices. Export it again as triangles.", name=name
        )
    index = (named or lists)[0]
    if element.properties[index].type.startswith("f"):
        raise PointCloudError("{name} numbers the corners of its faces with fractions. Export it again.", name=name)
    return index


def _plural(element: Element) -> str:
    return {"vertex": "points", "face": "faces"}.get(element.name, f"records of {element.name}")


class _Binary:
    """Reads the elements of a binary PLY in their order."""

    def __init__(self, name: str, file: BinaryIO, order: str, allowed: int):
        self.name, self.file, self.order, self.allowed = name, file, order, allowed
        start = file.tell()
        self.size = file.seek(0, io.SEEK_END)
        file.seek(start)

    def _require(self, element: Element) -> np.dtype:
        row = element.row(self.order)
        held = (self.size - self.file.tell()) // row.itemsize if row.itemsize else element.count
        if held < element.count:
            raise cut_short(self.name, element.count, held, _plural(element))
        return row

    def points(self, element: Element, collector: RowCollector) -> None:
        columns = _coordinates(element, self.name)
        row = self._require(element)
        step = rows_per_block(row.itemsize)
        for start in range(0, element.count, step):
            block = np.fromfile(self.file, row, min(step, element.count - start))
            collector.add(np.column_stack([block[str(i)] for i in columns]))

    def faces(self, element: Element) -> np.ndarray:
        wanted = _index_list(element, self.name)
        start = self.file.tell()
        rows = self._uniform(element)
        if rows is not None:
            corners = rows[str(wanted)]
            require_memory(self.name, TRIANGLE_BYTES * len(corners) * (corners.shape[1] - 2), self.allowed)
            return fan_rows(corners)
        self.file.seek(start)
        polygons = Polygons(self.name, self.allowed)
        for record in self._records(element):
            polygons.add(record[wanted])
        return polygons.triangles()

    def skip(self, element: Element) -> None:
        if not element.has_lists:
            row = self._require(element)
            self.file.seek(element.count * row.itemsize, io.SEEK_CUR)
        elif self._uniform(element) is None:
            for _ in self._records(element):
                continue

    def _uniform(self, element: Element) -> np.ndarray | None:
        """All records at once, where every list is as long as in the first record; else None, with the file rewound."""
        start = self.file.tell()
        first = next(self._records(Element(element.name, 1, element.properties), announced=element.count))
        fields = []
        for i, p in enumerate(element.properties):
            if p.count_type:
                fields += [(f"n{i}", self.order + p.count_type), (str(i), self.order + p.type, (len(first[i]),))]
            else:
                fields.append((str(i), self.order + p.type))
        row = np.dtype(fields)
        self.file.seek(start)
        # never more than the file can hold, however much is announced
        rows = np.fromfile(self.file, row, min(element.count, (self.size - start) // row.itemsize))
        lists = [i for i, p in enumerate(element.properties) if p.count_type]
        if all((rows[f"n{i}"] == len(first[i])).all() for i in lists):
            if len(rows) < element.count:
                raise cut_short(self.name, element.count, len(rows), _plural(element))
            return rows
        self.file.seek(start)
        return None

    def _records(self, element: Element, announced: int | None = None):
        """Record by record, for lists of different lengths."""
        require_memory(self.name, _RECORD_BYTES * min(element.count, self.size), self.allowed)
        for done in range(element.count):
            record = []
            for p in element.properties:
                count = 1 if p.count_type is None else int(self._take(p.count_type, 1, element, done, announced)[0])
                record.append(self._take(p.type, count, element, done, announced))
            yield record

    def _take(self, kind: str, count: int, element: Element, done: int, announced: int | None) -> np.ndarray:
        kind_of = np.dtype(self.order + kind)
        raw = self.file.read(min(kind_of.itemsize * max(count, 0), self.size))
        if count < 0 or len(raw) < kind_of.itemsize * count:
            raise cut_short(self.name, announced or element.count, done, _plural(element))
        return np.frombuffer(raw, kind_of)

    def leftover(self) -> list[str]:
        """A warning for bytes that the header does not announce. A line end is no news."""
        rest = self.size - self.file.tell()
        if rest <= 2:
            return []
        text = Message("{name} goes on for {rest:,} bytes after what its header announces; they were not read.")
        return [Message(text, name=self.name, rest=rest)]


class _Ascii:
    """Reads the elements of a text PLY, a line for each record."""

    def __init__(self, name: str, file: BinaryIO, header_lines: int, allowed: int):
        self.name, self.header_lines, self.allowed = name, header_lines, allowed
        self.file = io.TextIOWrapper(file, encoding="ascii", errors="replace")

    def _lines(self, element: Element):
        """Blocks of non-blank lines, `element.count` in all."""
        left = element.count
        while left:
            block = next(blocks_of(self.file, self.name, min(left, ROWS_PER_BLOCK)), None)
            if block is None:
                raise cut_short(self.name, element.count, element.count - left, _plural(element))
            lines = [line for line in block if line.strip()]
            left -= len(lines)
            yield lines

    def points(self, element: Element, collector: RowCollector) -> None:
        columns = _coordinates(element, self.name)
        for lines in self._lines(element):
            first_line = self.header_lines + collector.seen + 1
            try:
                rows = parse_lines(lines, self.name, first_line=first_line, columns=len(element.properties))
            except BadLine as bad:
                raise self._broken(bad, element, collector.seen + bad.rows_before) from bad
            collector.add(rows[:, columns])

    def _broken(self, bad: BadLine, element: Element, held: int) -> PointCloudError:
        """A line that lacks numbers is the end of a cut-short file, or the first face where a point should be."""
        rest = self.file.read(1)
        if bad.last and not rest and bad.columns is not None and bad.columns < len(element.properties):
            return cut_short(self.name, element.count, held)
        return PointCloudError(
            "{name} announces {count:,} points, but point {number:,} is not a row of {n} numbers ({bad}). The "
            "file is damaged or cut short: export it again.",
            name=self.name,
            count=element.count,
            number=held + 1,
            n=len(element.properties),
            bad=bad,
        )

    def faces(self, element: Element) -> np.ndarray:
        wanted = _index_list(element, self.name)
        polygons = Polygons(self.name, self.allowed)
        for lines in self._lines(element):
            for line in lines:
                polygons.add(self._polygon(line.split(), element, wanted, len(polygons)))
        return polygons.triangles()

    def _polygon(self, words: list[str], element: Element, wanted: int, done: int) -> list[int]:
        at = 0
        try:
            for i, p in enumerate(element.properties):
                count = 1
                if p.count_type:
                    count, at = int(words[at]), at + 1
                if i == wanted:
                    corners = [int(word) for word in words[at : at + count]]
                    if len(corners) != count or any(abs(corner) > LARGEST_INDEX for corner in corners):
                        raise IndexError
                    return corners
                at += count
        except (IndexError, ValueError, OverflowError) as error:
            if done == element.count - 1 or not self.file.read(1):
                raise cut_short(self.name, element.count, done, Message("faces")) from error
            raise PointCloudError(
                "{name}: face {number:,} is {text!r}, not a count and as many vertex numbers. Export the file again.",
                name=self.name,
                number=done + 1,
                text=" ".join(words)[:60],
            ) from error
        raise AssertionError("the wanted list is one of the properties")

    def skip(self, element: Element) -> None:
        for _ in self._lines(element):
            continue

    def leftover(self) -> list[str]:
        rest = sum(1 for line in self.file if line.strip())
        if not rest:
            return []
        text = Message("{name} goes on for {rest:,} lines after what its header announces; they were not read.")
        return [Message(text, name=self.name, rest=rest)]
