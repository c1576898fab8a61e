"""How fast pairs of cloud and program are invented, on one core.

python -m benchmarks.pairs [--family general] [--count 500] [--n_points 1024]
"""

from __future__ import annotations

import argparse
import time

from cadrecode.data.stream import make_pairs


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--family", default="general")
    arguments.add_argument("--count", type=int, default=500)
    arguments.add_argument("--n_points", type=int, default=1024, help="samples of each surface")
    options = arguments.parse_args()
    make_pairs((0, 1), 10, family=options.family, n_points=options.n_points)  # the first calls load Manifold
    started = time.perf_counter()
    make_pairs((0, 2), options.count, family=options.family, n_points=options.n_points)
    seconds = time.perf_counter() - started
    print(f"{options.count} pairs of {options.n_points} samples: {options.count / seconds:.0f} pairs/s")


if __name__ == "__main__":
    main()
