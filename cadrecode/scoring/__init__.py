"""Judging programs: against the cloud they were made from (ranking) and against the true solid (scores).

Two kinds of number that must never be mixed: `rank` sees the input cloud alone and chooses; `score` sees the truth and
only reports. `deviation_of` sees the input cloud too, and tells a person how far the chosen part is from it.
"""

from cadrecode.scoring.candidate import MODEL, OUTSIDE, Candidate, build_program, build_text, source_words
from cadrecode.scoring.deviation import Deviation, deviation_of
from cadrecode.scoring.ranking import FITTED, ByDistance, Yardstick, fitted, improve, point_subsets, rank, unevenness
from cadrecode.scoring.report import bounding_boxes, part_report
from cadrecode.scoring.simple_numbers import SimpleNumbers
from cadrecode.scoring.target import Score, Target, chamfer, figures_of, score

__all__ = [
    "FITTED",
    "MODEL",
    "OUTSIDE",
    "ByDistance",
    "Candidate",
    "Deviation",
    "Score",
    "SimpleNumbers",
    "Target",
    "Yardstick",
    "bounding_boxes",
    "build_program",
    "build_text",
    "chamfer",
    "deviation_of",
    "figures_of",
    "fitted",
    "improve",
    "part_report",
    "point_subsets",
    "rank",
    "score",
    "source_words",
    "unevenness",
]
