"""Outlines that repeat around a circle, as of gears, splines and knobs: a disc with one tooth or notch, many times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from manifold3d import CrossSection, JoinType

from cadrecode.geometry import polygon_area
from cadrecode.measure.outlines import DECIMALS, outline_of
from cadrecode.measure.walls import circle_through_all
from cadrecode.program.language import Circle, Face, Mode, Rect, Ring, Sketch, SketchStep
from cadrecode.program.section import cross_section

FEWEST, MOST = 5, 90  # teeth
ON_OUTLINE = 4096  # points along an outline
LEAST_DEPTH = 0.02  # of the radius: a rim that varies by less is round
BINS = 1024  # around the circle, for the order of the symmetry
CLEAR = 0.3  # share of the strongest harmonic, from which a harmonic counts
ALIKE = 0.995  # least IoU of an outline with itself turned by a tooth, and with the outline that is written
RECTANGULAR = 0.97  # IoU of a notch or tooth with a rectangle
SMOOTH = 0.01  # of its radius: how far a round notch may lie off its circle
ON_RIM = 2e-3  # of the radius: corners so near to the disc's rim lie on it
BEYOND = 2.0  # CODE: a notch begins so far outside of the disc, and a tooth so far inside
SLIVER = 0.1  # CODE: a piece thinner than twice this lies between the disc and the sides of a mesh's circle
SIDES = 0.01  # CODE: how finely discs are drawn
ANGLE_DECIMALS = 2


def ringed(area: CrossSection, tolerance: float) -> Iterator[tuple[SketchStep, ...]]:
    """The outer outline of a section as a disc and a ring of notches, or of teeth; nothing where it is neither.

    Args:
        tolerance: As of `outline_of`, CODE.
    """
    polygons = area.to_polygons()
    outer = max(polygons, key=polygon_area, default=np.empty((0, 2)))
    if len(outer) < 3 * FEWEST:
        return
    filled = CrossSection([outer])
    center = np.round(_centroid(outer), DECIMALS)
    filled = filled.translate((-center).tolist())
    boundary = _dense(outer - center)
    radii = np.hypot(*boundary.T)
    root, tip = float(radii.min()), float(radii.max())
    count = _count(boundary, radii) if root > 0 and tip - root > LEAST_DEPTH * tip else 0
    if not count or _iou(filled, filled.rotate(360 / count)) < ALIKE:
        return
    corners = np.hypot(*(outer - center).T)
    low = corners[corners < root + LEAST_DEPTH / 2 * tip]
    root = float(np.median(low)) if len(low) else root  # the sides of a mesh cut into its circles
    for mode, radius in ((Mode.SUBTRACT, tip), (Mode.ADD, root)):
        radius = round(radius, DECIMALS)
        disc = cross_section(Sketch.of(Circle(radius)), SIDES)
        rest = disc - filled if mode is Mode.SUBTRACT else filled - disc
        pieces = rest.offset(-SLIVER, JoinType.Miter).offset(SLIVER, JoinType.Miter).decompose()
        largest = max((part.area() for part in pieces), default=0.0)
        pieces = [part for part in pieces if part.area() > 0.5 * largest]
        if len(pieces) != count:
            continue
        steps = (SketchStep(Circle(radius)), _repeated(pieces[0], mode, radius, disc, count, tolerance))
        if steps[1] is not None and _iou(cross_section(Sketch(steps), SIDES), filled) > ALIKE:
            yield tuple(_moved(step, center) for step in steps)


def _repeated(
    piece: CrossSection, mode: Mode, rim: float, disc: CrossSection, count: int, tolerance: float
) -> SketchStep | None:
    """A notch or a tooth as a rectangle, a circle or a loop of its own, at its places; None where it is none."""
    corners = np.asarray(max(piece.to_polygons(), key=len), np.float64)
    turn = float(np.degrees(np.arctan2(*_centroid(corners)[::-1])))
    corners = np.asarray(max(piece.rotate(-turn).to_polygons(), key=len), np.float64)
    first = round(turn % (360 / count), ANGLE_DECIMALS) % round(360 / count, ANGLE_DECIMALS)

    def at(radius: float, shape: Circle | Rect | Face) -> SketchStep:
        return SketchStep(shape, mode, Ring((0.0, 0.0), round(radius, DECIMALS), first, 360, count))

    inner, outer = float(corners[:, 0].min()), float(np.hypot(*corners.T).max())
    if mode is Mode.SUBTRACT:
        outer = rim + BEYOND
    else:
        inner, outer = rim - BEYOND, float(corners[:, 0].max())
    width, height = round(outer - inner, DECIMALS), round(float(np.ptp(corners[:, 1])), DECIMALS)
    box = CrossSection.square((width, height), True).translate(((inner + outer) / 2, 0.0))
    own = CrossSection([corners])
    if _iou(box ^ disc if mode is Mode.SUBTRACT else box - disc, own) > RECTANGULAR:
        return at((inner + outer) / 2, Rect(width, height))
    edge = _dense(corners)
    free = edge[np.abs(np.hypot(*edge.T) - rim) > ON_RIM * rim]
    if len(free) > 3:
        x, y, radius = circle_through_all(free)
        if abs(y) < SMOOTH * rim and np.abs(np.hypot(*(free - (x, y)).T) - radius).max() < SMOOTH * radius:
            return at(x, Circle(round(radius, DECIMALS)))
    on_rim = np.abs(np.hypot(*corners.T) - rim) < ON_RIM * rim
    beyond = 1 + (BEYOND if mode is Mode.SUBTRACT else -BEYOND) / rim
    outline = outline_of(np.where(on_rim[:, None], corners * beyond, corners) - (rim, 0.0), tolerance)
    return None if outline is None else at(rim, Face(Sketch.of(outline.shape, (outline.place,))))


def _count(boundary: np.ndarray, radii: np.ndarray) -> int:
    """The number of times that the outline repeats: the lowest strong harmonic of its radius; 0 where it does not."""
    angles = np.arctan2(*boundary.T[::-1])
    order = np.argsort(angles)
    around = np.linspace(-np.pi, np.pi, BINS, endpoint=False)
    strength = np.abs(np.fft.rfft(np.interp(around, angles[order], radii[order], period=2 * np.pi)))[1 : MOST + 1]
    lowest = int(np.flatnonzero(strength > CLEAR * strength.max())[0]) + 1
    return lowest if lowest >= FEWEST else 0


def _moved(step: SketchStep, center: np.ndarray) -> SketchStep:
    x, y = center.tolist()
    places = replace(step.places, center=(x, y)) if isinstance(step.places, Ring) else ((x, y),)
    return replace(step, places=places)


def _centroid(polygon: np.ndarray) -> np.ndarray:
    following = np.roll(polygon, -1, axis=0)
    cross = polygon[:, 0] * following[:, 1] - following[:, 0] * polygon[:, 1]
    return (polygon + following).T @ cross / (3 * cross.sum())


def _dense(polygon: np.ndarray) -> np.ndarray:
    """(ON_OUTLINE, 2) points along a polygon, equally far apart."""
    closed = np.vstack((polygon, polygon[:1]))
    way = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))))
    places = np.linspace(0, way[-1], ON_OUTLINE, endpoint=False)
    return np.column_stack([np.interp(places, way, closed[:, axis]) for axis in range(2)])


def _iou(first: CrossSection, second: CrossSection) -> float:
    common = (first ^ second).area()
    return common / max(first.area() + second.area() - common, 1e-12)
