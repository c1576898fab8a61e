"""The downloads of the part on screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cadrecode.errors import ProgramError
from cadrecode.part import ENDINGS
from cadrecode.ui.reconstruct.report import write_page
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

KINDS = (*ENDINGS, "page")


@dataclass(frozen=True)
class Files:
    """Downloads by kind, OpenCASCADE's verdict on the solid, what could not be made, and its error, as it is."""

    paths: dict[str, Path]
    validity: str = ""
    note: str = ""
    fault: ProgramError | None = None


def write_files(work: Work, services: Services, words: Words) -> Files:
    """Write the files of the part on screen, and its page; STEP and GLB where programs may run."""
    part = work.shown
    if part is None:
        return Files({})
    folder = services.fresh_folder()
    written = part.write_all(folder, work.name, services.sandbox())
    execution, validity, note, fault = written.execution, "", "", None
    if execution is None:
        note = words("files.off")
    elif execution.ok:
        validity = words("result.valid" if execution.valid else "result.invalid")
    else:
        note = words("files.failed", why=words.outcome(execution.outcome))
        fault = ProgramError("{detail}", execution.line, detail=execution.detail)
    page = write_page(folder / f"{work.name}_report.html", work, words, validity)
    return Files({**written, "page": page}, validity, note, fault)
