"""Processes that train a model together, as `accelerate launch` and torchrun start them; or a single process.

Every process holds the whole model and has pairs of its own; gradients are averaged. A model of 12 M parameters needs a
single message in each step, so DDP is not used. Only the first process writes files.
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
    """The place of this process among those of the training; without a launcher it is the only process.

    Args:
        shards: the launcher requests that the base is shared out (sharding.py).
    """

    rank: int = 0
    size: int = 1
    shards: bool = False

    @classmethod
    def join(cls, device: torch.device) -> Team:
        """Connect to the other processes: over NCCL if each has a GPU, else over gloo."""
        size, shards = int(os.environ.get("WORLD_SIZE", 1)), sharding.take_over()
        if size == 1:
            return cls()
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size(), shards)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            distributed.barrier()

    def leave(self) -> None:
        if self.size > 1:
            distributed.destroy_process_group()

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean over the processes, in each of them."""
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
        """The values of all processes, in each of them; anything that can be pickled."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def agree(self, *values: float) -> list[float]:
        """The values of the first process, in each of them: clocks differ, and all must stop at the same step."""
        if self.size == 1:
            return list(values)
        on_gpu = distributed.get_backend() == "nccl"
        agreed = torch.tensor(values, dtype=torch.float64, device="cuda" if on_gpu else "cpu")
        distributed.broadcast(agreed, 0)
        return agreed.tolist()


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process, where several run on a machine. Call it before anything is on a GPU.

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
