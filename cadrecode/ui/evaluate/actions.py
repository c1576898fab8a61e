"""The Evaluate tab without its widgets: which parts and which models, starting an evaluation and ending it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from cadrecode.cloud import SURFACE_SUFFIXES
from cadrecode.config import EvaluationConfig
from cadrecode.errors import CadrecodeError, DatasetError, Message
from cadrecode.invent.source import PREFIX
from cadrecode.jobs import evaluating, queue
from cadrecode.jobs.evaluating import ADAPTER, BASE
from cadrecode.runs import Run
from cadrecode.ui import archive, models
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

INVENTED, UPLOAD, OWN = "invented", "upload", "own"


def start(
    services: Services,
    source: str,
    family: str,
    files: Sequence[str] | None,
    path: str | None,
    chosen: Sequence[str],
    **settings: float,
) -> Run:
    """Queue an evaluation.

    Args:
        source, family, files, path: See `targets_of`.
        chosen: Values of `choices`.
        settings: The other settings of `EvaluationConfig`.

    Raises: CadrecodeError: No model or no part was chosen, or an evaluation is at work already.
    """
    if not chosen:
        raise CadrecodeError("Choose at least one model to evaluate.")

    def settings_for(folder: Path) -> EvaluationConfig:
        targets = targets_of(source, family, files, path, folder)
        return EvaluationConfig.from_values(
            {"targets": targets, "models": list(chosen), **settings}, source=Message("form")
        )

    return evaluating.start(services.runs_dir, settings_for, run_programs=services.run_programs)


def go_on(services: Services) -> None:
    """Queue the latest evaluation again: it scores what is missing. Does nothing where there is none."""
    run = evaluating.latest(services.runs_dir)
    if run is not None:
        queue.resume(run, run_programs=services.run_programs)


def cancel(services: Services) -> None:
    """Stop the latest evaluation where it is at work or waits; what it has scored stays."""
    run = evaluating.latest(services.runs_dir)
    if run is not None and not run.state.final:
        queue.stop(run)


def targets_of(source: str, family: str, files: Sequence[str] | None, path: str | None, folder: Path) -> str:
    """The parts to rebuild, as `EvaluationConfig` names them.

    Args:
        folder: Where uploaded parts are kept; the page's own uploads are removed some time after it is closed.

    Raises: DatasetError, ArchiveError: Nothing was given, or nothing in it can be read.
    """
    if source == INVENTED:
        return f"{PREFIX}{family}"
    if source == UPLOAD:
        return str(_uploaded([Path(file) for file in files or ()], folder / "targets"))
    path = (path or "").strip().strip("'\"")
    if not path:
        raise DatasetError("Give a folder of meshes, a STEP file, or an .npz of <id>_v and <id>_f arrays.")
    return str(Path(path).expanduser())


def _uploaded(files: list[Path], folder: Path) -> Path:
    """One folder of meshes, from files and zips of them; an .npz as it is."""
    if not files:
        raise DatasetError("Drop meshes ({kinds}), a .zip of them, or an .npz.", kinds=", ".join(SURFACE_SUFFIXES))
    folder.mkdir(parents=True)
    if len(files) == 1 and files[0].suffix.lower() == ".npz":
        return Path(shutil.copyfile(files[0], folder / files[0].name))
    for file in files:
        if file.suffix.lower() == ".zip":
            unpacked, _ = archive.unpack(file, folder, SURFACE_SUFFIXES)
            if not unpacked:
                kinds = ", ".join(SURFACE_SUFFIXES)
                raise DatasetError("{name} holds no meshes. Readable: {kinds}.", name=file.name, kinds=kinds)
        elif file.suffix.lower() in SURFACE_SUFFIXES:
            shutil.copyfile(file, folder / file.name)
        else:
            raise DatasetError(
                "{name} is not a mesh. Readable: {kinds}, a .zip of them, or one .npz.",
                name=file.name,
                kinds=", ".join(SURFACE_SUFFIXES),
            )
    return folder


def choices(services: Services, words: Words) -> list[tuple[str, str]]:
    """Bases and adapters to compare, as (what is shown, value)."""
    bases, adapters = models.choices(services, words)
    listed = [(shown, BASE + value) for shown, value in bases if models.is_here(value)]
    return listed + [(shown, ADAPTER + value) for shown, value in adapters if value != models.PLAIN]
