"""The levels of a program: where its faces, edges and middles lie along each axis, and the program with levels moved.

A face is often written twice: as the end of one solid and the start of another. Moving a level moves both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cadrecode.program import language as cad
from cadrecode.program.outline_sizes import pitch_radius
from cadrecode.program.planes import axes
from cadrecode.program.roles import obround, span_of

SQUARE = 1e-9  # how far a plane's directions may be off the axes

Move = Callable[[int, float], float]  # (axis, place) -> the place that it moves to


@dataclass(frozen=True)
class _Moves:
    """How places move.

    Args:
        place: Of a face, an edge, or, where `centers` is True, of a middle.
        origin: Of a plane's origin, along the directions of the plane; None: as a middle.
    """

    place: Move
    centers: bool = True
    origin: Move | None = None

    def of_origin(self, axis: int, place: float) -> float:
        if self.origin is not None:
            return self.origin(axis, place)
        return self.place(axis, place) if self.centers else place


class _Local:
    """The coordinates of one plane whose directions are axes of space: local 0, 1 and 2 is the normal."""

    def __init__(self, plane: cad.Plane, moves: _Moves):
        directions = axes(plane)
        self.axis = [int(np.abs(directions[:, k]).argmax()) for k in range(3)]
        self.sign = [float(np.sign(directions[self.axis[k], k])) for k in range(3)]
        self.before, self.moves = plane.origin, moves
        normal = self.axis[2]
        self.after = tuple(
            (moves.place if axis == normal else moves.of_origin)(axis, place) for axis, place in enumerate(plane.origin)
        )

    def __call__(self, local: int, value: float) -> float:
        """The new coordinate of a place on the plane or above it, in those of the moved plane."""
        axis, sign = self.axis[local], self.sign[local]
        return sign * (self.moves.place(axis, self.before[axis] + sign * value) - self.after[axis]) + 0.0

    def point(self, point: cad.Point2) -> cad.Point2:
        return self(0, point[0]), self(1, point[1])

    def center(self, point: cad.Point2) -> cad.Point2:
        return self.point(point) if self.moves.centers else point


class _Profile(_Local):
    """The coordinates of a revolution: those along its axis move each by itself, those across it with the axis.

    Args:
        along: Which coordinate of the plane, 0 or 1, its axis lies along.
    """

    def __init__(self, solid: cad.Revolution, along: int, moves: _Moves):
        axis_along = int(np.abs(axes(solid.plane)[:, along]).argmax())

        def along_axis(axis: int, place: float) -> float:
            return moves.place(axis, place) if moves.centers or axis == axis_along else place

        super().__init__(solid.plane, replace(moves, place=along_axis))
        self.along = along
        start = solid.start[1 - along]
        self.shift = super().__call__(1 - along, start) - start

    def __call__(self, local: int, value: float) -> float:
        return super().__call__(local, value) if local == self.along else value + self.shift


def is_square(plane: cad.Plane) -> bool:
    """Whether a plane's directions are axes of space."""
    return bool(np.abs(np.abs(axes(plane)).max(axis=0) - 1).max() < SQUARE)


def moved(program: cad.Program, move: Move, *, centers: bool = True, origin: Move | None = None) -> cad.Program:
    """The program with its levels moved. Radii, angles and what stands askew stay as they are.

    Args:
        move: (axis, place) -> place. Called for each level of the program.
        centers: False: middles of circles and patterns stay; faces and edges move.
        origin: Moves the origins of planes along their directions, and no place of the part; None: as middles move.
    """
    return _moved(program, _Moves(move, centers, origin))


def _moved(program: cad.Program, moves: _Moves) -> cad.Program:
    steps = []
    for step in program.steps:
        if isinstance(step.solid, cad.Program):
            placed = step.solid.placement is not None
            steps.append(step if placed else replace(step, solid=_moved(step.solid, moves)))
        else:
            steps.append(replace(step, solid=_moved_solid(step.solid, moves)))
    finishes = tuple(_moved_finish(finish, moves) for finish in program.finishes)
    return replace(program, steps=tuple(steps), finishes=finishes)


def levels_of(program: cad.Program) -> list[list[float]]:
    """The levels along each axis, sorted."""
    levels: list[list[float]] = [[], [], []]

    def record(axis: int, place: float) -> float:
        levels[axis].append(place)
        return place

    moved(program, record)
    return [sorted(own) for own in levels]


def _moved_solid(solid: cad.Solid, moves: _Moves) -> cad.Solid:
    if not is_square(solid.plane):
        return solid
    if isinstance(solid, cad.Revolution):
        return _moved_revolution(solid, moves)
    local = _Local(solid.plane, moves)
    plane = replace(solid.plane, origin=local.after)
    match solid:
        case cad.Box(center=(x, y)):
            low = local(0, x - solid.width / 2), local(1, y - solid.height / 2)
            high = local(0, x + solid.width / 2), local(1, y + solid.height / 2)
            below, above = (local(2, end) for end in span_of(solid))
            middle = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
            return cad.Box(plane, (below + above) / 2, middle, high[0] - low[0], high[1] - low[1], above - below)
        case cad.Cylinder():
            below, above = (local(2, end) for end in span_of(solid))
            return cad.Cylinder(plane, (below + above) / 2, local.center(solid.center), above - below, solid.radius)
        case cad.Sphere():
            return cad.Sphere(plane, local(2, solid.offset), local.center(solid.center), solid.radius)
        case cad.Extrusion():
            sketch = _moved_sketch(solid.sketch, local)
            if solid.both:  # the middle is its plane
                return replace(solid, plane=plane, sketch=sketch)
            return replace(solid, plane=plane, sketch=sketch, distance=local(2, solid.distance) - local(2, 0.0))


def _moved_revolution(solid: cad.Revolution, moves: _Moves) -> cad.Revolution:
    """The places along its axis moved, and the axis as a whole; one that stands askew stays."""
    along = next((k for k in range(2) if abs(solid.direction[1 - k]) <= SQUARE * abs(solid.direction[k])), None)
    if along is None:
        return solid
    local = _Profile(solid, along, moves)
    start = tuple(place + local.shift if k != along else place for k, place in enumerate(solid.start))
    sketch = _moved_sketch(solid.sketch, local)
    return replace(solid, plane=replace(solid.plane, origin=local.after), sketch=sketch, start=start)


def _moved_finish(finish: cad.Finish, moves: _Moves) -> cad.Finish:
    """Holes go with the levels that they are at, and a mirror with the one that it lies on."""
    match finish:
        case cad.Hole():
            return _moved_hole(finish, moves)
        case cad.Mirror(plane, base):
            across = int(np.abs(cad.NAMED_PLANES[plane][1]).argmax())
            return replace(finish, base=tuple(moves.place(k, at) if k == across else at for k, at in enumerate(base)))
    return finish


def _moved_hole(hole: cad.Hole, moves: _Moves) -> cad.Hole:
    if not is_square(hole.plane):
        return hole
    local = _Local(hole.plane, moves)
    return replace(hole, plane=replace(hole.plane, origin=local.after), places=_moved_places(hole.places, local))


def _moved_sketch(sketch: cad.Sketch, local: _Local) -> cad.Sketch:
    return cad.Sketch(
        tuple(step if isinstance(step, cad.Corners) else _moved_step(step, local) for step in sketch.steps)
    )


def _moved_step(step: cad.SketchStep, local: _Local) -> cad.SketchStep:
    match step.shape:
        case cad.Rect(width, height) if isinstance(step.places, tuple) and len(step.places) == 1:
            ((x, y),) = step.places
            low, high = local.point((x - width / 2, y - height / 2)), local.point((x + width / 2, y + height / 2))
            middle = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
            return replace(step, shape=cad.Rect(high[0] - low[0], high[1] - low[1]), places=(middle,))
        case cad.Loop() if step.places == cad.ORIGIN:
            return replace(step, shape=_moved_loop(step.shape, local))
        case cad.Face(inner) if step.places == cad.ORIGIN:
            return replace(step, shape=cad.Face(_moved_sketch(inner, local)))
    return replace(step, places=_moved_places(step.places, local))


def _moved_places(places: cad.Places, local: _Local) -> cad.Places:
    if isinstance(places, cad.Ring | cad.Grid):
        return replace(places, center=local.center(places.center))
    points = np.array(places, float)
    if len(points) > 2 and pitch_radius(points) is not None:  # a circle of places stays a circle
        middle = points.mean(axis=0)
        by = np.array(local.center((float(middle[0]), float(middle[1])))) - middle
        return tuple((x + float(by[0]), y + float(by[1])) for x, y in places)
    return tuple(local.center(place) for place in places)


def _moved_loop(loop: cad.Loop, local: _Local) -> cad.Loop:
    """The corners moved; the middle of an arc goes with its ends, and a slot keeps its shape."""
    slot = obround(loop)
    if slot is not None:
        by = np.array(local.center(slot.center)) - slot.center

        def shifted(point: cad.Point2) -> cad.Point2:
            return point[0] + float(by[0]), point[1] + float(by[1])

        shifted_edges = (
            cad.Arc(shifted(e.middle), shifted(e.end)) if isinstance(e, cad.Arc) else replace(e, end=shifted(e.end))
            for e in loop.edges
        )
        return cad.Loop(shifted(loop.start), tuple(shifted_edges))
    here, before = local.point(loop.start), loop.start
    edges: list[cad.Arc | cad.Line] = []
    start = here
    for edge in loop.edges:
        end = start if edge.end == loop.start else local.point(edge.end)
        if isinstance(edge, cad.Arc):
            edges.append(cad.Arc(_moved_with_ends(edge.middle, (before, edge.end), (here, end)), end))
        else:
            edges.append(replace(edge, end=end))
        here, before = end, edge.end
    return cad.Loop(start, tuple(edges))


def _moved_with_ends(
    middle: cad.Point2, before: tuple[cad.Point2, cad.Point2], after: tuple[cad.Point2, cad.Point2]
) -> cad.Point2:
    """The middle of an arc whose ends moved: the arc turns and grows with its chord, and keeps its angle."""
    (start, end), (new_start, new_end) = (tuple(complex(*point) for point in ends) for ends in (before, after))
    if start == end or (start, end) == (new_start, new_end):
        return middle
    moved_middle = new_start + (complex(*middle) - start) * (new_end - new_start) / (end - start)
    return moved_middle.real, moved_middle.imag
