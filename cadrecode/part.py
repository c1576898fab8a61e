"""A part: what a person holds of a program, and the one place that writes its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.assessor import Assessor
from cadrecode.errors import CadrecodeError, ConfigError, Message, ProgramError
from cadrecode.export import Exported, export_program, write_json
from cadrecode.formats.mesh_write import write_3mf, write_stl
from cadrecode.formats.ply_write import write_ply
from cadrecode.handover import hand_over
from cadrecode.kernel.outcome import Outcome
from cadrecode.program import Program, budget, parse, write
from cadrecode.program.edit import Parameter, parameters, set_parameters
from cadrecode.program.layout import laid_out
from cadrecode.scoring import OUTSIDE, build_text, deviation_of, part_report, source_words
from cadrecode.scoring.deviation import MOST_POINTS, QUICK_POINTS

if TYPE_CHECKING:
    from cadrecode.cloud import Cloud
    from cadrecode.frames import Frame
    from cadrecode.kernel.sandbox import Execution, Sandbox
    from cadrecode.scoring import Deviation
    from cadrecode.scoring.verdict import Assessment
    from cadrecode.snapping import Snap

LONGEST_NAME = 120  # bytes, so that an ending fits into the 255 that a file system allows
PERSON = "person"  # the source of a program that a person wrote or changed
ENDINGS = {  # of the files of a part, by kind, in the order in which they are listed
    "py": ".py",
    "step": ".step",
    "stl": ".stl",
    "3mf": ".3mf",
    "glb": ".glb",
    "freecad": ".FCMacro",
    "build123d": "_build123d.py",
    "openscad": ".scad",
    "aligned": "_aligned.ply",
    "deviation": "_deviation.ply",
    "report": "_report.json",
}
SYSTEMS = ("freecad", "build123d", "openscad")  # other CAD systems that a program is handed over to


def _kind_of(path: Path) -> str:
    """The kind of a file by its name. Raises: ConfigError: there is none."""
    name = path.name.lower()
    if name.endswith(".json"):
        return "report"
    for kind in ("freecad", "build123d", "openscad", "py", "step", "stl", "3mf", "glb"):
        if name.endswith(ENDINGS[kind].lower()):
            return kind
    raise ConfigError(
        "{name}: a part is written as .py, .step, .stl, .3mf, .glb, .FCMacro (FreeCAD), _build123d.py, .scad "
        "(OpenSCAD) or .json (its report).",
        name=path.name,
    )


def name_of(file: str | Path) -> str:
    """A name for a part and its files from that of its scan, with nothing in it that a file system refuses."""
    name = re.sub(r"[^\w.-]+", "_", Path(file).stem)
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").strip(".") or "part"


class Written(dict[str, Path]):
    """The files that were written, by the kinds of ENDINGS.

    Attributes:
        note: What is missing or second-best, and why; empty when everything is as it should be.
        execution: How OpenCASCADE's run ended; None when there was none.
    """

    note: str = ""
    execution: Execution | None = None


@dataclass(frozen=True)
class Part:
    """A program, its surface, and how well it explains a scan. All lengths are in `unit`, in the scan's own place.

    Args:
        program: The CadQuery text.
        vertices: (n, 3) float64.
        faces: (m, 3) int64; with `vertices` a closed mesh.
        name: In STEP, and of the files where no other name is given.
        unit: "mm", "cm", "m" or "inch".
        cloud: The scan that it is measured against, without what was cleaned away; None where there is none.
        frame: Where and how the scan stands; None where nobody has looked.
        deviation: How far the scan's points lie from the surface; None without a scan.
        distance: Both ways, as candidates are ranked; None for a program that was not ranked.
        distance_before: The same before the fit; None where there was none.
        index: The number of its candidate; None for a program that a person wrote.
        source: Where the program comes from: "model", the name of a way of measuring, or "person".
        about: What is known of the rebuild that it comes from, for the report.
        exported: What OpenCASCADE made of the program, where it was run already.
        snapped: The numbers that were made simple after the fit, each with its reason.
        named_like: The program whose names the numbers keep: of the part that this one was changed from.
        assessor: Says how good the part is; prepared when it is needed where there is a scan.
    """

    program: str
    vertices: np.ndarray = field(repr=False, compare=False)
    faces: np.ndarray = field(repr=False, compare=False)
    name: str = "part"
    unit: str = "mm"
    cloud: Cloud | None = field(default=None, repr=False, compare=False)
    frame: Frame | None = field(default=None, repr=False, compare=False)
    deviation: Deviation | None = None
    distance: float | None = None
    distance_before: float | None = None
    index: int | None = None
    source: str = PERSON
    about: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    exported: Exported | None = field(default=None, repr=False, compare=False)
    snapped: tuple[Snap, ...] = field(default=(), repr=False, compare=False)
    named_like: Program | None = field(default=None, repr=False, compare=False)
    assessor: Assessor | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of_program(
        cls,
        text: str,
        *,
        cloud: Cloud | None = None,
        frame: Frame | None = None,
        name: str = "part",
        unit: str = "mm",
        sandbox: Sandbox | None = None,
        about: Mapping[str, Any] | None = None,
        assessor: Assessor | None = None,
    ) -> Part:
        """Build a program that a person wrote. Nothing is executed unless it is outside of the language.

        Its deviation is measured at up to 8,192 points of the cloud until the part is written.

        Args:
            sandbox: Runs text outside of the language; None where that is not allowed.
            assessor: Of the cloud, where there is one already: that of another part of the same scan.
        Raises: ProgramError: it makes no solid, and where the fault is.
        """
        with budget.limited():
            built = build_text(text, sandbox)
            if built.outcome in (Outcome.SYNTAX, OUTSIDE):
                parse(text)  # the language's own reading of the fault has a place
        if not built.ok:
            outcome = Message(str(built.outcome))
            if not built.detail:
                raise ProgramError(outcome)
            if built.outcome is Outcome.EMPTY:  # Manifold's reason says all
                raise ProgramError("{detail}", detail=built.detail)
            placed = re.fullmatch(r"line (\d+): (.*)", built.detail, re.DOTALL)  # as the sandbox tells it
            line, detail = (int(placed[1]), placed[2]) if placed else (None, built.detail)
            raise ProgramError("{outcome}: {detail}", line, outcome=outcome, detail=detail)
        deviation = None if cloud is None else deviation_of(cloud.points, *built.mesh, most=QUICK_POINTS)
        return cls(text, *built.mesh, name, unit, cloud, frame, deviation, about=about or {}, assessor=assessor)

    @cached_property
    def tree(self) -> Program | None:
        """The program as data; None for text outside of the language."""
        try:
            return parse(self.program)
        except ProgramError:
            return None

    @cached_property
    def has_names(self) -> bool:
        """Whether the program's dimensions stand at its top as variables, as `write` puts them."""
        return self.tree is not None and self.program.strip() == laid_out(write(self.tree, names=True)).strip()

    @cached_property
    def numbers(self) -> list[Parameter]:
        """The program's numbers, the most telling first; none for text outside of the language."""
        return [] if self.tree is None else parameters(self.tree, named_like=self.named_like)

    @cached_property
    def assessment(self) -> Assessment | None:
        """The verdict on the part, with the places that it leaves unexplained; None without a scan."""
        assessor = self.scan_assessor
        return None if assessor is None else assessor.assess_mesh(self.vertices, self.faces)

    @cached_property
    def scan_assessor(self) -> Assessor | None:
        """`assessor`, prepared at the first use; None without a scan."""
        if self.assessor is None and self.cloud is not None:
            return Assessor.of(self.cloud, self.frame)
        return self.assessor

    @cached_property
    def parameters(self) -> dict[str, float]:
        """The values of `numbers` by name: plate thickness, hole 1 diameter."""
        return {number.name: number.value for number in self.numbers}

    @property
    def size(self) -> np.ndarray:
        """(3,) extent along the part's own axes where it was turned, else along x, y, z."""
        return np.ptp(self.vertices if self.frame is None else self.frame.to_own_axes(self.vertices), axis=0)

    def with_parameters(self, values: Mapping[str, float]) -> Part:
        """The part with some of its named numbers set. No model is needed.

        Args:
            values: Name -> number, with the names of `parameters`, or with a radius in place of a diameter.
        Raises: ProgramError: the program has no such number, or the numbers make no solid.
        """
        if self.tree is None:
            raise ProgramError("The program is outside of the language, so its numbers have no names.")
        with budget.limited():
            tree = set_parameters(self.tree, values, named_like=self.named_like)
            text = laid_out(write(tree, names=self.has_names))
        changed = self.of_program(
            text,
            cloud=self.cloud,
            frame=self.frame,
            name=self.name,
            unit=self.unit,
            about=self.about,
            assessor=self.scan_assessor,
        )
        return replace(changed, named_like=self.named_like or self.tree)

    def in_unit(self, unit: str) -> Part:
        """The same numbers, read in another unit."""
        about = dict(self.about)
        if "options" in about:
            about["options"] = {**about["options"], "unit": unit}
        exported = self.exported if unit == self.unit else None
        return replace(self, unit=unit, about=about, exported=exported)

    def measured(self) -> Part:
        """The part with its deviation at all points of the scan, up to 200,000."""
        if self.cloud is None:
            return self
        points = self.cloud.points
        if self.deviation is not None and len(self.deviation.signed) == min(len(points), MOST_POINTS):
            return self
        return replace(self, deviation=deviation_of(points, self.vertices, self.faces))

    def run(self, sandbox: Sandbox | None) -> Part:
        """The part with what OpenCASCADE makes of it; unchanged where that is known, or without a sandbox."""
        if self.exported is not None or sandbox is None:
            return self
        return replace(self, exported=export_program(self.program, sandbox, name=self.name, unit=self.unit))

    @property
    def report(self) -> dict[str, Any]:
        """The facts about the part and about the rebuild that it comes from, as JSON can hold them."""
        scanned = {}
        if self.cloud is not None:
            scanned = part_report(self.cloud, self.unit, self.frame, self.vertices, self.deviation)
        verdict = {} if self.assessment is None else self.assessment.report(self.unit)
        return {
            **verdict,
            **self.about,
            **scanned,
            "unit": self.unit,
            "shown": self.index,
            "made_by": self.source,
            "source_text": source_words(self.source),
            "distance_before": self.distance_before,
            "distance": self.distance,
            "program": self.program,
            "snapped": [
                {"name": snap.name, "from": snap.before, "to": snap.after, "reason": snap.reason}
                for snap in self.snapped
            ],
            "warnings": list(self.about.get("warnings", () if self.cloud is None else self.cloud.warnings)),
        }

    def write(self, path: str | Path) -> Path:
        """Write one file, by its ending: .py, .step, .stl, .3mf or .glb; .FCMacro for FreeCAD, .scad for OpenSCAD,
        _build123d.py; or the report as .json.

        Raises: ConfigError: another ending. CadrecodeError: OpenCASCADE cannot build the program, and nothing else
            makes such a file. ProgramError: the program is outside of the language, and the file is another system's.
        """
        path = Path(path)
        kind = _kind_of(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "report":
            return write_json(path, self.measured().report)
        if kind in SYSTEMS:
            path.write_text(self.in_words_of(kind), encoding="utf-8")
            return path
        part = self
        if kind in ("step", "stl", "glb"):
            from cadrecode.kernel.sandbox import shared_sandbox

            part = self.run(shared_sandbox())
        if not part._write_solid(kind, path):
            raise CadrecodeError("No {name}: {why}", name=path.name, why=part._missing_solid())
        return path

    def write_all(self, folder: str | Path, name: str | None = None, sandbox: Sandbox | None = None) -> Written:
        """Write everything that there is to have, as <name> and the ENDINGS.

        The clouds and the report need a scan, STEP and GLB the sandbox. Where OpenCASCADE fails, the STL holds the
        preview's mesh, and `note` says so.
        """
        folder, name = Path(folder), name or self.name
        folder.mkdir(parents=True, exist_ok=True)
        part, written = self.run(sandbox).measured(), Written()
        with budget.limited():  # one for all systems
            for kind in ("py", "step", "stl", "3mf", "glb", *SYSTEMS):
                path = folder / f"{name}{ENDINGS[kind]}"
                if part._write_solid(kind, path):
                    written[kind] = path
        written.execution = part.exported and part.exported.execution
        if "step" not in written:
            written.note = Message(
                "No STEP: {why} The STL holds Manifold's mesh, its circles as straight pieces.",
                why=part._missing_solid(),
            )
        if part.cloud is not None:
            part._write_clouds(written, folder / name)
            report = part.report
            if written.note:
                report["warnings"].append(written.note)
            written["report"] = folder / f"{name}{ENDINGS['report']}"
            report["files"] = {kind: path.name for kind, path in written.items()}
            write_json(written["report"], report)
        return written

    def in_words_of(self, system: str) -> str:
        """The program in the words of another CAD system, one of SYSTEMS, in millimetres.

        Raises: ProgramError: the program is outside of the language.
        """
        if self.tree is None:
            raise ProgramError("The program is outside of the language, so only CadQuery can build it.")
        return hand_over(self.tree, system, name=self.name, unit=self.unit)

    def _write_solid(self, kind: str, path: Path) -> bool:
        """Write the program or a file of its solid.

        Returns: False where only OpenCASCADE makes such a file, and it did not, or where the program is outside of the
            language and the file is another system's.
        """
        if kind == "py":
            path.write_text(self.program.rstrip() + "\n", encoding="utf-8")
        elif kind in SYSTEMS:
            try:
                path.write_text(self.in_words_of(kind), encoding="utf-8")
            except ProgramError:
                return False
        elif self.exported is not None and kind in self.exported.contents:
            path.write_bytes(self.exported.contents[kind])
        elif kind == "stl":
            write_stl(path, self.vertices, self.faces)
        elif kind == "3mf":
            write_3mf(path, self.vertices, self.faces, self.unit)
        else:
            return False
        return True

    def _missing_solid(self) -> Message:
        """The reason why there is no file of OpenCASCADE's."""
        if self.exported is None:
            return Message("it needs the OpenCASCADE sandbox.")
        return Message("OpenCASCADE could not build the program ({why}).", why=self.exported.problem)

    def _write_clouds(self, written: Written, stem: Path) -> None:
        """The scan turned into the part's own axes, and the scan coloured by its deviation."""
        own = self.cloud.points if self.frame is None else self.frame.to_own_axes(self.cloud.points)
        comments = [f"unit {self.unit}", "along the part's own axes"]
        written["aligned"] = write_ply(Path(f"{stem}{ENDINGS['aligned']}"), own, {}, comments)
        written["deviation"] = self.deviation.write_ply(Path(f"{stem}{ENDINGS['deviation']}"), self.unit)
