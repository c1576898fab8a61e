"""3MF packages: the meshes that are built, in their places, also from several model files.

The XML is read as it is unpacked, so that a package never is in memory as a whole.
"""

from __future__ import annotations

import zipfile
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.content import read_head, wrong_content
from cadrecode.formats.limits import allowance, require_memory
from cadrecode.formats.parts import Parts
from cadrecode.formats.rows import ZIP_ERRORS, FileContents

_ROOT = "3d/3dmodel.model"
_MOST_UNPACKED = 30  # bytes of XML, for a byte of the package; on top of the allowance. XML of numbers packs 10 to 1
_CHUNK = 1 << 16
_LONGEST_TAG = 1 << 20
_DEEPEST = 64  # elements within elements
_ENTRY_BYTES = 600  # of memory, for an object or a component

_Key = tuple[str, str]  # a model file in the package, and an object's id in it


@dataclass
class _Object:
    vertices: array = field(default_factory=lambda: array("d"))
    triangles: array = field(default_factory=lambda: array("q"))
    components: list[tuple[_Key, np.ndarray]] = field(default_factory=list)


def read_3mf(path: Path) -> FileContents:
    """Read a 3MF package. RAW units are the file's numbers.

    Raises: PointCloudError: not a 3MF, cut short, damaged, no surface, one that unpacks to too much.
    """
    if not zipfile.is_zipfile(path):
        if read_head(path).startswith(b"PK"):
            raise PointCloudError(
                "{name} is a package without its end. The file is cut short: copy it again.", name=path.name
            )
        raise wrong_content(path, Message("a 3MF model"), Message("it is no zip package"))
    allowed = allowance(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.lower().lstrip("/"): entry for entry in archive.infolist()}
            if _ROOT not in entries:
                raise PointCloudError(
                    "{name} is a zip archive without 3D/3dmodel.model, so not a 3MF model. Export it again.",
                    name=path.name,
                )
            models = [entry for name, entry in entries.items() if name.endswith(".model")]
            most = _MOST_UNPACKED * path.stat().st_size + allowed
            require_memory(path.name, sum(entry.file_size for entry in models), most)
            package = _Package(path.name, allowed, archive, entries)
            package.read(_ROOT)
            parts = package.placed()
    except (expat.ExpatError, LookupError) as error:  # LookupError: of an unknown encoding
        raise _unreadable(path.name, str(error)[:200]) from error
    except ZIP_ERRORS as error:
        raise PointCloudError(
            "{name} is a damaged package ({error}). Copy or export it again.", name=path.name, error=error
        ) from error
    return parts.joined()


def _unreadable(name: str, error: str) -> PointCloudError:
    return PointCloudError(
        "{name} could not be read as {kind} ({error}). Export it again.", name=name, kind="3MF", error=error
    )


class _Package:
    """Reads the model files of a package.

    Args:
        allowed: bytes that its numbers may take.
        entries: files of the archive, by their names in lower case.
    """

    def __init__(self, name: str, allowed: int, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]):
        self.name, self.allowed, self.archive, self.entries = name, allowed, archive, entries
        self.objects: dict[_Key, _Object] = {}
        self.items: list[tuple[_Key, np.ndarray]] = []
        self._bytes = 0

    def read(self, file: str) -> None:
        """Read a model file, then those whose objects it uses."""
        waiting, seen = [file], {file}
        while waiting:
            file = waiting.pop()
            entry = self.entries.get(file)
            if entry is None or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _unreadable(self.name, Message("there is no readable {file}", file=file[:80]))
            reader = _Model(self, file)
            with self.archive.open(entry) as model:
                reader.read(model)
            for other in reader.uses - seen:
                seen.add(other)
                waiting.append(other)

    def hold(self, count: int) -> None:
        """Raises: PointCloudError: so many bytes more are too many."""
        self._bytes += count
        if self._bytes > self.allowed:
            require_memory(self.name, self._bytes, self.allowed)

    def placed(self) -> Parts:
        """Every object that is built, where it stands."""
        parts = Parts(self.name, self.allowed - self._bytes)
        if not self.items:
            raise _unreadable(self.name, Message("it builds nothing"))
        waiting = list(self.items)
        while waiting:
            key, matrix = waiting.pop()
            parts.visit()
            thing = self.objects.get(key)
            if thing is None:
                raise _unreadable(self.name, Message("there is no object {id}", id=key[1][:80]))
            if thing.triangles:
                vertices = np.frombuffer(thing.vertices).reshape(-1, 3)
                parts.add(vertices, np.frombuffer(thing.triangles, np.int64).reshape(-1, 3), matrix)
            for component, own in thing.components:
                parts.visit()
                waiting.append((component, matrix @ own))
        return parts


class _Model:
    """One model file. What stands outside of meshes, components and the build is not looked at."""

    def __init__(self, package: _Package, file: str):
        self.package, self.file = package, file
        self.uses: set[str] = set()
        self._object = _Object()
        self._depth = 0

    def read(self, model: zipfile.ZipExtFile) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.StartDoctypeDeclHandler = self._doctype
        done = 0
        while chunk := model.read(_CHUNK):
            parser.Parse(chunk, False)
            done += len(chunk)
            if done - parser.CurrentByteIndex > _LONGEST_TAG:
                raise _unreadable(self.package.name, Message("a tag is too long"))
        parser.Parse(b"", True)

    def _doctype(self, *_: object) -> None:
        raise _unreadable(self.package.name, Message("it declares a document type"))

    def _end(self, _: str) -> None:
        self._depth -= 1

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _unreadable(self.package.name, Message("its elements are nested too deeply"))
        try:
            match tag.rpartition(":")[2]:
                case "vertex":
                    self.package.hold(24)
                    self._object.vertices.extend(float(attributes[axis]) for axis in "xyz")
                case "triangle":
                    self.package.hold(24)
                    self._object.triangles.extend(int(attributes[corner]) for corner in ("v1", "v2", "v3"))
                case "object":
                    self.package.hold(_ENTRY_BYTES)
                    self._object = self.package.objects[self.file, attributes["id"]] = _Object()
                case "component":
                    self._object.components.append(self._reference(attributes))
                case "item" if self.file == _ROOT:
                    self.package.items.append(self._reference(attributes))
        except (KeyError, ValueError, OverflowError) as error:
            raise _unreadable(self.package.name, f"<{tag[:40]}>: {str(error)[:80]}") from error

    def _reference(self, attributes: dict[str, str]) -> tuple[_Key, np.ndarray]:
        """Another object, and how it is placed."""
        self.package.hold(_ENTRY_BYTES)
        path = next((value for name, value in attributes.items() if name.rpartition(":")[2] == "path"), None)
        file = self.file if path is None else path.lower().lstrip("/")
        self.uses.add(file)
        matrix = np.eye(4)
        if "transform" in attributes:
            matrix[:3, :] = np.array(attributes["transform"].split(), np.float64).reshape(4, 3).T
        return (file, attributes["objectid"]), matrix
