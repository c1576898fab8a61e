"""The result of a rebuild: parts in the file's units and place, and what a report says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cadrecode.cloud import Cloud
from cadrecode.cloud.align import Alignment
from cadrecode.cloud.clean import Cleaned, clean
from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError, Message
from cadrecode.export import Exported
from cadrecode.figures import length
from cadrecode.frames import TINY_MM, Frame
from cadrecode.part import Part
from cadrecode.program import write
from cadrecode.program.edit import to_raw
from cadrecode.program.layout import laid_out
from cadrecode.reconstruction.given import Given
from cadrecode.scoring import Candidate, deviation_of, source_words
from cadrecode.scoring.deviation import QUICK_POINTS
from cadrecode.scoring.verdict import Verdict

WORTH_CLEANING = 0.005  # of the points: a clean cloud loses hardly any


@dataclass(frozen=True)
class Reconstruction:
    """The result of a rebuild.

    Args:
        parts: The valid candidates in the file's units and place, best first.
        failed: The other candidates, CODE.
        passed_over: Better than the best, but OpenCASCADE could not build them (needs a sandbox).
        given: The scan as it was rebuilt.
        stopped: The person stopped it; candidates that were not reached are absent.
        model: What writes programs, in words.
        model_used: Whether it wrote any of the candidates.
        warnings: What was guessed or went wrong on the way; see `remarks`.
    """

    parts: tuple[Part, ...]
    failed: tuple[Candidate, ...]
    passed_over: tuple[Candidate, ...]
    given: Given
    config: ReconstructConfig
    stopped: bool = False
    seconds: float = 0.0
    model: str = ""
    model_used: bool = True
    warnings: tuple[Message, ...] = ()

    @property
    def cloud(self) -> Cloud:
        """RAW, without what was cleaned away."""
        return self.given.cloud

    @property
    def frame(self) -> Frame:
        """Between the file (RAW) and the candidates (CODE)."""
        return self.given.frame

    @property
    def alignment(self) -> Alignment:
        """How the part was turned in the file; the candidates stand upright."""
        return self.given.alignment

    @property
    def cleaned(self) -> Cleaned | None:
        """The points that were taken out of the cloud; None where cleaning was off."""
        return self.given.cleaned

    @property
    def remarks(self) -> tuple[Message, ...]:
        """What a person should know of the way to the parts: what was guessed, went wrong or was passed over."""
        stopped = [Message("It was stopped early: not all candidates were drawn.")] if self.stopped else []
        template = Message("Candidate {number} is nearer, but was passed over. {why}")
        passed_over = [Message(template, number=each.index, why=each.detail) for each in self.passed_over]
        return (*self.warnings, *stopped, *passed_over)

    @property
    def best(self) -> Part | None:
        """The first valid part; None where there is none."""
        return self.parts[0] if self.parts else None

    @cached_property
    def advice(self) -> tuple[Message, ...]:
        """Settings to try where the best part is no good match, or where the file's numbers look like metres."""
        longest, advice = float(np.ptp(self.cloud.points, axis=0).max()), []
        if self.config.unit == "mm" and longest < TINY_MM:
            advice.append(
                Message("The longest side is {x}. Is the file in metres? Set the unit to m.", x=length(longest, "mm"))
            )
        is_good = self.best is not None and self.best.assessment.verdict == Verdict.GOOD
        if self.config.clean == "off" and not is_good:
            cleaned = clean(self.cloud, seed=self.config.seed)
            share = 1 - cleaned.remaining.mean()
            if share >= WORTH_CLEANING:
                advice.append(
                    Message(
                        "{share:.0%} of the points do not look like the part: cleaning {what}. Set clean to all.",
                        share=share,
                        what=str(cleaned),
                    )
                )
        return tuple(advice)

    def require_best(self) -> Part:
        """The first valid part. Raises: CadrecodeError: there is none."""
        if not self.parts:
            raise CadrecodeError(
                "None of the {count} candidates is a valid solid. "
                "Try more candidates, another seed or a higher temperature.",
                count=len(self.failed),
            )
        return self.parts[0]


def raw_text(candidate: Candidate, frame: Frame, *, names: bool = False) -> str:
    """The program in the file's units and place. Text outside of the language gets its finished part placed instead.

    Args:
        names: See `write`.
    """
    if candidate.program is not None:
        return laid_out(write(to_raw(candidate.program, frame), names=names))
    scale = f"{frame.raw_per_code:.8g}"
    place = ",".join(f"{value:.8g}" for value in frame.center)
    turn = ""
    if frame.rotation is not None:
        axis, degrees = frame.turn()
        turn = f".rotate((0,0,0),({','.join(f'{value:.9g}' for value in axis)}),{degrees:.9g})"
    placed = f"r=cq.Workplane(r.combine().val().scale({scale}){turn}.translate(({place})))"
    return laid_out(f"{candidate.text.rstrip()}\n{placed}\n")


def parts_of(
    result: Reconstruction, ranked: Sequence[Candidate], name: str, exports: dict[str, Exported]
) -> tuple[Part, ...]:
    """The valid candidates in the file's units and place; the deviation of the first at all points of the cloud."""
    frame, cloud, names = result.frame, result.cloud, result.config.names
    parts: list[Part] = []
    about = _about(result, ranked)
    for candidate in ranked:
        if not candidate.ok:
            continue
        vertices, faces = candidate.mesh
        vertices, before = frame.code_to_raw(vertices), candidate.as_written
        text = raw_text(candidate, frame, names=names)
        quick = {"most": QUICK_POINTS} if parts else {}
        parts.append(
            Part(
                text,
                vertices,
                faces,
                name,
                result.config.unit,
                cloud,
                frame,
                deviation_of(cloud.points, vertices, faces, seed=result.config.seed, **quick),
                candidate.distance * frame.raw_per_code,
                None if before is None else before.distance * frame.raw_per_code,
                candidate.index,
                candidate.source,
                about,
                exports.get(text),
                assessor=result.given.assessor,
                snapped=candidate.snapped,
            )
        )
    return tuple(parts)


def _about(result: Reconstruction, ranked: Sequence[Candidate]) -> dict[str, Any]:
    """The facts about the rebuild for the report of every part; see the README."""
    return {
        "model": result.model,
        "model_used": result.model_used,
        "options": result.config.model_dump(),
        "input": result.cloud.used_as,
        "alignment": str(result.alignment),
        "best": next((candidate.index for candidate in ranked if candidate.ok), None),
        "candidates": [_listed(candidate, result.frame, result.config.names) for candidate in ranked],
        "seconds": round(result.seconds, 2),
        "warnings": [*result.cloud.warnings, *result.remarks],
    }


def _listed(candidate: Candidate, frame: Frame, names: bool) -> dict[str, Any]:
    """A candidate in a report. Lengths are in the file's units."""
    entry = {
        "index": candidate.index,
        "source": candidate.source,
        "source_text": source_words(candidate.source),
        "outcome": str(candidate.outcome),
        "detail": candidate.detail,
    }
    if candidate.distance is None:
        return entry | {"program": candidate.text if candidate.program is None else write(candidate.program)}
    before, scale = candidate.as_written, frame.raw_per_code
    entry |= {"distance": candidate.distance * scale, "distance_before": before and before.distance * scale}
    if candidate.likeness is not None:
        entry["iou"] = candidate.likeness
    if candidate.ok:
        bodies, cavities = candidate.shells
        entry |= {"bodies": bodies, "cavities": cavities}
    numbers = None if candidate.program is None else candidate.number_count
    return entry | {"numbers": numbers, "program": raw_text(candidate, frame, names=names)}
