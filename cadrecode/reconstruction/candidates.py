"""The pool of candidates: programs that are measured, and programs that the model writes, made at the same time."""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError, Message
from cadrecode.measure import from_cloud, from_mesh
from cadrecode.measure.boxes import boxes
from cadrecode.program import Program, mesh_of
from cadrecode.reconstruction.given import Given
from cadrecode.scoring import Candidate, build_program, build_text, point_subsets, unevenness

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from cadrecode.kernel.sandbox import Sandbox

T = TypeVar("T")

FLAT = 1e-6  # of the longest side: a cloud that is thinner has no inside
log = logging.getLogger(__name__)

POLL_SECONDS = 0.1  # between two looks at whether the person has stopped the rebuild
HEAD_START = 3.0  # seconds of measuring a cloud before a model is loaded for it: many a cloud needs none

# called with (stage, done, total); the stages: cleaning, reading, sampling, building, ranking, fitting, checking,
# measuring
OnProgress = Callable[[str, int, int], None]


class Cancelled(CadrecodeError):
    """The person stopped the rebuild before there was anything to show."""


@dataclass(frozen=True)
class Writer:
    """A writer of programs.

    Args:
        model: With its `tokenizer`, from `model.load.load_model`; not needed where all is measured.
        generate: In place of `model.decode.generate`.
        sandbox: Runs text outside of the language.
        load: Returns model and tokenizer, in place of these two: called when they are needed for the first time.
    """

    model: PreTrainedModel | None = None
    tokenizer: PreTrainedTokenizerBase | None = None
    generate: Callable[..., list[str]] | None = None
    sandbox: Sandbox | None = None
    load: Callable[[], tuple[Any, Any]] | None = None

    @property
    def has_model(self) -> bool:
        """Whether there is a model, loaded or not."""
        return self.model is not None or self.load is not None

    def opened(self) -> tuple[Any, Any]:
        """Model and tokenizer."""
        return (self.model, self.tokenizer) if self.load is None else self.load()


@dataclass(frozen=True)
class Pool:
    """The candidates for one input.

    Args:
        written: By the model, in the order in which they were drawn.
        measured: Read off the input, best first.
        is_exact: A measured candidate is as near as the noise, so that nothing else is worth its time.
        stopped: The person stopped it, so that candidates are missing.
        warnings: What the report says of it.
    """

    written: list[Candidate]
    measured: list[Candidate]
    is_exact: bool = False
    stopped: bool = False
    warnings: tuple[Message, ...] = ()

    @property
    def candidates(self) -> list[Candidate]:
        """All of them; 0 is the model's greedy program where the model wrote any."""
        return self.written + self.measured


def gather(
    given: Given,
    writer: Writer,
    config: ReconstructConfig,
    seconds: float,
    progress: OnProgress,
    stopping: Callable[[], bool],
) -> Pool:
    """Measure and write the candidates that the settings ask for.

    The model writes while a cloud is measured, and stops as soon as a measured program is as near as the noise. It is
    not even loaded where measuring is that quick, nor for a closed solid, until measuring has left something to do.
    Where only measured programs are wanted, the model writes if nothing could be measured.

    Args:
        seconds: For measuring.
    Raises: Cancelled: Stopped before there was any candidate.
    """
    if config.source == "model":
        return _written(given, writer, config, progress, stopping)
    measuring = _in_background(lambda: _measured(given, seconds))
    pool = Pool([], [])

    def enough() -> bool:
        return measuring.done() and measuring.result()[1]

    progress("reading", 0, 1)
    if config.source == "both":
        head_start = 0.0 if writer.load is None else HEAD_START
        _wait(measuring, math.inf if given.solid is not None else head_start, stopping)
        if stopping():
            pool = Pool([], [], stopped=True)
        elif not enough():
            pool = _written(given, writer, config, progress, stopping, enough)
            progress("reading", 0, 1)
    _wait(measuring, math.inf, stopping)
    measured, is_exact, *warnings = measuring.result() if measuring.done() else ([], False)
    progress("reading", 1, 1)
    if config.source == "measured" and not measured and writer.has_model:
        return replace(_written(given, writer, config, progress, stopping), warnings=tuple(warnings))
    if stopping() and not measured and not pool.written:
        raise Cancelled("Stopped before there was a program.")
    return Pool(pool.written, measured, is_exact, pool.stopped or not measuring.done(), tuple(warnings))


def _wait(future: Future[Any], seconds: float, stopping: Callable[[], bool]) -> None:
    """Wait for work in the background, until a stop or for so many seconds."""
    until = time.monotonic() + seconds
    while not future.done() and not stopping() and time.monotonic() < until:
        wait([future], POLL_SECONDS)


def _in_background(work: Callable[[], T]) -> Future[T]:
    """Start work in a thread that does not keep the process alive when nobody waits for it any more."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="measuring").start()
    return future


def _measured(given: Given, seconds: float) -> tuple[Any, ...]:
    """Programs read off the input, whether one of them is as near as the noise, and a warning where reading failed.

    A fault of measuring must not cost a person the programs of the model, so it is logged and reported.
    """
    try:
        return _read(given, seconds)
    except Exception as error:
        log.exception("Measuring failed")
        return [], False, Message("Measuring failed ({error}): the model wrote all candidates.", error=str(error))


def _read(given: Given, seconds: float) -> tuple[list[Candidate], bool]:
    yardstick, sides = given.yardstick, np.ptp(given.ruler.box, axis=0)
    if sides.min() < FLAT * sides.max():  # nothing is inside of a plane or a line
        return [], False
    if given.solid is None:
        readings = from_cloud(given.ruler, seconds=seconds)
    else:
        readings = from_mesh(*mesh_of(given.solid), seconds=seconds, price=yardstick.price)  # type: ignore[attr-defined]
    programs = [(reading.program, reading.source) for reading in readings]

    def cost(program: Program) -> tuple:
        return yardstick.key(yardstick.measured(build_program(program)))

    if unevenness(given.ruler) > 0:
        programs += [(program, "sections") for program in boxes(given.ruler, cost)]
    candidates = [yardstick.measured(build_program(program, source=source)) for program, source in programs]
    return candidates, any(map(yardstick.is_exact, candidates))


def _written(
    given: Given,
    writer: Writer,
    config: ReconstructConfig,
    progress: OnProgress,
    stopping: Callable[[], bool],
    enough: Callable[[], bool] = lambda: False,
) -> Pool:
    """The programs of the model, built.

    After a stop these are the first alone, if it has come to its end.

    Args:
        enough: Once it returns True, the model stops writing, and nothing of it is used.
    Raises: Cancelled: Stopped before the first was finished.
    """
    texts = _draw(given, writer, config, progress, lambda: stopping() or enough())
    if enough():
        return Pool([], [], stopped=stopping())
    if stopping():
        if not texts[0]:
            raise Cancelled("Stopped before the model had written a program.")
        texts = texts[:1]
    progress("sampling", config.candidates, config.candidates)
    pool: list[Candidate] = []
    for text in texts:
        if pool and stopping():
            break
        progress("building", len(pool), len(texts))
        pool.append(build_text(text, writer.sandbox))
    progress("building", len(pool), len(texts))
    return Pool(pool, [], stopped=len(pool) < config.candidates)


def _draw(
    given: Given, writer: Writer, config: ReconstructConfig, progress: OnProgress, stop: Callable[[], bool]
) -> list[str]:
    """The texts that the model writes in one batch, the first greedy, from several views, the others sampled."""
    model, tokenizer = writer.opened()
    settings, total = model.point_settings, config.candidates
    generate, again = writer.generate, 0
    if generate is None:
        from cadrecode.model.decode import draw, further_readings  # torch is imported only when a model is used

        again = further_readings(tokenizer)
        generate = functools.partial(draw, again=[0] * again)
    normals = given.normals if settings.columns > 3 else None
    views = point_subsets(
        given.points_model, total + again, settings.n_points, config.seed, normals, settings.heard_points
    )
    progress("sampling", 0, total)
    return generate(
        model,
        tokenizer,
        views,
        temperature=[0.0] + [config.temperature] * (total - 1),
        seed=config.seed,
        stop=stop,
        on_token=lambda _, going: progress("sampling", total - going, total),
    )
