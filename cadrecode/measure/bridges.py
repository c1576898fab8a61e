"""Material between two sides of a section where the features leave a gap: such a bridge is too little of a part for a
search by volume, and without it the part falls apart, or a hole is open at its side."""

from __future__ import annotations

from manifold3d import CrossSection, JoinType, Manifold

from cadrecode.measure.features import Feature, Prism, sketch_steps, span_between
from cadrecode.measure.judge import Judge, better
from cadrecode.measure.proposals import Survey
from cadrecode.measure.turning import across
from cadrecode.program.language import Operation
from cadrecode.program.solid import through_holes

OVERLAP = 0.5  # CODE: how far a bridge reaches into what it joins
LACKED = 0.9  # of a bridge's area: as much is lacking in each interval that it passes through
MOST_BRIDGES = 12  # that are tried


def with_missing_bridges(features: tuple[Feature, ...], part: Survey, judge: Judge) -> tuple[Feature, ...]:
    """Bridges added where the features are of more bodies than the part, or have fewer through holes, largest first."""
    body = judge.build(features)
    if len(body.decompose()) <= judge.shells and through_holes(body) >= judge.holes:
        return features
    for bridge in _bridges(body, part)[:MOST_BRIDGES]:
        if judge.out_of_time:
            break
        features = better(features, (*features, bridge), judge)
    return features


def _bridges(body: Manifold, part: Survey) -> list[Prism]:
    bridges: dict[Prism, float] = {}
    for axis, sections in enumerate(part.sections):
        levels, reader, turned = part.grid.levels[axis], part.readers[axis], across(body, axis)
        slices = [turned.slice(float(height)) for height in (levels[:-1] + levels[1:]) / 2]
        lacking = [section - own for section, own in zip(sections, slices)]
        for index, section in enumerate(sections):
            sides = slices[index].decompose()
            for piece in lacking[index].decompose():
                reaching = piece.offset(OVERLAP, JoinType.Miter) ^ section
                if sum(not (reaching ^ side).is_empty() for side in sides) < 2:
                    continue
                outlines, _ = reader.outlines(reaching, reader.tolerances[0])
                if outlines:
                    first, last = _reach(piece, lacking, index)
                    low, high = span_between(Operation.UNION, levels, first, last + 1)
                    bridges[Prism(Operation.UNION, axis, low, high, sketch_steps(outlines))] = piece.area()
    return sorted(bridges, key=lambda bridge: -bridges[bridge])


def _reach(piece: CrossSection, lacking: list[CrossSection], index: int) -> tuple[int, int]:
    """The first and the last interval from here on that lack the piece."""
    first = last = index
    while first > 0 and (piece ^ lacking[first - 1]).area() > LACKED * piece.area():
        first -= 1
    while last + 1 < len(lacking) and (piece ^ lacking[last + 1]).area() > LACKED * piece.area():
        last += 1
    return first, last
