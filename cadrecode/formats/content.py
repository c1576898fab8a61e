"""What a file is, by its first bytes: for files whose suffix and content disagree."""

from __future__ import annotations

from pathlib import Path

from cadrecode.errors import PointCloudError

HEAD_BYTES = 2048

# first bytes -> what that is, and the suffix it should carry (None: not something we read)
_SIGNATURES: tuple[tuple[bytes, str, str | None], ...] = (
    (b"ply\n", "a PLY file", ".ply"),
    (b"ply\r", "a PLY file", ".ply"),
    (b"\x93NUMPY", "a NumPy array", ".npy"),
    (b"LASF", "a LAS scan", ".las"),
    (b"glTF", "a binary glTF model", ".glb"),
    (b"# .PCD", "a PCD cloud", ".pcd"),
    (b"ISO-10303-21", "a STEP model", ".step"),
    (b"DBRep_DrawableShape", "an OpenCASCADE BREP model", ".brep"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run `git lfs pull`", None),
    (b"PK\x03\x04", "a zip archive", None),
    (b"PK\x05\x06", "an empty zip archive", None),
    (b"\x1f\x8b", "a gzip archive; unpack it first", None),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first", None),
    (b"Rar!", "a RAR archive; unpack it first", None),
    (b"%PDF", "a PDF document", None),
    (b"\x89PNG", "a PNG picture", None),
    (b"\xff\xd8\xff", "a JPEG picture", None),
    (b"\x80\x02", "a Python pickle", None),
    (b"\x80\x03", "a Python pickle", None),
    (b"\x80\x04", "a Python pickle", None),
    (b"\x80\x05", "a Python pickle", None),
)


def read_head(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def describe(head: bytes) -> tuple[str, str | None] | None:
    """What these first bytes are, and the suffix they belong to; None when nothing is recognised."""
    for signature, name, suffix in _SIGNATURES:
        if head.startswith(signature):
            return name, suffix
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return "a web page (HTML)", None
    if text.startswith((b"<?xml", b"<")):
        return "an XML document", None
    if text.startswith((b'{"', b"{\n", b"{\r", b"[{")):
        return "a JSON document", None
    return None


def wrong_content(path: Path, wanted: str, detail: str = "") -> PointCloudError:
    """The error for a file that is not what its suffix says.

    Args: wanted: what it should be, "a PLY file"; detail: what was looked for and not found.
    """
    found = describe(read_head(path))
    if found is None:
        return PointCloudError(f"{path.name} is not {wanted}{': ' + detail if detail else ''}. Export it again.")
    name, suffix = found
    advice = f"Rename it to {path.stem}{suffix}." if suffix else "Download or export the file itself again."
    return PointCloudError(f"{path.name} should be {wanted} but holds {name}. {advice}")
