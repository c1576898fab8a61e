"""What a person waits for in the app: python -m benchmarks.app

Opens the app in a process of its own, with a fresh folder of runs, and the system's Chromium, which is open already, as
a person's is. Prints when its page answers, when the first verdict is there, how long a slider takes, how fast the part
turns, what an idle page costs, whether ten pages that look at a training slow it, and how long Ctrl-C takes with pages
open.
`--one-core` ties the app to the last core. What ten browsers draw, they draw on other people's machines: for that row
training and app have one core, the browsers another.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, sync_playwright

from cadrecode.config import ReconstructConfig
from cadrecode.runs import Run
from tests.e2e.conftest import BROWSER_ARGUMENTS, App, find_browser, free_port
from tests.e2e.test_stories import SLIDE

TURN = """frames => new Promise(resolve => {
  const viewer = document.querySelector('.cr-viewer').viewer, took = [];
  let began;
  const frame = now => {
    began ??= now;
    if (took.length === frames)
      return resolve([1000 * frames / (now - began), took.sort((a, b) => a - b)[frames >> 1]]);
    const start = performance.now();
    viewer.turn(2 / 15, 0);
    cancelAnimationFrame(viewer.frame);
    viewer.paint();
    took.push(performance.now() - start);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""  # by 2 degrees a frame: frames a second, median milliseconds of the page's own script for one
READY = "#download-step:not([disabled])"
OTHER_PROGRAM = "before => document.querySelector('#program .cm-content').innerText !== before"
WAIT_MS = 600_000  # a crowded machine gets to the end, too; what it prints there is worth nothing
TRAINING_SECONDS = 600  # until a training's first steps, on a busy machine
IDLE_SECONDS, POLL_SECONDS, BROWSERS, TURNS = 20, 20, 10, 300


def share(app: App, seconds: float) -> float:
    """Per cent of one core that the app takes for so long."""
    before = app.cpu_seconds()
    time.sleep(seconds)
    return 100 * (app.cpu_seconds() - before) / seconds


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Raises: SystemExit: the page did not get there, in words."""
    try:
        yield
    except PlaywrightError as error:
        raise SystemExit(f"Gave up waiting for {what}: {error.message.splitlines()[0]}") from error


def rebuild(page: Page, sample: int) -> float:
    """Pick a sample, press Rebuild at once: seconds from the first click to the part."""
    with waiting_for(f"sample {sample}, rebuilt"):
        program = page.locator("#program .cm-content").inner_text()
        began = time.monotonic()
        page.locator("#samples button").nth(sample).click()
        page.wait_for_function(OTHER_PROGRAM, arg=program)
        empty = page.locator("#program .cm-content").inner_text()
        page.locator("#rebuild:not([disabled])").click()
        page.wait_for_function(OTHER_PROGRAM, arg=empty)
        page.locator("#numbers .cr-lead").wait_for()
        seconds = time.monotonic() - began
        page.locator(READY).wait_for()
    return seconds


def tell(what: str, value: float, unit: str, goal: str) -> None:
    print(f"| {what} | {value:.2f} {unit} | {goal} |", flush=True)


def first_look(app: App, browser, began: float) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(WAIT_MS)
    with waiting_for("a usable page"):
        page.goto(app.url)
        page.locator("#rebuild").wait_for()
        tell("... to a usable page", time.monotonic() - began, "s", "5 s")
        tell("... processor time of the app until then", app.cpu_seconds(), "s", "5 s")
        page.locator("#numbers .cr-within").wait_for()
        tell("... to the sample part on it", time.monotonic() - began, "s", "")
        page.locator("#samples button").nth(7).wait_for()
    return page


def slide(app: App, page: Page) -> None:
    seconds, cpu = [], []
    with waiting_for("the mesh to follow a slider"):
        page.goto(app.url)
        for value in (6, 7, 5, 8, 6.5, 9, 4):
            page.locator(READY).wait_for()
            time.sleep(0.5)
            before = app.cpu_seconds()
            seconds.append(page.evaluate(SLIDE, value))
            cpu.append(app.cpu_seconds() - before)
        page.locator(READY).wait_for()
    tell("a slider moves, the mesh is there, median of 7", statistics.median(seconds), "s", "0.2 s")
    tell("... processor time of the app for it, median of 7", statistics.median(cpu), "s", "0.1 s")


def turn(page: Page) -> None:
    """The view of the part with its scan. Chromium draws in software here, with both cores."""
    page.locator("#mode input[value=points]").check(force=True)
    frames, script = page.evaluate(TURN, TURNS)
    tell("turning the part, drawn by the processor", frames, "frames/s", "")
    tell("... the page's own part of a frame, median", script, "ms", "16.7 ms")


def steps_a_minute(run: Run) -> float:
    """How fast a run goes now."""
    before, began = run.status().get("step") or 0, time.monotonic()
    time.sleep(POLL_SECONDS)
    return 60 * ((run.status().get("step") or 0) - before) / (time.monotonic() - began)


def to_core(core: int, process: int) -> None:
    """All threads of a process, and with them what they start."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def watched(app: App, browser) -> None:
    """A training with one page open, then with ten that look at it every two seconds."""
    cores = os.sched_getaffinity(0)
    for process in psutil.Process().children(recursive=True):
        to_core(min(cores), process.pid)
    to_core(max(cores), app.process.pid)
    os.sched_setaffinity(0, {max(cores)})  # the training inherits it
    run = Run(app.runs_dir / "watched")
    command = [sys.executable, "train_cad_recode_lora.py", "--config", "configs/quickstart.yaml"]
    command += ["--model_save_path", str(run.folder), "--max_steps", "5000", "--do_eval", "false"]
    command += ["--load_best_model_at_end", "false", "--logging_steps", "1"]
    training = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + TRAINING_SECONDS
        while not (run.exists() and (run.status().get("step") or 0) > 2):
            if time.monotonic() > until or training.poll() is not None:
                raise SystemExit(f"Gave up waiting for a training's first steps: {run.status()}")
            time.sleep(1)
        tell("a training, one page open", steps_a_minute(run), "steps/min", "")
        with waiting_for(f"{BROWSERS} pages"):
            for _ in range(BROWSERS - 1):
                other = browser.new_context().new_page()
                other.set_default_timeout(WAIT_MS)
                other.goto(app.url)
                other.locator("#rebuild").wait_for()
        time.sleep(15)
        tell(f"the same training, {BROWSERS} pages look at it", steps_a_minute(run), "steps/min", "as above")
        tell(f"{BROWSERS} pages that look at a run", share(app, POLL_SECONDS), "% of a core", "")
    finally:
        training.kill()
        training.wait()


def measure(app: App, browser, began: float) -> None:
    page = first_look(app, browser, began)
    before = app.cpu_seconds()
    tell("first verdict on a sample cloud, from the first click", rebuild(page, 1), "s", "10 s")
    tell("... processor time of the app for it", app.cpu_seconds() - before, "s", "10 s")
    later = [rebuild(page, sample) for sample in (0, 3, 6)]
    settings = f"{ReconstructConfig().candidates} candidates, {ReconstructConfig().seconds:.0f} s of fit"
    tell(f"later ones, {settings}, median of 3", statistics.median(later), "s", "8 s")
    slide(app, page)
    turn(page)
    time.sleep(5)
    tell("an idle page", share(app, IDLE_SECONDS), "% of a core", "2 %")
    watched(app, browser)
    app.process.send_signal(signal.SIGINT)
    began = time.monotonic()
    app.process.wait(WAIT_MS / 1000)
    tell(f"Ctrl-C with {BROWSERS} pages open", time.monotonic() - began, "s", "3 s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one-core", action="store_true", help="tie the app to the last core")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        print("| what | measured | goal |\n|---|---|---|")
        tell("load of the machine before it began", os.getloadavg()[0], f"of {os.cpu_count()} cores", "0")
        app = App(Path(empty) / "runs", free_port())
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
            browser.new_page()
            began = time.monotonic()
            cores = os.sched_getaffinity(0)
            if given.one_core:
                os.sched_setaffinity(0, {max(cores)})  # the child inherits it
            try:
                app.start()
                os.sched_setaffinity(0, cores)
                tell("`python app.py` until it answers", time.monotonic() - began, "s", "")
                measure(app, browser, began)
            finally:
                app.stop()


if __name__ == "__main__":
    main()
