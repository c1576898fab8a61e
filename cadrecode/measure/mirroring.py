"""Symmetry used: features that are equal on both sides of a plane, and those of one side on the other, too."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace

from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.features import Feature, Prism, exchanged, numbers_of
from cadrecode.measure.gaps import with_gaps
from cadrecode.measure.judge import Judge
from cadrecode.measure.mirror_sketches import Axis
from cadrecode.measure.mirrors import MirrorPlane
from cadrecode.measure.shorten import apart, pooled_steps
from cadrecode.program.language import ORIGIN, Circle, Loop, Rect, SketchStep
from cadrecode.program.solid import iou, through_holes

NEAR = 2.0  # times what a surface explains: places whose images are nearer to each other are meant to be equal
PARTNERS = 0.4  # IoU of a feature's image with another: that may be meant to be the image
# nats by which the points of a place alone must speak for a hole that its images show; where so many of these have
# points of their own, by how much they may speak against it
LIKELIER, MOST_OF_IMAGES = 1.0, 3
SHARED_TIME = 0.4  # of the time that is left, for such holes
POINTS_PER_SECOND = 40_000  # of looking for them
SELF = 0.98  # IoU of a feature with its own image: it stands in the middle


def evened(features: tuple[Feature, ...], planes: Sequence[MirrorPlane], judge: CloudJudge) -> tuple[Feature, ...]:
    """The features equal on both sides of planes of symmetry, where the points do not contradict it by more than the
    numbers are worth that need not be known any more."""
    for plane, index in itertools.product(planes, range(len(features))):
        if judge.out_of_time:
            break
        feature, near = features[index], NEAR * judge.exact
        equal = _with_equal_places(feature, plane, near)
        features = _better(features, [exchanged(features, index, equal)], judge, judge.price)
        for step in range(len(getattr(features[index], "steps", ()))):
            other = [exchanged(features, index, way) for way in _with_equal_sides(features[index], step, plane, near)]
            half = numbers_of([features[index].steps[step]]) // 2
            features = _better(features, other, judge, judge.price * half)
    return features


def _better(
    features: tuple[Feature, ...], others: Sequence[tuple[Feature, ...]], judge: CloudJudge, slack: float
) -> tuple[Feature, ...]:
    """The best of other features where it is as good but for a slack, and no longer or better."""
    best = max(others, key=judge.score, default=features)
    longer = sum(feature.numbers for feature in best) > sum(feature.numbers for feature in features)
    return best if judge.score(best) > judge.score(features) - (0.0 if longer else slack) else features


def _with_equal_sides(feature: Feature, index: int, plane: MirrorPlane, near: float) -> list[Prism]:
    """An extrusion with one of its outlines equal on both sides of a plane: as the upper side is, and as the lower."""
    step = feature.steps[index] if isinstance(feature, Prism) else None
    if step is None or feature.axis == plane.axis or not isinstance(step.shape, Loop) or step.places != ORIGIN:
        return []
    loops = [plane.line(feature.axis, near).evened(step.shape, way) for way in (1, -1)]
    steps = [exchanged(feature.steps, index, replace(step, shape=loop)) for loop in loops if loop]
    return [replace(feature, steps=own) for own in steps]


def _with_equal_places(feature: Feature, plane: MirrorPlane, near: float) -> Feature:
    """A feature in the middle where it nearly is, or with what it has on both sides at places opposite each other."""
    if not isinstance(feature, Prism):
        return feature
    if feature.axis == plane.axis:
        half, off = (feature.high - feature.low) / 2, feature.low + feature.high - 2 * plane.place
        low, high = round(plane.place - half, 3), round(plane.place + half, 3)
        return replace(feature, low=low, high=high) if 0 < abs(off) <= 2 * near else feature
    return replace(feature, steps=_paired(feature.steps, plane.line(feature.axis, near)))


def _paired(steps: tuple[SketchStep, ...], line: Axis) -> tuple[SketchStep, ...]:
    """Steps whose circles and rectangles stand on the line, or in pairs of one size at places opposite each other."""
    items = [(index, place) for index, step in enumerate(steps) if _is_plain(step) for place in step.places]
    places = {index: list(step.places) for index, step in enumerate(steps) if _is_plain(step)}
    shapes = {index: step.shape for index, step in enumerate(steps)}
    for index, place in items:
        if line.height(place) == 0:
            places[index][places[index].index(place)] = line.foot(place)
    for (first, place), (second, other) in itertools.combinations(items, 2):
        image = line.image(other)
        both = place in places[first] and other in places[second]
        if both and apart(place, image) <= line.near and _same_size(shapes[first], shapes[second], line.near):
            middle = round((place[0] + image[0]) / 2, 3), round((place[1] + image[1]) / 2, 3)
            places[first][places[first].index(place)] = middle
            places[second][places[second].index(other)] = line.image(middle)
            shapes[second] = shapes[first]
    return pooled_steps(
        [
            replace(step, shape=shapes[index], places=tuple(places[index])) if index in places else step
            for index, step in enumerate(steps)
        ]
    )


def _is_plain(step: SketchStep) -> bool:
    return isinstance(step.shape, Circle | Rect) and isinstance(step.places, tuple)


def _same_size(first: object, second: object, near: float) -> bool:
    if isinstance(first, Circle) and isinstance(second, Circle):
        return abs(first.radius - second.radius) <= near
    if isinstance(first, Rect) and isinstance(second, Rect):
        return apart((first.width, first.height), (second.width, second.height)) <= near
    return False


def with_shared_gaps(
    features: tuple[Feature, ...], planes: Sequence[MirrorPlane], judge: CloudJudge
) -> tuple[Feature, ...]:
    """The features with through holes that only the points of both sides of planes of symmetry show together.

    Each hole has to be likelier than none by the points of its own place alone, too.
    """
    now = time.thread_time()
    seconds = SHARED_TIME * (judge.deadline - now)
    if not planes or POINTS_PER_SECOND * seconds < len(judge.points):  # its own points alone show nothing more
        return features
    alone = both = judge.by(POINTS_PER_SECOND * seconds / 2 ** len(planes))
    for plane in planes:
        both = both.joined_by(plane.of_points(both.points), plane.of_directions(both.normals))
    both.deadline = now + seconds
    sharp, found = alone.sharper(), with_gaps(features, both)[len(features) :]
    for hole in found:
        for step in hole.steps:
            ways = {place: replace(hole, steps=(replace(step, places=(place,)),)) for place in step.places}
            worth = {place: sharp.evidence(features, (*features, own)) for place, own in ways.items()}
            sure = [place for place in ways if worth[place] > LIKELIER]
            like = [place for place in ways if worth[place] > -LIKELIER and len(sure) >= MOST_OF_IMAGES]
            if places := tuple(dict.fromkeys((*sure, *like))):
                features = (*features, replace(hole, steps=(replace(step, places=places),)))
    return features


def with_images(features: tuple[Feature, ...], planes: Sequence[MirrorPlane], judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with the images of those that stand on one side of a plane of symmetry: in place of what stands
    there, where that explains the points as well, or added, where the points there speak for it, too."""
    for plane in planes:
        for index in range(1, len(features)):
            if judge.out_of_time:
                return features
            features = _with_image(features, index, plane, judge)
    return features


def _with_image(
    features: tuple[Feature, ...], index: int, plane: MirrorPlane, judge: CloudJudge
) -> tuple[Feature, ...]:
    image = plane.of_feature(features[index])
    if image is None or image in features:
        return features
    own, solid = judge.solid_of(features[index]), judge.solid_of(image)
    if iou(own, solid) > SELF:
        return features
    partner, shared = _partner(features, index, image, judge)
    if shared > PARTNERS:
        return _better(features, [exchanged(features, partner, image)], judge, judge.price)
    other = (*features[: index + 1], image, *features[index + 1 :])
    if judge.score(other) > judge.score(features):
        return other
    is_hole = through_holes(judge.build(other)) > through_holes(judge.build(features))
    return other if is_hole and judge.evidence(features, other) > judge.nats_per_number else features


def _partner(features: Sequence[Feature], index: int, image: Prism, judge: Judge) -> tuple[int, float]:
    """Which other feature is most like an image, and how much."""
    best, most = index, 0.0
    for other, feature in enumerate(features):
        if other not in (0, index) and isinstance(feature, Prism) and feature.operation is image.operation:
            shared = iou(judge.solid_of(feature), judge.solid_of(image))
            best, most = (other, shared) if shared > most else (best, most)
    return best, most
