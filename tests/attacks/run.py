"""Try every attack and print what came of it: `python -m tests.attacks.run [--short] [--route NAME] [--seconds N]`."""

import argparse
import multiprocessing
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from tests.attacks.attack import Result, Route, attempt
from tests.attacks.corpus import ROUTES
from tests.attacks.guard import Outside

DETAIL = 800  # characters of a traceback that are printed: its end


def run(
    routes: list[Route], short: bool, seconds: float, report: Callable[[Result], None] = lambda result: None
) -> list[Result]:
    """Try the attacks of these routes, as many as fit into `seconds`; `report` is called with each result.

    Seconds in which a route opens its door, which starts processes, do not count.
    """
    left, results = seconds, []
    outside = Outside.stand()
    try:
        for route in routes:
            attacks = [attack for attack in route.attacks if attack.short or not short]
            with route.door() as send:
                began = time.monotonic()
                for attack in attacks:
                    if time.monotonic() > began + left:
                        break
                    results.append(attempt(route, attack, send, outside))
                    report(results[-1])
                left -= time.monotonic() - began
    finally:
        outside.leave()
    return results


def table(results: list[Result], planned: int) -> str:
    """By route: attacks tried, outcomes, escapes, median and 99th percentile of their seconds."""
    lines = [f"{'route':28} {'tried':>5} {'escapes':>7} {'median s':>9} {'p99 s':>7} {'MB':>5}  outcomes"]
    for name in [*dict.fromkeys(result.route for result in results), None]:
        chosen = [result for result in results if name in (None, result.route)]
        times = sorted(result.seconds for result in chosen) or [0.0]
        outcomes = ", ".join(f"{n} {what}" for what, n in Counter(result.outcome for result in chosen).most_common(6))
        lines.append(
            f"{name or 'all':28} {len(chosen):5} {sum(bool(result.escape) for result in chosen):7} "
            f"{statistics.median(times):9.3f} {times[int(0.99 * (len(times) - 1))]:7.2f} "
            f"{max((result.grown_mb for result in chosen), default=0):5.0f}  {outcomes if name else ''}"
        )
    if len(results) < planned:
        lines.append(f"{planned - len(results)} of {planned} attacks were not tried: the time was up.")
    return "\n".join(lines)


def say(result: Result, verbose: bool) -> None:
    """Print an escape, or each attack."""
    if result.escape or verbose:
        mark = f"ESCAPE {result.escape}" if result.escape else result.outcome
        print(f"{result.seconds:7.2f} s {result.grown_mb:6.0f} MB  {result.route} / {result.name}: {mark}", flush=True)
        if result.detail and result.escape:
            print(result.detail[-DETAIL:], flush=True)


def _run_route(index: int, short: bool, until: float, verbose: bool) -> list[Result]:
    """Try one of ROUTES, in a process of its own."""
    left = max(0.0, until - time.monotonic())
    return run([ROUTES[index]], short, left, lambda result: say(result, verbose))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few of each kind")
    parser.add_argument("--route", action="append", help="only routes whose name contains this")
    parser.add_argument("--seconds", type=float, default=600, help="begin no attack later than this")
    parser.add_argument("--verbose", action="store_true", help="print each attack")
    parser.add_argument("--processes", type=int, default=2, help="how many routes are tried at a time")
    options = parser.parse_args()
    chosen = [
        index
        for index, route in enumerate(ROUTES)
        if not options.route or any(part in route.name for part in options.route)
    ]
    began = time.monotonic()
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(options.processes, context) as pool:
        until = began + options.seconds
        longest = sorted(chosen, key=lambda index: -len(list(ROUTES[index].attacks)))
        tried = {i: pool.submit(_run_route, i, options.short, until, options.verbose) for i in longest}
        results = [result for index in chosen for result in tried[index].result()]
    planned = sum(attack.short or not options.short for index in chosen for attack in ROUTES[index].attacks)
    print(table(results, planned))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.monotonic() - began:.0f} s by the clock, {used.ru_utime + used.ru_stime:.0f} s of processor time")
    return 1 if any(result.escape for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
