"""Programs read off a closed mesh: its levels, its exact sections, and the few features that fill it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import numpy as np
from manifold3d import CrossSection, Manifold

from cadrecode.errors import ProgramError
from cadrecode.measure.bridges import with_missing_bridges
from cadrecode.measure.covered import uncovered
from cadrecode.measure.edges import lacks_rims, with_rims
from cadrecode.measure.features import Feature, Finished, program_of
from cadrecode.measure.grid import Grid, along
from cadrecode.measure.heads import with_heads
from cadrecode.measure.holes import Hole, holes_of, with_missing_holes, with_missing_lugs
from cadrecode.measure.judge import PRICE, SAGITTA, Judge
from cadrecode.measure.levels import levels_of_faces
from cadrecode.measure.measured import Measured
from cadrecode.measure.meridians import HalfSections
from cadrecode.measure.mirrors import planes_of_solid
from cadrecode.measure.outlines import DECIMALS
from cadrecode.measure.proposals import Reader, Survey, proposals
from cadrecode.measure.rounding import rounded
from cadrecode.measure.search import FINISHED, Search, drafts_of
from cadrecode.measure.shorten import dropped, flush, shortened, without_films
from cadrecode.measure.slanted import with_slanted_holes
from cadrecode.measure.spelling import respelled, sharpened_ends
from cadrecode.measure.turned import ends_of_bends, turned_proposals
from cadrecode.measure.turning import across
from cadrecode.program.planes import plane_axes
from cadrecode.program.solid import bounds, build, through_holes, triangles_of
from cadrecode.program.solid import from_mesh as solid_from_mesh

READING_SHARE = 0.35  # of the time, for reading; sections that have not been read by then are left out
FIRST_SHARE = 0.7  # of that time, for the first reading; the rest is for a second one where bends end within the part
SEARCH_SHARE, PLAIN_SHARE = 0.4, 0.5  # of the time that is left: when the searches on the grid end
SHORT_SHARE, RIMS_SHARE = 0.65, 0.78  # when features are short, and when rims have been tried
SLANTED_SHARE = 0.5  # of the time that is left for a draft: the rest is for making it short
LAST_HOLES_SHARE = 0.5  # of the time that is left then: for holes that are still missing
COVERED_SHARE = 0.25  # of the time that is left when features are written: for outlines without what others fill
PLAIN = 5  # times the price: for a body without its rims, which are looked for afterwards

SAME_SECTION = 0.02  # of the area: sections of one interval that differ by more are of something slanted
MARGIN = 0.04  # of an interval: sections are taken this far from its ends
MOST_INTERVALS = 30  # along one axis
STEPS = 3  # into which such an interval is divided


def _levels(solid: Manifold, size: float) -> list[np.ndarray]:
    """The levels along the three axes."""
    corners, normals, areas = triangles_of(solid)
    middles, ends = corners.mean(axis=1), bounds(solid).T.tolist()
    return [levels_of_faces(middles[:, k], normals[:, k], areas, tuple(ends[k]), size) for k in range(3)]


def from_mesh(vertices: np.ndarray, faces: np.ndarray, *, seconds: float, price: float = PRICE) -> list[Measured]:
    """Programs that fill a closed mesh, best first.

    Args:
        vertices, faces: (n, 3) CODE and (m, 3).
        seconds: Processor time, at most about so long: on a busy machine the result is the same, later.
        price: IoU that each number of a program must bring.
    Returns: At least one program, unless the time was too short for any.
    Raises: ProgramError: The mesh is not a closed solid.
    """
    started = time.thread_time()
    solid = solid_from_mesh(vertices, faces)
    part = read(solid, started + READING_SHARE * seconds)
    begun = time.thread_time()
    seconds, started = started + seconds - begun, begun
    drafts = drafts_of(part, price, started, SEARCH_SHARE * seconds)
    plain = Search(part, PLAIN * price, started + PLAIN_SHARE * seconds).best(beam=1)
    judge = Judge(solid, price, started + SHORT_SHARE * seconds)
    holes = holes_of(part)
    sharp = [sharpened_ends(draft.features(part.grid)) for draft in plain]
    sharp = [features for features in sharp if lacks_rims(features, judge)]
    shorter = []
    for index, features in enumerate(drawn := [*sharp, *(draft.features(part.grid) for draft in drafts)]):
        now = time.thread_time()
        judge.deadline = now + (started + SHORT_SHARE * seconds - now) / (len(drawn) - index)
        shorter.append(_shortened(features, part, holes, judge))
    by_score = sorted(dict.fromkeys(shorter[len(sharp) :]), key=lambda features: -judge.score(features))
    judge.deadline = started + RIMS_SHARE * seconds
    rimmed = [with_rims(with_heads(features, judge), judge) for features in (*shorter[: len(sharp)], *by_score[:1])]
    judge.deadline = started + seconds
    best, *others = sorted(dict.fromkeys((*rimmed, *by_score[:FINISHED])), key=lambda features: -judge.score(features))
    now = time.thread_time()
    judge.deadline = now + LAST_HOLES_SHARE * (started + seconds - now)
    best = with_missing_holes(best, part, holes, judge)  # those for which a draft had no time
    judge.deadline = started + seconds
    finished = [_written(best, part, judge)]
    finished += [_written(features, part, judge) for features in others if not judge.out_of_time]
    spelled = {respelled(features, judge): features for features in finished}
    planes = planes_of_solid(solid)
    ranked = sorted(spelled, key=lambda features: -judge.score(features))
    return [Measured.of(features, judge.score(features), spelled[features], planes) for features in ranked]


def _shortened(features: tuple[Feature, ...], part: Survey, holes: Sequence[Hole], judge: Judge) -> tuple[Feature, ...]:
    """The features of a draft, with the holes that the search left out, in as few features as possible."""
    features = with_missing_holes(without_films(features, part.readers, judge), part, holes, judge)
    features = with_missing_bridges(features, part, judge)
    end, now = judge.deadline, time.thread_time()
    judge.deadline = now + SLANTED_SHARE * (end - now)
    features = with_slanted_holes(features, judge)
    judge.deadline = end
    return shortened(with_missing_lugs(features, part, holes, judge), judge, part.grid)


def _written(features: tuple[Feature, ...], part: Survey, judge: Judge) -> tuple[Feature, ...]:
    """The features as they are written but for their words: with few digits and on few planes."""
    if any(isinstance(feature, Finished) for feature in features):
        features = dropped(features, judge)
    end, now = judge.deadline, time.thread_time()
    judge.deadline = now + COVERED_SHARE * (end - now)
    features = uncovered(features, part.readers, judge)
    judge.deadline = end
    features = rounded(features, judge)
    flushed = rounded(flush(features, judge, part.grid), judge)
    try:
        sound = through_holes(build(program_of(flushed), SAGITTA)) == through_holes(judge.build(features))
    except ProgramError:  # no room for a rim once faces are flush
        sound = False
    return flushed if sound else features


def read(solid: Manifold, deadline: float = np.inf) -> Survey:
    """A part's levels, sections and cells, and what it might be made of.

    Args:
        deadline: On time.thread_time(); sections that have not been read by then are left out.
    """
    low, high = bounds(solid)
    size = float((high - low).max())
    levels = _levels(solid, size)
    turned = [across(solid, axis) for axis in range(3)]
    silhouettes = [body.project() for body in turned]
    profile, readers = HalfSections(solid, levels, size), [Reader(size, levels) for _ in range(3)]

    def read_between(given: Sequence[np.ndarray], until: float) -> tuple[Grid, list, list]:
        levels, sections = zip(*(_sections(body, heights, size) for body, heights in zip(turned, given)))
        grid, proposed = Grid.between(levels), []
        for axis, reader in enumerate(readers):
            reader.levels, now = [levels[k] for k in plane_axes(axis)], time.thread_time()
            reader.deadline = now + (until - now) / (3 - axis)
            proposed += proposals(axis, sections[axis], silhouettes[axis], grid, reader)
            proposed += turned_proposals(axis, sections[axis], profile, grid, reader)
        return grid, list(sections), proposed

    now = time.thread_time()
    grid, sections, proposed = read_between(levels, now + FIRST_SHARE * (deadline - now))
    if any(ends := ends_of_bends(proposed, grid, levels, solid.volume())):
        grid, sections, proposed = read_between([np.sort([*levels[k], *ends[k]]) for k in range(3)], deadline)
    for reader in readers:  # later readings have their own limits
        reader.deadline = np.inf
    return Survey(grid, _cells(solid, grid), sections, proposed, readers)


def _sections(turned: Manifold, heights: np.ndarray, size: float) -> tuple[np.ndarray, list[CrossSection]]:
    """The levels, with more where a section changes between two of them, and the sections between the levels."""
    finer: list[float] = [float(heights[0])]
    for low, high in itertools.pairwise(heights):
        first, last = (turned.slice(float(low + share * (high - low))) for share in (MARGIN, 1 - MARGIN))
        changes = not first.is_empty() and not last.is_empty() and _changed(first, last)
        steps = STEPS if changes and high - low > STEPS * 0.01 * size and len(heights) + STEPS < MOST_INTERVALS else 1
        finer += [float(low + (high - low) * (step + 1) / steps) for step in range(steps)]
    finer = np.round(finer, DECIMALS).tolist()
    return np.array(finer), [turned.slice((low + high) / 2) for low, high in itertools.pairwise(finer)]


def _changed(first: CrossSection, second: CrossSection) -> bool:
    return (first ^ second).area() < (1 - SAME_SECTION) * max(first.area(), second.area())


def _cells(solid: Manifold, grid: Grid) -> np.ndarray:
    """(nx, ny, nz) bool: which cells of the grid the solid fills, by slices across the axis with the fewest."""
    axis = int(np.argmin(grid.shape))
    turned = across(solid, axis)
    cells = np.zeros(grid.shape, bool)
    for row, height in enumerate(grid.places[axis]):
        polygons = turned.slice(float(height)).to_polygons()
        along(cells, axis)[row] = grid.mask(polygons, axis)
    return cells
