"""Programs read off a cloud: the levels of its faces, sections by its winding number with edges moved onto the points,
and the few features that fill it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cadrecode.cloud.distance import CloudRuler
from cadrecode.measure.cloud_heads import with_countersinks
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.cloud_rims import with_cloud_rims, without_bevels
from cadrecode.measure.cloud_slanted import with_slanted_bores
from cadrecode.measure.covered import uncovered
from cadrecode.measure.evidence import opened, parted, redrilled, rounder, turned_about, with_bores, with_steps
from cadrecode.measure.features import Feature, Prism
from cadrecode.measure.gaps import with_all_gaps
from cadrecode.measure.grid import FEWEST_ALONG, Grid
from cadrecode.measure.holes import holes_of, with_missing_holes
from cadrecode.measure.judge import PRICE, Judge
from cadrecode.measure.levels import levels_of_points
from cadrecode.measure.measured import Measured
from cadrecode.measure.meridians import FoldedCloud
from cadrecode.measure.mirroring import evened, with_images, with_shared_gaps
from cadrecode.measure.mirrors import MirrorPlane, planes_of_cloud
from cadrecode.measure.outlined import outlined
from cadrecode.measure.outlines import rect_between
from cadrecode.measure.proposals import Reader, Survey, proposals
from cadrecode.measure.round_walls import RoundWall, round_walls
from cadrecode.measure.rounding import rounded
from cadrecode.measure.search import drafts_of
from cadrecode.measure.sheets import unmixed, with_sheets
from cadrecode.measure.shorten import dropped, merged, sealed, shortened
from cadrecode.measure.slopes import with_slopes
from cadrecode.measure.smoothing import Smoothed
from cadrecode.measure.spelling import respelled
from cadrecode.measure.trimming import trimmed
from cadrecode.measure.turned import ends_of_bends, turned_proposals
from cadrecode.measure.walls import Walls
from cadrecode.measure.winding import INSIDE, sections_of, silhouette_of, winding_numbers
from cadrecode.program.language import Operation, SketchStep
from cadrecode.program.planes import plane_axes
from cadrecode.program.solid import through_holes

CELLS = 64  # along the longest side: about the spacing of 8,192 points
MOST_CELLS, FEW_PLACES = 256, 60_000  # along the longest side of a part, and of a grid that may have more
MOST_PLACES = 400_000  # of the grid
PLACES_PER_SECOND = 60_000  # of reading: the winding numbers take a third to a half of that time
READING_SHARE, SEARCH_SHARE = 0.35, 0.65  # of the time: when reading ends, and when the search on the grid does
READ_AGAIN = 1.5  # times as long as reading has taken, where bends end within the part
SHORTENING_SHARE, GAPS_FROM = 0.4, 0.8  # of the time for a body: when shortening ends, and gaps are looked for
RIMS_SHARE, MOST_RIMMED = 0.25, 8  # of that time, for fillets and chamfers, where bevels are cut from so few features
OUTLINES_SHARE = 0.1  # of the time that is left then: for closer outlines
HOPELESS = 0.5  # of the score: drafts that are so much worse than the best are not worth finishing
IN_PAIRS = 0.4  # of the time for a search: until then two features may take the place of one
TOLERANCES = (0.3, 0.7), (0.6, 3.5)  # of a cell, and of the noise
SQUARE = 0.9  # cosine of a point's normal with an axis: a point of a side of the box around the part
# of a cell, and of the noise: how far a contour may be from the points of its wall
CELL_ROUNDING, REACH_OF_NOISE = 0.75, 3.0


def from_cloud(ruler: CloudRuler, *, seconds: float) -> list[Measured]:
    """Programs that fill an oriented cloud, best first.

    Args:
        ruler: Measures by the cloud, CODE, with its normals; see `fit.ruler_for`.
        seconds: Processor time, at most about so long: on a busy machine the result is the same, later.
    Returns: Nothing where the cloud has no inside: it has no normals, or too few points.
    """
    started = time.thread_time()
    if ruler.normals is None:
        return []
    smoothed = Smoothed.of(ruler)
    part = read(ruler, smoothed, started + READING_SHARE * seconds)
    if not part.proposals or not part.cells.any():
        return []
    drafts = drafts_of(part, PRICE, started, SEARCH_SHARE * seconds, IN_PAIRS)
    judge = CloudJudge(ruler, smoothed, part, PRICE, started + seconds)
    drawn = dict.fromkeys(draft.features(part.grid) for draft in drafts)
    bodies = [body for body in drawn if judge.makes_a_solid(body)]
    box = _box(judge, part.grid)
    if not bodies and not box:
        return []
    judge.settle([*bodies, *box])
    walls = _round_walls(ruler, part, judge)
    planes = planes_of_cloud(judge)
    best = max(map(judge.score, bodies), default=-math.inf)
    bodies = worth_finishing([*bodies, *(body for body in box if judge.score(body) > best)], judge)
    finished: dict[tuple[Feature, ...], Plain] = {}
    for index, body in enumerate(bodies):
        now = time.thread_time()
        judge.deadline = now + (started + seconds - now) * 3 / (len(bodies) - index + 2)  # the first is the likeliest
        plain = _finished(body, part, walls, planes, judge)
        finished[respelled(plain.features, judge)] = plain
    ranked = dict.fromkeys((*finished, *(rounded(body, judge) for body in box)))
    judge = judge.by()
    ranked = with_same_holes(sorted(ranked, key=lambda features: -judge.score(features)), judge)
    none = Plain((), False)
    return [
        Measured.of(features, judge.score(features), plain.features, planes, evened=plain.evened)
        for features in ranked
        for plain in [finished.get(features, none)]
    ]


def with_same_holes(ranked: list[tuple[Feature, ...]], judge: Judge) -> list[tuple[Feature, ...]]:
    """The bodies that have as many through holes as the first, the likeliest: the mean distance, by which candidates
    are ranked later, sees no slit that is narrower than points are apart."""
    holes = [through_holes(judge.build(body)) for body in ranked]
    return [body for body, count in zip(ranked, holes) if count == holes[0]]


def worth_finishing(bodies: list[tuple[Feature, ...]], judge: Judge) -> list[tuple[Feature, ...]]:
    """The bodies that explain the cloud best, best first."""
    ranked = sorted(bodies, key=lambda body: -judge.score(body))
    return [body for body in ranked if judge.score(body) > judge.score(ranked[0]) - HOPELESS]


def _box(judge: CloudJudge, grid: Grid) -> list[tuple[Prism]]:
    """The box with each side at the median of the points that face that way: right for a part whose other features are
    smaller than the unevenness of its faces."""
    sides = np.array([(heights[0], heights[-1]) for heights in grid.levels]).T
    for end, way in enumerate((-1, 1)):
        for axis in range(3):
            facing = way * judge.normals[:, axis] > SQUARE
            if facing.any():
                sides[end, axis] = np.median(judge.points[facing, axis])
    sides = np.sort(sides, axis=0)
    low, high = np.round(sides, 3).tolist()
    if not np.all(np.subtract(high, low) > 0):
        return []
    shape, place = rect_between(low[:2], high[:2])
    return [(Prism(Operation.UNION, 2, low[2], high[2], (SketchStep(shape, places=(place,)),)),)]


@dataclass(frozen=True)
class Plain:
    """Features before their outlines are spelled in fewer words.

    Args:
        evened: Whether a plane of symmetry has changed them.
    """

    features: tuple[Feature, ...]
    evened: bool


def _finished(
    features: tuple[Feature, ...],
    part: Survey,
    walls: list[RoundWall],
    planes: Sequence[MirrorPlane],
    judge: CloudJudge,
) -> Plain:
    end, now = judge.deadline, time.thread_time()
    judge.deadline = now + SHORTENING_SHARE * (end - now)  # holes need the rest
    short = shortened(features, judge, part.grid)
    judge.deadline = time.thread_time() + OUTLINES_SHARE * (end - time.thread_time())
    short = outlined(short, part, judge)
    features = evened(short, planes, judge)
    changed = features != short
    judge.deadline = now + GAPS_FROM * (end - now)
    for reader in part.readers:
        reader.deadline = judge.deadline
    features = with_missing_holes(features, part, holes_of(part), judge)
    features = with_slopes(features, part.grid, judge)
    features = with_slanted_bores(features, judge)
    features = bored_and_stepped(features, walls, part.grid, judge)
    features = redrilled(turned_about(rounder(features, judge), judge), judge)
    may_have_rims = len(features) <= MOST_RIMMED and without_bevels(features) != features
    judge.deadline = end - RIMS_SHARE * (end - now) * may_have_rims
    features = with_countersinks(features, part.grid, judge)  # before gaps, which take cones for small holes
    features = with_all_gaps(features, judge)
    one_sided = features
    features = with_shared_gaps(with_images(features, planes, judge), planes, judge)
    changed |= features != one_sided
    features = with_countersinks(features, part.grid, judge)  # of the holes that gaps have shown
    joined = opened(merged(features, judge), judge)
    features = trimmed(evened(joined, planes, judge), part.grid, judge)
    changed |= features != joined
    features = uncovered(features, part.readers, judge)
    judge.deadline = end
    features = with_cloud_rims(features, judge)
    return Plain(sealed(rounded(features, judge), judge), changed)


def bored_and_stepped(
    features: tuple[Feature, ...], walls: list[RoundWall], grid: Grid, judge: CloudJudge
) -> tuple[Feature, ...]:
    """The features with bores, and with steps where a wall has several, without those that are not worth their numbers.

    A bore within a rough hole is found once that is gone. What was dropped stays away, and so do bores from another
    side for the same points: a hole as wide as its wall is thick looks round from all sides.
    """
    bored = with_bores(features, walls, grid, judge)
    stepped = with_steps(parted(bored, grid, judge), grid, judge)
    left = dropped(stepped, judge)
    if left == stepped:
        return left
    prisms = [feature for feature in stepped if isinstance(feature, Prism)]
    tried = {(prism.axis, place) for prism in prisms for step in prism.steps for place in step.places}
    waiting = [wall for wall in walls if (wall.axis, (round(wall.x, 3), round(wall.y, 3))) not in tried]
    gone = tuple(bore for bore in bored[len(features) :] if bore in stepped and bore not in left)
    for axis in range(3):
        taken = (*left, *(bore for bore in gone if bore.axis != axis))
        left = (*left, *with_bores(taken, [wall for wall in waiting if wall.axis == axis], grid, judge)[len(taken) :])
    return left


def _round_walls(ruler: CloudRuler, part: Survey, judge: CloudJudge) -> list[RoundWall]:
    """The round walls along all three axes, those with the most points first."""
    count = len(judge.points)
    normals = ruler.all_normals.directions[:count]
    walls = [
        wall
        for axis in range(3)
        for wall in round_walls(
            judge.points, normals, axis, part.grid.levels, ruler.size, ruler.noise, judge.per_area, judge.deadline
        )
    ]
    return sorted(walls, key=lambda wall: -wall.count)


def read(ruler: CloudRuler, smoothed: Smoothed, deadline: float = np.inf) -> Survey:
    """The levels, the sections and the inside of a cloud, and proposals for the features of its part.

    Args:
        ruler: Measures by the cloud, with its normals.
        smoothed: Its points on the middle of their faces.
        deadline: On time.thread_time(); sections that have not been read by then are left out.
    """
    began = time.thread_time()
    levels = [_levels(ruler, smoothed, axis) for axis in range(3)]
    survey = _read_between(levels, ruler, smoothed, deadline)
    ends = ends_of_bends(survey.proposals, survey.grid, levels, survey.grid.volume(survey.cells))
    if not any(ends):
        return survey
    now = time.thread_time()
    levels = [np.sort([*levels[axis], *ends[axis]]) for axis in range(3)]
    return _read_between(levels, ruler, smoothed, max(deadline, now + READ_AGAIN * (now - began)))


def _read_between(levels: list[np.ndarray], ruler: CloudRuler, smoothed: Smoothed, deadline: float) -> Survey:
    """The survey of a part by its sections between given levels."""
    points, normals = ruler.points, ruler.normals.directions
    noise = smoothed.noise
    grid = _grid(levels, min(MOST_PLACES, PLACES_PER_SECOND * (deadline - time.thread_time())))
    numbers = winding_numbers(smoothed.points, normals, smoothed.areas, grid)
    spacing = math.sqrt(float(np.median(smoothed.areas)))
    numbers = with_sheets(numbers, smoothed.points, normals, spacing, noise, grid)
    folded = FoldedCloud(points, normals, smoothed.points, smoothed.areas, numbers, grid, ruler.size)
    sections, readers, proposed = [], [], []
    for axis in range(3):
        cell = min(float(np.median(grid.widths[k])) for k in plane_axes(axis))
        taken = sections_of(numbers, grid, axis)
        tolerances = [of_cell * cell + of_noise * noise for of_cell, of_noise in TOLERANCES]
        reader = Reader(ruler.size, [grid.levels[k] for k in plane_axes(axis)], tolerances, on_level=0.4 * cell)
        now = time.thread_time()
        reader.deadline = now + (deadline - now) / (3 - axis)
        reach = CELL_ROUNDING * cell + REACH_OF_NOISE * noise
        reader.walls = Walls.between(points, normals, axis, -np.inf, np.inf, reach, noise)
        proposed += proposals(axis, taken, silhouette_of(numbers, taken, grid, axis), grid, reader)
        proposed += turned_proposals(axis, taken, folded.reading(reader), grid, reader)
        sections.append(taken)
        readers.append(reader)
    return Survey(grid, numbers > INSIDE, sections, proposed, readers)


def _grid(levels: list[np.ndarray], most: float) -> Grid:
    """The finest grid of at most `most` places. A needle has more cells, since its points are closer together."""
    cells = CELLS
    while math.prod(Grid.between(levels, cells).shape) < FEW_PLACES and cells < MOST_CELLS:
        cells += CELLS // 2
    while math.prod((grid := Grid.between(levels, cells)).shape) > most and cells > FEWEST_ALONG:
        cells = int(0.9 * cells)
    return grid


def _levels(ruler: CloudRuler, smoothed: Smoothed, axis: int) -> np.ndarray:
    heights, facing = smoothed.points[:, axis], ruler.normals.directions[:, axis]
    middle = float(np.median(np.ptp(ruler.box, axis=0)))
    if not smoothed.left < smoothed.noise:
        ends = float(ruler.box[0, axis]), float(ruler.box[1, axis])
        return levels_of_points(heights, facing, smoothed.areas, ends, ruler.size, smoothed.noise, middle=middle)
    ends = float(heights.min()), float(heights.max())
    levels = levels_of_points(heights, facing, smoothed.areas, ends, ruler.size, smoothed.left, smoothed.noise, middle)
    return unmixed(levels, ruler.points[:, axis], facing, smoothed.noise)
