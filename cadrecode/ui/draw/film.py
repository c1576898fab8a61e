"""Rows of small pictures with captions: sample parts of a training, pairs of a data set, the best and worst parts.

The pictures are data addresses within the page: they are small, and no file has to be removed later.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from cadrecode.errors import ProgramError
from cadrecode.pictures import data_address, small_picture

PIXELS = 120

Picture = tuple[str, str]  # data address, caption


def film(title: str, rows: Sequence[tuple[str, Sequence[Picture]]]) -> str:
    """Rows of pictures, each with a heading; wide rows scroll sideways.

    Args:
        title: For screen readers.
        rows: A heading and pictures each.
    """
    lines = ""
    for heading, pictures in rows:
        cells = "".join(
            f'<figure><img src="{address}" width="{PIXELS}" height="{PIXELS}" '
            f'alt="{escape(heading)}, {escape(caption)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for address, caption in pictures
        )
        lines += f'<div class="cr-film-row"><h4>{escape(heading)}</h4><div>{cells}</div></div>'
    return f'<div class="cr-film" role="region" tabindex="0" aria-label="{escape(title)}">{lines}</div>'


def of_part(mesh: tuple[np.ndarray, np.ndarray] | None) -> str:
    """The picture of a part, as an address; an empty frame for None."""
    return data_address(small_picture(mesh, pixels=PIXELS))


def of_cloud(points: np.ndarray) -> str:
    """The picture of (N, 3 or more) points, as an address."""
    return data_address(small_picture(None, np.asarray(points[:, :3], np.float64), pixels=PIXELS))


def of_program(text: str) -> str:
    """The picture of a program's part; an empty frame where it makes no part."""
    from cadrecode.program import build, mesh_of, parse

    try:
        return of_part(mesh_of(build(parse(text))))
    except ProgramError:
        return of_part(None)
