"""Processes that die at any moment: python -m benchmarks.faults --seconds 600

Opens the app with a folder of runs in which a training and a merge always wait or work, and again and again does harm
at a random moment: SIGKILL to the app, to the sandbox's worker, to the engine, to a training, to a merge; SIGSTOP to
the worker; a second app on the same folder, killed as well; a damaged status file. After each, it checks that every run
is still listed and says in words how it ended, that checkpoints, adapters and merged models that are offered are whole,
that no process is left behind, and that the app runs a program and, where no training is at work, rebuilds a cloud. The
kind of harm that was done least often comes first, if it finds something to harm; otherwise it is not counted. Faults
are added to those in --log, so that many can be done in several runs. Prints faults and problems of the whole log;
exits with 1 where there are problems.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import psutil
from safetensors import safe_open

from benchmarks.load import Seen, Visitor
from cadrecode.adapters import discover_adapters
from cadrecode.config import TrainConfig
from cadrecode.jobs import merging, queue
from cadrecode.runs import Kind, Run, State, checkpoint_problems
from tests.e2e.conftest import REPOSITORY, App, free_port

PATIENCE_SECONDS = 180.0  # for a state that comes after a fault, on a busy machine
MOST_WAIT_SECONDS = 8.0  # before the next fault
GOAL = 200
TERMINAL = 1500  # characters of what the app wrote, in a problem
CHILDREN = WORKER, ENGINE = "cadrecode.kernel.worker", "multiprocessing.spawn"  # in the command lines of the app's own
TRAINING = TrainConfig(
    base_model_name="embedded", train_data_path="invent:brackets:40", max_steps=8, save_steps=2, save_total_limit=2,
    per_device_train_batch_size=2, gradient_accumulation_steps=1, lora_r=4, lora_alpha=8, n_points=64,
    max_seq_length=600, num_workers=0, mixed_precision="no", report_to="none", warmup_steps=1,
)  # fmt: skip


class Bench:
    """The app, its runs folder, and what was queued in it."""

    def __init__(self, folder: Path, seed: int):
        self.runs_dir = folder / "app" / "runs"
        self.runs_dir.mkdir(parents=True)
        self.random = random.Random(seed)
        self.app = App(self.runs_dir, free_port()).start()
        self.queued: set[str] = set()
        self.problems: list[str] = []  # of the last fault

    def feed(self) -> None:
        """See to it that a training waits or works, that ended ones go on, and that an adapter is merged."""
        runs = queue.list_runs(self.runs_dir)
        if all(run.state.final for run in runs):
            ended = [run for run in runs if run.state.unfinished and not queue.why_not_resumable(run)]
            run = queue.resume(ended[0]) if ended else queue.start(TRAINING, self.runs_dir, f"run{len(self.queued)}")
            self.queued.add(run.name)
        for adapter in discover_adapters(self.runs_dir):
            last = merging.latest(adapter.name, self.runs_dir)
            if Run(adapter.folder).state == State.DONE and (last is None or last.state.final):
                merging.start(adapter, self.runs_dir)
                break

    def check(self, fault: str) -> None:
        """Note what is wrong after a fault."""
        listed = {run.name for run in queue.list_runs(self.runs_dir)}
        self._expect(self.queued <= listed, fault, f"lost runs: {self.queued - listed}")
        for kind in Kind:
            for run in queue.list_runs(self.runs_dir, kind):
                status = run.status()
                silent = status["state"] in (State.FAILED, State.DAMAGED) and not status.get("error")
                self._expect(not silent, fault, f"{run.name} failed without a word")
                for checkpoint in run.checkpoints():
                    self._expect(not checkpoint_problems(checkpoint), fault, f"{checkpoint} is offered and not whole")
        for adapter in discover_adapters(self.runs_dir):
            weights = [adapter.folder / "adapter_model.safetensors"]
            weights += adapter.merged.glob("*.safetensors") if adapter.merged else ()
            for path in weights if Run(adapter.folder).state.final else ():
                try:
                    with safe_open(path, framework="numpy") as tensors:
                        list(tensors.keys())
                except Exception as error:  # whatever it is, it goes into the report
                    self._expect(False, fault, f"{path} is offered and not whole: {error}")
        visitor = Visitor(7, self.app.url, Seen())
        try:
            self._expect(not (wrong := visitor.run_program()), fault, wrong)
            if not self._at_work(Kind.TRAINING):  # beside one, a rebuild may wait for a minute
                self._expect(not (wrong := visitor.rebuild()), fault, wrong)
        except (httpx.HTTPError, ValueError) as error:
            self._expect(False, fault, f"the app does not answer: {error}; it wrote: {self.app.terminal()[-TERMINAL:]}")
        self._expect(self._until(lambda: not self._orphans()), fault, f"left behind: {self._orphans()}")

    def _expect(self, right: bool, fault: str, problem: str) -> None:
        if not right:
            self.problems.append(f"after {fault}: {problem}")

    def _orphans(self) -> list[psutil.Process]:
        """Sandbox workers and engines of this checkout whose app is gone."""
        orphans = []
        for process in psutil.process_iter(["cmdline", "ppid", "environ", "cwd"]):
            words = " ".join(process.info["cmdline"] or ())
            place = f"{process.info['cwd']} {(process.info['environ'] or {}).get('PYTHONPATH')}"
            if process.info["ppid"] == 1 and any(name in words for name in CHILDREN) and str(REPOSITORY) in place:
                orphans.append(process)
        return orphans

    def _until(self, condition: Callable[[], bool]) -> bool:
        """Wait for a state. Returns whether it came."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _at_work(self, *kinds: Kind) -> list[Run]:
        runs = [run for kind in kinds for run in queue.list_runs(self.runs_dir, kind)]
        return [run for run in runs if run.state.active and run.alive()]

    # --- the faults: each returns whether there was something to harm

    def kill_app(self) -> bool:
        self.app.process.kill()
        self.app.process.wait()
        self.app.start()
        return True

    def _children(self, name: str) -> list[psutil.Process]:
        """Processes of the app, by a name of CHILDREN."""
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self.app.process.pid).children()
            return [child for child in children if name in " ".join(child.cmdline())]
        return []

    def kill_worker(self) -> bool:
        return self._signal(self._children(WORKER), signal.SIGKILL)

    def stop_worker(self) -> bool:
        return self._signal(self._children(WORKER), signal.SIGSTOP)

    def kill_engine(self) -> bool:
        return self._signal(self._children(ENGINE), signal.SIGKILL)

    def kill_training(self) -> bool:
        return self._signal(self._at_work(Kind.TRAINING), signal.SIGKILL)

    def kill_merge(self) -> bool:
        return self._signal(self._at_work(Kind.MERGE), signal.SIGKILL)

    def _signal(self, harmed: Sequence[psutil.Process | Run], number: signal.Signals) -> bool:
        for one in harmed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.status()["pid"] if isinstance(one, Run) else one.pid, number)
        return bool(harmed)

    def second_app(self) -> bool:
        other = App(self.runs_dir, free_port())
        try:
            other.start()
            at_work = self._at_work(*Kind)
            self._expect(len(at_work) <= queue.PARALLEL, "second_app", f"{len(at_work)} runs at a time")
        finally:
            other.process.kill()
            other.process.wait()
        return True

    def damage_status(self) -> bool:
        ended = [run for run in queue.list_runs(self.runs_dir) if run.state.final]
        if ended:
            status = self.random.choice(ended).folder / "status.json"
            status.write_bytes(status.read_bytes()[: self.random.randrange(40)])
        return bool(ended)

    def harm(self) -> Iterator[str]:
        """Do harm at random moments. Yields the name of each fault, once it is done."""
        done: Counter[str] = Counter()
        kinds = [self.kill_app, self.kill_worker, self.stop_worker, self.kill_engine, self.kill_training,
                 self.kill_merge, self.second_app, self.damage_status]  # fmt: skip
        while True:
            self.feed()
            time.sleep(self.random.uniform(0, MOST_WAIT_SECONDS))
            self.problems = []
            least_first = sorted(kinds, key=lambda kind: (done[kind.__name__], self.random.random()))
            fault = next(kind.__name__ for kind in least_first if kind())
            done[fault] += 1
            yield fault


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--log", type=Path, default=Path("faults.jsonl"), help="faults that were done, a line for each")
    given = parser.parse_args()
    queue.watch = lambda runs_dir: None  # the app alone moves the queue
    with tempfile.TemporaryDirectory() as folder, given.log.open("a", encoding="utf-8") as log:
        bench = Bench(Path(folder), given.seed)
        until = time.monotonic() + given.seconds
        try:
            for fault in bench.harm():
                bench.check(fault)
                log.write(json.dumps({"fault": fault, "problems": bench.problems}) + "\n")
                log.flush()
                if time.monotonic() > until:
                    break
        finally:
            for kind in Kind:
                for run in queue.list_runs(bench.runs_dir, kind):
                    if not run.state.final:
                        queue.kill(run)
            bench.app.stop()
    done = [json.loads(line) for line in given.log.read_text(encoding="utf-8").splitlines()]
    problems = [problem for entry in done for problem in entry["problems"]]
    for name, count in Counter(entry["fault"] for entry in done).most_common():
        print(f"{name:<16}{count:>5}")
    print(f"{len(done)} of {GOAL} faults, {len(problems)} problems", *problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
