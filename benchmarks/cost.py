"""What an evaluation costs, by the number of its shapes: python -m benchmarks.cost --shapes 50 200 800

Runs `cadrecode evaluate` on held-out invented shapes with several candidates and a fit, in a process of its own for
each number, and prints a row for each: seconds by the clock, seconds of the processor in all and for a shape, and the
memory of the largest process. The seconds of the fit are the processor's, so that other work on the machine changes the
column of the clock alone; the last column is the clock's on a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=int, nargs="+", default=[50, 200, 800])
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--fit", type=float, default=5.0, help="seconds for each shape [%(default)s]")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print("| shapes | seconds | of the processor | for a shape | MB, largest process | minutes on idle processors |")
    print("|---|---|---|---|---|---|")
    for shapes in options.shapes:
        clock, processor, megabytes = cost(shapes, options.candidates, options.fit, options.workers)
        idle = processor / options.workers / 60
        print(
            f"| {shapes} | {clock:.0f} | {processor:.0f} | {processor / shapes:.2f} | {megabytes:.0f} | {idle:.1f} |",
            flush=True,
        )


def cost(shapes: int, candidates: int, fit: float, workers: int) -> tuple[float, float, float]:
    """Seconds by the clock, seconds of the processor, and MB of the largest process.

    Raises: subprocess.CalledProcessError: the evaluation failed; its output is printed.
    """
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log.txt").open("w+") as log:
        words = ["--targets", f"invent:general:{shapes}", "--candidates", str(candidates), "--fit", str(fit)]
        words += ["--processor-time", "--workers", str(workers), "--device", "cpu"]
        began = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-m", "cadrecode", "evaluate", *words],
            stdout=log,
            stderr=log,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        _, status, usage = os.wait4(child.pid, 0)  # with the workers, which it has waited for
        clock = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            log.seek(0)
            print(log.read(), file=sys.stderr)
            raise subprocess.CalledProcessError(child.returncode, child.args)
    return clock, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
