"""The few features that fill a part: a beam search over all proposals and all spans between two levels.

On a grid the gain of every sketch over every span is two matrix products an axis, so that nothing has to be ranked
beforehand: with the volumes filled between two levels as columns, a sketch's mask adds up those it covers. Profiles
that are turned fill cells of their own.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cadrecode.measure.features import EXTRUSION_NUMBERS, Feature
from cadrecode.measure.grid import Grid
from cadrecode.measure.proposals import Proposal, Survey, TurnedProposal
from cadrecode.program.language import Operation

BEAM, MOVES = 3, 6  # drafts that go on, and moves tried from each
MOST_FEATURES = 18
FINISHED = 2  # drafts of a search that are worth finishing on the input itself
LEAST_GAIN = 1e-9
MOST_INSTEAD = 3  # moves that may take the place of one
MOST_IN_PAIRS = 10  # moves of a draft for which there is time to try two in the place of one
LACKING = 0.005  # IoU: where less is missing, two features in the place of one gain too little for their numbers
OTHER_SPANS = 4  # moves, each over another span, that are tried first in the place of one
PATIENCE = 1  # steps that may pass without a gain


@dataclass(frozen=True)
class Move:
    """A sketch extruded from one level to another, or a turned profile, and how it joins what stands.

    Args:
        span: The levels, by their indices; of a turned profile without meaning.
        score, iou: Those of what stands afterwards.
    """

    score: float
    iou: float
    proposal: Proposal | TurnedProposal
    operation: Operation
    span: tuple[int, int]

    def feature(self, grid: Grid) -> Feature:
        return self.proposal.feature(self.operation, self.span, grid)

    def fill(self, cells: np.ndarray | None, grid: Grid) -> np.ndarray:
        """The cells after the move; its own where none stand."""
        own = self.proposal.cells(self.span, grid)
        if cells is None:
            return own
        if self.operation is Operation.UNION:
            return cells | own
        return cells & ~own if self.operation is Operation.CUT else cells & own


@dataclass(frozen=True)
class Draft:
    """Moves so far, and what they fill.

    Args:
        cells: (nx, ny, nz) bool.
        iou: With the part, on the grid.
        numbers: How many numbers the features have.
    """

    moves: tuple[Move, ...]
    cells: np.ndarray = field(repr=False)
    iou: float = 0.0
    numbers: int = 0

    @property
    def is_turned(self) -> bool:
        return any(isinstance(move.proposal, TurnedProposal) for move in self.moves)

    def features(self, grid: Grid) -> tuple[Feature, ...]:
        return tuple(move.feature(grid) for move in self.moves)

    def after(self, move: Move, grid: Grid) -> Draft:
        numbers = self.numbers + move.proposal.numbers + EXTRUSION_NUMBERS
        return Draft((*self.moves, move), move.fill(self.cells, grid), move.iou, numbers)


class _Moves(ABC):
    """Proposals of one kind as a matrix."""

    def __init__(self, proposals: Sequence[Proposal | TurnedProposal], part: np.ndarray):
        self.proposals = list(proposals)
        self.filled, self.empty = self.of(part), self.of(~part)
        self.numbers = np.array([p.numbers for p in proposals])[:, None] + EXTRUSION_NUMBERS
        self.adds = np.array([p.adds for p in proposals])

    @abstractmethod
    def of(self, cells: np.ndarray) -> np.ndarray:
        """(proposals, spans): the volume of the cells within each proposal over each span."""

    @abstractmethod
    def span(self, column: int) -> tuple[int, int]:
        """The levels of a column of `of`."""

    def moves(self, draft: Draft | None, volumes: _Volumes, part: np.ndarray, price: float, most: int) -> list[Move]:
        """The best few moves of this kind."""
        if draft is None:
            gains = {Operation.UNION: (self.filled / (volumes.part + self.empty), self.adds)}
        else:
            right, wrong = self.of(part & draft.cells), self.of(draft.cells & ~part)
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
        moves = []
        before = 0 if draft is None else draft.numbers
        for operation, (iou, allowed) in gains.items():
            score = np.where(allowed[:, None], iou - price * (before + self.numbers), -np.inf)
            for flat in np.argpartition(score.ravel(), -min(most, score.size))[-most:]:
                row, span = divmod(int(flat), score.shape[1])
                worth = float(score[row, span]), float(iou[row, span])
                moves.append(Move(*worth, self.proposals[row], operation, self.span(span)))
        return moves


class _Sketches(_Moves):
    """The sketches across one axis, extruded over every span, and the part as columns."""

    def __init__(self, axis: int, proposals: Sequence[Proposal], part: np.ndarray, grid: Grid):
        self.axis, self.grid = axis, grid
        self.masks = np.stack([p.mask.ravel() for p in proposals]).astype(np.float32) * grid.area_weights(axis)
        self.low, self.high = np.triu_indices(len(grid.levels[axis]), 1)
        super().__init__(proposals, part)

    def of(self, cells: np.ndarray) -> np.ndarray:
        by_level = self.masks @ self.grid.by_interval(cells, self.axis).T
        up_to = np.concatenate((np.zeros((len(by_level), 1)), np.cumsum(by_level, axis=1, dtype=np.float64)), axis=1)
        return up_to[:, self.high] - up_to[:, self.low]

    def span(self, column: int) -> tuple[int, int]:
        return int(self.low[column]), int(self.high[column])


class _Profiles(_Moves):
    """Turned profiles; each has one span."""

    def __init__(self, proposals: Sequence[TurnedProposal], part: np.ndarray, grid: Grid):
        volumes = np.einsum("i,j,k->ijk", *grid.widths).astype(np.float32)
        self.masks = np.stack([(p.own * volumes).ravel() for p in proposals])
        super().__init__(proposals, part)

    def of(self, cells: np.ndarray) -> np.ndarray:
        return (self.masks @ cells.ravel().astype(np.float32)).astype(np.float64)[:, None]

    def span(self, column: int) -> tuple[int, int]:
        return 0, 0


def _distinct(sketches: Sequence[Proposal]) -> list[Proposal]:
    """Those that cover different columns; the shortest of each, and the last: boxes that reach beyond the part."""
    shortest: dict[tuple, Proposal] = {}
    for sketch in sketches:
        key = sketch.adds, sketch.mask.tobytes()
        if key not in shortest or sketch.numbers <= shortest[key].numbers:
            shortest[key] = sketch
    return list(shortest.values())


def _alike(first: Move, second: Move) -> bool:
    return first.proposal.axis == second.proposal.axis and type(first.proposal) is type(second.proposal)


@dataclass(frozen=True)
class _Volumes:
    part: float
    right: float = 0.0
    wrong: float = 0.0


class Search:
    """A part to fill with few features.

    Args:
        part: As it was measured.
        price: IoU that each number must bring.
        deadline: On time.thread_time().
        in_pairs: Until when, on the same clock, two moves may take the place of one: it takes several times as long.
    """

    def __init__(self, part: Survey, price: float, deadline: float, in_pairs: float = -np.inf):
        self.cells, self.grid, self.price, self.deadline = part.cells, part.grid, price, deadline
        self.in_pairs = in_pairs
        self.volume = self.grid.volume(part.cells)
        self.kinds: list[_Moves] = []
        for axis in range(3):
            sketches = _distinct([p for p in part.proposals if isinstance(p, Proposal) and p.axis == axis])
            if sketches:
                self.kinds.append(_Sketches(axis, sketches, part.cells, self.grid))
        turned = [p for p in part.proposals if isinstance(p, TurnedProposal)]
        if turned:
            self.kinds.append(_Profiles(turned, part.cells, self.grid))

    def best(self, beam: int = BEAM) -> list[Draft]:
        """States whose features fill the part, best first, at most `beam` of them."""
        drafts = self._beam(beam)
        return sorted((self._reconsidered(draft) for draft in drafts), key=lambda draft: -self.score(draft))

    def score(self, draft: Draft) -> float:
        return draft.iou - self.price * draft.numbers

    @property
    def out_of_time(self) -> bool:
        return time.thread_time() > self.deadline

    def _beam(self, beam: int) -> list[Draft]:
        frontier: list[Draft | None] = [None]
        best: list[Draft] = []
        without_gain = 0
        for _ in range(MOST_FEATURES):
            frontier = self._next(frontier, beam)
            if not frontier:
                break
            before = self.score(best[0]) if best else -np.inf
            best = sorted([*best, *frontier], key=lambda draft: -self.score(draft))[:beam]
            without_gain = 0 if self.score(best[0]) > before + LEAST_GAIN else without_gain + 1
            if without_gain > PATIENCE or self.out_of_time:
                break
        return best

    def _next(self, frontier: Sequence[Draft | None], beam: int) -> list[Draft]:
        """The best drafts one move further than the frontier's. The first features are of different axes or kinds."""
        moves = [(move, draft) for draft in frontier for move in self._moves(draft, MOVES)]
        moves.sort(key=lambda pair: -pair[0].score)
        after: list[Draft] = []
        seen: set[bytes] = {draft.cells.tobytes() for draft in frontier if draft is not None}
        for move, draft in moves:
            if not np.isfinite(move.score) or len(after) == beam:
                break
            if draft is None and any(_alike(move, other.moves[0]) for other in after):
                continue
            reached = self._with(draft, move)
            key = reached.cells.tobytes()
            if key not in seen:
                seen.add(key)
                after.append(reached)
        return after

    def _moves(self, draft: Draft | None, most: int) -> list[Move]:
        volumes = _Volumes(self.volume)
        if draft is not None:
            right, wrong = self.grid.volume(self.cells & draft.cells), self.grid.volume(draft.cells & ~self.cells)
            volumes = _Volumes(self.volume, right, wrong)
        return [move for kind in self.kinds for move in kind.moves(draft, volumes, self.cells, self.price, most)]

    def _reconsidered(self, draft: Draft) -> Draft:
        """Each move taken back in turn, and what pays most then done instead."""
        index = 0
        while index < len(draft.moves) and not self.out_of_time:
            without = self._without(draft, index)
            others = [self._filled_up(without, MOST_INSTEAD)]
            worth_it = 1 - draft.iou > LACKING and len(draft.moves) <= MOST_IN_PAIRS
            worth_it &= time.thread_time() < self.in_pairs
            for move in self._over_other_spans(without) if worth_it else ():
                others.append(self._filled_up(self._with(without, move), MOST_INSTEAD - 1))
            best = max(others, key=self.score)
            if self.score(best) > self.score(draft) + LEAST_GAIN:
                draft, index = best, 0
            else:
                index += 1
        return draft

    def _filled_up(self, draft: Draft | None, most: int) -> Draft:
        """The draft with the moves that pay most, one after another."""
        for _ in range(most):
            move = max(self._moves(draft, 1), key=lambda move: move.score)
            if draft is not None and move.score < self.score(draft) + LEAST_GAIN:
                break
            draft = self._with(draft, move)
        return draft

    def _over_other_spans(self, draft: Draft | None) -> list[Move]:
        """The best move over each of a few spans, but for the best of all: two features together may be worth more than
        one that reaches over the places of both."""
        best: dict[tuple, Move] = {}
        for move in sorted(self._moves(draft, MOVES * OTHER_SPANS), key=lambda move: -move.score):
            best.setdefault((move.proposal.axis, move.operation, move.span), move)
        return [move for move in list(best.values())[1 : 1 + OTHER_SPANS] if np.isfinite(move.score)]

    def _with(self, draft: Draft | None, move: Move) -> Draft:
        if draft is None:
            return Draft((move,), move.fill(None, self.grid), move.iou, move.proposal.numbers + EXTRUSION_NUMBERS)
        return draft.after(move, self.grid)

    def _without(self, draft: Draft, index: int) -> Draft | None:
        """The draft as it would be without one of its moves."""
        moves = draft.moves[:index] + draft.moves[index + 1 :]
        while moves and moves[0].operation is not Operation.UNION:
            moves = moves[1:]
        if not moves:
            return None
        cells = None
        for move in moves:
            cells = move.fill(cells, self.grid)
        right, wrong = self.grid.volume(self.cells & cells), self.grid.volume(cells & ~self.cells)
        numbers = sum(move.proposal.numbers + EXTRUSION_NUMBERS for move in moves)
        return Draft(moves, cells, right / (self.volume + wrong), numbers)


def drafts_of(part: Survey, price: float, started: float, seconds: float, in_pairs: float = 0.0) -> list[Draft]:
    """The best drafts that fill the part: of prisms alone and, where something is round, of turned profiles, too.

    Args:
        started: On time.thread_time().
        in_pairs: Share of the time after which no two moves take the place of one any more; see `Search`.
    """
    prisms = [proposal for proposal in part.proposals if isinstance(proposal, Proposal)]
    searches = [replace(part, proposals=prisms), part] if len(prisms) < len(part.proposals) else [part]
    drafts: list[Draft] = []
    for index, searched in enumerate(searches):
        now = time.thread_time()
        deadline = now + (started + seconds - now) / (len(searches) - index)
        best = Search(searched, price, deadline, now + in_pairs * (deadline - now)).best()[:FINISHED]
        drafts += best if index == 0 else [draft for draft in best if draft.is_turned]
    return drafts
