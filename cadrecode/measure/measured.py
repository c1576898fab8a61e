"""What measuring hands over."""

from __future__ import annotations

from dataclasses import dataclass

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
