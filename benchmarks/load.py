"""Many visitors at once: python -m benchmarks.load --clients 50 --seconds 600

Opens the app in a process of its own on this machine and, from threads here, does what visitors do over HTTP: upload
clouds that are all called scan.xyz and differ, rebuild them, run programs. Every answer is compared with what that
visitor sent. Prints answers that are another visitor's (mixed), answers that never came (lost), how long the requests
took that began after the warm-up, and the memory of the app then and at the end. Exits with 1 where anything was mixed
or lost.
"""

from __future__ import annotations

import argparse
import io
import json
import os
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

from tests.e2e.conftest import App, free_port

API = "/gradio_api"
POINTS = 600  # of the first visitor's cloud; each further visitor's has one more
REBUILDS = 0.2  # share of the calls of a visitor that rebuild a cloud
TOLERANCE_MM = 0.01
PATIENCE_SECONDS = 1200.0  # for one answer; a rebuild waits for those of all visitors before it


@dataclass
class Seen:
    """What happened to all visitors."""

    small_seconds: list[float] = field(default_factory=list)
    rebuild_seconds: list[float] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


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


def memory_mb(app: App) -> float:
    """The memory of the app's own process, without the sandbox's."""
    return psutil.Process(app.process.pid).memory_info().rss / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600, help="for which visitors begin new calls")
    parser.add_argument("--warm_seconds", type=float, default=60, help="before the memory is measured first")
    given = parser.parse_args()
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "app" / "runs"
        runs.parent.mkdir()
        app = App(runs, free_port()).start()
        try:
            warm_seconds = min(given.warm_seconds, given.seconds / 2)
            warm, until = time.monotonic() + warm_seconds, time.monotonic() + given.seconds
            visitors = [Visitor(number, app.url, seen) for number in range(given.clients)]
            threads = [threading.Thread(target=visitor.live, args=(warm, until)) for visitor in visitors]
            for thread in threads:
                thread.start()
            time.sleep(warm_seconds)
            warm_mb = memory_mb(app)
            for thread in threads:
                thread.join()
            end_mb = memory_mb(app)
        finally:
            app.stop()
    print(f"{given.clients} visitors, {given.seconds:g} s, {os.cpu_count()} cores")
    for name, seconds in (("programs", seen.small_seconds), ("rebuilds", seen.rebuild_seconds)):
        if len(seconds) > 1:
            p95 = statistics.quantiles(seconds, n=20)[-1]
            print(f"{name}: {len(seconds)}, p50 {statistics.median(seconds):.2f} s, p95 {p95:.2f} s")
    print(
        f"memory of the app: {warm_mb:.0f} MB warm, {end_mb:.0f} MB at the end ({100 * (end_mb / warm_mb - 1):+.1f} %)"
    )
    print(f"mixed: {len(seen.mixed)}, lost: {len(seen.lost)}")
    print(*(seen.mixed + seen.lost)[:20], sep="\n")
    return 1 if seen.mixed or seen.lost else 0


if __name__ == "__main__":
    sys.exit(main())
