"""What becomes of the memory that a training on a CPU frees."""

from __future__ import annotations

import ctypes
import sys

from cadrecode.config import TrainConfig
from cadrecode.estimate import Estimate

M_MMAP_THRESHOLD = -3  # in glibc's malloc.h
BLOCK_BYTES = 2**20
SCARCE = 0.5  # share of the free memory above which a training does better to give back what it frees


def is_scarce(config: TrainConfig, expected: Estimate) -> bool:
    """Whether memory counts for more than time: asked for, or less free than twice what is expected."""
    return config.gradient_checkpointing or expected.peak_bytes > SCARCE * expected.available_bytes


def return_freed_blocks() -> bool:
    """From now on in this process, a block of 1 MB or more goes back to the system when it is freed.

    Of itself glibc keeps blocks below 32 MB for later, and fits torch's aligned blocks badly into the holes: at 4 x 512
    tokens, hidden size 512, the process grew to 2.35 GB in place of 1.78, with gradient checkpointing to 1.53 in place
    of 0.80. The price is that the system makes fresh pages for each block: there, a step took 6.6 s of the processor
    in place of 4.4 (10.4 in place of 6.8 with checkpointing). The wider the model, the less of a step that is.

    Returns: whether it is so; only glibc on Linux is known to need it, and to have it.
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    return hasattr(library, "gnu_get_libc_version") and library.mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES) == 1
