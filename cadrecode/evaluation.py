"""Measures how good a model is: targets in, one report out.

The model sees a sampled cloud and nothing else; candidates are chosen by their distance to that cloud; failures count,
with an IoU of 0.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.cloud import normalise, sample_surface
from cadrecode.config import ReconstructConfig
from cadrecode.data.views import seen_from_one_place
from cadrecode.errors import CadrecodeError, DatasetError, Message, PointCloudError, ProgramError, joined, stored
from cadrecode.fit import ruler_for
from cadrecode.frames import CODE_PER_MODEL
from cadrecode.parallel import ALONE, Workers, in_order
from cadrecode.program.solid import through_holes
from cadrecode.scoring import ByDistance, Target, build_text, figures_of, fitted, point_subsets, rank
from cadrecode.scoring.target import BBOX_AGREES
from cadrecode.scoring.targets import Shape, Skipped, load_targets, seed_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from cadrecode.kernel.sandbox import Sandbox

log = logging.getLogger(__name__)

CLOUD_POINTS = 8192  # sampled on each target's surface; all that the model and the ranking ever see of it
ROWS_PER_BATCH = 32  # clouds decoded together: a tiny model is bound by the number of steps, not by the rows
TEMPERATURE = ReconstructConfig().temperature


@dataclass(frozen=True)
class _Prepared:
    target: Target
    points_model: np.ndarray  # (8192, 3) MODEL
    views: np.ndarray  # (candidates, n_points, 3 or 6) float32 MODEL


@dataclass(frozen=True)
class _Batch:
    """Targets that are decoded together, and the seed of that."""

    seed: int
    shapes: list[Shape]
    prepared: list[_Prepared]

    def __reduce__(self) -> tuple:
        return _Batch, (self.seed, self.shapes, [])  # solids cannot be pickled: a worker prepares the shapes itself


def evaluate(
    targets: str | Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    limit: int | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
    on_row: Callable[[dict], None] | None = None,
    workers: Workers = ALONE,
    **options: Any,
) -> dict:
    """Rebuild every target from a cloud sampled on it, and score what comes out.

    Candidate 0 is greedy and sees points of the whole cloud; it is the single sample. The others are drawn at
    `temperature` from other points. Of several, the nearest to the cloud is reported, and the single sample apart.
    Clouds are not aligned: targets come in their designers' axes.

    Args:
        targets: See `load_targets`.
        on_progress: Called with (targets done, total), the total where it is known.
        on_row: Called with each new row.
        workers: Each has the model, and targets of its own.
        options: The other settings of `Evaluation`.
    Returns: A report that JSON can hold, the same for the same seed except for the seconds.
    Raises: DatasetError: no target can be scored. CadrecodeError: stopped before the first was.
    """
    started = time.monotonic()
    way = Evaluation(model, tokenizer, **options)
    shapes: list[dict] = []
    skipped: list[Skipped] = []
    batches = way.batches(load_targets(targets, limit=limit, seed=way.seed), skipped)
    done = workers.map(way.rows if workers.alone else way.for_workers().all_rows, batches)
    for rows in in_order(done):
        for row in rows:
            shapes.append(row)
            if on_row and row["id"] not in way.known:
                on_row(row)
            if on_progress:
                on_progress(len(shapes), limit)
    stopped = way.should_stop()
    if not shapes:
        raise _nothing_scored(targets, skipped, stopped)
    report = report_of(
        shapes, targets, candidates=way.candidates, seed=way.seed, temperature=way.temperature,
        fit_seconds=way.fit_seconds,
    )  # fmt: skip
    report["seconds"] = round(time.monotonic() - started + sum(row["seconds"] for row in way.earlier), 2)
    report["stopped"] = stopped
    report["skipped"] = [stored({"id": target.id, "reason": target.reason}) for target in skipped]
    return report


def _nothing_scored(targets: str | Path, skipped: Sequence[Skipped], stopped: bool) -> CadrecodeError:
    if stopped:
        return CadrecodeError("Stopped before the first shapes were scored.")
    none = Message("No target of {targets} could be scored.", targets=targets)
    reasons = [Message("{name}: {reason}", name=target.id, reason=target.reason) for target in skipped[:3]]
    return DatasetError(joined("{first} {second}", [none, joined("{first}; {second}", reasons)]))


def report_of(
    shapes: Sequence[dict],
    targets: str | Path,
    *,
    candidates: int,
    seed: int,
    temperature: float = TEMPERATURE,
    fit_seconds: float = 0.0,
) -> dict:
    """The report of `evaluate` for some rows, all of them or those that were done before it was cut off."""
    report = {"targets": str(targets), "candidates": candidates, "seed": seed, "temperature": temperature}
    report |= summarise(shapes)
    if candidates > 1:
        report |= {f"single_{key}": value for key, value in summarise(shapes, prefix="single_").items() if key != "n"}
    if fit_seconds > 0:
        report["fit_seconds"] = fit_seconds
        report |= {f"fit_{key}": value for key, value in summarise(shapes, prefix="fit_").items() if key != "n"}
    report["seconds"] = round(sum(row["seconds"] for row in shapes), 2)
    return report | {"stopped": True, "skipped": [], "shapes": list(shapes)}


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Evaluation:
    """How shapes are rebuilt.

    Args:
        fit_seconds: For each shape, to fit the best three to the cloud; results are reported apart, under `fit_`. How
            far that gets depends on the machine. 0: no fit.
        fit_structure: False moves numbers alone.
        sandbox: Runs programs outside of the language; None counts them as failures.
        should_stop: Called between shapes and within them; the rows that a True cuts short are left out.
        generate: In place of `model.decode.draw`.
        earlier: Rows of the same evaluation before it was cut off. They are taken as they are, and the others come out
            as they would have.
        one_side: The cloud lacks what cannot be seen from one place, as a single scan does.
        own_sandbox: `all_rows` takes the sandbox of its process.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    candidates: int = 1
    seed: int = 0
    temperature: float = TEMPERATURE
    fit_seconds: float = 0.0
    fit_structure: bool = True
    sandbox: Sandbox | None = None
    should_stop: Callable[[], bool] = _never
    generate: Callable[..., list[str]] | None = None
    earlier: Sequence[dict] = ()
    one_side: bool = False
    own_sandbox: bool = False

    @cached_property
    def known(self) -> dict[str, dict]:
        """The earlier rows by the names of their shapes."""
        return {row["id"]: row for row in self.earlier}

    def for_workers(self) -> Evaluation:
        """The same for other processes, which are ended by their own means, and run programs in their own sandbox."""
        return replace(self, should_stop=_never, sandbox=None, own_sandbox=self.sandbox is not None)

    def all_rows(self, batch: _Batch) -> list[dict]:
        """`rows` in a worker."""
        way = self
        if self.own_sandbox:
            from cadrecode.kernel import shared_sandbox

            way = replace(self, sandbox=shared_sandbox())
        return list(way.rows(_Batch(batch.seed, batch.shapes, [*map(self._prepare, batch.shapes)])))

    def batches(self, shapes: Iterable[Shape | Skipped], skipped: list[Skipped]) -> Iterator[_Batch]:
        """Targets with their clouds, as many as are decoded together, until a stop; the others go into `skipped`."""
        batch = _Batch(self.seed, [], [])
        for shape in shapes:
            if self.should_stop():
                return
            if isinstance(shape, Skipped):
                skipped.append(shape)
                continue
            try:
                batch.prepared.append(self._prepare(shape))
            except (ProgramError, PointCloudError) as error:
                skipped.append(Skipped(shape.id, error.message))
                continue
            batch.shapes.append(shape)
            if len(batch.shapes) >= max(1, ROWS_PER_BATCH // (self.candidates + self.further)):
                yield batch
                batch = _Batch(batch.seed + len(batch.shapes), [], [])
        if batch.shapes:
            yield batch

    def _prepare(self, shape: Shape) -> _Prepared:
        """Sample the only thing that the model will see. Raises: ProgramError: not a closed solid."""
        own_seed, settings = seed_of(shape.id, self.seed), self.model.point_settings
        points, normals = sample_surface(shape.vertices, shape.faces, CLOUD_POINTS, own_seed)
        if self.one_side:
            seen = seen_from_one_place(points, own_seed)
            points, normals = points[seen], normals[seen]
        points_model, frame = normalise(points)
        target = Target.of(shape.id, shape.vertices, shape.faces, frame=frame, seed=own_seed)
        shown = normals if settings.columns > 3 else None  # a CAD-Recode v1 checkpoint was trained with them
        views = point_subsets(
            points_model, self.candidates + self.further, settings.n_points, own_seed, shown, settings.heard_points
        )
        return _Prepared(target, points_model, views)

    def rows(self, batch: _Batch) -> Iterator[dict]:
        """Decode all candidates of a few targets together, then rank and score each that is not known.

        A stop leaves out the rows that it cuts short: texts without an end, or a fit that had less than its seconds.
        """
        if all(shape.id in self.known for shape in batch.shapes):
            yield from (self.known[shape.id] for shape in batch.shapes)
            return
        started = time.monotonic()
        texts = self._draw(np.stack([prepared.views for prepared in batch.prepared]), batch.seed)
        decoding = (time.monotonic() - started) / len(batch.shapes)
        for prepared, answers in zip(batch.prepared, texts):
            if self.should_stop():
                return
            row = self.known.get(prepared.target.id) or self._row(prepared, answers, decoding)
            if self.fit_seconds > 0 and self.should_stop():
                return
            yield row

    @cached_property
    def further(self) -> int:
        """Further views of a cloud, which the greedy program reads as well."""
        if self.generate is not None:
            return 0
        from cadrecode.model.decode import further_readings  # torch is imported only when a model is used

        return further_readings(self.tokenizer)

    def _draw(self, views: np.ndarray, seed: int) -> list[list[str]]:
        """(targets, candidates + further, n_points, 3 or 6) MODEL -> texts of each target, the first of them greedy."""
        generate, more = self.generate, {}
        if generate is None:
            from cadrecode.model.decode import draw as generate

            more["again"] = np.repeat(np.arange(len(views)) * self.candidates, self.further).tolist()
        candidates, further = views[:, : self.candidates], views[:, self.candidates :]
        texts = generate(
            self.model,
            self.tokenizer,
            np.concatenate([part.reshape(-1, *views.shape[2:]) for part in (candidates, further)]),
            temperature=([0.0] + [self.temperature] * (self.candidates - 1)) * len(views),
            seed=seed,
            stop=self.should_stop,
            **more,
        )
        return [texts[i : i + self.candidates] for i in range(0, len(texts), self.candidates)]

    def _row(self, prepared: _Prepared, texts: list[str], decoding_seconds: float) -> dict:
        started = time.monotonic()
        built = [build_text(text, self.sandbox) for text in texts]
        chosen, fits = built[0], self.fit_seconds > 0
        if len(built) > 1 or fits:
            yardstick = ByDistance(ruler_for(prepared.points_model * CODE_PER_MODEL))
            ranked = rank(built, yardstick)
            chosen = ranked[0]
        row = {"id": prepared.target.id, "true_genus": through_holes(prepared.target.solid)}
        row |= figures_of(chosen, prepared.target)
        if len(built) > 1:
            row |= {f"single_{key}": value for key, value in figures_of(built[0], prepared.target).items()}
            row["valid_candidates"] = sum(candidate.ok for candidate in built)
        if fits:
            best, *_ = fitted(
                ranked, yardstick, seconds=self.fit_seconds, seed=self.seed, structure=self.fit_structure,
                should_stop=self.should_stop,
            )  # fmt: skip
            row |= {f"fit_{key}": value for key, value in figures_of(best, prepared.target).items()}
        row["seconds"] = round(decoding_seconds + time.monotonic() - started, 3)
        return row


def _agrees(bbox_error: float | None) -> bool:
    return bbox_error is not None and bbox_error <= BBOX_AGREES


def summarise(shapes: Sequence[dict], prefix: str = "") -> dict:
    """The means and medians over rows of a report.

    `median_iou` and `mean_iou_all` count failures as 0; `mean_iou_valid` and the Chamfer distances are of valid
    programs alone, and None where there are none. `bbox_ratio` is the share of all whose bounding box agrees within
    0.5 % of the longest side.

    Args:
        prefix: "single_" for the single samples of a report with several candidates, "fit_" for the fitted programs.
    """
    ious = np.array([row[f"{prefix}iou"] for row in shapes], np.float64)
    valid = np.array([row[f"{prefix}cd"] is not None for row in shapes], bool)
    cds = np.array([row[f"{prefix}cd"] for row in shapes if row[f"{prefix}cd"] is not None], np.float64)
    figures = {
        "invalid_ratio": 1 - valid.mean(),
        "mean_iou_all": ious.mean(),
        "mean_iou_valid": ious[valid].mean() if valid.any() else None,
        "median_iou": np.median(ious),
        "bbox_ratio": np.mean([_agrees(row[f"{prefix}bbox_error"]) for row in shapes]),
        "mean_cd": cds.mean() if len(cds) else None,
        "median_cd": np.median(cds) if len(cds) else None,
    }
    return {"n": len(shapes)} | {
        key: None if value is None else round(float(value), 6) for key, value in figures.items()
    }
