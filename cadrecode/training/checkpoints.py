"""Checkpoints that can be trusted: incomplete ones are not offered, those of another run are refused, none is lost."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from cadrecode.config import TrainConfig
from cadrecode.data.batches import EncodedPair
from cadrecode.errors import Message, RunError
from cadrecode.model.hub import find_folder
from cadrecode.model.weights import weights_fingerprint
from cadrecode.runs import ORIGIN, SEAL, Run, checkpoint_step, seal_checkpoint

log = logging.getLogger(__name__)

MUST_AGREE = (
    "base_model_name", "lora_r", "lora_alpha", "lora_target_modules", "rank_pattern", "init_lora_weights", "use_rslora",
    "use_dora", "optim", "n_points", "max_seq_length",
)  # fmt: skip
SHOULD_AGREE = (  # another value is allowed; the loss is then not that of a run without a break
    "seed", "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate", "encoder_learning_rate",
    "lr_scheduler_type", "warmup_steps", "max_steps", "weight_decay", "lora_dropout", "noise_probability", "noise_std",
    "partial_probability",
)  # fmt: skip


def origin_of(config: TrainConfig, pairs: list[EncodedPair], processes: int, held_out: bool) -> dict[str, Any]:
    """The origin of a checkpoint: settings, and checksums of the base's weights and of the training programs.

    Args:
        held_out: Whether some of the training programs are held out for validation.
    """
    data = hashlib.sha256()
    for entry in pairs:
        data.update(f"{entry.pair.name}\n{entry.pair.text}\n".encode())
    values = config.model_dump(mode="json")
    return {
        "settings": {name: values[name] for name in (*MUST_AGREE, *SHOULD_AGREE)},
        "base_weights": weights_fingerprint(find_folder(config.base_model_name)),
        "processes": processes,
        "held_out": held_out,
        "programs": len(pairs),
        "data": data.hexdigest()[:16],
        "train_data_path": config.train_data_path,
    }


def saved_origin(checkpoint: Path) -> dict[str, Any]:
    """The `origin_of` the training that wrote a checkpoint. Raises: RunError: the checkpoint does not say."""
    path = checkpoint / ORIGIN
    if not path.is_file():
        raise RunError(
            "{checkpoint} does not say what it was trained on ({file} is missing): start a new run.",
            checkpoint=checkpoint,
            file=ORIGIN,
        )
    return json.loads(path.read_text(encoding="utf-8"))


def refuse_strangers(checkpoint: Path, origin: dict[str, Any]) -> None:
    """Check that a checkpoint belongs to this training.

    Raises: RunError: it belongs to another base, adapter or data set, and to which.
    """
    then = saved_origin(checkpoint)
    for name in MUST_AGREE:
        now = origin["settings"][name]
        before = then["settings"].get(name, TrainConfig.model_fields[name].default)  # a setting that is newer
        if before != now:
            raise RunError(
                "{folder} was trained with {name} {then}, and the settings say {now}.",
                folder=checkpoint,
                name=name,
                then=before,
                now=now,
            )
    encoder_rates = then["settings"].get("encoder_learning_rate"), origin["settings"]["encoder_learning_rate"]
    if (encoder_rates[0] is None) != (encoder_rates[1] is None):
        raise RunError(
            "{folder} was trained with encoder_learning_rate {then}, and the settings say {now}. The optimizer keeps "
            "the encoder's numbers apart only where it has a rate of its own: give it a number in both, or in neither.",
            folder=checkpoint,
            then=encoder_rates[0],
            now=encoder_rates[1],
        )
    if then["base_weights"] != origin["base_weights"]:
        base = origin["settings"]["base_model_name"]
        raise RunError(
            "{checkpoint} was trained on other weights than those that {base} holds now.",
            checkpoint=checkpoint,
            base=base,
        )
    if then["data"] != origin["data"]:
        raise RunError(
            "{checkpoint} was trained on {programs:,} programs of {source}; these are {other_programs:,} of {other}, "
            "and not the same. Start a new run for other data.",
            checkpoint=checkpoint,
            programs=then["programs"],
            source=then["train_data_path"],
            other_programs=origin["programs"],
            other=origin["train_data_path"],
        )
    both = [(name, then["settings"].get(name), origin["settings"][name]) for name in SHOULD_AGREE]
    both.append(("processes", then.get("processes", origin["processes"]), origin["processes"]))
    words = ", ".join(f"{name} {before} -> {now}" for name, before, now in both if before != now)
    if words:
        log.warning("Other settings than the checkpoint's, so another curve from here on: %s.", words)


def finish_checkpoint(folder: Path, origin: dict[str, Any], keep: int | None, best: str | None) -> None:
    """Seal a checkpoint, and only then delete the oldest checkpoints beyond `keep`.

    Args:
        best: a checkpoint that stays whatever its age.
    """
    (folder / ORIGIN).write_text(json.dumps(origin, indent=1), encoding="utf-8")
    seal_checkpoint(folder)
    if keep is None:
        return
    run = Run(folder.parent)
    stay = {folder.name, Path(best).name} if best else {folder.name}
    older = [other for other in reversed(run.all_checkpoints()) if other.name not in stay]
    for other in older[max(0, keep - len(stay)) :]:
        forget_checkpoint(other)


def forget_checkpoint(folder: Path) -> None:
    """Delete a checkpoint. The seal goes first, so that a half-deleted checkpoint is not offered."""
    (folder / SEAL).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def not_written(folder: Path, error: Exception) -> RunError:
    """The error of a checkpoint that cannot be written. What there is of it is deleted, which may free some space."""
    forget_checkpoint(folder)
    free = shutil.disk_usage(folder.parent).free / 2**20
    complete = Run(folder.parent).checkpoints()
    rest = (
        Message("{name} is complete: continue from it with --resume_from_checkpoint last.", name=complete[-1])
        if complete
        else Message("There is no other.")
    )
    return RunError(
        "The checkpoint of step {step} could not be written ({error}); {free:,.0f} MB are "
        "free on that disk. Make room, set save_total_limit lower, or merge_final_only true. {rest}",
        step=checkpoint_step(folder),
        error=error,
        free=free,
        rest=rest,
    )
