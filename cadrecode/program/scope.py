"""The computations of a program's text: names, arithmetic, lists, loops. Everything is bounded, nothing is run."""

from __future__ import annotations

import ast
import math
from collections import ChainMap
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from cadrecode.errors import Message
from cadrecode.program.arguments import LARGEST, error_at, too_large
from cadrecode.program.functions import COMPARISONS, CONSTANTS, FUNCTIONS, LONGEST_LIST, MATH, METHODS, NUMPY, OPERATORS

MOST_VALUES = 20_000  # computed in one program; a long parametric script needs 2,000
LARGEST_NESTED, DEEPEST_NESTED = 20_000, 20  # values of a list with those of the lists in it; lists within lists
DEEPEST_CALLS = 20  # of the program's own functions within each other
VALUES_PER_TICK = 8  # a list of so many values costs as much as one value that is computed


class Facts(SimpleNamespace):
    """Numbers with names that were measured on a solid, such as `xlen` of its bounding box."""


@dataclass(frozen=True, eq=False)
class Function:
    """A function that the program defines, or a lambda.

    Args:
        parameters: names, in order.
        defaults: values of the last parameters.
        body: statements, or the expression of a lambda.
        names: those that it sees from outside.
    """

    parameters: tuple[str, ...]
    defaults: dict[str, Any]
    body: list[ast.stmt] | ast.expr
    names: Any


class Scope:
    """The names of a program and their values: numbers, texts, tuples and lists, workplanes, sketches and solids.

    Args:
        chain: evaluates calls that are CadQuery's.
        run: runs the statements of a function, and returns its value.
    """

    def __init__(self, chain: Callable[[ast.expr, Scope], Any], run: Callable[[list[ast.stmt]], Any]):
        self.names: Any = {"__name__": "__main__"}
        self.parameters: tuple[str, ...] = ()  # of the function that runs
        self.depth = 0  # of calls of the program's own functions
        self.modules: dict[str, str] = {}  # name in the text -> "cadquery" or "math"
        self.functions: dict[str, Any] = {}  # names taken from math by `from math import ...`
        self._chain, self._run, self._count = chain, run, 0
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
            case ast.Subscript(whole, index):
                container = self.value(whole)
                if isinstance(index, ast.Slice):
                    ends = (index.lower, index.upper, index.step)
                    at = slice(*(None if end is None else self.value(end) for end in ends))
                else:
                    at = self.value(index)
                return self._computed(node, lambda: container[at])
            case ast.Dict(keys, values) if None not in keys:
                pairs = [(self.value(key), self.value(value)) for key, value in zip(keys, values)]
                return self._computed(node, lambda: dict(pairs))
            case ast.JoinedStr(parts):
                return self.bounded(node, "".join(map(self._text, parts)))
            case ast.Lambda(arguments, body):
                return self.function(node, arguments, body)
            case ast.ListComp() | ast.GeneratorExp():
                return self._comprehension(node)
            case ast.Attribute(head, name) if name in CONSTANTS and self._is_math(head):
                return getattr(math, name)
            case ast.Call():
                return self._call(node)
            case ast.Attribute(head, name) if not (isinstance(head, ast.Name) and head.id in self.modules):
                value = self.value(head)
                if isinstance(value, Facts) and name in vars(value):
                    return vars(value)[name]
                if isinstance(value, tuple) and len(value) == 3 and name in ("x", "y", "z"):
                    return value["xyz".index(name)]
        raise error_at(node, "Not in the language.", Message("a number, a list, a workplane, a sketch or a solid"))

    def _text(self, part: ast.expr) -> str:
        """A piece of an f-string; a number with a format of its own is a placeholder."""
        if not isinstance(part, ast.FormattedValue):
            return str(self.value(part))
        value = self.value(part.value)
        return str(value) if part.format_spec is None and isinstance(value, int | float | str) else "{}"

    def _named(self, node: ast.expr, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        if isinstance(self.functions.get(name), float):
            return self.functions[name]
        known = ", ".join(sorted(set(self.names) - {"__name__"})) or Message("none")
        raise error_at(node, "The name {name} is not assigned.", Message("one of: {known}", known=known), name=name)

    def _binary(self, node: ast.BinOp, left: Any, op: ast.operator, right: Any) -> Any:
        if hasattr(left, "joined_by"):  # solids: a + b, a - b, a & b
            return left.joined_by(node, op, right)
        if type(op) not in OPERATORS:
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
        return self._computed(node, lambda: OPERATORS[type(op)](left, right))

    def _compared(self, node: ast.Compare, left: ast.expr, ops: list, comparators: list) -> bool:
        before = self.value(left)
        for op, comparator in zip(ops, comparators):
            after = self.value(comparator)
            if type(op) not in COMPARISONS:
                raise error_at(node, "Not in the language.", Message("< <= > >= == or !="))
            if not self._computed(node, lambda op=op, a=before, b=after: COMPARISONS[type(op)](a, b)):
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

        outside = self.names
        self.names = ChainMap({}, outside)
        loop(0)
        self.names = outside
        return self.bounded(node, values)

    def items(self, node: ast.expr) -> list:
        """The items that a loop runs over."""
        values = self.value(node)
        if not isinstance(values, list | tuple):
            raise error_at(node, "Not a list.", Message("a list or a range"))
        return list(values)

    def replace(self, node: ast.Call, name: str, values: list) -> None:
        """A longer list under a name, where that name was assigned.

        Raises: ProgramError: the list is the argument of a function, whose caller would not see the change.
        """
        names = self.names
        while isinstance(names, ChainMap):
            if name in names.maps[0]:
                if name in self.parameters:
                    raise error_at(node, "A list that is an argument is changed.", Message("a list of the function"))
                break
            names = names.maps[1]
        names[name] = self.bounded(node, values)

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
        values: list = []
        for argument in node.args:
            values += self.items(argument.value) if isinstance(argument, ast.Starred) else [self.value(argument)]
        keywords = {keyword.arg or "": self.value(keyword.value) for keyword in node.keywords}
        if isinstance(function, Function):
            return self.called(node, function, values, keywords)
        if function is range:
            return self._range(node, values)
        if any(hasattr(value, "joined_by") for value in values) and function not in (len, list, tuple, dict):
            raise error_at(node, "Not in the language.", Message("numbers"))
        if function in NUMPY.values() and len(values) == 1 and isinstance(values[0], list) and function is not list:
            return self._computed(node, lambda: list(map(function, values[0])))
        return self._computed(node, lambda: function(*values, **keywords))

    def function(self, node: ast.AST, arguments: ast.arguments, body: list[ast.stmt] | ast.expr) -> Function:
        """Raises: ProgramError: it takes `*args` or `**keywords`."""
        if arguments.vararg or arguments.kwarg:
            raise error_at(node, "Not in the language.", Message("a function with named parameters"))
        parameters = [*arguments.posonlyargs, *arguments.args]
        defaulted = parameters[len(parameters) - len(arguments.defaults) :]
        defaults = {name.arg: self.value(value) for name, value in zip(defaulted, arguments.defaults)}
        given = zip(arguments.kwonlyargs, arguments.kw_defaults)
        defaults |= {name.arg: self.value(value) for name, value in given if value is not None}
        names = tuple(parameter.arg for parameter in (*parameters, *arguments.kwonlyargs))
        return Function(names, defaults, body, self.names)

    def called(self, node: ast.expr, function: Function, values: list, keywords: dict[str, Any]) -> Any:
        """The value that a function of the program returns."""
        given = dict(zip(function.parameters, values))
        wrong = len(values) > len(function.parameters) or set(keywords) & set(given)
        local = function.defaults | given | keywords
        if wrong or set(local) != set(function.parameters):
            expected = Message("the arguments {names}", names=", ".join(function.parameters))
            raise error_at(node, "The arguments do not match the function.", expected)
        if self.depth >= DEEPEST_CALLS:
            raise error_at(node, "The functions call each other too deeply.")
        outside = self.names, self.parameters, self.depth
        self.names, self.parameters, self.depth = ChainMap(local, function.names), function.parameters, self.depth + 1
        body = function.body
        result = self._run(body) if isinstance(body, list) else self.value(body)
        self.names, self.parameters, self.depth = outside
        return result

    def method(self, node: ast.Call, value: Any) -> Any:
        """The result of a method of a list, a dictionary or a vector."""
        name = cast(ast.Attribute, node.func).attr
        function = METHODS.get((type(value), name))
        if function is None:
            raise error_at(node, "`{name}` is not in the language here.", name=name)
        arguments = [self.value(argument) for argument in node.args]
        return self._computed(node, lambda: function(value, *arguments))

    def _is_cadquery(self, node: ast.expr) -> bool:
        return self.is_module(node, "cadquery")

    def _is_math(self, node: ast.expr) -> bool:
        return self.is_module(node, "math") or self.is_module(node, "numpy")

    def _function(self, node: ast.expr) -> Callable | Function | None:
        if isinstance(node, ast.Attribute):
            if self.is_module(node.value, "math") and node.attr in MATH:
                return getattr(math, node.attr)
            return NUMPY.get(node.attr) if self.is_module(node.value, "numpy") else None
        if isinstance(node, ast.Name) and node.id in self.names:
            value = self.names[node.id]
            return value if isinstance(value, Function) else None
        return self.functions.get(node.id) or FUNCTIONS.get(node.id) if isinstance(node, ast.Name) else None

    def _range(self, node: ast.Call, values: list) -> list:
        numbers = self._computed(node, lambda: range(*values))
        if len(numbers) > LONGEST_LIST:
            raise error_at(node, "The range is too long.", Message("at most {most:,} values", most=LONGEST_LIST))
        return list(numbers)

    def _computed(self, node: ast.expr, compute: Callable[[], Any]) -> Any:
        try:
            value = compute()
        except (TypeError, ValueError, OverflowError, ZeroDivisionError, IndexError, KeyError, RecursionError) as error:
            raise error_at(node, "This cannot be computed: {error}.", error=str(error)) from None
        return self.bounded(node, value)

    def bounded(self, node: ast.expr, value: Any) -> Any:
        if isinstance(value, int | float) and not abs(value) < LARGEST:
            raise too_large(node, value)
        if isinstance(value, list | tuple | str | dict) and len(value) > LONGEST_LIST:
            raise error_at(node, "The list is too long.", Message("at most {most:,} values", most=LONGEST_LIST))
        if isinstance(value, list | tuple):
            self._bound_nested(node, value)
        elif isinstance(value, dict):
            self._bound_nested(node, list(value.values()), value)
        return value

    def _bound_nested(self, node: ast.expr, values: list | tuple, owner: dict | None = None) -> None:
        """Lists within lists count each time they stand there: comparing or printing a few that double never ends."""
        self._count += len(values) // VALUES_PER_TICK
        size, depth = len(values), 1
        for value in values:
            if isinstance(value, list | tuple | dict):
                inner_size, inner_depth, _ = self._nested.get(id(value), (len(value), 1, value))
                size, depth = size + inner_size, max(depth, inner_depth + 1)
        if size > LARGEST_NESTED or depth > DEEPEST_NESTED:
            raise error_at(node, "The lists within the list are too long or too deep.", Message("a simple list"))
        values = values if owner is None else owner
        self._nested[id(values)] = (size, depth, values)

    def take_from_math(self, names: list[ast.alias]) -> bool:
        """`from math import pi, sin`; False where a name is not read."""
        for alias in names:
            for name in (*MATH, *CONSTANTS) if alias.name == "*" else (alias.name,):
                if name not in MATH and name not in CONSTANTS:
                    return False
                self.functions[alias.asname or name if alias.name != "*" else name] = getattr(math, name)
        return True
