"""Judging programs: against the cloud they were made from (ranking) and against the true solid (scores).

Two kinds of number that must never be mixed: `rank` sees the input cloud alone and chooses; `score` sees the truth and
only reports.
"""

from cadrecode.scoring.built import OUTSIDE, Built, build_text
from cadrecode.scoring.candidates import Judged, improve, point_subsets, rank
from cadrecode.scoring.target import Score, Target, chamfer, score

__all__ = [
    "OUTSIDE",
    "Built",
    "Judged",
    "Score",
    "Target",
    "build_text",
    "chamfer",
    "improve",
    "point_subsets",
    "rank",
    "score",
]
