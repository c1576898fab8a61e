"""The gallery of sample clouds, and the part that is on screen before the first click."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from cadrecode.part import Part
from cadrecode.shipped import CLOUDS, SAMPLE_PROGRAM
from cadrecode.ui.draw import film
from cadrecode.ui.reconstruct.state import Work

FIRST_POINTS, FIRST_NOISE_MM = 4000, 0.05


@dataclass(frozen=True)
class Sample:
    """A cloud that ships with the app.

    Args:
        title: By language.
        source: What made it, and its licence.
        unit: The unit of its numbers.
    """

    path: Path
    title: dict[str, str]
    source: str
    unit: str


@cache
def samples() -> tuple[Sample, ...]:
    """The samples that assets/clouds/index.json lists."""
    index = CLOUDS / "index.json"
    if not index.is_file():
        return ()
    entries = json.loads(index.read_text(encoding="utf-8"))
    return tuple(
        Sample(
            CLOUDS / e["file"],
            {"en": e["title_en"], "zh": e["title_zh"]},
            f"{e['source'].removeprefix('made by ').partition(',')[0]} ({e['licence']})",
            e["units"],
        )
        for e in entries
    )


@cache
def thumbnails(language: str) -> tuple[tuple[str, str], ...]:
    """A small picture of each sample, as a data address, with the beginning of its title."""
    return tuple((_picture(s.path), re.split(r"[,(（]", s.title[language])[0].strip()) for s in samples())


@cache
def _picture(path: Path) -> str:
    from cadrecode.cloud import read_cloud

    return film.of_cloud(read_cloud(path).points)


def prepare() -> None:
    """Make the sample part and the pictures before the first visitor comes."""
    _ = first_work().shown.assessment
    for sample in samples():
        _picture(sample.path)


@cache
def first_work() -> Work:
    """A bracket, scanned with a little noise, and its program."""
    from cadrecode.cloud import Cloud
    from cadrecode.program import build, parse
    from cadrecode.program.solid import sample

    text = SAMPLE_PROGRAM.read_text(encoding="utf-8")
    rng = np.random.default_rng(0)
    points, _ = sample(build(parse(text)), FIRST_POINTS, rng)
    points = points + rng.normal(0, FIRST_NOISE_MM, points.shape)
    cloud = Cloud(points, None, SAMPLE_PROGRAM.stem, "cloud", (), None)
    part = Part.of_program(text, cloud=cloud, name=SAMPLE_PROGRAM.stem)
    return Work(cloud, SAMPLE_PROGRAM.stem, "mm", (part,), source="assets/sample/bracket.py (Apache-2.0)")
