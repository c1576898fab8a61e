"""Rows of small pictures with words under them: what a model makes while it learns, pairs of a data set, best, worst.

Pictures travel inside of the page's text: they are small, and need no file that somebody has to remove.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.errors import ProgramError
from cadrecode.ui.draw import show

if TYPE_CHECKING:
    from PIL.Image import Image

    from cadrecode.runs import Run
    from cadrecode.ui.words.text import Words

PIXELS = 120
SHADES = 32  # colours a picture keeps: a third of the bytes, and no eye tells
FRAMES = 6  # evaluations shown: the first, and the newest

Picture = tuple[str, str]  # data address, what is said under it


def film(title: str, rows: Sequence[tuple[str, Sequence[Picture]]]) -> str:
    """Rows of pictures, each with a heading; wider ones scroll sideways.

    Args: title: for screen readers. rows: heading, pictures.
    """
    lines = ""
    for heading, pictures in rows:
        cells = "".join(
            f'<figure><img src="{address}" width="{PIXELS}" height="{PIXELS}" alt="{escape(heading)}, {escape(said)}">'
            f"<figcaption>{escape(said)}</figcaption></figure>"
            for address, said in pictures
        )
        lines += f'<div class="cr-film-row"><h4>{escape(heading)}</h4><div>{cells}</div></div>'
    return f'<div class="cr-film" role="region" tabindex="0" aria-label="{escape(title)}">{lines}</div>'


def of_part(mesh: tuple[np.ndarray, np.ndarray] | None) -> str:
    """A part's picture, as an address; an empty frame where there is none."""
    return _address(show.small_picture(mesh, pixels=PIXELS))


def of_cloud(points: np.ndarray) -> str:
    """A cloud's picture, as an address. Points: (N, 3 or more)."""
    return _address(show.small_picture(None, np.asarray(points[:, :3], np.float64), pixels=PIXELS))


def of_program(text: str) -> str:
    """The picture of a program's part; an empty frame where it makes none."""
    from cadrecode.program import build, mesh_of, parse

    try:
        return of_part(mesh_of(build(parse(text))))
    except ProgramError:
        return of_part(None)


def _address(image: Image) -> str:
    return show.data_address(image.quantize(SHADES))


def of_run(run: Run, words: Words) -> str:
    """The sample parts of a run, drawn at each evaluation; nothing where there was none yet."""
    evaluations = run.samples()
    if not evaluations:
        return ""
    shown = evaluations[:1] + evaluations[1:][-(FRAMES - 1) :]
    rows = []
    for i, sample in enumerate(shown[-1]["samples"]):
        strip = [(_cloud_file(Path(shown[-1]["folder"]) / sample["cloud"]), words("film.cloud"))]
        for one in shown:
            if i < len(one["samples"]):
                strip.append(_frame(one, one["samples"][i], words))
        rows.append((str(sample["name"]), strip))
    return film(words("film.title"), rows)


def _frame(evaluation: dict, sample: dict, words: Words) -> Picture:
    when = words("film.base") if evaluation["step"] == 0 else words("film.step", step=f"{evaluation['step']:,}")
    if not sample.get("mesh"):
        return of_part(None), f"{when} · {words('film.invalid')}"
    path = Path(evaluation["folder"]) / sample["mesh"]
    iou = sample.get("iou")
    score = "" if iou is None else " · " + words("film.iou", x=f"{iou:.2f}")
    return _mesh_file(path, path.stat().st_mtime_ns), when + score


@lru_cache(maxsize=256)
def _mesh_file(path: Path, written: int) -> str:
    """Drawn once, for all who look. `written`: when, so that a resumed run's new file is another one."""
    with np.load(path, allow_pickle=False) as arrays:
        return of_part((arrays["vertices"], arrays["faces"]))


@lru_cache(maxsize=64)
def _cloud_file(path: Path) -> str:
    return of_cloud(np.load(path, allow_pickle=False))
