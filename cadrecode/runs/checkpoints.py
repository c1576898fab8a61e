"""Which checkpoints of a training are whole, so that it can be resumed from them."""

from __future__ import annotations

import json
from pathlib import Path

from cadrecode.errors import Message
from cadrecode.json_files import DamagedFile, read_object, write_whole

SEAL = "complete.json"  # written last into a checkpoint: its files and their sizes, so that a cut one is recognised
ORIGIN = "origin.json"  # in a checkpoint: the base, the settings and the data that it was trained with
RESUMABLE = ("trainer_state.json", "optimizer.pt", "scheduler.pt", "adapter_model.safetensors")


def checkpoint_step(folder: Path) -> int:
    return int(folder.name.rsplit("-", 1)[1])


def seal_checkpoint(folder: Path) -> None:
    """Mark a checkpoint as complete, with the sizes of its files."""
    sizes = {p.name: p.stat().st_size for p in sorted(folder.iterdir()) if p.is_file() and p.name != SEAL}
    write_whole(folder / SEAL, json.dumps(sizes, indent=1))


def checkpoint_problems(folder: str | Path) -> list[str]:
    """The reason why a checkpoint cannot be resumed from; empty where it can."""
    folder = Path(folder)
    if not folder.is_dir():
        return [Message("there is no folder {folder}", folder=folder)]
    if not (folder / SEAL).is_file():
        return [Message("it was not written to its end")]
    try:
        sizes = read_object(folder / SEAL)
    except DamagedFile as error:
        return [error.message]
    problems = [Message("{name} is missing", name=name) for name in RESUMABLE if not (folder / name).is_file()]
    for name, size in sizes.items():
        path = folder / name
        if path.is_file() and path.stat().st_size != size:
            problems.append(
                Message("{name} has {actual} bytes instead of {size}", name=name, actual=path.stat().st_size, size=size)
            )
    return problems
