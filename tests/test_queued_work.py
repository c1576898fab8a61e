"""Evaluations and merges as the app queues them: real child processes, beside an app that goes on working."""

import time

import pytest

from cadrecode.adapters import find_adapter, merged_model
from cadrecode.cloud import make_shape
from cadrecode.config import EvaluationConfig, ReconstructConfig
from cadrecode.engine import Engine
from cadrecode.jobs import evaluating, merging, queue
from cadrecode.kernel import shared_sandbox
from cadrecode.runs import Kind, State
from cadrecode.ui import models
from cadrecode.ui.services import Services

pytestmark = pytest.mark.slow  # three child processes that import torch


@pytest.fixture
def services(tmp_path, monkeypatch):
    """An app without a page, whose queue each test moves by hand. The model is the embedded base."""
    monkeypatch.setattr(queue, "watch", lambda runs_dir: None)
    made = Services(Engine("cpu"), tmp_path / "runs", shared_sandbox)
    yield made
    for run in [*queue.list_runs(made.runs_dir, Kind.EVALUATION), *queue.list_runs(made.runs_dir, Kind.MERGE)]:
        if not run.state.final:
            queue.kill(run)
    made.close()


@pytest.fixture
def adapter(services):
    """A fresh adapter of the embedded base, with a dot in its name."""
    from cadrecode.model.adapters import attach_lora, save_adapter
    from cadrecode.model.load import load_model

    model, tokenizer = load_model(device="cpu")
    folder = services.runs_dir / "v1.5"
    folder.mkdir(parents=True)
    save_adapter(attach_lora(model, r=2), tokenizer, folder)
    return find_adapter(services.runs_dir, "v1.5")


def wait(run, *states, step=0, seconds=300):
    """Until a run is in one of these states, that many steps far."""
    deadline = time.monotonic() + seconds
    while not (run.state in states and (run.status().get("step") or 0) >= step):
        assert time.monotonic() < deadline, f"{run.status()}\n{run.log_tail()}"
        assert run.alive() or not run.state.final, f"{run.status()}\n{run.log_tail()}"
        time.sleep(0.05)


def test_a_part_is_rebuilt_while_an_evaluation_goes_on(services):
    settings = EvaluationConfig(targets="invent:plates", models=("base:embedded",), limit=5000)
    run = evaluating.start(services.runs_dir, lambda folder: settings)
    assert queue.tick(services.runs_dir) == [run]
    wait(run, State.EVALUATING, step=1)
    rebuilt = services.engine.reconstruct(
        make_shape("cube", n=512), ReconstructConfig(source="model", candidates=1, seconds=0)
    )
    assert len(rebuilt.parts) + len(rebuilt.failed) == 1
    assert run.state == State.EVALUATING  # and so it was all the while
    assert run.alive()
    queue.stop(run)
    wait(run, State.STOPPED)
    _, rows = evaluating.read_scores(run)
    assert 0 < len(rows["base:embedded"]) < 5000
    assert run.status()["error"] is None


def test_an_adapter_with_a_dot_in_its_name_answers_is_scored_and_is_merged(services, adapter):
    assert models.use(services, None, "v1.5") == "embedded + v1.5"
    assert models.in_use(services) == ("embedded", "v1.5")
    models.forget(services, "v1.5")
    assert models.in_use(services) == ("embedded", models.PLAIN)

    settings = EvaluationConfig(targets="invent:plates", models=("base:embedded", "adapter:v1.5"), limit=2)
    evaluation = evaluating.start(services.runs_dir, lambda folder: settings)
    merge = merging.start(adapter, services.runs_dir)
    assert queue.tick(services.runs_dir) == [evaluation]
    assert queue.tick(services.runs_dir) == []  # one at a time
    wait(evaluation, State.DONE)
    reports, _ = evaluating.read_scores(evaluation)
    base, fresh = (reports[model] for model in settings.models)
    assert [row["program"] for row in base["shapes"]] == [row["program"] for row in fresh["shapes"]]

    assert queue.tick(services.runs_dir) == [merge]
    wait(merge, State.DONE)
    status = merge.status()
    assert status["max_logit_difference"] < 1e-3
    assert status["tensors"] > 10
    assert merged_model(adapter.folder) is not None


def test_what_goes_wrong_is_in_the_status(services, adapter):
    run = merging.start(adapter, services.runs_dir)
    (adapter.folder / "adapter_model.safetensors").write_bytes(b"cut short")
    queue.tick(services.runs_dir)
    wait(run, State.FAILED)
    assert "damaged or cut short" in run.status()["error"]
    assert merged_model(adapter.folder) is None
