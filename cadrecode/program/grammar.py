"""The language as `write` spells it, a character at a time: which characters may follow the beginning of a text.

A decoder that writes only what may come next makes no syntax error, uses no name that is not assigned, and writes no
size that is zero or negative. It is for programs in the CODE frame: numbers have few digits, and no part is placed at
the end. What takes arithmetic is not checked: whether a loop closes, whether anything is left after a cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache

from cadrecode.program.language import NAMED_PLANES, Mode, Operation
from cadrecode.program.write import DECIMALS

MOST_PLANES = 16  # workplanes in a program; of 5,664 real ones (CAD-Recode's and Fusion 360's) none has more than 13
MOST_DIGITS = 4  # before the point: in the CODE frame a part is 200 long
REMEMBERED = 60_000  # steps from a state by a character; each new program has hundreds of its own
DIGITS, NOT_ZERO = "0123456789", "123456789"

Stack = tuple[int, ...]  # where the reading stands, innermost last, and where it goes on after each rule that it is in
Place = frozenset[Stack]  # all that the text so far can be
Piece = Callable[["_Net", int], int]  # joined to a net's node; gives the node behind it


@dataclass(frozen=True)
class _Node:
    characters: dict[str, list[int]] = field(default_factory=dict)
    onward: list[int] = field(default_factory=list)  # without a character
    calls: list[tuple[str, int]] = field(default_factory=list)  # a rule, and where to go on after it


class _Net:
    """A recursive transition network (Woods 1970): a net of characters for each rule, which may call other rules."""

    def __init__(self, rules: dict[str, Piece]):
        self.nodes: list[_Node] = []
        self.starts = {name: self.node() for name in rules}
        self.ends = {rule(self, self.starts[name]) for name, rule in rules.items()}

    def node(self) -> int:
        self.nodes.append(_Node())
        return len(self.nodes) - 1


# --- pieces that rules are made of


def _text(text: str) -> Piece:
    def join(net: _Net, here: int) -> int:
        for character in text:
            here = _one_of(character)(net, here)
        return here

    return join


def _one_of(characters: str) -> Piece:
    def join(net: _Net, here: int) -> int:
        after = net.node()
        for character in characters:
            net.nodes[here].characters.setdefault(character, []).append(after)
        return after

    return join


def _all(*pieces: Piece | str) -> Piece:
    def join(net: _Net, here: int) -> int:
        for piece in pieces:
            here = (_text(piece) if isinstance(piece, str) else piece)(net, here)
        return here

    return join


def _either(*pieces: Piece | str) -> Piece:
    def join(net: _Net, here: int) -> int:
        after = net.node()
        for piece in pieces:
            net.nodes[_all(piece)(net, here)].onward.append(after)
        return after

    return join


def _maybe(*pieces: Piece | str) -> Piece:
    return _either(_all(*pieces), "")


def _many(*pieces: Piece | str) -> Piece:
    """Any number of times, or not at all."""

    def join(net: _Net, here: int) -> int:
        again, after = net.node(), net.node()
        net.nodes[here].onward.append(again)
        net.nodes[again].onward.append(after)
        net.nodes[_all(*pieces)(net, again)].onward.append(again)
        return after

    return join


def _rule(name: str) -> Piece:
    def join(net: _Net, here: int) -> int:
        after = net.node()
        net.nodes[here].calls.append((name, after))
        return after

    return join


def _at_most(count: int, piece: Piece) -> Piece:
    return _all() if count == 0 else _maybe(piece, _at_most(count - 1, piece))


# --- the language

_DIGIT, _NUMBER, _LENGTH, _POINT, _PLACE, _EDGE = (
    _rule(name) for name in ("digit", "number", "length", "point", "place", "edge")
)
_WHOLE = _all(_one_of(NOT_ZERO), _at_most(MOST_DIGITS - 1, _DIGIT))
_DECIMALS = _all(".", _DIGIT, _at_most(DECIMALS - 1, _DIGIT))
_MODE = _all("mode='", _either(*(str(mode) for mode in Mode if mode is not Mode.ADD)), "'")
_MORE_MODE = _maybe(",", _MODE)
_COUNT, _RING, _GRID, _QUOTED = (_rule(name) for name in ("count", "ring", "grid", "selector"))
_SELECTOR = _either(_all(_one_of("<>|#+-"), _one_of("XYZ")), "%CIRCLE", "%LINE", "%PLANE")
_SHARED = {
    "digit": _one_of(DIGITS),
    "number": _all(_maybe("-"), _either("0", _WHOLE), _maybe(_DECIMALS)),
    "length": _either(
        _all(_WHOLE, _maybe(_DECIMALS)),
        *(
            _all("0.", "0" * zeros, _one_of(NOT_ZERO), _at_most(DECIMALS - zeros - 1, _DIGIT))
            for zeros in range(DECIMALS)
        ),
    ),
    "point": _all("(", _NUMBER, ",", _NUMBER, ")"),
    "place": _all("(", _NUMBER, ",", _NUMBER, ",", _NUMBER, ")"),
    "workplane": _either(
        _all("cq.Workplane('", _either(*NAMED_PLANES), "',origin=", _PLACE, ")"),
        _all("cq.Workplane(cq.Plane(", _PLACE, ",", _PLACE, ",", _PLACE, "))"),
    ),
    "count": _all(_one_of(NOT_ZERO), _at_most(1, _DIGIT)),
    "selector": _all("'", _SELECTOR, _at_most(2, _all(_either(" and ", " or "), _SELECTOR)), "'"),
    "blend": _all(_either(".fillet(", ".chamfer("), _LENGTH, ")"),
    "ring": _all(_LENGTH, ",", _NUMBER, ",", _LENGTH, ",", _COUNT, ")"),
    "spacing": _all(_LENGTH, _maybe("/", _COUNT)),  # or a row's length over its gaps, as models learn it
    "grid": _all(_rule("spacing"), ",", _rule("spacing"), ",", _COUNT, ",", _COUNT, ")"),
    "edge": _either(_all(".segment(", _POINT, ")"), _all(".arc(", _POINT, ",", _POINT, ")")),
    "loop": _all(
        _either(
            _all(".segment(", _POINT, ",", _POINT, ")", _EDGE),  # a single line is no loop
            _all(".arc(", _POINT, ",", _POINT, ",", _POINT, ")"),
        ),
        _many(_EDGE),
        _maybe(".close()"),
        ".assemble(",
        _maybe(_MODE),
        ")",
    ),
}


def _finish(plane: Piece) -> Piece:
    """Finishes of a body: holes, rounded edges, a shell, its mirror image."""
    center = _maybe(".center", _POINT)
    places = _either(
        _all(".pushPoints([", _POINT, _many(",", _POINT), "])"),
        _all(center, ".polarArray(", _RING),
        _all(center, ".rarray(", _GRID),
    )
    depth = _all(_maybe(",", _LENGTH), ")")
    hole = _either(
        _all(".hole(", _LENGTH, depth),
        _all(_either(".cboreHole(", ".cskHole("), _LENGTH, ",", _LENGTH, ",", _LENGTH, depth),
    )
    faces = _maybe(".faces(", _QUOTED, ")")
    return _either(
        _all(".copyWorkplane(", plane, ")", places, hole),
        _all(faces, ".edges(", _maybe(_QUOTED), ")", _rule("blend")),
        _all(faces, ".shell(", _maybe("-"), _LENGTH, _maybe(",kind='intersection'"), ")"),
        _all(".mirror('", _either("XY", "XZ", "YZ"), "',", _PLACE, _maybe(",union=True"), ")"),
    )


def _rules(n_planes: int) -> dict[str, Piece]:
    """The rules of programs with so many workplanes; whoever calls them says how many."""
    body, sketch = f"body {n_planes}", f"sketch {n_planes}"
    plane = _either(*(f"w{index}" for index in range(n_planes)))
    shape = _either(
        _all(".circle(", _LENGTH, _MORE_MODE, ")"),
        _all(".rect(", _LENGTH, ",", _LENGTH, _MORE_MODE, ")"),
        _all(".face(", _rule(sketch), _MORE_MODE, ")"),
        _rule("loop"),
    )
    push = _all(".push([", _POINT, _many(",", _POINT), "])")
    array = _either(_all(".parray(", _RING), _all(".rarray(", _GRID))
    places = _either(push, _all(_maybe(_either(".reset()", push)), array), ".reset()")
    corners = _all(_maybe(".reset()"), ".vertices(", _maybe(_QUOTED), ")", _rule("blend"), ".reset()")
    step = _either(_all(_maybe(places), shape), corners)
    taper = _maybe(",taper=", _maybe("-"), _LENGTH)
    extruded = _all(".extrude(", _maybe("-"), _LENGTH, _maybe(",both=True"), taper, ")")
    revolved = _all(".revolve(", _LENGTH, ",", _POINT, ",", _POINT, ")")
    extrusion = _all(_rule(sketch), ".finalize()", _either(extruded, revolved))
    sizes = _either(
        _all(".box(", _LENGTH, ",", _LENGTH, ",", _LENGTH, ")"), _all(".cylinder(", _LENGTH, ",", _LENGTH, ")")
    )
    sizes = _either(sizes, _all(".sphere(", _LENGTH, ")"))
    block = _all(plane, ".workplane(offset=", _NUMBER, _maybe("/2"), ")", _maybe(".moveTo", _POINT), sizes)
    joined = _all(".", _either(*map(str, Operation)), "(", _rule(body), ")")
    planes = [_all(f"w{index}=", _rule("workplane"), "\n") for index in range(n_planes)]
    return {
        f"program {n_planes}": _all("import cadquery as cq\n", *planes, "r=", _rule(body)),
        body: _all(_either(extrusion, block), _many(_either(joined, _finish(plane)))),
        sketch: _all(plane, ".sketch()", _maybe(_either(push, _all(_maybe(push), array))), shape, _many(step)),
    }


class Grammar:
    """Reads texts: a state for each place, the same object for equal ones, and the way from one to the next."""

    def __init__(self) -> None:
        counts, rules = range(1, MOST_PLANES + 1), dict(_SHARED)
        for count in counts:
            rules |= _rules(count)
        self._net = _Net(rules)
        self._after = lru_cache(REMEMBERED)(self._computed_after)
        self.start: Place = self._closed((self._net.starts[f"program {count}"],) for count in counts)

    def read(self, state: Place, text: str) -> Place:
        """The state after more text; the empty state if no program begins so."""
        for character in text:
            state = self._after(state, character)
        return state

    def _computed_after(self, state: Place, character: str) -> Place:
        return self._closed(
            (*stack[:-1], after)
            for stack in state
            if stack
            for after in self._net.nodes[stack[-1]].characters.get(character, ())
        )

    @staticmethod
    def is_whole(state: Place) -> bool:
        """Whether the text so far is a program."""
        return () in state

    @staticmethod
    def is_dead(state: Place) -> bool:
        """Whether no program begins so."""
        return not state

    def _closed(self, stacks: Iterable[Stack]) -> Place:
        """With all that is reached without a character."""
        reached, waiting = set(), list(stacks)
        while waiting:
            stack = waiting.pop()
            if stack in reached:
                continue
            reached.add(stack)
            if not stack:
                continue
            node, outer = self._net.nodes[stack[-1]], stack[:-1]
            waiting += [(*outer, after) for after in node.onward]
            waiting += [(*outer, after, self._net.starts[name]) for name, after in node.calls]
            if stack[-1] in self._net.ends:
                waiting.append(outer)
        # Only where a character can come next, or the text can end, is worth remembering.
        return frozenset(stack for stack in reached if not stack or self._net.nodes[stack[-1]].characters)


@cache
def grammar() -> Grammar:
    """The grammar of this process, which remembers the states it has computed."""
    return Grammar()
