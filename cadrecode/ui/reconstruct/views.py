"""What the Reconstruct tab shows of a work: 3D views, the strip of candidates, progress."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import numpy as np

from cadrecode import pictures
from cadrecode.part import Part
from cadrecode.scoring import source_words
from cadrecode.ui.background import WAITING, Progress
from cadrecode.ui.draw import html, show
from cadrecode.ui.reconstruct import describe
from cadrecode.ui.reconstruct.files import KINDS
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

SOLID, WITH_POINTS, DEVIATION = "solid", "points", "deviation"


def view(work: Work, mode: str, services: Services) -> str | None:
    """A GLB of the part on screen, with the cloud over it in two of the modes; of the cloud while there is no part."""
    part, points = work.shown, None if work.scan is None else work.scan.points
    if part is None:
        return cloud_view(work, services)
    over, colours = (points if mode == WITH_POINTS else None), None
    if mode == DEVIATION and part.deviation is not None:
        over, colours = _in_sight(part), part.deviation.colours()
    path = services.fresh_folder() / f"{work.name}.glb"
    extent = points if points is not None else part.vertices
    return str(show.scene(path, mesh=(part.vertices, part.faces), points=over, colours=colours, extent=extent))


def _in_sight(part: Part) -> np.ndarray:
    """(N, 3) RAW: the points that were measured; those inside of the part on its surface, where they can be seen."""
    from cadrecode.cloud.signed import signed_nearest

    signed, places = signed_nearest(part.deviation.points, part.vertices, part.faces)
    return np.where(signed[:, None] < 0, places, part.deviation.points)


def cloud_view(work: Work, services: Services) -> str | None:
    """A GLB of the cloud."""
    if work.cloud is None:
        return None
    points = work.cloud.points
    return str(show.scene(services.fresh_folder() / f"{work.name}-cloud.glb", points=points))


def drawn(work: Work, mode: str, services: Services, words: Words) -> tuple[str | None, str, str, str]:
    """The part on screen: its picture, its numbers while OpenCASCADE has not looked at it, its program, no fault."""
    program = work.shown.program if work.shown else ""
    return view(work, mode, services), describe.numbers(work, words, words("result.checking")), program, ""


def downloads(paths: dict[str, Path]) -> list[dict]:
    """An update for each download button: a file, or nothing to click."""
    return [gr.update(value=str(paths[kind]) if kind in paths else None, interactive=kind in paths) for kind in KINDS]


def strip(work: Work, words: Words) -> list[tuple]:
    """A picture of each candidate with its distance and source, best first; the unit stands in the numbers above."""
    return [
        (
            pictures.small_picture((p.vertices, p.faces), pixels=140),
            f"{describe.distance(p)} · {words.said(source_words(p.source))}",
        )
        for p in work.parts
        if p.distance is not None
    ]


def strip_title(work: Work, words: Words) -> str:
    """What the numbers below the candidates are."""
    fitted = any(p.distance_before is not None for p in work.parts)
    return words("candidates.title" if fitted else "candidates.unfitted")


def strip_drawn(work: Work, words: Words) -> dict:
    """An update of the strip of candidates."""
    small = strip(work, words)
    chosen = work.chosen if small else None
    return gr.update(value=small, label=strip_title(work, words), visible=bool(small), selected_index=chosen)


def stage_text(progress: Progress, words: Words) -> str:
    """ "sampling 3 / 8"; of those who wait, how many are before them."""
    if progress.stage == WAITING:
        return words("stage.waiting", n=progress.done)
    return words.stage(progress.stage) + (f" {progress.done} / {progress.total}" if progress.total > 1 else "")


def stage_words(progress: Progress, words: Words) -> str:
    """The stage as a bar with words."""
    done = 0 if progress.stage == WAITING else progress.done
    return html.progress(stage_text(progress, words), done, max(1, progress.total))
