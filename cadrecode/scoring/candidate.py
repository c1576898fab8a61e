"""A program for a cloud and the solid that it makes, with a name for every way in which that can fail."""

from __future__ import annotations

import ast
import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.cloud import read_mesh
from cadrecode.errors import Message, PointCloudError, ProgramError, at_line, foreign
from cadrecode.kernel.sandbox import Outcome
from cadrecode.program import Program, build, from_mesh, mesh_of, parse, write
from cadrecode.program.edit import parameters
from cadrecode.program.solid import shells, through_holes
from cadrecode.snapping import Snap

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox
    from cadrecode.program.solid import Manifold

OUTSIDE = "outside of the language"  # plain Python that `parse` does not read, and no sandbox was given to run it in
MODEL = "model"  # the source of programs that the language model wrote
SOURCES = {  # in words
    MODEL: Message("written by the model"),
    "sections": Message("measured sections"),
    "revolved": Message("revolved"),
    "symmetric sections": Message("symmetric sections"),
    "symmetric revolved": Message("symmetric, revolved"),
    "person": Message("written by a person"),
}
ODD_SHELLS_FACTOR = 1.5  # a part is one body without closed cavities: anything else must be clearly nearer to win


@dataclass(frozen=True)
class Candidate:
    """A program for a cloud. `solid` is there exactly when `outcome` is ok.

    Args:
        text: The program, in the frame of the cloud that it is measured against (mostly CODE).
        outcome: An `Outcome`, or OUTSIDE.
        detail: What went wrong, in words; empty when nothing did.
        program: The tree; None for text outside of the language.
        solid: The closed mesh.
        index: Its place in the pool; of the model's candidates, 0 is the greedy one.
        source: Where it comes from: MODEL, or the name of the way in which it was measured.
        distance: `CloudRuler.distance`, in the cloud's unit; None for a failure and before `rank`.
        unexplained: How many places of the cloud it does not explain, large ones as several; 0 before `rank`.
        area_cost: What its area costs beside noisy points, in the cloud's unit; 0 before `rank`.
        likeness: IoU with the input; None where the input is not a closed solid.
        as_written: What it was before `improve` changed the program; None where it did not.
        snapped: The numbers that were made simple, in the file's units and its own axes.
    """

    text: str
    outcome: str
    detail: str = ""
    program: Program | None = None
    solid: Manifold | None = field(default=None, repr=False, compare=False)
    index: int = 0
    source: str = MODEL
    distance: float | None = None
    unexplained: int = 0
    area_cost: float = 0.0
    likeness: float | None = None
    as_written: Candidate | None = field(default=None, repr=False)
    snapped: tuple[Snap, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        return self.solid is not None

    @cached_property
    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (n, 3) float64 and faces (m, 3) int64 of the solid."""
        return mesh_of(self.solid)

    @cached_property
    def number_count(self) -> int:
        """The number of numbers in the program; 0 for text outside of the language."""
        return 0 if self.program is None else len(parameters(self.program))

    @cached_property
    def shells(self) -> tuple[int, int]:
        """The number of separate bodies of the solid, and of closed cavities in them."""
        return shells(self.solid)

    def is_like(self, other: Candidate) -> bool:
        """Whether it is a solid with as many bodies, cavities and through holes as another."""
        if not (self.ok and other.ok) or self.shells != other.shells:
            return False
        return through_holes(self.solid) == through_holes(other.solid)

    @property
    def key(self) -> tuple:
        """Sorts best first: solids by distance (more than one shell makes it longer), then the failures."""
        if self.distance is None:
            return (1, 0.0, self.index)
        odd = self.shells != (1, 0)
        return (0, self.distance * (ODD_SHELLS_FACTOR if odd else 1.0), self.index)


def source_words(source: str) -> str:
    """The source of a program, in words."""
    return SOURCES.get(source, source)


def build_program(program: Program, *, source: str = MODEL) -> Candidate:
    """A candidate from a tree, built with Manifold. Never raises: the outcome says what became of it."""
    text = write(program)
    try:
        return Candidate(text, Outcome.OK, "", program, build(program), source=source)
    except ProgramError as error:  # a sketch without area, or nothing left at the end
        return Candidate(text, Outcome.EMPTY, str(error), program, source=source)


def build_text(text: str, sandbox: Sandbox | None = None) -> Candidate:
    """A candidate from text. Only text outside of the language is executed, in the sandbox.

    Args:
        text: The program, its numbers in any frame.
        sandbox: Runs text that is good Python and outside of the language. None: such text ends as OUTSIDE.
    Returns: Never raises for a bad text: the outcome says what became of it.
    """
    if not text.strip():
        return Candidate(text, Outcome.NO_SHAPE, Message("the program is empty"))
    try:
        program = parse(text)
    except ProgramError as error:
        problem = _python_problem(text)
        if problem:
            return Candidate(text, Outcome.SYNTAX, problem)
        return Candidate(text, OUTSIDE, str(error)) if sandbox is None else _build_in_sandbox(text, sandbox)
    return replace(build_program(program), text=text)


def _python_problem(text: str) -> str:
    """The syntax error of a text that is not Python; else empty."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        return at_line(foreign(error.msg), error.lineno, error.offset)
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; nesting deeper than the parser's stack
        return Message("Python cannot read it: {error}", error=error or type(error).__name__)
    return ""


def _build_in_sandbox(text: str, sandbox: Sandbox) -> Candidate:
    with tempfile.TemporaryDirectory(prefix="cadrecode-") as folder:
        execution = sandbox.run(text, Path(folder), ("stl",))
        if not execution.ok:
            return Candidate(text, execution.outcome, execution.detail)
        try:
            return Candidate(text, Outcome.OK, "", None, from_mesh(*read_mesh(execution.files["stl"])))
        except (PointCloudError, ProgramError) as error:
            return Candidate(
                text, Outcome.INVALID, Message("its tessellation is not a closed solid: {error}", error=error)
            )
