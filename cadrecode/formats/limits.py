"""How much memory a file may cost: a small one must not swell to more than a machine has."""

from __future__ import annotations

from pathlib import Path

from cadrecode.errors import PointCloudError

BYTES_PER_BYTE = 3  # of memory, for a byte of the file
BYTES_FOR_ANY = 110 * 2**20  # on top, for every file; some 90 MB more go to blocks and copies on the way
LONGEST_LINE = 2**20  # characters; a line of numbers has some hundred
LARGEST_HEADER = 2**20  # bytes of a header in text


def allowance(path: Path) -> int:
    """Bytes that may be held of a file's contents."""
    return BYTES_PER_BYTE * path.stat().st_size + BYTES_FOR_ANY


def require_memory(name: str, needed: int, allowed: int) -> None:
    """Raises: PointCloudError: a file would unpack to more than its size allows."""
    if needed > allowed:
        raise PointCloudError(
            "{name} unpacks to {needed_mb:,.0f} MB; for a file of its size at most {allowed_mb:,.0f} MB are read. "
            "Export it again, without repeated or empty parts.",
            name=name,
            needed_mb=min(needed, 10**15) / 1e6,
            allowed_mb=allowed / 1e6,
        )


def long_line(name: str) -> PointCloudError:
    """The error for a line that no text file of numbers has."""
    return PointCloudError(
        "{name} has a line of more than {most:,} characters. Write one point a line.", name=name, most=LONGEST_LINE
    )
