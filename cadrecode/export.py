"""Files of solids and reports: what OpenCASCADE makes of a program in one run, STL of a mesh, JSON."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.errors import ProgramError
from cadrecode.handover.surface import Places, places_of
from cadrecode.kernel.sandbox import EXPORTS, Execution
from cadrecode.program import parse

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox


@dataclass(frozen=True)
class Exported:
    """A program's solid as OpenCASCADE built it.

    Args:
        execution: How the run ended.
        contents: The files, by kind: "step", "stl", "glb"; empty where it failed.
    """

    execution: Execution
    contents: dict[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def problem(self) -> str:
        """The reason why there is no solid; empty where there is one."""
        execution = self.execution
        if execution.ok:
            return ""
        return f"{execution.outcome}, {execution.detail}" if execution.detail else str(execution.outcome)


def export_program(text: str, sandbox: Sandbox, *, name: str, unit: str = "mm") -> Exported:
    """Run a program in OpenCASCADE once: the check and all files.

    Args:
        text: Any CadQuery program; how it ends is in the result, never an exception.
        name: The part's name in STEP.
        unit: Unit of the program's numbers ("mm", "cm", "m", "inch"); STEP carries it.

    Faces have the names and the colours of their features in STEP, where the program is in the language.
    """
    places = _places(text)
    with tempfile.TemporaryDirectory(prefix="cadrecode-") as folder:
        features = None
        if places is not None:
            features = Path(folder) / "places.npy", list(places.names)
            np.save(features[0], np.column_stack((places.points, places.normals, places.features)), allow_pickle=False)
        execution = sandbox.run(text, Path(folder), EXPORTS, name=name, unit=unit, features=features)
        contents = {kind: path.read_bytes() for kind, path in execution.files.items()}
    return Exported(replace(execution, files={}), contents)


def _places(text: str) -> Places | None:
    try:
        return places_of(parse(text))
    except ProgramError:
        return None


def write_json(path: Path, content: Any) -> Path:
    """Write JSON as a person reads it. Its folder is made where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return path
