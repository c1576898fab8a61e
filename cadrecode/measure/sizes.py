"""The best size of one feature of a body, the others kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from cadrecode.measure.features import Feature
from cadrecode.measure.judge import Judge

STEPS = 0.2, 0.08, 0.03, 0.01, 0.004  # of the size, in which the best is looked for
MOST_STEPS = 3  # of one kind to one side
DECIMALS = 3


def with_best_size(
    features: tuple[Feature, ...],
    size: float,
    changed: Callable[[float], tuple[Feature, ...]],
    judge: Judge,
) -> tuple[tuple[Feature, ...], float]:
    """The features with the size of one of them changed until the body is most like the solid, and that size.

    It looks at the IoU alone: the surface of a few facets is larger than that of the fillet that they stand for.

    Args:
        features: With the size as it is.
        changed: The features with another size.
    """
    for step, sign in itertools.product(STEPS, (1, -1)):
        for _ in range(MOST_STEPS):
            other = round(size * (1 + sign * step), DECIMALS)
            tried = changed(other)
            if judge.out_of_time or not judge.iou(tried) > judge.iou(features):
                break
            features, size = tried, other
    return features, size
