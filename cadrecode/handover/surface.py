"""Which feature of a program made which place of its surface, for the names and the colours of a STEP's faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cadrecode.cloud.distance import point_to_surface
from cadrecode.cloud.sample import sample_surface
from cadrecode.errors import ProgramError
from cadrecode.geometry import face_normals
from cadrecode.program import Program, budget, build, mesh_of
from cadrecode.program.language import Solid, Step
from cadrecode.program.naming import named_features
from cadrecode.program.outline_sizes import Path
from cadrecode.program.solid import sagitta_of

POINTS = 3000  # on the surface
MOST_FEATURES, SECONDS = 60, 2.0  # each feature takes a boolean and 3,000 distances
NEW = 1e-5  # of the diagonal: a place farther from the surface before a feature is a place that the feature made


@dataclass(frozen=True)
class Places:
    """Places on a part's surface, and the feature that each is of.

    Args:
        points: (n, 3) float64.
        normals: (n, 3) float64, outward.
        features: (n,) int: indices of `names`.
        names: What a person calls the features.
    """

    points: np.ndarray
    normals: np.ndarray
    features: np.ndarray
    names: tuple[str, ...]


def places_of(program: Program) -> Places | None:
    """Places all over the surface; None for a program of too many features, or one that Manifold cannot build."""
    stages = list(_stages(program, ()))
    if len(stages) > MOST_FEATURES:
        return None
    names, sagitta = named_features(program), sagitta_of(program)
    try:
        with budget.limited(SECONDS):
            return _places(stages, names, sagitta)
    except ProgramError:
        return None


def _places(stages: list[tuple[Path, Program]], names: dict[Path, str], sagitta: float) -> Places:
    solids: dict[Solid, Any] = {}  # built once
    vertices, faces = mesh_of(build(stages[-1][1], sagitta, solids))
    sampled, normals = sample_surface(vertices, faces, POINTS, 0)
    points = np.concatenate((vertices[faces].mean(axis=1), sampled))
    normals = np.concatenate((face_normals(vertices, faces), normals))
    features, diagonal = np.zeros(len(points), int), float(np.linalg.norm(np.ptp(vertices, axis=0)))
    waiting = np.arange(len(points))
    for index in range(len(stages) - 1, 0, -1):
        budget.check()
        before = mesh_of(build(stages[index - 1][1], sagitta, solids))
        is_new = point_to_surface(points[waiting], *before) > NEW * diagonal
        features[waiting[is_new]] = index
        waiting = waiting[~is_new]
    return Places(points, normals, features, tuple(names.get(path, "body") for path, _ in stages))


def _stages(program: Program, path: Path) -> Iterator[tuple[Path, Program]]:
    """The program as it grows: one feature more each time, with the place in the tree of that feature."""
    for index, step in enumerate(program.steps):
        here, before = (*path, "steps", index, "solid"), program.steps[:index]
        inner = _stages(step.solid, here) if isinstance(step.solid, Program) else [(here, step.solid)]
        for place, solid in inner:
            yield place, Program((*before, Step(step.operation, solid)), program.placement)
    for index in range(len(program.finishes)):
        finished = replace(program, finishes=program.finishes[: index + 1])
        yield (*path, "finishes", index), finished
