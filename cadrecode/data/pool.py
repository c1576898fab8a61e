"""What grows with a data set lies on disk and is mapped: a pair's 4,096 points take 24 KB, and its tokens a few.

The files are temporary and have no name: they are gone with the last view of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cadrecode.data.dataset import Pair

BLOCK = 128  # pairs mapped together: read ahead they are 3 MB, and a process may have 65,530 maps


def on_disk(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """The same pairs, with their points on disk. Reads ahead by a block; what is mapped already stays where it is."""
    pairs = iter(pairs)
    while block := list(islice(pairs, BLOCK)):
        loose = [pair.points for pair in block if not isinstance(pair.points, np.memmap)]
        moved = iter(mapped(np.stack(loose)) if loose else ())
        for pair in block:
            yield pair if isinstance(pair.points, np.memmap) else replace(pair, points=next(moved))


def pieces_on_disk(lists: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Lists of whole numbers as views of one int32 array on disk."""
    together = mapped(np.concatenate([np.asarray(one, np.int32) for one in lists]))
    return np.split(together, np.cumsum([len(one) for one in lists])[:-1])


def mapped(array: np.ndarray) -> np.memmap:
    """A copy on disk, not to be written to."""
    with tempfile.TemporaryFile(prefix="cadrecode-") as file:
        array.tofile(file)
        file.flush()
        return np.memmap(file, array.dtype, "r", shape=array.shape)
