"""Figures for people: three significant digits, never an exponent, and lengths in a unit that suits them."""

from __future__ import annotations

import math
from collections.abc import Iterable

GIB = 2**30  # bytes of a gigabyte, as memory and disks are shown
LEAST = 1e-4  # smaller figures say nothing to a person
SHOWN_IN = {"m": (1000.0, "mm")}  # scanners write metres, and people measure parts in millimetres


def figure(value: float) -> str:
    """A measured value with three significant digits: 1234.5 -> 1,234, 12.0 -> 12.0, 0.00785 -> 0.00785."""
    return _fixed(value, 3)


def short(value: float) -> str:
    """A number of a program with up to six digits: 12.0 -> 12, 12.34567 -> 12.3457."""
    text = _fixed(value, 6).replace(",", "")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _fixed(value: float, digits: int) -> str:
    size = abs(value)
    if not math.isfinite(value) or size == 0:
        return "0" if size == 0 else "-"
    if size < LEAST:
        return f"<{LEAST:.4f}"
    decimals = digits - 1 - math.floor(math.log10(size))
    if decimals > 0 and round(size, decimals) >= 10 ** (digits - decimals):  # 9.999 is 10.0
        decimals -= 1
    return f"{value:,.{max(decimals, 0)}f}"


def shown_in(unit: str) -> tuple[float, str]:
    """The factor and the unit in which lengths of a unit are shown: metres as millimetres."""
    return SHOWN_IN.get(unit, (1.0, unit))


def length(value: float, unit: str = "") -> str:
    """A length with its unit: 0.0502 m -> 50.2 mm."""
    return lengths([value], unit)


def lengths(values: Iterable[float], unit: str = "", between: str = " x ") -> str:
    """Lengths with their unit behind the last."""
    factor, shown = shown_in(unit)
    return f"{between.join(figure(value * factor) for value in values)} {shown}".rstrip()
