"""An evaluation part by part: what each model made of it, the worst first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.errors import DatasetError
from cadrecode.report.series import ModelReport, Series, steps_of
from cadrecode.scoring import build_text
from cadrecode.scoring.targets import Shape, load_targets
from cadrecode.scoring.verdict import GOOD, SOME, Verdict

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox

GRADES = ("failed", Verdict.NONE, Verdict.DETAILS, Verdict.GOOD)  # the worst first

Mesh = tuple[np.ndarray, np.ndarray]  # (n, 3) float and (m, 3) int


@dataclass(frozen=True)
class Answer:
    """The answer of a model for a part.

    Args:
        model: The name of its report.
        verdict: The verdict without the true part; empty where there is none.
    """

    model: str
    iou: float
    program: str
    outcome: str
    verdict: str = ""

    @property
    def grade(self) -> str:
        """The grade by IoU, as in the verdict on a closed mesh."""
        if not self.iou and self.outcome != "ok":
            return "failed"
        return Verdict.NONE if self.iou < SOME else Verdict.DETAILS if self.iou < GOOD else Verdict.GOOD


@dataclass(frozen=True)
class ScoredPart:
    """A part, and what each model made of it."""

    id: str
    answers: tuple[Answer, ...]

    @property
    def grade(self) -> str:
        """The grade of the worst answer, of GRADES."""
        return min((answer.grade for answer in self.answers), key=GRADES.index)

    @property
    def worst(self) -> float:
        return min(answer.iou for answer in self.answers)


def scored_parts(reports: Sequence[ModelReport]) -> list[ScoredPart]:
    """Every part, the worst first; each answer as it is after its last step, such as the fit."""
    answers: dict[str, list[Answer]] = {}
    for name, report in reports:
        last = Series(name, report["shapes"], steps_of(report)[-1][1])
        for row in last.rows:
            values = (last.of(row, key) for key in ("iou", "program", "outcome", "verdict"))
            iou, program, outcome, verdict = values
            answers.setdefault(row["id"], []).append(Answer(name, iou, program or "", str(outcome), verdict or ""))
    return worst_first(ScoredPart(key, tuple(made)) for key, made in answers.items())


def worst_first(parts: Iterable[ScoredPart]) -> list[ScoredPart]:
    return sorted(parts, key=lambda part: (GRADES.index(part.grade), part.worst))


def targets_of(report: dict, ids: Collection[str]) -> dict[str, Mesh]:
    """The true parts of a report that are still there."""
    try:
        shapes = load_targets(report["targets"], ids=ids) if ids else ()
        return {shape.id: (shape.vertices, shape.faces) for shape in shapes if isinstance(shape, Shape)}
    except DatasetError:  # the parts were deleted since; the figures stand
        return {}


@lru_cache(maxsize=512)  # a page of the app is drawn again whenever it is opened
def mesh_of_program(program: str, sandbox: Sandbox | None) -> Mesh | None:
    """The part of a program; None where it makes none."""
    built = build_text(program, sandbox)
    return built.mesh if built.ok else None
