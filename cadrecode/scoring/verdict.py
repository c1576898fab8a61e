"""A word for how good a result is, from what the input shows; the true shape is never asked."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from cadrecode.cloud.distance import CloudRuler
from cadrecode.scoring.candidate import Candidate

GOOD_LIKENESS, SOME_LIKENESS = 0.97, 0.8  # what the IoU is likely to be, at least
STRAY = 0.01  # of the size, beyond spacing and noise: a point or a place so far off belongs to nothing
MANY_STRAYS = 0.004  # of the points: more are a detail that is missing
UNSEEN = 0.2  # of the surface without a point near it: only a part was seen


class Verdict(StrEnum):
    GOOD = "good_match"
    DETAILS = "details_missing"
    PARTLY = "partly_seen"
    NONE = "no_match"


def verdict_on(likeness: float) -> Verdict:
    """For a result whose IoU with the input is known, because the input is a closed solid."""
    if likeness >= GOOD_LIKENESS:
        return Verdict.GOOD
    return Verdict.DETAILS if likeness >= SOME_LIKENESS else Verdict.NONE


def verdict_of(candidate: Candidate, ruler: CloudRuler) -> Verdict:
    """For a result that only a cloud can be asked about.

    A surface that is off by d on average misses the volume by d times its area, so that the distance has a meaning
    that does not depend on how thin a part is.

    Args: ruler: Of the cloud, in the frame of the candidate.
    """
    if not candidate.ok:
        return Verdict.NONE
    measured = ruler.measure(*candidate.mesh)
    off = float(np.mean(np.maximum(np.abs(measured.gaps) - 2 * ruler.noise, 0)))
    likeness = 1 - off * candidate.solid.surface_area() / candidate.solid.volume()
    far = STRAY * ruler.size + 3 * ruler.noise
    if np.mean(measured.unsupported > far) > UNSEEN:
        return Verdict.PARTLY if likeness >= SOME_LIKENESS else Verdict.NONE
    if likeness < SOME_LIKENESS:
        return Verdict.NONE
    strays = np.mean(np.abs(measured.gaps) > far) + np.mean(measured.unsupported > far)
    return Verdict.GOOD if likeness >= GOOD_LIKENESS and strays < MANY_STRAYS else Verdict.DETAILS
