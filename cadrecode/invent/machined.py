"""Parts in the grown language: drilled, rounded, turned, drafted, hollowed; in whole numbers of the CODE frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cadrecode.invent.spelling import HALF_SIDE
from cadrecode.program import language as cad
from cadrecode.program.planes import plane_axes

LONGEST = int(2 * HALF_SIDE)


def draw(rng: np.random.Generator) -> cad.Program:
    """One part; its longest side is about 200, its middle the origin. It may be impossible: draw another one then."""
    kinds: tuple[Callable[..., cad.Program], ...] = (_plate, _flange, _turned, _hollow, _drafted, _outlined, _mirrored)
    return kinds[int(rng.integers(len(kinds)))](rng, int(rng.integers(3)))


def _whole(rng: np.random.Generator, low: float, high: float) -> int:
    return int(rng.integers(round(low), max(round(high), round(low) + 1)))


def _part(solid: cad.Solid, *finishes: cad.Finish) -> cad.Program:
    return cad.Program.of(solid, finishes=finishes)


def _blend(rng: np.random.Generator) -> cad.Blend:
    return cad.Blend.FILLET if rng.random() < 0.6 else cad.Blend.CHAMFER


def _slab(rng: np.random.Generator, axis: int, thinnest: int = 10, thickest: int = 60) -> cad.Box:
    width, height = LONGEST, 2 * _whole(rng, 30, 95)
    if rng.random() < 0.5:
        width, height = height, width
    depth = 2 * _whole(rng, thinnest / 2, thickest / 2)
    return cad.Box(cad.Plane.across(axis, -depth // 2), depth // 2, (0, 0), width, height, depth)


def _hole(rng: np.random.Generator, plane: cad.Plane, places: cad.Places, room: float, depth: float) -> cad.Hole:
    """A hole whose head needs no more than the room around its place."""
    head_radius = max(_whole(rng, room * 0.5, room * 0.9), 4)
    diameter = max(int(head_radius * rng.uniform(0.8, 1.3)), 4)
    choice = rng.random()
    if choice < 0.3:
        return cad.Hole(
            plane,
            places,
            diameter,
            None,
            cad.Counterbore(2 * head_radius, max(_whole(rng, 0.2 * depth, 0.6 * depth), 1)),
        )
    if choice < 0.5:
        sink = cad.Countersink(min(2 * head_radius, int(diameter + depth)), int(rng.choice([82, 90])))
        return cad.Hole(plane, places, min(diameter, int(sink.diameter) - 2), None, sink)
    return cad.Hole(plane, places, diameter, None if choice < 0.8 else max(_whole(rng, 0.3 * depth, 0.8 * depth), 2))


def _plate(rng: np.random.Generator, axis: int) -> cad.Program:
    box = _slab(rng, axis)
    top, letter = cad.Plane.across(axis, box.depth // 2), "XYZ"[axis]
    side = min(box.width, box.height)
    inset = _whole(rng, 12, side / 4)
    finishes: list[cad.Finish] = []
    if rng.random() < 0.7:
        finishes.append(cad.Edges(_blend(rng), _whole(rng, 4, inset), None, f"|{letter}"))
    dx, dy = box.width - 2 * inset, box.height - 2 * inset
    corners = tuple((x * dx / 2, y * dy / 2) for x in (-1, 1) for y in (-1, 1))
    if rng.random() < 0.5:
        places: cad.Places = cad.Grid((0, 0), dx, dy, 2, 2)
    else:
        places = corners if rng.random() < 0.5 else corners[:: int(rng.integers(1, 4))]
    finishes.append(_hole(rng, top, places, inset * 0.8, box.depth))
    if rng.random() < 0.6:
        finishes.append(
            cad.Edges(_blend(rng), max(1, _whole(rng, 1, min(box.depth * 0.2, inset * 0.1))), f">{letter}", None)
        )
    return _part(box, *finishes)


def _flange(rng: np.random.Generator, axis: int) -> cad.Program:
    radius, depth = LONGEST // 2, 2 * _whole(rng, 8, 30)
    disc = cad.Cylinder(cad.Plane.across(axis, -depth // 2), depth // 2, (0, 0), depth, radius)
    hub, length = _whole(rng, 20, 50), 2 * _whole(rng, 10, 30)
    letter = "XYZ"[axis]
    pitch = (radius + hub) // 2
    ring = cad.Ring((0, 0), pitch, int(rng.choice([0, 30, 45])), 360, int(rng.integers(3, 9)))
    top = cad.Plane.across(axis, depth // 2)
    finishes: list[cad.Finish] = [_hole(rng, top, ring, (radius - hub) / 4, depth)]
    if rng.random() < 0.5:
        finishes.insert(0, cad.Edges(_blend(rng), _whole(rng, 2, depth / 4), f"<{letter}", None))
    body = _part(disc, *finishes)
    boss = cad.Cylinder(top, length // 2, (0, 0), length, hub)
    steps = (cad.Step(cad.Operation.UNION, body), cad.Step(cad.Operation.UNION, boss))
    bore = cad.Hole(cad.Plane.across(axis, depth // 2 + length), ((0, 0),), _whole(rng, hub * 0.6, hub * 1.5))
    return cad.Program(steps, None, (bore,))


def _turned(rng: np.random.Generator, axis: int) -> cad.Program:
    """A profile beside the plane's y, turned about it."""
    count = int(rng.integers(2, 5))
    heights = sorted({-LONGEST // 2, LONGEST // 2, *(int(v) for v in rng.integers(-80, 80, count - 1))})
    radii = [_whole(rng, 15, 95) for _ in heights[1:]]
    bore = _whole(rng, 5, min(radii) - 4) if rng.random() < 0.5 else 0
    points = [(bore, heights[0])]
    for low, high, radius in zip(heights, heights[1:], radii):
        points += [(radius, low), (radius, high)]
    points.append((bore, heights[-1]))
    points = [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]
    loop = cad.Loop.through(points)
    degrees = 360 if rng.random() < 0.7 else int(rng.choice([90, 180, 270]))
    part = _part(cad.Revolution(cad.Plane.across(axis, 0), cad.Sketch.of(loop), degrees))
    if degrees == 360 and rng.random() < 0.5:
        letter = "XYZ"[plane_axes(axis)[1]]
        part = replace(part, finishes=(cad.Edges(cad.Blend.CHAMFER, _whole(rng, 1, 4), f">{letter}", None),))
    return part


def _hollow(rng: np.random.Generator, axis: int) -> cad.Program:
    letter = "XYZ"[axis]
    if rng.random() < 0.3:
        height = 2 * _whole(rng, 20, 90)
        solid: cad.Solid = cad.Cylinder(cad.Plane.across(axis, -height // 2), height // 2, (0, 0), height, LONGEST // 2)
        return _part(solid, cad.Shell(-_whole(rng, 3, 9), f">{letter}"))
    box = _slab(rng, axis, 30, 120)
    wall = _whole(rng, 3, 9)
    finishes: list[cad.Finish] = (
        [cad.Edges(cad.Blend.FILLET, _whole(rng, wall + 2, 24), None, f"|{letter}")] if rng.random() < 0.7 else []
    )
    return _part(box, *finishes, cad.Shell(-wall, f">{letter}" if rng.random() < 0.8 else None))


def _drafted(rng: np.random.Generator, axis: int) -> cad.Program:
    base = _slab(rng, axis, 10, 30)
    top, side = cad.Plane.across(axis, base.depth // 2), min(base.width, base.height)
    height = _whole(rng, 15, 60)
    lean = int(rng.integers(3, 16))
    shape = (
        cad.Circle(_whole(rng, side * 0.2, side * 0.4))
        if rng.random() < 0.5
        else cad.Rect(side // 2, _whole(rng, side * 0.3, side * 0.6))
    )
    sketch = cad.Sketch(
        (cad.SketchStep(shape),)
        if isinstance(shape, cad.Circle)
        else (cad.SketchStep(shape), cad.Corners(cad.Blend.FILLET, side // 12))
    )
    steps = [
        cad.Step(cad.Operation.UNION, base),
        cad.Step(cad.Operation.UNION, cad.Extrusion(top, sketch, height, False, lean)),
    ]
    if rng.random() < 0.4:
        dimple = cad.Sphere(
            cad.Plane.across(axis, base.depth // 2 + height), 0, (0, 0), _whole(rng, side * 0.06, side * 0.12)
        )
        steps.append(cad.Step(cad.Operation.CUT, dimple))
    return cad.Program(tuple(steps))


def _outlined(rng: np.random.Generator, axis: int) -> cad.Program:
    """A sketch with rounded corners, and cutouts on a ring."""
    half, depth = LONGEST // 2, _whole(rng, 10, 60)
    across, foot = _whole(rng, 60, 180), _whole(rng, 25, 50)
    arm = _whole(rng, 25, 50)
    low, high = -across // 2, across - across // 2
    points = [
        (-half, low),
        (half, low),
        (half, low + foot),
        (-half + arm, low + foot),
        (-half + arm, high),
        (-half, high),
    ]
    if rng.random() < 0.5:
        steps: tuple = (
            cad.SketchStep(cad.Loop.through(points)),
            cad.Corners(_blend(rng), _whole(rng, 3, 12)),
        )
    else:
        ring = cad.Ring((0, 0), _whole(rng, 45, 70), 0, int(rng.choice([360, 180])), int(rng.integers(3, 7)))
        steps = (
            cad.SketchStep(cad.Circle(half)),
            cad.SketchStep(cad.Rect(_whole(rng, 15, 40), _whole(rng, 8, 20)), cad.Mode.SUBTRACT, ring),
        )
    return _part(cad.Extrusion(cad.Plane.across(axis, -(depth // 2)), cad.Sketch(steps), depth))


def _mirrored(rng: np.random.Generator, axis: int) -> cad.Program:
    """Half of a part with a lug, and its mirror image."""
    depth, height = 2 * _whole(rng, 6, 25), 2 * _whole(rng, 25, 60)
    plane = cad.Plane.across(axis, -depth // 2)
    half = cad.Box(plane, depth // 2, (50, 0), 100, height, depth)
    lug = cad.Cylinder(plane, depth, (_whole(rng, 40, 65), 0), 2 * depth, _whole(rng, 12, 25))
    body = cad.Program((cad.Step(cad.Operation.UNION, half), cad.Step(cad.Operation.UNION, lug)))
    bore = cad.Hole(
        cad.Plane.across(axis, depth + depth // 2), (lug.center,), _whole(rng, lug.radius * 0.6, lug.radius * 1.4)
    )
    across = "XYZ"[plane_axes(axis)[0]]
    mirror = cad.Mirror({"X": "YZ", "Y": "XZ", "Z": "XY"}[across], (0, 0, 0), True)
    return replace(body, finishes=(bore, mirror))
