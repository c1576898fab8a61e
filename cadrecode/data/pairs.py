"""The pairs of a program and a cloud that a training learns from, and how the programs of a source are used."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cadrecode.errors import Message

POOL_POINTS = 4096  # surface points stored for each part; each epoch draws the model's points from them anew


@dataclass(frozen=True)
class Pair:
    """A part: its program in canonical text, CODE frame, and points of its surface, (P, 3) float16, MODEL frame.

    Args:
        text: Empty for a held-out part that has no program; then there is a mesh.
        designed: The program as its designer spelled it, where `text` is as the embedded base spells it.
        mesh: The part itself, vertices (n, 3) CODE and faces (m, 3), where `text` was read off it.
    """

    name: str
    text: str
    points: np.ndarray = field(repr=False, compare=False)
    designed: str = field(default="", repr=False, compare=False)
    mesh: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Skipped:
    """A program that is not used, and why."""

    name: str
    reason: str


def first_of(skipped: Sequence[Skipped]) -> str:
    """The first three, each with its reason, for a sentence."""
    return "; ".join(f"{entry.name} ({entry.reason})" for entry in skipped[:3])


@dataclass(frozen=True)
class Programs:
    """The programs of a source: pairs that can be used, and what was skipped."""

    source: str
    pairs: list[Pair]
    skipped: list[Skipped]


@dataclass(frozen=True)
class DatasetReport:
    """The use of a source: pairs in use, programs that were left out, and the lengths in tokens.

    Args:
        too_long: The longest first.
        room_for_all: Tokens of the longest program of all.
    """

    source: str
    used: int
    skipped: list[Skipped]
    too_long: list[Skipped]
    token_lengths: list[int] = field(repr=False)
    room_for_all: int = 0

    def warning(self, n_points: int) -> Message | None:
        """The programs that are too long to be learnt, the longest first, and the setting that would keep it."""
        if not self.too_long:
            return None
        return Message(
            "{count} of {total} programs of {source} are too long and will NOT be learnt: {longest}. max_seq_length "
            "{enough} would keep them all.",
            count=len(self.too_long),
            total=len(self.too_long) + self.used,
            source=self.source,
            longest=first_of(self.too_long),
            enough=self.room_for_all + n_points,
        )

    def summary(self, examples: int = 5) -> str:
        """Some lines for the log, with so many examples of what was left out."""
        lengths = self.token_lengths
        lines = [f"{self.source}: {self.used:,} pairs"]
        if lengths:
            lines[0] += f", {min(lengths)} to {max(lengths)} tokens, median {statistics.median(lengths):g}"
        for what, entries in (("skipped", self.skipped), ("too long", self.too_long)):
            if entries:
                lines.append(f"  {len(entries):,} {what}:")
                lines += [f"    {entry.name}: {entry.reason}" for entry in entries[:examples]]
                if len(entries) > examples:
                    lines.append(f"    and {len(entries) - examples:,} more")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The summary as JSON, with the smallest, the median and the largest of the token lengths."""
        lengths = self.token_lengths
        return {
            "source": self.source,
            "used": self.used,
            "skipped": [[entry.name, entry.reason] for entry in self.skipped],
            "too_long": [[entry.name, entry.reason] for entry in self.too_long],
            "tokens": {"min": min(lengths), "median": statistics.median(lengths), "max": max(lengths)}
            if lengths
            else None,
        }
