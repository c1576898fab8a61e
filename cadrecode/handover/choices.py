"""CadQuery's selectors as calls of small functions, which stand at the top of a script in Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cadrecode.handover.walk import numbers
from cadrecode.program.selectors import ATOM, AXES, THEN, Reader

# The functions. `middle(item)`, `heading(item)` (a unit vector, or None where it has no direction) and `kind(item)`
# are the system's own.
FUNCTIONS = '''
def far(items, axis, nth=None):
    """Those farthest along an axis, or the nth group of those that lie along it, in CadQuery's order."""
    if nth is not None:
        items = along(items, axis)
    groups = []
    for item in sorted(items, key=lambda item: dot(middle(item), axis)):
        if groups and dot(middle(item), axis) - dot(middle(groups[-1][-1]), axis) < 1e-4:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups[-1 if nth is None else nth] if groups else []


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def headed(items, test):
    return [item for item in items if heading(item) is not None and test(heading(item))]


def along(items, axis):
    return headed(items, lambda way: abs(dot(way, axis)) > 1 - 1e-8)


def across(items, axis):
    return headed(items, lambda way: abs(dot(way, axis)) < 1e-4)


def facing(items, axis):
    return headed(items, lambda way: dot(way, axis) > 1 - 1e-8)


def of_kind(items, name):
    return [item for item in items if kind(item) == name]


def both(a, b):
    return [item for item in a if has(b, item)]


def either(a, b):
    return a + without(b, a)


def without(a, b):
    return [item for item in a if not has(b, item)]
'''


LONGEST_CHOICE = 300  # characters


@dataclass(frozen=True)
class _Chosen:
    """A choice that has not been made yet: the text that makes it."""

    text: str

    def __and__(self, other: _Chosen) -> _Chosen:
        return _Chosen(f"both({self.text}, {other.text})")

    def __or__(self, other: _Chosen) -> _Chosen:
        return _Chosen(f"either({self.text}, {other.text})")

    def __sub__(self, other: _Chosen) -> _Chosen:
        return _Chosen(f"without({self.text}, {other.text})")


class _Translator(Reader):
    """Reads a selector as `program.selectors` does; what it returns makes text of text."""

    def atom(self, text: str):
        if text.startswith("%"):
            return lambda _, among: _Chosen(f'of_kind({among.text}, "{text[1:].strip().upper()}")')
        match = ATOM.match(text)
        if match is None:
            raise self.fault()
        vector = AXES.get(match["axis"]) or [float(value) for value in match["axis"].strip("()").split(",")]
        mark, direction = match["mark"], np.array(vector, float) / np.linalg.norm(vector)
        if mark in ("<", "<<", "-"):
            direction = -direction
        axis = numbers(direction + 0.0)
        if mark in (">", "<", ">>", "<<"):
            nth = "" if match["index"] is None else f", {int(match['index'].replace(' ', ''))}"
            return lambda _, among: _Chosen(f"far({among.text}, {axis}{nth})")
        word = {"|": "along", "#": "across"}.get(mark, "facing")
        return lambda _, among: _Chosen(f"{word}({among.text}, {axis})")


def choice(items: str, selector: str | None) -> str:
    """The expression that chooses what a selector names among the items that an expression names."""
    for part in filter(None, (selector or "").split(THEN)):
        read: Any = _Translator(part).read()
        chosen = read(None, _Chosen(items)).text
        if len(chosen) > LONGEST_CHOICE:  # it names the items several times, and they may be a choice themselves
            chosen = f"(lambda items: {read(None, _Chosen('items')).text})({items})"
        items = chosen
    return items
