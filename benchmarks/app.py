"""What a person waits for in the app: python -m benchmarks.app

Opens the app in a process of its own, with a fresh folder of runs, and the system's Chromium beside it. Prints when its
page answers, when the first mesh of a sample is there, what an idle page and ten pages that watch a run cost, how
long a slider takes, and how long Ctrl-C takes with pages open. `--one-core` ties the app to the last core.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.conftest import BROWSER_ARGUMENTS, App, find_browser, free_port
from tests.e2e.test_stories import SLIDE

READY = "#download-step:not([disabled])"
WAIT_MS = 120_000
IDLE_SECONDS, POLL_SECONDS, BROWSERS = 20, 20, 10


def cpu_seconds(app: App) -> float:
    """Processor time of the app so far, without its children."""
    user, system = Path(f"/proc/{app.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def share(app: App, seconds: float) -> float:
    """Per cent of one core that the app takes for so long."""
    before = cpu_seconds(app)
    time.sleep(seconds)
    return 100 * (cpu_seconds(app) - before) / seconds


def rebuild(page: Page, sample: int) -> float:
    """Pick a sample, press Rebuild at once: seconds from the first click to the part."""
    program = page.locator("#program .cm-content").inner_text()
    began = time.monotonic()
    page.locator("#samples button").nth(sample).click()
    page.wait_for_function("before => document.querySelector('#program .cm-content').innerText !== before", arg=program)
    page.locator("#rebuild").click()
    page.locator("#candidates button").first.wait_for()
    page.locator("#numbers .cr-lead").wait_for()
    return time.monotonic() - began


def tell(what: str, value: float, unit: str, goal: str) -> None:
    print(f"| {what} | {value:.2f} {unit} | {goal} |", flush=True)


def measure(app: App, browser, began: float) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(WAIT_MS)
    page.goto(app.url)
    page.locator("#rebuild").wait_for()
    tell("... to a usable page, a browser started meanwhile", time.monotonic() - began, "s", "6 s")
    page.locator("#numbers .cr-lead").wait_for()
    tell("... to the sample part on it", time.monotonic() - began, "s", "")
    page.locator("#samples button").nth(7).wait_for()
    tell("first mesh of a sample cloud, from the first click", rebuild(page, 1), "s", "12 s")
    page.locator(READY).wait_for()
    later = []
    for sample in (0, 3, 6):
        later.append(rebuild(page, sample))
        page.locator(READY).wait_for()
    tell("later ones, 8 candidates, 6 s of fit, median of 3", statistics.median(later), "s", "8 s")
    time.sleep(3)
    slid = []
    page.goto(app.url)
    page.locator(READY).wait_for()
    for value in (6, 7, 5, 8, 6.5, 9, 4):
        slid.append(page.evaluate(SLIDE, value))
        page.locator(READY).wait_for()
        time.sleep(0.5)
    tell("a slider moves, the mesh is there, median of 7", statistics.median(slid), "s", "0.2 s")
    time.sleep(5)
    tell("an idle page", share(app, IDLE_SECONDS), "% of a core", "2 %")
    for _ in range(BROWSERS - 1):
        other = browser.new_context().new_page()
        other.set_default_timeout(WAIT_MS)
        other.goto(app.url)
        other.locator("#rebuild").wait_for()
    time.sleep(15)
    tell(f"{BROWSERS} pages that poll", share(app, POLL_SECONDS), "% of a core", "")
    app.process.send_signal(signal.SIGINT)
    began = time.monotonic()
    app.process.wait(60)
    tell(f"Ctrl-C with {BROWSERS} pages open", time.monotonic() - began, "s", "3 s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one-core", action="store_true", help="tie the app to the last core")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        print("| what | measured | goal |\n|---|---|---|")
        began = time.monotonic()
        app = App(Path(empty) / "runs", free_port())
        cores = os.sched_getaffinity(0)
        if given.one_core:
            os.sched_setaffinity(0, {max(cores)})  # the child inherits it
        app.start()
        os.sched_setaffinity(0, cores)
        tell("`python app.py` until it answers", time.monotonic() - began, "s", "")
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
                measure(app, browser, began)
        finally:
            app.stop()


if __name__ == "__main__":
    main()
