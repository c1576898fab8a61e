"""Tokens of programs: the marks of the prompt, and the small number-aware tokenizer of the embedded base.

For the embedded base every integer from -300 to 300 is a token, and the text between two numbers is usually a token,
too: a program has about twice as many tokens as numbers. Anything else is spelled letter by letter, so no text is lost.

A number with decimals is the nearest integer and then the missing digits: 30.8 is 31 and -2 tenths. Its first token is
the token that a model of whole numbers writes, and near 30.5 either neighbour is right; with 30 and 8, a carry as from
30.9 to 31.1 would change two tokens that must agree. All of these tokens occur in the base's training. It cannot
distinguish tokens that never occurred there, as a sign or a decimal point alone: 332 of them have embeddings with a
cosine of 0.967 or more.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from itertools import groupby

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

START, END, PAD = "<|im_start|>", "<|endoftext|>", "<|im_end|>"  # CAD-Recode's marks, all three in Qwen's vocabulary
UNKNOWN = "<|unknown|>"  # a character outside of printable ASCII, which the language does not have
LARGEST_INTEGER = 300  # a token each up to here; programs in the CODE frame seldom leave -200..200
LONGEST_FRAGMENT = 1000  # characters between two numbers that can be a token
# A number is neither part of a name (w0), nor decimals (.5), nor the 2 of "15/2".
NUMBER = r"(?<![\w./])-?\d+"
DECIMAL = re.compile(r"(?<![\w.])-?\d+\.\d+(?![\w.])")
AFTER_POINT = re.compile(r"\.\d*$")  # digits after a decimal point that is a token
# Spellings of the language that the invented programs lack, so that real programs stay short, too.
OTHER_FRAGMENTS = (
    ".5",
    "),",
    "),(",
    ",both=True)",
    ".cut(",
    ".intersect(",
    ".union(",
    ").finalize().extrude(",
    "=cq.Workplane('XY',origin=(",
    "=cq.Workplane('YZ',origin=(",
    "=cq.Workplane('ZX',origin=(",
    "cq.Workplane(cq.Plane((",
    ".sketch()",
    ".segment((",
    ")).segment((",
    ")).arc((",
    ".arc((",
    ")).close().assemble()",
    ".assemble()",
    ".reset()",
    ".push([(",
    ")]).circle(",
    ")]).rect(",
    ".circle(",
    ".rect(",
    ",mode='s')",
    ",mode='i')",
    ".face(",
    "w0",
    "w1",
    "w2",
    "w3",
    "w4",
    "w5",
    "w6",
    "w7",
    ".workplane(offset=",
    "/2)",
    ".moveTo(",
    ".box(",
    ".cylinder(",
    "\nr=",
)


def build_tokenizer(programs: Iterable[str], least_count: int = 3) -> PreTrainedTokenizerFast:
    """The number-aware tokenizer.

    Args:
        programs: texts whose fragments between numbers become tokens.
        least_count: a fragment must occur this often.
    """
    numbers = [str(value) for value in range(-LARGEST_INTEGER, LARGEST_INTEGER + 1)]
    counts: Counter[str] = Counter()
    splitter = _splitter()
    for program in programs:
        counts.update(piece for piece, _ in splitter.pre_tokenize_str(program))
    fragments = {piece for piece, count in counts.items() if count >= least_count} | set(OTHER_FRAGMENTS)
    letters = [*string.printable[:95], "\n"]
    words = [PAD, START, END, UNKNOWN, *numbers, *sorted(fragments | set(letters))]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(words))}
    # WordPiece without a prefix takes the longest known piece each time, and letters last.
    tokenizer = Tokenizer(
        models.WordPiece(
            vocabulary, unk_token=UNKNOWN, continuing_subword_prefix="", max_input_chars_per_word=LONGEST_FRAGMENT
        )
    )
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def _splitter() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(NUMBER), behavior="isolated")


def encode_program(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """START, the program, END. Qwen's tokenizers add no END, without which a model would never learn to stop."""
    start, end = tokenizer.convert_tokens_to_ids([START, END])
    if integers := integer_tokens(tokenizer):
        return [start, *_spelled(tokenizer, text, integers), end]
    return [start, *_plain(tokenizer, text), end]


def decode_program(tokenizer: PreTrainedTokenizerBase, ids: Iterable[int]) -> str:
    """The text of the ids without the marks."""
    integers = integer_tokens(tokenizer)
    if not integers:
        return _text(tokenizer, ids)
    text = ""
    waiting: list[int] = []
    for is_integer, run in groupby(ids, key=integers.__contains__):
        tokens = list(run)
        if is_integer and len(tokens) > 1:
            before = _text(tokenizer, waiting)
            if not AFTER_POINT.search(before):
                text += before + _number([integers[index] for index in tokens])
                waiting = []
                continue
        waiting += tokens
    return text + _text(tokenizer, waiting)


@lru_cache(maxsize=4)
def integer_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[int, int]:
    """{id: integer} for a tokenizer of `build_tokenizer`; empty for others, which spell -100 in pieces."""
    ids = tokenizer.convert_tokens_to_ids([str(value) for value in range(-LARGEST_INTEGER, LARGEST_INTEGER + 1)])
    if None in ids or tokenizer.unk_token_id in ids:
        return {}
    return dict(zip(ids, range(-LARGEST_INTEGER, LARGEST_INTEGER + 1)))


def _plain(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _text(tokenizer: PreTrainedTokenizerBase, ids: Iterable[int]) -> str:
    return tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _spelled(tokenizer: PreTrainedTokenizerBase, text: str, integers: dict[int, int]) -> list[int]:
    """The ids of a program. Adjacent integers are always a number with decimals; pieces of others are kept apart."""
    ids: list[int] = []

    def add(plain: str) -> None:
        for index in _plain(tokenizer, plain):
            if index in integers and ids and ids[-1] in integers:
                ids.append(tokenizer.unk_token_id)  # decoding leaves it out
            ids.append(index)

    place = 0
    for match in DECIMAL.finditer(text):
        digits = _from_the_nearest(Decimal(match[0]))
        if abs(digits[0]) <= LARGEST_INTEGER and _number(digits) == match[0]:
            add(text[place : match.start()])
            ids += tokenizer.convert_tokens_to_ids([str(digit) for digit in digits])
            place = match.end()
    add(text[place:])
    return ids


def _from_the_nearest(value: Decimal) -> list[int]:
    """30.8 -> 31, -2; 30.75 -> 31, -2, -5"""
    digits = []
    for _ in range(1 - value.as_tuple().exponent):
        digits.append(int(value.to_integral_value(ROUND_HALF_EVEN)))
        value = (value - digits[-1]) * 10
    return digits


def _number(digits: list[int]) -> str:
    """31, -2 -> 30.8"""
    return f"{sum((Decimal(digit).scaleb(-place) for place, digit in enumerate(digits)), Decimal()):f}"
