"""Many programs and the solids that they should be."""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.cloud import sample_surface
from cadrecode.errors import DatasetError, PointCloudError, ProgramError
from cadrecode.fit import ruler_for
from cadrecode.frames import CODE_PER_MODEL, MODEL_SIDE
from cadrecode.program import write
from cadrecode.refine.single import SECONDS, fitted
from cadrecode.scoring import Target, build_text, score
from cadrecode.scoring.targets import Shape, Skipped, load_targets, seed_of

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler

log = logging.getLogger(__name__)

CLOUD_POINTS = 8192  # sampled on each target


@dataclass(frozen=True)
class Row:
    """A program of a file. id: its target's; code: CODE; line: where it stands, from 1."""

    id: str
    code: str
    line: int


def read_programs(path: str | Path) -> tuple[list[Row], list[dict[str, Any]]]:
    """Rows of {"id": ..., "code": ...}, and those that are not, with their line and a reason.

    Args:   path: .jsonl, or .jsonl.gz.
    Raises: DatasetError: no such file, or nothing usable in it.
    """
    path = Path(path)
    rows, skipped = [], []
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                row = _row(line, number)
                (rows if isinstance(row, Row) else skipped).append(row)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as JSON lines: {error}.") from error
    if not rows:
        why = f" {skipped[0]['reason']} (line {skipped[0]['line']})." if skipped else ""
        raise DatasetError(f'{path} holds no programs.{why} Each line is needed as {{"id": ..., "code": ...}}.')
    return rows, skipped


def _row(line: str, number: int) -> Row | dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        return {"id": None, "line": number, "reason": f"not JSON: {error.msg}, column {error.colno}"}
    if not isinstance(row, dict) or not isinstance(row.get("id"), str | int) or not isinstance(row.get("code"), str):
        id = str(row["id"]) if isinstance(row, dict) and isinstance(row.get("id"), str | int) else None
        return {"id": id, "line": number, "reason": "a row needs an `id` and a text as `code`"}
    return Row(str(row["id"]), row["code"], number)


def refine_all(
    programs: str | Path,
    targets: str | Path,
    *,
    seconds: float = SECONDS,
    points: int = CLOUD_POINTS,
    noise: float = 0.0,
    limit: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Move every program onto points sampled on its target, and tell how near it was and is to the target itself.

    Args:
        programs: see `read_programs`; each in the CODE frame of its target.
        targets: see `scoring.targets.load_targets`.
        seconds: a program.
        points: how many the fit sees, without their normals.
        noise: deviation of the points in each direction, as a share of the target's longest side.
        limit: so many programs, drawn with the seed.
        on_progress: told how many are done, and of how many.
    Returns: a report that JSON can hold: `rows` in the order of the file, `skipped`, and the means.
    Raises: DatasetError: nothing can be read, or no program has a target.
    """
    started = time.monotonic()
    rows, skipped = read_programs(programs)
    if limit is not None and limit < len(rows):
        rows = [rows[i] for i in sorted(np.random.default_rng(seed).permutation(len(rows))[:limit])]
    by_id: dict[str, list[Row]] = {}
    for row in rows:
        by_id.setdefault(row.id, []).append(row)
    done: dict[int, dict[str, Any]] = {}
    for shape in load_targets(targets, ids=by_id.keys()):
        waiting = by_id.pop(shape.id, None)
        if waiting is None:  # a second file of the same name
            skipped.append({"id": shape.id, "line": None, "reason": "there is another target of that name"})
            continue
        try:
            prepared = _prepared(shape, points, noise, seed)
        except (ProgramError, PointCloudError) as error:
            prepared = Skipped(shape.id, str(error))
        for row in waiting:
            if isinstance(prepared, Skipped):
                skipped.append({"id": row.id, "line": row.line, "reason": prepared.reason})
            else:
                done[row.line] = _refine_row(row, *prepared, seconds, seed)
            if on_progress:
                on_progress(len(done), len(rows))
    missing = [row for waiting in by_id.values() for row in waiting]
    skipped += [{"id": row.id, "line": row.line, "reason": f"{targets} has no target of that name"} for row in missing]
    if not done:
        reasons = "; ".join(f"{one['id']}: {one['reason']}" for one in skipped[:3])
        raise DatasetError(f"No program of {programs} has a target in {targets}. {reasons}")
    figures = [done[line] for line in sorted(done)]
    options = {"seconds": seconds, "points": points, "noise": noise, "seed": seed, "limit": limit}
    return {
        "programs": str(programs),
        "targets": str(targets),
        "options": options,
        **summarise(figures),
        "seconds": round(time.monotonic() - started, 2),
        "n_skipped": len(skipped),
        "skipped": skipped,
        "rows": figures,
    }


def _prepared(shape: Shape | Skipped, points: int, noise: float, seed: int) -> tuple[Target, CloudRuler] | Skipped:
    """The target, and a ruler of points on it, CODE. Raises: ProgramError, PointCloudError: it is no closed solid."""
    if isinstance(shape, Skipped):
        return shape
    own_seed = seed_of(shape.id, seed)
    target = Target.of(shape.id, shape.vertices, shape.faces, seed=own_seed)
    rng = np.random.default_rng(own_seed)
    sampled, _ = sample_surface(shape.vertices, shape.faces, points, rng)
    cloud = target.frame.to_code(sampled)
    cloud += noise * MODEL_SIDE * CODE_PER_MODEL * rng.standard_normal(cloud.shape)
    return target, ruler_for(cloud, seed=own_seed)


def _refine_row(row: Row, target: Target, ruler: CloudRuler, seconds: float, seed: int) -> dict[str, Any]:
    """A row of the report, lengths in CODE units. What cannot be fitted has an `error`, no distances and IoU 0."""
    started = time.monotonic()
    built = build_text(row.code)
    if not built.ok:
        return _failed(row, f"{built.outcome}: {built.detail}" if built.detail else str(built.outcome))
    try:
        before, after = fitted(built, ruler, seconds, seed)
    except ProgramError as error:
        return _failed(row, str(error))
    except Exception as error:  # a fault of ours: told in full, and the other programs still have their turn
        log.exception("The fit of %s, line %d, failed", row.id, row.line)
        return _failed(row, f"the fit failed ({type(error).__name__}: {error}); please report this")
    taken = time.monotonic() - started
    iou_before = score(before.built, target).iou  # the truth, for the first time
    iou_after = iou_before if after is before else score(after.built, target).iou
    return {
        "id": row.id,
        "code": row.code if after is before else write(after.built.program),
        "distance_before": round(before.distance, 6),
        "distance_after": round(after.distance, 6),
        "iou_before": round(iou_before, 6),
        "iou_after": round(iou_after, 6),
        "seconds": round(taken, 3),
    }


def _failed(row: Row, error: str) -> dict[str, Any]:
    nothing = {"distance_before": None, "distance_after": None, "iou_before": 0.0, "iou_after": 0.0}
    return {"id": row.id, "code": row.code, **nothing, "seconds": 0.0, "error": error}


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means and medians. IoU: over all rows, those with an error as 0, and over the valid alone; the rest: the valid.

    Returns: None for a figure of no row at all.
    """
    valid = [row for row in rows if "error" not in row]
    figures: dict[str, Any] = {"n": len(rows), "n_errors": len(rows) - len(valid)}
    for when in ("before", "after"):
        for name, among in (("", rows), ("_valid", valid)):
            ious = [row[f"iou_{when}"] for row in among]
            figures[f"mean_iou_{when}{name}"] = _mean(ious)
        figures[f"median_iou_{when}"] = round(float(np.median([row[f"iou_{when}"] for row in rows])), 6)
        figures[f"mean_distance_{when}"] = _mean([row[f"distance_{when}"] for row in valid])
    figures["mean_seconds"] = _mean([row["seconds"] for row in valid])
    return figures


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 6) if values else None
