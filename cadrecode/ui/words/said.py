"""What the rooms below say, in the language of the page. They speak English, to commands and pages alike.

The tables (`text_said_*.py`) hold sentences with gaps: "{name} holds no points." A message is taken apart into its
sentences, and each is looked up; what stands in a gap may be a message itself. What is in no table stays in English.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from cadrecode.ui.words.said_models import SAID_OF_MODELS, SAID_OF_OTHERS
from cadrecode.ui.words.said_parts import SAID_OF_PARTS
from cadrecode.ui.words.text import WORDS

BETWEEN_SENTENCES = re.compile(r"(?<=[.?!]) (?=[^a-z])")
GAP = re.compile(r"\{(\w+)\}")
OWN_WORDS = ("outcome.", "state.")  # words of the page that messages hold, too: what a program did, what a run is doing
SAID = {
    **SAID_OF_PARTS,
    **SAID_OF_MODELS,
    **SAID_OF_OTHERS,
    **{key.split(".", 1)[1]: chinese for key, (_, chinese) in WORDS.items() if key.startswith(OWN_WORDS)},
}


def in_chinese(message: str) -> str:
    """A message of an error, a warning or a reason, as far as the tables know it."""
    return "\n".join(_line(line) for line in message.split("\n"))


def _line(line: str) -> str:
    text = line.lstrip()
    indent = line[: len(line) - len(text)].removesuffix(" ")  # Chinese needs no blank before what goes on
    sentences = BETWEEN_SENTENCES.split(text)
    found = [look_up(one) for one in sentences]
    if None in found and (whole := look_up(text)):
        return indent + whole
    said = " ".join(chinese or english for chinese, english in zip(found, sentences))
    return indent + re.sub(r"(?<=[。？]) ", "", said)


@lru_cache(maxsize=4096)
def look_up(text: str) -> str | None:
    """One sentence, or a phrase of one; "this; that" and "part.ply: this" by their pieces. None: it is not known."""
    pieces = [look_up(piece) for piece in text.split("; ")] if "; " in text else [None]
    if None not in pieces:
        return "；".join(pieces)
    lead, colon, rest = text.partition(": ")
    if colon and (" " not in lead or look_up(lead)) and (said := look_up(rest)):
        return f"{look_up(lead) or lead}：{said}"
    for pattern, english in patterns():
        if match := pattern.fullmatch(text):
            return SAID[english].format(**{gap: in_chinese(value) for gap, value in match.groupdict().items()})
    return f"{lead}：{said}" if colon and (said := look_up(rest)) else None


@cache
def patterns() -> list[tuple[re.Pattern, str]]:
    """The sentences as patterns, the ones that say most first: they are the ones that are meant."""
    by_words = sorted(SAID, key=lambda english: -len(GAP.sub("", english)))
    return [(_pattern(english), english) for english in by_words]


def _pattern(english: str) -> re.Pattern:
    first, *rest = GAP.split(english)  # text, gap, text, gap, text
    others = "".join(f"(?P<{gap}>.*?){re.escape(text)}" for gap, text in zip(rest[::2], rest[1::2]))
    return re.compile(re.escape(first) + others, re.DOTALL)
