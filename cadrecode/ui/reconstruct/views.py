"""The views of a work in the Reconstruct tab: the 3D view, the strip of candidates, progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from cadrecode.part_faces import face_groups, moved_faces
from cadrecode.scoring import source_words
from cadrecode.ui.background import WAITING, Progress
from cadrecode.ui.draw import film, html
from cadrecode.ui.draw.strip import strip_html
from cadrecode.ui.reconstruct import describe, dimensions
from cadrecode.ui.reconstruct.files import KINDS
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.viewer.scene import scene, scene_name
from cadrecode.ui.words.text import Words


def view(work: Work) -> dict[str, Any] | None:
    """The part on screen with the scan; the scan alone while there is no part, and None where there is nothing."""
    part, cloud = work.shown, work.scan
    if part is None and cloud is None:
        return None
    deviation = part and part.deviation
    points, signed = (deviation.points, deviation.signed) if deviation else (cloud and cloud.points, None)
    mesh = part and (part.vertices, part.faces)
    name = part.program if part else work.name
    return scene(name, mesh, points, signed, unit=work.unit, tolerance=work.tolerance_shown)


def knowledge(work: Work, words: Words) -> dict[str, Any] | None:
    """The facts that take longer than drawing the part on screen: which numbers move which faces, and where the part
    does not explain the scan. None where there is no part."""
    part = work.shown
    if part is None:
        return None
    sizes, _ = dimensions.named(part)
    moved = moved_faces(part, face_groups(part.vertices, part.faces), sizes)
    return {
        "part": scene_name(part.program),
        "names": [[size.name, words.dimension(size.name)] for size in sizes],
        "moved": moved,
        "spots": describe.spots(part, work.unit, words),
    }


def drawn(work: Work, words: Words, *, judged: bool = True) -> tuple[dict[str, Any] | None, str, str, str]:
    """The part on screen: its picture, its numbers while OpenCASCADE has not looked at it, its program, no fault.

    Args:
        judged: Whether there is time for the verdict.
    """
    program = work.shown.program if work.shown else ""
    return view(work), describe.numbers(work, words, words("result.checking"), judged=judged), program, ""


def downloads(paths: dict[str, Path]) -> list[dict]:
    """An update for each download button: a file, or nothing to click."""
    return [gr.update(value=str(paths[kind]) if kind in paths else None, interactive=kind in paths) for kind in KINDS]


def strip(work: Work, words: Words) -> list[tuple[str, str]]:
    """A picture of each candidate with its distance and source, best first."""
    _, unit = html.shown_in(work.unit)
    return [
        (
            film.of_part((part.vertices, part.faces)),
            f"{describe.distance(part, work.unit)} {unit}\n{words.said(source_words(part.source))}",
        )
        for part in work.parts
        if part.distance is not None
    ]


def strip_drawn(work: Work, words: Words) -> str:
    """The strip of candidates."""
    fitted = any(part.distance_before is not None for part in work.parts)
    title = words("candidates.title" if fitted else "candidates.unfitted")
    return strip_html(title, strip(work, words), work.chosen)


def stage_text(progress: Progress, words: Words) -> str:
    """ "sampling 3 / 8"; of those who wait, how many are before them, or that a training is at work."""
    if progress.stage == WAITING:
        return words("stage.waiting", n=progress.done) if progress.done else words("stage.paced")
    return words.stage(progress.stage) + (f" {progress.done} / {progress.total}" if progress.total > 1 else "")


def stage_words(progress: Progress, words: Words) -> str:
    """The stage as a bar with words."""
    done = 0 if progress.stage == WAITING else progress.done
    return html.progress(stage_text(progress, words), done, max(1, progress.total))
