"""The arguments of a program's calls: numbers, points, modes; and the messages for what is wrong with them."""

from __future__ import annotations

import ast
from typing import Any, Protocol, cast

from cadrecode.errors import Message, ProgramError
from cadrecode.program.language import Mode, Point2, Point3

LARGEST = 1e9  # a number
MOST_PLACES = 1_000  # of an array, along one side
MOST_IN_GRID = 5_000


def error_at(
    node: ast.expr | ast.stmt, template: str, /, expected: str | None = None, **values: object
) -> ProgramError:
    """An error with the line and the column, both from 1, at which a part of the text begins."""
    return ProgramError(template, node.lineno, node.col_offset + 1, expected, **values)


def too_large(node: ast.AST, value: float) -> ProgramError:
    """The error for a number beyond LARGEST. An int of many digits is neither printed nor made a float."""
    shown = f"{value:.3g}" if isinstance(value, float) or abs(value) < 10**300 else Message("This number")
    return error_at(node, "{value} is too large.", Message("a number below 1e9"), value=shown)


def check_places(count: int, node: ast.expr) -> None:
    """Raises: ProgramError: an array has too many places."""
    if count > MOST_IN_GRID:
        most = Message("at most {most:,}", most=MOST_IN_GRID)
        raise error_at(node, "The array has {count:,} places.", most, count=count)


class Values(Protocol):
    """Evaluates expressions: see `scope.Scope`."""

    def value(self, node: ast.expr) -> Any: ...

    def called(self, node: ast.expr, function: Any, values: list, keywords: dict[str, Any]) -> Any: ...


def _spread(nodes: list[ast.expr], scope: Values) -> list[ast.expr]:
    """The arguments of a call, with numbers and texts in place of `*point`."""
    spread: list[ast.expr] = []
    for node in nodes:
        if not isinstance(node, ast.Starred):
            spread.append(node)
            continue
        values = scope.value(node.value)
        if not isinstance(values, list | tuple) or not all(isinstance(v, int | float | str) for v in values):
            raise error_at(node, "Not in the language.", Message("a list of numbers after *"))
        spread += [ast.copy_location(ast.Constant(value), node) for value in values]
    return spread


class Arguments:
    """The arguments of one call, by position or keyword, each taken at most once."""

    def __init__(self, call: ast.Call, scope: Values):
        self.call, self.scope, self.positional = call, scope, _spread(call.args, scope)
        self.keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        self.used = 0

    @property
    def name(self) -> str:
        return cast(ast.Attribute, self.call.func).attr

    def wrong(self, template: str, /, expected: str | None = None, **values: object) -> ProgramError:
        """The error of the whole call."""
        return error_at(self.call, template, expected, **values)

    def node(self, name: str, position: int | None = None) -> ast.expr | None:
        if name in self.keywords:
            return self.keywords.pop(name)
        if position is not None and position < len(self.positional):
            self.used = max(self.used, position + 1)
            return self.positional[position]
        return None

    def need(self, name: str, position: int) -> ast.expr:
        node = self.node(name, position)
        if node is None:
            raise self.wrong(
                "`{call}` lacks its argument {argument}.",
                Message("a value for {argument}", argument=name),
                call=self.name,
                argument=name,
            )
        return node

    def value(self, name: str, position: int | None = None, default: Any = None) -> Any:
        node = self.node(name, position)
        return default if node is None else self.scope.value(node)

    def number(self, name: str, position: int, default: float | None = None) -> float:
        node = self.need(name, position) if default is None else self.node(name, position)
        return default if node is None else number_of(node, self.scope)

    def length(self, name: str, position: int) -> float:
        """A number that must not be zero; its sign is dropped, as CadQuery's own shapes do."""
        node = self.need(name, position)
        value = number_of(node, self.scope)
        if value == 0:
            raise error_at(node, "{argument} is zero.", Message("a positive number"), argument=name)
        return abs(value)

    def count(self, name: str, position: int) -> int:
        node = self.need(name, position)
        value = number_of(node, self.scope)
        if value != int(value) or not 1 <= value <= MOST_PLACES:
            raise error_at(node, "{argument} is no count.", Message("a whole number from 1"), argument=name)
        return int(value)

    def counts(self, names: tuple[str, str], position: int) -> tuple[int, int]:
        """Columns and rows."""
        columns, rows = (self.count(name, position + index) for index, name in enumerate(names))
        check_places(columns * rows, self.call)
        return columns, rows

    def flag(self, name: str, position: int | None = None, default: bool = False) -> bool:
        node = self.node(name, position)
        if node is None:
            return default
        value = self.scope.value(node)
        if not isinstance(value, bool):
            raise error_at(node, "{argument} is neither True nor False.", Message("True or False"), argument=name)
        return value

    def flags(self, name: str, position: int, count: int) -> tuple[bool, ...]:
        """True or False for each of so many axes, or one for all of them."""
        value = self.value(name, position, True)
        if isinstance(value, bool):
            return (value,) * count
        if isinstance(value, list | tuple) and len(value) == count:
            return tuple(map(bool, value))
        raise self.wrong("{argument} is neither True nor False.", Message("True or False"), argument=name)

    def text(self, name: str, position: int | None = None, default: str | None = None) -> str | None:
        node = self.node(name, position)
        if node is None:
            return default
        value = self.scope.value(node)
        if not (value is None or isinstance(value, str)):
            raise error_at(node, "{argument} is no text.", Message("a text in quotes"), argument=name)
        return value

    def point(self, name: str, position: int) -> Point2:
        """A point on a plane; it may be written with a third coordinate of zero."""
        return flat_point(self.need(name, position), self.scope)

    def vector(self, name: str, position: int, default: Point3 | None = None) -> Point3:
        """A point in space."""
        node = self.need(name, position) if default is None else self.node(name, position)
        return default if node is None else tuple_of(node, 3, self.scope)

    def points(self, name: str, position: int) -> tuple[Point2, ...]:
        node = self.need(name, position)
        values = self.scope.value(node)
        if not isinstance(values, list | tuple) or not values:
            raise error_at(node, "Not a list of points.", Message("[(x,y),...]"))
        return tuple(_flat(node, value) for value in values)

    def mode(self) -> Mode:
        value = self.value("mode", default="a")
        if value not in list(Mode):
            raise self.wrong("Unknown mode.", Message("'a', 's' or 'i'"))
        return Mode(value)

    def skip(self, *names: str) -> None:
        """Leaves out arguments that change nothing about the solid."""
        for name in names:
            self.keywords.pop(name, None)

    def done(self) -> None:
        """Raises: ProgramError: arguments are left over."""
        if self.used < len(self.positional):
            raise error_at(self.positional[self.used], "`{call}` takes fewer arguments.", call=self.name)
        for name, value in self.keywords.items():
            raise error_at(
                value, "`{call}` has no argument {argument} in this language.", call=self.name, argument=name
            )


def number_of(node: ast.expr, scope: Values) -> float:
    """A number, or what numbers and names make: `-15/2`, `2*t`. Whole numbers come back as int."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = node.value  # without a detour: of a written program all are
        if not abs(value) < LARGEST:
            raise too_large(node, value)
    else:
        value = scope.value(node)
    return _number(node, value)


def tuple_of(node: ast.expr, length: int, scope: Values) -> tuple[float, ...]:
    """A point: so many numbers in parentheses or brackets."""
    if isinstance(node, ast.Tuple | ast.List) and len(node.elts) == length:
        return tuple([number_of(element, scope) for element in node.elts])
    return _coordinates(node, scope.value(node), length)


def flat_point(node: ast.expr, scope: Values) -> Point2:
    if isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 2:
        return tuple_of(node, 2, scope)
    return _flat(node, scope.value(node))


def _flat(node: ast.expr, value: Any) -> Point2:
    if isinstance(value, list | tuple) and len(value) == 3 and value[2] == 0:
        value = value[:2]
    return _coordinates(node, value, 2)


def _coordinates(node: ast.expr, value: Any, length: int) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or len(value) != length:
        raise error_at(node, "Not a point.", Message("{length} numbers in parentheses", length=length))
    return tuple([_number(node, number) for number in value])


def _number(node: ast.expr, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise error_at(node, "Not a number.", Message("a number"))
    return int(value) if value == int(value) else value
