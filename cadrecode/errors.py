"""The errors a person may see. Each message says what was found, what is needed and what to do."""


class CadrecodeError(Exception):
    """Anything that is worth telling the person at the keyboard, in words."""


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
        message: What is wrong, in words, without the place.
        line, column: Where, both counted from 1; None when the place is the program as a whole.
        expected: What would have been right there.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None, expected: str | None = None):
        self.message, self.line, self.column, self.expected = message, line, column, expected
        place = f"line {line}, column {column}: " if line is not None else ""
        wanted = f" Expected {expected}." if expected else ""
        super().__init__(f"{place}{message}{wanted}")
