"""Time and peak memory of merging an adapter into Qwen3-1.7B's shape on a CPU, against the size of the model in bf16.

    python -m benchmarks.merging [--layers 28] [--json FILE]

The weights are random. Base and adapter are made in a process of their own; the merge is the guide's command in
another, whose peak (of resident memory, mapped files among it) the system tells when it has ended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import gpu

RANK, ALPHA = 16, 32
IMPORTS = "import cadrecode.merge"  # what every merge has in memory, whatever the model


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--shape", default="qwen3-1.7b", choices=sorted(gpu.SHAPES))
    arguments.add_argument("--layers", type=int, default=0, help="fewer layers than the shape has [all]")
    arguments.add_argument("--json", type=Path, help="where the figures go")
    arguments.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.make:
        make(options.shape, options.layers, options.make)
        return
    with tempfile.TemporaryDirectory(prefix="merging-") as name:
        figures = measure(options, Path(name))
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def measure(options: argparse.Namespace, folder: Path) -> dict:
    """What the merge took; sizes in GiB."""
    command = [sys.executable, "-m", "benchmarks.merging", "--shape", options.shape, "--layers", str(options.layers)]
    subprocess.run([*command, "--make", str(folder)], check=True)
    size = sum(path.stat().st_size for path in (folder / "base").glob("*.safetensors")) / 2**30
    idle = _peak_of([sys.executable, "-c", IMPORTS])
    merge = ["-m", "cadrecode", "merge", "--lora_path", folder / "adapter", "--output_path", folder / "merged"]
    started = time.monotonic()
    peak = _peak_of([sys.executable, *map(str, merge)])
    return {
        "shape": options.shape,
        "layers": options.layers or gpu.SHAPES[options.shape].num_hidden_layers,
        "seconds": round(time.monotonic() - started, 1),
        "model_bf16_gib": round(size, 2),
        "peak_gib": round(peak, 2),
        "imports_gib": round(idle, 2),
        "peak_without_imports_by_model": round((peak - idle) / size, 2),
    }


def _peak_of(command: list[str]) -> float:
    """Most resident memory of one process, in GiB."""
    process = subprocess.Popen(command, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    return used.ru_maxrss / 2**20


def make(shape: str, layers: int, folder: Path) -> None:
    """The base in bf16, and an adapter that changes something."""
    import torch

    from cadrecode.model.adapters import attach_lora, save_adapter
    from cadrecode.model.load import load_model, save_model
    from cadrecode.model.tokens import build_tokenizer

    if layers:
        gpu.SHAPES[shape] = replace(gpu.SHAPES[shape], num_hidden_layers=layers)
    torch.manual_seed(0)
    save_model(gpu._random_model(shape, "cpu", torch.bfloat16, stock=False), build_tokenizer([]), folder / "base")
    base, tokenizer = load_model(folder / "base", device="cpu", dtype=torch.bfloat16)
    wrapped = attach_lora(base, r=RANK, alpha=ALPHA, dropout=0.0)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.01)
    save_adapter(wrapped, tokenizer, folder / "adapter")


if __name__ == "__main__":
    main()
