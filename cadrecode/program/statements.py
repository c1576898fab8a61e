"""The statements of a program: assignments, loops, branches, functions and imports. Nothing in them is executed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

from cadrecode.errors import Message
from cadrecode.program import budget
from cadrecode.program.arguments import error_at
from cadrecode.program.scope import Scope
from cadrecode.program.states import Stack

SHOWS = ("show_object", "show")  # calls whose argument is the part
IGNORED = ("print", "debug", "log")  # calls that say nothing about the part
VIEWERS = ("ocp_vscode", "jupyter_cadquery", "cq_editor", "typing", "__future__", "cadquery.exporters", "exporters")
MODULES = ("cadquery", "math", "numpy")
FROM_CADQUERY = ("Workplane", "Sketch", "Plane", "Vector", "Solid", "Location", "exporters")


class Flow(NamedTuple):
    """Why statements ended before the last one: 'break', 'continue' or 'return'."""

    kind: str
    value: Any = None


class Statements:
    """Runs through statements.

    Args:
        chain: evaluates calls that are CadQuery's.
    """

    def __init__(self, chain: Callable[[ast.expr, Scope], Any]) -> None:
        self.scope = Scope(chain, self._returned)
        self.shown: Any = None  # the argument of `show_object`
        self.last: str | None = None  # the name that was assigned a solid last

    def _returned(self, statements: list[ast.stmt]) -> Any:
        flow = self.run(statements)
        return flow.value if flow is not None else None

    def run(self, statements: list[ast.stmt]) -> Flow | None:
        for statement in statements:
            self.scope.tick(statement)
            flow = self._step(statement)
            if flow is not None:
                return flow
        return None

    def _step(self, statement: ast.stmt) -> Flow | None:
        match statement:
            case ast.Assign(targets, value):
                result = self.scope.value(value)
                for target in targets:
                    self._assign(target, result)
            case ast.AnnAssign(target, _, value) if value is not None:
                self._assign(target, self.scope.value(value))
            case ast.AugAssign(ast.Name() as target, op, value):
                name = ast.copy_location(ast.Name(target.id, ast.Load()), target)
                self._assign(target, self.scope.value(ast.copy_location(ast.BinOp(name, op, value), statement)))
            case ast.Import() | ast.ImportFrom() if self._imports(statement):
                pass
            case ast.For(target, items, body, []):
                return self._looped(target, self.scope.items(items), body)
            case ast.While(test, body, []):
                while self.scope.value(test):
                    budget.check()
                    flow = self.run(body)
                    if flow is not None and flow.kind != "continue":
                        return flow if flow.kind == "return" else None
            case ast.If(test, body, orelse):
                return self.run(body if self.scope.value(test) else orelse)
            case ast.FunctionDef(name, arguments, body, []):
                self.scope.names[name] = self.scope.function(statement, arguments, body)
            case ast.Return(value):
                return Flow("return", None if value is None else self.scope.value(value))
            case ast.Break() | ast.Continue():
                return Flow("break" if isinstance(statement, ast.Break) else "continue")
            case ast.Expr(ast.Constant()) | ast.Pass():
                pass
            case ast.Assert(test) if self.scope.value(test):
                pass
            case ast.Expr(ast.Call() as call) if self._call(call):
                pass
            case _:
                raise error_at(
                    statement,
                    "This statement is not in the language.",
                    Message("`name=...` or `import cadquery as cq`"),
                )
        return None

    def _looped(self, target: ast.expr, items: list, body: list[ast.stmt]) -> Flow | None:
        for item in items:
            self.scope.assign(target, item)
            flow = self.run(body)
            if flow is not None and flow.kind != "continue":
                return flow if flow.kind == "return" else None
        return None

    def _assign(self, target: ast.expr, value: Any) -> None:
        self.scope.assign(target, value)
        if isinstance(target, ast.Name) and isinstance(value, Stack) and value.is_solid and not self.scope.depth:
            self.last = target.id

    def _imports(self, statement: ast.Import | ast.ImportFrom) -> bool:
        modules = self.scope.modules
        if isinstance(statement, ast.ImportFrom):
            if statement.level:
                return False
            if statement.module == "math":
                return self.scope.take_from_math(statement.names)
            if statement.module == "cadquery":
                names = [alias for alias in statement.names if alias.name in FROM_CADQUERY]
                modules |= {alias.asname or alias.name: alias.name for alias in names}
                return len(names) == len(statement.names)
            return statement.module in VIEWERS
        for alias in statement.names:
            if alias.name not in (*MODULES, *VIEWERS):
                return False
            modules[alias.asname or alias.name] = alias.name
        return True

    def _call(self, call: ast.Call) -> bool:
        """A statement that is a call: `show_object(part)`, `points.append((x,y))` or `build()`."""
        names = self.scope.names
        match call.func:
            case ast.Name(name) if name in IGNORED and name not in names:
                return True
            case ast.Name(name) if name in SHOWS and name not in names and call.args:
                self.shown = self.scope.value(call.args[0])
                return True
            case ast.Attribute(_, "export" | "save" | "exportStep" | "exportStl" | "exportBrep"):
                return True  # nothing is written here: the part is what counts
            case ast.Attribute(ast.Name(name), "append" | "extend") if isinstance(names.get(name), list):
                if len(call.args) != 1 or call.keywords:
                    return False
                value = self.scope.value(call.args[0])
                added = [value] if call.func.attr == "append" else list(self.scope.items(call.args[0]))
                self.scope.replace(call, name, [*names[name], *added])
                return True
            case ast.Name(name) if name in names:
                self.scope.value(call)
                return True
        return False
