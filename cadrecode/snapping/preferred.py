"""Numbers that a person would write: whole, half and tenth units, and the sizes that holes are made in."""

from __future__ import annotations

from dataclasses import dataclass

from cadrecode.errors import Message
from cadrecode.frames import MM_PER_UNIT

GRIDS = ((1.0, Message("whole")), (0.5, Message("half")), (0.1, Message("tenth")))
INCH_GRIDS = (
    (1.0, Message("whole")), (0.5, Message("half")), (0.25, Message("quarter")), (0.125, Message("eighth")),
    (0.0625, Message("sixteenth")), (0.1, Message("tenth")),
)  # fmt: skip
# ISO 273: clearance holes for metric bolts, in mm: fine, medium and coarse series
CLEARANCE = {
    "M2": (2.2, 2.4, 2.6), "M2.5": (2.7, 2.9, 3.1), "M3": (3.2, 3.4, 3.6), "M4": (4.3, 4.5, 4.8),
    "M5": (5.3, 5.5, 5.8), "M6": (6.4, 6.6, 7), "M8": (8.4, 9, 10), "M10": (10.5, 11, 12), "M12": (13, 13.5, 14.5),
    "M14": (15, 15.5, 16.5), "M16": (17, 17.5, 18.5), "M18": (19, 20, 21), "M20": (21, 22, 24), "M22": (23, 24, 26),
    "M24": (25, 26, 28),
}  # fmt: skip
SERIES = Message("fine"), Message("medium"), Message("coarse")
# metric twist drills (ISO 235), in mm: from, to, step
DRILLS = (0.2, 3.0, 0.05), (3.0, 14.0, 0.1), (3.25, 14.0, 0.25), (14.0, 32.0, 0.25), (32.0, 51.0, 0.5)
RANKS = {str(name): rank for rank, (_, name) in enumerate(INCH_GRIDS)}  # the simplest first
ROUNDED = Message("rounded")
EXACT = 1e-6  # of a grid: the rounding error of floating point


@dataclass(frozen=True)
class Preferred:
    """A number that a person would write, and what it is."""

    value: float
    reason: Message


def choices(value: float, allowed: float, unit: str = "mm", *, is_hole: bool = False) -> list[Preferred]:
    """Simple numbers near a value, the simplest first.

    For holes a clearance size goes before halves and tenths: 6.58 is meant to be 6.6.

    Args:
        value, allowed: In the unit; no choice is farther than `allowed` away.
        is_hole: The value is the diameter of a hole.
    """
    (whole, *finer), last = INCH_GRIDS if unit == "inch" else GRIDS, (0.01, 0.001, 0.0001)
    listed = [_on_grid(value, *whole)]
    listed += _clearance(value, unit) if is_hole else []
    listed += [_on_grid(value, *grid) for grid in finer]
    listed += _drill(value, unit) if is_hole else []
    listed += [_on_grid(value, grid, ROUNDED) for grid in last]
    return [choice for choice in listed if abs(choice.value - value) <= allowed * (1 + EXACT)]


def reason_for(value: float, unit: str = "mm", *, is_hole: bool = False) -> str:
    """The reason for a number that is simple already: for a hole its clearance, but for the coarse series, comes before
    what is whole. 9 is the hole for an M8, 10 is whole.
    """
    listed = choices(value, EXACT * abs(value) + 1e-9, unit, is_hole=is_hole)
    usual = [choice for choice in listed if choice.reason.values.get("series") in SERIES[:2]]
    return next((choice.reason for choice in (*usual, *listed)), "")


def _on_grid(value: float, grid: float, reason: Message) -> Preferred:
    return Preferred(round(round(value / grid) * grid, 9), reason)


def _clearance(value: float, unit: str) -> list[Preferred]:
    """The nearest clearance hole of ISO 273, of the finer series where it is in two."""
    millimetres = value * MM_PER_UNIT[unit]
    sizes = [(size, index, bolt) for bolt, row in CLEARANCE.items() for index, size in enumerate(row)]
    size, index, bolt = min(sizes, key=lambda entry: (abs(entry[0] - millimetres), entry[1]))
    reason = Message("clearance hole for {bolt}, {series} (ISO 273)", bolt=bolt, series=SERIES[index])
    return [Preferred(round(size / MM_PER_UNIT[unit], 9), reason)]


def _drill(value: float, unit: str) -> list[Preferred]:
    """The nearest metric drill; nothing where there is no drill of about that size."""
    millimetres = value * MM_PER_UNIT[unit]
    rows = [(first, step) for first, last, step in DRILLS if first <= millimetres <= last]
    sizes = [first + round((millimetres - first) / step) * step for first, step in rows]
    nearest = sorted(sizes, key=lambda size: abs(size - millimetres))[:1]
    return [Preferred(round(size / MM_PER_UNIT[unit], 9), Message("drill size")) for size in nearest]
