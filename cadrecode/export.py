"""A finished program's files: .py, .step, .stl and .glb, in its own units and place, and a report of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.kernel.sandbox import EXPORTS, Execution

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox


class Written(dict[str, Path]):
    """The files that were written, by kind: "py", "step", "stl", "glb", "deviation", "report".

    Attributes:
        note: what is missing or second-best, and why; empty when everything is as it should be.
        execution: what OpenCASCADE said; None when it was not asked.
    """

    note: str = ""
    execution: Execution | None = None


def write_part(
    text: str,
    mesh: tuple[np.ndarray, np.ndarray],
    folder: Path,
    name: str,
    sandbox: Sandbox | None = None,
    unit: str = "mm",
) -> Written:
    """Write a program as <name>.py, .step, .stl and .glb.

    Args:
        text: RAW. mesh: its surface, (n, 3) float RAW and (m, 3) int.
        sandbox: makes all but the program. Without it, or where OpenCASCADE fails, there is only an STL of `mesh`
            beside the program, and `note` says so.
        unit: what the numbers are ("mm", "cm", "m", "inch"); STEP carries it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = Written()
    written["py"] = folder / f"{name}.py"
    written["py"].write_text(text.rstrip() + "\n", encoding="utf-8")
    if sandbox is None:
        written.note = "No STEP: it needs the OpenCASCADE sandbox."
    else:
        execution = sandbox.run(text, folder, EXPORTS, name=name, unit=unit)
        written.execution = execution
        written.update(execution.files)
        if not execution.ok:
            reason = f"{execution.outcome}, {execution.detail}" if execution.detail else execution.outcome
            written.note = f"No STEP: OpenCASCADE could not build the program ({reason})."
    if "stl" not in written:
        written["stl"] = folder / f"{name}.stl"
        write_stl(written["stl"], *mesh)
        written.note += " The STL holds Manifold's mesh, its circles as straight pieces."
    return written


def write_report(written: Written, report: dict[str, Any], path: Path) -> None:
    """Write a report as JSON, with the names of all files beside it, and add it to them."""
    written["report"] = path
    files = {kind: file.name for kind, file in written.items()}
    write_json(path, report | {"files": files})


def write_json(path: Path, content: dict[str, Any]) -> None:
    """JSON as a person reads it. Its folder is made where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_stl(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Binary STL of a mesh: (n, 3) float, (m, 3) int. STL knows no units and only float32."""
    corners = np.asarray(vertices, np.float64)[faces]  # (m, 3 corners, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
    records = np.zeros(len(corners), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    records["normal"], records["corners"] = normals, corners
    header = b"cadrecode".ljust(80, b" ")
    path.write_bytes(header + np.uint32(len(records)).astype("<u4").tobytes() + records.tobytes())
