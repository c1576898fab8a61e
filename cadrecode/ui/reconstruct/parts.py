"""What the Reconstruct tab holds in its hands: a cloud, parts that explain it, and which one is shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.errors import CadrecodeError, ProgramError
from cadrecode.program import Program, parse
from cadrecode.program.layout import laid_out

if TYPE_CHECKING:
    from cadrecode.cloud import Cloud
    from cadrecode.cloud.align import Alignment
    from cadrecode.kernel.sandbox import Sandbox
    from cadrecode.reconstruction import Reconstruction
    from cadrecode.scoring import Deviation


@dataclass(frozen=True)
class Part:
    """A program, its surface, and how well it fits.

    Args:
        text: the program, RAW.
        vertices, faces: (n, 3) float64 RAW, (m, 3) int64.
        deviation: of the cloud's points from it, of up to 8,192 of them; None without a cloud.
        distance: both ways, as candidates are ranked by; None for a program that a person wrote.
        distance_before: the same before its numbers were fitted to the cloud; None where they were not.
        index: of its candidate, as the model wrote them; None for a program that a person wrote.
    """

    text: str
    vertices: np.ndarray = field(repr=False, compare=False)
    faces: np.ndarray = field(repr=False, compare=False)
    deviation: Deviation | None = None
    distance: float | None = None
    distance_before: float | None = None
    index: int | None = None

    @property
    def size(self) -> np.ndarray:
        """(3,) extent along x, y, z, RAW."""
        return np.ptp(self.vertices, axis=0)


@dataclass(frozen=True)
class Work:
    """All that one visitor's Reconstruct tab shows. Replaced, never changed.

    Args:
        cloud: the scan, RAW.
        name: for the files.
        unit: what the scan's numbers are.
        parts: valid candidates, best first.
        chosen: which of them is shown.
        edited: the part that a person's program made, shown instead.
        failures: how the others failed, one word each.
        stopped: the person cancelled; fewer candidates than asked for.
        found: what the parts were made of; None while the model has not been asked.
        model: what answered, in words.
        cleaned: the scan without what did not belong to the part; None where it was not cleaned.
        alignment: how the part was found to be turned; None before it was rebuilt.
        source: what made a sample; nothing for a cloud that a person brought.
    """

    cloud: Cloud | None = None
    name: str = "part"
    unit: str = "mm"
    parts: tuple[Part, ...] = ()
    chosen: int = 0
    edited: Part | None = None
    failures: tuple[str, ...] = ()
    stopped: bool = False
    found: Reconstruction | None = field(default=None, repr=False, compare=False)
    model: str = ""
    cleaned: Cloud | None = None
    alignment: Alignment | None = None
    source: str = ""

    @property
    def scan(self) -> Cloud | None:
        """What the parts are held against: the scan, cleaned where that was asked for."""
        return self.cleaned or self.cloud

    @property
    def shown(self) -> Part | None:
        """The part on screen."""
        if self.edited is not None:
            return self.edited
        return self.parts[self.chosen] if self.parts else None

    def size_of(self, part: Part) -> np.ndarray:
        """(3,) extent of a part along its own axes where it was turned, RAW units; else along x, y, z."""
        if self.alignment is None or self.alignment.rotation is None:
            return part.size
        return np.ptp(part.vertices @ self.alignment.rotation, axis=0)

    def choosing(self, index: int) -> Work:
        """Show another candidate, and drop what was edited."""
        return replace(self, chosen=index, edited=None)


def deviation(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, *, in_full: bool = False) -> Deviation:
    """Of (N, 3) points from a surface, all RAW; of up to 8,192 of them, or in full for a file."""
    from cadrecode.scoring.deviation import MOST_POINTS, QUICK_POINTS, deviation_of

    return deviation_of(points, vertices, faces, most=MOST_POINTS if in_full else QUICK_POINTS)


def in_sight(part: Part) -> np.ndarray:
    """(N, 3) RAW: the points that were measured, those inside of the part on its surface, where they can be seen."""
    from cadrecode.cloud.signed import signed_nearest

    signed, places = signed_nearest(part.deviation.points, part.vertices, part.faces)
    return np.where(signed[:, None] < 0, places, part.deviation.points)


def report(work: Work, measured: Deviation, note: str = "") -> dict[str, Any]:
    """What there is to know of the part on screen; of a reconstruction, all of it. `note`: on its files."""
    from cadrecode.reconstruction import report_of
    from cadrecode.scoring import part_report

    part = work.shown
    told = (
        {"warnings": list(work.scan.warnings)} if work.found is None else report_of(work.found, work.unit, work.model)
    )
    told |= part_report(work.scan, work.unit, work.found and work.found.frame, part.vertices, measured)
    told |= {"shown": part.index, "distance_before": part.distance_before, "distance": part.distance}
    return told | {"program": part.text, "warnings": told["warnings"] + [note] * bool(note)}


def of_program(text: str, cloud: Cloud | None, sandbox: Sandbox | None) -> Part:
    """Build a program that a person wrote. Nothing is executed unless it is outside of the language.

    Args: sandbox: runs such text; None where that is not allowed.
    Raises: ProgramError: it makes no solid, and where the fault is.
    """
    from cadrecode.scoring import build_text

    built = build_text(text, sandbox)
    if not built.ok:
        raise _fault(text, built.outcome, built.detail)
    vertices, faces = built.mesh
    return Part(text, vertices, faces, deviation(cloud.points, vertices, faces) if cloud is not None else None)


def _fault(text: str, outcome: str, detail: str) -> ProgramError:
    """The language's own reading of the fault, which has a place; the outcome's words where it reads well."""
    try:
        parse(text)
    except ProgramError as error:
        return error
    return ProgramError(f"{outcome}: {detail}" if detail else str(outcome))


def of_reconstruction(found: Reconstruction, work: Work, model: str = "") -> Work:
    """Turn the model's candidates into parts. `model`: what answered, in words.

    Raises: CadrecodeError: none is a valid solid.
    """
    valid = [c for c in found.candidates if c.ok]
    failures = tuple(str(c.outcome) for c in found.candidates if not c.ok)
    if not valid:
        raise CadrecodeError(
            f"None of the {len(found.candidates)} candidates is a valid solid. "
            "Try more candidates, another seed or a higher temperature."
        )
    points = found.cloud.points
    parts = tuple(
        Part(
            laid_out(c.raw_text),
            c.vertices,
            c.faces,
            found.deviation if c is found.best else deviation(points, c.vertices, c.faces),
            c.distance,
            c.distance_before,
            c.index,
        )
        for c in valid
    )
    return replace(
        work,
        parts=parts,
        chosen=0,
        edited=None,
        failures=failures,
        stopped=found.stopped,
        cleaned=None if found.cloud is work.cloud else found.cloud,
        alignment=found.alignment,
        found=found,
        model=model,
    )


def tree_of(part: Part) -> Program | None:
    """The part's program as data; None for text outside of the language."""
    try:
        return parse(part.text)
    except ProgramError:
        return None
