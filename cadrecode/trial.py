"""Rebuilds shapes whose solid is known from a cloud or a closed mesh, and says how right each came out.

`evaluation` measures a model; this measures the whole way of `reconstruct` from the input to a program that OpenCASCADE
builds. From a cloud nothing is chosen by the true shape; from a mesh the true shape is the input.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cadrecode.cloud import Cloud
from cadrecode.config import ReconstructConfig
from cadrecode.errors import DatasetError, PointCloudError, ProgramError
from cadrecode.kernel import shared_sandbox
from cadrecode.kernel.outcome import Execution
from cadrecode.parallel import ALONE, Workers, in_order
from cadrecode.program.edit import rounded
from cadrecode.program.solid import through_holes
from cadrecode.reconstruction import Writer, checked, rebuild
from cadrecode.scans import CLEANED, POINTS, SWEEP, Scan
from cadrecode.scoring import Candidate, Target, build_program, build_text, figures_of
from cadrecode.scoring.targets import Shape, Skipped, load_targets, seed_of
from cadrecode.scoring.verdict import Verdict
from cadrecode.snapping import simple_origins, with_origins

log = logging.getLogger(__name__)

DEFAULTS = ReconstructConfig()
CHECK_SECONDS = 60.0  # for OpenCASCADE to build a program, on a busy machine too
DECIMALS = 3  # of the numbers of reported programs, CODE: a file's units have no finer ones

Input = Literal["cloud", "mesh"]
Source = Literal["both", "measured", "model"]


@dataclass(frozen=True)
class Trial:
    """How shapes are rebuilt.

    Targets come in their designers' axes, so nothing is aligned.

    Args:
        input: "cloud": points alone; "mesh": the closed solid.
        source: Where candidates come from.
        seconds: For a whole shape, from points to program.
        scan: How clouds are sampled.
        candidates: Programs drawn from the model.
        writer: The model; not needed where everything is measured.
    """

    input: Input = "cloud"
    source: Source = "both"
    seconds: float = 20.0
    scan: Scan = SWEEP[0]
    seed: int = 0
    candidates: int = DEFAULTS.candidates
    writer: Writer = field(default_factory=Writer)

    def run(
        self,
        targets: str | Path,
        *,
        limit: int | None = None,
        workers: Workers = ALONE,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> dict[str, Any]:
        """Rebuild every target.

        Args:
            targets: See `load_targets`.
            workers: Each has shapes of its own.
            on_progress: Called with (targets done, total), the total where it is known.
        Returns: A report that JSON can hold.
        Raises: DatasetError: No target can be scored.
        """
        rows: list[dict] = []
        skipped: list[dict] = []
        shapes = load_targets(targets, limit=limit, seed=self.seed)
        for tried in in_order(workers.map(functools.partial(_tried, self), shapes)):
            if isinstance(tried, Skipped):
                skipped.append({"id": tried.id, "reason": str(tried.reason)})
                continue
            rows.append(tried)
            if on_progress:
                on_progress(len(rows), limit)
        if not rows:
            raise DatasetError("No target of {targets} could be scored.", targets=str(targets))
        settings = {name: getattr(self, name) for name in ("input", "seconds", "seed", "candidates")}
        return {
            "targets": str(targets),
            "from": self.source,
            **settings,
            **asdict(self.scan),
            **summarise(rows),
            "skipped": skipped,
            "shapes": rows,
        }

    def sweep(
        self, targets: str | Path, *, limit: int | None = None, workers: Workers = ALONE
    ) -> Iterator[dict[str, Any]]:
        """The report of the same targets for each kind of scan in SWEEP, the clean one first.

        Raises: DatasetError: No target can be scored.
        """
        for scan in SWEEP:
            yield replace(self, input="cloud", scan=scan).run(targets, limit=limit, workers=workers)

    def row(self, shape: Shape) -> dict[str, Any]:
        """One shape, rebuilt and scored; with an IoU of 0 where the rebuild fails.

        Raises: ProgramError: The shape is not a closed solid.
        """
        own_seed = seed_of(shape.id, self.seed)
        cloud = self._cloud_of(shape, own_seed)
        cleaning = CLEANED.get(self.scan.flaw, "off")
        config = ReconstructConfig(
            source=self.source, candidates=self.candidates, seed=own_seed, align=False, clean=cleaning
        )
        started = time.monotonic()
        verdict, frame, best = str(Verdict.NONE), None, build_text("")
        try:
            rebuilt = rebuild(cloud, self.writer, config, whole_seconds=self.seconds)
            frame, seen = rebuilt.given.frame, checked(rebuilt.ranked, rebuilt.given.yardstick, _run)
            best = _with_few_decimals(seen.accepted or next(iter((*seen.refused, *seen.ranked)), best))
            verdict = str(rebuilt.given.assessor.assess(best.solid).verdict)
        except Exception:  # a fault of ours counts as a failure, and the other shapes still have their turn
            log.exception("The rebuild of %s failed", shape.id)
        seconds = time.monotonic() - started
        target = Target.of(shape.id, shape.vertices, shape.faces, frame=frame, seed=own_seed)
        figures = figures_of(best, target)
        return {
            "id": shape.id,
            **figures,
            "true_genus": through_holes(target.solid),
            "verdict": verdict,
            "source": best.source,
            "characters": len(figures["program"]),
            "numbers": best.number_count,
            "seconds": round(seconds, 3),
        }

    def _cloud_of(self, shape: Shape, seed: int) -> Cloud:
        """The cloud to rebuild: the shape itself, or points on it without their normals.

        Raises: ProgramError: The shape is not closed.
        """
        cloud = Cloud.of_mesh(shape.vertices, shape.faces, n_surface=POINTS, seed=seed)
        if cloud.solid is None:
            raise ProgramError("The mesh is not a closed solid ({status}).", status=cloud.used_as)
        if self.input == "mesh":
            return cloud
        return Cloud(self.scan.of(shape.vertices, shape.faces, seed), None, "part", "cloud")


def _tried(trial: Trial, shape: Shape | Skipped) -> dict[str, Any] | Skipped:
    """The row of a shape, or why it has none."""
    if isinstance(shape, Skipped):
        return shape
    try:
        return trial.row(shape)
    except (ProgramError, PointCloudError) as error:
        return Skipped(shape.id, str(error))


def _run(candidate: Candidate) -> Execution:
    """What OpenCASCADE says of a program as it is reported."""
    return shared_sandbox().run(_with_few_decimals(candidate).text, seconds=CHECK_SECONDS)


def _with_few_decimals(candidate: Candidate) -> Candidate:
    """The candidate with numbers of DECIMALS, where that leaves its bodies and holes as they are.

    Numbers that are simple in the file's units, and from its origin, are long in CODE.
    """
    if not candidate.ok or candidate.program is None:
        return candidate
    program = with_origins(candidate.program, simple_origins(candidate.program, DECIMALS))
    short = build_program(rounded(program, DECIMALS))
    if not short.is_like(candidate):
        return candidate
    return replace(candidate, text=short.text, program=short.program, solid=short.solid)


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
