"""OpenCASCADE has the last word: which of the candidates it builds, and what is left of one that it does not."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cadrecode.errors import Message
from cadrecode.kernel.outcome import Execution
from cadrecode.program.language import Mirror
from cadrecode.scoring import Candidate, Yardstick, build_program

MOST_SHORTER = 6  # programs with a step less, of each that is refused


@dataclass(frozen=True)
class Checked:
    """Candidates after OpenCASCADE has seen the best of them.

    Args:
        ranked: All in their new order.
        accepted: The first of them, which OpenCASCADE builds; None where it builds none.
        refused: Better ones that it does not build, best first.
    """

    ranked: list[Candidate]
    accepted: Candidate | None
    refused: list[Candidate]


def checked(
    ranked: Sequence[Candidate],
    yardstick: Yardstick,
    run: Callable[[Candidate], Execution],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Checked:
    """Run the candidates in OpenCASCADE, best first, until it accepts one.

    Faces that nearly coincide are the usual reason why it refuses a program. In place of a fitted one comes the program
    before the fit. In place of another come the nearest that lack a step of it, so that one slot does not cost the
    whole part; a program that has no such step keeps its distance and goes behind.

    Args:
        run: Runs a candidate.
        on_progress: Called with (refused, candidates).
    """
    waiting = [candidate for candidate in ranked if candidate.ok]
    total, seen = len(waiting), {candidate.text for candidate in waiting}
    shorter: set[str] = set()
    behind: list[Candidate] = []
    refused: list[Candidate] = []
    while waiting:
        on_progress(min(len(refused), total), total)
        first = waiting[0]
        execution = run(first)
        if execution.ok:
            break
        del waiting[0]
        if first.text in shorter:
            continue
        why = Message("Manifold builds it, OpenCASCADE does not: {why}", why=execution.detail or execution.outcome)
        failed = replace(first, outcome=execution.outcome, detail=why, solid=None)
        refused.append(failed)
        if first.as_written is not None:
            instead = [first.as_written]
        else:
            behind.append(failed)
            instead = [candidate for candidate in _with_a_step_less(first, yardstick) if candidate.text not in seen]
            shorter |= {candidate.text for candidate in instead}
        for candidate in instead:
            seen.add(candidate.text)
            bisect.insort(waiting, candidate, key=yardstick.key)
    on_progress(total, total)
    if not waiting:  # a preview and its program are still worth more than nothing
        return Checked(list(ranked), None, refused)
    waiting = [waiting[0], *(candidate for candidate in waiting[1:] if candidate.text not in shorter)]
    return Checked(waiting + behind + [candidate for candidate in ranked if not candidate.ok], waiting[0], refused)


def _with_a_step_less(candidate: Candidate, yardstick: Yardstick) -> list[Candidate]:
    """The nearest programs that lack a step after the first, a finish, or all but mirror images; best first."""
    program = candidate.program
    if program is None:
        return []
    steps = program.steps
    programs = [replace(program, steps=steps[:place] + steps[place + 1 :]) for place in range(1, len(steps))]
    finishes = program.finishes
    mirrors = tuple(finish for finish in finishes if isinstance(finish, Mirror))  # without one, half a part is left
    fewer = {finishes[:place] + finishes[place + 1 :]: finish for place, finish in enumerate(finishes)}
    less = [left for left, finish in fewer.items() if not isinstance(finish, Mirror)]
    programs += [replace(program, finishes=left) for left in dict.fromkeys((*less, mirrors)) if left != finishes]
    built = [build_program(shorter, source=candidate.source) for shorter in programs]
    detail = Message("It lacks a feature that OpenCASCADE could not build.")
    named = [replace(shorter, index=candidate.index, detail=detail) for shorter in built if shorter.ok]
    measured = map(yardstick.measured, named)
    return sorted(measured, key=yardstick.key)[:MOST_SHORTER]
