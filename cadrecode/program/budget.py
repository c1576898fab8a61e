"""Limits on programs that the app itself reads and builds: processor time, triangles, and depth.

A short text can ask for a lot. What can be counted in the text is refused by weight.py; this bounds the rest. Whoever
answers a request opens `limited` around all that the request makes it compute; what is called inside shares that
budget.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from cadrecode.errors import Message, ProgramError

SECONDS = 5.0  # of the thread's processor time; of 5,664 real programs none takes 0.3
MOST_TRIANGLES = 250_000  # of all solids together, and of what they are joined to

BETWEEN_LOOKS = 0.01  # seconds by the clock: asking for a thread's processor time takes 0.03 ms or more


class _Budget:
    """Processor time of the thread. The clock is asked first, and most programs end before its first look.

    Args:
        seconds: of processor time. Until the first look it is taken from the clock, at most half of them.
        outer: the budget in which this one lies.
    """

    def __init__(self, seconds: float, outer: _Budget | None):
        self.seconds, self.outer = seconds, outer
        self.until: float | None = None
        self.started = time.monotonic()
        self.next_look = self.started + BETWEEN_LOOKS

    def is_used_up(self) -> bool:
        if self.outer is not None and self.outer.is_used_up():
            return True
        now = time.monotonic()  # processor time does not run faster
        if now < self.next_look:
            return False
        self.next_look = now + BETWEEN_LOOKS
        spent = time.thread_time()
        if self.until is None:
            self.until = spent + self.seconds - min(now - self.started, self.seconds / 2)
        return spent > self.until


_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def limited(seconds: float = SECONDS) -> Iterator[None]:
    """Bound what is read and built inside. An outer budget stays in force.

    Raises: ProgramError: the time is up, or the numbers or the depth are beyond what can be computed.
    """
    token = _budget.set(_Budget(seconds, _budget.get()))
    try:
        yield
    except RecursionError:
        raise ProgramError("The program is nested too deeply.", 1, 1) from None
    except MemoryError:
        raise ProgramError("The program needs more memory than there is.", 1, 1) from None
    except (ArithmeticError, ValueError) as error:
        raise ProgramError("The program cannot be computed: {error}.", 1, 1, error=str(error)) from error
    finally:
        _budget.reset(token)


def check() -> None:
    """Raises: ProgramError: the time of the budget that is open here is up."""
    budget = _budget.get()
    if budget is not None and budget.is_used_up():
        raise ProgramError("The program takes too long to build.", expected=Message("fewer or simpler pieces"))


def check_triangles(count: int) -> None:
    """Raises: ProgramError: solids of so many triangles are not built."""
    if count > MOST_TRIANGLES:
        raise ProgramError(
            "The program's surface has {count:,} triangles.",
            expected=Message("at most {most:,}", most=MOST_TRIANGLES),
            count=count,
        )
