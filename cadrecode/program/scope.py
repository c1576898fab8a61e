"""What a program's text computes on the way: names, arithmetic, lists, loops. Everything is bounded, nothing is run."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from cadrecode.errors import Message
from cadrecode.program.arguments import LARGEST, error_at, too_large

MOST_VALUES = 20_000  # computed in one program; a long parametric script needs 2,000
LONGEST_LIST = 1_000
LARGEST_NESTED, DEEPEST_NESTED = 20_000, 20  # values of a list with those of the lists in it; lists within lists
VALUES_PER_TICK = 8  # a list of so many values costs as much as one value that is computed
_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type, Callable] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_MATH = (
    *("sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "radians", "degrees", "hypot", "floor", "ceil"),
    *("fabs", "exp", "log", "pow", "fmod", "trunc", "copysign", "dist"),
)
_FUNCTIONS: dict[str, Callable] = {
    "abs": abs,
    "min": min,
    "max": max,
    "round": round,
    "int": int,
    "float": float,
    "len": len,
    "sum": sum,
    "sorted": sorted,
    "list": list,
    "tuple": tuple,
    "enumerate": lambda values, start=0: list(enumerate(values, start)),
    "zip": lambda *values: list(zip(*values)),
    "reversed": lambda values: list(reversed(values)),
}


class Scope:
    """The names of a program and their values: numbers, texts, tuples and lists, workplanes, sketches and solids.

    Args:
        chain: evaluates calls that are CadQuery's.
    """

    def __init__(self, chain: Callable[[ast.expr, Scope], Any]):
        self.names: dict[str, Any] = {}
        self.modules: dict[str, str] = {}  # name in the text -> "cadquery" or "math"
        self.functions: dict[str, Any] = {}  # names taken from math by `from math import ...`
        self._chain, self._count = chain, 0
        self._nested: dict[int, tuple[int, int, Any]] = {}  # id of a list -> its values in all, its depth, itself

    def tick(self, node: ast.AST) -> None:
        """Raises: ProgramError: the program computes too much."""
        self._count += 1
        if self._count > MOST_VALUES:
            raise error_at(node, "The program computes too much.", Message("at most {most:,} values", most=MOST_VALUES))

    def is_module(self, node: ast.expr, module: str) -> bool:
        return isinstance(node, ast.Name) and node.id not in self.names and self.modules.get(node.id) == module

    def value(self, node: ast.expr) -> Any:
        """Raises: ProgramError: it is outside of what is read."""
        self.tick(node)
        match node:
            case ast.Constant(value) if value is None or isinstance(value, bool | int | float | str):
                return self.bounded(node, value)
            case ast.Name(name):
                return self._named(node, name)
            case ast.Tuple(elements) | ast.List(elements):
                values = [self.value(element) for element in elements]
                return self.bounded(node, tuple(values) if isinstance(node, ast.Tuple) else values)
            case ast.UnaryOp(ast.USub() | ast.UAdd() | ast.Not(), operand):
                value = self.value(operand)
                if isinstance(node.op, ast.Not):
                    return not value
                return self._computed(node, lambda: -value if isinstance(node.op, ast.USub) else +value)
            case ast.BinOp(left, op, right):
                return self._binary(node, self.value(left), op, self.value(right))
            case ast.Compare(left, ops, comparators):
                return self._compared(node, left, ops, comparators)
            case ast.BoolOp(op, values):
                results = (bool(self.value(value)) for value in values)
                return all(results) if isinstance(op, ast.And) else any(results)
            case ast.IfExp(test, body, orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.Subscript(whole, index) if not isinstance(index, ast.Slice):
                container, at = self.value(whole), self.value(index)
                return self._computed(node, lambda: container[at])
            case ast.ListComp() | ast.GeneratorExp():
                return self._comprehension(node)
            case ast.Attribute(head, name) if self.is_module(head, "math") and name in ("pi", "tau", "e"):
                return getattr(math, name)
            case ast.Call():
                return self._call(node)
        raise error_at(node, "Not in the language.", Message("a number, a list, a workplane, a sketch or a solid"))

    def _named(self, node: ast.expr, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        if isinstance(self.functions.get(name), float):
            return self.functions[name]
        known = ", ".join(sorted(self.names)) or Message("none")
        raise error_at(node, "The name {name} is not assigned.", Message("one of: {known}", known=known), name=name)

    def _binary(self, node: ast.BinOp, left: Any, op: ast.operator, right: Any) -> Any:
        if hasattr(left, "joined_by"):  # solids: a + b, a - b, a & b
            return left.joined_by(node, op, right)
        if type(op) not in _OPERATORS:
            raise error_at(node, "Not in the language.", Message("+ - * / // % or **"))
        if isinstance(op, ast.Div | ast.FloorDiv | ast.Mod) and right == 0:
            raise error_at(node, "Division by zero.")
        if isinstance(op, ast.Mod) and isinstance(left, str):
            raise error_at(node, "Not in the language.", Message("a number"))
        if isinstance(op, ast.Pow):
            return self._computed(node, lambda: math.pow(left, right))
        if isinstance(op, ast.Mult) and (isinstance(left, str | list | tuple) or isinstance(right, str | list | tuple)):
            count = next((value for value in (left, right) if isinstance(value, int)), LONGEST_LIST + 1)
            if count > LONGEST_LIST:
                raise error_at(node, "The list is too long.", Message("at most {most:,} values", most=LONGEST_LIST))
        return self._computed(node, lambda: _OPERATORS[type(op)](left, right))

    def _compared(self, node: ast.Compare, left: ast.expr, ops: list, comparators: list) -> bool:
        before = self.value(left)
        for op, comparator in zip(ops, comparators):
            after = self.value(comparator)
            if type(op) not in _COMPARISONS:
                raise error_at(node, "Not in the language.", Message("< <= > >= == or !="))
            if not self._computed(node, lambda op=op, a=before, b=after: _COMPARISONS[type(op)](a, b)):
                return False
            before = after
        return True

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> list:
        values: list = []

        def loop(level: int) -> None:
            if level == len(node.generators):
                values.append(self.value(node.elt))
                return
            generator = node.generators[level]
            for item in self.items(generator.iter):
                self.assign(generator.target, item)
                if all(self.value(test) for test in generator.ifs):
                    loop(level + 1)

        outside = dict(self.names)
        loop(0)
        self.names = outside
        return self.bounded(node, values)

    def items(self, node: ast.expr) -> list:
        """What a loop runs over."""
        values = self.value(node)
        if not isinstance(values, list | tuple):
            raise error_at(node, "Not a list.", Message("a list or a range"))
        return list(values)

    def assign(self, target: ast.expr, value: Any) -> None:
        """Raises: ProgramError: the target is no name, or the values do not match."""
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            if not isinstance(value, list | tuple) or len(value) != len(target.elts):
                raise error_at(target, "The values do not match the names.")
            for name, item in zip(target.elts, value):
                self.assign(name, item)
        else:
            raise error_at(target, "This statement is not in the language.", Message("`name=...`"))

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "Vector" and self._is_cadquery(node.func.value):
            return self.bounded(node, tuple(self.value(argument) for argument in node.args))
        function = self._function(node.func)
        if function is None:
            return self._chain(node, self)
        values = [self.value(argument) for argument in node.args]
        if node.keywords:
            raise error_at(node, "Keywords are not in the language here.")
        if function is range:
            return self._range(node, values)
        if any(hasattr(value, "joined_by") for value in values):
            raise error_at(node, "Not in the language.", Message("numbers"))
        return self._computed(node, lambda: function(*values))

    def _is_cadquery(self, node: ast.expr) -> bool:
        return self.is_module(node, "cadquery")

    def _function(self, node: ast.expr) -> Callable | None:
        if isinstance(node, ast.Attribute) and self.is_module(node.value, "math") and node.attr in _MATH:
            return getattr(math, node.attr)
        if isinstance(node, ast.Name) and node.id not in self.names:
            if node.id == "range":
                return range
            return self.functions.get(node.id) or _FUNCTIONS.get(node.id)
        return None

    def _range(self, node: ast.Call, values: list) -> list:
        numbers = self._computed(node, lambda: range(*values))
        if len(numbers) > LONGEST_LIST:
            raise error_at(node, "The range is too long.", Message("at most {most:,} values", most=LONGEST_LIST))
        return list(numbers)

    def _computed(self, node: ast.expr, compute: Callable[[], Any]) -> Any:
        try:
            value = compute()
        except (TypeError, ValueError, OverflowError, ZeroDivisionError, IndexError, KeyError) as error:
            raise error_at(node, "This cannot be computed: {error}.", error=str(error)) from None
        return self.bounded(node, value)

    def bounded(self, node: ast.expr, value: Any) -> Any:
        if isinstance(value, int | float) and not abs(value) < LARGEST:
            raise too_large(node, value)
        if isinstance(value, list | tuple | str) and len(value) > LONGEST_LIST:
            raise error_at(node, "The list is too long.", Message("at most {most:,} values", most=LONGEST_LIST))
        if isinstance(value, list | tuple):
            self._bound_nested(node, value)
        return value

    def _bound_nested(self, node: ast.expr, values: list | tuple) -> None:
        """Lists within lists count each time they stand there: comparing or printing a few that double never ends."""
        self._count += len(values) // VALUES_PER_TICK
        size, depth = len(values), 1
        for value in values:
            if isinstance(value, list | tuple):
                inner_size, inner_depth, _ = self._nested.get(id(value), (len(value), 1, value))
                size, depth = size + inner_size, max(depth, inner_depth + 1)
        if size > LARGEST_NESTED or depth > DEEPEST_NESTED:
            raise error_at(node, "The lists within the list are too long or too deep.", Message("a simple list"))
        self._nested[id(values)] = (size, depth, values)

    def take_from_math(self, names: list[ast.alias]) -> bool:
        """`from math import pi, sin`; False where a name is not read."""
        for alias in names:
            chosen = (*_MATH, "pi", "tau", "e") if alias.name == "*" else (alias.name,)
            for name in chosen:
                if name not in _MATH and name not in ("pi", "tau", "e"):
                    return False
                self.functions[alias.asname or name if alias.name != "*" else name] = getattr(math, name)
        return True
