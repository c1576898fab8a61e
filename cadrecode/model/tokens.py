"""Words for programs: the prompt's marks, and the small number-aware tokenizer of the embedded base.

In the embedded base every integer from -300 to 300 is one token, and what stands between two numbers is usually one
token too, so that a program is about as long as it has numbers, twice. Anything else is spelled out by character, so
no text is lost.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

START, END, PAD = "<|im_start|>", "<|endoftext|>", "<|im_end|>"  # CAD-Recode's marks, all three in Qwen's vocabulary
UNKNOWN = "<|unknown|>"  # a character outside of printable ASCII; the language has none
LARGEST_INTEGER = 300  # one token up to here; programs in the CODE frame seldom leave -200..200
LONGEST_FRAGMENT = 1000  # characters between two numbers that are looked at as one piece
# A number is neither part of a name (w0), nor decimals (.5), nor the 2 of "15/2".
NUMBER = r"(?<![\w./])-?\d+"
DECIMAL = re.compile(r"(?<![\w.])-?\d+\.\d+(?![\w.])")
NEAREST = re.compile(r"(?<![\w.])(-?\d+)([+-])(\.\d+)(?![\w.])")
# Spellings of the language that the invented programs lack, so that real ones stay short too.
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
        least_count: how often a fragment must occur to be one.
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
    # WordPiece without a prefix takes the longest known piece each time; letters are the last resort
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
    """START, the program, END. Qwen's tokenizers add no end by themselves, so a model would never learn to stop."""
    start, end = tokenizer.convert_tokens_to_ids([START, END])
    spelled = DECIMAL.sub(_from_the_nearest, text) if _is_number_aware(tokenizer) else text
    return [start, *tokenizer(spelled, add_special_tokens=False)["input_ids"], end]


def decode_program(tokenizer: PreTrainedTokenizerBase, ids: Iterable[int]) -> str:
    """The text of the ids without the marks."""
    text = tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return NEAREST.sub(_in_decimals, text) if _is_number_aware(tokenizer) else text


def _is_number_aware(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether it is one of `build_tokenizer`: to others a negative number is several tokens."""
    return tokenizer.convert_tokens_to_ids(str(-LARGEST_INTEGER)) not in (None, tokenizer.unk_token_id)


def _from_the_nearest(found: re.Match) -> str:
    """30.8 -> 31-.2"""
    value = Decimal(found[0])
    if not value:
        return found[0]
    nearest = value.to_integral_value(ROUND_HALF_EVEN)
    missing = value - nearest
    return f"{int(nearest)}{'-' if missing < 0 else '+'}{f'{abs(missing):f}'.removeprefix('0')}"


def _in_decimals(found: re.Match) -> str:
    """31-.2 -> 30.8"""
    return f"{Decimal(found[1]) + Decimal(found[2] + found[3]):f}"
