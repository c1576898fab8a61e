"""Candidates with the numbers that a person would write, in the units of the person's file."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cadrecode.program import Program
from cadrecode.program.edit import raw_decimals, rounded, to_code, to_raw
from cadrecode.scoring.candidate import Candidate, build_program
from cadrecode.snapping import onto_faces, snapped

if TYPE_CHECKING:
    import numpy as np

    from cadrecode.frames import Frame
    from cadrecode.scoring.ranking import Yardstick

DECIMALS = 6  # of a program in CODE
EXACT_DECIMALS = 12  # of a program whose numbers are not to be rounded yet


@dataclass(frozen=True)
class SimpleNumbers:
    """Makes the numbers of candidates simple.

    Args:
        yardstick: Says whether a changed program is as good.
        frame: Between the file (RAW), in whose units numbers are simple, and the candidates (CODE).
        unit: The unit of the file.
        snap: How far a number may change, in the unit; "auto": as far as the input cannot tell the difference; "off".
        faces: Where the flat faces of a closed mesh lie along each axis, CODE; None for a cloud.
    """

    yardstick: Yardstick
    frame: Frame
    unit: str = "mm"
    snap: float | str = "auto"
    faces: list[np.ndarray] | None = None

    def of(self, candidate: Candidate, until: float = math.inf) -> Candidate:
        """The candidate with simple numbers; the very same where there is nothing to change.

        Args:
            until: On time.monotonic(); what has not been tried by then is left as it is.
        """
        if self.snap == "off" or not candidate.ok or candidate.program is None:
            return candidate
        if self.faces is not None:
            exact = self._built(onto_faces(candidate.program, self.faces), candidate)
            if exact.ok and self.yardstick.keeps(exact, candidate, 0.0):
                candidate = self.yardstick.measured(exact)
        scale = self.frame.raw_per_code
        allowed = self.yardstick.resolution if self.snap == "auto" else self.snap / scale

        def accepts(raw: Program) -> bool:
            if time.monotonic() > until:
                return False
            return self.yardstick.keeps(self._built(to_code(raw, self.frame), candidate), candidate, allowed)

        raw = to_raw(candidate.program, self.frame, decimals=EXACT_DECIMALS)
        decimals = raw_decimals(self.frame)
        simple, snaps = snapped(raw, allowed * scale, accepts, unit=self.unit, decimals=decimals)
        if simple == raw:
            return candidate
        return replace(self.yardstick.measured(self._built(to_code(simple, self.frame), candidate)), snapped=snaps)

    def _built(self, program: Program, candidate: Candidate) -> Candidate:
        """A changed program of a candidate, not measured yet."""
        program = rounded(program, DECIMALS)  # as it is written
        fresh = build_program(program)
        return replace(
            candidate,
            text=fresh.text,
            program=program,
            solid=fresh.solid,
            outcome=fresh.outcome,
            distance=None,
            likeness=None,
        )
