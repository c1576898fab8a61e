"""Uploaded parts, and what a stopped training had learnt."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cadrecode.adapters import CONFIG_FILE, WEIGHTS_FILE
from cadrecode.cloud import READABLE
from cadrecode.errors import ConfigError, RunError
from cadrecode.jobs import queue
from cadrecode.runs import Run, checkpoint_step, free_folder
from cadrecode.ui import archive
from cadrecode.ui.adapters.incoming import BESIDE, INCOMING

UPLOADED = ".parts"  # below the runs folder: what was uploaded to train on
TAKEN = (*READABLE, ".py", ".jsonl")
LEARNT = ("config.yaml", "metrics.jsonl", "samples")  # of a run: what an adapter's card shows


def take_in(paths: Sequence[str | Path], runs_dir: Path) -> tuple[Path, int, list[str]]:
    """Put uploaded parts, or zips of them, into a folder that lasts as long as trainings need it.

    Returns: the folder, or the .jsonl where that is all there is; the number of files; the names that were left out.
    Raises: CadrecodeError: a zip is broken or too large, or there is no part.
    """
    paths = [Path(path) for path in paths]
    (runs_dir / UPLOADED).mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=runs_dir / UPLOADED))
    files: list[Path] = []
    left_out: list[str] = []
    try:
        for path in paths:
            if path.suffix.lower() == ".zip":
                unpacked, others = archive.unpack(path, staged, TAKEN)
                files += unpacked
                left_out += others
            elif path.suffix.lower() in TAKEN:
                files.append(Path(shutil.copy(path, staged / path.name)))
            else:
                left_out.append(path.name)
        if not files:
            raise ConfigError("There is no part in what was uploaded. These are taken: {kinds}.", kinds=" ".join(TAKEN))
        folder = free_folder(runs_dir / UPLOADED, paths[0].stem)
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    alone = len(files) == 1 and files[0].suffix == ".jsonl"
    return folder / files[0].name if alone else folder, len(files), left_out


def keep_checkpoint(run: Run) -> str:
    """Put what a run had learnt at its newest checkpoint among the adapters. Returns the adapter's name.

    Raises: RunError: it has no complete checkpoint, or the checkpoint holds no adapter.
    """
    checkpoint = run.latest_checkpoint()
    if not all((checkpoint / name).is_file() for name in (CONFIG_FILE, WEIGHTS_FILE)):
        raise RunError("{name} holds no adapter.", name=checkpoint.name)
    (run.runs_dir / INCOMING).mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=run.runs_dir / INCOMING))
    try:
        for path in (checkpoint / name for name in (CONFIG_FILE, WEIGHTS_FILE, *BESIDE)):
            if path.is_file():
                shutil.copy(path, staged / path.name)
        for path in (run.folder / name for name in LEARNT):
            if path.is_dir():
                shutil.copytree(path, staged / path.name)
            elif path.is_file():
                shutil.copy(path, staged / path.name)
        with queue.locked(run.runs_dir):
            folder = free_folder(run.runs_dir, f"{run.name}-step{checkpoint_step(checkpoint)}")
            staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return folder.name
