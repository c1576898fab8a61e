"""A base shared out over the processes that train an adapter on it (FSDP), where a single GPU has too little memory.

The frozen base is large, so its layers are cut up: each process keeps a part, and gathers a layer at a time to compute
with it. The adapter and the point encoder are 1 % of the base and stay whole in every process. So everything that is
saved, checked or resumed (adapter, optimizer) is plain tensors, as without FSDP, and rank 0 writes all of it.

accelerate would cut up the adapter, too, gather it for each checkpoint, and silently use DDP on a CPU, as its FSDP is
for accelerators. So the launcher's request is taken away from accelerate here.
"""

from __future__ import annotations

import logging
import os

import torch
from torch import distributed, nn

from cadrecode.errors import ConfigError, Message, ModelError

logger = logging.getLogger(__name__)

REQUEST = "ACCELERATE_USE_FSDP"  # what `accelerate launch` sets for a config with distributed_type: FSDP


def requested() -> bool:
    """Whether the launcher requests FSDP."""
    return os.environ.get(REQUEST, "false").lower() == "true"


def require_possible(quantization: str | None) -> None:
    """Check whether FSDP can be used with a base of this quantization.

    Raises: ConfigError: FSDP is requested, and the settings do not allow it.
    """
    if not requested():
        return
    if quantization is not None:
        raise ConfigError(
            "The launcher asks for FSDP, and a base in {bits} bits cannot be cut up. Turn use_qlora, "
            "load_in_4bit and load_in_8bit off, or start it without the FSDP configuration.",
            bits=quantization.removesuffix("bit"),
        )
    if os.environ.get("FSDP_OFFLOAD_PARAMS", "false").lower() == "true":
        raise ConfigError(
            "fsdp_offload_params is true in the launcher's configuration; here the base stays on the "
            "GPUs. Set it false, and start more processes if the base needs more memory."
        )


def take_over() -> bool:
    """Whether the launcher requests FSDP; from now on accelerate does not see the request."""
    answer = requested()
    os.environ.pop(REQUEST, None)
    return answer


def share_out(model: nn.Module, device: torch.device) -> int:
    """Cut up the frozen weights of a model's decoder layers over all processes, and move the rest to `device`.

    Args:
        model: a PEFT model on the CPU. Layers go to the device one by one, and only a part of each stays there.
    Returns: bytes of the base that this process now holds.
    Raises: ModelError: no layers, weights that cannot be cut (4 or 8 bits), or nothing in the layers that is frozen.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    decoder = model.get_base_model().model
    trained = {parameter for parameter in model.parameters() if parameter.requires_grad}
    frozen = [p for layer in decoder.layers for p in layer.parameters() if p not in trained]
    uncut = next((p for p in frozen if not p.is_floating_point()), None)
    if not frozen or uncut is not None:
        what = Message("no frozen layers")
        if uncut is not None:
            what = Message("layers in {dtype}", dtype=str(uncut.dtype).removeprefix("torch."))
        raise ModelError("FSDP cuts up frozen layers of floating-point numbers, and this base has {what}.", what=what)
    mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
    for layer in decoder.layers:
        fully_shard(layer, mesh=mesh, ignored_params=trained)
    # The decoder gathers the next layer while a layer computes. Its embeddings may be those of the output layer, too.
    fully_shard(decoder, mesh=mesh, ignored_params=trained | set(decoder.embed_tokens.parameters()))
    model.to(device)
    # DDP averages the adapter's gradients, and must ignore what is cut up.
    cut = [name for name, parameter in model.named_parameters() if isinstance(parameter, DTensor)]
    model._ddp_params_and_buffers_to_ignore = cut
    held = [parameter for parameter in model.parameters() if parameter not in trained]
    return sum((p.to_local() if isinstance(p, DTensor) else p).nbytes for p in held)
