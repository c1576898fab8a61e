"""Rebuilds shapes whose solid is known by measuring, by the model, or by both, and says how right each came out.

`evaluation` measures a model; this measures the whole way from a cloud or a closed mesh to a program. From a cloud
nothing is chosen by the true shape; from a mesh the true shape is the input.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cadrecode.cloud import normalise, sample_surface
from cadrecode.config import ReconstructConfig
from cadrecode.errors import DatasetError, PointCloudError, ProgramError
from cadrecode.fit import fit, ruler_for
from cadrecode.frames import CODE_PER_MODEL, Frame
from cadrecode.measure import Measured, from_cloud, from_mesh
from cadrecode.measure.judge import HOLE_PRICE, PRICE
from cadrecode.program import Program, iou, write
from cadrecode.program.edit import parameters
from cadrecode.program.solid import through_holes
from cadrecode.scoring import FITTED, Candidate, Target, build_program, build_text, improve, point_subsets, rank, score
from cadrecode.scoring.targets import Shape, Skipped, load_targets, seed_of
from cadrecode.scoring.verdict import Verdict, verdict_of, verdict_on

CLOUD_POINTS = 8192  # sampled on each target's surface
MEASURING_SHARE = 0.6  # of the seconds for a cloud; what is left is for the fit
DRAWN = ReconstructConfig()

Input = Literal["cloud", "mesh"]
Source = Literal["measured", "model", "both"]


@dataclass(frozen=True)
class Trial:
    """How shapes are rebuilt.

    Args:
        input: "cloud": points alone; "mesh": the closed solid.
        source: Where candidates come from.
        seconds: For a whole shape, from points to program.
        noise: Standard deviation of the points of a cloud, of the longest side.
        candidates: Programs drawn from the model.
        model, tokenizer: Of `model.load.load_model`; not needed where all is measured.
        generate: In place of `model.decode.generate`.
    """

    input: Input = "cloud"
    source: Source = "measured"
    seconds: float = 20.0
    noise: float = 0.0
    seed: int = 0
    candidates: int = DRAWN.candidates
    model: Any = None
    tokenizer: Any = None
    generate: Callable[..., list[str]] | None = None

    def run(
        self,
        targets: str | Path,
        *,
        limit: int | None = None,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> dict[str, Any]:
        """Rebuild every target.

        Args:
            targets: See `load_targets`.
            on_progress: Called with (targets done, total), the total where it is known.
        Returns: A report that JSON can hold.
        Raises: DatasetError: No target can be scored.
        """
        rows: list[dict] = []
        skipped: list[dict] = []
        for shape in load_targets(targets, limit=limit, seed=self.seed):
            try:
                if isinstance(shape, Skipped):
                    skipped.append({"id": shape.id, "reason": str(shape.reason)})
                    continue
                rows.append(self.row(shape))
            except (ProgramError, PointCloudError) as error:
                skipped.append({"id": shape.id, "reason": str(error)})
            if on_progress:
                on_progress(len(rows), limit)
        if not rows:
            raise DatasetError("No target of {targets} could be scored.", targets=str(targets))
        asked = {name: getattr(self, name) for name in ("input", "seconds", "noise", "seed", "candidates")}
        return {
            "targets": str(targets),
            "from": self.source,
            **asked,
            **summarise(rows),
            "skipped": skipped,
            "shapes": rows,
        }

    def row(self, shape: Shape) -> dict[str, Any]:
        """One shape, rebuilt and scored. Raises: ProgramError: it is not a closed solid."""
        rebuild = self._from_mesh if self.input == "mesh" else self._from_cloud
        target, best, verdict, seconds = rebuild(shape)
        scored = score(best, target)
        program = best.text if best.program is None else write(best.program)
        return {
            "id": shape.id,
            "outcome": str(scored.outcome),
            "iou": round(scored.iou, 6),
            "cd": None if scored.cd is None else round(scored.cd, 5),
            "genus": through_holes(best.solid) if best.ok else None,
            "true_genus": through_holes(target.solid),
            "verdict": str(verdict),
            "source": best.source,
            "characters": len(program),
            "numbers": 0 if best.program is None else len(parameters(best.program)),
            "program": program,
            "seconds": round(seconds, 3),
        }

    def _from_cloud(self, shape: Shape) -> tuple[Target, Candidate, Verdict, float]:
        own_seed = seed_of(shape.id, self.seed)
        points, _ = sample_surface(shape.vertices, shape.faces, CLOUD_POINTS, own_seed)
        if self.noise > 0:
            spread = self.noise * float(np.ptp(points, axis=0).max())
            points = points + np.random.default_rng(own_seed).normal(0, spread, points.shape)
        points_model, frame = normalise(points)
        target = Target.of(shape.id, shape.vertices, shape.faces, frame=frame, seed=own_seed)

        started = time.monotonic()
        ruler = ruler_for(points_model * CODE_PER_MODEL)
        pool: list[Candidate] = []
        if self.source != "model":
            pool += _built(from_cloud(ruler, seconds=MEASURING_SHARE * self.seconds))
        if self.source != "measured":
            pool += self._drawn(points_model, own_seed)

        def moved(program: Program, share: float) -> Program:
            return fit(program, ruler, seconds=share, seed=self.seed).program

        left = started + self.seconds - time.monotonic()
        ranked = improve(rank(pool, ruler), ruler, moved, seconds=left, count=FITTED)
        best = ranked[0] if ranked else build_text("")
        return target, best, verdict_of(best, ruler), time.monotonic() - started

    def _from_mesh(self, shape: Shape) -> tuple[Target, Candidate, Verdict, float]:
        own_seed = seed_of(shape.id, self.seed)
        frame = Frame.of(shape.vertices)
        target = Target.of(shape.id, shape.vertices, shape.faces, frame=frame, seed=own_seed)
        started = time.monotonic()
        pool: list[Candidate] = []
        if self.source != "model":
            pool += _built(from_mesh(frame.to_code(shape.vertices), shape.faces, seconds=self.seconds))
        if self.source != "measured":
            points, _ = sample_surface(shape.vertices, shape.faces, CLOUD_POINTS, own_seed)
            pool += self._drawn(frame.to_model(points), own_seed)
        best = max(pool, key=lambda candidate: _worth(candidate, target), default=build_text(""))
        likeness = iou(best.solid, target.solid) if best.ok else 0.0
        return target, best, verdict_on(likeness), time.monotonic() - started

    def _drawn(self, points_model: np.ndarray, seed: int) -> list[Candidate]:
        """The model's candidates for a cloud."""
        generate = self.generate
        if generate is None:
            from cadrecode.model.decode import generate  # torch is imported only when a model is used

        views = point_subsets(points_model, self.candidates, self.model.point_settings.n_points, seed)
        warm = [DRAWN.temperature] * (self.candidates - 1)
        texts = generate(self.model, self.tokenizer, views, temperature=[0.0, *warm], seed=seed, stop=lambda: False)
        return [build_text(text) for text in texts]


def _built(measured: Sequence[Measured]) -> list[Candidate]:
    return [build_program(reading.program, source=reading.source) for reading in measured]


def _worth(candidate: Candidate, target: Target) -> float:
    """Of a candidate for a closed solid: its IoU less the price of its numbers and of wrong holes."""
    if not candidate.ok:
        return -np.inf
    numbers = 0 if candidate.program is None else len(parameters(candidate.program))
    wrong_holes = abs(through_holes(candidate.solid) - through_holes(target.solid))
    return iou(candidate.solid, target.solid) - PRICE * numbers - HOLE_PRICE * wrong_holes


def summarise(rows: Sequence[dict]) -> dict[str, Any]:
    """The figures over all rows; a failure has an IoU of 0."""
    ious = np.array([row["iou"] for row in rows])
    figures = {
        "final_mean_iou": ious.mean(),
        "final_median_iou": np.median(ious),
        "final_worst_iou": np.quantile(ious, 0.05),
        "final_invalid_ratio": np.mean([row["cd"] is None for row in rows]),
        "final_genus_right": np.mean([row["genus"] == row["true_genus"] for row in rows]),
        "median_characters": np.median([row["characters"] for row in rows]),
        "median_seconds": np.median([row["seconds"] for row in rows]),
    }
    counted = {kind: dict(Counter(row[kind] for row in rows)) for kind in ("verdict", "source")}
    return {"n": len(rows)} | {key: round(float(value), 6) for key, value in figures.items()} | counted
