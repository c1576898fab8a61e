"""The programs of a run: training programs and their copies, those mixed in, and those held out for validation."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cadrecode.config import TrainConfig
from cadrecode.data.copies import copies_of, pattern_copy, turned_copy, warped_copy
from cadrecode.data.dataset import exists, load_programs
from cadrecode.data.pairs import Programs, first_of
from cadrecode.data.views import with_normals
from cadrecode.errors import ConfigError, DatasetError
from cadrecode.label import PAGE_FILE, label, without_programs
from cadrecode.model.load import read_base
from cadrecode.model.team import Team
from cadrecode.model.tokens import encode_program, integer_tokens
from cadrecode.parallel import Workers
from cadrecode.runs import Run, State
from cadrecode.training.held_out import hold_out

OnProgress = Callable[[int, int], None]  # how many are done, and of how many

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunPrograms:
    """The programs that a run trains on and evaluates on.

    Args:
        validation: None without evaluation.
        held_out: Whether some of the training data is kept out of `training`.
    """

    training: Programs
    validation: Programs | None
    held_out: bool

    def with_normals(self) -> RunPrograms:
        """The points of all pairs with the normals of their parts, for a base that reads them."""

        def read(programs: Programs) -> Programs:
            return replace(programs, pairs=list(with_normals(programs.pairs)))

        return replace(self, training=read(self.training), validation=self.validation and read(self.validation))


def read_programs(config: TrainConfig, run: Run, team: Team, held_out: bool | None = None) -> RunPrograms:
    """Training and validation programs. Without validation data, some of the training programs are held out.

    The processes of a team share the work.

    Args:
        held_out: Whether the checkpoint to resume from has programs held out: the split belongs to the run. None: a
            new run, or a checkpoint that does not say.
    """

    def stopping() -> bool:
        return any(team.agree(run.stop_requested()))

    shared: dict[str, Any] = {"height_steps": config.height_steps, "should_stop": stopping, "processes": team}
    base = read_base(config.base_model_name)
    if base.after_points:
        raise ConfigError(
            "{base} was trained in a chat, to improve programs: it can be used, but not trained. Name another base.",
            base=config.base_model_name,
        )
    tokenizer = base.tokenizer
    respell = config.canonical == "yes" or (config.canonical == "auto" and bool(integer_tokens(tokenizer)))
    reading = shared | {"respell": respell, "tokens_in": lambda text: len(encode_program(tokenizer, text))}
    progress = _progress_of(run, team)
    config = _with_programs(config, run, team, progress)
    read = _read_both(config, reading, held_out, progress)
    programs = read.training
    if stopping():
        return read
    copies = []
    for kind, copy, count, seed in (
        ("turned", turned_copy, config.turned_copies, config.seed),
        ("warped", warped_copy, config.warped_copies, config.seed + 1),
        ("recounted", pattern_copy, config.pattern_copies, config.seed + 2),
    ):
        if count:
            log.info("Making %d %s copies of each", count, kind)
            copies += copies_of(programs, copy, count, seed, on_progress=progress, **shared)
    programs = replace(programs, pairs=programs.pairs + copies)
    if config.more_train_data is not None:
        more = load_programs(config.more_train_data, seed=config.seed, on_progress=progress, **reading)
        log.info("Mixed in: %s programs of %s", f"{len(more.pairs):,}", config.more_train_data)
        source = f"{programs.source} and {more.source}"
        programs = Programs(source, programs.pairs + more.pairs, programs.skipped + more.skipped)
    return replace(read, training=programs)


def _with_programs(config: TrainConfig, run: Run, team: Team, progress: OnProgress) -> TrainConfig:
    """The settings with sources that hold programs: parts without any are measured first, into the run's folder."""
    changes = {}
    for key, limit in (("train_data_path", config.max_train_samples), ("val_data_path", config.max_eval_samples)):
        source = getattr(config, key)
        if source is None or not without_programs(source):
            continue
        out = run.folder / "labels" / key.partition("_")[0]
        log.info("%s holds parts without programs: they are measured first. Look at %s", source, out / PAGE_FILE)
        if team.first:
            made = label(
                source, out, workers=Workers(os.cpu_count()), limit=limit, seed=config.seed, on_progress=progress,
                should_stop=run.stop_requested,
            )  # fmt: skip
            if made.skipped:
                log.warning(
                    "%d parts have no program and will NOT be learnt: %s ...", len(made.skipped), first_of(made.skipped)
                )
        team.wait()
        changes[key] = str(out)
    return config.changed(**changes) if changes else config


def _read_both(
    config: TrainConfig, reading: dict[str, Any], held_out: bool | None, progress: OnProgress
) -> RunPrograms:
    log.info("Reading programs from %s", config.train_data_path)
    programs = load_programs(
        config.train_data_path, limit=config.max_train_samples, seed=config.seed, on_progress=progress, **reading
    )
    splits = config.do_eval and (config.val_data_path is None or not exists(config.val_data_path))
    if splits and held_out is False:
        raise DatasetError(
            "The run was trained on all programs of {source}, so that none can be held out now. Set val_data_path to "
            "other programs, or do_eval false.",
            source=config.train_data_path,
        )
    validation, held_out = None, splits or bool(held_out)
    if held_out:
        programs, validation = hold_out(programs, config)
    if not config.do_eval or reading["should_stop"]():
        return RunPrograms(programs, None, held_out)
    if splits:
        log.info(
            "There is no validation data at %s: %d of the training programs are held out instead.",
            config.val_data_path,
            len(validation.pairs),
        )
        return RunPrograms(programs, validation, held_out)
    validation = load_programs(config.val_data_path, limit=config.max_eval_samples, seed=config.seed + 1, **reading)
    texts = {pair.text for pair in programs.pairs}
    common = sum(pair.text in texts for pair in validation.pairs)
    if common:
        log.warning("%d of %d validation programs are training programs too.", common, len(validation.pairs))
    return RunPrograms(programs, validation, held_out)


def _progress_of(run: Run, team: Team) -> OnProgress:
    """Says in the run's status how many programs are read, or parts measured, and in the log at every twentieth."""

    def progress(done: int, total: int) -> None:
        if done % max(1, total // 20) == 0 or done == total:
            log.info("  %s of %s", f"{done:,}", f"{total:,}")
        if team.first:
            run.set_status(State.PREPARING, reading={"done": done, "total": total})

    return progress
