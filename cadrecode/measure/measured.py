"""A program as measuring returns it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cadrecode.errors import ProgramError
from cadrecode.measure.features import Feature, Rim, Turned, program_of
from cadrecode.program.language import Program
from cadrecode.program.solid import build


@dataclass(frozen=True)
class Measured:
    """A program read off the input.

    Args:
        program: CODE.
        score: Higher is better: for a closed mesh the IoU less the price of the numbers and of holes that are wrong.
        source: How it was read: "sections" or "revolved".
    """

    program: Program
    score: float
    source: str

    @classmethod
    def of(cls, features: Sequence[Feature], score: float) -> Measured:
        """The features as a program; without its rims where there is no room for one of them once it is written."""
        is_turned = any(isinstance(feature, Turned) for feature in features)
        source = "revolved" if is_turned else "sections"
        program = program_of(features)
        try:
            build(program)
        except ProgramError:
            program = program_of([feature for feature in features if not isinstance(feature, Rim)])
        return cls(program, score, source)
