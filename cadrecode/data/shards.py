"""Data sets as Parquet files, as `datasets.load_dataset("parquet", data_files="FOLDER/*.parquet")` reads them.

A file, or shard, holds the pairs of some units of work, one after the other, and says in its metadata which these are
and what became of all they held. So the shards alone tell how far a data set has come. A shard is moved into its place
when it is whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cadrecode.data.pairs import POOL_POINTS, Pair, Skipped
from cadrecode.errors import DatasetError, Message, MissingLibrary

PATTERN = "part-*.parquet"
MANIFEST_FILE = "manifest.json"
KEY = b"cadrecode"  # of a shard's metadata
ROWS_PER_GROUP = 256  # read at a time: 6 MB of points


@dataclass(frozen=True)
class Row:
    """A pair as it is stored.

    Args:
        name, code, points: See `Pair`.
        source: Where the program comes from, see `label`; or "invented".
        likeness: IoU with a closed input, see `label`.
        shape: 64 bits of the solid's signature, see `shape_number`.
    """

    name: str
    code: str
    points: np.ndarray
    source: str
    likeness: float
    shape: int


@dataclass
class Tally:
    """The results of some units of work.

    Args:
        first, end: Their numbers, `end` the first that is not among them.
        entries: How many parts they held; the sum of the four that follow.
        rows: How many are stored.
        skipped: Name, reason and kind of reason of each that failed.
        duplicates: How many have the shape of an earlier one.
        held_out: How many have the shape of a part that is held out.
        unused: How many were left over at the end, when there were enough.
    """

    first: int
    end: int
    entries: int = 0
    rows: int = 0
    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    duplicates: int = 0
    held_out: int = 0
    unused: int = 0

    def add(self, later: Tally) -> None:
        """Take in the units that follow."""
        self.end = later.end
        self.skipped += later.skipped
        for name in ("entries", "rows", "duplicates", "held_out", "unused"):
            setattr(self, name, getattr(self, name) + getattr(later, name))


def shape_number(signature: tuple[int, ...]) -> int:
    """64 bits of a solid's signature: of 100 million shapes, two share them by chance once in 4,000 data sets."""
    return int.from_bytes(hashlib.blake2b(repr(signature).encode(), digest_size=8).digest(), "big", signed=True)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingLibrary.of("pyarrow", Message("write or read Parquet files")) from error
    return pyarrow, pyarrow.parquet


def require_parquet() -> None:
    """Raises: MissingLibrary: pyarrow is not installed."""
    _pyarrow()


def write_shard(folder: Path, rows: Sequence[Row], tally: Tally, settings: dict[str, Any]) -> tuple[Path, str]:
    """Write a shard as a whole. Returns: its file, and the SHA-256 of it."""
    pa, parquet = _pyarrow()
    points = np.stack([row.points for row in rows]).astype(np.float16).reshape(-1) if rows else np.empty(0, np.float16)
    columns = {
        "name": pa.array([row.name for row in rows], pa.string()),
        "code": pa.array([row.code for row in rows], pa.string()),
        "points": pa.FixedSizeListArray.from_arrays(pa.array(points), 3 * POOL_POINTS),
        "source": pa.array([row.source for row in rows], pa.string()),
        "likeness": pa.array([row.likeness for row in rows], pa.float32()),
        "shape": pa.array([row.shape for row in rows], pa.int64()),
    }
    about = json.dumps({"settings": settings, "tally": asdict(tally)})
    table = pa.table(columns).replace_schema_metadata({KEY: about.encode()})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd", row_group_size=ROWS_PER_GROUP, use_dictionary=["source"])
    content = buffer.getvalue()
    path = folder / PATTERN.replace("*", f"{tally.first:09d}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return path, hashlib.sha256(content).hexdigest()


def shards_of(folder: Path) -> list[Path]:
    """The shards of a data set, in order."""
    return sorted(folder.glob(PATTERN))


def read_about(path: Path) -> tuple[dict[str, Any], Tally]:
    """The settings and the tally of a shard. Raises: DatasetError: it is damaged or of another kind."""
    _, parquet = _pyarrow()
    try:
        values = json.loads(parquet.read_schema(path).metadata[KEY])
        return values["settings"], Tally(**values["tally"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error


def read_shapes(path: Path) -> list[int]:
    """The `shape` of each row."""
    _, parquet = _pyarrow()
    return parquet.read_table(path, columns=["shape"])["shape"].to_pylist()


def count_rows(folder: Path) -> int:
    """The number of pairs of a data set."""
    _, parquet = _pyarrow()
    return sum(parquet.read_metadata(path).num_rows for path in shards_of(folder))


def read_pairs(folder: Path, chosen: np.ndarray | None = None) -> Iterator[Pair]:
    """The pairs of a data set, a few hundred of them in memory at a time.

    Args:
        chosen: Numbers of the rows to read, counted over all shards. None: all.
    Raises: DatasetError: a shard is damaged.
    """
    _, parquet = _pyarrow()
    wanted = None if chosen is None else np.sort(chosen)
    start = 0
    for path in shards_of(folder):
        try:
            with parquet.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    end = start + file.metadata.row_group(group).num_rows
                    places = np.arange(start, end) if wanted is None else wanted[(wanted >= start) & (wanted < end)]
                    if len(places):
                        yield from _pairs_of(file.read_row_group(group, ["name", "code", "points"]), places - start)
                    start = end
        except (OSError, ValueError, KeyError) as error:
            raise _unreadable(path, error) from error


def _pairs_of(table: Any, places: np.ndarray) -> Iterator[Pair]:
    points = table["points"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, POOL_POINTS, 3)
    names, codes = table["name"].to_pylist(), table["code"].to_pylist()
    for place in places:
        yield Pair(names[place], codes[place], points[place])


def read_skipped(folder: Path) -> list[Skipped]:
    """The failures of all shards."""
    return [Skipped(name, reason) for path in shards_of(folder) for name, reason, _ in read_about(path)[1].skipped]


def _unreadable(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        "{path} cannot be read: {error}. Delete it and all after it, and build them again.",
        path=path,
        error=error,
    )
