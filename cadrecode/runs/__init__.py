"""Run folders: what is written into them, and by whom."""

from cadrecode.runs.checkpoints import (
    ORIGIN,
    RESUMABLE,
    SEAL,
    checkpoint_problems,
    checkpoint_step,
    seal_checkpoint,
)
from cadrecode.runs.folder import DIED, DIED_OF_MEMORY, Follower, Run, free_folder
from cadrecode.runs.processes import is_alive, process_start
from cadrecode.runs.state import Kind, State

__all__ = [
    "DIED",
    "DIED_OF_MEMORY",
    "ORIGIN",
    "RESUMABLE",
    "SEAL",
    "Follower",
    "Kind",
    "Run",
    "State",
    "checkpoint_problems",
    "checkpoint_step",
    "free_folder",
    "is_alive",
    "process_start",
    "seal_checkpoint",
]
