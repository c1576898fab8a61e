"""Judging programs: against the cloud they were made from (ranking) and against the true solid (scores).

Two kinds of number that must never be mixed: `rank` sees the input cloud alone and chooses; `score` sees the truth and
only reports.
"""

from cadrecode.scoring.built import OUTSIDE, Built, build_text
from cadrecode.scoring.candidates import Judged, point_subsets, rank
from cadrecode.scoring.distance import CloudRuler, cloud_distance, point_to_surface
from cadrecode.scoring.target import Score, Target, chamfer, score

__all__ = [
    "OUTSIDE",
    "Built",
    "CloudRuler",
    "Judged",
    "Score",
    "Target",
    "build_text",
    "chamfer",
    "cloud_distance",
    "point_subsets",
    "point_to_surface",
    "rank",
    "score",
]
