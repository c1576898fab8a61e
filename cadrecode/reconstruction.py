"""A cloud in, a ranked list of programs out. Nothing but the cloud decides which comes first."""

from __future__ import annotations

import bisect
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.cloud import Cloud, normalise
from cadrecode.cloud.align import UNASKED, Alignment
from cadrecode.cloud.align import align as aligned
from cadrecode.cloud.clean import Cleaned, clean
from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError
from cadrecode.export import Written, write_part, write_report
from cadrecode.fit import fit, ruler_for
from cadrecode.frames import CODE_PER_MODEL, Frame
from cadrecode.kernel.sandbox import Outcome
from cadrecode.program import Program, write
from cadrecode.program.edit import parameters, to_raw
from cadrecode.scoring import (
    FITTED,
    Deviation,
    Judged,
    build_text,
    deviation_of,
    improve,
    part_report,
    point_subsets,
    rank,
)

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler
    from cadrecode.kernel.sandbox import Sandbox

ONE_THREAD_PARAMETERS = 20_000_000  # the embedded base has one or two

# called with (stage, done, total); the stages: cleaning, sampling, building, ranking, fitting, checking
Progress = Callable[[str, int, int], None]


class Cancelled(CadrecodeError):
    """The person asked to stop before there was anything to show."""


@dataclass(frozen=True)
class Candidate:
    """One answer of the model; a failed one says how it failed.

    Args:
        index: its place in the batch; 0 is greedy, the others are sampled.
        text: canonical, CODE; what the model wrote where that is outside of the language.
        program: the tree, where the text is in the language.
        outcome: an `Outcome`, or OUTSIDE.
        detail: why it failed, in words.
        distance: how far cloud and surface are apart (`CloudRuler.distance`), RAW units; None for a failure.
        as_written: what it was before it was fitted to the cloud; None where it was not.
        raw_text: the program in the file's own units and place; None for a failure.
        vertices, faces: its surface, (n, 3) float64 RAW and (m, 3) int64; None for a failure.
        bodies, cavities: separate pieces, and hollows that no scanner can see. A part has 1 and 0.
    """

    index: int
    text: str
    program: Program | None
    outcome: str
    detail: str = ""
    distance: float | None = None
    raw_text: str | None = None
    vertices: np.ndarray | None = field(default=None, repr=False, compare=False)
    faces: np.ndarray | None = field(default=None, repr=False, compare=False)
    bodies: int = 0
    cavities: int = 0
    as_written: Candidate | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        return self.outcome == Outcome.OK

    @property
    def distance_before(self) -> float | None:
        """Before the fit, RAW units; None where there was none."""
        return None if self.as_written is None else self.as_written.distance


@dataclass(frozen=True)
class Reconstruction:
    """What was made of a cloud.

    Args:
        candidates: all of them, best first, failures last.
        best: the first that is valid; None when none is.
        deviation: of the cloud's points from `best`.
        frame: between the file (RAW) and the programs (CODE).
        alignment: how the cloud was found to be turned; the candidates' CODE programs stand upright.
        passed_over: nearer to the cloud than `best`, but OpenCASCADE could not build them (only known with a sandbox).
        stopped: the person stopped it; candidates that were not reached are absent.
        config: the settings it was made with.
        cleaned: what was taken out of the scan before `cloud`; None where cleaning was off.
    """

    candidates: tuple[Candidate, ...]
    best: Candidate | None
    deviation: Deviation | None
    frame: Frame
    cloud: Cloud
    seconds: float
    passed_over: tuple[Candidate, ...] = ()
    stopped: bool = False
    alignment: Alignment = UNASKED
    config: ReconstructConfig = field(default_factory=ReconstructConfig)
    cleaned: Cleaned | None = None


def reconstruct(
    cloud: Cloud,
    model,
    tokenizer,
    config: ReconstructConfig | None = None,
    *,
    sandbox: Sandbox | None = None,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    generate: Callable[..., list[str]] | None = None,
) -> Reconstruction:
    """Draw several programs for a cloud, rank them by their distance to it, and fit the best to it.

    Args:
        cloud: RAW.
        model, tokenizer: of `model.load.load_model`.
        config: the settings; the defaults where it is None.
        sandbox: checks the best in OpenCASCADE before calling it best, and runs text outside of the language.
        on_progress: called with (stage, done, total).
        should_stop: called often; once it returns True, what is there is ranked and returned.
        generate: in place of `model.decode.generate`.
    Raises: PointCloudError: not a usable cloud. ModelError: the model needs normals and there are none.
        Cancelled: stopped before any program was there.
    """
    started = time.monotonic()
    progress = on_progress or (lambda stage, done, total: None)
    stopping = should_stop or (lambda: False)
    config = config or ReconstructConfig()
    seed, cleaned = config.seed, None
    if config.clean != "off":
        progress("cleaning", 0, 1)
        cleaned = clean(cloud, surroundings=config.clean == "all", seed=seed)
        cloud = cleaned.cloud
    alignment = aligned(cloud.points, cloud.normals, seed=seed) if config.align else UNASKED
    points_model, frame = normalise(cloud.points, alignment.rotation)
    normals = None if cloud.normals is None else frame.to_own_axes(cloud.normals)
    settings = model.point_settings
    shown = normals if settings.columns > 3 else None
    views = point_subsets(points_model, config.candidates, settings.n_points, seed, shown)
    texts = _draw(views, model, tokenizer, config.temperature, seed, progress, stopping, generate)
    if not texts:
        raise Cancelled("Stopped before the model had written a program.")

    built = []
    for text in texts:
        if built and stopping():
            break
        progress("building", len(built), len(texts))
        built.append(build_text(text, sandbox))
    progress("building", len(built), len(texts))

    ruler = ruler_for(points_model * CODE_PER_MODEL, normals, seed=seed)
    judged = rank(built, ruler, on_each=lambda done: progress("ranking", done, len(built)))
    if config.seconds > 0 and not stopping():
        judged = _fitted(judged, ruler, config.seconds, frame, seed, progress, stopping)
    ranked = [_candidate(one, frame) for one in judged]

    passed_over: list[Candidate] = []
    if sandbox is not None:
        ranked, passed_over = _check_in_kernel(ranked, sandbox, progress)
    best = next((one for one in ranked if one.ok), None)
    deviation = None
    if best is not None:
        deviation = deviation_of(cloud.points, best.vertices, best.faces, seed=seed)
    seconds = time.monotonic() - started
    stopped = len(built) < config.candidates
    return Reconstruction(
        tuple(ranked), best, deviation, frame, cloud, seconds, tuple(passed_over), stopped, alignment, config, cleaned
    )


@contextlib.contextmanager
def threads_for(model) -> Iterator[None]:
    """One thread for a small model on a CPU. Two are no faster for it, and beside a training run, which takes all
    cores, they wait for each other at every layer: 8 candidates of the embedded base took 198 s instead of 2.4 s.
    """
    if str(model.device) != "cpu" or model.num_parameters() > ONE_THREAD_PARAMETERS:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _draw(views, model, tokenizer, temperature, seed, progress: Progress, stopping, generate) -> list[str]:
    """(N, n_points, 3 or 6) MODEL -> N texts in one batch: the first greedy, the others sampled. Stopped: that one
    alone, if it has its end, or none.
    """
    if generate is None:
        from cadrecode.model.decode import generate  # torch is imported only when a model is used

    total = len(views)
    progress("sampling", 0, total)
    texts = generate(
        model,
        tokenizer,
        views,
        temperature=[0.0] + [temperature] * (total - 1),
        seed=seed,
        stop=stopping,
        on_token=lambda _, going: progress("sampling", total - going, total),
    )
    if stopping():
        return texts[:1] if texts[0] else []
    progress("sampling", total, total)
    return texts


def _fitted(
    judged: list[Judged],
    ruler: CloudRuler,
    seconds: float,
    frame: Frame,
    seed: int,
    progress: Progress,
    stopping: Callable[[], bool],
) -> list[Judged]:
    """The best few moved onto the cloud."""

    def moved(program: Program, share: float) -> Program:
        return fit(program, ruler, seconds=share, seed=seed, frame=frame, should_stop=stopping).program

    return improve(
        judged,
        ruler,
        moved,
        seconds=seconds,
        count=FITTED,
        on_each=lambda done, total: progress("fitting", done, total),
    )


def _candidate(judged: Judged, frame: Frame) -> Candidate:
    built = judged.built
    text = built.text if built.program is None else write(built.program)
    if not built.ok:
        return Candidate(judged.index, text, built.program, built.outcome, built.detail)
    vertices, faces = built.mesh
    bodies, cavities = built.shells
    return Candidate(
        judged.index,
        text,
        built.program,
        built.outcome,
        built.detail,
        judged.distance * frame.raw_per_code,
        _raw_text(built.program, text, frame),
        frame.code_to_raw(vertices),
        faces,
        bodies,
        cavities,
        None if judged.as_written is None else _candidate(judged.as_written, frame),
    )


def _raw_text(program: Program | None, text: str, frame: Frame) -> str:
    """The program in the file's units and place. One that is not a tree gets its finished part placed instead."""
    if program is not None:
        return write(to_raw(program, frame))
    scale = f"{frame.raw_per_code:.8g}"
    place = ",".join(f"{value:.8g}" for value in frame.center)
    turn = ""
    if frame.rotation is not None:
        axis, degrees = frame.turn()
        turn = f".rotate((0,0,0),({','.join(f'{value:.9g}' for value in axis)}),{degrees:.9g})"
    return f"{text.rstrip()}\nr=cq.Workplane(r.combine().val().scale({scale}){turn}.translate(({place})))\n"


def _check_in_kernel(
    ranked: list[Candidate], sandbox: Sandbox, progress: Progress
) -> tuple[list[Candidate], list[Candidate]]:
    """Ask OpenCASCADE, best first, until it agrees. In place of a fitted program that it refuses comes the one that the
    model wrote; what has none keeps its distance and goes behind. All that were refused are named.
    """
    waiting = [one for one in ranked if one.ok]
    total, refused, behind = len(waiting), [], []
    while waiting:
        progress("checking", min(len(refused), total), total)
        first = waiting[0]
        execution = sandbox.run(first.raw_text)
        if execution.ok:
            break
        del waiting[0]
        detail = f"Manifold builds it, OpenCASCADE does not: {execution.detail or execution.outcome}"
        refused.append(replace(first, outcome=execution.outcome, detail=detail))
        if first.as_written is None:
            behind.append(refused[-1])
        else:
            bisect.insort(waiting, first.as_written, key=lambda one: one.distance)
    progress("checking", total, total)
    if not waiting:  # nothing that OpenCASCADE accepts: a preview and its program are still worth more than nothing
        return ranked, refused
    return waiting + behind + [one for one in ranked if not one.ok], refused


def write_files(
    reconstruction: Reconstruction,
    folder: Path,
    name: str,
    sandbox: Sandbox | None = None,
    unit: str = "mm",
    *,
    model: str = "",
) -> Written:
    """Write the best candidate as <name>.py, .step, .stl and .glb, in the file's own units and place; the cloud
    coloured by its deviation, <name>_deviation.ply; and what there is to know, <name>_report.json.

    Args:
        sandbox: makes STEP and GLB, see `export.write_part`.
        unit: what the numbers are ("mm", "cm", "m", "inch"); STEP carries it.
        model: what answered, in words, for the report.
    Raises: CadrecodeError: there is no valid candidate.
    """
    best = reconstruction.best
    if best is None:
        raise CadrecodeError(
            f"None of the {len(reconstruction.candidates)} candidates is a valid solid, so there is nothing to write. "
            "Try more candidates, another seed or a higher temperature."
        )
    written = write_part(best.raw_text, (best.vertices, best.faces), folder, name, sandbox, unit)
    folder = written["py"].parent
    written["deviation"] = reconstruction.deviation.write_ply(folder / f"{name}_deviation.ply", unit)
    report = report_of(reconstruction, unit, model)
    report["warnings"] += [written.note.strip()] * bool(written.note)
    write_report(written, report, folder / f"{name}_report.json")
    return written


def report_of(found: Reconstruction, unit: str = "mm", model: str = "") -> dict[str, Any]:
    """What there is to know of a reconstruction, as JSON can hold it; see `scoring.part_report` and the README.

    Raises: CadrecodeError: there is no valid candidate.
    """
    best = found.best
    warnings = [*found.cloud.warnings]
    warnings += ["It was stopped early: not all candidates were drawn."] * found.stopped
    warnings += [f"Candidate {one.index} is nearer, but was passed over. {one.detail}" for one in found.passed_over]
    return part_report(found.cloud, unit, found.frame, best.vertices, found.deviation) | {
        "model": model,
        "options": found.config.model_dump(),
        "alignment": str(found.alignment),
        "best": best.index,
        "distance_before": best.distance_before,
        "distance": best.distance,
        "program": best.raw_text,
        "candidates": [_listed(one) for one in found.candidates],
        "seconds": round(found.seconds, 2),
        "warnings": warnings,
    }


def _listed(one: Candidate) -> dict[str, Any]:
    """A candidate in a report. Lengths are in the file's units."""
    told = {"index": one.index, "outcome": str(one.outcome), "detail": one.detail}
    if one.distance is None:
        return told | {"program": one.text}
    numbers = None if one.program is None else len(parameters(one.program))
    return told | {
        "distance": one.distance,
        "distance_before": one.distance_before,
        "bodies": one.bodies,
        "cavities": one.cavities,
        "numbers": numbers,
        "program": one.raw_text,
    }
