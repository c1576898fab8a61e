"""Make a data set once: checked programs with points of their surfaces, in Parquet files, without twins.

Whatever the source, units of work are numbered, and results are taken in that order: the same data set comes out of one
process, of many and of a cluster. What is on disk says how far it has come, so that a killed command goes on.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import itertools
import json
import logging
import platform
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import cadrecode
from cadrecode.data.dataset import INVENTED, require
from cadrecode.data.pairs import POOL_POINTS
from cadrecode.data.shards import (
    MANIFEST_FILE,
    Row,
    Tally,
    read_about,
    read_shapes,
    require_parquet,
    shape_number,
    shards_of,
    write_shard,
)
from cadrecode.data.stream import invent_pairs
from cadrecode.errors import DatasetError, Message
from cadrecode.invent.source import PREFIX, family_in
from cadrecode.json_files import write_whole
from cadrecode.label import SECONDS, Unlabelled, find_parts, label_part
from cadrecode.parallel import ALONE, Workers, in_order
from cadrecode.program import build, parse
from cadrecode.program.solid import Manifold, signature
from cadrecode.scoring.apart import Apart, proportions
from cadrecode.scoring.verdict import Verdict

log = logging.getLogger(__name__)

BUILT = 2  # first number of the seeds of invented units; training has 0 there
INVENTED_PER_UNIT, PROGRAMS_PER_UNIT = 64, 32  # a quarter of a second each; a part that is measured is a unit alone
SHARD_ROWS = 1024  # rows of a shard: 25 MB
MOST_SECONDS = 300.0  # a smaller shard is written after this time, so that a kill loses no more
HELD_OUT_PARTS = 500  # of `invent:<family>` and `invent:general`, which `evaluate` measures on: no data set has them
EXAMPLES = 20  # of failures in the manifest; the shards have all
RECORDED = ("cadrecode", "numpy", "manifold3d", "cadquery", "pyarrow")  # libraries whose version the manifest names

OnProgress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Made:
    """The result of a unit of work: rows with the `proportions` of their solids, and failures."""

    rows: list[tuple[Row, np.ndarray]] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, name: str, code: str, points: np.ndarray, source: str, likeness: float, solid: Manifold) -> None:
        """Take in a pair."""
        row = Row(name, code, points, source, likeness, shape_number(signature(solid)))
        self.rows.append((row, proportions(solid)))


def build_dataset(
    source: str | Path,
    out: str | Path,
    count: int | None = None,
    *,
    seed: int = 0,
    height_steps: int = 1,
    seconds: float = SECONDS,
    apart_from: Sequence[str] | None = None,
    workers: Workers = ALONE,
    shard_rows: int = SHARD_ROWS,
    on_progress: OnProgress = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Write the pairs of a source into the folder `out`, which training reads directly.

    A folder that was begun with the same settings is continued.

    Args:
        source: `invent[:<family>[:count]]`, or what `label.find_parts` reads: a folder of programs, meshes, STEP files
            and clouds, .jsonl of programs, or an .npz of meshes. Parts without a program in the language are measured.
        count: This many pairs, drawn with the seed.
        height_steps: For parts that are invented or brought into the CODE frame; see `invent.spelling.GridSlab`.
        seconds: For each part that is measured.
        apart_from: Targets whose shapes are left out, see `scoring.targets.load_targets`. None: the held-out invented
            parts that `evaluate` measures on.
        shard_rows: Rows of a shard.
        on_progress: Called with (rows so far, rows in all where that is known).
        should_stop: Called after each unit of work; True ends early.
    Returns: The manifest.
    Raises: DatasetError: The source is not usable, or `out` holds something else. MissingLibrary: There is no pyarrow.
    """
    require_parquet()
    started = time.monotonic()
    units = _Units.of(str(source), count, seed, height_steps, seconds)
    if apart_from is None:
        apart_from = [f"invent:{family}:{HELD_OUT_PARTS}" for family in sorted({units.family or "general", "general"})]
    settings = units.settings | {"apart_from": list(apart_from)}
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    building = _Building(folder, settings, Apart(apart_from), units.count, shard_rows)
    if building.total.rows:
        log.info("%s holds %s pairs; going on", folder, f"{building.total.rows:,}")
    todo = () if building.is_full else itertools.islice(units.items, building.total.end, None)
    for made in in_order(workers.map(units.work, todo)):
        building.take(made)
        on_progress(building.rows, units.count)
        if building.is_full or should_stop():
            break
    else:
        building.exhausted = True
    building.write()
    return building.finish(time.monotonic() - started)


# --- sources


@dataclass(frozen=True)
class _Units:
    """The work of a source in numbered units, the same for the same settings.

    Args:
        work: What is done with each of the `items`.
        count: How many rows are wanted; None: all that can be had.
        family: Of invented parts; empty for others.
    """

    work: Callable[[Any], Made]
    items: Iterable[Any]
    count: int | None
    settings: dict[str, Any]
    family: str = ""

    @classmethod
    def of(cls, source: str, count: int | None, seed: int, height_steps: int, seconds: float) -> _Units:
        """Raises: DatasetError: there is no such source."""
        settings = {"source": source, "seed": seed, "height_steps": height_steps}
        if source.startswith(PREFIX) or source == "invent":
            family, own = family_in(source) if ":" in source else ("general", None)
            count = count or own or INVENTED
            work = functools.partial(invented_unit, family=family, seed=seed, height_steps=height_steps)
            return cls(work, itertools.count(), count, settings | {"count": count}, family)
        require(source)
        parts = find_parts(source)
        if count is not None and count < len(parts):
            parts = [parts[i] for i in np.random.default_rng(seed).permutation(len(parts))]
        size = PROGRAMS_PER_UNIT if all(part.is_program for part in parts) else 1
        names = hashlib.blake2b("\n".join(part.name for part in parts).encode(), digest_size=8).hexdigest()
        settings |= {"count": count, "seconds": seconds, "parts": len(parts), "names": names}
        work = functools.partial(measured_unit, seconds=seconds, seed=seed, height_steps=height_steps)
        return cls(work, [parts[i : i + size] for i in range(0, len(parts), size)], count, settings)


def invented_unit(number: int, *, family: str, seed: int, height_steps: int) -> Made:
    """Invented parts, the same for the same number."""
    seeds = (BUILT, seed, zlib.crc32(family.encode()), number)
    pairs = invent_pairs(seeds, INVENTED_PER_UNIT, family=family, n_points=POOL_POINTS, height_steps=height_steps)
    made = Made()
    for index, (text, points, solid) in enumerate(zip(pairs.texts, pairs.clouds.astype(np.float16), pairs.solids)):
        made.add(f"{family}-{number:07d}-{index:02d}", text, points, "invented", 1.0, solid)
    return made


def measured_unit(parts: Sequence[Unlabelled], *, seconds: float, seed: int, height_steps: int) -> Made:
    """Parts with the programs that they have, or that are measured."""
    made = Made()
    for part in parts:
        label, points = label_part(part, seconds, Verdict.GOOD, seed, height_steps)
        if label.kept:
            made.add(label.name, label.code, points, label.source, label.likeness, build(parse(label.code)))
        else:
            made.skipped.append((label.name, str(label.reason), _kind_of(label.reason)))
    return made


def _kind_of(reason: str) -> str:
    """The sentence without its place and its values, so that equal reasons can be counted."""
    while isinstance(reason, Message) and "message" in reason.values:
        reason = reason.values["message"]
    return reason.template if isinstance(reason, Message) else reason


# --- the folder


class _Building:
    """A data set that is being written: the shards on disk, and the rows that wait for the next shard.

    Raises: DatasetError: the folder holds another data set, or one with a gap.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], apart: Apart, count: int | None, shard_rows: int):
        self.folder, self.settings, self.apart, self.count, self.shard_rows = folder, settings, apart, count, shard_rows
        self.hashes: dict[str, str] = {}
        self.shapes: set[int] = set()
        self.total = Tally(0, 0)
        self.exhausted = False  # whether the source has no more
        for path in folder.glob(".part-*"):  # of a killed command
            path.unlink()
        for path in shards_of(folder):
            theirs, tally = read_about(path)
            if theirs != settings:
                raise _other(folder, theirs, settings)
            if tally.first != self.total.end:
                raise DatasetError(
                    "{folder} lacks the file before {name}. Delete that and all after it, and build them again.",
                    folder=folder,
                    name=path.name,
                )
            self.total.add(tally)
            self.shapes.update(read_shapes(path))
        if not self.total.end and any(folder.iterdir()):
            raise DatasetError("{out} is not empty. Choose another folder, or empty it.", out=folder)
        self._begin()

    def _begin(self) -> None:
        self.waiting: list[Row] = []
        self.tally = Tally(self.total.end, self.total.end)
        self.since = time.monotonic()

    @property
    def rows(self) -> int:
        return self.total.rows + len(self.waiting)

    @property
    def is_full(self) -> bool:
        return self.count is not None and self.rows >= self.count

    def take(self, made: Made) -> None:
        """Take in the next unit of work, and write a shard where it is time for it."""
        if self.is_full:
            return
        tally = Tally(self.tally.end, self.tally.end + 1, len(made.rows) + len(made.skipped), skipped=made.skipped)
        for row, shape in made.rows:
            if self.is_full:
                tally.unused += 1
            elif self.apart.holds(shape):
                tally.held_out += 1
            elif row.shape in self.shapes:
                tally.duplicates += 1
            else:
                self.shapes.add(row.shape)
                self.waiting.append(row)
                tally.rows += 1
        self.tally.add(tally)
        if len(self.waiting) >= self.shard_rows or time.monotonic() - self.since > MOST_SECONDS:
            self.write()

    def write(self) -> None:
        """Write the rows that wait as a shard."""
        if self.tally.end == self.tally.first:
            return
        path, self.hashes[path.name] = write_shard(self.folder, self.waiting, self.tally, self.settings)
        self.total.add(self.tally)
        self._begin()

    def finish(self, seconds: float) -> dict[str, Any]:
        """Write the manifest. Raises: DatasetError: the source has no usable part."""
        total = self.total
        if self.exhausted and not total.rows:
            raise DatasetError(
                "None of the {n} parts of {source} is usable.{reasons}",
                n=total.entries,
                source=self.settings["source"],
                reasons="".join(f"\n  {name}: {reason}" for name, reason, _ in total.skipped[:3]),
            )
        manifest = {
            "complete": self.exhausted or self.is_full,
            **self.settings,
            "entries": total.entries,
            "rows": total.rows,
            "failed": len(total.skipped),
            "duplicates": total.duplicates,
            "held_out": total.held_out,
            "unused": total.unused,
            "failures": dict(Counter(kind for _, _, kind in total.skipped).most_common()),
            "examples": [[name, reason] for name, reason, _ in total.skipped[:EXAMPLES]],
            "versions": _versions(),
            "seconds_of_last_command": round(seconds, 2),
            "shards": [
                {"file": path.name, "bytes": path.stat().st_size, "sha256": self._hash_of(path)}
                for path in shards_of(self.folder)
            ],
        }
        write_whole(self.folder / MANIFEST_FILE, json.dumps(manifest, indent=1))
        return manifest

    def _hash_of(self, path: Path) -> str:
        if path.name not in self.hashes:
            with path.open("rb") as file:
                self.hashes[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        return self.hashes[path.name]


def _other(folder: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> DatasetError:
    key = next(key for key in {**ours, **theirs} if theirs.get(key) != ours.get(key))
    return DatasetError(
        "{folder} holds a data set of other settings ({name}: {theirs}, now {ours}). Choose another folder, or empty "
        "it.",
        folder=folder,
        name=key,
        theirs=json.dumps(theirs.get(key)),
        ours=json.dumps(ours.get(key)),
    )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in RECORDED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed, or an optional library
            continue
    return versions | {"cadrecode": cadrecode.__version__}
