"""The result of every reader; rows of numbers are checked, counted and thinned here."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field

import numpy as np

from cadrecode.errors import Message, PointCloudError

ROWS_PER_BLOCK = 1 << 18  # rows read at a time, so that a huge file is never in memory as a whole
BYTES_PER_BLOCK = 1 << 24  # of rows read at a time, where they are wide
MOST_COLUMNS = 11  # columns that are kept; split_unnamed asks for no later one
LEAST_POINTS = 100_000  # stay, however little memory there is

# exceptions of Python's zipfile for damaged archives
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, KeyError)


@dataclass
class FileContents:
    """The contents of a file, before the checks of `cloud.read`.

    Args:
        points: (N, 3) float64, RAW.
        normals: (N, 3) float64 as written in the file, or None.
        faces: (M, 3) int64 into points, or None for a file that can only hold points.
        announced: points the file says it has (or that were counted), before thinning.
        warnings: messages for the person.
    """

    points: np.ndarray
    normals: np.ndarray | None = None
    faces: np.ndarray | None = None
    announced: int | None = None
    warnings: list[str] = field(default_factory=list)


def rows_per_block(bytes_per_row: int) -> int:
    """How many rows to read at a time."""
    return max(1, min(ROWS_PER_BLOCK, BYTES_PER_BLOCK // max(1, bytes_per_row)))


class RowCollector:
    """Takes a file block by block, in a single pass, and keeps at most `max_points` rows of it.

    Every row draws a random key; the rows with the smallest keys stay. So the choice is uniform over a file whose
    length nobody knows, and the same for the same seed.

    Args:
        most_bytes: memory that the rows may take; it lowers `max_points`.
    """

    def __init__(self, name: str, max_points: int, seed: int, most_bytes: int | None = None):
        self.name, self.max_points, self.most_bytes = name, max_points, most_bytes
        self.seen = 0
        self.columns = 0  # of the file's rows, with those that are not kept
        self._rng = np.random.default_rng(seed)
        self._rows: list[np.ndarray] = []
        self._keys: list[np.ndarray] = []
        self._held = 0
        self._bad, self._first_bad = 0, 0

    def add(self, rows: np.ndarray) -> None:
        """Take (k, C) numbers, of which the first three columns are coordinates."""
        self.columns = max(self.columns, rows.shape[1])
        rows = np.array(rows[:, :MOST_COLUMNS], np.float64)  # a copy: the caller's block may be a view
        if self.most_bytes is not None:
            row = 8 * rows.shape[1]
            held = 1.25 * (row + 25) + row  # bytes while rows are thinned: with their keys, thrice, and those that stay
            self.max_points = min(self.max_points, max(LEAST_POINTS, int(self.most_bytes / held)))
        finite = np.isfinite(rows[:, :3]).all(axis=1)
        if not finite.all():
            if not self._bad:
                self._first_bad = self.seen + int(np.argmin(finite)) + 1
            self._bad += int(np.count_nonzero(~finite))
        self.seen += len(rows)
        self._rows.append(rows)
        self._keys.append(self._rng.random(len(rows)))
        self._held += len(rows)
        if self._held > 1.25 * self.max_points + ROWS_PER_BLOCK:  # thin now and then, not at every block
            self._thin()

    def _thin(self) -> None:
        keys = np.concatenate(self._keys)
        largest = np.partition(keys, self.max_points - 1)[self.max_points - 1]
        stay = keys <= largest
        self._rows, self._keys = [self._joined(stay)], [keys[stay]]
        self._held = len(self._rows[0])

    def _joined(self, stay: np.ndarray) -> np.ndarray:
        """The rows that stay, (held,) bool, as one array. Each block is given back once it is copied."""
        joined = np.empty((np.count_nonzero(stay), self._rows[0].shape[1]))
        start, done = 0, 0
        self._rows.reverse()
        while self._rows:
            block = self._rows.pop()
            chosen = block[stay[start : start + len(block)]]
            joined[done : done + len(chosen)] = chosen
            start, done = start + len(block), done + len(chosen)
        return joined

    def finish(self) -> tuple[np.ndarray, list[str]]:
        """The rows that stay, (N, C) float64 in file order, and a warning if some were left out.

        Raises: PointCloudError: no rows, or NaN or infinite coordinates.
        """
        if not self.seen:
            raise PointCloudError("{name} holds no points. A cloud needs at least 32.", name=self.name)
        require_finite(self.name, self._bad, self._first_bad, self.seen, Message("points"))
        if self.seen <= self.max_points:
            self._keys.clear()
            return self._joined(np.ones(self._held, bool)), []
        self._thin()
        return self._rows[0], [
            Message(
                "{name} holds {seen:,} points; {used:,} of them, drawn at random with a fixed seed, are used.",
                name=self.name,
                seen=self.seen,
                used=self.max_points,
            )
        ]


def require_finite(name: str, bad: int, first_row: int, total: int, what: str) -> None:
    """Refuse NaN and infinite coordinates. Rows count from 1."""
    if bad:
        raise PointCloudError(
            "{name} has NaN or infinite coordinates in {bad:,} of its {total:,} {what}, first in row {row:,}. "
            "Remove those rows, then try again.",
            name=name,
            bad=bad,
            total=total,
            what=what,
            row=first_row,
        )


def cut_short(name: str, announced: int, held: int, what: str = Message("points")) -> PointCloudError:
    """The error for a file that holds less than it announces."""
    return PointCloudError(
        "{name} announces {announced:,} {what} but holds {actual:,}. The file is cut short: copy or download it again.",
        name=name,
        announced=announced,
        what=what,
        actual=held,
    )
