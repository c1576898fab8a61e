"""What a perfect answer would score: python -m benchmarks.ceiling --programs FILE.jsonl.gz --targets MESHES.npz

Programs are of whole numbers and parts are not, so even the designer's own program, rounded, is not quite the part. Its
IoU with the true mesh is what a model that writes such programs can hope for; where a row has no program (the rounding
broke the shape, or the language cannot say it), nobody knows one, and the row counts with what `--otherwise` says.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cadrecode.refine.batch import read_programs
from cadrecode.scoring import Target, build_text, score
from cadrecode.scoring.targets import Shape, load_targets

AT_ONCE = (5, 25, 50, 75)  # percentiles


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--programs", type=Path, required=True, help='rows of {"id", "code"}, CODE frame')
    arguments.add_argument("--targets", required=True, help="what `cadrecode evaluate` takes, with the same ids")
    arguments.add_argument("--otherwise", type=float, default=1.0, help="IoU where there is no program [%(default)s]")
    options = arguments.parse_args()
    texts = {row.id: row.code for row in read_programs(options.programs)[0]}
    ious = {shape.id: own_iou(shape, texts.get(shape.id)) for shape in load_targets(options.targets)}
    known = np.array([iou for iou in ious.values() if iou is not None])
    everywhere = np.concatenate((known, np.full(len(ious) - len(known), options.otherwise)))
    print(
        "| the designers' own programs, rounded | shapes | mean IoU | " + " | ".join(f"{p} %" for p in AT_ONCE) + " |"
    )
    print("|---|---|---|" + "---|" * len(AT_ONCE))
    for name, values in (("where there is one", known), (f"all, others {options.otherwise:g}", everywhere)):
        cells = (f"{value:.3f}" for value in (values.mean(), *np.percentile(values, AT_ONCE)))
        print(f"| {name} | {len(values)} | {' | '.join(cells)} |")


def own_iou(shape: Shape, text: str | None) -> float | None:
    """Of a target and the program of its designer; None where there is no program."""
    if not text:
        return None
    built = build_text(text, None)
    return score(built, Target.of(shape.id, shape.vertices, shape.faces)).iou


if __name__ == "__main__":
    main()
