"""Checks of this machine for the package: each finding is well, or names its cure."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from cadrecode.errors import Message, joined
from cadrecode.figures import GIB
from cadrecode.kernel import shared_sandbox
from cadrecode.shipped import ROOT

OLDEST_PYTHON = (3, 11)
LEAST_DISK = 5 * GIB  # a training's checkpoints, and a merged copy of a small model
HUB = "https://huggingface.co"
PROBE = "import cadquery as cq\nr=cq.Workplane('XY').box(1,2,3)"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: What it is, in a word or two.
        text: What was found.
        cure: What to do about it; empty where it is well.
    """

    name: str
    text: str
    cure: str = ""

    @property
    def ok(self) -> bool:
        return not self.cure


def examine(folder: str | Path = ".") -> Iterator[Finding]:
    """Look at Python, packages, the device, CadQuery, the sandbox, the disk of a folder, and the hub, in this order."""
    yield _python()
    yield _packages()
    yield _device()
    yield _four_bits()
    yield from _sandbox()
    yield _disk(Path(folder))
    yield _hub()


def _python() -> Finding:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    cure = "" if sys.version_info >= OLDEST_PYTHON else Message("Use Python {oldest} or newer.", oldest=oldest)
    return Finding("Python", sys.version.split()[0], cure)


def _packages() -> Finding:
    """Whether the packages are there, in the versions that were tried."""
    wrong = []
    wanted = _requirements()
    for requirement in wanted:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(Message("{package} is missing", package=requirement.name))
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(
                Message(
                    "{package} is {version}, not {wanted}",
                    package=requirement.name,
                    version=version,
                    wanted=requirement.specifier,
                )
            )
    if not wrong:
        return Finding("packages", Message("{n} in the versions that were tried", n=len(wanted)))
    return Finding(
        "packages", joined("{first}; {second}", wrong), Message("Install the requirements again: pip install .")
    )


def _requirements() -> list[Requirement]:
    """Those of the checkout, else those of the installed package."""
    file = ROOT / "requirements.txt"
    if file.is_file():
        lines = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
        return [Requirement(line) for line in lines if line]
    wanted = map(Requirement, importlib.metadata.requires("cadrecode") or ())
    return [requirement for requirement in wanted if requirement.marker is None]


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
        text = Message("{name}, {free:.1f} of {total:.1f} GB free", name=name, free=free / GIB, total=total / GIB)
        return Finding("device", text)
    memory = psutil.virtual_memory()
    cores = psutil.cpu_count(logical=False) or 1
    text = Message(
        "no GPU; {cores} cores, {free:.1f} of {total:.1f} GB free",
        cores=cores,
        free=memory.available / GIB,
        total=memory.total / GIB,
    )
    return Finding("device", text)


def _four_bits() -> Finding:
    """Whether bitsandbytes packs and unpacks weights on this device, as QLoRA needs it."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        from bitsandbytes.functional import dequantize_4bit, quantize_4bit

        weights = torch.linspace(-1, 1, 4096, device=device).reshape(64, 64)
        packed, state = quantize_4bit(weights, quant_type="nf4")
        error = (dequantize_4bit(packed, state) - weights).abs().max().item()
    except (ImportError, RuntimeError, AttributeError) as broken:
        return Finding("4 bits", str(broken), Message("QLoRA will not work here. LoRA does."))
    return Finding(
        "4 bits", Message("weights are packed on {device}, off by {error:.2f} at most", device=device, error=error)
    )


def _sandbox() -> Iterator[Finding]:
    """A test build in OpenCASCADE, and the layers that confine programs."""
    sandbox = shared_sandbox()
    built = sandbox.run(PROBE)
    cure = "" if built.valid else Message("Install cadquery and cadquery-ocp again.")
    yield Finding("CadQuery", Message("a box was built") if built.valid else str(built.detail or built.outcome), cure)
    missing = sandbox.missing_layers()
    cure = ""
    if missing:
        cure = Message("Missing: {layers}. Do not let others in; see SECURITY.md.", layers=_listed(missing))
    yield Finding("sandbox", Message("confined by {layers}", layers=_listed(sandbox.layers())), cure)


def _listed(layers: list[str]) -> str:
    return joined("{first}, {second}", map(Message, layers))


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    cure = "" if free >= LEAST_DISK else Message("Trainings need {least:.0f} GB: make room.", least=LEAST_DISK / GIB)
    return Finding("disk", Message("{free:.1f} GB free in {folder}", free=free / GIB, folder=folder.resolve()), cure)


def _hub() -> Finding:
    """Whether models can be fetched by name. Without a network, those that are on this disk are used: that is well."""
    try:
        with urllib.request.urlopen(HUB, timeout=3):
            return Finding("hub", Message("{address} answers", address=HUB))
    except OSError:
        return Finding("hub", Message("{address} does not answer: models come from this disk", address=HUB))
