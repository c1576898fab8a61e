"""How long it takes to switch between adapters of one base: two of the guide's kind on the embedded base, on a CPU.

python -m benchmarks.switching [--times 50]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

RANK, ALPHA = 16, 32


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--times", type=int, default=50, help="switches [%(default)s]")
    times = arguments.parse_args().times
    import torch
    from peft import LoraConfig

    from cadrecode.model.adapters import ENCODER, TARGETS, attach_lora, set_adapter
    from cadrecode.model.load import load_model

    model, _ = load_model(device="cpu")
    wrapped = attach_lora(model, r=RANK, alpha=ALPHA, dropout=0.0)
    other = LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=list(TARGETS), modules_to_save=[ENCODER], task_type="CAUSAL_LM"
    )
    wrapped.add_adapter("other", other)
    took = []
    with torch.no_grad():
        for number in range(times):
            name = ("other", None, "default")[number % 3]
            started = time.perf_counter()
            set_adapter(wrapped, name)
            took.append(1000 * (time.perf_counter() - started))
    layers = sum("other" in getattr(module, "lora_A", ()) for module in wrapped.modules())
    figures = {"layers": layers, "switches": times, "median_ms": statistics.median(took), "worst_ms": max(took)}
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
