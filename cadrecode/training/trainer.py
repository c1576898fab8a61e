"""transformers' Trainer with our batches, our order, and our way of saving an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback

from cadrecode.data.batches import LikeLengths, Share, Views
from cadrecode.model.adapters import ENCODER, save_adapter
from cadrecode.training.checkpoints import finish_checkpoint, forget_checkpoint, not_written


class AdapterTrainer(Trainer):
    """Trains the adapter of a PEFT model on `Views`.

    One "epoch" of the Trainer is the whole run: `LikeLengths` goes over the pairs as often as the steps need, always
    the same way for a seed. So a run resumed at step n continues with exactly the batches that were still to come.

    Args:
        origin: what the run's checkpoints are of; noted in each.
        encoder_rate: the point encoder's learning rate; None: that of everything else.
    """

    def __init__(self, origin: dict[str, Any], encoder_rate: float | None = None, **kwargs):
        super().__init__(**kwargs)
        self.origin, self.encoder_rate = origin, encoder_rate
        self.remove_callback(PrinterCallback)

    def create_optimizer(self, *args, **kwargs) -> torch.optim.Optimizer:
        optimizer = super().create_optimizer(*args, **kwargs)
        if self.encoder_rate is not None:
            encoder = {id(parameter) for name, parameter in self.model.named_parameters() if f".{ENCODER}." in name}
            for group in list(optimizer.param_groups):
                own = [parameter for parameter in group["params"] if id(parameter) in encoder]
                group["params"] = [parameter for parameter in group["params"] if id(parameter) not in encoder]
                if own:
                    optimizer.add_param_group(group | {"params": own, "lr": self.encoder_rate})
        return optimizer

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
        # Not prepared: accelerate would deal out whole batches, and the order would not be that of one process.
        share = Share(order, self.args.process_index, self.args.world_size)
        return DataLoader(views, batch_sampler=share, **self._loading())

    def get_eval_dataloader(self, eval_dataset=None) -> DataLoader:
        views: Views = eval_dataset if eval_dataset is not None else self.eval_dataset
        by_length = sorted(range(len(views)), key=lambda i: len(views.encoded[i].tokens))
        size = self.args.eval_batch_size
        batches = [by_length[i : i + size] for i in range(0, len(by_length), size)]
        return self.accelerator.prepare(DataLoader(views, batch_sampler=batches, collate_fn=self.data_collator))

    def _loading(self) -> dict:
        workers = self.args.dataloader_num_workers
        return {
            "collate_fn": self.data_collator,
            "num_workers": workers,
            "pin_memory": self.args.device.type == "cuda",
            "worker_init_fn": _one_thread if workers else None,
        }

    def _save_checkpoint(self, model, trial) -> None:
        """As the Trainer does, but sealed before anything older is deleted, and with an end in words.

        Raises: RunError: it could not be written; the one before it is still there.
        """
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        keep, self.args.save_total_limit = self.args.save_total_limit, None  # the Trainer would delete before we seal
        if self.args.should_save:
            forget_checkpoint(folder)  # one of an earlier attempt: its seal says nothing about what is written now
        self.accelerator.wait_for_everyone()  # each process writes its own random state there
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                finish_checkpoint(folder, self.origin, keep, self.state.best_model_checkpoint)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch.save makes a RuntimeError of a full disk
            raise not_written(folder, error) from error
        finally:
            self.args.save_total_limit = keep

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        if not self.args.should_save:  # the Trainer asks every process; the first one writes
            self.model.state_dict()  # puts away what is gathered of a base that is shared out: all processes must
            return
        save_adapter(self.model, self.processing_class, output_dir or self.args.output_dir)


def _one_thread(worker: int) -> None:
    """Workers run beside the training: threads of their own would only get in its way."""
    torch.set_num_threads(1)
