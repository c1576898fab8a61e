"""Points and tokens of a data set lie in mapped files on disk: a pair's 4,096 points take 24 KB, its tokens a few.

The files are temporary and have no name: each is deleted with the last view of it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from cadrecode.data.pairs import Pair

BLOCK = 128  # pairs in a map: 3 MB of points, and a process may have 65,530 maps


def on_disk(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """The same pairs, with their points on disk. Reads ahead by a block; points that are mapped already stay there."""
    pairs = iter(pairs)
    while block := list(islice(pairs, BLOCK)):
        loose = [pair.points for pair in block if not isinstance(pair.points, np.memmap)]
        moved = iter(mapped(np.stack(loose)) if loose else ())
        for pair in block:
            yield pair if isinstance(pair.points, np.memmap) else replace(pair, points=next(moved))


def pieces_on_disk(lists: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Lists of whole numbers as views of one int32 array on disk."""
    joined = mapped(np.concatenate([np.asarray(numbers, np.int32) for numbers in lists]))
    return np.split(joined, np.cumsum([len(numbers) for numbers in lists])[:-1])


def mapped(array: np.ndarray) -> np.memmap:
    """A read-only copy on disk."""
    with tempfile.TemporaryFile(prefix="cadrecode-") as file:
        array.tofile(file)
        file.flush()
        return np.memmap(file, array.dtype, "r", shape=array.shape)
