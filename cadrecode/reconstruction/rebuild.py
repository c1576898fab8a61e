"""The one way from a scan to a ranked list of programs: prepare, measure and write, rank, fit, check."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cadrecode.cloud import Cloud
from cadrecode.config import ReconstructConfig
from cadrecode.errors import Message
from cadrecode.export import Exported, export_program
from cadrecode.reconstruction.candidates import OnProgress, Pool, Writer, gather
from cadrecode.reconstruction.checked import checked
from cadrecode.reconstruction.given import Given
from cadrecode.reconstruction.result import Reconstruction, parts_of, raw_text
from cadrecode.scoring import FITTED, MODEL, Candidate, SimpleNumbers, fitted, rank

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from cadrecode.kernel.sandbox import Execution, Sandbox

LEAST_MEASURING_SECONDS = 16.0  # of the processor; the app's samples take 1 to 12
# of the time for a whole cloud, a clean one and a noisy one; what is left is for the fit, which hardly betters what was
# measured in a clean one
MEASURING_SHARE = 0.8, 0.6
SOLID_SHARE = 0.65  # the same for a closed solid
SOLID_FIT_SHARE = 0.5  # of that time: its fit does not pay with less
NUMBERS_SHARE = 0.1, 0.2  # of the time for a cloud, and for a solid: kept for simple numbers
CHECK_SECONDS, LEAST_NUMBERS_SECONDS = 1.2, 0.5  # kept for OpenCASCADE after those; of the best in any case
NEAR_MEASURED = 7.5e-4  # of the size: the mean distance of a measured program that is not fitted
EXACT_FIT_SHARE = 0.25  # of the time for the fit: enough for one program that is as near as the noise already
ONE_THREAD_PARAMETERS = 20_000_000  # the embedded base has one or two


def reconstruct(
    cloud: Cloud,
    model: PreTrainedModel | None,
    tokenizer: PreTrainedTokenizerBase | None,
    config: ReconstructConfig | None = None,
    *,
    name: str = "part",
    model_name: str = "",
    sandbox: Sandbox | None = None,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] | None = None,
    generate: Callable[..., list[str]] | None = None,
    load: Callable[[], tuple[Any, Any]] | None = None,
) -> Reconstruction:
    """Rebuild a scan: measure and write programs for it, rank them, fit the best, and check them in OpenCASCADE.

    Args:
        cloud: RAW; a closed mesh in it is what the programs are compared with.
        model: With its `tokenizer`, from `model.load.load_model`.
        config: The settings; the defaults where it is None.
        name: The part's name, in STEP and for its files.
        model_name: What the report calls the model.
        sandbox: Checks the best in OpenCASCADE before calling it best, and runs text outside of the language.
        on_progress: Called with (stage, done, total).
        should_stop: Called often; once it returns True, what is there is ranked and returned.
        generate: In place of `model.decode.generate`.
        load: Returns model and tokenizer, in place of these two: called only where the model has to write.
    Raises: PointCloudError: not a usable cloud. ModelError: the model needs normals and there are none.
        Cancelled: stopped before any program was there.
    """
    started = time.monotonic()
    config = config or ReconstructConfig()
    progress = on_progress or (lambda stage, done, total: None)
    writer = Writer(model, tokenizer, generate, sandbox, load)
    rebuilt = rebuild(cloud, writer, config, on_progress=progress, should_stop=should_stop)
    ranked = rebuilt.ranked
    passed_over: list[Candidate] = []
    exports: dict[str, Exported] = {}
    if sandbox is not None:

        def run(candidate: Candidate) -> Execution:
            text = raw_text(candidate, rebuilt.given.frame, names=config.names)
            exports[text] = export_program(text, sandbox, name=name, unit=config.unit)
            return exports[text].execution

        seen = checked(ranked, rebuilt.given.yardstick, run, lambda done, total: progress("checking", done, total))
        ranked, passed_over = seen.ranked, seen.refused
    progress("measuring", 0, 1)
    result = Reconstruction(
        (),
        tuple(candidate for candidate in ranked if not candidate.ok),
        tuple(passed_over),
        rebuilt.given,
        config,
        stopped=rebuilt.pool.stopped,
        seconds=time.monotonic() - started,
        model=model_name,
        model_used=bool(rebuilt.pool.written),
        warnings=_warnings(rebuilt, ranked),
    )
    return replace(result, parts=parts_of(result, ranked, name, exports))


def _warnings(rebuilt: Rebuilt, ranked: Sequence[Candidate]) -> tuple[Message, ...]:
    """What was guessed about the scan, what went wrong, and what the best candidate lacks."""
    lacks = [candidate.detail for candidate in ranked[:1] if candidate.ok and candidate.detail]
    return (*rebuilt.given.warnings, *rebuilt.pool.warnings, *lacks)


@dataclass(frozen=True)
class Rebuilt:
    """A scan and its candidates, best first, CODE, before OpenCASCADE has seen any of them."""

    given: Given
    pool: Pool
    ranked: list[Candidate]


def rebuild(
    cloud: Cloud,
    writer: Writer,
    config: ReconstructConfig,
    *,
    whole_seconds: float | None = None,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Rebuilt:
    """The candidates for a scan, ranked and fitted.

    Args:
        cloud: RAW.
        whole_seconds: For all of it, in place of the `seconds` of the settings, which are for the fit.
    Raises: As `reconstruct`.
    """
    started = time.monotonic()
    progress = on_progress or (lambda stage, done, total: None)
    stopping = should_stop or (lambda: False)
    given = Given.of(cloud, config, lambda: progress("cleaning", 0, 1))
    measuring_seconds = max(config.seconds, LEAST_MEASURING_SECONDS)
    if whole_seconds is not None:
        share = MEASURING_SHARE[given.ruler.is_noisy] if given.solid is None else SOLID_SHARE
        measuring_seconds = started + share * whole_seconds - time.monotonic()
    pool = gather(given, writer, config, measuring_seconds, progress, stopping)
    candidates = pool.candidates
    ranked = rank(candidates, given.yardstick, on_each=lambda done: progress("ranking", done, len(candidates)))
    seconds = config.seconds
    if whole_seconds is not None:
        seconds = started + (1 - NUMBERS_SHARE[given.solid is not None]) * whole_seconds - time.monotonic()
        if given.solid is not None and seconds < SOLID_FIT_SHARE * whole_seconds:
            seconds = 0.0
    if seconds > 0 and not stopping() and not (pool.is_exact and given.solid is not None) and _may_fit(ranked, given):
        ranked = fitted(  # where a program is as near as the noise, it alone, for a short time
            ranked, given.yardstick, seconds=seconds * EXACT_FIT_SHARE if pool.is_exact else seconds,
            count=1 if pool.is_exact else FITTED, on_each=lambda done, total: progress("fitting", done, total),
            seed=config.seed, round_numbers=False, should_stop=stopping,
        )  # fmt: skip
    if whole_seconds is not None or seconds > 0 or config.snap != "auto":
        until = math.inf if whole_seconds is None else started + whole_seconds - CHECK_SECONDS
        ranked = _with_simple_numbers(ranked, given, config, stopping, until)
    return Rebuilt(given, pool, ranked)


def _may_fit(ranked: Sequence[Candidate], given: Given) -> bool:
    """Whether a fit may better the best: of what was measured in a clean cloud it moves right numbers to places that
    make up for what is missing."""
    if not ranked or not ranked[0].ok or ranked[0].source == MODEL or given.solid is not None or given.ruler.is_noisy:
        return True
    return ranked[0].distance > NEAR_MEASURED * given.ruler.size


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


def _with_simple_numbers(
    ranked: list[Candidate], given: Given, config: ReconstructConfig, stopping: Callable[[], bool], until: float
) -> list[Candidate]:
    """The candidates in order, the numbers of the first few as a person would write them: of the first for a moment in
    any case, of the others until `until`, on time.monotonic()."""
    faces = None if given.solid is None else given.faces
    numbers = SimpleNumbers(given.yardstick, given.frame, config.unit, config.snap, faces)
    changed = []
    for place, candidate in enumerate(ranked):
        end = until if place else max(until, time.monotonic() + LEAST_NUMBERS_SECONDS)
        may_change = place < FITTED and not stopping() and time.monotonic() < end
        changed.append(numbers.of(candidate, end) if may_change else candidate)
    return sorted(changed, key=given.yardstick.key)
