"""A program as measuring returns it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cadrecode.errors import ProgramError
from cadrecode.measure.features import Feature, Rim, Turned, program_of
from cadrecode.measure.halving import halved
from cadrecode.measure.mirrors import MirrorPlane
from cadrecode.program.language import Program
from cadrecode.program.solid import build


@dataclass(frozen=True)
class Measured:
    """A program read off the input.

    Args:
        program: CODE.
        score: Higher is better: for a closed mesh the IoU less the price of the numbers and of holes that are wrong.
        source: How it was read: "sections" or "revolved", after "symmetric " where it was made equal on both sides.
    """

    program: Program
    score: float
    source: str

    @classmethod
    def of(
        cls,
        features: Sequence[Feature],
        score: float,
        plain: Sequence[Feature] = (),
        planes: Sequence[MirrorPlane] = (),
        *,
        evened: bool = False,
    ) -> Measured:
        """The features as a program; without its rims where there is no room for one of them once it is written, and as
        half of it with its image where that is shorter.

        Args:
            plain, planes: See `halved`.
            evened: Whether one of the planes has changed the features.
        """
        is_turned = any(isinstance(feature, Turned) for feature in features)
        program = program_of(features)
        try:
            build(program)
        except ProgramError:
            features, plain = [
                [feature for feature in own if not isinstance(feature, Rim)] for own in (features, plain)
            ]
            program = program_of(features)
        half = halved(features, plain, planes, program)
        source = "revolved" if is_turned else "sections"
        return cls(half or program, score, f"symmetric {source}" if half or evened else source)
