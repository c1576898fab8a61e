"""Programs with numbers as round as their part allows: a model writes and learns whole numbers best."""

from __future__ import annotations

from cadrecode.program import Program, build, iou
from cadrecode.program.edit import map_numbers, rounded
from cadrecode.program.solid import shells, through_holes

DIGITS, LEAST_LIKENESS = 4, 0.985  # after the decimal point, at most; and IoU with the program that has all of them


def with_few_digits(program: Program) -> Program:
    """The program with each number as round as the part allows.

    The thickness of a thin wall keeps a digit that the length of a block does not need. Equal numbers stay equal, so
    that what stands flush stands flush.
    """
    exact = build(program)
    structure = shells(exact), through_holes(exact)

    def likeness(changed: Program) -> float:
        solid = build(changed)
        return iou(solid, exact) if (shells(solid), through_holes(solid)) == structure else 0.0

    most = next((n for n in range(DIGITS) if likeness(rounded(program, n)) >= LEAST_LIKENESS), None)
    if most is None:
        return program
    program = rounded(program, most)
    for decimals in range(most):
        for size in sorted(_sizes(program), reverse=True):
            changed = _rounded_at(program, size, decimals)
            if changed != program and likeness(changed) >= LEAST_LIKENESS:
                program = changed
    return program


def _rounded_at(program: Program, size: float, decimals: int) -> Program:
    return map_numbers(program, lambda value: round(value, decimals) if abs(value) == size else value)


def _sizes(program: Program) -> set[float]:
    """The magnitudes of a program's numbers."""
    sizes: set[float] = set()

    def note(value: float) -> float:
        sizes.add(abs(value))
        return value

    map_numbers(program, note)
    return sizes
