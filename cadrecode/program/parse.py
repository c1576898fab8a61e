"""CadQuery text -> program tree. The text is read with `ast`; nothing in it is ever executed.

What people write is read into the tree's few nodes: variables and arithmetic are folded, loops unrolled, and a
workplane on a face stands where that face is. `write` spells the tree in one way.
"""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from typing import Any, cast

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.program import bodies, budget, drawing, sketching, workplanes
from cadrecode.program.arguments import Arguments, error_at, tuple_of
from cadrecode.program.language import NAMED_PLANES, Plane, Program
from cadrecode.program.primitives import made_solid
from cadrecode.program.scope import Scope
from cadrecode.program.statements import Statements
from cadrecode.program.states import Drawing, Stack

LONGEST_PROGRAM = 100_000  # characters; a real one has under 2,000
DEEPEST_NESTING = 150  # calls in one chain; keeps the recursion, here and in ast, far from Python's limit
RESULTS = ("r", "result", "part", "model", "body", "solid", "assembly")  # what a part is called, in this order
VIEWS = {"front": "XY", "back": "YX", "left": "ZY", "right": "YZ", "top": "XZ", "bottom": "ZX"}

_WORKPLANE = {**workplanes.METHODS, **drawing.METHODS, **bodies.METHODS}
METHOD_NAMES = tuple(sorted({*_WORKPLANE, *bodies.ON_BODIES, *sketching.METHODS}))  # what may stand after a dot


def parse(text: str) -> Program:
    """Read a program.

    Args:
        text: a CadQuery program in the language, which assigns its part to `r` (or `result`), or shows it.
    Returns: the tree.
    Raises:  ProgramError: with line, column and what was expected there.
    """
    if len(text) > LONGEST_PROGRAM:
        raise ProgramError(
            "The program has {length:,} characters.",
            length=len(text),
            expected=Message("at most {most:,} in this language", most=LONGEST_PROGRAM),
        )
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        raise ProgramError("Not Python: {error}.", error.lineno or 1, error.offset or 1, error=error.msg) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ProgramError("Not readable as Python: {error}.", 1, 1, error=str(error) or type(error).__name__) from None
    statements = Statements(_chain)
    with budget.limited():
        statements.run(module.body)
        return _result(statements)


def _result(statements: Statements) -> Program:
    names, value = statements.scope.names, statements.shown
    if value is None:
        parts = [names[name] for name in RESULTS if name in names]
        parts += [names[statements.last]] if statements.last in names else []
        value = next((part for part in parts if _is_part(part)), parts[0] if parts else None)
    if value is None:
        raise ProgramError("The program does not assign r.", expected=Message("`r=` with the finished part"))
    if not _is_part(value):
        raise ProgramError(
            "r is {kind}.",
            expected=Message("a solid, for example by `.extrude(10)`"),
            kind=getattr(value, "kind", Message("no solid")),
        )
    return value.body


def _is_part(value: Any) -> bool:
    return isinstance(value, Stack) and value.is_solid and value.body is not None


def _chain(node: ast.expr, scope: Scope) -> Any:
    """Evaluate `head.call(...).call(...)`, its calls collected first so that long chains do not recurse."""
    calls: list[ast.Call] = []
    head = node
    while isinstance(head, ast.Call) and isinstance(head.func, ast.Attribute) and not _is_cq(head.func.value, scope):
        calls.append(head)
        head = head.func.value
    if len(calls) > DEEPEST_NESTING * 20:
        raise error_at(node, "The chain has {count} calls.", Message("fewer"), count=len(calls))
    state = scope.value(head) if not isinstance(head, ast.Call) or _is_own(head, scope) else _head(head, scope)
    for call in reversed(calls):
        scope.tick(call)
        budget.check()
        state = _apply(state, call, scope) if isinstance(state, Stack | Drawing) else scope.method(call, state)
    return state


def _is_own(call: ast.Call, scope: Scope) -> bool:
    """Whether it calls a function of the program itself."""
    return isinstance(call.func, ast.Name) and call.func.id in scope.names


def _is_cq(node: ast.expr, scope: Scope) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "Solid" and _is_cq(node.value, scope)
    return (
        isinstance(node, ast.Name)
        and (scope.modules.get(node.id) in ("cadquery", "Solid") or node.id == "cq")
        and node.id not in scope.names
    )


def _head(call: ast.Call, scope: Scope) -> Stack | Drawing:
    """`cq.Workplane(...)` or `cq.Sketch()`."""
    function = call.func
    if isinstance(function, ast.Attribute):
        name = function.attr
    else:
        name = scope.modules.get(function.id) if isinstance(function, ast.Name) else None
    if isinstance(function, ast.Attribute):
        solid = made_solid(Arguments(call, scope))
        if solid is not None:
            return solid
    if name == "Sketch" and not call.args and not call.keywords:
        return Drawing(None)
    if name != "Workplane":
        what = Message("cq.{name}", name=name) if isinstance(function, ast.Attribute) else Message("This call")
        raise error_at(call, "{what} is not in the language.", Message("cq.Workplane(...)"), what=what)
    arguments = Arguments(call, scope)
    first, origin, solid = arguments.node("inPlane", 0), arguments.node("origin", 1), arguments.node("obj", 2)
    arguments.done()
    if solid is not None:
        first = solid
    if isinstance(first, ast.Call) and _name_of(first.func) == "Plane":
        if origin is not None:
            raise error_at(origin, "A cq.Plane brings its own origin.", Message("no second origin"))
        return Stack(_plane(first, scope))
    if isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute) and _name_of(first.func.value) == "Plane":
        inner = Arguments(first, scope)
        node = inner.node("origin", 0)
        inner.done()
        return Stack(_named_plane(first.func.attr, node, first, scope))
    value = "XY" if first is None else scope.value(first)
    if isinstance(value, Stack):  # cq.Workplane(another): its plane and its body
        return value
    if not isinstance(value, str):
        value = ""
    return Stack(_named_plane(value, origin, first or call, scope))


def _named_plane(name: str, origin: ast.expr | None, node: ast.AST, scope: Scope) -> Plane:
    name = VIEWS.get(name, name.upper())
    if name not in NAMED_PLANES:
        names = ", ".join(NAMED_PLANES)
        raise error_at(node, "Unknown plane.", Message("one of {names} or cq.Plane(...)", names=names))
    return Plane.named(name, tuple_of(origin, 3, scope) if origin is not None else (0, 0, 0))


def _name_of(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _plane(call: ast.Call, scope: Scope) -> Plane:
    arguments = Arguments(call, scope)
    origin, x_direction = arguments.vector("origin", 0), arguments.vector("xDir", 1, (1, 0, 0))
    normal = arguments.vector("normal", 2, (0, 0, 1))
    arguments.done()
    if math.hypot(*np.cross(x_direction, normal)) < 1e-9:
        raise error_at(call, "xDir and normal are parallel or zero.", Message("two different directions"))
    return Plane(origin, x_direction, normal, None)


def _apply(state: Stack | Drawing, call: ast.Call, scope: Scope) -> Stack | Drawing:
    name = cast(ast.Attribute, call.func).attr
    if isinstance(state, Drawing):
        methods = sketching.METHODS
    else:
        methods = _WORKPLANE if state.body is None else {**_WORKPLANE, **bodies.ON_BODIES}
        if state.body is None and name in ("vertices", "union") and (state.rows or name == "union"):
            methods = {**_WORKPLANE, name: bodies.ON_BODIES[name]}
    if name not in methods:
        raise ProgramError(
            "`{name}` is not in the language here, after {state}.",
            call.func.end_lineno,
            call.func.end_col_offset - len(name) + 1,
            Message("one of {methods}", methods=", ".join(methods)),
            name=name,
            state=state.kind,
        )
    arguments = Arguments(call, scope)
    after = methods[name](state, arguments)
    arguments.done()
    if isinstance(after, Stack) and isinstance(state, Stack):
        after = replace(after, before=state, tags=after.tags or state.tags)
    return after
