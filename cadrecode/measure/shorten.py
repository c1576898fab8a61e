"""Fewer features on the exact solid: needless ones dropped, sketches merged, ends moved to other levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from manifold3d import JoinType

from cadrecode.measure.features import (
    SAME_SIZE,
    Feature,
    Finished,
    Prism,
    exchanged,
    same_shape,
    span_between,
    with_holes,
)
from cadrecode.measure.grid import Grid
from cadrecode.measure.judge import Judge, better
from cadrecode.measure.outlines import DECIMALS
from cadrecode.measure.proposals import Reader, region_of
from cadrecode.program.language import Circle, Mode, Operation, Point2, Rect, SketchStep, count_of
from cadrecode.program.planes import plane_axes
from cadrecode.program.solid import through_holes

FILM_PRICE = 0.002  # IoU that points must say more for each film that a step leaves
FILM = 0.15  # CODE: thicker than what is left between a wall and a cut that ends on it


def without_films(features: tuple[Feature, ...], readers: Sequence[Reader], judge: Judge) -> tuple[Feature, ...]:
    """The features with cuts made a little wider where they leave thin films.

    A cut that ends on a round wall leaves films, because its outline and that of the wall have different facets.
    """
    for index, feature in enumerate(features):
        is_cut = index and isinstance(feature, Prism) and feature.operation is Operation.CUT
        if is_cut and not judge.out_of_time and judge.is_torn(features[: index + 1]):
            reader = readers[feature.axis]
            wider = region_of(feature.steps).offset(FILM, JoinType.Miter)
            steps = with_holes(*reader.outlines(wider, reader.tolerances[0]))
            changed = exchanged(features, index, replace(feature, steps=steps))
            features = better(features, changed, judge) if steps else features
    return features


def sealed(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features without films beside their steps, such as a disk within an arc of its size: wider, or dropped.

    Equal outlines have other facets, between which there are through holes that no place of a sketch makes. Points say
    little of slits that are narrower than they are apart.
    """
    holes = through_holes(judge.build(features))
    for index in reversed(range(len(features))):
        if isinstance(features[index], Finished):
            continue
        for number in reversed(range(len(features[index].steps))):
            steps = features[index].steps
            best, least = features, holes
            for others in _wider_or_gone(steps[number]):
                changed = steps[:number] + others + steps[number + 1 :]
                if judge.out_of_time or not changed or changed[0].mode is not Mode.ADD:
                    continue
                tried = exchanged(features, index, replace(features[index], steps=changed))
                if not judge.makes_a_solid(tried):  # a wider profile may reach over the line that it is turned about
                    continue
                left = through_holes(judge.build(tried))
                own = 0 if others else count_of(steps[number].places)
                if left + own < holes and judge.score(tried) + FILM_PRICE * (least - left) > judge.score(best):
                    best, least = tried, left
            features, holes = best, least
    return features


def _wider_or_gone(step: SketchStep) -> Iterator[tuple[SketchStep, ...]]:
    """A step that is a little wider, and none."""
    match step.shape:
        case Circle(radius):
            yield (replace(step, shape=Circle(round(radius + FILM, DECIMALS))),)
        case Rect(width, height):
            yield (replace(step, shape=Rect(round(width + 2 * FILM, DECIMALS), round(height + 2 * FILM, DECIMALS))),)
    yield ()


def shortened(features: tuple[Feature, ...], judge: Judge, grid: Grid) -> tuple[Feature, ...]:
    """The features without those that are not needed; two features that fit into one sketch are joined."""
    for _ in range(2):
        before = features
        features = respanned(merged(dropped(features, judge), judge), judge, grid)
        if features == before:
            break
    return features


def dropped(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """Without features, steps and places that are not worth their numbers."""
    for index in reversed(range(len(features))):
        if len(features) > 1 and not judge.out_of_time:
            features = better(features, exchanged(features, index), judge)
    for index in reversed(range(len(features))):
        if isinstance(features[index], Finished):
            continue
        for step in reversed(range(len(features[index].steps))):
            steps = features[index].steps
            fewer = steps[:step] + steps[step + 1 :]
            if fewer and fewer[0].mode is Mode.ADD and not judge.out_of_time:
                changed = replace(features[index], steps=fewer)
                features = better(features, exchanged(features, index, changed), judge)
    return features


def merged(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features with cuts as holes of earlier sketches; features of the same span or of equal shapes are joined."""
    index = 1
    while index < len(features) and not judge.out_of_time:
        joined = [(host, both) for host in range(index) for both in _joined(features[host], features[index])]
        for host, together in joined:
            changed = (*features[:host], together, *features[host + 1 : index], *features[index + 1 :])
            if judge.score(changed) > judge.score(features) + 1e-9:
                features = changed
                index -= 1
                break
        index += 1
    return features


def _joined(host: Feature, feature: Feature) -> list[Prism]:
    """Features that may stand for two; none where no sketch says both.

    Of equal shapes whose spans differ, as of posts of which one begins inside of the floor, either span may be meant.
    """
    if not isinstance(host, Prism) or not isinstance(feature, Prism):
        return []
    host = _box_along(feature.axis, host)
    if host.axis != feature.axis:
        return []
    spans = list(dict.fromkeys(((host.low, host.high), (feature.low, feature.high))))
    if feature.operation is host.operation and feature.operation is not Operation.INTERSECT:
        if any(step.mode is not Mode.ADD for step in (*host.steps, *feature.steps)):
            return []
        pooled = pooled_steps((*host.steps, *feature.steps))
        equal = len(pooled) == max(len(host.steps), len(feature.steps))
        return [replace(host, low=low, high=high, steps=pooled) for low, high in spans if equal or len(spans) == 1]
    covers = feature.low <= host.low and feature.high >= host.high
    plain = all(step.mode is Mode.ADD for step in feature.steps)
    if feature.operation is Operation.CUT and host.operation is Operation.UNION and covers and plain:
        cut = tuple(replace(step, mode=Mode.SUBTRACT) for step in feature.steps)
        return [replace(host, steps=pooled_steps((*host.steps, *cut)))]
    return []


def _box_along(axis: int, prism: Prism) -> Prism:
    """The same box extruded along another axis; a prism that is no box is returned unchanged."""
    match prism.steps:
        case (SketchStep(Rect(wide, high), Mode.ADD, ((x, y),)),) if prism.axis != axis:
            middles, sizes = np.zeros(3), np.zeros(3)
            order = [prism.axis, *plane_axes(prism.axis)]
            middles[order] = (prism.low + prism.high) / 2, x, y
            sizes[order] = prism.high - prism.low, wide, high
            low, high = (round(float(middles[axis] + sign * sizes[axis] / 2), DECIMALS + 1) for sign in (-1, 1))
            across = plane_axes(axis)
            place = tuple(round(float(middle), DECIMALS + 1) for middle in middles[across])
            step = SketchStep(Rect(*(round(float(size), DECIMALS) for size in sizes[across])), places=(place,))
            return Prism(prism.operation, axis, low, high, (step,))
    return prism


def pooled_steps(steps: Sequence[SketchStep]) -> tuple[SketchStep, ...]:
    """The steps with those of equal shape and mode joined into one step at several places."""
    pooled: list[SketchStep] = []
    for step in steps:
        for index, earlier in enumerate(pooled):
            if earlier.mode is step.mode and same_shape(earlier.shape, step.shape):
                others = [p for p in step.places if all(apart(p, own) >= SAME_SIZE for own in earlier.places)]
                pooled[index] = replace(earlier, places=(*earlier.places, *others))
                break
        else:
            pooled.append(step)
    return tuple(pooled)


def apart(first: Point2, second: Point2) -> float:
    """How far two places are from each other along the axis where that is more."""
    return max(abs(first[0] - second[0]), abs(first[1] - second[1]))


def respanned(features: tuple[Feature, ...], judge: Judge, grid: Grid) -> tuple[Feature, ...]:
    """Each feature's ends moved to the next levels where that pays."""
    for index in range(len(features)):
        for first_by, last_by in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            feature = features[index]
            if not isinstance(feature, Prism):
                break
            levels = grid.levels[feature.axis]
            first = int(np.abs(levels - feature.low).argmin()) + first_by
            last = int(np.abs(levels - feature.high).argmin()) + last_by
            if 0 <= first < last < len(levels) and not judge.out_of_time:
                low, high = span_between(feature.operation, levels, first, last)
                moved = replace(feature, low=low, high=high)
                features = better(features, exchanged(features, index, moved), judge)
    return features


def flush(features: tuple[Feature, ...], judge: Judge, grid: Grid) -> tuple[Feature, ...]:
    """The features with cuts that end at the part's surface, not beyond it, where another feature ends there, too."""
    for index, feature in enumerate(features):
        if not isinstance(feature, Prism):
            continue
        levels = grid.levels[feature.axis]
        low, high = max(feature.low, float(levels[0])), min(feature.high, float(levels[-1]))
        shorter = replace(feature, low=low, high=high)
        changed = exchanged(features, index, shorter)
        shares = any(
            other is not feature and other.axis == feature.axis and {low, high} & {other.low, other.high}
            for other in features
            if isinstance(other, Prism)
        )
        if shares and shorter != feature and judge.score(changed) > judge.score(features) - 1e-9:
            features = changed
    return features
