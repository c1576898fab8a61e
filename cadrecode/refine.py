"""Programs that are there already, moved onto clouds: one with its scan, or many with the solids they should be.

The fit sees points alone. Where the true solid is known, the IoU is worked out afterwards and changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.assessor import Assessor
from cadrecode.cloud import Cloud, normalise, sample_surface
from cadrecode.config import FIT_SECONDS
from cadrecode.errors import Message, PointCloudError, ProgramError, joined
from cadrecode.figures import figure
from cadrecode.fit import ruler_for
from cadrecode.frames import CODE_PER_MODEL, MODEL_SIDE, Frame
from cadrecode.geometry import bounding_box
from cadrecode.part import PERSON, Part
from cadrecode.program import Program, parse, write
from cadrecode.program.edit import to_code, to_raw
from cadrecode.program.layout import laid_out
from cadrecode.program.planes import placing
from cadrecode.program.solid import bounds
from cadrecode.scoring import (
    ByDistance,
    Candidate,
    SimpleNumbers,
    Target,
    build_program,
    build_text,
    deviation_of,
    fitted,
    rank,
    score,
)
from cadrecode.scoring.programs import Row, none_met, read_programs, skip
from cadrecode.scoring.targets import Shape, Skipped, drawn, load_targets, seed_of

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler

log = logging.getLogger(__name__)

CLOUD_POINTS = 8192  # sampled on each target
TOO_FAR = 0.75  # of the cloud's longest side: the fit cannot start from a box that is off by more
SUSPECT = 0.25  # of it: off by that much, while in the other frame the program would be in place

RAW, CODE = "raw", "code"
_FRAME_WORDS = {RAW: Message("the file's units"), CODE: Message("the model's units (centred, longest side 200)")}


@dataclass(frozen=True)
class Refined:
    """A program before and after the fit, both in the file's units; the same text where nothing nearer was found."""

    before: Part
    after: Part
    seconds: float


def refine(
    text: str,
    cloud: Cloud,
    *,
    seconds: float = FIT_SECONDS,
    seed: int = 0,
    written_in: str = RAW,
    unit: str = "mm",
    program_name: str = Message("The program"),
) -> Refined:
    """Move one program onto a cloud. It comes back in the units and the place of the cloud's file.

    Args:
        text: A program of the language; nothing is executed.
        cloud: RAW.
        written_in: RAW, the units and place of the cloud's file; or CODE, as the model writes.
        unit: The unit of the cloud's numbers.
        program_name: What messages call the program.
    Raises: ProgramError: outside of the language, no solid, or too far from the cloud to begin with.
        PointCloudError: not a usable cloud.
    """
    started = time.monotonic()
    given = _readable(text, program_name)
    turned = written_in == RAW and given.placement is not None  # by `reconstruct`: the part stands askew in its cloud
    points_model, frame = normalise(cloud.points, placing(given.placement)[:, :3] if turned else None)
    points = points_model * CODE_PER_MODEL
    in_file = to_code(given, frame)
    doubts = _require_near(points, {RAW: in_file, CODE: given}, written_in, frame, program_name)
    program = in_file if written_in == RAW else given
    built = _built(program, program_name)
    assessor = Assessor.of(cloud, frame, seed)
    before, after = _moved(built, assessor.closed[0], seconds, seed, frame, unit)

    def part(candidate: Candidate, program_text: str, **more: Any) -> Part:
        vertices, faces = candidate.mesh
        vertices = frame.code_to_raw(vertices)
        deviation = deviation_of(cloud.points, vertices, faces, seed=seed)
        distance = candidate.distance * frame.raw_per_code
        return Part(
            program_text, vertices, faces, unit=unit, cloud=cloud, frame=frame, deviation=deviation, distance=distance,
            source=PERSON, snapped=candidate.snapped, assessor=assessor,
            **more,
        )  # fmt: skip

    first = part(before, text if written_in == RAW else laid_out(write(to_raw(program, frame))))
    taken = time.monotonic() - started
    about = {
        "options": {"seconds": seconds, "seed": seed, "frame": written_in},
        "deviation_before": first.deviation.figures(),
        "program_before": first.program,
        "seconds": round(taken, 2),
        "warnings": [*cloud.warnings, *assessor.warnings, *doubts],
    }
    if after is before:
        return Refined(first, replace(first, distance_before=first.distance, about=about), taken)
    program_text = laid_out(write(to_raw(after.program, frame)))
    return Refined(first, part(after, program_text, distance_before=first.distance, about=about), taken)


def _readable(text: str, name: str) -> Program:
    try:
        return parse(text)
    except ProgramError as error:
        wanted = Message("a program of CAD-Recode's language, whose numbers the fit can move; see docs/data.md")
        raise ProgramError(
            "{name}: {why}", error.line, error.column, error.expected or wanted, name=name, why=error.message
        ) from error


def _built(program: Program, name: str) -> Candidate:
    built = build_program(program)
    if not built.ok:
        raise ProgramError("{name} makes no solid. {why}", name=name, why=built.detail)
    return built


def _moved(
    candidate: Candidate, ruler: CloudRuler, seconds: float, seed: int, frame: Frame | None = None, unit: str = "mm"
) -> tuple[Candidate, Candidate]:
    """A candidate with its distance, and what the fit makes of it; the very same where nothing nearer was found.

    Args:
        candidate: Valid, a tree, in the ruler's frame.
        frame: Between the user's file, in whose `unit` the numbers become simple, and the ruler's; None: round in CODE.
    """
    yardstick = ByDistance(ruler)
    before = rank([candidate], yardstick)
    (after,) = fitted(before, yardstick, seconds=seconds, count=1, seed=seed, round_numbers=frame is None)
    if frame is not None and after is not before[0]:
        after = SimpleNumbers(yardstick, frame, unit).of(after)
    return before[0], after


def _require_near(
    points: np.ndarray, readings: dict[str, Program], written_in: str, frame: Frame, name: str
) -> list[str]:
    """Warnings where a program may be written in another frame than the given one.

    Args:
        points: (N, 3) CODE.
        readings: The program in CODE, if it is written in RAW and if it is written in CODE.
    Raises: ProgramError: its part stands too far from the cloud to begin with.
    """
    other = CODE if written_in == RAW else RAW
    off, off_other = (_off(readings[reading], points, name) for reading in (written_in, other))
    meant = off > SUSPECT > off_other and off_other < off / 3
    if off <= TOO_FAR and not meant:
        return []
    boxes = bounds(_built(readings[written_in], name).solid), bounding_box(points)
    (low, high), (cloud_low, cloud_high) = (map(_place, frame.code_to_raw(box)) for box in boxes)
    sentences = [
        Message(
            "{name}, read as {units}, makes a part from {low} to {high}; the cloud lies from {cloud_low} to "
            "{cloud_high}.",
            name=name,
            units=_FRAME_WORDS[written_in],
            low=low,
            high=high,
            cloud_low=cloud_low,
            cloud_high=cloud_high,
        )
    ]
    if off > TOO_FAR:
        sentences.append(Message("That is too far apart to be fitted."))
    if meant:
        hint = Message(
            "Read as {units} it would stand in place: use --frame {frame}.", units=_FRAME_WORDS[other], frame=other
        )
    else:
        hint = Message("Scale and move the program to the cloud, or rebuild the cloud from nothing with `inference`.")
    doubt = joined("{first} {second}", [*sentences, hint])
    if off > TOO_FAR:
        raise ProgramError(doubt)
    return [doubt]


def _off(program: Program, points: np.ndarray, name: str) -> float:
    """How far the sides of two boxes are apart at most, as a share of the cloud's longest side."""
    apart = np.abs(bounds(_built(program, name).solid) - bounding_box(points)).max()
    return float(apart / np.ptp(points, axis=0).max())


def _place(corner: np.ndarray) -> str:
    return f"({', '.join(map(figure, corner))})"


# --- many programs


def refine_all(
    programs: str | Path,
    targets: str | Path,
    *,
    seconds: float = FIT_SECONDS,
    points: int = CLOUD_POINTS,
    noise: float = 0.0,
    limit: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Move every program onto points sampled on its target, and measure how near it was and is to the target itself.

    Args:
        programs: See `scoring.programs`; each in the CODE frame of its target.
        targets: See `scoring.targets.load_targets`.
        seconds: For each program.
        points: How many the fit sees, without their normals.
        noise: Deviation of the points in each direction, as a share of the target's longest side.
        limit: This many programs, drawn with the seed.
        on_progress: Called with (done, total).
    Returns: A report that JSON can hold: `rows` in the order of the file, `skipped`, and the means.
    Raises: DatasetError: nothing can be read, or no program has a target.
    """
    started = time.monotonic()
    rows, skipped = read_programs(programs)
    rows = drawn(rows, limit, seed)
    waiting: dict[str, list[Row]] = {}
    for row in rows:
        waiting.setdefault(row.id, []).append(row)
    done: dict[int, dict[str, Any]] = {}  # by the line in the file
    for shape in load_targets(targets, ids=set(waiting)):
        if shape.id not in waiting:  # a second file of the same name
            skipped.append(skip(shape.id, None, Message("there is another target of that name")))
            continue
        prepared = _prepared(shape, points, noise, seed)
        for row in waiting.pop(shape.id):
            if isinstance(prepared, str):
                skipped.append(skip(row.id, row.line, prepared))
            else:
                done[row.line] = _refine_row(row, *prepared, seconds, seed)
            if on_progress:
                on_progress(len(done), len(rows))
    missing = Message("{source} has no target of that name", source=targets)
    skipped += [skip(row.id, row.line, missing) for left in waiting.values() for row in left]
    if not done:
        raise none_met(programs, targets, skipped)
    figures = [done[line] for line in sorted(done)]
    return {
        "programs": str(programs),
        "targets": str(targets),
        "options": {"seconds": seconds, "points": points, "noise": noise, "seed": seed, "limit": limit},
        **summarise(figures),
        "seconds": round(time.monotonic() - started, 2),
        "n_skipped": len(skipped),
        "skipped": skipped,
        "rows": figures,
    }


def _prepared(shape: Shape | Skipped, points: int, noise: float, seed: int) -> tuple[Target, CloudRuler] | str:
    """The target, and a ruler of points on it, CODE; or why it cannot be used."""
    if isinstance(shape, Skipped):
        return shape.reason
    own_seed = seed_of(shape.id, seed)
    rng = np.random.default_rng(own_seed)
    try:
        target = Target.of(shape.id, shape.vertices, shape.faces, seed=own_seed)
        sampled, _ = sample_surface(shape.vertices, shape.faces, points, rng)
    except (ProgramError, PointCloudError) as error:
        return error.message
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
        before, after = _moved(built, ruler, seconds, seed)
    except ProgramError as error:
        return _failed(row, str(error))
    except Exception as error:  # a fault of ours: logged in full, and the other programs still have their turn
        log.exception("The fit of %s, line %d, failed", row.id, row.line)
        return _failed(
            row, Message("the fit failed ({kind}: {error}); please report this", kind=type(error).__name__, error=error)
        )
    taken = time.monotonic() - started
    iou_before = score(before, target).iou  # the truth, for the first time
    iou_after = iou_before if after is before else score(after, target).iou
    return {
        "id": row.id,
        "code": row.code if after is before else write(after.program),
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
    """Means and medians: IoU over all rows (errors count 0) and over the valid, the rest over the valid alone.

    Returns: None for a figure of no row at all.
    """
    valid = [row for row in rows if "error" not in row]
    figures: dict[str, Any] = {"n": len(rows), "n_errors": len(rows) - len(valid)}
    for when in ("before", "after"):
        for name, among in (("", rows), ("_valid", valid)):
            figures[f"mean_iou_{when}{name}"] = _mean([row[f"iou_{when}"] for row in among])
        figures[f"median_iou_{when}"] = round(float(np.median([row[f"iou_{when}"] for row in rows])), 6)
        figures[f"mean_distance_{when}"] = _mean([row[f"distance_{when}"] for row in valid])
    figures["mean_seconds"] = _mean([row["seconds"] for row in valid])
    return figures


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 6) if values else None
