"""What is measured without a model, by kind of input, on shapes whose solid is known.

    python -m benchmarks.measured --targets NAME=FOLDER_OR_NPZ ... [--limit 20] [--seconds 20] [--noise 0.005]

Prints a row for each kind of input: a closed mesh, a clean cloud of 8,192 points, and one with noise.
"""

from __future__ import annotations

import argparse

from cadrecode.trial import Trial

HEAD = "targets           input    n   mean IoU   median   worst 5 %   holes right   characters   seconds   good match"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--targets", nargs="+", required=True, metavar="NAME=PLACE")
    arguments.add_argument(
        "--inputs", nargs="+", default=["mesh", "cloud", "noisy"], choices=("mesh", "cloud", "noisy")
    )
    arguments.add_argument("--limit", type=int, help="shapes of each, drawn with the seed")
    arguments.add_argument("--seconds", type=float, default=20.0, help="for each shape")
    arguments.add_argument("--noise", type=float, default=0.005, help="of the noisy cloud, of the longest side")
    arguments.add_argument("--seed", type=int, default=0)
    asked = arguments.parse_args()
    print(HEAD)
    for named in asked.targets:
        name, _, place = named.partition("=")
        for kind in asked.inputs:
            trial = Trial(
                input="mesh" if kind == "mesh" else "cloud",
                seconds=asked.seconds,
                noise=asked.noise if kind == "noisy" else 0.0,
                seed=asked.seed,
            )
            report = trial.run(place, limit=asked.limit)
            good = [row["iou"] >= 0.97 for row in report["shapes"] if row["verdict"] == "good_match"]
            print(
                f"{name:<16}{kind:>7}{report['n']:>5}{report['final_mean_iou']:>11.3f}{report['final_median_iou']:>9.3f}"
                f"{report['final_worst_iou']:>12.3f}{report['final_genus_right']:>14.1%}"
                f"{report['median_characters']:>13.0f}{report['median_seconds']:>10.1f}"
                f"   {len(good)}, {sum(good)} with IoU >= 0.97",
                flush=True,
            )


if __name__ == "__main__":
    main()
