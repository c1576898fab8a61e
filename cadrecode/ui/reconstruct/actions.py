"""A person's actions on a cloud: open it, rebuild it, run a program, share it. Tabs and API call it; no widgets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError
from cadrecode.part import Part, name_of
from cadrecode.scoring.verdict import Verdict
from cadrecode.ui import access, models
from cadrecode.ui.background import WAITING, OnProgress
from cadrecode.ui.reconstruct import link, samples
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.services import Services

LONGER = 4  # times the seconds of a rebuild
VERDICTS = (Verdict.GOOD, Verdict.DETAILS, Verdict.PARTLY, Verdict.NONE)  # the best first
MOST_LETTERS = 80  # of a name; with an ending, file systems take 255 bytes


def open_cloud(path: str | Path, services: Services, unit: str = "mm") -> Work:
    """Read an uploaded file. Raises: CadrecodeError: STEP is not allowed here. PointCloudError: not a usable scan."""
    from cadrecode.cloud import BREP_SUFFIXES, read_cloud

    path = Path(path)
    if path.suffix.lower() in BREP_SUFFIXES and not services.run_programs:
        raise CadrecodeError("STEP and BREP files need the OpenCASCADE sandbox, which is off on this link.")
    cloud = read_cloud(path)
    return Work(cloud, name_of(path)[:MOST_LETTERS], unit)


def open_sample(index: int, services: Services) -> Work:
    """Read one of the sample clouds."""
    sample = samples.samples()[index]
    return replace(open_cloud(sample.path, services, sample.unit), source=sample.source)


def rebuild(
    work: Work,
    config: ReconstructConfig,
    services: Services,
    on_progress: OnProgress,
    stop: Callable[[], bool],
    *,
    base: str | None = None,
    adapter: str = models.PLAIN,
) -> Work:
    """Rebuild the scan with a base and an adapter as `models.choices` lists them.

    Raises: CadrecodeError: no cloud, no model, nothing valid, cancelled.
    """
    if work.cloud is None:
        raise CadrecodeError("There is no cloud yet: drop a file or pick a sample.")
    if access.is_guest():
        models.require_here(services, base)
    # one turn, so that nobody else chooses another model between this choice and its use
    with services.engine.turn(lambda before: on_progress(WAITING, before, 0), stop, services.budget.allows):
        on_progress("loading", 0, 1)
        model = models.use(services, base, adapter)
        result = services.engine.reconstruct(
            work.cloud,
            config,
            name=work.name,
            model_name=model,
            sandbox=services.sandbox(),
            on_progress=on_progress,
            should_stop=stop,
        )
    result.require_best()
    _ = result.advice  # takes a second for a large scan: not while the page is drawn
    return replace(work, parts=result.parts, chosen=0, edited=None, rebuilt=result)


def search_longer(work: Work, config: ReconstructConfig, *given: Any, **options: Any) -> Work:
    """Rebuild once more with more time, for places that no part explains. The scan's best part stays where the longer
    search finds no better one.

    Args:
        given, options: As those of `rebuild`.
    Raises: As `rebuild`.
    """
    seconds = LONGER * max(config.seconds, ReconstructConfig().seconds)
    after = rebuild(work, config.changed(seconds=seconds), *given, **options)
    if work.parts and not is_better(after.parts[0], work.parts[0]):
        return replace(work, chosen=0, edited=None)
    return after


def is_better(part: Part, other: Part) -> bool:
    """Whether a part has the better verdict for its scan, or, with the same verdict, fewer places that it does not
    explain, or as many and the smaller distance."""

    def key(part: Part) -> tuple[int, int, float]:
        said = part.assessment
        places = sum(len(entry["places"]) for entry in said.report(part.unit)["unexplained"])
        return VERDICTS.index(said.verdict), places, math.inf if part.distance is None else part.distance

    return key(part) < key(other)


def run_program(work: Work, text: str, services: Services) -> Work:
    """Show what a person's program makes. Raises: ProgramError: it makes no solid, and where the fault is."""
    shown = work.shown
    if shown is not None and text.strip() == shown.program.strip():
        return work
    return work.with_program(text, services.sandbox())


def shared(work: Work) -> str:
    """The part on screen as the end of an address. Raises: CadrecodeError: none is there, or it cannot be shared."""
    if work.shown is None:
        raise CadrecodeError("There is no part yet to share: press Rebuild first.")
    return link.packed(work.shown.program, work.unit)
