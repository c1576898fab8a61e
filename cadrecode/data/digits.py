"""Programs with numbers as round as their part allows: a model writes and learns whole numbers best."""

from __future__ import annotations

from cadrecode.program import Program, build, iou
from cadrecode.program.edit import number_at, parameters, replaced, rounded
from cadrecode.program.solid import through_holes

DIGITS, LEAST_LIKENESS = 4, 0.985  # after the decimal point, at most; and IoU with the program that has all of them


def with_few_digits(program: Program) -> Program:
    """The program with each number as round as the part allows.

    The thickness of a thin wall keeps a digit that the length of a block does not need.
    """
    exact = build(program)
    holes = through_holes(exact)

    def likeness(changed: Program) -> float:
        solid = build(changed)
        return iou(solid, exact) if through_holes(solid) == holes else 0.0

    for decimals in range(DIGITS):
        changed = rounded(program, decimals)
        if likeness(changed) >= LEAST_LIKENESS:
            program = changed
            break
    lengths = [number for number in parameters(program) if not number.is_angle]
    sizes = dict.fromkeys(path for number in lengths for path, _ in number.moves if "plane" not in path)
    for path in sizes:  # planes stay: features share them
        value = number_at(program, path)
        if value != round(value):
            changed = replaced(program, path, float(round(value)))
            if likeness(changed) >= LEAST_LIKENESS:
                program = changed
    return program
