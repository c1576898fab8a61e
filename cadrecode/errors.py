"""The errors a person may see. Each message says what was found, what is needed and what to do.

A message keeps the template it was made from, so that the app can show it in another language:
`PointCloudError("{name} holds no points.", name=path.name)`.
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

GAPS = "abcdefgh"  # the names of the values in sentences of others
LONGEST_VALUE = 2000  # characters of a value: a file or a program may hold a name of a million


class Message(str):
    """A sentence for a person, with the template and the values it was made from.

    Args:
        template: English, with gaps in braces; taken as it is where there are no values.
        values: What fills the gaps. A value may be a `Message` itself.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Message:
        values = {gap: _message_of(value) for gap, value in values.items()}
        message = super().__new__(cls, template.format(**values) if values else template)
        message.template, message.values = str(template), values
        return message

    def to_json(self) -> dict[str, Any]:
        """The error for a file or another process; `from_json` undoes it."""
        values = {gap: _plain(value) for gap, value in self.values.items()}
        return {"text": str(self), "template": self.template, "values": values}

    @classmethod
    def from_json(cls, saved: Any) -> str:
        """A message from what `to_json` returned. A plain text, from an older file for one, stays as it is."""
        if not isinstance(saved, dict):
            return saved if isinstance(saved, str) else str(saved)
        text, template, values = (saved.get(key) for key in ("text", "template", "values"))
        if not (isinstance(template, str) and isinstance(values, dict)):
            return str(text)
        values = {gap: value if isinstance(value, Real) else cls.from_json(value) for gap, value in values.items()}
        if values and not _only_gaps(template, values):
            return str(text)
        try:
            return cls(template, **values)
        except (ValueError, TypeError):  # a form that does not suit its value
            return str(text)


def _only_gaps(template: str, values: dict[str, Any]) -> bool:
    """Whether a template from a file is one of ours: names in braces, with forms such as `:,.1f`.

    Others could read attributes of a value ("{a.b}") or fill the memory ("{a:>1000000000}").
    """
    try:
        gaps = [(gap, form) for _, gap, form, _ in string.Formatter().parse(template) if gap is not None]
    except ValueError:
        return False
    return all(gap in values and gap.isidentifier() and re.fullmatch(r",?(\.\d)?[a-z%]?", form) for gap, form in gaps)


def joined(template: str, messages: Iterable[str]) -> str:
    """Several messages as one, by a template with the gaps {first} and {second}; empty where there are none.

    >>> joined("{first}; {second}", ["a", "b", "c"])
    'a; b; c'
    """
    first, *others = [*messages] or [""]
    return functools.reduce(lambda first, second: Message(template, first=first, second=second), others, first)


def stored(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields for JSON: beside each message, which is written as text, its template and values as `<name>_message`."""
    messages = {f"{name}_message": value.to_json() for name, value in fields.items() if isinstance(value, Message)}
    return fields | messages


def restored(fields: dict[str, Any]) -> dict[str, Any]:
    """Undo `stored`. Texts of older files, which have nothing beside them, stay as they are."""
    texts = {name: value for name, value in fields.items() if not name.endswith("_message")}
    messages = {name.removesuffix("_message"): value for name, value in fields.items() if name not in texts}
    return texts | {name: Message.from_json(value) for name, value in messages.items()}


def at_line(message: str, line: int | None, column: int | None = None) -> str:
    """The message with its place in a program before it, where there is one. Both are counted from 1."""
    if line is None:
        return message
    if column is None:
        return Message("line {line}: {message}", line=line, message=message)
    return Message("line {line}, column {column}: {message}", line=line, column=column, message=message)


def foreign(text: str) -> str:
    """A sentence of Python's or a library's. What it quotes, and its numbers, are the values of the template."""
    quoted: list[str] = []

    def gap(match: re.Match) -> str:
        quoted.append(match[0])
        return "{" + GAPS[len(quoted) - 1] + "}"

    template = re.sub(r"'[^']+'|-?\d+(\.\d+)?", gap, text, count=len(GAPS))
    if re.search(r"[{}]", re.sub(rf"\{{[{GAPS}]\}}", "", template)):
        return text
    return Message(template, **dict(zip(GAPS, quoted)))


def _message_of(value: Any) -> Any:
    """An exception is replaced by its text, for it holds on to whatever was in memory where it was raised. Long texts
    are cut.
    """
    if isinstance(value, CadrecodeError):
        return value.described
    if isinstance(value, Exception):
        value = value.args[0] if value.args and isinstance(value.args[0], Message) else str(value)
    if isinstance(value, str) and not isinstance(value, Message) and len(value) > LONGEST_VALUE:
        return value[:LONGEST_VALUE] + "…"
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_json()
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):  # NumPy's numbers, too
        return float(value)
    return value if value is None else str(value)


class CadrecodeError(Exception):
    """Anything that is worth telling the person at the keyboard, in words.

    Args:
        template, values: see `Message`. `error.message` is the message in full.
    """

    def __init__(self, template: str, /, **values: Any):
        self.message = template if isinstance(template, Message) and not values else Message(template, **values)
        super().__init__(self.message)

    @property
    def described(self) -> Message:
        """The message, for a program with its place and what was expected there."""
        return self.message

    def __str__(self) -> str:
        return self.described  # so `str(error)` is a `Message`, too


class PointCloudError(CadrecodeError):
    """A file or an array that is not a usable point cloud or mesh."""


class ConfigError(CadrecodeError):
    """A setting that is unknown, impossible, or at odds with another."""


class DatasetError(CadrecodeError):
    """Training data that cannot be found or read, or of which nothing is usable."""


class ModelError(CadrecodeError):
    """A base model or an adapter that cannot be loaded, merged or used."""


class RunError(CadrecodeError):
    """A training run that cannot be started, resumed or read."""


class KernelError(CadrecodeError):
    """The OpenCASCADE sandbox cannot start or cannot read a file. (A bad program is an outcome, not this.)"""


class MissingLibrary(CadrecodeError):
    """A library that is optional, not installed, and needed here."""

    @classmethod
    def of(cls, library: str, purpose: str) -> MissingLibrary:
        """The error for a library of the extra `scale`, and what it is needed for."""
        return cls(
            Message(
                "{library} is needed to {purpose}, and is not installed: pip install 'cadrecode[scale]', or in a "
                "checkout pip install '.[scale]'.",
                library=library,
                purpose=purpose,
            )
        )


class ProgramError(CadrecodeError):
    """A program outside of the language, or one whose steps make no solid.

    Args:
        template, values: What is wrong, in words, without the place; see `Message`.
        line, column: Where, both counted from 1; None when the place is the program as a whole.
        expected: What would have been right there.
    """

    def __init__(
        self,
        template: str,
        /,
        line: int | None = None,
        column: int | None = None,
        expected: str | None = None,
        **values: Any,
    ):
        super().__init__(template, **values)
        self.line, self.column, self.expected = line, column, expected

    @property
    def described(self) -> Message:
        message = at_line(self.message, self.line, self.column)
        return Message("{message} Expected {what}.", message=message, what=self.expected) if self.expected else message
