"""True solids to measure against: from a folder, an archive, or invented."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from cadrecode.cloud import SURFACE_SUFFIXES, read_mesh
from cadrecode.errors import DatasetError, KernelError, Message, PointCloudError, ProgramError
from cadrecode.invent.held_out import held_out
from cadrecode.invent.source import PREFIX, family_in
from cadrecode.program import build, mesh_of, parse
from cadrecode.scoring.programs import read_programs

T = TypeVar("T")

INVENTED = 100  # parts of invent:<family> where no count is given


@dataclass(frozen=True)
class Shape:
    """A mesh to rebuild: vertices (n, 3) float64 RAW, faces (m, 3) int64."""

    id: str
    vertices: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True)
class Skipped:
    """A target that cannot be scored, and the reason."""

    id: str
    reason: str


def load_targets(
    source: str | Path, *, limit: int | None = None, seed: int = 0, ids: Collection[str] | None = None
) -> Iterator[Shape | Skipped]:
    """Read targets one at a time, in the order of their names.

    Args:
        source: A folder of meshes or STEP files, a single file, an .npz of `<id>_v` and `<id>_f`, .jsonl or .jsonl.gz
            of true programs, or `invent:<family>[:<count>]` for held-out invented shapes.
        limit: Take this many, drawn at random with `seed`; of invented shapes, the first.
        ids: Read no others; names that are missing are ignored.
    Raises: DatasetError: the source is none of these.
    """
    source = str(source)
    if source.startswith(PREFIX):
        yield from _invented(source, limit, ids)
        return
    path = Path(source)
    if path.suffix.lower() == ".npz" and path.is_file():
        yield from _from_npz(path, limit, seed, ids)
        return
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        yield from _from_programs(path, limit, seed, ids)
        return
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in SURFACE_SUFFIXES)
    elif path.is_file() and path.suffix.lower() in SURFACE_SUFFIXES:
        files = [path]
    else:
        raise DatasetError(
            "{source} is no folder, mesh file or .npz. Give a folder of meshes, an .npz of <id>_v and <id>_f "
            "arrays, or invent:<family>:<count>.",
            source=source,
        )
    if not files:
        raise DatasetError(
            "{name} holds no meshes. Readable: {suffixes}.", name=path, suffixes=", ".join(sorted(SURFACE_SUFFIXES))
        )
    for file in drawn([file for file in files if ids is None or file.stem in ids], limit, seed):
        try:
            yield Shape(file.stem, *read_mesh(file))
        except (PointCloudError, KernelError) as error:
            yield Skipped(file.stem, error.message)


def drawn(items: Sequence[T], limit: int | None, seed: int) -> list[T]:
    """At most `limit` of the items, drawn with the seed, in their order."""
    if limit is None or limit >= len(items):
        return list(items)
    chosen = np.random.default_rng(seed).permutation(len(items))[:limit]
    return [items[i] for i in sorted(chosen)]


def _from_npz(path: Path, limit: int | None, seed: int, wanted: Collection[str] | None) -> Iterator[Shape | Skipped]:
    with np.load(path, allow_pickle=False) as arrays:
        names = set(arrays.files)
        ids = sorted(name[:-2] for name in names if name.endswith("_v"))
        if not ids:
            raise DatasetError(
                "{name} holds no arrays named <id>_v. Found: {names} ...",
                name=path.name,
                names=", ".join(sorted(names)[:4]),
            )
        for id in drawn([id for id in ids if wanted is None or id in wanted], limit, seed):
            if f"{id}_f" in names:
                yield Shape(id, arrays[f"{id}_v"].astype(np.float64), arrays[f"{id}_f"].astype(np.int64))
            else:
                yield Skipped(id, Message("{name}_v has no {name}_f beside it", name=id))


def _from_programs(
    path: Path, limit: int | None, seed: int, wanted: Collection[str] | None
) -> Iterator[Shape | Skipped]:
    rows = [row for row in read_programs(path)[0] if wanted is None or row.id in wanted]
    for row in drawn(rows, limit, seed):
        try:
            yield Shape(row.id, *mesh_of(build(parse(row.code))))
        except ProgramError as error:
            yield Skipped(row.id, error.message)


def _invented(source: str, limit: int | None, ids: Collection[str] | None) -> Iterator[Shape]:
    family, count = family_in(source)
    count = INVENTED if count is None else count
    for index in range(min(count, limit or count)):
        id = f"{family}-{index:04d}"
        if ids is None or id in ids:
            yield Shape(id, *mesh_of(build(held_out(family, index))))


def seed_of(id: str, seed: int) -> int:
    """A target's own seed, which does not depend on the other targets."""
    return zlib.crc32(f"{seed}/{id}".encode())
