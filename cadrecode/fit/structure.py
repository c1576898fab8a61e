"""Changes of a program's structure to try: without a feature, with a feature reversed, with a feature added."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from cadrecode.fit.knobs import finishes_of, solids_of
from cadrecode.fit.objective import Evaluated, Objective
from cadrecode.links import linked_within
from cadrecode.program import Program
from cadrecode.program import language as cad
from cadrecode.program.edit import number_at, replaced
from cadrecode.program.planes import plane_axes
from cadrecode.program.section import cross_section
from cadrecode.program.solid import bounds

FAR = 0.015  # of the cloud's size: a feature is added for points farther from the surface than this
LINKED = 0.06  # of the cloud's size, and at least twice the spacing: places nearer than this are one feature
FEWEST = 6  # places in a feature
FEATURES = 3  # of each kind, the largest
TRIM = 0.02  # share of a feature's places that may lie beyond each side of its box
ROUND = 0.05  # of a radius: the median error of places that lie on one circle
THROUGH = 0.02  # of the cloud's size: how far a cut that goes through sticks out
REACHED = 0.25  # of the way from the body to the face: a feature is added for points farther out than this
REACHES = 0.01, 0.05, 0.2  # of the cloud's size: how deep such a feature reaches into the body


def simpler(program: Program) -> Iterator[Program]:
    """Programs without one of their parts: a solid, a finish, a shape of a sketch, a place of a pattern, a corner."""
    if len(program.steps) > 1:
        for index in range(len(program.steps)):
            yield _without_step(program, index)
    for path, _ in finishes_of(program):
        *body, _, index = path
        finishes = number_at(program, (*body, "finishes"))
        yield replaced(program, (*body, "finishes"), (*finishes[:index], *finishes[index + 1 :]))
    for path, solid in solids_of(program):
        if isinstance(solid, cad.Extrusion | cad.Revolution):
            for sketch in _simpler_sketches(solid.sketch):
                yield replaced(program, (*path, "sketch"), sketch)


def _without_step(program: Program, index: int) -> Program:
    steps = list(program.steps)
    del steps[index]
    first = dataclasses.replace(steps[0], operation=cad.Operation.UNION)
    return dataclasses.replace(program, steps=(first, *steps[1:]))


def _simpler_sketches(sketch: cad.Sketch) -> Iterator[cad.Sketch]:
    for index, step in enumerate(sketch.steps):
        others = (*sketch.steps[:index], *sketch.steps[index + 1 :])
        if isinstance(step, cad.Corners):
            yield cad.Sketch(others)
            continue
        if others and isinstance(others[0], cad.SketchStep):
            first = dataclasses.replace(others[0], mode=cad.Mode.ADD)  # a hole of the removed shape becomes a shape
            yield cad.Sketch((first, *others[1:]))
        for changed in _simpler_steps(step):
            yield cad.Sketch((*sketch.steps[:index], changed, *sketch.steps[index + 1 :]))


def _simpler_steps(step: cad.SketchStep) -> Iterator[cad.SketchStep]:
    if isinstance(step.places, tuple) and len(step.places) > 1:
        for index in range(len(step.places)):
            yield dataclasses.replace(step, places=(*step.places[:index], *step.places[index + 1 :]))
    if isinstance(step.shape, cad.Face):
        for inner in _simpler_sketches(step.shape.sketch):
            yield dataclasses.replace(step, shape=cad.Face(inner))
    if isinstance(step.shape, cad.Loop) and len(step.shape.edges) > 3:
        for index in range(len(step.shape.edges)):
            edges = (*step.shape.edges[:index], *step.shape.edges[index + 1 :])
            yield dataclasses.replace(step, shape=cad.Loop(step.shape.start, edges))


def turned_over(program: Program) -> Iterator[Program]:
    """Programs in which a solid or a shape of a sketch is cut instead of added, or the other way around; is extruded
    the other way, or both ways; or in which a round shape is square.
    """
    for index, step in enumerate(program.steps):
        if index:
            other = cad.Operation.CUT if step.operation is cad.Operation.UNION else cad.Operation.UNION
            yield replaced(program, ("steps", index, "operation"), other)
    for path, solid in solids_of(program):
        if not isinstance(solid, cad.Extrusion):
            continue
        if solid.both:
            yield replaced(program, (*path, "both"), False)
        else:
            yield replaced(program, path, dataclasses.replace(solid, distance=solid.distance / 2, both=True))
        yield replaced(program, (*path, "distance"), -solid.distance)
        for index, drawn in enumerate(solid.sketch.steps):
            here = (*path, "sketch", "steps", index)
            if isinstance(drawn, cad.Corners):
                continue
            if index:
                mode = cad.Mode.SUBTRACT if drawn.mode is cad.Mode.ADD else cad.Mode.ADD
                yield replaced(program, (*here, "mode"), mode)
            for shape, places in _plainer(drawn):
                yield replaced(program, here, dataclasses.replace(drawn, shape=shape, places=places))


def _plainer(step: cad.SketchStep) -> Iterator[tuple[cad.Circle | cad.Rect, cad.Places]]:
    """A circle for a rectangle, a rectangle for a circle, either for a loop."""
    match step.shape:
        case cad.Circle(radius):
            yield cad.Rect(2 * radius, 2 * radius), step.places
        case cad.Rect(width, height):
            yield cad.Circle((width + height) / 4), step.places
        case cad.Loop() | cad.Face():
            x0, y0, x1, y1 = cross_section(cad.Sketch.of(step.shape), np.inf).bounds()
            if x1 > x0 and y1 > y0:
                places = tuple((x + (x0 + x1) / 2, y + (y0 + y1) / 2) for x, y in cad.points_of(step.places))
                yield cad.Rect(x1 - x0, y1 - y0), places
                yield cad.Circle((x1 - x0 + y1 - y0) / 4), places


def richer(program: Program, here: Evaluated, objective: Objective) -> Iterator[Program]:
    """Programs with one more box or cylinder, where points lie off the surface or surface lies off the points."""
    ruler, measured = objective.ruler, here.measured
    far = max(FAR * ruler.size, 3 * ruler.floor)
    wrong = measured.agreement < -0.5
    is_outside = (measured.gaps > far) | wrong
    inside = ruler.points[(measured.gaps < -far) | wrong]
    bare = measured.samples[measured.unsupported > far]
    low, high = ruler.box
    lowest, highest = bounds(here.solid)
    beyond = ((ruler.points < lowest - objective.slack) | (ruler.points > highest + objective.slack)).any(axis=1)
    for places, operation in (
        (ruler.points[is_outside], cad.Operation.UNION),
        (ruler.points[beyond & ~is_outside], cad.Operation.UNION),
        (inside, cad.Operation.CUT),
        (bare, cad.Operation.CUT),
    ):
        for feature in _clusters(places, max(LINKED * ruler.size, 2 * ruler.spacing)):
            corner, opposite = np.quantile(feature, (TRIM, 1 - TRIM), axis=0)
            for axis in range(3):
                for start, end in _spans(axis, corner, opposite, low, high, operation, far + THROUGH * ruler.size):
                    for sketch in _outlines(axis, feature, corner, opposite, ruler.size, operation):
                        solid = cad.Extrusion(cad.Plane.across(axis, start), sketch, end - start)
                        yield dataclasses.replace(program, steps=(*program.steps, cad.Step(operation, solid)))


def trimmed(program: Program, objective: Objective, allowed: float | None = None) -> Iterator[Program]:
    """Programs without what sticks out of the cloud's bounding box, on one side and on all.

    Args:
        allowed: How far it may stick out; the objective's slack when None.
    """
    low, high = objective.ruler.box
    lowest, highest = bounds(objective.solid(program))
    margin = THROUGH * objective.ruler.size
    allowed = objective.slack if allowed is None else allowed
    cuts = []
    for axis in range(3):
        if low[axis] - lowest[axis] > allowed:
            cuts.append(_slab(axis, lowest[axis] - margin, low[axis], lowest - margin, highest + margin))
        if highest[axis] - high[axis] > allowed:
            cuts.append(_slab(axis, high[axis], highest[axis] + margin, lowest - margin, highest + margin))
    for cut in cuts:
        yield dataclasses.replace(program, steps=(*program.steps, cut))
    if len(cuts) > 1:
        yield dataclasses.replace(program, steps=(*program.steps, *cuts))


def reaching(program: Program, objective: Objective, face: int) -> Iterator[Program]:
    """Programs with one more box or cylinder, from the body to a face of the cloud's bounding box, for each group of
    points that lie beyond the body, and for all groups.

    Args:
        face: 0 to 5: below x, y, z, then above.
    """
    axis, sign, ruler = face % 3, 1 if face >= 3 else -1, objective.ruler
    heights = sign * ruler.points[:, axis]
    low, high = (sorted(sign * box[:, axis]) for box in (ruler.box, bounds(objective.solid(program))))
    end, top, bottom = low[1], high[1], high[0]
    beyond = ruler.points[heights > top + REACHED * (end - top)]
    groups = _clusters(beyond, max(LINKED * ruler.size, 2 * ruler.spacing))
    for into in (*(share * ruler.size for share in REACHES), top - bottom):
        start = sign * max(top - into, bottom)
        steps = []
        for group in groups:
            for sketch in _outlines(axis, group, group.min(axis=0), group.max(axis=0), ruler.size, cad.Operation.UNION):
                solid = cad.Extrusion(cad.Plane.across(axis, float(start)), sketch, float(sign * end - start))
                steps.append(cad.Step(cad.Operation.UNION, solid))
                yield dataclasses.replace(program, steps=(*program.steps, steps[-1]))
        if len(groups) > 1:
            yield dataclasses.replace(program, steps=(*program.steps, *steps))


def _slab(axis: int, start: float, end: float, low: np.ndarray, high: np.ndarray) -> cad.Step:
    """A cut of everything between two heights of an axis, as wide as a box."""
    across = plane_axes(axis)
    width, height = (float(high[a] - low[a]) for a in across)
    place = tuple(float(low[a] + high[a]) / 2 for a in across)
    sketch = cad.Sketch.of(cad.Rect(width, height), (place,))
    return cad.Step(cad.Operation.CUT, cad.Extrusion(cad.Plane.across(axis, float(start)), sketch, float(end - start)))


def _clusters(places: np.ndarray, within: float) -> list[np.ndarray]:
    """The largest connected groups of places, largest first."""
    if len(places) < FEWEST:
        return []
    labels = linked_within(places, within)
    sizes = np.bincount(labels)
    largest = np.argsort(-sizes)[:FEATURES]
    return [places[labels == label] for label in largest if sizes[label] >= FEWEST]


def _spans(
    axis: int,
    corner: np.ndarray,
    opposite: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    operation: cad.Operation,
    margin: float,
) -> Iterator[tuple[float, float]]:
    """Start and end of a feature along an axis.

    An added feature reaches into the body on either side, since its places begin where they are far from it. A cut
    spans its places, reaches out to either side, or goes through.
    """
    start, end = float(corner[axis]), float(opposite[axis])
    if operation is cad.Operation.UNION:
        yield start - margin, end
        yield start, end + margin
        return
    if end - start > margin / 4:
        yield start, end
    yield float(low[axis]) - margin, end
    yield start, float(high[axis]) + margin
    yield float(low[axis]) - margin, float(high[axis]) + margin


def _outlines(
    axis: int, feature: np.ndarray, corner: np.ndarray, opposite: np.ndarray, size: float, operation: cad.Operation
) -> Iterator[cad.Sketch]:
    """The rectangle around a feature, a circle if it is about as wide as high, and a shoulder if it is round."""
    across = plane_axes(axis)
    width, height = (max(float(opposite[a] - corner[a]), 0.005 * size) for a in across)
    place = tuple(float(corner[a] + opposite[a]) / 2 for a in across)
    yield cad.Sketch.of(cad.Rect(width, height), (place,))
    if not 0.5 < width / height < 2:
        return
    yield cad.Sketch.of(cad.Circle((width + height) / 4), (place,))
    from_axis = np.linalg.norm(feature[:, across] - place, axis=1)
    radius = float(np.median(from_axis))
    if operation is cad.Operation.CUT and np.median(np.abs(from_axis - radius)) < ROUND * radius:
        around = cad.SketchStep(cad.Circle(size), places=(place,))
        yield cad.Sketch((around, cad.SketchStep(cad.Circle(radius), cad.Mode.SUBTRACT, (place,))))
