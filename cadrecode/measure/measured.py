"""What measuring hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cadrecode.measure.features import Feature, Turned, program_of
from cadrecode.program.language import Program


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
        is_turned = any(isinstance(feature, Turned) for feature in features)
        return cls(program_of(features), score, "revolved" if is_turned else "sections")
