"""A cloud in, a ranked list of programs out. Nothing but the cloud decides which comes first."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.cloud import Cloud, normalise
from cadrecode.cloud.align import UNASKED, Alignment
from cadrecode.cloud.align import align as aligned
from cadrecode.cloud.distance import point_to_surface
from cadrecode.errors import CadrecodeError
from cadrecode.fit import fit, ruler_for
from cadrecode.frames import CODE_PER_MODEL, Frame
from cadrecode.kernel.sandbox import Execution, Outcome
from cadrecode.program import Program, write
from cadrecode.program.edit import to_raw
from cadrecode.scoring import Judged, build_text, improve, point_subsets, rank

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler
    from cadrecode.kernel.sandbox import Sandbox

TEMPERATURE = 0.7  # of all candidates but the first, which is greedy
FIT_SECONDS = 6.0  # for all that are fitted together
FITTED = 3  # candidates; the fourth was hardly ever the best in the end
ONE_THREAD_PARAMETERS = 20_000_000  # the embedded base has one or two
EXPORTS = ("step", "stl", "glb")

# told the stage ("sampling", "building", "ranking", "fitting", "checking"), how much is done, and of how much
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
        distance_before: the same before its numbers were fitted to the cloud; None where they were not.
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
    distance_before: float | None = None

    @property
    def ok(self) -> bool:
        return self.outcome == Outcome.OK


@dataclass(frozen=True)
class Deviation:
    """Distances of the cloud's points to the best candidate's surface, RAW units."""

    mean: float
    p95: float
    max: float


@dataclass(frozen=True)
class Reconstruction:
    """What was made of a cloud.

    Args:
        candidates: all of them, best first, failures last.
        best: the first that is valid; None when none is.
        deviation: how well `best` explains the points (up to 8,192 of them).
        frame: between the file (RAW) and the programs (CODE).
        alignment: how the cloud was found to be turned; the candidates' CODE programs stand upright.
        passed_over: nearer to the cloud than `best`, but OpenCASCADE could not build them (only known with a sandbox).
        stopped: the person stopped it; candidates that were not reached are absent.
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


class Written(dict[str, Path]):
    """The files that were written, by kind: "py", "step", "stl", "glb".

    Attributes:
        note: what is missing or second-best, and why; empty when everything is as it should be.
        execution: what OpenCASCADE said; None when it was not asked.
    """

    note: str = ""
    execution: Execution | None = None


def reconstruct(
    cloud: Cloud,
    model,
    tokenizer,
    *,
    candidates: int = 8,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    fit_seconds: float = FIT_SECONDS,
    align: bool = True,
    sandbox: Sandbox | None = None,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    generate: Callable[..., list[str]] | None = None,
) -> Reconstruction:
    """Draw several programs for a cloud, rank them by their distance to it, and fit the best to it.

    Args:
        cloud: RAW.
        model, tokenizer: of `model.load.load_model`.
        candidates: how many; the first is greedy, each looks at different points.
        temperature: of the others.
        fit_seconds: for moving the best three onto the cloud; 0 leaves them as the model wrote them.
        align: find how the part is turned, and rebuild it along its own axes; False: along those of the file.
        sandbox: checks the best in OpenCASCADE before calling it best, and runs text outside of the language.
        on_progress: told the stage, how much is done, and of how much.
        should_stop: asked often; once it says yes, what is there is ranked and returned.
        generate: in place of `model.decode.generate`.
    Raises: PointCloudError: not a usable cloud. ModelError: the model needs normals and there are none.
        Cancelled: stopped before any program was there.
    """
    started = time.monotonic()
    progress = on_progress or (lambda stage, done, total: None)
    stopping = should_stop or (lambda: False)
    alignment = aligned(cloud.points, cloud.normals, seed=seed) if align else UNASKED
    points_model, frame = normalise(cloud.points, alignment.rotation)
    normals = None if cloud.normals is None else frame.to_own_axes(cloud.normals)
    settings = model.point_settings
    shown = normals if settings.columns > 3 else None
    views = point_subsets(points_model, candidates, settings.n_points, seed, shown)
    texts = _draw(views, model, tokenizer, temperature, seed, progress, stopping, generate)
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
    if fit_seconds > 0 and not stopping():
        judged = _fitted(judged, ruler, fit_seconds, frame, seed, progress, stopping)
    ranked = [_candidate(one, frame) for one in judged]

    passed_over: list[Candidate] = []
    if sandbox is not None:
        ranked, passed_over = _check_in_kernel(ranked, sandbox, progress)
    best = next((one for one in ranked if one.ok), None)
    deviation = None
    if best is not None:
        missed = point_to_surface(frame.code_to_raw(ruler.points), best.vertices, best.faces)
        deviation = Deviation(float(missed.mean()), float(np.quantile(missed, 0.95)), float(missed.max()))
    seconds = time.monotonic() - started
    stopped = len(built) < candidates
    return Reconstruction(tuple(ranked), best, deviation, frame, cloud, seconds, tuple(passed_over), stopped, alignment)


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
    """(N, n_points, 3 or 6) MODEL -> N texts: the first greedy, the others sampled in one batch. Fewer when stopped."""
    if generate is None:
        from cadrecode.model.decode import generate  # torch is imported only when a model is used

    total = len(views)
    progress("sampling", 0, total)
    texts = generate(model, tokenizer, views[:1], temperature=0.0, seed=seed, stop=stopping)
    if stopping():
        return []  # the text ends where the stop fell
    if total > 1:
        texts = texts + generate(
            model,
            tokenizer,
            views[1:],
            temperature=temperature,
            seed=seed,
            stop=stopping,
            on_token=lambda _, going: progress("sampling", total - going, total),
        )
        if stopping():
            return texts[:1]
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
    """The best few moved onto the cloud; each has an even share of what is left of the time."""
    deadline = time.monotonic() + seconds
    left = FITTED

    def moved(program: Program) -> Program:
        nonlocal left
        share = max(deadline - time.monotonic(), 0.0) / left
        left -= 1
        return fit(program, ruler, seconds=share, seed=seed, frame=frame, should_stop=stopping).program

    return improve(judged, ruler, moved, count=FITTED, on_each=lambda done, total: progress("fitting", done, total))


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
        None if judged.distance_before is None else judged.distance_before * frame.raw_per_code,
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
    """Ask OpenCASCADE, best first, until it agrees. Those it refuses keep their distance and go behind, named."""
    valid = [one for one in ranked if one.ok]
    refused: list[Candidate] = []
    for index, one in enumerate(valid):
        progress("checking", index, len(valid))
        execution = sandbox.run(one.raw_text)
        if execution.ok:
            break
        detail = f"Manifold builds it, OpenCASCADE does not: {execution.detail or execution.outcome}"
        refused.append(replace(one, outcome=execution.outcome, detail=detail))
    progress("checking", len(valid), len(valid))
    rest = valid[len(refused) :]
    if not rest:  # nothing that OpenCASCADE accepts: a preview and its program are still worth more than nothing
        return ranked, refused
    return rest + refused + [one for one in ranked if not one.ok], refused


def write_files(
    reconstruction: Reconstruction, folder: Path, name: str, sandbox: Sandbox | None = None, unit: str = "mm"
) -> Written:
    """Write the best candidate as <name>.py, .step, .stl and .glb, in the file's own units and place.

    Args:
        sandbox: makes all but the program. Without it, or where OpenCASCADE fails, there is only an STL of Manifold's
            mesh beside the program, and `note` says so.
        unit: what the numbers are ("mm", "cm", "m", "inch"); STEP carries it.
    Raises: CadrecodeError: there is no valid candidate.
    """
    best = reconstruction.best
    if best is None:
        raise CadrecodeError(
            f"None of the {len(reconstruction.candidates)} candidates is a valid solid, so there is nothing to write. "
            "Try more candidates, another seed or a higher temperature."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = Written()
    written["py"] = folder / f"{name}.py"
    written["py"].write_text(best.raw_text.rstrip() + "\n", encoding="utf-8")
    if sandbox is None:
        written.note = "No STEP: it needs the OpenCASCADE sandbox."
    else:
        execution = sandbox.run(best.raw_text, folder, EXPORTS, name=name, unit=unit)
        written.execution = execution
        written.update(execution.files)
        if not execution.ok:
            reason = f"{execution.outcome}, {execution.detail}" if execution.detail else execution.outcome
            written.note = f"No STEP: OpenCASCADE could not build the program ({reason})."
    if "stl" not in written:
        written["stl"] = folder / f"{name}.stl"
        write_stl(written["stl"], best.vertices, best.faces)
        written.note += " The STL holds Manifold's mesh, its circles as 64 straight pieces."
    return written


def write_stl(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Binary STL of a mesh: (n, 3) float, (m, 3) int. STL knows no units and only float32."""
    corners = np.asarray(vertices, np.float64)[faces]  # (m, 3 corners, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
    records = np.zeros(len(corners), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    records["normal"], records["corners"] = normals, corners
    header = b"cadrecode".ljust(80, b" ")
    path.write_bytes(header + np.uint32(len(records)).astype("<u4").tobytes() + records.tobytes())
