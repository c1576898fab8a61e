"""Masks of tokens that must not come next: for edges of no length, or for the whole grammar of the language.

Nearly all invalid greedy samples of the embedded base had an edge that ends where it begins. The number that would
do so is the second coordinate of a point that has the first coordinate of the point before, so it is known before it is
written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from cadrecode.errors import ModelError
from cadrecode.model.tokens import integer_tokens
from cadrecode.program.grammar import Place, grammar

COMMA, DOT, NEXT_POINT, SEGMENT, ARC = ",", ".", "),(", ")).segment((", ")).arc(("
POINT = 4  # tokens from a point to the next: x , y and what is between the points


@dataclass(frozen=True)
class EdgeMask:
    """Forbids the tokens that would end an edge where it begins, or push a place twice.

    Needs a tokenizer with a token for each integer and for the text between two points, as `build_tokenizer` makes it.
    Numbers with decimals are several tokens and are not masked; decimals of a forbidden integer are forbidden with it.

    Args:
        comma, arc: their ids.
        before_decimals: ids of integers, and of the decimal point.
        between: ids of the texts between a point and the next.
        arc_starts: ids of the texts before the first point of a loop that begins with an arc.
    """

    comma: int
    arc: int
    before_decimals: frozenset[int]
    between: frozenset[int]
    arc_starts: frozenset[int]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> EdgeMask | None:
        """The mask for a tokenizer; None if it spells numbers or edges in pieces, as Qwen's does."""
        ids, integers = tokenizer.get_vocab(), integer_tokens(tokenizer)
        if not integers or not all(piece in ids for piece in (COMMA, DOT, NEXT_POINT, SEGMENT, ARC)):
            return None
        between = frozenset(ids[piece] for piece in (NEXT_POINT, SEGMENT, ARC))
        starts = frozenset(index for piece, index in ids.items() if piece.endswith(".arc((") and piece != ARC)
        return cls(ids[COMMA], ids[ARC], frozenset({*integers, ids[DOT]}), between, starts)

    def forbidden(self, row: Sequence[int]) -> list[int]:
        """Ids that would end an edge where it begins, or repeat a point, if they came after these."""
        if len(row) < POINT + 2 or row[-1] != self.comma or row[-3] not in self.between or row[-5] != self.comma:
            return []
        same = [row[-4]] if row[-6] == row[-2] and self._is_whole(row, -6) else []  # as in the point before
        if len(row) < 2 * POINT + 3 or row[-9] != self.comma or row[-10] != row[-2] or not self._is_whole(row, -10):
            return same
        # ...start)).arc((middle),(x,  and, where a loop begins with an arc,  .arc((start),(middle),(x,
        if row[-7] == self.arc or (row[-7] in self.between and row[-11] in self.arc_starts):
            same.append(row[-8])
        return same

    def _is_whole(self, row: Sequence[int], place: int) -> bool:
        """Whether the integer there is not the decimals of another."""
        return len(row) < 1 - place or row[place - 1] not in self.before_decimals


AFTER_NUMBER = ",)/"
DECIMALS = range(-5, 6)  # what an integer after an integer may be: see `model.tokens`


class Number(Enum):
    """The state of a number that may go on, by the tokens so far, for a tokenizer of `build_tokenizer`."""

    NONE = 0
    WHOLE = 1  # after an integer: one that follows is its decimal
    APART = 2  # after the mark that keeps pieces apart: 360 is 36, mark, 0
    PIECE = 3  # after a further piece: no integer follows but by another mark


REMEMBERED = 1_000  # states whose tokens are remembered: programs have few places
MaskState = tuple[Place, Number]  # the place in the grammar, and in a number


class GrammarMask:
    """The tokens that may come next by `program.grammar`, for any tokenizer.

    The tokens that continue a place in the grammar are found by a walk through the vocabulary, letter by letter, and
    remembered. For a tokenizer of `build_tokenizer`, an integer after an integer is a decimal, and integers above 200
    are written in pieces; see `model.tokens`.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self._grammar = grammar()
        self._end: int = tokenizer.eos_token_id
        self._mark: int = tokenizer.unk_token_id
        self._texts = tokenizer.batch_decode([[index] for index in range(len(tokenizer))])
        self._integers = integer_tokens(tokenizer)
        self._decimals = [index for index, value in self._integers.items() if value in DECIMALS]
        self._positive = [index for index in self._decimals if self._integers[index] > 0]
        self._letters: dict[str | None, Any] = {}  # a tree of letters; under None the ids of the text spelled so far
        special = set(tokenizer.all_special_ids)  # a property that is computed at each access
        for index, text in enumerate(self._texts):
            if index in special or not text:
                continue
            place = self._letters
            for letter in text:
                place = place.setdefault(letter, {})
            place.setdefault(None, []).append(index)
        self.allowed = lru_cache(REMEMBERED)(self._allowed)

    @property
    def start(self) -> MaskState:
        """The state before the first token."""
        return self._grammar.start, Number.NONE

    def read(self, state: MaskState, token: int) -> MaskState:
        """The state after a further token, which is not END."""
        place, number = state
        if number is Number.WHOLE and token in self._integers:
            return self._after_decimal(place), number
        if number is not Number.NONE and token == self._mark:
            return place, Number.APART
        place = self._grammar.read(place, self._texts[token])
        if token not in self._integers or not self._is_before_point(place):
            return place, Number.NONE
        return place, Number.PIECE if number is Number.APART else Number.WHOLE

    def restrict(self, logits: torch.Tensor, states: Sequence[MaskState]) -> torch.Tensor:
        """(rows, V) logits and the rows' states -> (rows, V), with forbidden tokens at minus infinity.

        Raises: ModelError: no token can continue a row, because the vocabulary lacks letters.
        """
        restricted = torch.full_like(logits, -torch.inf)
        for place, state in enumerate(states):
            allowed = self.allowed(state).to(logits.device)
            restricted[place, allowed] = logits[place, allowed]
        return restricted

    def _allowed(self, state: MaskState) -> torch.Tensor:
        """(n,) int64 ids of the allowed tokens. Raises: ModelError: there is none."""
        place, number = state
        ids = [self._end] if self._grammar.is_whole(place) and number is not Number.APART else []
        if number is Number.WHOLE and not self._grammar.is_dead(self._after_decimal(place)):
            cannot_end = all(self._grammar.is_dead(self._grammar.read(place, end)) for end in AFTER_NUMBER)
            ids += self._positive if cannot_end else self._decimals  # a length of 0 cannot end
        if number in (Number.WHOLE, Number.PIECE) and self._is_before_point(place):
            ids += [] if self._grammar.is_dead(self._grammar.read(place, "1")) else [self._mark]
        ids += (index for index in self._continuing(place) if self._may_follow(number, index))
        if not ids:
            raise ModelError(
                "The tokenizer has no token that continues a program of the language, so its grammar cannot be "
                "followed. Leave --grammar out for this model."
            )
        return torch.tensor(ids, dtype=torch.long)

    def _continuing(self, place: Place) -> Iterator[int]:
        """The tokens whose text continues a place in the grammar."""
        waiting = [(self._letters, place)]
        while waiting:
            letters, here = waiting.pop()
            yield from letters.get(None, ())
            for letter, further in letters.items():
                if letter is not None and not self._grammar.is_dead(after := self._grammar.read(here, letter)):
                    waiting.append((further, after))

    def _may_follow(self, number: Number, token: int) -> bool:
        """Whether a token may come next in a number, as far as only its being an integer matters."""
        if number is Number.APART:
            return token in self._integers and self._texts[token].isdigit()
        return number is Number.NONE or token not in self._integers

    def _is_before_point(self, place: Place) -> bool:
        """Whether decimals may follow, and none have."""
        return not self._grammar.is_dead(self._grammar.read(place, ".1"))

    def _after_decimal(self, place: Place) -> Place:
        """The place after a further decimal of the last number; dead if there can be none."""
        first, further = self._grammar.read(place, ".1"), self._grammar.read(place, "1")
        return further if self._grammar.is_dead(first) else first


@lru_cache(maxsize=2)  # making it takes seconds for a large vocabulary
def grammar_mask(tokenizer: PreTrainedTokenizerBase) -> GrammarMask:
    """The mask of a tokenizer, made once."""
    return GrammarMask(tokenizer)
