"""The gallery of sample clouds, and the part that is on screen before the first click."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from cadrecode.ui import parts, show
from cadrecode.ui.services import REPOSITORY

CLOUDS = REPOSITORY / "assets" / "clouds"
FIRST_PART = REPOSITORY / "assets" / "sample" / "bracket.py"  # a program in mm
FIRST_POINTS, FIRST_NOISE_MM = 4000, 0.05


@dataclass(frozen=True)
class Sample:
    """A cloud that ships with the app.

    Args: name, source: as shown; unit: of its numbers.
    """

    path: Path
    name: str
    source: str
    unit: str


@cache
def samples() -> tuple[Sample, ...]:
    """What assets/clouds/index.json lists."""
    index = CLOUDS / "index.json"
    if not index.is_file():
        return ()
    entries = json.loads(index.read_text(encoding="utf-8"))
    return tuple(
        Sample(CLOUDS / e["file"], e.get("name", Path(e["file"]).stem), e.get("source", ""), e.get("unit", "mm"))
        for e in entries
    )


@cache
def thumbnails() -> tuple:
    """A small picture of each sample, with its name."""
    from cadrecode.cloud import read_cloud

    return tuple((show.small_picture(None, read_cloud(s.path).points, pixels=160), s.name) for s in samples())


@cache
def first_work() -> parts.Work:
    """A bracket, scanned with a little noise, and its program."""
    from cadrecode.cloud import Cloud
    from cadrecode.program import build, parse
    from cadrecode.program.solid import sample

    text = FIRST_PART.read_text(encoding="utf-8")
    rng = np.random.default_rng(0)
    points, _ = sample(build(parse(text)), FIRST_POINTS, rng)
    points = points + rng.normal(0, FIRST_NOISE_MM, points.shape)
    cloud = Cloud(points, None, FIRST_PART.stem, "cloud", (), None)
    return parts.Work(cloud, FIRST_PART.stem, "mm", (parts.of_program(text, cloud, None),))
