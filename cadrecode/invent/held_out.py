"""Invented parts to measure on, which no training may see: neither their seeds nor, drawn by chance, their shapes."""

from __future__ import annotations

import zlib

import numpy as np

from cadrecode.invent.draw import invent, invent_solid
from cadrecode.program.language import Program
from cadrecode.program.solid import signature

# Seeded by (this word, the family's checksum, the index); training seeds its generators otherwise (`data`, `pretrain`).
# The same for every --seed: reports can be compared.
HELD_OUT = int.from_bytes(b"held-out", "big")


def held_out(family: str, index: int) -> Program:
    """The program of a held-out part: same family and index, same program, on every machine."""
    return invent(_generator(family, index), family)


def held_out_signatures(family: str, count: int) -> frozenset[tuple[int, ...]]:
    """Signatures of the first `count` held-out parts. Other seeds draw the same plain disc now and then: of 300 general
    parts, 10 were among 10,000 of the training.
    """
    return frozenset(signature(invent_solid(_generator(family, index), family).solid) for index in range(count))


def _generator(family: str, index: int) -> np.random.Generator:
    return np.random.default_rng([HELD_OUT, zlib.crc32(family.encode()), index])
