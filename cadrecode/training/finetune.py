"""Fine-tune an adapter: LoRA on a base in full precision, or QLoRA on a base held in 4 bits.

The training loop is transformers' Trainer; ours are the data, the run folder and the merging. This file is the table of
contents: fetch the base, read programs, train and save (live.py), check what was saved, merge into a fresh base.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

from transformers import set_seed

from cadrecode.adapters import CONFIG_FILE, WEIGHTS_FILE
from cadrecode.config import TrainConfig
from cadrecode.data.dataset import require
from cadrecode.errors import CadrecodeError, Message, RunError, joined
from cadrecode.merging.asking import kept_process
from cadrecode.model import sharding
from cadrecode.model.hub import push, require_login
from cadrecode.model.team import Team
from cadrecode.runs import Run, State, checkpoint_problems
from cadrecode.training.base import Precision, Stopped, fetch_base, free_memory
from cadrecode.training.checkpoints import saved_origin
from cadrecode.training.live import refuse_finished, refuse_other_adapter, train_adapter
from cadrecode.training.preflight import is_out_of_memory, out_of_memory
from cadrecode.training.reading import read_programs
from cadrecode.training.saving import check_saved, merge_beside
from cadrecode.training.trackers import prepare_tracker

log = logging.getLogger(__name__)

DISK_FULL = Message(
    "The disk is full. Make room, then continue from the last complete checkpoint: --resume_from_checkpoint last."
)


def train(config: TrainConfig, run: Run) -> Path:
    """Fine-tune an adapter. Everything is written into the run's folder, whose layout is the guide's.

    Returns: the folder of the adapter; of the merged model where the settings do not keep the adapter; of the newest
        checkpoint where the run was stopped.
    Raises: ConfigError, DatasetError, RunError: what is wrong, which also goes into the run's status.
    """
    done = run.state == State.DONE
    with _outcome_noted(config, run), kept_process() if config.merge_at_checkpoints else contextlib.nullcontext():
        checkpoint = _checkpoint_to_resume(config, run, done)
        _check_possible(config, run)
        set_seed(config.seed)
        team = Team.join(Precision.of(config).device)
        try:
            fetch_base(config, run)  # before the data: a base that cannot be had is known at once
        except Stopped:
            return _stopped(run)
        held_out = None if checkpoint is None else saved_origin(checkpoint).get("held_out")
        data = read_programs(config, run, team, held_out)
        if any(team.agree(run.stop_requested())):
            return _stopped(run)
        trained = train_adapter(config, run, data, checkpoint, team, done)
        team.leave()
        if not team.first:
            return run.folder
        free_memory()  # of the live model: from here on everything is loaded from what was saved
        if trained.stopped:
            return _stopped(run)
        check_saved(config, run.folder, trained.batch, trained.loss)
        folder = finish(config, run)
        if config.hub_model_id is not None:
            push(run.folder, config.hub_model_id)
        run.set_status(State.DONE, step=trained.steps, total=trained.steps)
        return folder


def finish(config: TrainConfig, run: Run) -> Path:
    """Merge at the end and delete the adapter, where the settings say so. Returns: the folder to use."""
    free_memory()
    if not config.auto_merge_final:
        return run.folder
    merged = merge_beside(config, run.folder, run)
    if config.keep_lora_final:
        return run.folder
    for name in (CONFIG_FILE, WEIGHTS_FILE, "README.md"):
        (run.folder / name).unlink(missing_ok=True)
    return merged


def _check_possible(config: TrainConfig, run: Run) -> None:
    """Raise what can be known to fail before anything heavy is loaded."""
    require(config.train_data_path)
    if config.more_train_data is not None:
        require(config.more_train_data)
    prepare_tracker(config.tracker, run.folder)
    sharding.require_possible(config.quantization)
    if config.hub_model_id is not None:
        require_login(config.hub_model_id)
    for advice in config.advice():
        log.warning("%s", advice)


def _checkpoint_to_resume(config: TrainConfig, run: Run, done: bool) -> Path | None:
    """The checkpoint that the settings name, checked.

    The checkpoint of the last step is of use to a run that failed after it, when it saved or merged.

    Args:
        done: Whether the run was done before.
    Raises: RunError: why it cannot be resumed from.
    """
    name = config.resume_from_checkpoint
    if name is None:
        return None
    folder = run.latest_checkpoint() if name in ("last", "true", "True") else Path(name)
    problems = checkpoint_problems(folder)
    if problems:
        raise RunError(
            "{checkpoint} cannot be resumed from: {why}.", checkpoint=folder, why=joined("{first}; {second}", problems)
        )
    if config.num_train_epochs is None:
        refuse_finished(folder, config.max_steps, done)
    refuse_other_adapter(folder, config)
    return folder


def _stopped(run: Run) -> Path:
    checkpoints = run.checkpoints()
    run.set_status(State.STOPPED)
    if not checkpoints:
        log.info("Stopped before there was anything to save.")
        return run.folder
    log.info("Stopped. Go on with --resume_from_checkpoint %s", checkpoints[-1])
    return checkpoints[-1]


@contextlib.contextmanager
def _outcome_noted(config: TrainConfig, run: Run) -> Iterator[None]:
    """Write whatever ends the run early into its status, and raise it."""
    run.claim()
    try:
        yield
    except CadrecodeError as error:
        run.set_status(State.FAILED, error=str(error))
        raise
    except BaseException as error:
        if is_out_of_memory(error):
            advice = out_of_memory(config)
            run.set_status(State.FAILED, error=str(advice))
            raise advice from error
        log.error("%s", traceback.format_exc())
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        run.set_status(State.FAILED, error=DISK_FULL if full else f"{type(error).__name__}: {error}")
        raise
