"""The report about a part and its cloud, whoever made the part. JSON can hold all of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from cadrecode.cloud import Cloud
from cadrecode.frames import Frame
from cadrecode.geometry import bounding_box
from cadrecode.scoring.deviation import Deviation


def part_report(
    cloud: Cloud, unit: str, frame: Frame | None, vertices: np.ndarray, deviation: Deviation | None
) -> dict[str, Any]:
    """Source, unit, frame, deviation and bounding boxes.

    Args:
        unit: The unit of the file's numbers and of every length in the report.
        frame: Between the file and the programs; None where there is none.
        vertices: (n, 3) of the part, RAW.
    """
    own = frame is not None and frame.rotation is not None
    boxed = [frame.to_own_axes(corners) if own else corners for corners in (cloud.points, vertices)]
    return {
        "source": {
            "file": cloud.name,
            "kind": cloud.kind,
            "points": len(cloud.points),
            "points_in_file": cloud.announced,
            "normals": cloud.normals is not None,
            "warnings": list(cloud.warnings),
        },
        "unit": unit,
        "frame": frame and asdict(frame) | {"raw_per_code": frame.raw_per_code},
        "deviation": deviation and deviation.figures() | {"unit": unit, "colours": deviation.legend(unit)},
        "bounding_box": {"axes": "the part's own" if own else "the file's", **bounding_boxes(*boxed)},
    }


def bounding_boxes(points: np.ndarray, vertices: np.ndarray) -> dict[str, Any]:
    """Both boxes, and the relative difference of their sides: (part - cloud) / cloud."""
    boxes = {"cloud": bounding_box(points), "part": bounding_box(vertices)}
    sides = {name: high - low for name, (low, high) in boxes.items()}
    return {
        name: {"low": _short(low), "high": _short(high), "size": _short(high - low)}
        for name, (low, high) in boxes.items()
    } | {"relative_difference": _short(relative_difference(sides["cloud"], sides["part"]))}


def relative_difference(cloud: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(3,) sides of both boxes -> (3,): (part - cloud) / cloud; over the longest side where a flat cloud has none."""
    floor = 1e-9 * cloud.max()
    return (part - cloud) / np.where(cloud > floor, cloud, cloud.max())


def _short(values: np.ndarray) -> list[float]:
    """Eight digits: enough for 1 mm in 100 km."""
    return [float(f"{value:.8g}") for value in values]
