"""The Chinese of the page's words and of what the rooms below say: a gettext catalogue, keyed on the English."""

from __future__ import annotations

import gettext
import re
from functools import cache
from pathlib import Path

from cadrecode.errors import Message

MO_FILE = Path(__file__).parent / "locale" / "zh" / "LC_MESSAGES" / "cadrecode.mo"
OWN_WORDS = ("outcome.", "state.")  # words of the page that messages hold, too: the end of a program, a run's state
DIMENSION = "dim."  # so are the words that numbers of a program are named with


def of_page(key: str, english: str) -> str:
    """A word of the page."""
    return _catalogue().pgettext(key, english)


def in_chinese(message: str) -> str:
    """A message with the messages inside of it. What the catalogue does not know stays in English."""
    if not isinstance(message, Message):
        return _look_up(message)
    template = _look_up(message.template)
    if not message.values:
        return template
    values = {gap: in_chinese(value) if isinstance(value, Message) else value for gap, value in message.values.items()}
    return re.sub(r"(?<=[。？]) ", "", template.format(**values))


def _look_up(english: str) -> str:
    if not english:  # gettext keeps the head of the catalogue under the empty text
        return ""
    chinese = _catalogue().gettext(english)
    for context in OWN_WORDS:
        if chinese == english:
            chinese = _catalogue().pgettext(context + english, english)
    return of_dimension(english) if chinese == english else chinese


def of_dimension(name: str) -> str:
    """A named number of a program, word by word: "hole 2 diameter"; anything else stays as it is. Chinese words stand
    without spaces.
    """
    chinese = []
    for word in name.split(" "):
        chinese.append(_catalogue().pgettext(DIMENSION + word, word))
        if chinese[-1] == word and not (word.isdigit() or word in "xyz"):
            return name
    return re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", " ".join(chinese))


@cache
def _catalogue() -> gettext.GNUTranslations:
    with MO_FILE.open("rb") as file:
        return gettext.GNUTranslations(file)
