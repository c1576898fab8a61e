"""Time and peak memory of merging an adapter into Qwen3-1.7B's shape on a CPU, against the size of the model in bf16.

    python -m benchmarks.merging [--layers 28] [--json FILE]

The weights are random. Base and adapter are made in a process of their own; the merge is the guide's command in
another, which starts one more to verify. Memory is what both have resident at one time, mapped files among it, looked
at every few milliseconds; what their libraries alone take, which both import, is told apart.
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
IMPORTS = "import cadrecode.merging.merge"  # what each of both processes has in memory, whatever the model
LOOK_SECONDS = 0.005


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
    idle, _ = _peak_of([sys.executable, "-c", IMPORTS])
    merge = ["-m", "cadrecode", "merge", "--lora_path", folder / "adapter", "--output_path", folder / "merged"]
    started = time.monotonic()
    peak, processes = _peak_of([sys.executable, *map(str, merge)])
    return {
        "shape": options.shape,
        "layers": options.layers or gpu.SHAPES[options.shape].num_hidden_layers,
        "seconds": round(time.monotonic() - started, 1),
        "model_bf16_gib": round(size, 2),
        "peak_gib": round(peak, 2),
        "processes_at_the_peak": processes,
        "imports_gib": round(idle, 2),
        "peak_by_model": round(peak / size, 2),
        "peak_without_imports_by_model": round((peak - processes * idle) / size, 2),
    }


def _peak_of(command: list[str]) -> tuple[float, int]:
    """Most resident memory of a process and those it starts, at one time and in GiB; and how many they were."""
    process = subprocess.Popen(command, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    most = (0.0, 1)
    while process.poll() is None:
        family = [process.pid, *_children_of(process.pid)]
        most = max(most, (sum(map(_resident, family)), len(family)))
        time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return most


def _children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()]
    except OSError:  # it has just ended
        return []


def _resident(pid: int) -> float:
    """GiB."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1])
    except (OSError, IndexError):  # it has just ended
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


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
