"""What the calls of a program are given: numbers, points, modes; and the words for what is wrong with them."""

from __future__ import annotations

import ast

from cadrecode.errors import Message, ProgramError
from cadrecode.program.language import Mode


def error_at(node: ast.AST, template: str, /, expected: str | None = None, **values: object) -> ProgramError:
    """An error with the line and the column, both from 1, at which a part of the text begins."""
    return ProgramError(template, node.lineno, node.col_offset + 1, expected, **values)


class Arguments:
    """The arguments of one call, by position or keyword, each taken at most once."""

    def __init__(self, call: ast.Call):
        self.call, self.positional = call, list(call.args)
        self.keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        self.used = 0

    def node(self, name: str, position: int | None = None) -> ast.expr | None:
        if name in self.keywords:
            return self.keywords.pop(name)
        if position is not None and position < len(self.positional):
            self.used = max(self.used, position + 1)
            return self.positional[position]
        return None

    def need(self, name: str, position: int) -> ast.expr:
        found = self.node(name, position)
        if found is None:
            raise error_at(
                self.call,
                "`{call}` lacks its argument {name}.",
                Message("a value for {name}", name=name),
                call=self.call.func.attr,
                name=name,
            )
        return found

    def number(self, name: str, position: int) -> float:
        return number_of(self.need(name, position))

    def length(self, name: str, position: int) -> float:
        """A number that must not be zero; its sign is dropped, as CadQuery's own shapes do."""
        node = self.need(name, position)
        value = number_of(node)
        if value == 0:
            raise error_at(node, "{name} is zero.", Message("a positive number"), name=name)
        return abs(value)

    def mode(self) -> Mode:
        node = self.node("mode")
        if node is None:
            return Mode.ADD
        if not (isinstance(node, ast.Constant) and node.value in list(Mode)):
            raise error_at(node, "Unknown mode.", Message("'a', 's' or 'i'"))
        return Mode(node.value)

    def done(self) -> None:
        """Raises: ProgramError: arguments are left over."""
        if self.used < len(self.positional):
            raise error_at(self.positional[self.used], "`{call}` takes fewer arguments.", call=self.call.func.attr)
        for name, value in self.keywords.items():
            raise error_at(
                value, "`{call}` has no argument {name} in this language.", call=self.call.func.attr, name=name
            )


def number_of(node: ast.expr) -> float:
    """A number, or + - * / of numbers: `-15/2`. Whole numbers come back as int."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = node.value
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = number_of(node.operand)
        value = -value if isinstance(node.op, ast.USub) else value
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
        left, right = number_of(node.left), number_of(node.right)
        if isinstance(node.op, ast.Div) and right == 0:
            raise error_at(node, "Division by zero.")
        match node.op:
            case ast.Add():
                value = left + right
            case ast.Sub():
                value = left - right
            case ast.Mult():
                value = left * right
            case _:
                value = left / right
    else:
        raise error_at(node, "Not a number.", Message("a number"))
    if not abs(value) < 1e9:
        raise error_at(node, "{value:.3g} is too large.", Message("a number below 1e9"), value=value)
    return int(value) if value == int(value) else value


def tuple_of(node: ast.expr, length: int) -> tuple[float, ...]:
    """A point: so many numbers in parentheses or brackets."""
    if not isinstance(node, ast.Tuple | ast.List) or len(node.elts) != length:
        raise error_at(node, "Not a point.", Message("{length} numbers in parentheses", length=length))
    return tuple(number_of(element) for element in node.elts)
