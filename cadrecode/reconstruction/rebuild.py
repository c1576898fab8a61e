"""A cloud in, a ranked list of programs out. Nothing but the cloud decides which comes first."""

from __future__ import annotations

import bisect
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cadrecode.cloud import Cloud, normalise
from cadrecode.cloud.align import SKIPPED, Alignment, align
from cadrecode.cloud.clean import Cleaned, clean
from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError, Message
from cadrecode.export import Exported, export_program
from cadrecode.fit import fit, ruler_for
from cadrecode.frames import CODE_PER_MODEL, Frame
from cadrecode.measure import from_cloud
from cadrecode.part import Part
from cadrecode.program import Program, write
from cadrecode.program.edit import parameters, to_raw
from cadrecode.program.layout import laid_out
from cadrecode.scoring import FITTED, Candidate, build_program, build_text, deviation_of, improve, point_subsets, rank
from cadrecode.scoring.deviation import QUICK_POINTS

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from cadrecode.cloud.distance import CloudRuler
    from cadrecode.kernel.sandbox import Sandbox

LEAST_MEASURING_SECONDS = 3.0  # a search that is shorter finds little
ONE_THREAD_PARAMETERS = 20_000_000  # the embedded base has one or two

# called with (stage, done, total); the stages: cleaning, reading, sampling, building, ranking, fitting, checking,
# measuring
Progress = Callable[[str, int, int], None]


class Cancelled(CadrecodeError):
    """The person stopped the rebuild before there was anything to show."""


@dataclass(frozen=True)
class Reconstruction:
    """What was made of a cloud.

    Args:
        parts: The valid candidates in the file's units and place, best first.
        failed: The other candidates, CODE.
        passed_over: Nearer to the cloud than the best, but OpenCASCADE could not build them (needs a sandbox).
        cloud: RAW, without what was cleaned away.
        frame: Between the file (RAW) and the candidates (CODE).
        alignment: How the part was turned in the file; the candidates stand upright.
        cleaned: What was taken out of the cloud; None where cleaning was off.
        stopped: The person stopped it; candidates that were not reached are absent.
        model: What wrote the programs, in words.
    """

    parts: tuple[Part, ...]
    failed: tuple[Candidate, ...]
    passed_over: tuple[Candidate, ...]
    cloud: Cloud
    frame: Frame
    config: ReconstructConfig
    alignment: Alignment = SKIPPED
    cleaned: Cleaned | None = field(default=None, repr=False)
    stopped: bool = False
    seconds: float = 0.0
    model: str = ""

    @property
    def best(self) -> Part | None:
        """The first valid part; None where there is none."""
        return self.parts[0] if self.parts else None

    def require_best(self) -> Part:
        """The first valid part. Raises: CadrecodeError: there is none."""
        if not self.parts:
            raise CadrecodeError(
                "None of the {count} candidates is a valid solid. "
                "Try more candidates, another seed or a higher temperature.",
                count=len(self.failed),
            )
        return self.parts[0]


def reconstruct(
    cloud: Cloud,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    config: ReconstructConfig | None = None,
    *,
    name: str = "part",
    model_name: str = "",
    sandbox: Sandbox | None = None,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    generate: Callable[..., list[str]] | None = None,
) -> Reconstruction:
    """Draw or measure several programs for a cloud, rank them by their distance to it, and fit the best to it.

    Args:
        cloud: RAW.
        model: With its `tokenizer`, from `model.load.load_model`.
        config: The settings; the defaults where it is None.
        name: Of the part, in STEP and for its files.
        model_name: What the report calls the model.
        sandbox: Checks the best in OpenCASCADE before calling it best, and runs text outside of the language.
        on_progress: Called with (stage, done, total).
        should_stop: Called often; once it returns True, what is there is ranked and returned.
        generate: In place of `model.decode.generate`.
    Raises: PointCloudError: not a usable cloud. ModelError: the model needs normals and there are none.
        Cancelled: stopped before any program was there.
    """
    started = time.monotonic()
    config = config or ReconstructConfig()
    progress = on_progress or (lambda stage, done, total: None)
    stopping = should_stop or (lambda: False)
    cleaned = None
    if config.clean != "off":
        progress("cleaning", 0, 1)
        cleaned = clean(cloud, surroundings=config.clean == "all", seed=config.seed)
        cloud = cleaned.cloud
    alignment = align(cloud.points, cloud.normals, seed=config.seed) if config.align else SKIPPED
    points_model, frame = normalise(cloud.points, alignment.rotation)
    normals = None if cloud.normals is None else frame.to_own_axes(cloud.normals)
    ruler = ruler_for(points_model * CODE_PER_MODEL, normals, seed=config.seed)
    measured = _measured(ruler, config, progress, stopping)
    texts: list[str] = []
    if config.source != "measured" or not measured:
        settings = model.point_settings
        shown = normals if settings.columns > 3 else None
        views = point_subsets(points_model, config.candidates, settings.n_points, config.seed, shown)
        texts = _draw(views, model, tokenizer, config, progress, stopping, generate)
    drawn = _build(texts, sandbox, progress, stopping)
    pool = drawn + measured
    ranked = rank(pool, ruler, on_each=lambda done: progress("ranking", done, len(pool)))
    if config.seconds > 0 and not stopping():
        ranked = _fitted(ranked, ruler, frame, config, progress, stopping)

    passed_over: list[Candidate] = []
    exports: dict[str, Exported] = {}
    if sandbox is not None:

        def run(text: str) -> Exported:
            exports[text] = export_program(text, sandbox, name=name, unit=config.unit)
            return exports[text]

        ranked, passed_over = _check_in_kernel(ranked, frame, run, progress)
    progress("measuring", 0, 1)
    result = Reconstruction(
        (),
        tuple(candidate for candidate in ranked if not candidate.ok),
        tuple(passed_over),
        cloud,
        frame,
        config,
        alignment,
        cleaned,
        stopped=bool(texts) and len(drawn) < config.candidates,
        seconds=time.monotonic() - started,
        model=model_name,
    )
    return replace(result, parts=_parts(result, ranked, name, exports))


@contextlib.contextmanager
def threads_for(model: PreTrainedModel) -> Iterator[None]:
    """One thread for a small model on a CPU. Two are no faster for it, and beside a training, which takes all cores,
    they wait for each other at every layer: 8 candidates of the embedded base took 198 s instead of 2.4 s.
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


def _measured(
    ruler: CloudRuler, config: ReconstructConfig, progress: Progress, stopping: Callable[[], bool]
) -> list[Candidate]:
    """What can be read off the points: nothing where that is not wanted, or where the cloud has no inside."""
    if config.source == "model" or stopping():
        return []
    progress("reading", 0, 1)
    seconds = max(config.seconds, LEAST_MEASURING_SECONDS)
    readings = from_cloud(ruler, seconds=seconds)
    progress("reading", 1, 1)
    return [build_program(reading.program, source=reading.source) for reading in readings]


def _draw(
    views: np.ndarray,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    config: ReconstructConfig,
    progress: Progress,
    stopping: Callable[[], bool],
    generate: Callable[..., list[str]] | None,
) -> list[str]:
    """(N, n_points, 3 or 6) MODEL -> N texts in one batch, the first greedy, the others sampled.

    After a stop only the first, if it has come to its end. Raises: Cancelled: it has not.
    """
    if generate is None:
        from cadrecode.model.decode import generate  # torch is imported only when a model is used

    total = len(views)
    progress("sampling", 0, total)
    texts = generate(
        model,
        tokenizer,
        views,
        temperature=[0.0] + [config.temperature] * (total - 1),
        seed=config.seed,
        stop=stopping,
        on_token=lambda _, going: progress("sampling", total - going, total),
    )
    if stopping():
        if not texts[0]:
            raise Cancelled("Stopped before the model had written a program.")
        return texts[:1]
    progress("sampling", total, total)
    return texts


def _build(
    texts: list[str], sandbox: Sandbox | None, progress: Progress, stopping: Callable[[], bool]
) -> list[Candidate]:
    """The solids of the texts, the first of them in any case."""
    pool: list[Candidate] = []
    for text in texts:
        if pool and stopping():
            break
        progress("building", len(pool), len(texts))
        pool.append(build_text(text, sandbox))
    progress("building", len(pool), len(texts))
    return pool


def _fitted(
    ranked: list[Candidate],
    ruler: CloudRuler,
    frame: Frame,
    config: ReconstructConfig,
    progress: Progress,
    stopping: Callable[[], bool],
) -> list[Candidate]:
    """The best few moved onto the cloud, and all in order again."""

    def moved(program: Program, share: float) -> Program:
        return fit(program, ruler, seconds=share, seed=config.seed, frame=frame, should_stop=stopping).program

    return improve(
        ranked,
        ruler,
        moved,
        seconds=config.seconds,
        count=FITTED,
        on_each=lambda done, total: progress("fitting", done, total),
    )


def _check_in_kernel(
    ranked: list[Candidate], frame: Frame, run: Callable[[str], Exported], progress: Progress
) -> tuple[list[Candidate], list[Candidate]]:
    """Run the candidates in OpenCASCADE, best first, until it accepts one.

    In place of a fitted program that it refuses comes the one that the model wrote; what has none keeps its distance
    and goes behind.
    Returns: all in their new order, and those that were refused.
    """
    waiting = [candidate for candidate in ranked if candidate.ok]
    total, refused, behind = len(waiting), [], []
    while waiting:
        progress("checking", min(len(refused), total), total)
        first = waiting[0]
        exported = run(_raw_text(first, frame))
        if exported.execution.ok:
            break
        del waiting[0]
        execution = exported.execution
        detail = Message("Manifold builds it, OpenCASCADE does not: {why}", why=execution.detail or execution.outcome)
        refused.append(replace(first, outcome=execution.outcome, detail=detail, solid=None))
        if first.as_written is None:
            behind.append(refused[-1])
        else:
            bisect.insort(waiting, first.as_written, key=lambda candidate: candidate.distance)
    progress("checking", total, total)
    if not waiting:  # nothing that OpenCASCADE accepts: a preview and its program are still worth more than nothing
        return ranked, refused
    return waiting + behind + [candidate for candidate in ranked if not candidate.ok], refused


def _raw_text(candidate: Candidate, frame: Frame) -> str:
    """The program in the file's units and place. Text outside of the language gets its finished part placed instead."""
    if candidate.program is not None:
        return laid_out(write(to_raw(candidate.program, frame)))
    scale = f"{frame.raw_per_code:.8g}"
    place = ",".join(f"{value:.8g}" for value in frame.center)
    turn = ""
    if frame.rotation is not None:
        axis, degrees = frame.turn()
        turn = f".rotate((0,0,0),({','.join(f'{value:.9g}' for value in axis)}),{degrees:.9g})"
    placed = f"r=cq.Workplane(r.combine().val().scale({scale}){turn}.translate(({place})))"
    return laid_out(f"{candidate.text.rstrip()}\n{placed}\n")


def _parts(
    result: Reconstruction, ranked: Sequence[Candidate], name: str, exports: dict[str, Exported]
) -> tuple[Part, ...]:
    """The valid candidates in the file's units and place; the deviation of the first at all points of the cloud."""
    frame, cloud, parts = result.frame, result.cloud, []
    about = _about(result, ranked)
    for candidate in ranked:
        if not candidate.ok:
            continue
        vertices, faces = candidate.mesh
        vertices, text, before = frame.code_to_raw(vertices), _raw_text(candidate, frame), candidate.as_written
        measured = {"most": QUICK_POINTS} if parts else {}
        parts.append(
            Part(
                text,
                vertices,
                faces,
                name,
                result.config.unit,
                cloud,
                frame,
                deviation_of(cloud.points, vertices, faces, seed=result.config.seed, **measured),
                candidate.distance * frame.raw_per_code,
                None if before is None else before.distance * frame.raw_per_code,
                candidate.index,
                candidate.source,
                about,
                exports.get(text),
            )
        )
    return tuple(parts)


def _about(result: Reconstruction, ranked: Sequence[Candidate]) -> dict[str, Any]:
    """What the report of every part says of the rebuild; see the README."""
    warnings = [*result.cloud.warnings]
    if result.stopped:
        warnings.append(Message("It was stopped early: not all candidates were drawn."))
    for candidate in result.passed_over:
        template = Message("Candidate {number} is nearer, but was passed over. {why}")
        warnings.append(Message(template, number=candidate.index, why=candidate.detail))
    return {
        "model": result.model,
        "options": result.config.model_dump(),
        "alignment": str(result.alignment),
        "best": next((candidate.index for candidate in ranked if candidate.ok), None),
        "candidates": [_listed(candidate, result.frame) for candidate in ranked],
        "seconds": round(result.seconds, 2),
        "warnings": warnings,
    }


def _listed(candidate: Candidate, frame: Frame) -> dict[str, Any]:
    """A candidate in a report. Lengths are in the file's units."""
    entry = {
        "index": candidate.index,
        "source": candidate.source,
        "outcome": str(candidate.outcome),
        "detail": candidate.detail,
    }
    if candidate.distance is None:
        return entry | {"program": candidate.text if candidate.program is None else write(candidate.program)}
    before, scale = candidate.as_written, frame.raw_per_code
    entry |= {"distance": candidate.distance * scale, "distance_before": before and before.distance * scale}
    if candidate.ok:
        bodies, cavities = candidate.shells
        entry |= {"bodies": bodies, "cavities": cavities}
    numbers = None if candidate.program is None else len(parameters(candidate.program))
    return entry | {"numbers": numbers, "program": _raw_text(candidate, frame)}
