"""Where programs come from, by kind of input, on shapes whose solid is known: the model, measuring, or both.

    python -m benchmarks.measured --targets NAME=FOLDER_OR_NPZ ... [--from both measured model] [--limit 20]
        [--seconds 20] [--noise 0.005] [--processor-time] [--json FOLDER]

Prints a row for each source and kind of input: a closed mesh, a clean cloud of 8,192 points, and a cloud with noise.
With `--json` the reports are kept, for `benchmarks.verdicts reports`.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path

from cadrecode.engine import Engine
from cadrecode.export import write_json
from cadrecode.reconstruction import Writer
from cadrecode.trial import Trial, processor_time

HEAD = (
    "targets           input    from       n   mean IoU   median   worst 5 %   holes right   characters   seconds"
    "   good match"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", required=True, metavar="NAME=PLACE")
    parser.add_argument("--inputs", nargs="+", default=["mesh", "cloud", "noisy"], choices=("mesh", "cloud", "noisy"))
    sources = ("both", "measured", "model")
    parser.add_argument("--from", nargs="+", dest="sources", default=list(sources), choices=sources)
    parser.add_argument("--limit", type=int, help="shapes of each, drawn with the seed")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each shape")
    parser.add_argument("--noise", type=float, default=0.005, help="of the noisy cloud, of the longest side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processor-time", action="store_true", help="seconds of the processor, not of the clock")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="keep the reports here")
    options = parser.parse_args()
    engine = Engine("cpu")
    clock = processor_time() if options.processor_time else nullcontext()
    print(HEAD)
    with engine.ready() as (model, tokenizer), clock:
        for named in options.targets:
            name, _, place = named.partition("=")
            for kind in options.inputs:
                for source in options.sources:
                    trial = Trial(
                        input="mesh" if kind == "mesh" else "cloud",
                        source=source,
                        seconds=options.seconds,
                        noise=options.noise if kind == "noisy" else 0.0,
                        seed=options.seed,
                        writer=Writer(model, tokenizer),
                    )
                    report = trial.run(place, limit=options.limit)
                    if options.json:
                        write_json(options.json / f"{name}-{kind}-{source}.json", report)
                    _print(name, kind, report)


def _print(name: str, kind: str, report: dict) -> None:
    good = [row["iou"] >= 0.97 for row in report["shapes"] if row["verdict"] == "good_match"]
    print(
        f"{name:<16}{kind:>7}{report['from']:>10}{report['n']:>6}{report['final_mean_iou']:>11.3f}"
        f"{report['final_median_iou']:>9.3f}{report['final_worst_iou']:>12.3f}{report['final_genus_right']:>14.1%}"
        f"{report['median_characters']:>13.0f}{report['median_seconds']:>10.1f}"
        f"   {len(good)}, {sum(good)} with IoU >= 0.97",
        flush=True,
    )


if __name__ == "__main__":
    main()
