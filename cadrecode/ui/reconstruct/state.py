"""The state of one visitor's Reconstruct tab: a scan, the parts that explain it, and which of them is on screen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.part import Part

if TYPE_CHECKING:
    from cadrecode.cloud import Cloud
    from cadrecode.kernel.sandbox import Sandbox
    from cadrecode.reconstruction import Reconstruction

TOLERANCE = 0.005  # of the longest side of the scan


@dataclass(frozen=True)
class Work:
    """Everything that a visitor's Reconstruct tab shows. Replaced, never changed.

    Args:
        cloud: The scan as its file has it, RAW.
        name: For the files.
        unit: The unit of the scan's numbers.
        parts: Valid candidates, best first.
        chosen: Which of them is shown.
        edited: The part that a person's program made, shown instead.
        rebuilt: What the parts were made of; None before the scan was rebuilt.
        source: Who made a sample; empty for a cloud that a person brought.
        tolerance: The distance within which points count as explained, in the scan's unit; None: by the size.
    """

    cloud: Cloud | None = None
    name: str = "part"
    unit: str = "mm"
    parts: tuple[Part, ...] = ()
    chosen: int = 0
    edited: Part | None = None
    rebuilt: Reconstruction | None = field(default=None, repr=False, compare=False)
    source: str = ""
    tolerance: float | None = None

    @property
    def scan(self) -> Cloud | None:
        """The cloud that the parts are measured against: the scan, cleaned where the settings say so."""
        return self.cloud if self.rebuilt is None else self.rebuilt.cloud

    @property
    def shown(self) -> Part | None:
        """The part on screen."""
        if self.edited is not None:
            return self.edited
        return self.parts[self.chosen] if self.parts else None

    @property
    def tolerance_shown(self) -> float:
        """The tolerance that a person has set, or a round number near TOLERANCE of the longest side."""
        if self.tolerance is not None:
            return self.tolerance
        corners = self.scan.points if self.scan is not None else self.shown.vertices
        wanted = TOLERANCE * float(np.ptp(corners, axis=0).max())
        power = 10.0 ** math.floor(math.log10(wanted)) if wanted > 0 else 1.0
        return min((power * x for x in (1, 2, 5, 10)), key=lambda x: abs(math.log(x / max(wanted, 1e-300))))

    def choosing(self, index: int) -> Work:
        """Show another candidate, and drop what was edited."""
        return replace(self, chosen=index, edited=None)

    def in_unit(self, unit: str) -> Work:
        """The same numbers, read in another unit."""
        if unit == self.unit:
            return self  # its parts know their numbers and verdicts already
        parts = tuple(part.in_unit(unit) for part in self.parts)
        return replace(self, unit=unit, parts=parts, edited=self.edited and self.edited.in_unit(unit))

    def with_program(self, text: str, sandbox: Sandbox | None) -> Work:
        """Show what a person's program makes. Raises: ProgramError: it makes no solid."""
        frame = self.rebuilt and self.rebuilt.frame
        about = self.parts[0].about if self.parts else None
        assessor = self.shown and self.shown.scan_assessor
        part = Part.of_program(
            text,
            cloud=self.scan,
            frame=frame,
            name=self.name,
            unit=self.unit,
            sandbox=sandbox,
            about=about,
            assessor=assessor,
        )
        return replace(self, edited=part)
