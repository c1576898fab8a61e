"""A link that carries a program: whoever opens it sees the part. No file leaves the machine with it.

The program is text of the app's language, packed into the address. Text outside of the language is refused.
"""

from __future__ import annotations

import base64
import binascii
import zlib

from cadrecode.config import UNITS
from cadrecode.errors import CadrecodeError
from cadrecode.part import Part
from cadrecode.program import parse
from cadrecode.ui.reconstruct.state import Work

QUERY = "part"
MOST_CHARACTERS = 20_000  # of a program in a link, unpacked; browsers take addresses of several thousand, packed


class LinkError(CadrecodeError):
    """The link is cut short, or was not made by this app."""


def packed(text: str, unit: str) -> str:
    """A program and its unit, packed for an address. Raises: ProgramError: it is outside of the language."""
    parse(text)
    return base64.urlsafe_b64encode(zlib.compress(f"{unit}\n{text.strip()}".encode(), 9)).decode().rstrip("=")


def opened(value: str) -> Work:
    """The shared part, as a work without a cloud.

    Raises: LinkError: it is no such link. ProgramError: its program is outside of the language.
    """
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)), MOST_CHARACTERS)
        unit, _, text = raw.decode().partition("\n")
    except (binascii.Error, zlib.error, ValueError) as error:
        raise LinkError("This link cannot be read: it is cut short, or it is not from this app.") from error
    if unit not in UNITS or not unpacker.eof:
        raise LinkError("This link cannot be read: it is cut short, or it is not from this app.")
    parse(text)
    return Work(name="shared", unit=unit, edited=Part.of_program(text, name="shared", unit=unit))
