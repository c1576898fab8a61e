"""What a model must not write next: by one rule that it breaks now and then, or by all of the language's grammar.

Nearly all greedy samples of the embedded base that were no valid programs had an edge that ends where it begins. The
number that would close it is the second coordinate of a point whose first is that of the point before, so it is known
before it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from cadrecode.errors import ModelError
from cadrecode.model.tokens import END, integer_tokens
from cadrecode.program.grammar import State as Place
from cadrecode.program.grammar import grammar

COMMA, DOT, NEXT_POINT, SEGMENT, ARC = ",", ".", "),(", ")).segment((", ")).arc(("
POINT = 4  # tokens from one point to the next: x , y and what stands between


@dataclass(frozen=True)
class EdgeMask:
    """Which token must not come next, by those before it. Pushed places are not repeated either.

    Needs a tokenizer with one token for an integer and one for what stands between two points, as `build_tokenizer`
    makes it. Numbers with decimals are several tokens and are let through; decimals of a forbidden integer are
    forbidden with it.

    Args:
        comma, arc: their ids. before_decimals: ids of integers, and of the point.
        between: ids of what stands between a point and the next.
        arc_starts: ids of what stands before the first point of a loop that begins with an arc.
    """

    comma: int
    arc: int
    before_decimals: frozenset[int]
    between: frozenset[int]
    arc_starts: frozenset[int]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> EdgeMask | None:
        """The mask in a tokenizer's ids; None for one that spells numbers or edges in pieces, as Qwen's does."""
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
        same = [row[-4]] if row[-6] == row[-2] and self._is_whole(row, -6) else []  # as the point before
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

State = tuple[Place, bool]  # where the text is in the grammar, and whether an integer would be a decimal


class GrammarMask:
    """Which tokens may come next by `program.grammar`, in the ids of any tokenizer.

    Between a place in the grammar and the tokens that go on from it lies a walk through the vocabulary, letter by
    letter; the places of a program are few, and known from the programs before. To a tokenizer of `build_tokenizer` an
    integer after an integer is a decimal.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self._grammar = grammar()
        self._end: int = tokenizer.convert_tokens_to_ids(END)
        self._texts = tokenizer.batch_decode([[index] for index in range(len(tokenizer))])
        self._integers = integer_tokens(tokenizer)
        self._decimals = [index for index, value in self._integers.items() if value in DECIMALS]
        self._positive = [index for index in self._decimals if self._integers[index] > 0]
        self._letters: dict[str, Any] = {}  # a tree of letters; under None the ids of what is spelled so
        special = set(tokenizer.all_special_ids)  # which the tokenizer looks up anew each time
        for index, text in enumerate(self._texts):
            if index in special or not text:
                continue
            place = self._letters
            for letter in text:
                place = place.setdefault(letter, {})
            place.setdefault(None, []).append(index)
        self._allowed: dict[State, torch.Tensor] = {}

    @property
    def start(self) -> State:
        """Before the first token."""
        return self._grammar.start, False

    def read(self, state: State, token: int) -> State:
        """The state after one more token, which is not END."""
        place, after_integer = state
        if after_integer and token in self._integers:
            return self._after_decimal(place), True
        place = self._grammar.read(place, self._texts[token])
        return place, token in self._integers and not self._grammar.is_dead(self._grammar.read(place, ".1"))

    def restrict(self, logits: torch.Tensor, states: Sequence[State]) -> torch.Tensor:
        """(rows, V) logits and the rows' states -> (rows, V): tokens that must not come next at minus infinity.

        Raises: ModelError: a row has no token that goes on, since the vocabulary lacks letters.
        """
        restricted = torch.full_like(logits, -torch.inf)
        for place, state in enumerate(states):
            allowed = self.allowed(state).to(logits.device)
            restricted[place, allowed] = logits[place, allowed]
        return restricted

    def allowed(self, state: State) -> torch.Tensor:
        """(n,) int64 ids. Raises: ModelError: there is none."""
        if state not in self._allowed:
            place, after_integer = state
            found = [self._end] if self._grammar.is_whole(place) else []
            if after_integer and not self._grammar.is_dead(self._after_decimal(place)):
                cannot_end = all(self._grammar.is_dead(self._grammar.read(place, end)) for end in AFTER_NUMBER)
                found += self._positive if cannot_end else self._decimals  # as a length of 0 cannot
            waiting = [(self._letters, place)]
            while waiting:
                letters, here = waiting.pop()
                found += (one for one in letters.get(None, ()) if not (after_integer and one in self._integers))
                for letter, further in letters.items():
                    if letter is not None and not self._grammar.is_dead(after := self._grammar.read(here, letter)):
                        waiting.append((further, after))
            if not found:
                raise ModelError(
                    "The tokenizer has no token that continues a program of the language, so its grammar cannot be "
                    "followed. Leave --grammar out for this model."
                )
            self._allowed[state] = torch.tensor(found, dtype=torch.long)
        return self._allowed[state]

    def _after_decimal(self, place: Place) -> Place:
        """Behind one more decimal of the number that has been read; dead where there is none."""
        first, further = self._grammar.read(place, ".1"), self._grammar.read(place, "1")
        return further if self._grammar.is_dead(first) else first


@lru_cache(maxsize=2)  # of a large vocabulary it takes seconds
def grammar_mask(tokenizer: PreTrainedTokenizerBase) -> GrammarMask:
    """The mask of a tokenizer, made once."""
    return GrammarMask(tokenizer)
