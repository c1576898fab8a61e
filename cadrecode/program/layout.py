"""Programs as a person reads them: a step a line, what is joined indented. The same program, other white space."""

from __future__ import annotations

import ast
from typing import Any

INDENT = "    "
SHORT = 60  # characters; a chain of two or three small steps stays on one line


def laid_out(text: str) -> str:
    """A program of the model's language over several lines. Text that is no Python, or has comments, stays as it is."""
    if "#" in text:
        return text
    try:
        return "\n".join(map(_statement, ast.parse(text).body)) + "\n"
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # no Python, or nested too deeply for `ast`
        return text


def _statement(node: ast.stmt) -> str:
    plain = ast.unparse(node)
    if not isinstance(node, ast.Assign) or len(plain) <= SHORT or len(_links(node.value)) < 2:
        return plain
    target = ", ".join(ast.unparse(target) for target in node.targets)
    return f"{target} = (\n{INDENT}{_chain(node.value, INDENT)}\n)"


def _links(node: ast.expr) -> list[Any]:
    """a.b(1).c(2) -> [a, a.b(1), a.b(1).c(2)]: the expression before each dot, and the whole."""
    links = [node]
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
        links.append(node)
    return links[::-1]


def _chain(node: ast.expr, indent: str) -> str:
    base, *calls = _links(node)
    pieces = [ast.unparse(base)]
    for call in calls:
        piece = f".{call.func.attr}({_arguments(call, indent)})"
        if len(pieces) == 1 and isinstance(base, ast.Name) and "\n" not in pieces[0]:
            pieces[0] += piece  # w0.sketch() begins a line together
            base = call
        else:
            pieces.append(piece)
    return f"\n{indent}".join(pieces)


def _arguments(call: ast.Call, indent: str) -> str:
    given = [*call.args, *call.keywords]
    if len(given) == 1 and isinstance(given[0], ast.Call) and len(ast.unparse(given[0])) > SHORT:
        return f"\n{indent}{INDENT}{_chain(given[0], indent + INDENT)}\n{indent}"
    return ", ".join(ast.unparse(part) for part in given)
