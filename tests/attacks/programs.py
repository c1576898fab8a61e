"""Programs: as text that a person sends, in a link (`?part=`), and in the editor, where sliders are made for them."""

import base64
import contextlib
import zlib
from collections.abc import Callable, Iterator
from functools import partial

from cadrecode.errors import CadrecodeError
from tests.attacks.attack import Attack, Route
from tests.attacks.lines import BOX, HEAD, lines
from tests.attacks.unfolding import ARGUMENTS, UNFOLDING

SECONDS = 12  # of processor time: the budget of a build, and what is around it


def nested_sketch(depth: int, places: int) -> str:
    points = [(i % 10, i // 10) for i in range(places)]
    text = [f"s0=cq.Sketch().push({points}).circle(0.3)"]
    text += [f"s{n}=cq.Sketch().push({points}).face(s{n - 1})" for n in range(1, depth)]
    return HEAD + "\n".join([*text, f"r=cq.Workplane('XY').placeSketch(s{depth - 1}).extrude(1)"])


GRID = ",".join(f"({x},{y})" for x in range(30) for y in range(30))
DOUBLING = {
    **{
        f"union of itself {n} times": lines(f"a0={BOX}", "a{n}=a{m}.union(a{m})", n, "r=a{n}") for n in (12, 20, 40, 60)
    },
    "operator plus": lines(f"a0={BOX}", "a{n}=a{m}+a{m}", 30, "r=a{n}"),
    "operator minus": lines(f"a0={BOX}", "a{n}=a{m}-a{m}.translate((1,0,0))", 30, "r=a{n}"),
    "operator and": lines(f"a0={BOX}", "a{n}=a{m}&a{m}", 30, "r=a{n}"),
    "intersect": lines(f"a0={BOX}", "a{n}=a{m}.intersect(a{m})", 30, "r=a{n}"),
    "cut of itself, moved": lines(f"a0={BOX}", "a{n}=a{m}.cut(a{m}.translate((5,5,5)))", 30, "r=a{n}"),
    "one name": lines(f"r={BOX}", "r=r.union(r)", 60, ""),
    "augmented": lines(f"r={BOX}", "r+=r", 60, ""),
    "mirrored union": lines(f"r={BOX}", "r=r.mirror('XY',(0,0,1),union=True)", 60, ""),
    "rotated copies": lines(f"r={BOX}", "r=r.union(r.rotate((0,0,0),(0,0,1),{n}))", 40, ""),
    "translated copies": lines(f"r={BOX}", "r=r.union(r.translate(({n},0,0)))", 40, ""),
    "in a loop": HEAD + f"r={BOX}\nfor i in range(40):\n    r=r.union(r.translate((i,0,0)))",
    "in nested loops": HEAD + f"r={BOX}\nfor i in range(40):\n  for j in range(40):\n    r=r.union(r)",
    "in a chain": HEAD + f"r={BOX}" + ".union(cq.Workplane().box(1,1,1))" * 4000,
    "drawn first": lines("a0=cq.Workplane('XY').circle(5).extrude(3)", "a{n}=a{m}.union(a{m})", 25, "r=a{n}"),
    "workplane of another": lines(f"a0={BOX}", "a{n}=cq.Workplane(a{m}).union(a{m})", 30, "r=a{n}"),
    "fillets between": lines(f"r={BOX}", "r=r.union(r).edges('|Z').fillet(0.1)", 30, ""),
    "on faces between": lines(f"r={BOX}", "r=r.union(r).faces('>Z').workplane().circle(1).extrude(1)", 30, ""),
    "sketch of itself": lines(
        "s0=cq.Sketch().circle(1)",
        "s{n}=cq.Sketch().face(s{m}).push([(1,1)]).face(s{m})",
        40,
        "r=cq.Workplane().placeSketch(s{n}).extrude(1)",
    ),
    **{f"sketch in {n} places, {d} deep": nested_sketch(d, n) for n, d in ((100, 2), (100, 3), (100, 4), (10, 8))},
    "sketch without places": lines("s0=cq.Sketch()", "s{n}=cq.Sketch().push([(0,0),(1,1)]).face(s{m})", 60,
        "r=cq.Workplane().placeSketch(s{n}).extrude(1)"),
    "boxes at places of boxes": HEAD + f"p=[{GRID}]\nr=cq.Workplane().pushPoints(p).box(1,1,1)"
    + ".union(cq.Workplane().pushPoints(p).box(1,1,1))" * 50,
    "lists that double": HEAD + "a=[1]\n" + "a=a+a\n" * 60 + f"r={BOX}",
    "lists of lists that double": HEAD + "a=[1]\n" + "a=[a,a]\n" * 60 + f"r={BOX}",
    "lists of lists, compared": HEAD + "a=[1]\nb=[1]\n" + "a=[a,a]\nb=[b,b]\n" * 40 + f"c=a==b\nr={BOX}",
    "lists of lists, sorted": HEAD + "a=[1]\nb=[1]\n" + "a=[a,a]\nb=[b,b]\n" * 40 + f"c=sorted([a,b])\nr={BOX}",
    "lists of lists, printed": HEAD + "a=[1]\n" + "a=[a,a]\n" * 40 + "r=cq.Workplane(a).box(a,1,1)",
    "lists of lists, as a place": HEAD + "a=[1]\n" + "a=[a,a]\n" * 40 + "r=cq.Workplane().pushPoints(a).box(1,1,1)",
    "texts that double": HEAD + "a='x'\n" + "a=a+a\n" * 60 + f"r={BOX}",
    "tags of tags": lines(f"r={BOX}", "r=r.tag('a{n}').faces('>Z').workplane().circle(1).extrude(1)", 300, ""),
    "states of states": lines("a0=cq.Workplane()", "a{n}=cq.Workplane(a{m}).tag('t{n}').tag('u{n}')", 300, f"r={BOX}"),
}  # fmt: skip

HEAVY = {
    "5,000 spheres": HEAD + "r=cq.Workplane('XY').sphere(50)"
    + "".join(f".union(cq.Workplane('XY',origin=({i % 70},{i // 70},0)).sphere(30))" for i in range(1200)),
    "spheres at a grid": HEAD + f"r=cq.Workplane().pushPoints([{GRID}]).sphere(3)",
    "overlapping tori": HEAD
    + "r=" + "+".join(f"cq.Workplane('XY',origin=({i},0,0)).center(50,0).circle(40).revolve(360,(-50,0),(-50,1))"
    for i in range(100)),
    "circles that overlap": HEAD + f"r=cq.Workplane().pushPoints([{GRID}]).circle(20).extrude(1)",
    "holes by the thousand": HEAD + f"r=cq.Workplane().box(100,100,5).faces('>Z').workplane()"
    f".pushPoints([{GRID}]).hole(0.2)",
    "countersunk holes": HEAD + f"r=cq.Workplane().box(100,100,5).faces('>Z').workplane()"
    f".pushPoints([{GRID}]).cskHole(0.2,0.4,82)",
    "polygon of 1,000 sides, many": HEAD + "r=cq.Workplane().rarray(3,3,60,60).polygon(1000,2).extrude(1)",
    "fillets of fillets": HEAD + f"r={BOX}" + ".edges().fillet(0.01)" * 90,
    "shells in shells": HEAD + f"r={BOX}" + ".shell(-0.01)" * 90,
    "shell of a comb": HEAD + "r=cq.Workplane().rarray(2,2,40,40).box(1,1,9).shell(-0.1)",
    "fillet of a comb": HEAD + "r=cq.Workplane().rarray(2,2,40,40).box(1,1,9).edges().fillet(0.1)",
    "all edges of a sphere union": HEAD + f"r=cq.Workplane().pushPoints([{GRID[:900]}]).sphere(3).edges().fillet(0.1)",
    "vertices as places": HEAD + f"r=cq.Workplane().pushPoints([{GRID}]).box(1,1,1).faces('>Z').vertices()"
    ".circle(0.1).extrude(1)",
    "offset of a star": HEAD + "r=cq.Workplane().polyline(["
    + ",".join(f"({(50 if i % 2 else 1) * (i % 7)},{i})" for i in range(900)) + "]).close().extrude(1)",
    "a knot of lines": HEAD + "r=cq.Workplane().polyline(["
    + ",".join(f"({i * 7919 % 1000},{i * 104729 % 1000})" for i in range(1000)) + "]).close().extrude(1)",
    "tapered knot": HEAD + "r=cq.Workplane().polyline(["
    + ",".join(f"({i * 7919 % 1000},{i * 104729 % 1000})" for i in range(500)) + "]).close().extrude(9,taper=20)",
    "tapered circles": HEAD + f"r=cq.Workplane().pushPoints([{GRID}]).circle(0.4).extrude(9,taper=3)",
    "faces of everything": HEAD + f"r=cq.Workplane().pushPoints([{GRID[:800]}]).box(1,1,1)"
    + ".faces('>Z').workplane().circle(0.1).extrude(1)" * 200,
}  # fmt: skip

NUMBERS = {
    "4,000 digits": HEAD + f"r=cq.Workplane().box({'9' * 4000},1,1)",
    "5,000 digits": HEAD + f"r=cq.Workplane().box({'9' * 5000},1,1)",
    "4,000 digits, negative": HEAD + f"a=-{'9' * 4000}\nr={BOX}",
    "1e400": HEAD + "r=cq.Workplane().box(1e400,1,1)",
    "1e-400": HEAD + "r=cq.Workplane().box(1e-400,1,1)",
    "smallest number": HEAD + "r=cq.Workplane().box(5e-324,5e-324,5e-324)",
    "tiny and huge": HEAD + "r=cq.Workplane().box(1e-9,9e8,1)",
    "a tower of powers": HEAD + f"a=9**9**9**9\nr={BOX}",
    "a shifted one": HEAD + f"a=1<<10**9\nr={BOX}",
    "product of large": HEAD + "a=9\n" + "a=a*a\n" * 60 + f"r={BOX}",
    "infinity by division": HEAD + f"a=1/1e-320\nr={BOX}",
    "nan": HEAD + "import math\na=math.fmod(1e8,1e-300)\nr=cq.Workplane().box(a-a*1e9,1,1)",
    "float of a word": HEAD + f"a=float('nan')\nr=cq.Workplane().box(a,1,1)\nq={BOX}",
    "float of infinity": HEAD + "r=cq.Workplane().box(float('inf'),1,1)",
    "int of many digits": HEAD + f"a=int('{'9' * 900}')\nr={BOX}",
    "int of a huge float": HEAD + f"a=int(1e8)\nr=cq.Workplane().polygon(a,5).extrude(1)\nq={BOX}",
    "range of a million": HEAD + f"a=[i for i in range(10**6)]\nr={BOX}",
    "range beyond": HEAD + f"a=range(10**8,-10**8,-1)\nr={BOX}",
    "range of 4,000 digits": HEAD + f"for i in range({'9' * 4000}):\n    pass\nr={BOX}",
    "sum of floats": HEAD + f"a=sum([1e8]*1000)\nr={BOX}",
    "round to 10^8 digits": HEAD + f"a=round(1.5,10**8)\nr={BOX}",
    "round an int to -10^8": HEAD + f"a=round(15,-10**8)\nr={BOX}",
    "factor 10^9 text": HEAD + f"a='x'*10**8\nr={BOX}",
    "negative repeats": HEAD + f"a=[1]*-10**8\nr={BOX}",
    "complex": HEAD + f"a=(-8)**0.5\nr={BOX}",
    "polygon of 10^8": HEAD + "r=cq.Workplane().polygon(100000000,5).extrude(1)",
    "array of 10^8": HEAD + "r=cq.Workplane().rarray(1,1,10000,10000).box(1,1,1)",
    "array of 1,000 x 1,000": HEAD + "r=cq.Workplane().rarray(1,1,1000,1000).box(1,1,1)",
    "array of 1,000 x 1,000, construction": HEAD
    + "r=cq.Workplane().rarray(1,1,1000,1000).rect(1,1,forConstruction=True).vertices().circle(1).extrude(1)",
    "polar array of 10^8": HEAD + "r=cq.Workplane().polarArray(5,0,360,100000000).box(1,1,1)",
    "arrays of arrays": HEAD + "r=cq.Sketch().rarray(1,1,1000,1000).circle(1)",
    "sketch array of 10^6": HEAD
    + "r=cq.Workplane().placeSketch(cq.Sketch().rarray(1,1,1000,1000).circle(1)).extrude(1)",
    "zero size": HEAD + "r=cq.Workplane().box(0,0,0)",
    "taper of 89.999": HEAD + "r=cq.Workplane().rect(1,1).extrude(9e8,taper=84.999)",
    "a selector, deeply nested": HEAD + f"r={BOX}.edges('{'(' * 480}>Z{')' * 480}').fillet(1)",
    "centered by a number": HEAD + "r=cq.Workplane().rect(1,1,centered=3).extrude(1)",
    "centered by a list": HEAD + "r=cq.Workplane().box(1,1,1,centered=[[1],[2],[3]])",
    "combine by a list": HEAD + "r=cq.Workplane().box(1,1,1,combine=[1])",
    "index by a word": HEAD + f"a=[1]['x']\nr={BOX}",
    "index by a solid": HEAD + f"s={BOX}\na=[1][s]\nr=s",
    "a solid by a number": HEAD + f"r={BOX}*3",
    "a number by a solid": HEAD + f"r=3*{BOX}",
    "end by 10^8": HEAD + f"r={BOX}.end(10**8)",
    "end by minus one": HEAD + f"r={BOX}.end(-1)",
    "end by a half": HEAD + f"r={BOX}.end(0.5)",
    "tiny sketch, huge height": HEAD + "r=cq.Workplane().circle(1e-9).extrude(9e8)",
    "arc through one point": HEAD + "r=cq.Workplane().moveTo(0,0).threePointArc((0,0),(0,0)).close().extrude(1)",
    "revolve about nothing": HEAD + "r=cq.Workplane().center(5,0).rect(1,1).revolve(360,(0,0),(0,0))",
    "mirror by a word": HEAD + f"r={BOX}.mirror('QQ')",
    "rotate about nothing": HEAD + f"r={BOX}.rotate((0,0,0),(0,0,0),30)",
    "plane without length": HEAD + "r=cq.Workplane(cq.Plane((0,0,0),(1e-300,0,0),(0,0,1e-300))).box(1,1,1)",
}

TEXTS = {
    "map nested a million deep": HEAD + "r=" + "map(" * 10**6 + ")" * 10**6,
    "map nested 10,000 deep": HEAD + "r=" + "map(" * 10**4 + "1" + ")" * 10**4,
    "map nested 90 deep": HEAD + "r=" + "map(" * 90 + "1" + ")" * 90,
    "abs nested 95 deep": HEAD + "r=cq.Workplane().box(" + "abs(" * 95 + "1" + ")" * 95 + ",1,1)",
    "brackets 100,000 deep": HEAD + "r=" + "[" * 49_000 + "]" * 49_000,
    "brackets 190 deep": HEAD + "r=" + "[" * 190 + "]" * 190,
    "minus 90,000 times": HEAD + "r=" + "-" * 90_000 + "1",
    "minus 3,000 times": HEAD + "r=" + "-" * 3_000 + "1",
    "not 20,000 times": HEAD + "r=" + "not " * 20_000 + "1",
    "plus chain": HEAD + "r=" + "+".join(["1"] * 40_000),
    "attribute chain": HEAD + "r=a" + ".b" * 40_000,
    "power chain": HEAD + "r=" + "**".join(["1"] * 30_000),
    "comparison chain": HEAD + "r=" + "<".join(["1"] * 40_000),
    "lambda chain": HEAD + "r=" + "lambda:" * 9_000 + "1",
    "if else chain": HEAD + "r=" + "1 if 1 else " * 7_000 + "1",
    "if in if": HEAD + "".join(" " * i + "if 1:\n" for i in range(99)) + " " * 99 + "r=1",
    "for in for": HEAD + "".join(" " * i + f"for a{i} in range(99):\n" for i in range(19)) + " " * 19 + "r=1",
    "comprehension of comprehensions": HEAD + "r=[" + "0 for a in range(999) " * 1 + "for b in range(999) " * 9 + "]",
    "subscript chain": HEAD + "a=[1]\nr=a" + "[0]" * 30_000,
    "call chain": HEAD + "r=cq.Workplane()" + ".box(1,1,1)" * 8_000,
    "keywords by the thousand": HEAD + "r=cq.Workplane().box(" + ",".join(f"a{i}=1" for i in range(9_000)) + ")",
    "names by the thousand": "\n".join(f"a{i}=1" for i in range(9_000)) + "\nr=a",
    "null bytes": HEAD + "r=\x00" * 100,
    "half a surrogate": HEAD + "r='\ud800'",
    "a million lines": "\n" * 10**6,
    "a coding line": "# -*- coding: utf-7 -*-\n+AHI-=1",
    "a form feed": "\x0c" * 1000 + HEAD + f"r={BOX}",
    "right to left": HEAD + "r=cq.Workplane('\u202eYX').box(1,1,1)",
    "an odd letter": HEAD + "ｒ=cq.Workplane().box(1,1,1)",
    "a backslash": HEAD + "r=1\\",
    "tabs and blanks": HEAD + "if 1:\n\tr=1\n        r=2",
    "an f-string bomb": HEAD + "r=f'" + "{" * 140 + "1" + "}" * 140 + "'",
    "format of a width": HEAD + "r=f'{1:1000000000}'",
    "percent of a width": HEAD + "r='%1000000000d' % 1",
    "text of text": HEAD + "r=str(str)",
    "a name of 100,000 letters": HEAD + "a" * 90_000 + f"={BOX}\nr=1",
    "a plane of 90,000 letters": HEAD + f"r=cq.Workplane('{'X' * 90_000}').box(1,1,1)",
    "a selector of 90,000 letters": HEAD + f"r={BOX}.edges('{'(' * 40_000}').fillet(1)",
    "a selector that backtracks": HEAD + f"r={BOX}.edges('{'>X or ' * 9_000}>X').fillet(1)",
    "a selector of nots": HEAD + f"r={BOX}.edges('{'not ' * 9_000}>X').fillet(1)",
    "import os": "import os\nr=1",
    "import math as cq": "import math as cq\nr=cq.Workplane().box(1,1,1)",
    "dunder": HEAD + "r=cq.__dict__['__builtins__']",
    "eval": HEAD + "r=eval('1')",
    "open": HEAD + "open('{file}','w')\nr=1",
    "a class": HEAD + "class A:\n    pass\nr=A",
    "while": HEAD + "while 1:\n    pass",
    "recursion": HEAD + "def f(x):\n    return f(x)\nr=f(1)",
    "yield": HEAD + "r=(yield 1)",
    "walrus": HEAD + "r=(a:=1)",
    "star": HEAD + "a,*b=[1]*900\nr=b",
    "unpacking of names": HEAD + "(" * 190 + "a" + "," + ")" * 190 + "=1",
    "append to itself": HEAD + f"a=[]\na.append(a)\nb=a==a\nr={BOX}",
    "append to itself, extended": HEAD + "a=[1]\n" + "a.extend(a)\n" * 30 + f"r={BOX}",
    "append to itself, compared": HEAD + f"a=[]\na.append(a)\nb=[]\nb.append(b)\nc=a==b\nr={BOX}",
    "no part": "",
    "only a comment": "#" * 99_999,
    "r is None": HEAD + "r=None",
    "r is a sketch": HEAD + "r=cq.Sketch().circle(1)",
    "r is a function": HEAD + "r=print",
    "show nothing": HEAD + "show_object()",
}


def _text(template: str, outside) -> str:
    return outside.fill(template)


def _attacks(group: dict[str, str], few: int) -> list[Attack]:
    every = max(1, len(group) // few)
    return [
        Attack(name, partial(_text, text), SECONDS, short=index % every == 0)
        for index, (name, text) in enumerate(group.items())
    ]


def _outcome(send: Callable[[str], None], text: str) -> str:
    """`ok`, or the name of the error that refuses a text; its words are read, too."""
    try:
        send(text)
    except CadrecodeError as error:
        str(error)
        return type(error).__name__
    return "ok"


@contextlib.contextmanager
def _language() -> Iterator:
    """All that the app's own process does with a program: read, build, name its numbers, lay it out, move it."""
    from cadrecode.frames import Frame
    from cadrecode.program import parse, write
    from cadrecode.program.edit import parameters, set_parameters, to_raw
    from cadrecode.program.layout import laid_out
    from cadrecode.program.solid import build, mesh_of

    def rebuild(text: str) -> None:
        program = parse(text)
        mesh_of(build(program))
        sizes = [number for number in parameters(program) if number.is_length][:1]
        changed = set_parameters(program, {number.name: number.value * 1.5 for number in sizes})
        laid_out(write(changed, names=True))
        write(to_raw(program, Frame((1, 2, 3), 7.0)))

    def send(text: str) -> str:
        laid_out(text)  # reads any text: an error of its own would be an escape
        return _outcome(rebuild, text)

    yield send


@contextlib.contextmanager
def _link() -> Iterator:
    from cadrecode.ui.reconstruct import link
    from cadrecode.ui.reconstruct.dimensions import named

    def send(value: str) -> None:
        named(link.opened(value).shown)

    yield partial(_outcome, send)


@contextlib.contextmanager
def _editor() -> Iterator:
    from cadrecode.part import Part

    def send(text: str) -> None:
        part = Part.of_program(text)
        sizes = dict(list(part.parameters.items())[:1])
        part.with_parameters({name: value * 1.1 for name, value in sizes.items()})

    yield partial(_outcome, send)


def _packed(text: str, outside=None) -> str:
    raw = f"mm\n{text}".encode(errors="surrogatepass")
    return base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode().rstrip("=")


def _link_attacks() -> list[Attack]:
    programs = {**DOUBLING, **HEAVY, **NUMBERS}
    attacks = [
        Attack(name, partial(_packed, text), SECONDS, short=index % 8 == 0)
        for index, (name, text) in enumerate(programs.items())
        if len(text) < 20_000
    ]
    raw = {
        "a zip bomb": base64.urlsafe_b64encode(zlib.compress(b"mm\n" + b"#" * 10**8, 9)).decode(),
        "cut short": _packed(DOUBLING["one name"])[:-9],
        "not base64": "%" * 4000,
        "empty": "",
        "a million letters": "A" * 10**6,
        "other letters": "ä" * 100,
        "unit of another": base64.urlsafe_b64encode(zlib.compress(b"../../x\nr=1")).decode(),
    }
    return attacks + [Attack(name, lambda _, value=value: value, SECONDS) for name, value in raw.items()]


ROUTES = [
    Route("program text",
          [*_attacks(DOUBLING, 8), *_attacks(HEAVY, 4), *_attacks(NUMBERS, 6), *_attacks(TEXTS, 10),
           *_attacks(UNFOLDING, 4), *_attacks(ARGUMENTS, 4)], _language),
    Route("link", _link_attacks(), _link),
    Route("editor", [*_attacks(DOUBLING, 3), *_attacks(HEAVY, 2), *_attacks(NUMBERS, 2)], _editor),
]  # fmt: skip
