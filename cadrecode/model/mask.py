"""What a model may not write next, whatever it finds likely: edges that end where they begin.

All but one of the invalid greedy samples of the embedded base on 502 shapes were such an edge: no line leads from a
place to itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from cadrecode.model.tokens import LARGEST_INTEGER

BETWEEN_PLACES = "),(", ")).segment((", ")).arc(("  # what stands between two places that must differ
ARC_END = "),("  # before an arc's last place, which must also differ from the one before its middle
PLACE = 4  # tokens from one place to the next: x , y and what stands between


class EdgeMask:
    """Reads the last tokens of a program, and names those that would end an edge where it began.

    For the number-aware tokenizer (`tokens.build_tokenizer`), where every coordinate is one token. Also two equal
    places in a row of a pattern are forbidden: they would make one hole.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self._comma, self._arc_end = tokenizer.convert_tokens_to_ids([",", ARC_END])
        self._between = set(tokenizer.convert_tokens_to_ids(list(BETWEEN_PLACES)))

    @staticmethod
    def of(tokenizer: PreTrainedTokenizerBase) -> EdgeMask | None:
        """None for other tokenizers, which spell numbers in pieces."""
        needed = [*BETWEEN_PLACES, ",", str(-LARGEST_INTEGER), str(LARGEST_INTEGER)]
        unknown = (None, tokenizer.unk_token_id)
        return None if any(id in unknown for id in tokenizer.convert_tokens_to_ids(needed)) else EdgeMask(tokenizer)

    def forbidden(self, written: Sequence[int]) -> list[int]:
        """The tokens that must not follow: those y with which x , y is a place that the edge comes from."""
        if len(written) < PLACE + 2 or written[-1] != self._comma or written[-3] not in self._between:
            return []
        found = [written[-4]] if written[-2] == written[-6] and written[-5] == self._comma else []
        is_third = len(written) >= 2 * PLACE + 2 and written[-3] == self._arc_end and written[-7] in self._between
        if is_third and written[-2] == written[-10] and written[-9] == self._comma:
            found.append(written[-8])
        return found
