"""One program and its scan."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.cloud import Cloud, normalise
from cadrecode.errors import ProgramError
from cadrecode.export import Written, write_part, write_report
from cadrecode.fit import fit, ruler_for
from cadrecode.frames import CODE_PER_MODEL, Frame
from cadrecode.kernel.sandbox import Outcome
from cadrecode.program import Program, build, parse, write
from cadrecode.program.edit import to_code, to_raw
from cadrecode.program.solid import placing
from cadrecode.scoring import Built, Deviation, Judged, deviation_of, improve, part_report, rank

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler
    from cadrecode.kernel.sandbox import Sandbox

SECONDS = 3.0  # a program
FAR = 0.75  # of the cloud's longest side: a box that is off by more is no place to begin
SUSPECT = 0.25  # off by that much, while in the other frame it would be in place

RAW, CODE = "raw", "code"
_FRAME_WORDS = {RAW: "the file's units", CODE: "the model's units (centred, longest side 200)"}


@dataclass(frozen=True)
class Refined:
    """A program and what the fit made of it.

    Args:
        text, text_before: RAW; equal where the fit found nothing nearer.
        distance, distance_before: `CloudRuler.distance`, RAW units.
        deviation, deviation_before: of the cloud's points, RAW units.
        vertices, faces: of the part, (n, 3) float64 RAW and (m, 3) int64.
        options: how it was asked for.
        warnings: what the person should know.
    """

    text: str
    text_before: str
    distance: float
    distance_before: float
    deviation: Deviation
    deviation_before: Deviation
    vertices: np.ndarray = field(repr=False, compare=False)
    faces: np.ndarray = field(repr=False, compare=False)
    frame: Frame
    cloud: Cloud
    seconds: float
    options: dict[str, Any]
    warnings: tuple[str, ...] = ()


def refine(
    text: str,
    cloud: Cloud,
    *,
    seconds: float = SECONDS,
    seed: int = 0,
    written_in: str = RAW,
    name: str = "The program",
) -> Refined:
    """Move one program onto a cloud. It comes back in the units and the place of the cloud's file.

    Args:
        text: a program of the language; nothing is executed.
        cloud: RAW.
        written_in: RAW, the units and place of the cloud's file; or CODE, as the model writes.
        name: of the program, for what is said.
    Raises: ProgramError: outside of the language, no solid, or too far from the cloud to begin with.
        PointCloudError: not a usable cloud.
    """
    started = time.monotonic()
    given = _readable(text, name)
    turned = written_in == RAW and given.placement is not None  # by `reconstruct`: the part stands askew in its cloud
    points_model, frame = normalise(cloud.points, placing(given.placement)[:, :3] if turned else None)
    points = points_model * CODE_PER_MODEL
    normals = None if cloud.normals is None else frame.to_own_axes(cloud.normals)
    in_file = to_code(given, frame)
    warnings = _require_near(points, {RAW: in_file, CODE: given}, written_in, frame, name)
    program = in_file if written_in == RAW else given
    before, after = fitted(_built(program, name), ruler_for(points, normals, seed=seed), seconds, seed, frame)
    text_before = text if written_in == RAW else write(to_raw(program, frame))
    vertices, faces = _raw_mesh(after, frame)
    return Refined(
        text=text_before if after is before else write(to_raw(after.built.program, frame)),
        text_before=text_before,
        distance=after.distance * frame.raw_per_code,
        distance_before=before.distance * frame.raw_per_code,
        deviation=deviation_of(cloud.points, vertices, faces, seed=seed),
        deviation_before=deviation_of(cloud.points, *_raw_mesh(before, frame), seed=seed),
        vertices=vertices,
        faces=faces,
        frame=frame,
        cloud=cloud,
        seconds=time.monotonic() - started,
        options={"seconds": seconds, "seed": seed, "frame": written_in},
        warnings=(*cloud.warnings, *warnings),
    )


def _readable(text: str, name: str) -> Program:
    try:
        return parse(text)
    except ProgramError as error:
        wanted = "a program of CAD-Recode's language, whose numbers the fit can move; see the README"
        raise ProgramError(f"{name}: {error.message}", error.line, error.column, error.expected or wanted) from error


def _built(program: Program, name: str) -> Built:
    try:
        return Built(write(program), Outcome.OK, "", program, build(program))
    except ProgramError as error:
        raise ProgramError(f"{name} makes no solid. {error.message}", expected=error.expected) from error


def fitted(
    built: Built, ruler: CloudRuler, seconds: float, seed: int, frame: Frame | None = None
) -> tuple[Judged, Judged]:
    """What is given, and what the fit makes of it; the very same where nothing nearer was found.

    Args: built: valid, a tree, in the ruler's frame.
    """
    before = rank([built], ruler)
    moved = improve(
        before,
        ruler,
        lambda program, share: fit(program, ruler, seconds=share, seed=seed, frame=frame).program,
        seconds=seconds,
        count=1,
    )
    return before[0], moved[0]


def _raw_mesh(judged: Judged, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    vertices, faces = judged.built.mesh
    return frame.code_to_raw(vertices), faces


def _require_near(
    points: np.ndarray, readings: dict[str, Program], written_in: str, frame: Frame, name: str
) -> list[str]:
    """Warnings where a program may be written in another frame than it is said to be.

    Args: points: (N, 3) CODE; readings: the program in CODE, if it is written in RAW and if it is written in CODE.
    Raises: ProgramError: its part stands too far from the cloud to begin with.
    """
    other = CODE if written_in == RAW else RAW
    off, off_other = (_off(readings[one], points, name) for one in (written_in, other))
    meant = off > SUSPECT > off_other and off_other < off / 3
    if off <= FAR and not meant:
        return []
    low, high = (frame.code_to_raw(corner[None])[0] for corner in _box(readings[written_in], name))
    cloud_low, cloud_high = (frame.code_to_raw(corner[None])[0] for corner in (points.min(axis=0), points.max(axis=0)))
    said = (
        f"{name}, read as {_FRAME_WORDS[written_in]}, makes a part from {_place(low)} to {_place(high)}; "
        f"the cloud lies from {_place(cloud_low)} to {_place(cloud_high)}."
    )
    if meant:
        hint = f"Read as {_FRAME_WORDS[other]} it would stand in place: use --frame {other}."
    else:
        hint = "Scale and move the program to the cloud, or rebuild the cloud from nothing with `inference`."
    if off > FAR:
        raise ProgramError(f"{said} That is too far apart to be fitted. {hint}")
    return [f"{said} {hint}"]


def _box(program: Program, name: str) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.array(_built(program, name).solid.bounding_box()).reshape(2, 3)
    return low, high


def _off(program: Program, points: np.ndarray, name: str) -> float:
    """How far the sides of two boxes are apart at most, as a share of the cloud's longest side."""
    low, high = _box(program, name)
    apart = np.abs([low - points.min(axis=0), high - points.max(axis=0)]).max()
    return float(apart / np.ptp(points, axis=0).max())


def _place(corner: np.ndarray) -> str:
    return f"({', '.join(f'{value:.4g}' for value in corner)})"


def write_files(refined: Refined, folder: Path, name: str, sandbox: Sandbox | None = None, unit: str = "mm") -> Written:
    """Write the program, its STEP, STL and GLB, the coloured cloud and the report, named as `reconstruct` does."""
    written = write_part(refined.text, (refined.vertices, refined.faces), folder, name, sandbox, unit)
    folder = written["py"].parent
    written["deviation"] = refined.deviation.write_ply(folder / f"{name}_deviation.ply", unit)
    report = part_report(refined.cloud, unit, refined.frame, refined.vertices, refined.deviation) | {
        "options": refined.options,
        "distance_before": refined.distance_before,
        "distance": refined.distance,
        "deviation_before": refined.deviation_before.figures(),
        "program_before": refined.text_before,
        "program": refined.text,
        "seconds": round(refined.seconds, 2),
        "warnings": [*refined.warnings, *[written.note.strip()] * bool(written.note)],
    }
    write_report(written, report, folder / f"{name}_report.json")
    return written
