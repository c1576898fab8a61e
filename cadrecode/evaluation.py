"""How good is a model, honestly? Targets in, one report out.

The model sees a sampled cloud and nothing else; candidates are chosen by their distance to that cloud; failures count,
with an IoU of 0.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.cloud import normalise, sample_surface
from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError, DatasetError, Message, PointCloudError, ProgramError, joined, stored
from cadrecode.fit import fit, ruler_for
from cadrecode.frames import CODE_PER_MODEL
from cadrecode.program import Program, write
from cadrecode.scoring import FITTED, Candidate, Score, Target, build_text, improve, point_subsets, rank, score
from cadrecode.scoring.targets import Shape, Skipped, load_targets, seed_of

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler
    from cadrecode.kernel.sandbox import Sandbox

log = logging.getLogger(__name__)

CLOUD_POINTS = 8192  # sampled on each target's surface; all that the model and the ranking ever see of it
ROWS_PER_BATCH = 32  # clouds decoded together: a tiny model is bound by the number of steps, not by the rows
TEMPERATURE = ReconstructConfig().temperature
BBOX_AGREES = 0.005  # of the longest side


@dataclass(frozen=True)
class _Prepared:
    target: Target
    points_model: np.ndarray  # (8192, 3) MODEL
    views: np.ndarray  # (candidates, n_points, 3 or 6) float32 MODEL


def evaluate(
    targets: str | Path,
    model,
    tokenizer,
    *,
    candidates: int = 1,
    limit: int | None = None,
    seed: int = 0,
    temperature: float = TEMPERATURE,
    fit_seconds: float = 0.0,
    fit_structure: bool = True,
    sandbox: Sandbox | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
    on_row: Callable[[dict], None] | None = None,
    earlier: Sequence[dict] = (),
    should_stop: Callable[[], bool] | None = None,
    generate: Callable[..., list[str]] | None = None,
) -> dict:
    """Rebuild every target from a cloud sampled on it, and score what comes out.

    Candidate 0 is greedy and sees points of the whole cloud; it is the single sample. The others are drawn at
    `temperature` from other points. Of several, the nearest to the cloud is reported, and the single sample apart.
    Clouds are not aligned: targets come in their designers' axes.

    Args:
        targets: see `load_targets`.
        fit_seconds: a shape, for moving the best three onto the cloud; they are reported apart, under `fit_`. How far
            that gets depends on the machine. 0: no fit.
        fit_structure: False moves numbers alone.
        sandbox: runs programs outside of the language; None counts them as failures.
        on_progress: told the targets done, and of how many where that is known.
        on_row: told each row that is new, for whoever keeps them; `earlier`: rows kept so, of the same evaluation, that
            was cut off: they are taken as they are, and the others come out as they would have.
    Returns: a report that JSON can hold, the same for the same seed but for the seconds; see the README.
    Raises: DatasetError: no target can be scored. CadrecodeError: stopped before any was.
    """
    started = time.monotonic()
    shapes, skipped = [], []
    settings = model.point_settings
    per_batch = max(1, ROWS_PER_BATCH // candidates)
    batch: list[_Prepared] = []
    known = {row["id"]: row for row in earlier}
    stopped = False

    def fitted(ranked: list[Candidate], ruler: CloudRuler) -> list[Candidate]:
        def moved(program: Program, share: float) -> Program:
            return fit(
                program, ruler, seconds=share, seed=seed, structure=fit_structure, should_stop=should_stop
            ).program

        return improve(ranked, ruler, moved, seconds=fit_seconds, count=FITTED)

    def flush() -> None:
        rows = _evaluate_batch(
            batch,
            model,
            tokenizer,
            seed + len(shapes),
            temperature,
            fitted if fit_seconds > 0 else None,
            sandbox,
            should_stop,
            generate,
            known,
        )
        for row in rows:
            shapes.append(row)
            if on_row and row["id"] not in known:
                on_row(row)
            if on_progress:
                on_progress(len(shapes), limit)
        batch.clear()

    for shape in load_targets(targets, limit=limit, seed=seed):
        if should_stop and should_stop():
            stopped = True
            break
        if isinstance(shape, Skipped):
            skipped.append(shape)
            continue
        try:
            batch.append(_prepare(shape, candidates, settings, seed))
        except (ProgramError, PointCloudError) as error:
            skipped.append(Skipped(shape.id, str(error)))
        if len(batch) == per_batch:
            flush()
    if batch and not stopped:
        flush()
    stopped = stopped or bool(should_stop and should_stop())
    if stopped and not shapes:
        raise CadrecodeError("Stopped before the first shapes were scored.")
    if not shapes:
        none = Message("No target of {targets} could be scored.", targets=targets)
        reasons = [Message("{name}: {reason}", name=target.id, reason=target.reason) for target in skipped[:3]]
        raise DatasetError(joined("{first} {second}", [none, joined("{first}; {second}", reasons)]))

    report = report_of(
        shapes, targets, candidates=candidates, seed=seed, temperature=temperature, fit_seconds=fit_seconds
    )
    report["seconds"] = round(time.monotonic() - started + sum(row["seconds"] for row in earlier), 2)
    report["stopped"] = stopped
    report["skipped"] = [stored({"id": target.id, "reason": target.reason}) for target in skipped]
    return report


def report_of(
    shapes: Sequence[dict],
    targets: str | Path,
    *,
    candidates: int,
    seed: int,
    temperature: float = TEMPERATURE,
    fit_seconds: float = 0.0,
) -> dict:
    """What `evaluate` reports of its rows; of those that an evaluation kept before it was cut off, all there is."""
    report = {"targets": str(targets), "candidates": candidates, "seed": seed, "temperature": temperature}
    report |= summarise(shapes)
    if candidates > 1:
        report |= {f"single_{key}": value for key, value in summarise(shapes, prefix="single_").items() if key != "n"}
    if fit_seconds > 0:
        report["fit_seconds"] = fit_seconds
        report |= {f"fit_{key}": value for key, value in summarise(shapes, prefix="fit_").items() if key != "n"}
    report["seconds"] = round(sum(row["seconds"] for row in shapes), 2)
    return report | {"stopped": True, "skipped": [], "shapes": list(shapes)}


def _prepare(shape: Shape, candidates: int, settings, seed: int) -> _Prepared:
    """Sample the only thing that the model will see. Raises: ProgramError: not a closed solid."""
    own_seed = seed_of(shape.id, seed)
    points, normals = sample_surface(shape.vertices, shape.faces, CLOUD_POINTS, own_seed)
    points_model, frame = normalise(points)
    target = Target.of(shape.id, shape.vertices, shape.faces, frame=frame, seed=own_seed)
    normals = normals if settings.columns > 3 else None  # a CAD-Recode v1 checkpoint was trained with them
    return _Prepared(
        target, points_model, point_subsets(points_model, candidates, settings.n_points, own_seed, normals)
    )


def _evaluate_batch(
    batch: list[_Prepared],
    model,
    tokenizer,
    seed: int,
    temperature: float,
    fitted,
    sandbox,
    should_stop,
    generate,
    known: Mapping[str, dict],
) -> Iterator[dict]:
    """Decode all candidates of a few targets together, then rank and score each that is not `known`.

    A stop leaves out the rows that it fell into: texts without an end, or a fit that had less than its seconds.
    """
    if all(one.target.id in known for one in batch):
        yield from (known[one.target.id] for one in batch)
        return
    if generate is None:
        from cadrecode.model.decode import generate  # torch is imported only when a model is used

    started = time.monotonic()
    views = np.stack([one.views for one in batch])  # (targets, candidates, n_points, 3)
    n_targets, n_candidates = views.shape[:2]
    texts = generate(
        model,
        tokenizer,
        views.reshape(-1, *views.shape[2:]),
        temperature=([0.0] + [temperature] * (n_candidates - 1)) * n_targets,
        seed=seed,
        stop=should_stop,
    )
    decoding = (time.monotonic() - started) / n_targets
    for i, one in enumerate(batch):
        if should_stop and should_stop():
            return
        answers = texts[i * n_candidates : (i + 1) * n_candidates]
        row = known.get(one.target.id) or _evaluate_one(one, answers, decoding, fitted, sandbox)
        if fitted and should_stop and should_stop():
            return
        yield row


def _evaluate_one(prepared: _Prepared, texts: list[str], decoding_seconds: float, fitted, sandbox) -> dict:
    started = time.monotonic()
    built = [build_text(text, sandbox) for text in texts]
    chosen = built[0]
    if len(built) > 1 or fitted:
        ruler = ruler_for(prepared.points_model * CODE_PER_MODEL)
        ranked = rank(built, ruler)
        chosen = ranked[0]
    row = {"id": prepared.target.id, **_row(chosen, score(chosen, prepared.target))}
    if len(built) > 1:
        single = _row(built[0], score(built[0], prepared.target))
        row |= {f"single_{key}": value for key, value in single.items()}
        row["valid_candidates"] = sum(one.ok for one in built)
    if fitted:
        best = fitted(ranked, ruler)[0]
        row |= {f"fit_{key}": value for key, value in _row(best, score(best, prepared.target)).items()}
    row["seconds"] = round(decoding_seconds + time.monotonic() - started, 3)
    return row


def _row(built: Candidate, scored: Score) -> dict:
    program = built.text if built.program is None else write(built.program)
    cd = None if scored.cd is None else round(scored.cd, 5)
    off = None if scored.bbox_error is None else round(scored.bbox_error, 6)
    row = {"outcome": str(scored.outcome), "iou": round(scored.iou, 6), "cd": cd, "bbox_error": off, "program": program}
    return row | {"detail": scored.detail} if scored.detail else row


def _agrees(bbox_error: float | None) -> bool:
    return bbox_error is not None and bbox_error <= BBOX_AGREES


def summarise(shapes: Sequence[dict], prefix: str = "") -> dict:
    """The means and medians over rows of a report: `median_iou` counts failures as 0, as `mean_iou_all` does;
    `mean_iou_valid` and the Chamfer distances are of valid programs alone, and None where there are none.
    `bbox_ratio` is the share of all whose bounding box agrees within 0.5 % of the longest side.

    Args: prefix: "single_" for the single samples of a report with several candidates.
    """
    ious = np.array([one[f"{prefix}iou"] for one in shapes], np.float64)
    valid = np.array([one[f"{prefix}cd"] is not None for one in shapes], bool)
    cds = np.array([one[f"{prefix}cd"] for one in shapes if one[f"{prefix}cd"] is not None], np.float64)
    figures = {
        "invalid_ratio": 1 - valid.mean(),
        "mean_iou_all": ious.mean(),
        "mean_iou_valid": ious[valid].mean() if valid.any() else None,
        "median_iou": np.median(ious),
        "bbox_ratio": np.mean([_agrees(one[f"{prefix}bbox_error"]) for one in shapes]),
        "mean_cd": cds.mean() if len(cds) else None,
        "median_cd": np.median(cds) if len(cds) else None,
    }
    return {"n": len(shapes)} | {
        key: None if value is None else round(float(value), 6) for key, value in figures.items()
    }
