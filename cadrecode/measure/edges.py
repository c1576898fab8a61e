"""Fillets and chamfers of the rims of a part's outermost faces, where the exact solid is narrower there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manifold3d import CrossSection, Manifold, OpType

from cadrecode.geometry import perimeter
from cadrecode.measure.features import RIM_NUMBERS, Drilled, Feature, Rim, exchanged
from cadrecode.measure.heads import with_drilled_holes
from cadrecode.measure.judge import Judge, better
from cadrecode.measure.sizes import with_best_size
from cadrecode.measure.turning import across
from cadrecode.program.language import Blend
from cadrecode.program.solid import bounds

BELOW = 0.02  # CODE: how far below a face the sections are compared
LEAST_SIZE = 0.4  # CODE
ALIKE = 0.15  # of their width: faces that differ by less are tried together
EDGES = None, "%CIRCLE", "%LINE"  # which edges of a face are tried
SHARES = {Blend.CHAMFER: 1.0, Blend.FILLET: 1.12}  # of the width: a fillet is already narrower a little below its face
MOST_RIMS = 4
LIKELIEST = 4  # rims of whole faces whose round and straight edges are tried alone
NAMES = "XYZ"


def with_rims(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features, followed by the fillets and chamfers that pay for their numbers."""
    for _ in range(MOST_RIMS):
        rims = [
            Rim(blend, round(share * width, 3), faces)
            for faces, width in faces_alike(_lacking(features, judge)).items()
            for blend, share in SHARES.items()
        ]
        best = features
        for edges in EDGES:  # all edges of each face first, then some edges of the likeliest faces
            best = best_joined(features, [replace(rim, edges=edges) for rim in rims], best, judge)
            if judge.out_of_time:
                return best
            rims = sorted(rims, key=lambda rim: -judge.score((*features, rim)))[:LIKELIEST] if edges is None else rims
        if best == features:
            break
        features = with_best_rim_size(features, best, judge)
    return features


def best_joined(
    features: tuple[Feature, ...], rims: Sequence[Rim], best: tuple[Feature, ...], judge: Judge
) -> tuple[Feature, ...]:
    """The best of what is known and of the features with one of the rims, last or before the holes that are drilled,
    whose mouths stay sharp then."""
    drilled: dict[str, tuple[Feature, ...]] = {}  # by the face that holes are drilled from
    for rim in rims:
        if judge.out_of_time:
            break
        best = better(best, (*features, rim), judge)
        body, face = features, rim.faces[:2]
        if rim.edges is None:
            if face not in drilled:
                drilled[face] = with_drilled_holes(features, NAMES.index(face[1]), face[0], judge)
            body = drilled[face]
        first = next((index for index, feature in enumerate(body) if isinstance(feature, Drilled)), len(body))
        if first < len(body) and not judge.out_of_time:
            best = better(best, (*body[:first], rim, *body[first:]), judge)
    return best


def with_best_rim_size(features: tuple[Feature, ...], rimmed: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features with the one rim more that `rimmed` has, in its best size."""
    index = max(
        i
        for i, feature in enumerate(rimmed)
        if isinstance(feature, Rim) and rimmed.count(feature) > features.count(feature)
    )
    rim = rimmed[index]
    return with_best_size(rimmed, rim.size, lambda size: exchanged(rimmed, index, replace(rim, size=size)), judge)[0]


def lacks_rims(features: tuple[Feature, ...], judge: Judge) -> bool:
    """Whether the solid is narrower than the features at the end of an outermost face."""
    return bool(_lacking(features, judge))


def _lacking(features: tuple[Feature, ...], judge: Judge) -> dict[str, float]:
    return _widths(judge.build(features), judge.solid, judge.price * RIM_NUMBERS * judge.solid.volume())


def faces_alike(widths: dict[str, float]) -> dict[str, float]:
    """Selectors of faces to try and the width of each: single faces, opposite faces alike, and all of one width."""
    groups = [[face] for face in widths]
    groups += [[face, face.replace(">", "<")] for face in widths if face[0] == ">"] + [list(widths)]
    mean = {" or ".join(group): np.mean([widths.get(face, 0.0) for face in group]) for group in groups if group}
    return {
        faces: float(width)
        for faces, width in mean.items()
        if all(abs(widths.get(face, 0.0) - width) < ALIKE * width for face in faces.split(" or "))
    }


def _widths(body: Manifold, solid: Manifold, least: float) -> dict[str, float]:
    """For the selector of each outermost face the width of the band that the solid lacks just below it.

    Args:
        least: The band's area times its width, about twice the volume that the rim takes.
    """
    low, high = bounds(body)
    widths = {}
    for axis in range(3):
        turned = across(body, axis), across(solid, axis)
        for sign, end in ((">", float(high[axis])), ("<", float(low[axis]))):
            height = end - BELOW if sign == ">" else end + BELOW
            own, true = (part.slice(height) for part in turned)
            bands = [] if true.is_empty() else [band for band in (own - true).decompose() if _width(band) > LEAST_SIZE]
            if bands:
                lacks = CrossSection.batch_boolean(bands, OpType.Add)
                width = _width(lacks)
                if lacks.area() * width > least:
                    widths[f"{sign}{NAMES[axis]}"] = width
    return widths


def _width(band: CrossSection) -> float:
    around = sum(map(perimeter, band.to_polygons()))
    return 2 * band.area() / around if around > 0 else 0.0
