"""The numbers of a program as a person would write them, each within an allowed deviation and with its reason."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.figures import short
from cadrecode.program import Program
from cadrecode.program.edit import Parameter, number_at, parameters, set_parameters
from cadrecode.program.language import NOISE_DECIMALS, Operation
from cadrecode.program.roles import box_of
from cadrecode.snapping.levels import levels_of, moved
from cadrecode.snapping.origins import simple_origins, with_origins
from cadrecode.snapping.preferred import RANKS, ROUNDED, choices, reason_for

SAME = 1e-6  # of the part's size: levels nearer to each other than this are one
# How much a number may change for each unit that the surface may move: at a right corner the middle of a fillet of
# radius r is (sqrt(2) - 1) r away from it, the flat of a chamfer of c is c / sqrt(2) away.
ROOM = {"fillet radius": 1 / (math.sqrt(2) - 1), "chamfer": math.sqrt(2)}
MOST_CHANGE = 0.05  # of a size: a hole of 1.1 is none of 1

Accepts = Callable[[Program], bool]


@dataclass(frozen=True)
class Snap:
    """A number that was changed: "12.02 -> 12: whole, within 0.05".

    Args:
        name: As in `Part.parameters`.
        before, after: In the program's unit.
        reason: Why it is this number.
    """

    name: str
    before: float
    after: float
    reason: Message

    def __str__(self) -> str:
        return f"{short(self.before)} -> {short(self.after)}: {self.reason}"


def snapped(
    program: Program, allowed: float, accepts: Accepts, *, unit: str = "mm", decimals: int | None = None
) -> tuple[Program, tuple[Snap, ...]]:
    """The program with simple numbers: round, of holes that are drilled, equal and centred where they nearly are; and
    with the origins of its planes at simple places.

    Args:
        program: In the units of the person's file, its numbers not yet rounded.
        allowed: How far the surface may move; each number may change so much, those of corners and edges and the
            diameters of turned profiles more.
        accepts: Whether a changed program explains the input as well.
        decimals: Of the numbers of the program as it is written; None: the origins stay.
    """
    tried = _simple(program, allowed, unit, [range(3)])
    if tried != program and not accepts(tried):  # one by one, without what the input contradicts
        tried = _simple(program, allowed, unit, [[0], [1], [2]], accepts)
    if decimals is not None:
        origins = simple_origins(tried, decimals)
        program, tried = with_origins(program, origins), with_origins(tried, origins)
    return tried, tuple(_snaps(program, tried, allowed, unit))


def _simple(
    program: Program,
    allowed: float,
    unit: str,
    groups: Sequence[Iterable[int]],
    accepts: Accepts = lambda program: True,
) -> Program:
    """The program with simple numbers: the radii of what is turned, which ends of the part may depend on, then levels,
    then all sizes.

    Args:
        groups: The axes along which levels are moved at once.
    """
    tried = _with_sizes(program, program, allowed, unit, accepts, _is_turned)
    maps = [_level_map(tried, axis, allowed, unit) for axis in range(3)]
    for group in groups:
        changed = _with_levels(tried, maps, group)
        tried = changed if changed != tried and accepts(changed) else tried
    return _with_sizes(tried, program, allowed, unit, accepts, lambda number: not _is_turned(number))


# --- levels

LevelMap = list[tuple[float, float]]  # each level, sorted, and where it goes


def _with_levels(program: Program, maps: Sequence[LevelMap], axes: Iterable[int]) -> Program:
    """The program with the levels along some axes moved."""
    chosen = set(axes)
    befores = [np.array([before for before, _ in own]) for own in maps]

    def move(axis: int, place: float) -> float:
        if axis not in chosen or not len(befores[axis]):
            return place
        nearest = int(np.abs(befores[axis] - place).argmin())
        before, after = maps[axis][nearest]
        return after + (place - before) if abs(place - before) > SAME else after

    return moved(program, move)


def _level_map(program: Program, axis: int, allowed: float, unit: str) -> LevelMap:
    """Where the levels along an axis go: the part's ends first, then what is centred, symmetric, or a round distance
    from an end."""
    levels = levels_of(program)[axis]
    boxes = [box_of(solid) for step in program.steps if step.operation is Operation.UNION for solid in step.solids()]
    low, high = min(box[0, axis] for box in boxes), max(box[1, axis] for box in boxes)
    same = SAME * (high - low)
    low_after, high_after = _ends(low, high, allowed, unit)
    center, center_after = (low + high) / 2, (low_after + high_after) / 2
    scale = (high_after - low_after) / (high - low)
    unique = [level for k, level in enumerate(levels) if k == 0 or level - levels[k - 1] > same]

    def near(level: float, after: float) -> bool:
        return abs(after - level) <= allowed * (1 + SAME)

    def place(level: float) -> float:
        if abs(level - low) <= same or abs(level - high) <= same:
            return low_after if abs(level - low) <= same else high_after
        if near(level, center_after):
            return center_after
        half = abs(level - center)
        others = [abs(other - center) for other in unique if (other - center) * (level - center) < 0]
        partner = min(others, key=lambda other: abs(other - half), default=math.inf)
        afters: list[float] = []
        if abs(partner - half) <= allowed:
            sign = math.copysign(0.5, level - center)
            afters += [center_after + sign * choice.value for choice in choices(partner + half, allowed, unit)]
        ordered = []
        for end, end_after, sign in ((low, low_after, 1.0), (high, high_after, -1.0)):
            for choice in choices(sign * (level - end), allowed, unit):
                ordered.append((RANKS.get(choice.reason, len(RANKS)), end_after + sign * choice.value))
        afters += [after for _, after in sorted(ordered, key=lambda entry: (entry[0], abs(entry[1] - level)))]
        proportional = center_after + (level - center) * scale
        return next((after for after in afters if near(level, after)), proportional)

    return [(level, round(place(level), NOISE_DECIMALS)) for level in unique]


def _ends(low: float, high: float, allowed: float, unit: str) -> tuple[float, float]:
    """Where the ends of the part go: the size is round, and so is an end or the middle where that is near."""
    size = next((choice.value for choice in choices(high - low, allowed, unit)), high - low)
    center, slack = (low + high) / 2, allowed - abs(size - (high - low)) / 2  # no end moves by more than is allowed
    shifts = []
    for place in (center, center - size / 2, center + size / 2):
        for choice in choices(place, slack, unit):
            shifts.append((choice.value != 0, RANKS.get(choice.reason, len(RANKS)), choice.value - place))
    shift = min(shifts)[-1] if shifts else 0.0
    return center + shift - size / 2, center + shift + size / 2


# --- sizes


def _with_sizes(
    program: Program,
    reference: Program,
    allowed: float,
    unit: str,
    accepts: Accepts,
    is_meant: Callable[[Parameter], bool],
) -> Program:
    """The program with its sizes set to simple numbers, and equal where they nearly are.

    Args:
        reference: The program whose names its numbers have.
        is_meant: Which sizes to set.
    """
    known: dict[str, list[float]] = {}  # by kind of size: "hole diameter"
    numbers = {number.name: number for number in parameters(program, named_like=reference)}
    for name in [number.name for number in parameters(reference) if number.is_length and not number.is_angle]:
        number = numbers.get(name)
        if number is None or not is_meant(number) or _is_told_by_places(program, number, unit):
            continue
        room = _room(number, allowed)
        equal = [value for value in known.get(_kind(name), ()) if abs(value - number.value) <= room]
        simple = [choice.value for choice in choices(number.value, room, unit, is_hole=_is_hole(number))]
        for value in (*equal, *simple):
            if abs(value - number.value) <= SAME * abs(value):
                break
            changed = _set(program, name, value, reference)
            if value > 0 and changed is not None and accepts(changed):
                program = changed
                numbers = {number.name: number for number in parameters(program, named_like=reference)}
                known.setdefault(_kind(name), []).append(value)
                break
        else:
            continue
        known.setdefault(_kind(name), []).append(value)
    return program


def _set(program: Program, name: str, value: float, reference: Program) -> Program | None:
    try:
        return set_parameters(program, {name: value}, named_like=reference)
    except ProgramError:
        return None


def _kind(name: str) -> str:
    """Sizes that may be meant to be equal: of holes, of bosses; "hole 2 diameter" -> "hole diameter"."""
    return re.sub(r" \d+", "", name)


def _is_hole(number: Parameter) -> bool:
    return _kind(number.name) == "hole diameter"


def _is_told_by_places(program: Program, number: Parameter, unit: str) -> bool:
    """Whether a size is a distance between places whose coordinates are simple already, which it would spoil."""
    return all(
        "places" in path[-3:-2] and reason_for(number_at(program, path), unit) not in ("", ROUNDED)
        for path, _ in number.moves
    )


def _is_turned(number: Parameter) -> bool:
    """Whether a number is a diameter of a profile that is turned about an axis, which is drawn with its radii."""
    path = number.moves[0][0]
    return number.name.endswith("diameter") and ("start" in path or "edges" in path)


def _room(number: Parameter, allowed: float) -> float:
    """The largest change of a number that moves the surface by at most `allowed`, and is small beside a size."""
    if _is_turned(number):
        return 2 * allowed
    room = allowed * next((room for words, room in ROOM.items() if words in number.name), 1.0)
    return min(room, MOST_CHANGE * abs(number.value)) if number.is_length else room


# --- reasons


def _snaps(before: Program, after: Program, allowed: float, unit: str) -> Iterator[Snap]:
    """The numbers that changed, each with its reason."""
    old = {number.name: number.value for number in parameters(before, named_like=after)}
    first_names: dict[tuple[str, float], str] = {}  # of a kind and a value
    for number in parameters(after):
        value = round(number.value, NOISE_DECIMALS)
        first = first_names.setdefault((_kind(number.name), value), number.name)
        was = old.get(number.name, value)
        if number.is_angle or abs(value - was) <= SAME * max(abs(value), allowed):
            continue
        reason = reason_for(value, unit, is_hole=_is_hole(number))
        if number.is_length and first != number.name:
            reason = Message("equal to {name}", name=Message(first))
        elif value == 0 and " plane " not in number.name:
            reason = Message("centred")
        if reason and reason != ROUNDED:
            yield Snap(
                number.name,
                was,
                value,
                Message("{reason}, within {x:g}", reason=reason, x=float(f"{_room(number, allowed):.3g}")),
            )
