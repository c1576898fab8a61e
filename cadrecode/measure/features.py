"""Features: outlines extruded along the axes or turned about them, and the program that they make."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from cadrecode.measure.outlines import Outline
from cadrecode.measure.patterns import pattern_of, places_numbers
from cadrecode.measure.round_corners import is_slot, sharpened
from cadrecode.measure.turning import rows_of
from cadrecode.program import language as cad
from cadrecode.program.planes import plane_axes

AXIS_PLANES = cad.AXIS_PLANES
TURNED_PLANES = "YX", "ZY", "XZ"  # the plane whose local y is each axis, and whose local x is the axis after it
QUARTER_PLANES = "ZX", "XY", "YZ"  # the same, a quarter of a turn further
EXTRUSION_NUMBERS = 4  # of an extrusion: where its plane is, and how far it goes
PLANE_NUMBERS = 3  # where a plane is
TILT_NUMBERS = 6  # of the directions of a plane that has no name
TILT_DECIMALS = 6  # of such directions
SLOT_NUMBERS = 5
RIM_NUMBERS = 4  # the size and which edges; OpenCASCADE refuses some, so they have to be worth it
OVERSHOOT = 2.0  # CODE
SAME_SIZE = 0.05  # CODE: circles and rectangles of one sketch that differ by less are written once


def _hash_once(self: Any) -> int:
    """The hash of all fields, remembered: features are looked up thousands of times, and outlines are long."""
    if "_hash" not in self.__dict__:
        object.__setattr__(self, "_hash", hash(tuple(getattr(self, field.name) for field in fields(self))))
    return self.__dict__["_hash"]


@dataclass(frozen=True)
class Prism:
    """A sketch extruded along an axis, and how it joins what stands.

    Args:
        operation: Ignored for the first feature of a part.
        axis: 0, 1 or 2.
        low, high: Where it begins and ends along the axis.
    """

    operation: cad.Operation
    axis: int
    low: float
    high: float
    steps: tuple[cad.SketchStep, ...]

    __hash__ = _hash_once

    @property
    def numbers(self) -> int:
        return EXTRUSION_NUMBERS + numbers_of(self.steps)

    @property
    def normal(self) -> cad.Point3:
        """The direction along which it goes."""
        return tuple(float(axis == self.axis) for axis in range(3))

    def solid(self, base: float | None = None) -> cad.Extrusion:
        """`base` is where its plane lies along the axis: `low` (also where None) or `high`."""
        base = self.low if base is None else base
        distance = self.high - self.low if base == self.low else self.low - self.high
        return cad.Extrusion(cad.Plane.across(self.axis, base), _sketch(self.steps), round(distance, 6))


@dataclass(frozen=True)
class Tilted:
    """As `Prism`, along a direction that is no axis.

    Args:
        x_direction, normal: Of the plane of its sketch, which has the origin of the part as its own.
        low, high: Where it begins and ends along the normal.
    """

    operation: cad.Operation
    x_direction: cad.Point3
    normal: cad.Point3
    low: float
    high: float
    steps: tuple[cad.SketchStep, ...]

    __hash__ = _hash_once

    @property
    def numbers(self) -> int:
        return EXTRUSION_NUMBERS + TILT_NUMBERS + numbers_of(self.steps)

    def solid(self) -> cad.Extrusion:
        origin = tuple(round(self.low * part, 6) + 0.0 for part in self.normal)
        return cad.Extrusion(
            cad.Plane(origin, self.x_direction, self.normal, None), _sketch(self.steps), round(self.high - self.low, 6)
        )


@dataclass(frozen=True)
class Turned:
    """A half profile turned about a line along an axis, and how it joins what stands.

    Args:
        axis: 0, 1 or 2.
        center: Where the line meets the plane of the sketches across the axis.
        steps: The steps of the half profile: distances from the line, and heights along the axis.
        start: Where the turn begins, from the axis after this one towards the next.
        degrees: Of the turn.
    """

    operation: cad.Operation
    axis: int
    center: cad.Point2
    steps: tuple[cad.SketchStep, ...]
    start: float = 0.0
    degrees: float = 360.0

    __hash__ = _hash_once

    @property
    def numbers(self) -> int:
        return EXTRUSION_NUMBERS + profile_numbers(self.steps) + wedge_numbers(self.start, self.degrees)

    def solid(self) -> cad.Revolution:
        places = dict(zip(plane_axes(self.axis), self.center))
        origin = tuple(places.get(axis, 0.0) for axis in range(3))
        name = {0.0: TURNED_PLANES, 90.0: QUARTER_PLANES}.get(self.start)
        plane = self._turned_plane(origin) if name is None else cad.Plane.named(name[self.axis], origin)
        return cad.Revolution(plane, _sketch(self.steps), self.degrees)

    def _turned_plane(self, origin: cad.Point3) -> cad.Plane:
        first, second, up = rows_of(self.axis)
        angle = np.radians(self.start)
        outward = np.round(np.cos(angle) * first + np.sin(angle) * second, TILT_DECIMALS) + 0.0
        normal = np.cross(outward, up) + 0.0
        return cad.Plane(origin, tuple(outward.tolist()), tuple(normal.tolist()), None)


@dataclass(frozen=True)
class Rim:
    """Edges of the body that are rounded or bevelled, after all that is joined. It has the arguments of `Edges`."""

    blend: cad.Blend
    size: float
    faces: str
    edges: str | None = None
    numbers = RIM_NUMBERS

    @property
    def finish(self) -> cad.Edges:
        return cad.Edges(self.blend, self.size, self.faces, self.edges)


@dataclass(frozen=True)
class Drilled:
    """Equal holes, most with a head, that are drilled into the body after all that is joined."""

    hole: cad.Hole

    @property
    def numbers(self) -> int:
        sizes = 1 + 2 * (self.hole.head is not None) + (self.hole.depth is not None)
        return PLANE_NUMBERS + sizes + places_numbers(self.finish.places)

    @property
    def finish(self) -> cad.Hole:
        places = self.hole.places
        return replace(self.hole, places=pattern_of(places, turns=True) if isinstance(places, tuple) else places)


Finished = Rim | Drilled  # applied to the body once all other features are joined
Feature = Prism | Tilted | Turned | Finished
Item = TypeVar("Item")


def patterned(step: cad.SketchStep) -> cad.SketchStep:
    """The step with its places as a pattern, where they are one."""
    if not isinstance(step.places, tuple):
        return step
    return replace(step, places=pattern_of(step.places, turns=isinstance(step.shape, cad.Circle)))


def _sketch(steps: Sequence[cad.SketchStep]) -> cad.Sketch:
    """A sketch as CadQuery assembles it: all edges so far make the loop, so a second loop is a face of its own.

    A face that it begins with is drawn as it is.
    """
    first, *rest = steps
    if isinstance(first.shape, cad.Face) and first.places == cad.ORIGIN and first.mode is cad.Mode.ADD:
        steps = (*first.shape.sketch.steps, *rest)
    loops = [
        index
        for index, step in enumerate(steps)
        if isinstance(step, cad.SketchStep) and isinstance(step.shape, cad.Loop)
    ]
    return cad.Sketch(
        tuple(
            step
            if isinstance(step, cad.Corners)
            else replace(step, shape=cad.Face(cad.Sketch.of(step.shape)))
            if index in loops[1:]
            else patterned(step)
            for index, step in enumerate(steps)
        )
    )


def exchanged(items: Sequence[Item], index: int, *others: Item) -> tuple[Item, ...]:
    """Features, or steps of a sketch, with others, or none, in place of one."""
    return *items[:index], *others, *items[index + 1 :]


def span_between(operation: cad.Operation, levels: np.ndarray, first: int, last: int) -> tuple[float, float]:
    """Where a feature begins and ends that goes from one level to another, by their indices.

    A cut that ends with the part goes on beyond it: two faces in one place may leave a skin between them.
    """
    beyond = OVERSHOOT if operation is cad.Operation.CUT else 0.0
    low, high = float(levels[first]), float(levels[last])
    return low - beyond * (first == 0), high + beyond * (last == len(levels) - 1)


def numbers_of(steps: Sequence[cad.SketchStep | cad.Corners]) -> int:
    """The number of numbers in the text of these sketch steps."""
    total = 0
    for step in steps:
        if isinstance(step, cad.Corners):
            total += 1
            continue
        total += places_numbers(patterned(step).places)
        if isinstance(step.shape, cad.Face):
            total += numbers_of(step.shape.sketch.steps)
        elif isinstance(step.shape, cad.Loop):
            total += _numbers_of_loop(step.shape)
        else:
            total += 1 if isinstance(step.shape, cad.Circle) else 2
    return total


@lru_cache(maxsize=4096)
def _numbers_of_loop(loop: cad.Loop) -> int:
    """Those of its points or, where its arcs round its corners, of the sharp outline and the radius: that is how it is
    written in the end. A slot has a length, a width, a direction and a place, however it is written."""
    if is_slot(loop):
        return SLOT_NUMBERS
    numbers = 2 + sum(4 if isinstance(edge, cad.Arc) else 2 for edge in loop.edges)
    return min((numbers, *(numbers_of(drawn) for drawn in sharpened(loop))))


def profile_numbers(steps: Sequence[cad.SketchStep]) -> int:
    """As `numbers_of`, for a half profile: a coordinate that repeats that of the corner before is no number more, so
    that a stepped shaft costs as much as its cylinders."""
    return numbers_of(steps) - sum(_repeated(step.shape) for step in steps if isinstance(step.shape, cad.Loop))


def wedge_numbers(start: float, degrees: float) -> int:
    """The number of numbers in the text of a turn that is not whole."""
    if degrees == 360:
        return 0
    return 1 if start in (0.0, 90.0) else 1 + TILT_NUMBERS


def _repeated(loop: cad.Loop) -> int:
    return sum(a == b for first, second in itertools.pairwise(loop.corners) for a, b in zip(first, second))


def program_of(features: Sequence[Feature]) -> cad.Program:
    """The features in order. Those that begin or end on one plane share it, so that the text names few planes."""
    bases: list[tuple[int, float]] = []  # axis and height
    steps = []
    for index, feature in enumerate(features):
        if isinstance(feature, Finished):
            continue
        if not isinstance(feature, Prism):
            solid = feature.solid()
        else:
            shared = {base for axis, base in bases if axis == feature.axis and base in (feature.low, feature.high)}
            base = feature.low if feature.low in shared or not shared else feature.high
            bases.append((feature.axis, base))
            solid = feature.solid(base)
        steps.append(cad.Step(feature.operation if index else cad.Operation.UNION, solid))
    finishes = tuple(feature.finish for feature in features if isinstance(feature, Finished))
    return cad.Program(tuple(steps), finishes=finishes)


def sketch_steps(outlines: Sequence[Outline], mode: cad.Mode = cad.Mode.ADD) -> tuple[cad.SketchStep, ...]:
    """Outlines as the steps of a sketch, largest first; equal circles and rectangles share a step."""
    steps: list[cad.SketchStep] = []
    for outline in sorted(outlines, key=lambda outline: -abs(outline.area)):
        for index, step in enumerate(steps):
            if same_shape(step.shape, outline.shape):
                steps[index] = replace(step, places=(*step.places, outline.place))
                break
        else:
            steps.append(cad.SketchStep(outline.shape, mode, (outline.place,)))
    return tuple(steps)


def same_shape(first: cad.Shape, second: cad.Shape) -> bool:
    """Whether one step of a sketch can draw both, at places of their own."""
    if isinstance(first, cad.Circle) and isinstance(second, cad.Circle):
        return abs(first.radius - second.radius) < SAME_SIZE
    if isinstance(first, cad.Rect) and isinstance(second, cad.Rect):
        return max(abs(first.width - second.width), abs(first.height - second.height)) < SAME_SIZE
    return False


def with_holes(outer: Sequence[Outline], holes: Sequence[Outline]) -> tuple[cad.SketchStep, ...]:
    """The steps of a sketch with holes."""
    return sketch_steps(outer) + sketch_steps(holes, cad.Mode.SUBTRACT)
