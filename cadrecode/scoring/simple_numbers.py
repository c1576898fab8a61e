"""The best candidates with simple numbers in the units of the person's file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cadrecode.config import ReconstructConfig
from cadrecode.program import Program
from cadrecode.program.edit import rounded, to_code, to_raw
from cadrecode.reconstruction.given import Given
from cadrecode.scoring import FITTED, Candidate, build_program
from cadrecode.snapping import onto_faces, snapped

DECIMALS = 6  # of a program in CODE
EXACT_DECIMALS = 12  # of a program whose numbers are not to be rounded yet


def with_simple_numbers(
    ranked: Sequence[Candidate], given: Given, config: ReconstructConfig, stopping: Callable[[], bool]
) -> list[Candidate]:
    """The candidates in order, the numbers of the first few as a person would write them."""
    if config.snap == "off":
        return list(ranked)
    changed = []
    for place, candidate in enumerate(ranked):
        wanted = place < FITTED and candidate.ok and candidate.program is not None and not stopping()
        changed.append(_snapped(candidate, given, config) if wanted else candidate)
    return sorted(changed, key=given.yardstick.key)


def _snapped(candidate: Candidate, given: Given, config: ReconstructConfig) -> Candidate:
    frame, yardstick = given.frame, given.yardstick
    is_automatic = config.snap == "auto"
    allowed = yardstick.resolution if is_automatic else config.snap / frame.raw_per_code

    def built(program: Program) -> Candidate:
        program = rounded(program, DECIMALS)  # as it is written
        fresh = build_program(program)
        return yardstick.measured(
            replace(candidate, text=fresh.text, program=program, solid=fresh.solid, outcome=fresh.outcome)
        )

    if given.solid is not None:
        exact = built(onto_faces(candidate.program, given.faces))
        if exact.ok and yardstick.keeps(exact, candidate, 0.0):
            candidate = exact

    def accepts(raw: Program) -> bool:
        return yardstick.keeps(built(to_code(raw, frame)), candidate, allowed)

    raw = to_raw(candidate.program, frame, decimals=EXACT_DECIMALS)
    simple, snaps = snapped(raw, allowed * frame.raw_per_code, accepts, unit=config.unit)
    if simple == raw:
        return candidate
    return replace(built(to_code(simple, frame)), snapped=snaps)
