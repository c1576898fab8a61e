"""The origins of a program's planes at simple places of the file, where that makes the program shorter.

A plane's origin is the middle of the part that was measured, which means nothing to a person: from 0 of the file, the
places of a sketch are those of the part.
"""

from __future__ import annotations

from collections.abc import Sequence

from cadrecode.program import Program, write
from cadrecode.program.edit import rounded
from cadrecode.snapping.levels import moved


def simple_origins(program: Program, decimals: int) -> list[float]:
    """The places of all origins along the directions of their planes, in the order of the program: 0 where that makes
    its text shorter, else the next whole number where that does, else where they are.

    Args:
        program: In the units of the person's file.
        decimals: Of its numbers, as they are written.
    """
    origins = _origins_of(program)
    best = [place for _, place in origins]
    shortest = len(write(rounded(program, decimals)))
    for axis, place in dict.fromkeys(origins):
        for simple in dict.fromkeys((0.0, float(round(place)))):
            tried = [simple if origin == (axis, place) else other for origin, other in zip(origins, best)]
            length = len(write(rounded(with_origins(program, tried), decimals)))
            if length < shortest:
                best, shortest = tried, length
                break
    return best


def with_origins(program: Program, places: Sequence[float]) -> Program:
    """The same part, with the origins of its planes at other places; see `simple_origins`."""
    following = iter(places)
    return moved(program, lambda axis, place: place, origin=lambda axis, place: next(following))


def _origins_of(program: Program) -> list[tuple[int, float]]:
    """(axis, place) of all origins along the directions of their planes."""
    origins: list[tuple[int, float]] = []

    def note(axis: int, place: float) -> float:
        origins.append((axis, place))
        return place

    moved(program, lambda axis, place: place, origin=note)
    return origins
