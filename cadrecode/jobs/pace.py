"""Rebuilds make room for a training: while one is at work on this machine, they have a budget of processor time.

Without it, visitors who rebuild one part after the other leave a training half of its speed or less: its threads wait
for each other, so a core that is taken from one of them is lost to all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cadrecode.jobs import queue
from cadrecode.runs import Run


@dataclass(frozen=True)
class Pace:
    """How much processor time the app may take beside a training.

    Args:
        share: Of the machine's cores, in the long run. A training of several threads loses more of its speed than that,
            because the thread whose core is taken holds up the others.
        saved_seconds: What may be saved up: some rebuilds, so that a person who rebuilds now and then never waits.
        patience_seconds: For which a rebuild waits at most: one that took long, or the small requests of many, which
            are never held back, must not keep others from rebuilding at all.
    """

    share: float = 0.1
    saved_seconds: float = 60.0
    patience_seconds: float = 60.0


class Budget:
    """Processor time of the app that is still free, while a training of its queue is at work on this machine.

    Args:
        runs_dir: The folder of all runs.
        clock, spent: Seconds that pass, and the processor's seconds that the app has taken.
    """

    def __init__(
        self,
        runs_dir: Path,
        pace: Pace = Pace(),
        *,
        cores: int = os.cpu_count() or 1,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = queue.processor_seconds,
    ):
        self.pace, self._runs_dir, self._rate = pace, runs_dir, pace.share * cores
        self._clock, self._spent = clock, spent
        self._training: Run | None = None
        self._left = pace.saved_seconds
        self._counted: tuple[float, float] | None = None  # clock and processor time, when they were looked at last
        self._refused_at: float | None = None

    def allows(self) -> bool:
        """Whether a rebuild may begin now. Called by one thread at a time: the one whose turn it is."""
        if not self._is_training():
            self._left, self._counted, self._refused_at = self.pace.saved_seconds, None, None
            return True
        now, spent = self._clock(), self._spent()
        since, before = self._counted or (now, spent)
        self._counted = now, spent
        gained = self._rate * (now - since) - max(0.0, spent - before)  # a process that ended takes its time along
        self._left = min(self.pace.saved_seconds, self._left + gained)
        if self._left < 0:
            self._refused_at = now if self._refused_at is None else self._refused_at
            if now < self._refused_at + self.pace.patience_seconds:
                return False
        self._refused_at = None
        return True

    def _is_training(self) -> bool:
        if self._training is None or not self._training.state.active:
            self._training = next((run for run in queue.list_runs(self._runs_dir) if run.state.active), None)
        return self._training is not None
