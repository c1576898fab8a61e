"""The app's API: `reconstruct` and `run_program`, over gradio_client, HTTP and, where it is on, MCP.

Both are components that no page shows, so that their descriptions are the functions' docstrings. Guests may call them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from cadrecode.config import UNITS, ReconstructConfig
from cadrecode.errors import ProgramError
from cadrecode.ui import models
from cadrecode.ui.events import in_words
from cadrecode.ui.reconstruct import actions as rebuilding
from cadrecode.ui.reconstruct.files import write_files
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

WORDS = Words("en")


def build(services: Services) -> None:
    """Add both to the page that is being built."""
    usual = ReconstructConfig()
    unit = gr.Dropdown(list(UNITS), value="mm", label="unit", visible=False)
    scan = [
        gr.File(label="file", visible=False),
        unit,
        gr.Number(usual.candidates, precision=0, minimum=1, maximum=32, label="candidates", visible=False),
        gr.Number(usual.temperature, label="temperature", visible=False),
        gr.Number(usual.seed, precision=0, label="seed", visible=False),
        gr.Number(usual.seconds, minimum=0, maximum=60, label="fit_seconds", visible=False),
        gr.Checkbox(usual.align, label="align", visible=False),
        gr.Checkbox(usual.clean != "off", label="clean", visible=False),
        gr.Textbox(str(usual.snap), label="snap", visible=False),
    ]
    _offer(_reconstruct(services), scan, gr.JSON(label="report", visible=False))
    program = [gr.Textbox(label="program", visible=False), unit]
    _offer(_run_program(services), program, gr.JSON(label="result", visible=False))


def _offer(handler: Callable[..., tuple], inputs: list, answer: gr.JSON) -> None:
    gr.Button(visible=False).click(
        in_words(handler, WORDS), inputs, [answer, gr.Files(label="files", visible=False)],
        api_name=handler.__name__, api_description=handler.__doc__, concurrency_limit=64,
    )  # fmt: skip


def _reconstruct(services: Services) -> Callable[..., tuple]:
    def reconstruct(
        file: str,
        unit: str,
        candidates: int,
        temperature: float,
        seed: int,
        fit_seconds: float,
        align: bool,
        clean: bool,
        snap: str,
    ) -> tuple[dict[str, Any], list[str]]:
        """Rebuild a point cloud, mesh or STEP file as a short CadQuery program: measured, or by the model in use.

        Args:
            file: the scan: .npy .npz .txt .xyz .pts .csv .ply .pcd .las, a mesh (.stl .obj .off .glb .3mf), or STEP.
            unit: unit of its numbers: mm, cm, m or inch.
            candidates: programs that the model writes, besides those that are measured; the best of all is returned.
            temperature: how freely candidates are drawn, from the second on.
            seed: same seed, same candidates.
            fit_seconds: time for fitting the best three to the cloud; 0: they stay as the model wrote them.
            align: rebuild a part that stands askew along its own axes.
            clean: remove lone points, the table under the part and crumbs beside it.
            snap: how far a number may change to be a simple one: auto, off, or a length in the unit.
        Returns:
            report: verdict, unexplained, program, deviation, candidates, warnings; files: .py, .step, .stl, .3mf,
            .glb, .ply, reports.
        """
        base, adapter = models.in_use(services)
        values = {
            "unit": unit, "candidates": candidates, "temperature": temperature, "seed": seed, "seconds": fit_seconds,
            "align": align, "clean": clean, "snap": snap,
        }  # fmt: skip
        config = ReconstructConfig.from_values(values, source="reconstruct")
        work = rebuilding.rebuild(
            rebuilding.open_cloud(file, services, unit), config, services, lambda stage, done, total: None,
            lambda: False, base=base, adapter=adapter,
        )  # fmt: skip
        made = write_files(work, services, WORDS)
        return json.loads(made.paths["report"].read_text(encoding="utf-8")), _listed(made.paths)

    return reconstruct


def _run_program(services: Services) -> Callable[..., tuple]:
    def run_program(program: str, unit: str) -> tuple[dict[str, Any], list[str]]:
        """Build a CadQuery program that leaves its solid in `r`: its size, whether it is valid, and its files.

        Args:
            program: CadQuery text. Text outside of the app's language runs in a sandbox.
            unit: unit of its numbers: mm, cm, m or inch.
        Returns:
            result: ok, size, solid; for a wrong program error, line, column, expected. files: as above.
        """
        try:
            work = rebuilding.run_program(Work(unit=unit), program, services)
        except ProgramError as error:  # a result like another
            fault = {"error": error.message, "line": error.line, "column": error.column, "expected": error.expected}
            return {"ok": False, **fault}, []
        made = write_files(work, services, WORDS)
        size = np.round(work.shown.size, 6).tolist()
        return {"ok": True, "size": size, "unit": unit, "solid": made.validity, "note": made.note}, _listed(made.paths)

    return run_program


def _listed(paths: dict[str, Path]) -> list[str]:
    return [str(path) for path in paths.values()]
