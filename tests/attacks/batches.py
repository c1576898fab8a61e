"""Zips of scans, as the batch takes them in: nothing leaves its folder, and none swells."""

import contextlib
import io
import stat
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from cadrecode.errors import CadrecodeError
from tests.attacks.attack import Attack, Route

SECONDS = 30
SCAN = b"1 2 3\n" * 40


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", kind) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def special(name: str, kind: int, content: bytes) -> bytes:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (kind | 0o777) << 16
    return zipped((entry, content))


def overlapping() -> bytes:
    """Hundreds of entries whose data is the same megabyte of zeros."""
    one = zipped(("a.xyz", bytes(30_000_000)))
    start = one.index(b"PK\x01\x02")
    entry, end = one[start : one.index(b"PK\x05\x06")], bytearray(one[one.index(b"PK\x05\x06") :])
    end[8:16] = struct.pack("<HHI", 400, 400, 400 * len(entry))
    return one[:start] + entry * 400 + bytes(end)


OUT = "/tmp/batch-zip-attack"  # must not come into being
ZIPS: dict[str, Callable[[], bytes]] = {
    "names that lead out": lambda: zipped(*((f"{'../' * n}tmp/batch-zip-attack/x.xyz", SCAN) for n in range(20))),
    "absolute names": lambda: zipped((f"{OUT}/x.xyz", SCAN), ("/etc/x.xyz", SCAN), ("C:\\x.xyz", SCAN)),
    "names of Windows": lambda: zipped(("..\\..\\x.xyz", SCAN), ("con.xyz", SCAN), ("a:b.xyz", SCAN)),
    "a link out": lambda: special("a.xyz", stat.S_IFLNK, b"/etc/passwd"),
    "a pipe": lambda: special("a.xyz", stat.S_IFIFO, b""),
    "a device": lambda: special("a.xyz", stat.S_IFCHR, b""),
    "a folder with the name of a scan": lambda: zipped(("a.xyz/", b""), ("a.xyz/b.xyz", SCAN)),
    "the same name": lambda: zipped(*[("a.xyz", SCAN)] * 400),
    "names that differ by case": lambda: zipped(("a.xyz", SCAN), ("A.xyz", SCAN), ("a.XYZ", SCAN)),
    "names of dots": lambda: zipped((".xyz", SCAN), ("..xyz", SCAN), ("...", SCAN), ("./.xyz", SCAN)),
    "a name of 60,000 letters": lambda: zipped(("a" * 60_000 + ".xyz", SCAN)),
    "an ending of 60,000 letters": lambda: zipped(("a." + "x" * 60_000, SCAN)),
    "a name without end": lambda: zipped(("aQ.xyz", SCAN), ("aQ/../b.xyz", SCAN)).replace(b"Q", b"\0"),
    "names of other alphabets": lambda: zipped(*((f"{c}.xyz", SCAN) for c in "\u202e\ufeff\U0001f600\x85")),
    "marks of a page": lambda: zipped(("<script>alert(1)</script>.xyz", SCAN), ('"><img src=x>.exe', SCAN)),
    "folders 20,000 deep": lambda: zipped(("a/" * 20_000 + "b.xyz", SCAN)),
    "30,000 files": lambda: zipped(*((f"{n}.xyz", b"") for n in range(30_000))),
    "600 scans": lambda: zipped(*((f"{n}.xyz", SCAN) for n in range(600))),
    "nothing": lambda: zipped(),
    "no scans": lambda: zipped(("a.exe", b"MZ"), ("b.zip", zipped(("c.xyz", SCAN)))),
    "zeros": lambda: zipped(("a.xyz", bytes(300_000_000))),
    "overlapping entries": overlapping,
    "packed by bz2": lambda: zipped(("a.xyz", bytes(1_000_000)), kind=zipfile.ZIP_BZIP2),
    "packed by lzma": lambda: zipped(("a.xyz", bytes(1_000_000)), kind=zipfile.ZIP_LZMA),
    "cut short": lambda: zipped(("a.xyz", SCAN))[:-30],
    "a scan of its own": lambda: SCAN,
    "empty": lambda: b"",
    "a list of files of 4 GB": lambda: zipped(("a.xyz", SCAN))[:-22]
    + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 2**32 - 1, 0, 0),
    "a wrong sum": lambda: zipped(("a.xyz", SCAN), kind=zipfile.ZIP_STORED).replace(b"1 2 3", b"9 9 9", 1),
    "an encrypted scan": lambda: zipped(("a.xyz", SCAN)).replace(b"PK\3\4\x14\0\0\0", b"PK\3\4\x14\0\1\0").replace(
        b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0"),
}  # fmt: skip


@contextlib.contextmanager
def _batch() -> Iterator[Callable[[bytes], str]]:
    from cadrecode.config import ReconstructConfig
    from cadrecode.ui.batch.actions import gather
    from cadrecode.ui.batch.page import index_page
    from cadrecode.ui.words.text import Words

    def send(content: bytes) -> str:
        with tempfile.TemporaryDirectory() as made:
            path, folder = Path(made) / "given.zip", Path(made) / "batch"
            path.write_bytes(content)
            try:
                batch = gather([path], folder, ReconstructConfig())
            except CadrecodeError as error:
                if len(str(error)) > 100_000:
                    return f"Traceback: a message of {len(str(error)):,} letters"
                return type(error).__name__
            assert not Path(OUT).exists(), "it left its folder"
            assert {p.name for p in Path(made).iterdir()} <= {"given.zip", "batch"}, "it left its folder"
            for scan in batch.scans:
                assert scan.resolve().is_relative_to(folder.resolve()), scan
                assert scan.is_file(), scan
                assert not scan.is_symlink(), scan
            page = index_page(batch.refused, "mm", Words("en"))
            assert "<script>alert" not in page, "a name became code"
            assert "<img src=x>" not in page, "a name became code"
        return "ok"

    yield send


ROUTES = [
    Route(
        "batch zip",
        [
            Attack(name, lambda _, make=make: make(), SECONDS, short=n % 5 == 0)
            for n, (name, make) in enumerate(ZIPS.items())
        ],
        _batch,
        grows_mb=200,
    )
]
