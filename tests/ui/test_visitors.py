"""Two visitors at the same time: neither gets the other's files, nor the other's model; and each knows its place."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from cadrecode.cloud import Cloud
from cadrecode.config import ReconstructConfig
from cadrecode.reconstruction import Cancelled
from cadrecode.turns import Turns
from cadrecode.ui import models
from cadrecode.ui.reconstruct import actions, views
from cadrecode.ui.reconstruct.files import write_files
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.words.text import Words

CONFIG = ReconstructConfig(candidates=2, seconds=0, source="model")
EN = Words("en")


def scan(seed: int) -> Work:
    """A box of points; every scan has the same name, size, first and last point."""
    points = np.random.default_rng(seed).uniform(-1, 1, (2000, 3)) * (100, 50, 10)
    points[0], points[-1] = (-100, -50, -10), (100, 50, 10)
    return Work(Cloud(points, None, "scan", "points"), "scan")


def rebuilt(work, services, base="embedded", stop=lambda: False, stages=None):
    stages = [] if stages is None else stages
    return actions.rebuild(work, CONFIG, services, lambda *progress: stages.append(progress), stop, base=base)


def test_the_same_name_and_program_never_mean_the_same_file(services):
    works = [rebuilt(scan(seed), services) for seed in (1, 2)]
    assert works[0].shown.program == works[1].shown.program
    services = replace(services, run_programs=False)
    first, second = (write_files(work, services, EN).paths for work in works)
    assert not set(first.values()) & set(second.values())
    for paths, work in zip((first, second), works):
        alone = write_files(work, services, EN).paths
        assert paths["aligned"].read_bytes() == alone["aligned"].read_bytes()
    assert first["aligned"].read_bytes() != second["aligned"].read_bytes()


def test_nobody_changes_the_model_between_the_choice_and_its_use(services, typist, monkeypatch):
    """Another visitor chooses a model as soon as this one has chosen: it is answered, or waits in line."""
    used, use, others = [], models.use, []
    generate = services.engine._generate

    def record(*given, **options):
        used.append(services.engine.base)
        return generate(*given, **options)

    def choose(services, base, adapter):
        name = use(services, base, adapter)
        if not others:
            others.append(threading.Thread(target=rebuilt, args=(scan(2), services, "Qwen/Qwen2-7B")))
            others[0].start()
            while others[0].is_alive() and not services.engine.waiting:
                others[0].join(0.01)
        return name

    services.engine._generate = record
    monkeypatch.setattr(models, "use", choose)
    work = rebuilt(scan(1), services, "embedded")
    others[0].join()
    assert used == ["embedded", "Qwen/Qwen2-7B"]
    assert work.rebuilt.model == "embedded"


def test_those_who_wait_are_told_their_place_and_may_leave(services):
    stages, left, stop = [], [], threading.Event()

    def wait():
        try:
            rebuilt(scan(1), services, stop=stop.is_set, stages=stages)
        except Cancelled:
            left.append(True)

    with services.engine.turn():
        visitor = threading.Thread(target=wait)
        visitor.start()
        while visitor.is_alive() and not stages:
            visitor.join(0.01)
        assert stages == [("waiting", 1, 0)]
        assert "1 before it" in views.stage_words(views.Progress(*stages[0]), EN)
        stop.set()
        visitor.join()
    assert left == [True]
    assert services.engine.waiting == 0


def test_a_rebuild_beside_a_training_says_why_it_waits_and_can_be_cancelled(services, monkeypatch):
    stages, asked = [], []
    monkeypatch.setattr(services.budget, "allows", lambda: False)
    with pytest.raises(Cancelled):
        rebuilt(scan(1), services, stop=lambda: asked.append(1) or len(asked) > 2, stages=stages)
    assert stages == [("waiting", 0, 0)]
    assert "a training is at work" in views.stage_words(views.Progress(*stages[0]), EN)
    assert services.engine.waiting == 0


def test_turns_are_taken_in_the_order_of_asking():
    turns, served, places = Turns(), [], {}

    def visit(name):
        within = turns.take()  # a turn within its own turn
        with turns.take(lambda before: places.setdefault(name, []).append(before)), within:
            served.append(name)

    visitors = []
    with turns.take():
        for name in range(5):
            visitors.append(threading.Thread(target=visit, args=(name,)))
            visitors[-1].start()
            while visitors[-1].is_alive() and turns.waiting <= name:
                visitors[-1].join(0.01)
    for visitor in visitors:
        visitor.join()
    assert served == [0, 1, 2, 3, 4]
    assert all(before[0] == name + 1 and before == sorted(before, reverse=True) for name, before in places.items())


def test_a_turn_ends_with_an_error_too():
    turns = Turns()
    with pytest.raises(ValueError, match="x"), turns.take():
        raise ValueError("x")
    with turns.take():
        pass


def test_folders_go_by_age_whatever_the_clock_says(services, monkeypatch):
    import time

    first = services.fresh_folder(keep_seconds=100)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    second = services.fresh_folder(keep_seconds=100)
    assert first.is_dir()
    assert first != second
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 200)
    services.fresh_folder()
    assert not first.exists()
    assert not second.exists()
