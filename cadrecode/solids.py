"""Solids of what a person holds, and how much two of them agree: `cadrecode.build` and `cadrecode.iou`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadrecode import program as language
from cadrecode.program import Program, parse
from cadrecode.program.solid import Manifold

if TYPE_CHECKING:
    from cadrecode.part import Part  # half of the package: a program alone is built without it


def build(program: str | Program | Part) -> Manifold:
    """The closed mesh of a program, without CadQuery.

    Args:
        program: Its text, its tree (`cadrecode.parse`), or a part.
    Returns: A Manifold, in the unit and the place of the program's numbers.
    Raises: ProgramError: text outside of the language, or a program that makes no solid.
    """
    text = program if isinstance(program, str | Program) else program.program
    return language.build(parse(text) if isinstance(text, str) else text)


def iou(a: str | Program | Part | Manifold, b: str | Program | Part | Manifold) -> float:
    """Volume of the intersection of two solids over that of their union, by exact booleans; in [0, 1].

    Raises: ProgramError: one of the two is a program that makes no solid.
    """
    return language.iou(*(solid if isinstance(solid, Manifold) else build(solid) for solid in (a, b)))
