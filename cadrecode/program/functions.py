"""The operators and functions that a program's text may use: of Python, of math, and some of numpy's on plain lists."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

LONGEST_LIST = 1_000
MOST_DIGITS = 400  # before and behind the point
OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
COMPARISONS: dict[type, Callable] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda value, values: operator.contains(values, value),
    ast.NotIn: lambda value, values: not operator.contains(values, value),
}
MATH = (
    *("sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "radians", "degrees", "hypot", "floor", "ceil"),
    *("fabs", "exp", "log", "pow", "fmod", "trunc", "copysign", "dist"),
)


def _round(number: float, ndigits: int | None = None) -> float:
    """Python computes 10**-ndigits, however large; beyond what a float holds the result stays the same."""
    return round(number, ndigits if ndigits is None else max(-MOST_DIGITS, min(ndigits, MOST_DIGITS)))


FUNCTIONS: dict[str, Callable] = {
    "abs": abs,
    "min": min,
    "max": max,
    "round": _round,
    "int": int,
    "float": float,
    "bool": bool,
    "any": any,
    "all": all,
    "dict": dict,
    "range": range,
    "len": len,
    "sum": sum,
    "sorted": sorted,
    "list": list,
    "tuple": tuple,
    "enumerate": lambda values, start=0: list(enumerate(values, start)),
    "zip": lambda *values: list(zip(*values)),
    "reversed": lambda values: list(reversed(values)),
}


def _linspace(start: float, stop: float, num: int = 50, endpoint: bool = True) -> list[float]:
    return [start + (stop - start) * k / max(num - bool(endpoint), 1) for k in range(min(num, LONGEST_LIST + 1))]


def _arange(start: float, stop: float | None = None, step: float = 1) -> list[float]:
    if stop is None:
        start, stop = 0, start
    return [start + step * k for k in range(min(math.ceil((stop - start) / step), LONGEST_LIST + 1))]


def _number(value: Any) -> float:
    """Texts and lists have sums and products as well, which grow without a bound."""
    if not isinstance(value, int | float):
        raise TypeError("a vector holds numbers")
    return value


NUMPY: dict[str, Callable] = {
    **{name: getattr(math, name) for name in MATH},
    **{"arc" + name[1:]: getattr(math, name) for name in ("asin", "acos", "atan", "atan2")},
    "deg2rad": math.radians,
    "rad2deg": math.degrees,
    "abs": abs,
    "array": list,
    "round": _round,
    "power": math.pow,
    "linspace": _linspace,
    "arange": _arange,
}
CONSTANTS = ("pi", "tau", "e")
METHODS: dict[tuple[type, str], Callable] = {
    (dict, "items"): lambda values: list(values.items()),
    (dict, "keys"): list,
    (dict, "values"): lambda values: list(values.values()),
    (dict, "get"): dict.get,
    (tuple, "toTuple"): tuple,
    (tuple, "multiply"): lambda vector, factor: tuple(_number(factor) * _number(value) for value in vector),
    (tuple, "add"): lambda vector, other: tuple(_number(a) + _number(b) for a, b in zip(vector, other, strict=True)),
    (tuple, "sub"): lambda vector, other: tuple(_number(a) - _number(b) for a, b in zip(vector, other, strict=True)),
}
