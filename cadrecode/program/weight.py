"""How much a program unfolds to: shared parts count each time they are used, so that a short text cannot ask for a
million solids."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from cadrecode.errors import Message
from cadrecode.program import language as cad
from cadrecode.program.arguments import error_at

HEAVIEST = 5_000  # edges, places, solids and finishes of a program; of 5,664 real ones none has more than 500
FINISH_WEIGHT = 50  # pieces: rounded edges and shells take that much longer to build than an edge
DEEPEST = 60  # bodies within bodies


def checked(program: cad.Program, node: ast.AST) -> cad.Program:
    """Raises: ProgramError: the program unfolds to too much."""
    weight, depth = _weight(program, {})
    if weight > HEAVIEST:
        raise error_at(
            node,
            "The program unfolds to {weight:,} pieces.",
            Message("at most {most:,}", most=HEAVIEST),
            weight=min(weight, 10**9),
        )
    if depth > DEEPEST:
        raise error_at(node, "Bodies are nested {depth} deep.", Message("at most {most}", most=DEEPEST), depth=depth)
    return program


def _weight(program: cad.Program, known: dict[int, Any]) -> tuple[int, int]:
    """Pieces, and how deep bodies are nested.

    Args:
        program: the tree, whose parts may be shared.
        known: weights of shared parts by their identity, because comparing deep trees takes long.
    """
    if id(program) in known:
        return known[id(program)]
    total, depth = 0, 0
    for step in program.steps:
        if isinstance(step.solid, cad.Program):
            inner, below = _weight(step.solid, known)
            total, depth = total + inner, max(depth, below + 1)
        elif isinstance(step.solid, cad.Extrusion | cad.Revolution):
            total += 1 + _sketch_weight(step.solid.sketch, known)
        else:
            total += 1
    for finish in program.finishes:
        match finish:
            case cad.Hole():
                total += cad.count_of(finish.places)
            case cad.Mirror():
                total = total * (2 if finish.union else 1) + 1
            case _:
                total += FINISH_WEIGHT
    known[id(program)] = total, depth
    return total, depth


def _sketch_weight(sketch: cad.Sketch, known: dict[int, Any]) -> int:
    if id(sketch) not in known:
        known[id(sketch)] = _weight_of_steps(sketch.steps, known)
    return known[id(sketch)]


def _weight_of_steps(steps: Iterable, known: dict[int, Any]) -> int:
    total = 0
    for step in steps:
        if isinstance(step, cad.Corners):
            total += 1
            continue
        match step.shape:
            case cad.Loop(_, edges):
                edges = len(edges)
            case cad.Face(inner):
                edges = _sketch_weight(inner, known)
            case _:
                edges = 1
        total += edges * cad.count_of(step.places)
    return total


def checked_steps(steps: tuple, node: ast.AST) -> tuple:
    """Raises: ProgramError: a sketch unfolds to too much."""
    weight = _weight_of_steps(steps, {})
    if weight > HEAVIEST:
        raise error_at(
            node,
            "The sketch unfolds to {weight:,} pieces.",
            Message("at most {most:,}", most=HEAVIEST),
            weight=min(weight, 10**9),
        )
    return steps
