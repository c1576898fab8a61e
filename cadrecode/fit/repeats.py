"""Other counts of what a program repeats: a model sees a row of fins, and counts a few too many or too few."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from cadrecode.fit.knobs import finishes_of, solids_of
from cadrecode.fit.objective import Objective
from cadrecode.invent.recount import with_places
from cadrecode.program import Program
from cadrecode.program.edit import replaced
from cadrecode.program.language import Extrusion, Grid, Hole, Revolution, Ring, SketchStep
from cadrecode.program.outline_sizes import Path

FEWEST = 3  # repeats that are a pattern
MISCOUNTED = 2.0  # times the ruler's floor: mean gap from which on a count may be wrong
FEWER, MORE = 0.6, 1.5  # counts that are tried, times the given one
SPANS = sorted((1 + 0.02 * step for step in range(-8, 9)), key=lambda span: abs(span - 1))  # lengths of a row, the same


def counted_again(program: Program, search: Objective) -> Program:
    """The program with the count of a pattern, and the length of its row, that come nearest to the cloud.

    The program itself where nothing repeats, or its surface lies on the points already.
    """
    here = search.evaluate(program)
    if here is None or here.measured.gap < MISCOUNTED * search.ruler.floor:
        return program
    best, least = program, here.cost - search.noise
    for other in _recounted(program):
        if search.out_of_time:
            break
        if (cost := search.cost(other)) < least:
            best, least = other, cost
    return best


def _recounted(program: Program) -> Iterator[Program]:
    """Programs in which a pattern has another count, or its row another length; the nearest counts first."""
    for path, node in _patterns(program):
        for places in _others(node.places):
            yield replaced(program, path, with_places(node, places))


def _patterns(program: Program) -> Iterator[tuple[Path, SketchStep | Hole]]:
    """The shapes and holes that stand in rows or on a ring, and their paths in the program."""
    nodes: list[tuple[Path, SketchStep | Hole]] = [
        (path, finish) for path, finish in finishes_of(program) if isinstance(finish, Hole)
    ]
    for path, solid in solids_of(program):
        if isinstance(solid, Extrusion | Revolution):
            steps = enumerate(solid.sketch.steps)
            nodes += [((*path, "sketch", "steps", n), step) for n, step in steps if isinstance(step, SketchStep)]
    return ((path, node) for path, node in nodes if isinstance(node.places, Ring | Grid))


def _others(places: Ring | Grid) -> Iterator[Ring | Grid]:
    if isinstance(places, Ring):
        yield from (replace(places, count=count) for count in _counts(places.count))
        return
    for count in _counts(places.columns):
        length = places.dx * (places.columns - 1)
        yield from (replace(places, columns=count, dx=length * span / (count - 1)) for span in SPANS)
    for count in _counts(places.rows):
        length = places.dy * (places.rows - 1)
        yield from (replace(places, rows=count, dy=length * span / (count - 1)) for span in SPANS)


def _counts(count: int) -> list[int]:
    """Counts to try; none where nothing repeats."""
    if count < FEWEST:
        return []
    counts = range(max(FEWEST, math.floor(FEWER * count)), math.ceil(MORE * count) + 1)
    return sorted(counts, key=lambda other: abs(other - count))
