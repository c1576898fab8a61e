"""Scores programs that any system wrote, beside the true solids that they should be.

Nothing is chosen by the true solid. Where there are several programs for a shape, the first is the single sample, and
the best of them is the nearest to points sampled on the shape, as a rebuild would choose. These points are also all
that the programs are fitted to, where that is requested.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.cloud import sample_surface
from cadrecode.cloud.distance import nearest_on_surface
from cadrecode.errors import Message, ProgramError
from cadrecode.fit import ruler_for
from cadrecode.frames import CODE_PER_MODEL, MODEL_SIDE
from cadrecode.geometry import face_normals
from cadrecode.program import mesh_of, write
from cadrecode.program.edit import to_code, to_raw
from cadrecode.program.language import Program
from cadrecode.program.solid import bounds, through_holes
from cadrecode.program.topology import Topology
from cadrecode.scoring import ByDistance, Candidate, Target, build_text, figures_of, fitted, rank
from cadrecode.scoring.bootstrap import interval
from cadrecode.scoring.programs import Row, none_met, read_programs, skip
from cadrecode.scoring.target import SCORE_POINTS
from cadrecode.scoring.targets import Shape, Skipped, load_targets, seed_of

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox

MISSING = "no program"
NEAR = 0.01  # of the longest side: F-score at 1 %
THIN, SLENDER = 0.05, 0.2  # shortest over longest side of the bounding box
MEANS = ("iou", "cd", "f_score", "normal_consistency", "characters", "numbers")


@dataclass(frozen=True)
class Scores:
    """How programs are scored.

    Args:
        in_code: True for programs that are centred with a longest side of 200, as models write; False for programs in
            the units and the place of their targets.
        seed: For the samples.
        sandbox: Runs programs outside of the language; None counts them as failures.
        fit_seconds: For each shape, to fit the nearest three programs to the points; 0: no fit.
    """

    in_code: bool = True
    seed: int = 0
    sandbox: Sandbox | None = None
    fit_seconds: float = 0.0

    def run(
        self,
        programs: str | Path,
        targets: str | Path,
        *,
        field: str = "code",
        limit: int | None = None,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> dict[str, Any]:
        """Score the programs of every target.

        Args:
            programs: See `read_programs`; several programs of one id are samples of it.
            field: The name under which a row of JSON has its program; several joined by + are samples of one system.
            targets: See `load_targets`. A target without a program counts as a failure.
            limit: This many targets, drawn with the seed.
            on_progress: Called with (targets done, total), the total where it is known.
        Returns: A report that JSON can hold; `skipped` lists targets that are no closed solids, and programs without a
            target, with the reasons.
        Raises: DatasetError: Nothing can be read, or no program has a target.
        """
        started = time.monotonic()
        texts: dict[str, list[Row]] = {}
        skipped: list[dict] = []
        for name in field.split("+"):
            read, left_out = read_programs(programs, name)
            skipped += left_out
            for row in read:
                texts.setdefault(row.id, []).append(row)
        shapes: list[dict] = []
        met = set()
        for shape in load_targets(targets, limit=limit, seed=self.seed):
            met.add(shape.id)
            try:
                if isinstance(shape, Skipped):
                    raise ProgramError(shape.reason)
                shapes.append(self.row(shape, [row.code for row in texts.get(shape.id, [])]))
            except ProgramError as error:
                skipped.append(skip(shape.id, None, error.message))
            if on_progress:
                on_progress(len(shapes), limit)
        if limit is None:
            unknown = Message("{source} has no target of that name", source=targets)
            skipped += [skip(id, None, unknown) for id in texts if id not in met]
        if not any(row["outcome"] != MISSING for row in shapes):
            raise none_met(programs, targets, skipped)
        several = any(row["samples"] > 1 for row in shapes)
        return {
            "programs": str(programs),
            "targets": str(targets),
            "frame": "code" if self.in_code else "raw",
            "seed": self.seed,
            **summarise(shapes),
            **({f"best_{key}": value for key, value in summarise(shapes, "best_").items()} if several else {}),
            **({f"fit_{key}": value for key, value in summarise(shapes, "fit_").items()} if self.fit_seconds else {}),
            **({"fit_seconds": self.fit_seconds} if self.fit_seconds else {}),
            "groups": groups_of(shapes),
            "seconds": round(time.monotonic() - started, 2),
            "skipped": skipped,
            "shapes": shapes,
        }

    def row(self, shape: Shape, texts: Sequence[str]) -> dict[str, Any]:
        """The figures of a shape's first program, under `best_` those of the nearest to the shape's points, and under
        `fit_` those of the best after the fit.

        Raises: ProgramError: The shape is not a closed solid.
        """
        own_seed = seed_of(shape.id, self.seed)
        target = Target.of(shape.id, shape.vertices, shape.faces, seed=own_seed)
        low, high = bounds(target.solid)
        row = {
            "id": shape.id,
            "samples": len(texts),
            "size": float(f"{np.ptp(shape.vertices, axis=0).max():.6g}"),
            "thinness": round(float((high - low).min() / (high - low).max()), 4),
            "true_genus": through_holes(target.solid),
        }
        if not texts:
            return row | {"outcome": MISSING, "iou": 0.0, "cd": None}
        built = [self._built(text, target) for text in texts]
        row |= _figures_of(built[0], target)
        if len(built) == 1 and not self.fit_seconds:
            return row
        points, _ = sample_surface(shape.vertices, shape.faces, SCORE_POINTS, own_seed)
        yardstick = ByDistance(ruler_for(target.frame.to_code(points), seed=own_seed))
        ranked = rank(built, yardstick)
        if len(built) > 1:
            row |= {f"best_{key}": value for key, value in _figures_of(ranked[0], target).items()}
        if self.fit_seconds:
            best, *_ = fitted(ranked, yardstick, seconds=self.fit_seconds, seed=self.seed)
            if best.program is not None and best.text not in {candidate.text for candidate in ranked}:
                text = write(best.program if self.in_code else to_raw(best.program, target.frame))
                best = replace(best, text=text)  # in the frame of the others
            row |= {f"fit_{key}": value for key, value in _figures_of(best, target).items()}
        return row

    def _built(self, text: str, target: Target) -> Candidate:
        """The program in the frame of the target; its text as it was."""
        built = build_text(text, self.sandbox)
        if self.in_code or not built.ok:
            return built
        scale = 1 / target.frame.raw_per_code
        moved = target.frame.to_code(np.zeros((1, 3)))[0]
        program = built.program and to_code(built.program, target.frame)
        return replace(built, program=program, solid=built.solid.scale((scale,) * 3).translate(tuple(moved)))


def _figures_of(candidate: Candidate, target: Target) -> dict[str, Any]:
    """`scoring.figures_of` and more of what programs are compared by.

    `f_score` is the harmonic mean of the shares of samples of either surface that lie within 1 % of the longest side of
    the other surface (Knapitsch et al. 2017, there between samples); `normal_consistency` the mean absolute cosine
    between a sample's normal and that of the nearest place of the other surface, both ways (Mescheder et al. 2019).
    """
    row = figures_of(candidate, target) | {"program": candidate.text}
    if not candidate.ok:
        return row
    f_score, consistency = _surfaces(candidate, target)
    faces = Counter("plane" if item.kind == "PLANE" else "curved" for item in Topology(candidate.solid).faces)
    return row | {
        "f_score": round(f_score, 6),
        "normal_consistency": round(consistency, 6),
        "bodies": candidate.shells[0],
        "faces": dict(faces),
        "characters": len(candidate.text),
        "numbers": candidate.number_count,
        "solids": None if candidate.program is None else len(list(candidate.program.solids())),
        "operations": None if candidate.program is None else operations_of(candidate.program),
    }


def operations_of(program: Program) -> list[str]:
    """The operations of a program beside sketches, in alphabetical order: box, chamfer, extrude, fillet, revolve."""
    names = {type(solid).__name__.lower() for solid in program.solids()}
    bodies = [program]
    for body in bodies:
        names |= {str(getattr(finish, "blend", type(finish).__name__)).lower() for finish in body.finishes}
        bodies += [step.solid for step in body.steps if isinstance(step.solid, Program)]
    return sorted(names)


def _surfaces(candidate: Candidate, target: Target) -> tuple[float, float]:
    """F-score at 1 % and normal consistency."""
    meshes = candidate.mesh, mesh_of(target.solid)
    near, cosines = [], []
    for (own, other), sample_seed in ((meshes, target.seed + 1), (meshes[::-1], target.seed)):
        points, normals = sample_surface(*own, SCORE_POINTS, sample_seed)
        distances, triangles, _ = nearest_on_surface(points, *other)
        facing = face_normals(*other)[triangles]
        near.append(float(np.mean(distances <= NEAR * MODEL_SIDE * CODE_PER_MODEL)))
        cosines.append(float(np.abs(np.sum(normals * facing, axis=1)).mean()))
    precision, recall = near
    f_score = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return f_score, float(np.mean(cosines))


def summarise(rows: Sequence[dict], prefix: str = "") -> dict[str, Any]:
    """Means and medians over rows; failures have an IoU of 0 in `mean_iou_all` and `median_iou`.

    Args:
        prefix: "best_": the best of several programs, where there are several; "fit_": the best after the fit.
    Returns: The intervals are those of `interval`.
    """

    def of(row: dict, key: str) -> Any:
        return row.get(prefix + key, row.get(key))

    ious = np.array([of(row, "iou") for row in rows], np.float64)
    valid = [row for row in rows if of(row, "cd") is not None]
    figures: dict[str, Any] = {
        "n": len(rows),
        "mean_iou_all": float(ious.mean()),
        "mean_iou_all_interval": list(interval(ious, np.mean)),
        "median_iou": float(np.median(ious)),
        "median_iou_interval": list(interval(ious, np.median)),
        "invalid_ratio": 1 - len(valid) / len(rows),
        "genus_right": float(np.mean([of(row, "genus") == row["true_genus"] for row in rows])),
        "outcomes": dict(Counter(of(row, "outcome") for row in rows)),
    }
    for key in MEANS:
        values = [of(row, key) for row in valid]
        figures[f"mean_{key}_valid"] = float(np.mean(values)) if values else None
        figures[f"median_{key}_valid"] = float(np.median(values)) if values else None
    return {
        key: np.round(value, 6).tolist() if isinstance(value, float | list) else value for key, value in figures.items()
    }


def groups_of(rows: Sequence[dict]) -> dict[str, dict[str, Any]]:
    """The count, mean, interval of the mean, and median IoU of the first programs.

    Groups are by thinness, decade of the longest side in the unit of the targets, number of solids and operation.
    """
    groups: dict[str, list[float]] = {}
    for row in rows:
        for name in _groups_of(row):
            groups.setdefault(name, []).append(row["iou"])
    return {
        name: {
            "n": len(ious),
            "mean_iou": round(float(np.mean(ious)), 6),
            "mean_iou_interval": [round(value, 6) for value in interval(np.array(ious), np.mean)],
            "median_iou": round(float(np.median(ious)), 6),
        }
        for name, ious in sorted(groups.items())
    }


def _groups_of(row: dict) -> Iterator[str]:
    thinness = row["thinness"]
    yield "thin" if thinness < THIN else "slender" if thinness < SLENDER else "stout"
    decade = math.floor(math.log10(row["size"]))
    yield f"{10.0**decade:g} to {10.0 ** (decade + 1):g} long"
    if row.get("solids"):
        count = row["solids"]
        yield f"{count} solid" if count == 1 else "2 to 4 solids" if count < 5 else "5 solids or more"
        yield from row["operations"]
