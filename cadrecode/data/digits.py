"""Programs with numbers as round as their part allows: a model writes and learns whole numbers best."""

from __future__ import annotations

from collections.abc import Callable

from cadrecode.errors import ProgramError
from cadrecode.program import Program, build, iou
from cadrecode.program.edit import map_numbers, rounded
from cadrecode.program.solid import shells, through_holes

DIGITS, LEAST_LIKENESS = 4, 0.985  # after the decimal point, at most; and IoU with the program that has all of them


def with_few_digits(program: Program, like: Program | None = None) -> Program:
    """The program with each number as round as the part allows.

    The thickness of a thin wall keeps a digit that the length of a block does not need. Equal numbers stay equal, so
    that what stands flush stands flush.

    Args:
        like: The same program with other numbers, which have few digits. To begin with its digits takes a few tries in
            place of a dozen or more.
    """
    exact = build(program)
    structure = shells(exact), through_holes(exact)

    def likeness(changed: Program) -> float:
        try:
            solid = build(changed)
        except ProgramError:  # a thin wall or a small circle is rounded away
            return 0.0
        return iou(solid, exact) if (shells(solid), through_holes(solid)) == structure else 0.0

    if like is not None:
        return _with_digits_of(like, program, lambda changed: likeness(changed) >= LEAST_LIKENESS)
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


def _with_digits_of(like: Program, program: Program, is_alike: Callable[[Program], bool]) -> Program:
    """The digits of `like`, and more for what rounding changes most, in proportion, until the part is alike."""
    of_like = map(_digits_of, _numbers(like))
    digits: dict[float, int] = {}
    for value, count in zip(_numbers(program), of_like, strict=True):
        digits[abs(value)] = max(count, digits.get(abs(value), 0))
    while True:
        changed = map_numbers(program, lambda value: round(value, digits[abs(value)]))
        rough = [size for size in digits if round(size, digits[size]) != size and digits[size] < DIGITS]
        if not rough or is_alike(changed):
            return changed
        digits[max(rough, key=lambda size: abs(round(size, digits[size]) - size) / size)] += 1


def _digits_of(value: float) -> int:
    return next((n for n in range(DIGITS) if round(value, n) == value), DIGITS)


def _rounded_at(program: Program, size: float, decimals: int) -> Program:
    return map_numbers(program, lambda value: round(value, decimals) if abs(value) == size else value)


def _sizes(program: Program) -> set[float]:
    """The magnitudes of a program's numbers."""
    return set(map(abs, _numbers(program)))


def _numbers(program: Program) -> list[float]:
    """The numbers in the order in which they are mapped."""
    numbers: list[float] = []

    def note(value: float) -> float:
        numbers.append(value)
        return value

    map_numbers(program, note)
    return numbers
