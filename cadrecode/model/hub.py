"""How far a download from the hub is, told to a function in place of a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

Tell = Callable[[int, int], None]  # bytes that are here, bytes in all (which grows as the hub names its files)


def bars_for(tell: Tell) -> type[tqdm]:
    """The class of progress bars that `snapshot_download` takes as tqdm_class.

    It makes one that counts files and two that count bytes, received and written: which of them moves depends on how
    files are stored, and the total of those received is a guess, never below the true one. What `tell` raises ends the
    download.
    """
    from tqdm import tqdm

    bytes_of: dict[int, tuple[int, int]] = {}  # done and total of each bar

    class Bar(tqdm):
        def __init__(self, *given, **named):
            named.pop("name", None)  # the hub's own classes take one
            super().__init__(*given, **{**named, "file": io.StringIO(), "disable": False})

        def update(self, n=1):
            told = super().update(n)
            if self.unit == "B":
                bytes_of[id(self)] = int(self.n), int(self.total or 0)
                done, total = (
                    max(d for d, _ in bytes_of.values()),
                    min((t for _, t in bytes_of.values() if t), default=0),
                )
                tell(min(done, total), total)
            return told

        def display(self, *given, **named):
            """Nothing: a log file is no terminal."""

    return Bar
