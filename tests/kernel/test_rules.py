"""What may be said: every construct that CadQuery programs use passes, every way out is named with its line."""

import gzip
import json
import subprocess
import sys

import pytest

from cadrecode.kernel import rules

ESCAPES = [
    ("cq.exporters.os.system('id')", ".system"),
    ("cq.exporters.export(1, 'x.step')", ".export"),
    ("cq.importers.importStep('x.step')", ".importStep"),
    ("cq.Workplane().export('x.step')", ".export"),
    ("cq.Workplane().val().wrapped", ".wrapped"),
    ("().__class__.__bases__[0].__subclasses__()", ".__subclasses__"),
    ("'{0.__class__}'.format(cq)", ".format"),
    ("'{0.__class__}'.format_map({})", ".format_map"),
    ("f'{cq.__file__}'", ".__file__"),
    ("f'{1:{cq.__file__}}'", ".__file__"),
    ("(i for i in ()).gi_frame.f_builtins", ".f_builtins"),
    ("(lambda: 0).__globals__", ".__globals__"),
    ("print.__self__.open", ".open"),
    ("try:\n    1 / 0\nexcept Exception as e:\n    e.__traceback__.tb_frame", ".tb_frame"),
    ("cq.Workplane.box = print", ".box"),
    ("del cq.Workplane.box", ".box"),
    ("open('x', 'w')", "open"),
    ("exec('1')", "exec"),
    ("eval('1')", "eval"),
    ("getattr(cq, 'os')", "getattr"),
    ("vars(cq)", "vars"),
    ("globals()", "globals"),
    ("type('A', (), {})", "type"),
    ("__import__('os')", "__import__"),
    ("__builtins__", "__builtins__"),
    ("def __getattr__(n): pass", "__getattr__"),
    ("x = lambda __class__: 0", "__class__"),
    ("dict(__class__=1)", "__class__"),
    ("import os", "import of os"),
    ("import cadquery.exporters", "import of cadquery.exporters"),
    ("from cadquery import exporters", "import of exporters"),
    ("from cadquery import *", "import of *"),
    ("from . import cadquery", "relative"),
    ("import math as __builtins__", "__builtins__"),
    ("class A: pass", "class"),
    ("match cq:\n    case object(__dict__=d): pass", "match"),
    ("with cq: pass", "with"),
    ("async def f(): pass", "async"),
    ("def f(x: '__import__(\"os\")'): pass", "quotes"),
    ("def f() -> 'os': pass", "quotes"),
    ("x: 'os' = 1", "quotes"),
    ("h = 'os'\ndef f(x: h): pass", "not the name of a type"),
    ("h = 'os'\ndef f() -> h: pass", "not the name of a type"),
    ("h = 'os'\nx: h = 1", "not the name of a type"),
    ("def g(h):\n    def f(x: h): pass", "not the name of a type"),
    ("for h in ['os']: x: h = 1", "not the name of a type"),
    ("def f(x: print('os')): pass", "not the name of a type"),
    ("def f(x: (lambda: 0)): pass", "not the name of a type"),
]


def test_the_names_of_types_are_annotations():
    code = "def f(x: float, y: cq.Workplane | None = None, *z: list[int]) -> tuple[float, ...]: pass\nn: int = 1"
    assert rules.check(f"import cadquery as cq\n{code}") is None


@pytest.mark.parametrize(("code", "named"), ESCAPES)
def test_a_way_out_is_named_with_its_line(code, named):
    fault = rules.check(f"import cadquery as cq\n{code}")
    assert fault is not None
    assert not fault.syntax
    assert named in fault.detail
    assert fault.line >= 2
    assert fault.detail.startswith(f"line {fault.line}: ")


@pytest.mark.parametrize(
    ("code", "place"),
    [("r = (", "line 1, column 5"), ("a = 1\nb = = 2", "line 2, column 5"), ("if 1:\nx", "line 2")],
)
def test_a_slip_of_the_pen_has_a_line_and_a_column(code, place):
    fault = rules.check(code)
    assert fault.syntax
    assert place in fault.detail


@pytest.mark.parametrize(
    "code", ["-" * 100_000 + "1", "a" + ".x" * 50_000, "lambda:" * 20_000 + "1", "(" * 10_000, "x='\0'", "'\ud800'"]
)
def test_a_text_made_to_break_the_reader_is_a_fault_too(code):
    assert rules.check(code).syntax


def test_an_endless_text_is_not_read():
    assert "at most" in rules.check("#" * (rules.MAX_CHARACTERS + 1)).detail


def test_a_variable_may_be_called_like_a_builtin():
    assert rules.check("input = 3\ntype = input + 1") is None


def test_every_real_program_passes(shared_data):
    for file in ("cad_recode/programs.jsonl.gz", "fusion360/train.jsonl.gz"):
        with gzip.open(shared_data / file, "rt") as lines:
            codes = [json.loads(line)["code"] for line in lines][:500]
        assert [rules.check(code) for code in codes if rules.check(code)] == []


def test_allowed_attributes_lead_from_cadquery_to_no_other_module():
    """Walks everything that is reachable by allowed names from `cq`: a new CadQuery must not open a door."""
    walk = """
import types, cadquery
from cadrecode.kernel.rules import ATTRIBUTES
seen, found, todo = set(), set(), [cadquery]
while todo:
    holder = todo.pop()
    for name in ATTRIBUTES:
        value = getattr(holder, name, None)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, types.ModuleType):
            found.add(value.__name__)
        if isinstance(value, (types.ModuleType, type)):
            todo.append(value)
print(*sorted(found))
"""
    done = subprocess.run([sys.executable, "-c", walk], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cadquery.hull", "cadquery.selectors", "cadquery.sketch"]
