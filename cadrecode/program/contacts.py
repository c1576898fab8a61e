"""Features that stand on a face of a program, so that they can follow it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cadrecode.geometry import bounding_box
from cadrecode.program import language as cad
from cadrecode.program.outline_sizes import Moves, Path
from cadrecode.program.planes import axes
from cadrecode.program.roles import TOUCHING, axis_of, box_of, outline_of, span_of

MOST_STEPS = 100  # of a body; comparing each with each takes the square of their number, and longer programs are rare


@dataclass(frozen=True)
class Body:
    """A program with the boxes around its steps.

    Args:
        program: The body.
        path: Its place in the tree.
        boxes: By step, (2, 3) the lowest and the highest corner and the axis that it is extruded along, for what can
            stand on a face.
        around: The body that this one is joined to, and which of its steps this one is; None where it is the whole
            part, is cut away or is placed.
    """

    program: cad.Program
    path: Path
    boxes: dict[int, tuple[np.ndarray, int | None]]
    around: tuple[Body, int] | None = None

    @classmethod
    def of(cls, program: cad.Program, path: Path = (), around: tuple[Body, int] | None = None) -> Body:
        is_long = len(program.steps) > MOST_STEPS
        boxes = {} if is_long else {index: _box(step.solid) for index, step in enumerate(program.steps)}
        if program.placement is not None or (around and around[0].step(around[1]).operation is not cad.Operation.UNION):
            around = None
        return cls(program, path, {index: box for index, box in boxes.items() if box is not None}, around)

    def step(self, index: int) -> cad.Step:
        return self.program.steps[index]

    def solid(self, index: int) -> cad.Solid | None:
        """The solid of a step whose faces may carry others."""
        step = self.step(index)
        stands = step.operation is cad.Operation.UNION and isinstance(
            step.solid, cad.Box | cad.Cylinder | cad.Extrusion
        )
        return step.solid if stands and index in self.boxes else None

    def far_end(self, index: int) -> Moves:
        """The moves that follow if the far end of a step's solid moves outward by 1."""
        solid = self.solid(index)
        if solid is None:
            return ()
        low, high = span_of(solid)
        return self.side(index, 2, 1 if high >= -low else -1)

    def both_ends(self, index: int, along: int = 2) -> Moves:
        """The moves that follow if a step's solid grows by 1 about its middle, along an axis of its plane."""
        return self.side(index, along, 1, 0.5) + self.side(index, along, -1, 0.5)

    def outline(self, index: int) -> dict[str, Moves]:
        """The moves that follow if the width or the length of an extrusion's first shape grows by 1: a rectangle grows
        about its middle, a loop on its far side.
        """
        solid = self.solid(index)
        if not isinstance(solid, cad.Extrusion) or solid.taper:
            return {}
        first = solid.sketch.steps[0]
        if not isinstance(first, cad.SketchStep) or cad.count_of(first.places) != 1:
            return {}
        whole = outline_of(solid)
        alone = outline_of(replace(solid, sketch=cad.Sketch((first,))))
        slack = TOUCHING * float(np.ptp(whole, axis=0).max())
        moves: dict[str, Moves] = {}
        for along, what in enumerate(("width", "length")):
            if max(abs(a[along] - b[along]) for a, b in zip(whole, alone)) > slack:
                continue  # something else is wider
            match first.shape:
                case cad.Rect():
                    moves[what] = self.both_ends(index, along)
                case cad.Loop():
                    moves[what] = self.side(index, along, 1)
        return moves

    def side(self, index: int, along: int, sign: int, by: float = 1.0) -> Moves:
        """The moves that follow if one side of a step's solid moves outward: features on that face go with it, and cuts
        through the solid still go through.

        Args:
            along: The axis of the solid's plane, 2 for its normal.
            sign: 1 or -1, the side.
            by: How far the side moves.
        """
        solid = self.solid(index)
        direction = np.zeros(3) if solid is None else axes(solid.plane)[:, along] * sign
        axis = int(np.abs(direction).argmax())
        if abs(abs(direction[axis]) - 1) > TOUCHING:
            return ()
        outward = float(np.sign(direction[axis]))
        bottom, top = sorted((self.boxes[index][0][:, axis] * outward).tolist())
        slack = TOUCHING * float(np.ptp(self.boxes[index][0], axis=0).max())
        face = _Face(axis, outward, by, bottom, slack)
        faces, moves = [top], ()
        body: Body | None = self
        while body is not None:
            moves += face.steps(body, index, faces) + face.holes(body, faces)
            body, index = body.around or (None, index)
        return moves


def _box(solid: cad.Solid | cad.Program) -> tuple[np.ndarray, int | None] | None:
    """The box around what can stand on a face, and the axis that it is extruded along."""
    if isinstance(solid, cad.Program):
        if solid.placement is not None or any(isinstance(finish, cad.Mirror) for finish in solid.finishes):
            return None
        boxes = [_box(step.solid) for step in solid.steps if step.operation is cad.Operation.UNION]
        if None in boxes or len(solid.steps) > MOST_STEPS:
            return None
        return bounding_box(np.concatenate([box for box, _ in boxes])), boxes[0][1]
    if not isinstance(solid, cad.Box | cad.Cylinder | cad.Extrusion):
        return None
    return box_of(solid), axis_of(solid.plane)


@dataclass(frozen=True)
class _Face:
    """A face that moves.

    Args:
        axis: The axis of space that it is square to.
        outward: 1 or -1, the direction in which it moves.
        by: How far it moves.
        bottom: The place of the opposite face along that direction.
        slack: Faces nearer to each other than this touch.
    """

    axis: int
    outward: float
    by: float
    bottom: float
    slack: float

    def steps(self, body: Body, index: int, faces: list[float]) -> Moves:
        """What moves of the other steps of a body; a feature on a face adds a face of its own to `faces`."""
        waiting = {
            number: sorted((box[:, self.axis] * self.outward).tolist())
            for number, (box, axis) in body.boxes.items()
            if number != index and axis == self.axis
        }
        moves: Moves = ()
        for face in faces:  # grows
            for number, (near, far) in list(waiting.items()):
                step, path = body.step(number), (*body.path, "steps", number, "solid")
                if step.operation is cad.Operation.UNION and abs(near - face) <= self.slack:
                    moves += self.shifted(step.solid, path)
                    faces.append(far)
                elif step.operation is cad.Operation.CUT and near < face - self.slack and far >= face - self.slack:
                    is_pocket = near > self.bottom + self.slack  # which keeps its depth
                    moves += self.shifted(step.solid, path) if is_pocket else self.far_end(step.solid, path)
                else:
                    continue
                del waiting[number]
        return moves

    def holes(self, body: Body, faces: list[float]) -> Moves:
        moves: Moves = ()
        for number, finish in enumerate(body.program.finishes):
            if not isinstance(finish, cad.Hole) or axis_of(finish.plane) != self.axis:
                continue
            if min(abs(finish.plane.origin[self.axis] * self.outward - face) for face in faces) <= self.slack:
                moves += self.shifted(finish, (*body.path, "finishes", number))
        return moves

    def shifted(self, node: cad.Solid | cad.Program | cad.Hole, path: Path) -> Moves:
        """All of a solid, a body or a hole moves."""
        return tuple(
            ((*place, "plane", "origin", self.axis), self.by * self.outward) for place in _on_planes(node, path)
        )

    def far_end(self, solid: cad.Solid | cad.Program, path: Path) -> Moves:
        """The end of a cut on the outward side moves; the other one stays. A body that is cut away has no such end."""
        if isinstance(solid, cad.Program):
            return ()
        normal = float(np.sign(axes(solid.plane)[self.axis, 2]))
        way = self.by * normal * self.outward
        if isinstance(solid, cad.Extrusion):
            if solid.both:
                middle = replace(self, by=self.by / 2).shifted(solid, path)
                return (*middle, ((*path, "distance"), float(np.copysign(self.by / 2, solid.distance))))
            if solid.distance * way > 0:
                return (((*path, "distance"), way),)
            return (*self.shifted(solid, path), ((*path, "distance"), -way))
        size = "depth" if isinstance(solid, cad.Box) else "height"
        return ((*path, size), self.by), ((*path, "offset"), 0.5 * way)


def _on_planes(node: cad.Solid | cad.Program | cad.Hole, path: Path) -> Iterator[Path]:
    """The places of all that stands on a plane."""
    if not isinstance(node, cad.Program):
        yield path
        return
    for index, step in enumerate(node.steps):
        yield from _on_planes(step.solid, (*path, "steps", index, "solid"))
    for index, finish in enumerate(node.finishes):
        if isinstance(finish, cad.Hole):
            yield *path, "finishes", index
