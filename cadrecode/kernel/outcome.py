"""How a job ended, read from what it left behind."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import stat
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict

from cadrecode.errors import KernelError, Message, at_line, foreign

LOST = None  # the status of a job whose worker died under it
_MAX_RESULT_BYTES = 2**20
_MOST_ARRAY_BYTES = 2**29
_DUMP_LINE = re.compile(r'File "<program>", line (\d+)')
_STARVED = 0.6  # a crash with more than this part of the allowed memory in use is put down to memory
LEAST_FREE_BYTES = 2**20  # with less on the disk, a job that failed has failed for that
DISK_FULL = Message("the disk is full: free some space")
_MEMORY_WORDS = ("bad_alloc", "MemoryError", "OutOfMemory", "cannot allocate memory")


class Outcome(StrEnum):
    """How a program ended. Everything but OK counts as invalid."""

    OK = "ok"
    SYNTAX = "syntax error"
    FORBIDDEN = "forbidden"
    RAISED = "raised"
    NO_SHAPE = "no shape"
    EMPTY = "empty"
    INVALID = "invalid solid"
    TIMEOUT = "timeout"
    MEMORY = "out of memory"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Execution:
    """How a program ended.

    Lengths are the program's own numbers: `volume` in units cubed, `bounding_box` tight, three minima, three maxima.
    `line` is the program's line at fault, None where it is not known; `files` holds an ok program's exports by kind.
    """

    outcome: Outcome
    detail: str = ""
    line: int | None = None
    seconds: float = 0.0
    volume: float | None = None
    bounding_box: tuple[float, float, float, float, float, float] | None = None
    solids: int = 0
    valid: bool = False
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK


@dataclass(frozen=True)
class End:
    """How a job's process ended, as its parent saw it.

    `status` is an exit code or minus a signal, or LOST when its worker died; `late`: it was killed for its time;
    `swollen`: for its memory or its files;
    `grown_mb`: the most memory that it took on top of what it had at its fork, 0 where the OS does not tell.
    """

    status: int | None
    late: bool = False
    swollen: bool = False
    grown_mb: float = 0.0


class _Result(BaseModel):
    """The contents of a job's result.json, of which nothing is believed but its form."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")
    outcome: Annotated[Outcome, Strict(False)]
    detail: str = Field("", max_length=4000)
    line: Annotated[int, Field(ge=1, le=10**6)] | None = None
    volume: float | None = None
    bounding_box: tuple[float, float, float, float, float, float] | None = None
    solids: int = Field(0, ge=0, le=10**9)
    valid: bool = False
    layers: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=20)] = Field(default_factory=list)


@dataclass(frozen=True)
class Remains:
    """The files in a job's folder. The program may have written any of it: trust none.

    `limit_seconds` and `limit_mb` are what it was allowed, `seconds` is what it took.
    """

    folder: Path
    end: End
    limit_seconds: float
    limit_mb: float
    seconds: float

    def execution(self) -> Execution:
        if self.end.late:
            line = self._line_of_dump()
            return self._end(
                Outcome.TIMEOUT,
                Message("still running after {seconds:g} s", seconds=self.limit_seconds),
                line,
            )
        if self.end.swollen:
            return self._end(Outcome.MEMORY, Message("the program takes more memory or disk than it may have"))
        if self.end.status != 0:
            return self._violent_end()
        result = self._result()
        if result is None and self._disk_is_full():
            return self._end(Outcome.CRASHED, DISK_FULL)
        if result is None:
            return self._end(Outcome.CRASHED, Message("it ended without a readable result"))
        found = result.model_dump(exclude={"layers", "detail"})
        return Execution(**found, detail=foreign(result.detail), seconds=self.seconds)

    def _result(self) -> _Result | None:
        try:
            return _Result.model_validate_json(self._open("result.json"))
        except (OSError, ValueError, RecursionError):  # pydantic's ValidationError is a ValueError
            return None

    def layers(self) -> list[str]:
        """The report of a probe. Raises KernelError when it did not end well."""
        execution = self.execution()
        if not execution.ok:
            raise KernelError(
                "The sandbox could not be tried out: {outcome}, {detail}.",
                outcome=execution.outcome,
                detail=execution.detail,
            )
        result = self._result()
        return [] if result is None else list(result.layers)

    def move(self, name: str, target: Path) -> Path:
        """Take a file over. A link in its place, which could point anywhere, is refused."""
        source = self.folder / name
        if not stat.S_ISREG(os.lstat(source).st_mode):
            raise KernelError("The job left something that is not a file as {name}.", name=name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        return Path(shutil.move(source, target))

    def array(self, name: str) -> np.ndarray:
        """Numbers that a mesh job left. Raises: KernelError: it left something else."""
        try:
            array = np.lib.format.read_array(io.BytesIO(self._open(name, _MOST_ARRAY_BYTES)), allow_pickle=False)
            if array.ndim != 2 or array.shape[1:] != (3,) or array.dtype not in (np.float64, np.int64):
                raise ValueError(f"its shape is {array.shape}")
            return array
        except (OSError, ValueError, EOFError, MemoryError, OverflowError) as error:
            raise KernelError("The job left no readable {name}: {error}.", name=name, error=str(error)) from error

    def _open(self, name: str, most: int = _MAX_RESULT_BYTES) -> bytes:
        """The contents of a file. Raises: OSError: it is none, but a link or a pipe, which would be waited for."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(self.folder / name, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(f"{name} is no file")
            return file.read(most)

    def _violent_end(self) -> Execution:
        line, status = self._line_of_dump(), self.end.status
        if self._disk_is_full():
            return self._end(Outcome.CRASHED, DISK_FULL, line)
        if status is LOST:
            return self._end(Outcome.CRASHED, Message("the CAD kernel's process died; the next call starts another"))
        if status == -getattr(signal, "SIGXCPU", 24):
            return self._end(Outcome.TIMEOUT, Message("all of its processor time is used up"), line)
        if status == -9:  # not by us: `late` is false
            detail = Message("killed by the system, most likely for lack of memory")
            return self._end(Outcome.MEMORY, detail, line)
        # OpenCASCADE often writes to the memory that it did not get: a segmentation fault
        starved = self.end.grown_mb > _STARVED * self.limit_mb
        if starved or any(word in self._stderr() for word in _MEMORY_WORDS):
            return self._end(
                Outcome.MEMORY,
                Message("the program needs more memory than it may have"),
                line,
            )
        try:
            how = Message("OpenCASCADE crashed ({signal})", signal=signal.Signals(-status).name)
        except ValueError:
            how = Message("the process ended itself with exit code {code}", code=status)
        return self._end(Outcome.CRASHED, how, line)

    def _end(self, outcome: Outcome, detail: str, line: int | None = None) -> Execution:
        return Execution(outcome, at_line(detail, line), line, self.seconds)

    def _disk_is_full(self) -> bool:
        try:
            return shutil.disk_usage(self.folder).free < LEAST_FREE_BYTES
        except OSError:
            return False

    def _stderr(self) -> str:
        try:
            return self._open("stderr.txt").decode(errors="replace")
        except OSError:
            return ""

    def _line_of_dump(self) -> int | None:
        """The program's line in the last traceback of faulthandler, which puts the innermost call first."""
        match = _DUMP_LINE.search(self._stderr().rpartition("most recent call first")[2])
        return int(match[1]) if match else None
