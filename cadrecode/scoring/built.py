"""From text to solid: what becomes of a program, with a name for every way it can fail."""

from __future__ import annotations

import ast
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.cloud import read_mesh
from cadrecode.errors import PointCloudError, ProgramError
from cadrecode.kernel.sandbox import Outcome
from cadrecode.program import Program, build, from_mesh, mesh_of, parse

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox
    from cadrecode.program.solid import Manifold

OUTSIDE = "outside of the language"  # plain Python that `parse` does not read, and no sandbox was given to run it in


@dataclass(frozen=True)
class Built:
    """What became of a text. `solid` is there exactly when `outcome` is ok.

    Args:
        text: as given.
        outcome: an `Outcome`, or OUTSIDE.
        detail: what went wrong, in words; empty when nothing did.
        program: the tree, where the text is in the language.
        solid: the closed mesh, in the frame of the text's numbers.
    """

    text: str
    outcome: str
    detail: str = ""
    program: Program | None = None
    solid: Manifold | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        return self.solid is not None

    @cached_property
    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (n, 3) float64 and faces (m, 3) int64 of the solid."""
        return mesh_of(self.solid)

    @cached_property
    def shells(self) -> tuple[int, int]:
        """How many separate bodies the solid has, and how many closed cavities inside of them."""
        volumes = [part.volume() for part in self.solid.decompose()]
        return sum(v > 0 for v in volumes), sum(v < 0 for v in volumes)


def build_text(text: str, sandbox: Sandbox | None = None) -> Built:
    """Read a program and build its solid with Manifold. Only text outside of the language is executed, in the sandbox.

    Args:
        text: the program, its numbers in any frame.
        sandbox: runs text that is good Python and outside of the language. None: such text ends as OUTSIDE.
    Returns: never raises for a bad text: the outcome says what became of it.
    """
    if not text.strip():
        return Built(text, Outcome.NO_SHAPE, "the program is empty")
    try:
        program = parse(text)
    except ProgramError as error:
        problem = _python_problem(text)
        if problem:
            return Built(text, Outcome.SYNTAX, problem)
        return Built(text, OUTSIDE, str(error)) if sandbox is None else _build_in_sandbox(text, sandbox)
    try:
        return Built(text, Outcome.OK, "", program, build(program))
    except ProgramError as error:  # a sketch without area, or nothing left at the end
        return Built(text, Outcome.EMPTY, str(error), program)


def _python_problem(text: str) -> str:
    """Why a text is not even Python; empty when it is."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        return f"line {error.lineno}, column {error.offset}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; nesting deeper than the parser's stack
        return f"Python cannot read it: {error or type(error).__name__}"
    return ""


def _build_in_sandbox(text: str, sandbox: Sandbox) -> Built:
    with tempfile.TemporaryDirectory(prefix="cadrecode-") as folder:
        execution = sandbox.run(text, Path(folder), ("stl",))
        if not execution.ok:
            return Built(text, execution.outcome, execution.detail)
        try:
            return Built(text, Outcome.OK, "", None, from_mesh(*read_mesh(execution.files["stl"])))
        except (PointCloudError, ProgramError) as error:
            return Built(text, Outcome.INVALID, f"its tessellation is not a closed solid: {error}")
