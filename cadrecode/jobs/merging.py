"""Merges as runs of the queue: an adapter is folded into its base, and the merged model lies beside the adapter."""

from __future__ import annotations

from pathlib import Path

from cadrecode.adapters import MERGED, AdapterInfo
from cadrecode.config import MergeConfig
from cadrecode.errors import RunError
from cadrecode.jobs import queue
from cadrecode.runs import Kind, Run, State

STEPS = (State.MERGING, State.SAVING, State.DONE)


def start(adapter: AdapterInfo, runs_dir: Path) -> Run:
    """Queue a merge. Raises RunError: the adapter is being merged already."""
    for run in queue.list_runs(runs_dir, Kind.MERGE):
        if run.state == State.DAMAGED:  # of which adapter, nobody knows; what it merged lies beside the adapter
            queue.delete(run)
    for run in _of(adapter.name, runs_dir):
        if not run.state.final:
            raise RunError("{name} is being merged already, or waits for it.", name=adapter.name)
        queue.delete(run)
    folder = adapter.folder.resolve()
    settings = MergeConfig(base_model=adapter.base, lora_path=str(folder), output_path=str(folder / MERGED))
    return queue.add(runs_dir, Kind.MERGE, adapter.name, lambda _: settings, adapter=adapter.name, total=len(STEPS))


def latest(adapter: str, runs_dir: Path) -> Run | None:
    """The last merge of an adapter that was started, if there is any."""
    return next(iter(_of(adapter, runs_dir)), None)


def _of(adapter: str, runs_dir: Path) -> list[Run]:
    return [run for run in queue.list_runs(runs_dir, Kind.MERGE) if run.status().get("adapter") == adapter]


def work(run: Run) -> None:
    """Merge and verify. Runs in the child process. Raises ModelError: see `merging.merge`."""
    from cadrecode.merging.merge import merge

    def show(stage: str, share: float) -> None:
        if stage != State.DONE:  # the last status, below, has the figures
            run.set_status(State(stage), step=STEPS.index(State(stage)) + 1)

    config = MergeConfig.load(run.folder / "config.yaml")
    report = merge(config.base_model, config.lora_path, config.output_path, on_progress=show)
    run.set_status(
        State.DONE, step=len(STEPS), tensors=report.tensors, max_logit_difference=report.max_logit_difference
    )
