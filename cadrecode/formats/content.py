"""The type of a file by its first bytes: for files whose suffix and content disagree."""

from __future__ import annotations

from pathlib import Path

from cadrecode.errors import Message, PointCloudError

HEAD_BYTES = 2048

# first bytes -> what that is, and the suffix it should carry (None: not something we read)
_SIGNATURES: tuple[tuple[bytes, str, str | None], ...] = (
    (b"ply\n", Message("a PLY file"), ".ply"),
    (b"ply\r", Message("a PLY file"), ".ply"),
    (b"\x93NUMPY", Message("a NumPy array"), ".npy"),
    (b"LASF", Message("a LAS scan"), ".las"),
    (b"glTF", Message("a binary glTF model"), ".glb"),
    (b"# .PCD", Message("a PCD cloud"), ".pcd"),
    (b"ISO-10303-21", Message("a STEP model"), ".step"),
    (b"DBRep_DrawableShape", Message("an OpenCASCADE BREP model"), ".brep"),
    (b"version https://git-lfs", Message("a Git LFS pointer, not the file itself; run `git lfs pull`"), None),
    (b"PK\x03\x04", Message("a zip archive"), None),
    (b"PK\x05\x06", Message("an empty zip archive"), None),
    (b"\x1f\x8b", Message("a gzip archive; unpack it first"), None),
    (b"7z\xbc\xaf", Message("a 7-Zip archive; unpack it first"), None),
    (b"Rar!", Message("a RAR archive; unpack it first"), None),
    (b"%PDF", Message("a PDF document"), None),
    (b"\x89PNG", Message("a PNG picture"), None),
    (b"\xff\xd8\xff", Message("a JPEG picture"), None),
    (b"\x80\x02", Message("a Python pickle"), None),
    (b"\x80\x03", Message("a Python pickle"), None),
    (b"\x80\x04", Message("a Python pickle"), None),
    (b"\x80\x05", Message("a Python pickle"), None),
)


def read_head(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def describe(head: bytes) -> tuple[str, str | None] | None:
    """The type of a file with these first bytes, and its suffix; None when nothing is recognised."""
    for signature, name, suffix in _SIGNATURES:
        if head.startswith(signature):
            return name, suffix
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return Message("a web page (HTML)"), None
    if text.startswith((b"<?xml", b"<")):
        return Message("an XML document"), None
    if text.startswith((b'{"', b"{\n", b"{\r", b"[{")):
        return Message("a JSON document"), None
    return None


def wrong_content(path: Path, wanted: str, detail: str) -> PointCloudError:
    """The error for a file that is not what its suffix says.

    Args:
        wanted: the expected type, "a PLY file".
        detail: what is wrong.
    """
    content = describe(read_head(path))
    if content is None:
        return PointCloudError(
            "{name} is not {wanted}: {detail}. Export it again.", name=path.name, wanted=wanted, detail=detail
        )
    name, suffix = content
    advice = (
        Message("Rename it to {stem}{suffix}.", stem=path.stem, suffix=suffix)
        if suffix
        else Message("Download or export the file itself again.")
    )
    return PointCloudError(
        "{name} should be {wanted} but holds {what}. {advice}", name=path.name, wanted=wanted, what=name, advice=advice
    )
