"""A rule of the language that a model breaks now and then: no edge ends where it begins.

Nearly all greedy samples of the embedded base that were no valid programs had such an edge. The number that would close
it is the second coordinate of a point whose first is that of the point before, so it is known before it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

COMMA, NEXT_POINT, SEGMENT, ARC = ",", "),(", ")).segment((", ")).arc(("
POINT = 4  # tokens from one point to the next: x , y and what stands between


@dataclass(frozen=True)
class EdgeMask:
    """Which token must not come next, by those before it. Pushed places are not repeated either.

    Needs a tokenizer with one token for an integer and one for what stands between two points, as `build_tokenizer`
    makes it. Halves are two tokens and are let through; a half after a forbidden integer is forbidden with it.

    Args:
        comma, arc: their ids. between: ids of what stands between a point and the next.
        arc_starts: ids of what stands before the first point of a loop that begins with an arc.
    """

    comma: int
    arc: int
    between: frozenset[int]
    arc_starts: frozenset[int]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> EdgeMask | None:
        """The mask in a tokenizer's ids; None for one that spells numbers or edges in pieces, as Qwen's does."""
        ids = tokenizer.get_vocab()
        if not all(piece in ids for piece in (COMMA, NEXT_POINT, SEGMENT, ARC, "-100", "100")):
            return None
        between = frozenset(ids[piece] for piece in (NEXT_POINT, SEGMENT, ARC))
        starts = frozenset(index for piece, index in ids.items() if piece.endswith(".arc((") and piece != ARC)
        return cls(ids[COMMA], ids[ARC], between, starts)

    def forbidden(self, row: Sequence[int]) -> list[int]:
        """Ids that would end an edge where it begins, or repeat a point, if they came after these."""
        if len(row) < POINT + 2 or row[-1] != self.comma or row[-3] not in self.between or row[-5] != self.comma:
            return []
        same = [row[-4]] if row[-6] == row[-2] else []  # as the point before
        if len(row) < 2 * POINT + 3 or row[-9] != self.comma or row[-10] != row[-2]:
            return same
        # ...start)).arc((middle),(x,  and, where a loop begins with an arc,  .arc((start),(middle),(x,
        if row[-7] == self.arc or (row[-7] in self.between and row[-11] in self.arc_starts):
            same.append(row[-8])
        return same
