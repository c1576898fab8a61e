"""The few features that fill a part: a beam search over all proposals and all spans between two levels.

On a grid the gain of every sketch over every span is two matrix products an axis, so that nothing has to be ranked
beforehand: with the volumes filled between two levels as columns, a sketch's mask adds up those it covers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cadrecode.measure.features import EXTRUSION_NUMBERS, Feature, span_between
from cadrecode.measure.grid import Grid, along
from cadrecode.measure.proposals import Part, Proposal
from cadrecode.program.language import Operation

BEAM, MOVES = 3, 6  # states kept, and moves tried from each
MOST_FEATURES = 18
PATIENCE = 1  # steps that may pass without a gain


@dataclass(frozen=True)
class State:
    """Features so far, and what they fill.

    Args:
        cells: (nx, ny, nz) bool.
        iou: With the part, on the grid.
        numbers: Of the features.
    """

    features: tuple[Feature, ...]
    cells: np.ndarray = field(repr=False)
    iou: float = 0.0
    numbers: int = 0


@dataclass(frozen=True)
class _Move:
    score: float
    iou: float
    proposal: Proposal
    operation: Operation
    span: tuple[int, int]


class _Axis:
    """The proposals of one axis as a matrix, and the part as columns."""

    def __init__(self, axis: int, proposals: Sequence[Proposal], part: np.ndarray, grid: Grid):
        self.axis, self.grid, self.proposals = axis, grid, list(proposals)
        self.masks = np.stack([p.mask.ravel() for p in proposals]).astype(np.float32) * grid.area_weights(axis)
        count = len(grid.levels[axis])
        self.low, self.high = np.triu_indices(count, 1)
        self.filled = self.of(part)
        self.empty = self.of(~part)
        self.numbers = np.array([p.numbers for p in proposals])[:, None] + EXTRUSION_NUMBERS
        self.adds = np.array([p.adds for p in proposals])

    def of(self, cells: np.ndarray) -> np.ndarray:
        """(proposals, spans): the volume of the cells within each sketch over each span."""
        by_level = self.masks @ self.grid.by_interval(cells, self.axis).T
        up_to = np.concatenate((np.zeros((len(by_level), 1)), np.cumsum(by_level, axis=1, dtype=np.float64)), axis=1)
        return up_to[:, self.high] - up_to[:, self.low]

    def moves(self, state: State | None, volumes: _Volumes, part: np.ndarray, price: float, most: int) -> list[_Move]:
        """The best few moves of this axis."""
        if state is None:
            gains = {Operation.UNION: (self.filled / (volumes.part + self.empty), self.adds)}
        else:
            right, wrong = self.of(part & state.cells), self.of(state.cells & ~part)
            gains = {
                Operation.UNION: (
                    (volumes.right + self.filled - right) / (volumes.part + volumes.wrong + self.empty - wrong),
                    self.adds,
                ),
                Operation.CUT: (
                    (volumes.right - right) / (volumes.part + volumes.wrong - wrong),
                    np.ones_like(self.adds),
                ),
                Operation.INTERSECT: (right / (volumes.part + wrong), self.adds),
            }
        found = []
        before = 0 if state is None else state.numbers
        for operation, (iou, allowed) in gains.items():
            score = np.where(allowed[:, None], iou - price * (before + self.numbers), -np.inf)
            for flat in np.argpartition(score.ravel(), -min(most, score.size))[-most:]:
                row, span = divmod(int(flat), score.shape[1])
                between = int(self.low[span]), int(self.high[span])
                found.append(
                    _Move(float(score[row, span]), float(iou[row, span]), self.proposals[row], operation, between)
                )
        return found


@dataclass(frozen=True)
class _Volumes:
    part: float
    right: float = 0.0
    wrong: float = 0.0


def search(measured: Part, *, price: float, deadline: float, beam: int = BEAM) -> list[State]:
    """States whose features fill the part, best first, at most `beam` of them.

    Args:
        measured: The part to fill.
        price: IoU that each number must bring.
        deadline: On time.monotonic().
    """
    part, proposals, grid = measured.cells, measured.proposals, measured.grid
    axes = [
        _Axis(axis, [p for p in proposals if p.axis == axis], part, grid)
        for axis in range(3)
        if any(p.axis == axis for p in proposals)
    ]
    whole = grid.volume(part)
    frontier: list[State | None] = [None]
    best: list[State] = []
    without_gain = 0
    for _ in range(MOST_FEATURES):
        moves: list[tuple[_Move, State | None]] = []
        for state in frontier:
            volumes = _Volumes(whole)
            if state is not None:
                volumes = _Volumes(whole, grid.volume(part & state.cells), grid.volume(state.cells & ~part))
            for axis in axes:
                moves += [(move, state) for move in axis.moves(state, volumes, part, price, MOVES)]
        moves.sort(key=lambda pair: -pair[0].score)
        frontier, seen = [], set()
        for move, state in moves:
            if not np.isfinite(move.score) or len(frontier) == beam:
                break
            after = _after(move, state, grid)
            key = after.cells.tobytes()
            if key not in seen and not (state is not None and np.array_equal(after.cells, state.cells)):
                seen.add(key)
                frontier.append(after)
        if not frontier:
            break
        before = _score(best[0], price) if best else -np.inf
        best = sorted([*best, *frontier], key=lambda state: -_score(state, price))[:beam]
        without_gain = 0 if _score(best[0], price) > before + 1e-9 else without_gain + 1
        if without_gain > PATIENCE or time.monotonic() > deadline:
            break
    return best


def _score(state: State, price: float) -> float:
    return state.iou - price * state.numbers


def _after(move: _Move, state: State | None, grid: Grid) -> State:
    axis, (first, last) = move.proposal.axis, move.span
    levels = grid.levels[axis]
    operation = move.operation if state else Operation.UNION
    feature = Feature(operation, axis, *span_between(operation, levels, first, last), move.proposal.steps)
    rows = (grid.interval[axis] >= first) & (grid.interval[axis] < last)
    cells = np.zeros(grid.shape, bool)
    along(cells, axis)[rows] = move.proposal.mask
    if state is None:
        return State((feature,), cells, move.iou, feature.numbers)
    if move.operation is Operation.UNION:
        cells = state.cells | cells
    elif move.operation is Operation.CUT:
        cells = state.cells & ~cells
    else:
        cells = state.cells & cells
    return State((*state.features, feature), cells, move.iou, state.numbers + feature.numbers)
