"""transformers' Trainer with our batches, our order, and our way of saving an adapter."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from cadrecode.config import TrainConfig
from cadrecode.data.batches import LikeLengths, Share, Views
from cadrecode.model.adapters import ENCODER, read_adapter, save_adapter
from cadrecode.model.beginnings import begins_as_part, load_difference
from cadrecode.runs import Run
from cadrecode.training.base import Precision
from cadrecode.training.checkpoints import finish_checkpoint, forget_checkpoint, not_written

SCORE = "eval_score"  # which RunFolder adds to the figures of an evaluation


class AdapterTrainer(Trainer):
    """Trains the adapter of a PEFT model on `Views`.

    A single "epoch" of the Trainer is the whole run: `LikeLengths` goes over the pairs as often as the steps need,
    always in the same way for a seed. So a run that resumes at step n continues with exactly the batches to come.

    Args:
        origin: what the run's checkpoints belong to (`checkpoints.origin_of`); written into each.
        encoder_rate: the point encoder's learning rate; None: the common learning rate.
    """

    def __init__(self, origin: dict[str, Any], encoder_rate: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.origin, self.encoder_rate = origin, encoder_rate
        self.remove_callback(PrinterCallback)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        optimizer = super().create_optimizer(*args, **kwargs)
        if self.encoder_rate is not None:
            encoder = {id(parameter) for name, parameter in self.model.named_parameters() if f".{ENCODER}." in name}
            for group in list(optimizer.param_groups):
                own = [parameter for parameter in group["params"] if id(parameter) in encoder]
                group["params"] = [parameter for parameter in group["params"] if id(parameter) not in encoder]
                if own:
                    optimizer.add_param_group(group | {"params": own, "lr": self.encoder_rate})
        return optimizer

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Load a checkpoint's states, but keep the learning rates and weight decay of this run's settings."""
        groups, schedule = self.optimizer.param_groups, self.lr_scheduler
        own = [(group["initial_lr"], group["weight_decay"]) for group in groups]
        super()._load_optimizer_and_scheduler(checkpoint)
        schedule.base_lrs = [rate for rate, _ in own]
        for group, (rate, decay), share in zip(self.optimizer.param_groups, own, schedule.lr_lambdas):
            group.update(initial_lr=rate, lr=rate * share(schedule.last_epoch), weight_decay=decay)
        schedule._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if begins_as_part(self.model):
            load_difference(self.model, read_adapter(resume_from_checkpoint))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_best_model(self) -> None:
        if begins_as_part(self.model):
            load_difference(self.model, read_adapter(self.state.best_model_checkpoint))
        else:
            super()._load_best_model()

    def get_train_dataloader(self) -> DataLoader:
        views: Views = self.train_dataset
        order = LikeLengths(
            [len(entry.tokens) for entry in views.encoded],
            self._train_batch_size * self.args.world_size,
            self.args.max_steps * self.args.gradient_accumulation_steps,
            self.args.seed,
        )
        if self.args.world_size == 1:
            return self.accelerator.prepare(DataLoader(views, batch_sampler=order, **self._loading()))
        # Not prepared: accelerate would deal out whole batches, in another order than a single process has.
        share = Share(order, self.args.process_index, self.args.world_size)
        return DataLoader(views, batch_sampler=share, **self._loading())

    def get_eval_dataloader(self, eval_dataset: Dataset | None = None) -> DataLoader:
        views: Views = eval_dataset if eval_dataset is not None else self.eval_dataset
        by_length = sorted(range(len(views)), key=lambda i: len(views.encoded[i].tokens))
        size = self.args.eval_batch_size
        batches = [by_length[i : i + size] for i in range(0, len(by_length), size)]
        return self.accelerator.prepare(DataLoader(views, batch_sampler=batches, collate_fn=self.data_collator))

    def _loading(self) -> dict[str, Any]:
        workers = self.args.dataloader_num_workers
        return {
            "collate_fn": self.data_collator,
            "num_workers": workers,
            "pin_memory": self.args.device.type == "cuda",
            "worker_init_fn": _one_thread if workers else None,
        }

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Save as the Trainer does, but seal the checkpoint before any older checkpoint is deleted.

        Raises: RunError: the checkpoint could not be written; the checkpoint before it is still there.
        """
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        keep, self.args.save_total_limit = self.args.save_total_limit, None  # else the Trainer deletes before the seal
        if self.args.should_save:
            forget_checkpoint(folder)  # of an earlier attempt, whose seal would be wrong
        self.accelerator.wait_for_everyone()  # each process writes its own random state there
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                finish_checkpoint(folder, self.origin, keep, self.state.best_model_checkpoint)
        except (OSError, RuntimeError, SafetensorError) as error:  # RuntimeError: torch.save on a full disk
            raise not_written(folder, error) from error
        finally:
            self.args.save_total_limit = keep

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        if not self.args.should_save:  # the Trainer calls this in every process; only the first writes
            self.model.state_dict()  # all processes must call it, to free the gathered layers of a sharded base
            return
        save_adapter(self.model, self.processing_class, output_dir or self.args.output_dir)


def training_arguments(config: TrainConfig, run: Run, precision: Precision, evaluate_first: bool) -> TrainingArguments:
    """The settings of transformers' Trainer.

    Args:
        evaluate_first: evaluate before the first step, too.
    """
    arguments = TrainingArguments(
        output_dir=str(run.folder),
        per_device_train_batch_size=config.per_device_train_batch_size,
        per_device_eval_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        lr_scheduler_kwargs=_schedule_of(config),
        optim=config.optim,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        warmup_steps=config.warmup_steps,
        max_steps=config.max_steps,
        eval_strategy="steps" if config.do_eval else "no",
        eval_steps=config.eval_steps if config.do_eval else None,
        eval_on_start=config.do_eval and evaluate_first,
        save_strategy="steps",
        save_steps=config.save_steps,
        save_total_limit=config.save_total_limit,
        load_best_model_at_end=config.keep_best,
        metric_for_best_model=SCORE if config.keep_best else None,
        greater_is_better=True if config.keep_best else None,
        logging_steps=config.logging_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # else an average hides a loss that is not a number
        seed=config.seed,
        bf16=precision.bf16,
        fp16=precision.fp16,
        use_cpu=precision.device.type == "cpu",
        ddp_find_unused_parameters=False,  # the search would walk the whole graph at each step
        dataloader_num_workers=min(config.num_workers, max(0, (os.cpu_count() or 1) - 1)),
        remove_unused_columns=False,
        prediction_loss_only=True,
        label_names=["labels"],
        report_to=config.tracker,
        trackio_static_space_id=False,  # else trackio publishes the figures on the hub at the end
        run_name=config.experiment_name,
        disable_tqdm=True,
    )
    if precision.device.type == "cuda":
        arguments._n_gpu = 1  # else the Trainer wraps the model in DataParallel where there are two GPUs
    return arguments


def _schedule_of(config: TrainConfig) -> dict[str, Any]:
    """The parameters of a schedule."""
    falling = max(1, config.max_steps // 5)
    return {"cosine_with_min_lr": {"min_lr_rate": 0.1}, "warmup_stable_decay": {"num_decay_steps": falling}}.get(
        config.lr_scheduler_type, {}
    )


def _one_thread(worker: int) -> None:
    """Workers with threads of their own would slow the training beside them."""
    torch.set_num_threads(1)
