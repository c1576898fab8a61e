"""Many visitors at once: python -m benchmarks.load --clients 50 --seconds 600 --training --page

Opens the app in a process of its own on this machine and, from threads here, does what visitors do over HTTP: upload
clouds that are all called scan.xyz and differ, rebuild them, run programs. Every answer is compared with what that
visitor sent. Prints answers that are another visitor's (mixed), answers that never came (lost), how long the requests
took that began after the warm-up, and the memory of the app then and at the end. With --training, a training works
first alone and then beside the visitors, its steps are counted, and the share of the cores that each process has is
printed; with --page, a browser rebuilds a scan, too, and notes the places in the queue that the page shows. Exits with
1 where anything was mixed or lost.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil

from cadrecode.config import TrainConfig
from cadrecode.jobs import queue
from cadrecode.runs import Run
from tests.e2e.conftest import BROWSER_ARGUMENTS, App, find_browser, free_port

API = "/gradio_api"
POINTS = 600  # of the first visitor's cloud; each further visitor's has one more
REBUILDS = 0.2  # share of the calls of a visitor that rebuild a cloud
TOLERANCE_MM = 0.01
PATIENCE_SECONDS = 1200.0  # for one answer; a rebuild waits for those of all visitors before it
ALONE_SECONDS = 60.0  # for which the training works without visitors
FIRST_STEPS = 5  # of a training, which are slower
CHILDREN = {"the sandbox": "cadrecode.kernel.worker", "the engine": "multiprocessing.spawn", "the training": "train"}
TRAINING = TrainConfig(
    base_model_name="embedded", train_data_path="invent:brackets:200", max_steps=1_000_000, save_steps=1_000_000,
    per_device_train_batch_size=2, gradient_accumulation_steps=1, lora_r=4, lora_alpha=8, n_points=64,
    max_seq_length=600, num_workers=0, mixed_precision="no", report_to="none", warmup_steps=1, auto_merge_final=False,
)  # fmt: skip
WATCH = """() => { window.said = [];
  const look = () => document.querySelectorAll('[role=status]').forEach(e => {
    const said = e.innerText; if (said && window.said.at(-1) !== said) window.said.push(said); });
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true}); }"""


@dataclass
class Seen:
    """What happened to all visitors."""

    small_seconds: list[float] = field(default_factory=list)
    rebuild_seconds: list[float] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)  # in the queue, as the page shows them


class Visitor:
    """One visitor: a cloud and a program of its own, under the names that all visitors use."""

    def __init__(self, number: int, url: str, seen: Seen):
        self.number, self.seen = number, seen
        self.random = np.random.default_rng(number)
        self.size = np.array([40 + number, 20 + number / 2, 10 + number / 4])
        self.client = httpx.Client(base_url=url, timeout=PATIENCE_SECONDS)

    def live(self, warm: float, until: float) -> None:
        """Call the app until then, one call after the other; calls that begin before `warm` are not timed."""
        while time.monotonic() < until:
            rebuilds = self.random.random() < REBUILDS
            began = time.monotonic()
            try:
                wrong = self.rebuild() if rebuilds else self.run_program()
            except (httpx.HTTPError, ValueError, KeyError) as error:
                self.seen.lost.append(f"visitor {self.number}: {type(error).__name__}: {error}")
                continue
            if began > warm:
                (self.seen.rebuild_seconds if rebuilds else self.seen.small_seconds).append(time.monotonic() - began)
            if wrong:
                self.seen.mixed.append(f"visitor {self.number}: {wrong}")

    def rebuild(self) -> str:
        """Rebuild the cloud. Returns what is wrong with the answer; empty where nothing is."""
        points = self.random.uniform(-0.5, 0.5, (POINTS + self.number, 3))
        side = self.random.integers(0, 3, len(points))
        points[np.arange(len(points)), side] = np.sign(points[np.arange(len(points)), side]) / 2
        text = io.StringIO()
        np.savetxt(text, points * self.size, fmt="%.5f")
        uploaded = self.client.post(f"{API}/upload", files={"files": ("scan.xyz", text.getvalue().encode())})
        uploaded.raise_for_status()
        file = {"path": uploaded.json()[0], "meta": {"_type": "gradio.FileData"}}
        report, files = self._call("reconstruct", [file, "mm", 1, 0.7, 0, 0, False, False, "off"])
        [aligned] = [entry["path"] for entry in files if entry["path"].endswith("_aligned.ply")]
        ply = self.client.get(f"{API}/file={aligned}")
        ply.raise_for_status()
        header = ply.content[:400].decode("ascii", errors="replace")
        if f"element vertex {len(points)}\n" not in header.replace("\r", ""):
            return f"another cloud came back: {header.splitlines()[2:5]}"
        return "" if report["program"] else "no program"

    def run_program(self) -> str:
        """Run the program. Returns what is wrong with the answer; empty where nothing is."""
        x, y, z = self.size
        program = f"import cadquery as cq\nr=cq.Workplane('XY').box({x},{y},{z})"
        result, _ = self._call("run_program", [program, "mm"])
        if not result["ok"]:
            return f"the program failed: {result}"
        return "" if np.allclose(result["size"], self.size, atol=TOLERANCE_MM) else f"another part: {result['size']}"

    def _call(self, name: str, data: list) -> list:
        """Call a function of the API and wait for its answer. Raises: ValueError: it answers with an error."""
        request = self.client.post(f"{API}/call/{name}", json={"data": data})
        request.raise_for_status()
        event = ""
        with self.client.stream("GET", f"{API}/call/{name}/{request.json()['event_id']}") as answer:
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event == "complete":
                    return json.loads(line.removeprefix("data: "))
                elif line.startswith("data: ") and event == "error":
                    raise ValueError(line)
        raise ValueError("the answer ended early")


class Training:
    """A training in the app's own queue, whose steps are counted."""

    def __init__(self, runs_dir: Path):
        queue.watch = lambda runs_dir: None  # the app alone moves the queue
        self.run: Run = queue.start(TRAINING, runs_dir, "beside")
        self.since, self.step = 0.0, 0

    def begin(self) -> None:
        """Count from here on, once the training is at work. Raises: RuntimeError: it has ended."""
        while self._step() < FIRST_STEPS:
            if self.run.state.final:
                raise RuntimeError(f"the training ended: {self.run.status().get('error')}\n{self.run.log_tail()}")
            time.sleep(0.2)
        self.since, self.step = time.monotonic(), self._step()

    def steps_per_minute(self) -> float:
        """Since `begin`."""
        return 60 * (self._step() - self.step) / (time.monotonic() - self.since)

    def end(self) -> None:
        if not self.run.state.final:
            queue.kill(self.run)

    def _step(self) -> int:
        return self.run.status().get("step") or 0


def watch_page(url: str, scan: Path, places: list[int], until: float) -> None:
    """Rebuild a scan in a browser again and again, and note the places in the queue that the page shows."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
        page = browser.new_page()
        page.goto(url, timeout=PATIENCE_SECONDS * 1000)
        page.locator("#download-step:not([disabled])").wait_for(timeout=PATIENCE_SECONDS * 1000)
        page.locator("#cloud-file input[type=file]").set_input_files(scan)
        page.locator("#cloud-facts").get_by_text(scan.name).wait_for(timeout=PATIENCE_SECONDS * 1000)
        while time.monotonic() < until:
            page.evaluate(WATCH)
            page.locator("#rebuild").click(timeout=PATIENCE_SECONDS * 1000)
            page.get_by_text(re.compile(r"^Done in")).wait_for(timeout=PATIENCE_SECONDS * 1000)
            said = "\n".join(page.evaluate("() => window.said"))
            places += [int(place) for place in re.findall(r"(\d+) before it", said)]
        browser.close()


def memory_mb(app: App) -> float:
    """The memory of the app's own process, without the sandbox's."""
    return psutil.Process(app.process.pid).memory_info().rss / 2**20


def processor_seconds(app: App) -> dict[str, float]:
    """Of the visitors, the app and its children, each with those below it that have ended."""
    used = {"the visitors": time.process_time()}
    process = psutil.Process(app.process.pid)
    used["the app"] = sum(process.cpu_times()[:2])
    for child in process.children():
        words = child.cmdline()
        name = next((name for name, word in CHILDREN.items() if any(word in part for part in words)), "others")
        used[name] = used.get(name, 0.0) + sum(child.cpu_times()[:4])
    return used


def visit(app: App, given: argparse.Namespace, seen: Seen, training: Training | None) -> tuple[float, float, float]:
    """Let all visitors live, and print whose the cores were.

    Returns: MB of the app warm and at the end, and steps per minute of the training.
    """
    warm_seconds = min(given.warm_seconds, given.seconds / 2)
    warm, until = time.monotonic() + warm_seconds, time.monotonic() + given.seconds
    visitors = [Visitor(number, app.url, seen) for number in range(given.clients)]
    threads = [threading.Thread(target=visitor.live, args=(warm, until)) for visitor in visitors]
    if given.page:
        scan = app.runs_dir.parent / "page.xyz"
        points = visitors[0].random.uniform(-0.5, 0.5, (POINTS, 3))
        points[:, 2] = np.sign(points[:, 2]) / 2
        np.savetxt(scan, points * visitors[0].size, fmt="%.5f")
        threads.append(threading.Thread(target=watch_page, args=(app.url, scan, seen.places, until)))
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, warm - time.monotonic()))
    warm_mb = memory_mb(app)
    if training:
        training.begin()
    before, since = processor_seconds(app), time.monotonic()
    time.sleep(max(0.0, until - time.monotonic()))
    passed = time.monotonic() - since
    shares = {name: (used - before.get(name, 0.0)) / passed for name, used in processor_seconds(app).items()}
    print("cores:", *(f"{name} {share:.2f}" for name, share in shares.items()), sep="  ")
    beside = training.steps_per_minute() if training else 0.0
    for thread in threads:
        thread.join()
    return warm_mb, memory_mb(app), beside


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600, help="for which visitors begin new calls")
    parser.add_argument("--warm_seconds", type=float, default=60, help="before the memory is measured first")
    parser.add_argument("--training", action="store_true", help="with a training beside the visitors")
    parser.add_argument("--page", action="store_true", help="with a page in a browser that rebuilds, too")
    given = parser.parse_args()
    seen, training, alone = Seen(), None, 0.0
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as at_the_end:
        runs = Path(folder) / "app" / "runs"
        runs.mkdir(parents=True)
        app = App(runs, free_port()).start()
        at_the_end.callback(app.stop)
        if given.training:
            training = Training(runs)
            at_the_end.callback(training.end)
            training.begin()
            time.sleep(ALONE_SECONDS)
            alone = training.steps_per_minute()
        warm_mb, end_mb, beside = visit(app, given, seen, training)
    print(f"{given.clients} visitors, {given.seconds:g} s, {os.cpu_count()} cores")
    for name, seconds in (("programs", seen.small_seconds), ("rebuilds", seen.rebuild_seconds)):
        if len(seconds) > 1:
            p95 = statistics.quantiles(seconds, n=20)[-1]
            print(f"{name}: {len(seconds)}, p50 {statistics.median(seconds):.2f} s, p95 {p95:.2f} s")
    print(
        f"memory of the app: {warm_mb:.0f} MB warm, {end_mb:.0f} MB at the end ({100 * (end_mb / warm_mb - 1):+.1f} %)"
    )
    if given.training:
        print(f"training: {alone:.1f} steps a minute alone, {beside:.1f} beside visitors ({beside / alone:.0%})")
    if given.page:
        print(f"places in the queue that the page showed: {sorted(set(seen.places), reverse=True)}")
    print(f"mixed: {len(seen.mixed)}, lost: {len(seen.lost)}")
    print(*(seen.mixed + seen.lost)[:20], sep="\n")
    return 1 if seen.mixed or seen.lost else 0


if __name__ == "__main__":
    sys.exit(main())
