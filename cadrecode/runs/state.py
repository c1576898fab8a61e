"""The kinds and the states of runs, and the contents of their files."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class State(StrEnum):
    """The state of a run."""

    QUEUED = "queued"
    PREPARING = "preparing"
    TRAINING = "training"
    EVALUATING = "evaluating"
    SAVING = "saving"
    MERGING = "merging"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    DAMAGED = "damaged"

    @property
    def active(self) -> bool:
        """Whether a process is at work."""
        return self in (State.PREPARING, State.TRAINING, State.EVALUATING, State.SAVING, State.MERGING)

    @property
    def final(self) -> bool:
        """Whether the run has ended; only resuming it changes this state."""
        return self in (State.DONE, State.STOPPED, State.FAILED, State.DAMAGED)

    @property
    def unfinished(self) -> bool:
        """Whether the run has ended before its end, so that it may be resumed."""
        return self.final and self != State.DONE


class Kind(StrEnum):
    """The kind of a run."""

    TRAINING = "training"
    EVALUATION = "evaluation"
    MERGE = "merge"

    @property
    def place(self) -> str:
        """The folder of these runs, below the folder of all runs; trainings lie directly in it."""
        return {Kind.EVALUATION: ".evaluations", Kind.MERGE: ".merges"}.get(self, "")


Count = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]  # since 1970, or of a duration
ProcessNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Download(BaseModel):
    done: Count
    total: Count


class Sweep(BaseModel):
    """The place of this training among those that were started together."""

    began: Seconds
    lora_r: Count
    learning_rate: float


class Status(BaseModel):
    """The fields of status.json that watchers count with. Others may stand beside them."""

    model_config = ConfigDict(extra="allow", strict=True)
    state: Annotated[State, Field(strict=False)]
    kind: Annotated[Kind, Field(strict=False)] = Kind.TRAINING
    created_at: Seconds = 0
    queued_at: Seconds = 0
    started_at: Seconds | None = None
    ended_at: Seconds | None = None
    eta_seconds: Seconds | None = None
    step: Count | None = None
    total: Count | None = None
    download: Download | None = None
    reading: Download | None = None
    sweep: Sweep | None = None
    pid: ProcessNumber | None = None
    process_start: Seconds | None = None
    processes: ProcessNumber = 1
    memory_kills: Count | None = None
    launcher: ProcessNumber | None = None
    launcher_start: Seconds | None = None
    tensors: Count | None = None
    max_logit_difference: float | None = None
    resume_from: str | None = None
    adapter: str | None = None
    model: str | None = None
    error: str | None = None
    worse: str | None = None
    ended_early: str | None = None


class Samples(BaseModel):
    """The contents of samples.json."""

    model_config = ConfigDict(strict=True)
    step: Count
    samples: list[dict[str, str | float | int | None]]
