"""The errors a person may see. Each message says what was found, what is needed and what to do.

A message keeps the template it was made from, so that the app can show it in another language:
`PointCloudError("{name} holds no points.", name=path.name)`.
"""

from __future__ import annotations

from typing import Any


class Message(str):
    """A sentence for a person, with the template and the values it was made from.

    Args:
        template: English, with gaps in braces; taken as it is where there are no values.
        values: What fills the gaps. A value may be a `Message` itself.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Message:
        message = super().__new__(cls, template.format(**values) if values else template)
        message.template, message.values = str(template), values
        return message


class CadrecodeError(Exception):
    """Anything that is worth telling the person at the keyboard, in words.

    Args:
        template, values: see `Message`. `error.message` is the message in full.
    """

    def __init__(self, template: str, /, **values: Any):
        self.message = template if isinstance(template, Message) and not values else Message(template, **values)
        super().__init__(self.message)


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

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        wanted = f" Expected {self.expected}." if self.expected else ""
        return f"{place}{self.message}{wanted}"
