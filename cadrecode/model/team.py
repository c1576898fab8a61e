"""Several processes that train one model together, as `accelerate launch` and torchrun start them; or one alone.

Every process holds the whole model and sees pairs of its own; gradients are averaged. For a model of 12 M parameters
one message a step is enough, so there is none of DDP's machinery; the first process alone writes files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed

from cadrecode.errors import RunError
from cadrecode.model import sharding


@dataclass(frozen=True)
class Team:
    """Which of how many this process is. Without a launcher: the first of one.

    Args: shards: the launcher asks that the base be shared out (sharding.py).
    """

    rank: int = 0
    size: int = 1
    shards: bool = False

    @classmethod
    def join(cls, device: torch.device) -> Team:
        """Meet the other processes: over NCCL where each has a GPU, else over gloo."""
        size, shards = int(os.environ.get("WORLD_SIZE", 1)), sharding.take_over()
        if size == 1:
            return cls()
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size(), shards)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier()

    def leave(self) -> None:
        if self.size > 1:
            distributed.destroy_process_group()

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean over the processes, in all of them."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value)
            value /= self.size
        return value

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        averaged = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, averaged.split([gradient.numel() for gradient in gradients])):
            gradient.copy_(part.view_as(gradient))

    def gather(self, value: Any) -> list[Any]:
        """The value of each process, whatever can be pickled, in all of them."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def agree(self, *values: float) -> list[float]:
        """The first process's values, in all of them: clocks differ, and all must stop at the same step."""
        if self.size == 1:
            return list(values)
        on_gpu = distributed.get_backend() == "nccl"
        told = torch.tensor(values, dtype=torch.float64, device="cuda" if on_gpu else "cpu")
        distributed.broadcast(told, 0)
        return told.tolist()


def own_device(device: torch.device) -> torch.device:
    """With several processes on a machine, each takes the GPU of its number. Call it before anything is on a GPU.

    Raises: RunError: there are fewer GPUs than processes.
    """
    if device.type != "cuda" or "LOCAL_RANK" not in os.environ:
        return device
    processes, there = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if processes > there:
        raise RunError(
            "{processes} processes were started, and each needs a GPU of its own: {there} can be seen "
            "here. Start {there}, or set device to cpu.",
            processes=processes,
            there=there,
        )
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device
