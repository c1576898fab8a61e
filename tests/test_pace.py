"""Rebuilds beside a training: what they may take of the processor, by a clock of the test's own."""

import os
import subprocess
import sys
import threading
import time

import pytest

from cadrecode.jobs import queue
from cadrecode.jobs.pace import Budget, Pace
from cadrecode.runs import Run, State
from cadrecode.turns import Stopped, Turns

PACE = Pace(share=0.1, saved_seconds=40, patience_seconds=50)
CORES = 2
REBUILD_SECONDS = 5.0  # of the processor


class Machine:
    """A machine on which time passes only where a test says so."""

    def __init__(self, runs_dir):
        self.now = self.spent = 1000.0
        self.run = Run.create(runs_dir / "training", "", state=State.QUEUED)
        self.budget = Budget(runs_dir, PACE, cores=CORES, clock=lambda: self.now, spent=lambda: self.spent)

    def train(self):
        self.run.claim()
        self.run.set_status(State.TRAINING)

    def rebuilds(self, count, every=0.0):
        """Rebuild as often, without regard to the budget but for noting what it says."""
        said = []
        for _ in range(count):
            said.append(self.budget.allows())
            self.spent += REBUILD_SECONDS
            self.now += max(every, REBUILD_SECONDS)
        return said


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_without_a_training_nothing_waits(machine):
    assert all(machine.rebuilds(100))
    machine.train()
    assert machine.budget.allows()  # what was taken before does not count


def test_a_person_who_rebuilds_now_and_then_never_waits(machine):
    machine.train()
    assert all(machine.rebuilds(100, every=REBUILD_SECONDS / (PACE.share * CORES)))


def test_a_crowd_takes_no_more_than_its_share(machine):
    machine.train()
    begun = 0
    for _ in range(2_000):
        machine.now += 1
        if machine.budget.allows():
            machine.spent += REBUILD_SECONDS
            begun += 1
    most = PACE.share * CORES * 2_000 + PACE.saved_seconds
    assert most - REBUILD_SECONDS <= begun * REBUILD_SECONDS <= most + REBUILD_SECONDS


def test_small_requests_count_and_cannot_keep_rebuilds_from_their_turn(machine):
    machine.train()
    assert machine.budget.allows()
    waits = []
    for _ in range(4):
        since = machine.now
        machine.spent += 100
        while not machine.budget.allows():
            machine.now += 1
            machine.spent += 1
        waits.append(machine.now - since)
    assert waits == [PACE.patience_seconds] * 4


def test_an_engine_that_ended_takes_its_time_along(machine):
    machine.train()
    assert all(machine.rebuilds(8))
    machine.spent = 3.0
    machine.now += 1
    assert machine.budget.allows()
    machine.spent += PACE.saved_seconds + 1
    assert not machine.budget.allows()


def test_with_the_end_of_the_training_a_waiting_rebuild_goes_on(machine):
    machine.train()
    machine.rebuilds(20)
    assert not machine.budget.allows()
    machine.run.set_status(State.DONE)
    assert machine.budget.allows()
    machine.train()
    assert machine.budget.allows()


class Line:
    """Visitors of `Turns` at a gate."""

    def __init__(self):
        self.turns, self.open, self.stop = Turns(), threading.Event(), threading.Event()
        self.seen, self.threads = [], []

    def come(self, name, should_stop=lambda: False):
        """Another visitor. Returns once it waits."""
        waits = threading.Event()

        def wait(before):
            self.seen.append((name, before))
            waits.set()

        def visit():
            try:
                with self.turns.take(wait, should_stop, self.open.is_set):
                    self.seen.append((name, "served"))
            except Stopped:
                self.seen.append((name, "left"))

        self.threads.append(threading.Thread(target=visit, daemon=True))
        self.threads[-1].start()
        assert waits.wait(60)


def test_who_waits_for_the_budget_keeps_the_place_and_may_leave():
    line = Line()
    line.come("first", line.stop.is_set)
    line.come("second")
    line.come("third")
    assert line.seen == [("first", 0), ("second", 1), ("third", 2)]
    line.stop.set()
    line.threads[0].join()
    deadline = time.monotonic() + 60
    while ("second", 0) not in line.seen:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    line.open.set()
    for thread in line.threads:
        thread.join()
    assert ("first", "left") in line.seen
    assert [name for name, what in line.seen if what == "served"] == ["second", "third"]


def test_the_app_and_its_children_count_and_its_runs_do_not(monkeypatch):
    work = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        counted = queue.processor_seconds()
        monkeypatch.setattr(queue, "_children", [child])
        assert sum(os.times()[:2]) - 0.1 <= queue.processor_seconds() <= counted - 0.2
        child.communicate(b"\n")
