"""CadQuery's selector strings, such as '>Z', '|X and >Y' or 'not(<Z or >Z)'."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.program.language import Point3

AXES: dict[str, Point3] = {
    "X": (1, 0, 0),
    "Y": (0, 1, 0),
    "Z": (0, 0, 1),
    "XY": (1, 1, 0),
    "YZ": (0, 1, 1),
    "XZ": (1, 0, 1),
}
VIEWS = {"front": ">Z", "back": "<Z", "left": "<X", "right": ">X", "top": ">Y", "bottom": "<Y"}
ALONG = 1e-4  # lengths nearer to each other than this are equal, and so are directions: CadQuery's own tolerance
THEN = "\n"  # between selectors of which each chooses among what the one before it chose
LONGEST = 200  # characters of a selector with all that choose before it
_NUMBER = r"\s*[+-]?\d+\.?\d*\s*"
_TOKEN = re.compile(
    rf"\s*(?:(?P<word>and|or|not|exc(?:ept)?)\b|(?P<open>\()(?!{_NUMBER},)|(?P<close>\))|(?P<atom>"
    rf"(?:>>|<<|[><|#+\-])?\s*(?:XY|XZ|YZ|X|Y|Z|\({_NUMBER},{_NUMBER},{_NUMBER}\))(?:\s*\[\s*-?\s*\d+\s*\])?"
    rf"|%\s*\w+|front|back|left|right|top|bottom))"
)
ATOM = re.compile(r"(?P<mark>>>|<<|[><|#+\-]?)\s*(?P<axis>[XYZ]+|\([^)]*\))\s*(?:\[(?P<index>[^\]]*)\])?$")


@dataclass(frozen=True)
class Item:
    """A face, an edge or a corner, as selectors see it.

    Args:
        center: The middle of its area or its length.
        direction: A straight edge's direction, or a flat face's normal; None for others.
        kind: 'PLANE', 'LINE', 'CIRCLE', ...
    """

    center: Point3
    direction: Point3 | None = None
    kind: str = "VERTEX"


def selected(items: Sequence[Item], selector: str) -> list[int]:
    """Which of the items a selector names, in their order.

    Raises: ProgramError: it is no selector.
    """
    chosen = frozenset(range(len(items)))
    for part in selector.split(THEN):
        chosen = Reader(part).read()(items, chosen)
    return sorted(chosen)


def check_selector(selector: str) -> None:
    """Raises: ProgramError: it is no selector."""
    if len(selector) > LONGEST:
        raise _fault(selector)
    for part in selector.split(THEN):
        Reader(part).read()


_Filter = Callable[[Sequence[Item], frozenset[int]], frozenset[int]]
_BINDS = {"exc": 1, "except": 1, "or": 2, "and": 3}  # as tightly as in CadQuery's grammar


class Reader:
    """Reads an expression by precedence climbing."""

    def __init__(self, selector: str):
        self.selector, self.tokens, place = selector, [], 0
        text = selector.strip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None or match.end() == place:
                raise self.fault()
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()
        self.place = 0

    def read(self) -> _Filter:
        expression = self._expression(0)
        if self.place < len(self.tokens):
            raise self.fault()
        return expression

    def _expression(self, least: int) -> _Filter:
        left = self._operand()
        while self.place < len(self.tokens):
            kind, word = self.tokens[self.place]
            if kind != "word" or _BINDS.get(word, -1) < least:
                break
            self.place += 1
            left = _joined(word, left, self._expression(_BINDS[word] + 1))
        return left

    def _operand(self) -> _Filter:
        if self.place >= len(self.tokens):
            raise self.fault()
        kind, text = self.tokens[self.place]
        self.place += 1
        if kind == "word" and text == "not":
            inner = self._expression(0)  # in CadQuery's grammar `not` binds least
            return lambda items, among: among - inner(items, among)
        if kind == "open":
            inner = self._expression(0)
            if self.place >= len(self.tokens) or self.tokens[self.place][0] != "close":
                raise self.fault()
            self.place += 1
            return inner
        if kind != "atom":
            raise self.fault()
        return self.atom(VIEWS.get(text, text))

    def atom(self, text: str) -> _Filter:
        if text.startswith("%"):
            kind = text[1:].strip().upper()
            return lambda items, among: frozenset(index for index in among if items[index].kind == kind)
        match = ATOM.match(text)
        if match is None:
            raise self.fault()
        axis, mark = match["axis"], match["mark"]
        vector = AXES.get(axis) or tuple(float(value) for value in axis.strip("()").split(","))
        if not np.linalg.norm(vector) > 0:
            raise self.fault()
        direction = np.array(vector, float) / np.linalg.norm(vector)
        if mark in (">", "<", ">>", "<<"):
            index = None if match["index"] is None else int(match["index"].replace(" ", ""))
            return lambda items, among: _by_place(items, among, direction, mark, index)
        test = {"|": _parallel, "#": _perpendicular, "+": _same, "": _same, "-": _opposite}[mark]
        return lambda items, among: frozenset(
            index
            for index in among
            if items[index].direction is not None and test(np.array(items[index].direction), direction)
        )

    def fault(self) -> ProgramError:
        return _fault(self.selector)


def _fault(selector: str) -> ProgramError:
    shown = selector if len(selector) <= LONGEST else f"{selector[:LONGEST]}..."
    return ProgramError("{selector!r} is no selector.", expected=Message("such as '>Z' or '|X and >Y'"), selector=shown)


def _joined(word: str, left: _Filter, right: _Filter) -> _Filter:
    if word == "and":
        return lambda items, among: left(items, among) & right(items, among)
    if word == "or":
        return lambda items, among: left(items, among) | right(items, among)
    return lambda items, among: left(items, among) - right(items, among)


def _by_place(
    items: Sequence[Item], among: frozenset[int], direction: np.ndarray, mark: str, index: int | None
) -> frozenset[int]:
    """The farthest along a direction, or the nth group of those equally far."""
    if index is not None and mark in (">", "<"):  # CadQuery's nth looks at what is parallel to the direction
        among = frozenset(
            i for i in among if items[i].direction is not None and _parallel(np.array(items[i].direction), direction)
        )
    if not among:
        return among
    order = sorted(among, key=lambda i: float(direction @ items[i].center))
    groups: list[list[int]] = []
    last = -np.inf
    for i in order:
        place = float(direction @ items[i].center)
        if place - last > ALONG:
            groups.append([])
            last = place
        groups[-1].append(i)
    if mark.startswith("<"):
        groups.reverse()
    wanted = -1 if index is None else index
    return frozenset(groups[wanted]) if -len(groups) <= wanted < len(groups) else frozenset()


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(a @ b > 1 - ALONG**2)


def _opposite(a: np.ndarray, b: np.ndarray) -> bool:
    return _same(a, -b)


def _parallel(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(abs(a @ b) > 1 - ALONG**2)


def _perpendicular(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(abs(a @ b) < ALONG)
