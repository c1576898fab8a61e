"""Programs handed over to FreeCAD, build123d and OpenSCAD: no text of theirs becomes code there, and none swells."""

import ast
import contextlib
import re
from collections import Counter
from collections.abc import Iterator

from cadrecode.errors import CadrecodeError
from tests.attacks.attack import Attack, Route
from tests.attacks.lines import BOX, HEAD

SECONDS = 12  # parsing, and one budget for all systems
LONGEST_TEXT = 20_000_000  # characters of a macro
PLAIN = HEAD + f"r={BOX}.faces('>Z').workplane().hole(2).edges('|Z').fillet(1)"
CODE = "__import__('os').system('touch {file}.gone')"
NAMES = {  # of the scan, which become the part's
    "quote": f"a'+{CODE}+'",
    "two quotes": f'a"+{CODE}+"',
    "triple quotes": f"a'''\n{CODE}\n'''",
    "end of a line": f"a\n{CODE}\n#",
    "carriage return": f"a\r{CODE}\r#",
    "line separators": f"a\u2028{CODE}\u2029{CODE}\x85{CODE}\x0b{CODE}\x0c{CODE}",
    "backslash": "a\\",
    "braces": "{frame}{0.__class__}{x!r}%s%(a)s$a",
    "OpenSCAD import": 'a\nimport("{file}");\ninclude <{file}>\nuse <{file}>\n//',
    "comment ends": "a*/ */ --> ]] */",
    "letters that look like quotes": f"a\uff07+{CODE}+\u02bc",
    "a nul": f"a\0{CODE}",
    "a surrogate": "a\ud800",
    "right to left": "a\u202e\u2066" + CODE,
    "long": "a" * 100_000,
    "nothing": "",
    "spreadsheet formula": "=HYPERLINK(1)",
}
SELECTORS = {
    "quote": f"|Z'+{CODE}+'",
    "kind with a quote": f'%PLANE"), {CODE}, ("',
    "kind of other letters": "%\u00aa\u01c5\uff21",
    "index with code": "|Z[0) or (1]",
    "vector with code": "|(1,__import__('os'),0)",
    "other digits": "|(\u0661,\u0662,\u0663)",
    "lines": "|Z\nand\n|Z",
    "squared": "\n".join(["|Z and |Z and |Z"] * 30),
    "squared within limits": "\n".join(["X or X"] * 28),
}
TEXTS = {
    "a name of the macro": "doc=30\nSIZES=20\npart=10\nr=cq.Workplane().box(doc,SIZES,part)",
    "builtin names": "eval=30\nexec=20\n__import__=10\nr=cq.Workplane().box(eval,exec,__import__)",
    "keywords of OpenSCAD": "module=30\nfunction=20\nuse=10\nr=cq.Workplane().box(module,function,use)",
    "names of other alphabets": "\u0430=30\n\uff45val=20\nr=cq.Workplane().box(\u0430,\uff45val,5)",
    "a tag with code": f"r={BOX}.tag(\"'+{CODE}+'\")",
    "a plane with code": f"r=cq.Workplane(\"XY'+{CODE}\").box(1,1,1)",
    "a comment with code": f"# '''\n# {CODE}\nr={BOX}",
    "a mirror with code": f"r={BOX}.mirror(\"XY'+{CODE}+'\")",
    "selectors choose among each other": f"r={BOX}" + ".edges('|Z and |Z and |Z or |Z')" * 25 + ".fillet(1)",
    "faces choose among each other": f"r={BOX}" + ".faces('>Z or >Z or >Z')" * 12 + ".shell(-1)",
    "fillets upon fillets": f"r={BOX}" + ".edges().fillet(.2)" * 60,
    "shells upon shells": f"r={BOX}" + ".shell(-.01)" * 60,
    "shells of holes": "r=cq.Workplane().box(90,90,9).faces('>Z').workplane().rarray(3,3,20,20).hole(1).shell(-.2)",
    "tapers of an array": "r=cq.Workplane().rarray(9,9,40,40).circle(3).extrude(5,taper=10)",
    "corners of an array": "r=cq.Workplane().sketch().rarray(3,3,30,30).rect(2,2).reset()"
    ".vertices().fillet(.2).finalize().extrude(1)",
    "a hole through all of much": "r=cq.Workplane().rarray(9,9,40,40).circle(3).extrude(5)"
    ".faces('>Z').workplane().hole(1)",
    "mirrors": f"r={BOX}" + ".mirror('YZ',(1,2,3),union=True)" * 12,
}  # fmt: skip


def _attacks() -> list[Attack]:
    tried = {f"name: {name}": (PLAIN, part) for name, part in NAMES.items()}
    tried |= {
        f"{call}: {name}": (HEAD + f"r={BOX}.{call}({selector!r}).{finish}", "part")
        for name, selector in SELECTORS.items()
        for call, finish in (("edges", "fillet(1)"), ("faces", "shell(-1)"))
    }
    tried |= {name: (HEAD + text, "part") for name, text in TEXTS.items()}
    return [
        Attack(name, lambda outside, given=given: tuple(map(outside.fill, given)), SECONDS, short=index % 6 == 0)
        for index, (name, given) in enumerate(tried.items())
    ]


def _words(system: str, text: str) -> Counter[str]:
    """What is named in a macro outside of its texts and comments."""
    if system == "openscad":
        return Counter(re.findall(r"\w+|[<>]", re.sub(r"//.*", "", text)))
    tree = ast.walk(ast.parse(text))
    return Counter(
        node.id if isinstance(node, ast.Name) else node.attr
        for node in tree
        if isinstance(node, ast.Name | ast.Attribute)
    )


@contextlib.contextmanager
def _handing_over() -> Iterator:
    from cadrecode.handover.written import FORMATS, hand_over
    from cadrecode.program import budget, parse, write

    plain = {system: _words(system, hand_over(parse(PLAIN), system)) for system in FORMATS}

    def send(payload: tuple[str, str]) -> str:
        text, name = payload
        try:
            with budget.limited():
                program = parse(text)
                parse(write(program))
                written = {system: hand_over(program, system, name=name) for system in FORMATS}
        except CadrecodeError as error:
            str(error)
            return type(error).__name__
        for system, macro in written.items():
            macro.encode()
            if len(macro) > LONGEST_TEXT:
                return f"Traceback: {len(macro):,} characters"
            words = _words(system, macro)
            if text == PLAIN and words != plain[system]:
                return f"Traceback: {system} has other words: {(words - plain[system]) or (plain[system] - words)}"
            if {"__import__", "system", "import", "include", "use"} & (words - plain[system]).keys():
                return f"Traceback: {system} names what it does not need"
        return "ok"

    yield send


ROUTES = [Route("handed over", _attacks(), _handing_over)]
