"""What can be downloaded of the part on screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cadrecode.export import EXPORTS, Written, write_report
from cadrecode.formats.mesh_write import write_3mf
from cadrecode.formats.ply_write import write_ply
from cadrecode.ui.reconstruct import parts
from cadrecode.ui.reconstruct.parts import Work
from cadrecode.ui.reconstruct.report import write_page
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

KINDS = ("py", "step", "stl", "3mf", "glb", "aligned", "deviation", "report", "page")


@dataclass(frozen=True)
class Files:
    """Downloads by kind, what OpenCASCADE said of the solid, and what could not be made."""

    paths: dict[str, Path]
    validity: str = ""
    note: str = ""


def write_files(work: Work, services: Services, words: Words) -> Files:
    """The program; its STEP, STL and GLB from the sandbox, where programs may run; 3MF; the clouds; the reports."""
    part = work.shown
    if part is None:
        return Files({})
    folder = services.folder_for("files", part.text, work.name, work.unit, work.chosen, work.edited is not None)
    written = Written(py=folder / f"{work.name}.py")
    written["py"].write_text(part.text.rstrip() + "\n", encoding="utf-8")
    sandbox = services.sandbox()
    validity = ""
    if sandbox is None:
        written.note = words("files.off")
    else:
        execution = sandbox.run(part.text, folder, EXPORTS, name=work.name, unit=work.unit)
        if execution.ok:
            written.update(execution.files)
            validity = words("result.valid") if execution.valid else words("result.invalid")
        else:
            written.note = words("files.failed", why=words.outcome(execution.outcome))
    written["3mf"] = write_3mf(folder / f"{work.name}.3mf", part.vertices, part.faces, work.unit)
    if work.scan is not None:
        written["aligned"] = _write_aligned(work, folder / f"{work.name}_aligned.ply")
        measured = parts.deviation(work.scan.points, part.vertices, part.faces, in_full=True)
        written["deviation"] = measured.write_ply(folder / f"{work.name}_deviation.ply", work.unit)
        write_report(written, parts.report(work, measured, written.note), folder / f"{work.name}_report.json")
    written["page"] = write_page(folder / f"{work.name}_report.html", work, words, validity)
    return Files(dict(written), validity, written.note)


def _write_aligned(work: Work, path: Path) -> Path:
    """The scan without what was cleaned away, turned into the part's own axes; as it was where it stood upright."""
    turned = None if work.alignment is None else work.alignment.rotation
    points = work.scan.points if turned is None else work.scan.points @ turned
    return write_ply(path, points, {}, [f"unit {work.unit}", "along the part's own axes"])
