"""The process that proves merged models. Its imports take seconds, so a training that merges often keeps it."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from cadrecode.errors import ModelError
from cadrecode.shipped import child_environment

log = logging.getLogger(__name__)

DONE = "done"  # what `proof` prints after an answer


class ProofProcess:
    """`cadrecode.merging.proof` in a process of its own, started with the first question; it ends with its owner."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.errors: IO[str] | None = None

    def ask(self, values: dict[str, Any]) -> dict[str, Any]:
        """`proof.answer_to`. Raises: ModelError: the process ended without an answer."""
        if self.process is None:
            self._start()
        with tempfile.TemporaryDirectory(prefix="merge-") as name:
            answer = Path(name, "answer.json")
            with contextlib.suppress(BrokenPipeError):  # it has ended; the lack of an answer says so
                print(json.dumps(values | {"answer": str(answer)}), file=self.process.stdin, flush=True)
            for line in self.process.stdout:  # a library may print something, too
                if line.strip() == DONE:
                    break
            if not answer.is_file():
                raise self._ended()
            return json.loads(answer.read_text(encoding="utf-8"))

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            self.errors.close()
            self.process = None

    def _start(self) -> None:
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  (for its life)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cadrecode.merging.proof"], env=child_environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.errors, text=True, encoding="utf-8",
        )  # fmt: skip

    def _ended(self) -> ModelError:
        code = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().strip()
        log.error("%s", said)
        self.close()
        return ModelError(
            "The merged model could not be verified ({reason}; exit {code}). Nothing is written.",
            reason=(said.splitlines() or ["no word"])[-1],
            code=code,
        )


_kept: list[ProofProcess] = []


def ask_process(values: dict[str, Any]) -> dict[str, Any]:
    """`proof.answer_to` in the process that is kept, or a fresh one. Raises: ModelError: it ended without an answer."""
    if _kept:
        return _kept[-1].ask(values)
    process = ProofProcess()
    try:
        return process.ask(values)
    finally:
        process.close()


@contextlib.contextmanager
def kept_process() -> Iterator[None]:
    """All merges inside are proved by one process."""
    process = ProofProcess()
    _kept.append(process)
    try:
        yield
    finally:
        _kept.remove(process)
        process.close()
