# ruff: noqa: E501
"""Files of points, by reader: bombs that swell, headers that lie, huge numbers; and the routes of all files."""

import contextlib
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cadrecode.errors import CadrecodeError
from tests.attacks.attack import Attack, Route
from tests.attacks.meshes import CUBE, GLB, HUGE, OBJ, OFF, STL, THREEMF, npz

SECONDS = 20  # of processor time; a good file of 2 MB takes under 1


def allowed_mb(payload: tuple[str, bytes]) -> float:
    return 3 * len(payload[1]) / 2**20 + 200


# --- NumPy


def npy(header: str | bytes, body: bytes = b"", version: int = 1, length: int | None = None) -> bytes:
    text = header.encode() if isinstance(header, str) else header
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + body


def shape(text: str, dtype: str = "'<f8'", fortran: bool = False) -> str:
    return f"{{'descr': {dtype}, 'fortran_order': {fortran}, 'shape': {text}, }}\n"


def zeros_npz(rows: int, columns: int = 3, dtype: str = "|u1", kind: int = zipfile.ZIP_DEFLATED, **more) -> bytes:
    body = npy(shape(f"({rows}, {columns})", repr(dtype)), bytes(rows * columns * np.dtype(dtype).itemsize))
    return npz({"points.npy": body, **more}, kind)


def nested_zip() -> bytes:
    data = zeros_npz(10**6)
    for _ in range(3):
        data = npz({f"{n}.npy": data for n in range(9)})
    return data


NPY = {
    "shape of 10^4000 rows": lambda: npy(shape(f"({HUGE}, 3)")),
    "shape of 10^12 rows": lambda: npy(shape("(10**12, 3)")) + bytes(900),
    "10^12 rows, written out": lambda: npy(shape(f"({10**12}, 3)")) + bytes(900),
    "10^12 columns": lambda: npy(shape(f"(3, {10**12})")) + bytes(900),
    "10^12 columns in Fortran order": lambda: npy(shape(f"(40, {10**12})", fortran=True)) + bytes(900),
    "one row of a million columns": lambda: npy(shape(f"(1, {10**6})"), bytes(8 * 10**6)),
    "wide rows of bytes": lambda: npy(shape("(200, 20000)", "'|u1'"), bytes(4 * 10**6)),
    "wide rows in Fortran order": lambda: npy(shape("(20000, 200)", "'|u1'", True), bytes(4 * 10**6)),
    "bytes by the million": lambda: npy(shape("(4000000, 3)", "'|u1'"), np.random.default_rng(0).bytes(12 * 10**6)),
    "negative rows": lambda: npy(shape("(-5, 3)"), bytes(900)),
    "negative columns": lambda: npy(shape("(5, -3)"), bytes(900)),
    "both negative": lambda: npy(shape("(-5, -3)"), bytes(900)),
    "no shape": lambda: npy(shape("()"), bytes(900)),
    "many dimensions": lambda: npy(shape("(" + "1," * 900 + ")"), bytes(900)),
    "true and false as a shape": lambda: npy(shape("(True, True)"), bytes(900)),
    "header of 4 GB": lambda: npy(shape("(40, 3)"), bytes(900), 2, 2**32 - 1),
    "header of 64 kB": lambda: npy(b" " * 65_000, bytes(900)),
    "header of nested brackets": lambda: npy("(" * 9_000 + ")" * 9_000),
    "header of minus signs": lambda: npy("-" * 9_000 + "1"),
    "header that is code": lambda: npy("{'descr': __import__('os').system('id'), 'fortran_order': False, 'shape': ()}"),
    "header of another version": lambda: npy(shape("(40, 3)"), bytes(960), 9),
    "objects": lambda: npy(shape("(40, 3)", "'|O'"), b"cos\nsystem\n(S'touch x'\ntR."),
    "dtype of 2 GB": lambda: npy(shape("(40, 3)", "'<U500000000'"), bytes(900)),
    "dtype of void": lambda: npy(shape("(40, 3)", "'|V2000000000'"), bytes(900)),
    "dtype of a thousand fields": lambda: npy(shape("(40,)", str([(f"f{n}", "<f8") for n in range(300)])), bytes(900)),
    "dtype with a shape": lambda: npy(shape("(40, 3)", "('<f8', (1000000000,))"), bytes(900)),
    "dates": lambda: npy(shape("(40, 3)", "'<M8[s]'"), bytes(960)),
    "all nan": lambda: npy(shape("(40, 3)"), np.full(120, np.nan).tobytes()),
    "largest floats": lambda: npy(shape("(40, 3)"), (np.random.default_rng(0).random(120) * 1.7e308).tobytes()),
    "smallest floats": lambda: npy(shape("(40, 3)"), np.arange(120).astype("<u8").tobytes()),
    "largest integers": lambda: npy(shape("(40, 3)", "'<u8'"), (2**64 - 1 - np.arange(120, dtype="<u8")).tobytes()),
    "float16 beyond": lambda: npy(shape("(40, 3)", "'<f2'"), np.full(120, np.inf, "<f2").tobytes()),
    "only the signature": lambda: b"\x93NUMPY",
    "a long double": lambda: npy(shape("(40, 3)", "'<f16'"), bytes(40 * 3 * 16)),
}
NPZ = {
    "0.3 MB of zeros unpack to 300 MB": lambda: zeros_npz(10**8),
    "bytes that stay in the allowance": lambda: zeros_npz(4 * 10**7),
    "normals too": lambda: zeros_npz(
        2 * 10**7, **{"normals.npy": npy(shape("(20000000, 3)", "'|u1'"), bytes(6 * 10**7))}
    ),
    "bzip2": lambda: zeros_npz(10**7, kind=zipfile.ZIP_BZIP2),
    "lzma": lambda: zeros_npz(10**7, kind=zipfile.ZIP_LZMA),
    "40,000 arrays": lambda: npz({f"{n}.npy": b"" for n in range(40_000)}, zipfile.ZIP_STORED),
    "99 arrays": lambda: npz({f"{n}.npy": npy(shape("(40, 4)"), bytes(1280)) for n in range(99)}),
    "99 arrays, damaged": lambda: npz({f"{n}.npy": b"x" * 10_000 for n in range(99)}),
    "an array in a folder above": lambda: npz({"../../points.npy": npy(shape("(40, 3)"), bytes(960))}),
    "the same name twice": lambda: zeros_npz(50) + zeros_npz(60),
    "zip in zip in zip": nested_zip,
    "a size that lies": lambda: zeros_npz(10**5).replace(
        struct.pack("<I", 3 * 10**5 + 128), struct.pack("<I", 2**32 - 2)
    ),
    "encrypted": lambda: zeros_npz(50).replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01"),
    "directory cut": lambda: zeros_npz(50)[:-30],
    "a comment of 64 kB": lambda: zeros_npz(50)[:-2] + struct.pack("<H", 65_535) + b"x" * 65_535,
    "names of 60,000 letters": lambda: npz({"a" * 60_000 + ".npy": npy(shape("(40, 3)"), bytes(960))}),
}

# --- text

TABLE = {
    "a line of 50 MB": lambda: b"1 " * 25_000_000,
    "a line of 50 MB without blanks": lambda: b"1" * 50_000_000,
    "rows of 100,000 columns": lambda: (b"1 " * 100_000 + b"\n") * 40,
    "short rows": lambda: b"0 0 0\n" * 1_000_000,
    "short rows that differ": lambda: b"".join(b"%d %d %d\n" % (n % 10, n % 7, n % 3) for n in range(1_000_000)),
    "blank lines": lambda: b"\n" * 20_000_000,
    "comments": lambda: b"#\n" * 10_000_000,
    "numbers of 4,000 digits": lambda: f"{HUGE} 1 2\n".encode() * 40,
    "numbers of 300 digits": lambda: (b"9" * 308 + b" 1 2\n") * 40,
    "1e999": lambda: b"1e999 1 2\n" * 40,
    "nan": lambda: b"nan nan nan\n" * 40,
    "hexadecimal": lambda: b"0x1 0x2 0x3\n" * 40,
    "a count of 10^12": lambda: b"1000000000000\n" + b"1 2 3\n" * 40,
    "a count of 4,000 digits": lambda: f"{HUGE}\n".encode() + b"1 2 3\n" * 40,
    "a quote without an end": lambda: b'"1 2 3\n' * 1000,
    "names of 10,000 columns": lambda: (
        " ".join(["x", "y", "z", *(f"c{n}" for n in range(10_000))]).encode() + b"\n1 2 3\n"
    ),
    "utf-16": lambda: ("1 2 3\n" * 100_000).encode("utf-16"),
    "utf-16, half a letter": lambda: ("1 2 3\n" * 100).encode("utf-16") + b"\xd8",
    "null bytes": lambda: b"1 2 3\n" * 1000 + b"\0" * 10_000,
    "wide numbers": lambda: "１ ２ ３\n".encode() * 100,
    "decimal commas": lambda: b"1,5 2,5 3,5\n" * 100_000,
    "separators alone": lambda: b";;;;;;\n" * 100_000,
    "commas by the million": lambda: b"," * 900_000 + b"\n",
    "returns alone": lambda: b"1 2 3\r" * 1_000_000,
}
PLY_HEAD = "ply\nformat {kind} 1.0\nelement vertex {n}\nproperty {t} x\nproperty {t} y\nproperty {t} z\n"
BINARY = "binary_little_endian"


def ply(kind: str, n: int | str, body: bytes, more: str = "", t: str = "float") -> bytes:
    return (PLY_HEAD.format(kind=kind, n=n, t=t) + more + "end_header\n").encode() + body


FACES = "element face {n}\nproperty list {c} {t} vertex_indices\n"
PLY = {
    "10^12 points": lambda: ply(BINARY, 10**12, bytes(1200)),
    "4,000 digits of points": lambda: ply(BINARY, HUGE, bytes(1200)),
    "4,000 digits of points in text": lambda: ply("ascii", HUGE, b"1 2 3\n" * 50),
    "minus one point": lambda: ply(BINARY, -1, bytes(1200)),
    "bytes by the million": lambda: ply(BINARY, 4 * 10**6, np.random.default_rng(0).bytes(12 * 10**6), t="uchar"),
    "points of a mesh by the million": lambda: ply(
        BINARY, 4 * 10**6, np.random.default_rng(0).bytes(12 * 10**6) + b"\3\0\1\2", FACES.format(n=1, c="uchar", t="uchar"),
        t="uchar"),
    "faces by the million": lambda: ply(
        BINARY, 8, CUBE.astype("<f4").tobytes() + b"\3\0\1\2" * 3_000_000, FACES.format(n=3_000_000, c="uchar", t="uchar")),
    "faces without corners": lambda: ply(
        BINARY, 8, CUBE.astype("<f4").tobytes() + bytes(8_000_000), FACES.format(n=8_000_000, c="uchar", t="uchar")),
    "faces of different sizes": lambda: ply(
        BINARY, 8, CUBE.astype("<f4").tobytes() + b"\3\0\1\2\0" * 2_000_000, FACES.format(n=4_000_000, c="uchar", t="uchar")),
    "a face of 5 million corners": lambda: ply(
        BINARY, 8, CUBE.astype("<f4").tobytes() + struct.pack("<I", 5 * 10**6) + bytes(5 * 10**6),
        FACES.format(n=1, c="uint", t="uchar")),
    "a face of 2^32 corners": lambda: ply(
        BINARY, 8, CUBE.astype("<f4").tobytes() + struct.pack("<I", 2**32 - 1) + bytes(900),
        FACES.format(n=1, c="uint", t="uchar")),
    "a face of minus one": lambda: ply(
        BINARY, 8, CUBE.astype("<f4").tobytes() + struct.pack("<i", -1) + bytes(900), FACES.format(n=1, c="int", t="uchar")),
    "a face of nan corners": lambda: ply(
        BINARY, 8, CUBE.astype("<f4").tobytes() + struct.pack("<f", np.nan) + bytes(900),
        FACES.format(n=1, c="float", t="uchar")),
    "corners of floats": lambda: ply(
        BINARY, 8, CUBE.astype("<f4").tobytes() + b"\3" + struct.pack("<3f", np.inf, 1e30, np.nan),
        FACES.format(n=1, c="uchar", t="float")),
    "text: corners of 4,000 digits": lambda: ply(
        "ascii", 8, b"0 0 0\n" * 8 + f"3 0 1 {HUGE}\n".encode(), FACES.format(n=1, c="uchar", t="int")),
    "text: a count of 4,000 digits": lambda: ply(
        "ascii", 8, b"0 0 0\n" * 8 + f"{HUGE} 0 1\n".encode(), FACES.format(n=1, c="uchar", t="int")),
    "text: a negative count": lambda: ply(
        "ascii", 8, b"0 0 0\n" * 8 + b"-3 0 1\n", FACES.format(n=1, c="uchar", t="int")),
    "text: faces by the million": lambda: ply(
        "ascii", 8, b"0 0 0\n" * 8 + b"3 0 1 2\n" * 600_000, FACES.format(n=600_000, c="uchar", t="int")),
    "text: a line of 20 MB": lambda: ply("ascii", 8, b"1 " * 10_000_000),
    "elements without properties": lambda: ply(BINARY, 40, bytes(480), f"element foo {10**12}\n"),
    "text: elements without properties": lambda: ply("ascii", 40, b"1 2 3\n" * 40, f"element foo {10**12}\n"),
    "lists without an end": lambda: ply(
        BINARY, 40, bytes(480) + bytes(4_000_000), "element foo 4000000\nproperty list uchar uchar a\n"),
    "properties by the thousand": lambda: ply(BINARY, 40, bytes(480), "".join(f"property float a{n}\n" for n in range(40_000))),
    "properties by the million": lambda: ply(BINARY, 40, bytes(480), "property float a\n" * 1_000_000),
    "comments by the million": lambda: ply(BINARY, 40, bytes(480), "comment\n" * 3_000_000),
    "a comment of 20 MB": lambda: ply(BINARY, 40, bytes(480), "comment " + "a" * 20_000_000 + "\n"),
    "no end of the header": lambda: b"ply\nformat ascii 1.0\n" + b"comment a\n" * 500_000,
    "an odd type": lambda: ply(BINARY, 40, bytes(480), t="float128"),
    "the same property twice": lambda: ply(BINARY, 40, bytes(960), "property float x\n"),
    "property before element": lambda: b"ply\nformat ascii 1.0\nproperty float x\nend_header\n",
    "strips": lambda: ply(BINARY, 40, bytes(480), "element tristrips 1\nproperty list int int vertex_indices\n"),
    "format twice": lambda: b"ply\nformat ascii 1.0\nformat binary_big_endian 1.0\nelement vertex 1\nend_header\n",
}  # fmt: skip


def pcd(
    points: int | str, data: str, body: bytes, fields: str = "x y z", size: str = "4 4 4", count: str = "1 1 1", **more
):
    kinds = more.get("type", " ".join("F" * len(fields.split())))
    width = more.get("width", points)
    text = f"VERSION .7\nFIELDS {fields}\nSIZE {size}\nTYPE {kinds}\nCOUNT {count}\nWIDTH {width}\nHEIGHT 1\n"
    return f"# .PCD v.7\n{text}POINTS {points}\nDATA {data}\n".encode() + body


def lzf_zeros(size: int) -> bytes:
    """`size` zeros, packed by hand: a literal, then references of 264 bytes back by one."""
    return b"\x00\x00" + b"\xe0\xff\x00" * ((size - 1) // 264) + b""


def packed(size: int, announced: int | None = None) -> bytes:
    body = lzf_zeros(size)
    unpacked = 1 + (size - 1) // 264 * 264
    return struct.pack("<II", len(body), unpacked if announced is None else announced) + body


PCD = {
    "10^12 points": lambda: pcd(10**12, "binary", bytes(1200)),
    "4,000 digits of points": lambda: pcd(HUGE, "binary", bytes(1200)),
    "compressed: 3 MB unpack to 264 MB": lambda: pcd(
        (1 + 10**6 * 264) // 12, "binary_compressed", packed(1 + 10**6 * 264, (1 + 10**6 * 264) // 12 * 12)),
    "compressed: bytes": lambda: pcd(
        1 + 264 * 4 * 10**5, "binary_compressed", packed(3 * (1 + 264 * 4 * 10**5), 3 * (1 + 264 * 4 * 10**5)),
        size="1 1 1", type="U U U"),
    "compressed: wide padding": lambda: pcd(
        40, "binary_compressed", packed(10**8, 40 * (12 + 10**6)), "x y z _", "4 4 4 1", "1 1 1 1000000", type="F F F U"),
    "compressed: 4 GB announced": lambda: pcd(2**32 // 12, "binary_compressed", packed(264, 2**32 - 4)),
    "compressed: references before the start": lambda: pcd(
        22, "binary_compressed", struct.pack("<II", 3, 264) + b"\xff\xff\xff"),
    "compressed: cut": lambda: pcd(22, "binary_compressed", b"\0\0"),
    "fields by the thousand": lambda: pcd(
        40, "binary", bytes(480), "x y z " + "a " * 600, "4 " * 603, "1 " * 603),
    "counts of a million": lambda: pcd(
        40, "binary", bytes(1200), "x y z _ _", "4 4 4 8 8", "1 1 1 1000000 1000000"),
    "counts beyond": lambda: pcd(40, "binary", bytes(1200), count=f"1 1 {HUGE}"),
    "counts of zero": lambda: pcd(40, "binary", bytes(1200), count="1 1 0"),
    "size of zero": lambda: pcd(40, "binary", bytes(1200), size="0 0 0"),
    "size of 10^9": lambda: pcd(40, "binary", bytes(1200), size="4 4 1000000000"),
    "size of minus four": lambda: pcd(40, "binary", bytes(1200), size="4 4 -4"),
    "an odd type": lambda: pcd(40, "binary", bytes(1200), type="F F O"),
    "text: a line of 20 MB": lambda: pcd(40, "ascii", b"1 " * 10_000_000),
    "text: 1 of many": lambda: pcd(10**9, "ascii", b"1 2 3\n" * 300_000),
    "comments by the million": lambda: b"# .PCD\n" * 2_000_000,
    "header without an end": lambda: b"# .PCD v.7\nFIELDS x y z" + b" a" * 10**6,
    "bytes by the million": lambda: pcd(
        3 * 10**6, "binary", np.random.default_rng(0).bytes(9 * 10**6), size="1 1 1", type="U U U"),
    "width times height": lambda: pcd(40, "binary", bytes(1200), width=-40),
}  # fmt: skip


def las(
    count: int = 40, *, vlrs: int = 0, kind: int = 0, record: int = 20, start: int = 227, minor: int = 2, **more
) -> bytes:
    head = bytearray(375 if minor >= 4 else 227)
    head[:4], head[24:26] = b"LASF", bytes([more.get("major", 1), minor])
    struct.pack_into("<HIIBHI", head, 94, len(head), start, vlrs, kind, record, 0 if minor >= 4 else count)
    struct.pack_into("<6d", head, 131, *more.get("scales", (0.01,) * 3), *more.get("offsets", (0.0,) * 3))
    if minor >= 4:
        struct.pack_into("<Q", head, 247, count)
        struct.pack_into("<QI", head, 235, more.get("evlr_start", 0), more.get("evlrs", 0))
    return bytes(head) + more.get("body", np.random.default_rng(0).bytes(40 * max(record, 20)))


LAS = {
    "2^31 records of any length": lambda: las(vlrs=2**31),
    "2^32 - 1 records of any length": lambda: las(vlrs=2**32 - 1),
    "extended records": lambda: las(minor=4, start=375, evlrs=2**32 - 1, evlr_start=10),
    "extended records far away": lambda: las(minor=4, start=375, evlrs=9, evlr_start=2**64 - 1),
    "2^32 - 1 points": lambda: las(2**32 - 1),
    "2^64 - 1 points": lambda: las(2**64 - 1, minor=4, start=375),
    "records of no length": lambda: las(2**31, record=0),
    "records of 11 bytes": lambda: las(40, record=11),
    "records of 64 kB": lambda: las(1, record=65_535, body=bytes(65_535)),
    "points before the file": lambda: las(40, start=0),
    "points after the file": lambda: las(40, start=2**32 - 1),
    "compressed": lambda: las(40, kind=128 + 3),
    "unknown points": lambda: las(40, kind=63),
    "scale of nan": lambda: las(scales=(np.nan,) * 3),
    "scale of 1e308": lambda: las(scales=(1e308,) * 3),
    "offset of infinity": lambda: las(offsets=(np.inf,) * 3),
    "version 255.255": lambda: las(major=255, minor=3),
    "12 bytes a point": lambda: las(10**6, record=12, body=np.random.default_rng(0).bytes(12 * 10**6)),
    "the header alone": lambda: las()[:227],
    "half of the header": lambda: las()[:110],
}

NAMES = {
    "300 letters": "a" * 300 + ".xyz",
    "250 letters": "a" * 250 + ".xyz",
    "no letters": ".xyz",
    "a null byte": "a\0b.xyz",
    "above": "../../../../etc/passwd",
    "a device": "/dev/zero",
    "a folder": "/",
    "two suffixes": "a.xyz.exe",
    "an odd suffix": "a.\U0001f600",
    "half a surrogate": "a\ud800.xyz",
    "a line end": "a\n.xyz",
    "nothing": "",
}


@contextlib.contextmanager
def reader() -> Iterator[Callable[[tuple[str, bytes]], str]]:
    from cadrecode.cloud import read_cloud
    from cadrecode.formats.columns import clean_name

    clean_name("x")
    folder = Path(tempfile.mkdtemp(prefix="attacks-files-"))

    def send(payload: tuple[str, bytes]) -> str:
        name, data = payload
        if data:
            (folder / name).write_bytes(data)
        try:
            read_cloud(folder / name)
        except CadrecodeError as error:
            if len(str(error)) > 20_000:
                return f"Traceback: a message of {len(str(error)):,} characters"
            return type(error).__name__
        return "ok"

    try:
        yield send
    finally:
        shutil.rmtree(folder)


def _attacks(suffix: str, files: dict[str, Callable[[], bytes]], few: int = 4) -> list[Attack]:
    every = max(1, len(files) // few)
    return [
        Attack(name, lambda _, make=make: (f"a{suffix}", make()), SECONDS, short=index % every == 0)
        for index, (name, make) in enumerate(files.items())
    ]


READERS = {
    ".npy": NPY, ".npz": NPZ, ".xyz": TABLE, ".ply": PLY, ".pcd": PCD, ".las": LAS, ".stl": STL, ".obj": OBJ, ".off": OFF,
    ".glb": GLB, ".3mf": THREEMF,
}  # fmt: skip
ROUTES = [
    *(
        Route(f"file {suffix}", _attacks(suffix, files), reader, grows_mb=allowed_mb)
        for suffix, files in READERS.items()
    ),
    Route("file names", [Attack(name, lambda _, text=text: (text, b"")) for name, text in NAMES.items()], reader),
]
