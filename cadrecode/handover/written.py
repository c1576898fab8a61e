"""One program in another system's language, in millimetres, which is what the other systems count in."""

from __future__ import annotations

import re

from cadrecode.frames import MM_PER_UNIT
from cadrecode.handover.build123d import Build123d
from cadrecode.handover.freecad import FreeCad
from cadrecode.handover.openscad import OpenScad
from cadrecode.handover.walk import Walk, Words
from cadrecode.program import Program, budget
from cadrecode.program.edit import transform

FORMATS: dict[str, type[Words]] = {"build123d": Build123d, "openscad": OpenScad, "freecad": FreeCad}


def hand_over(program: Program, system: str, *, name: str = "part", unit: str = "mm") -> str:
    """A program as the text that builds it in another system, its features and its sizes with names.

    Args:
        system: One of FORMATS.
        name: What the part is called there.
        unit: Of the program's numbers; the text counts in millimetres.
    Raises: ProgramError: the program makes no solid.
    """
    with budget.limited():
        if unit != "mm":
            program = transform(program, MM_PER_UNIT[unit])
        return Walk(program, FORMATS[system]).text(re.sub(r"[^\w .-]+", "_", name))  # it stands in comments and strings
