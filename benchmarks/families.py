"""Does fine-tuning learn a family of parts from meshes alone: fins, teeth, enclosures, which the base cannot know?

    python -m benchmarks.families [--families fins teeth enclosures] [--parts 300] [--minutes 20] [--one_side]

Draws parts of each family with a seed, and writes their meshes, in millimetres; `--held-out` others are kept away. On
the meshes alone, `cadrecode label` and `cadrecode train` (`configs/parts.yaml`) run as commands, together for at most
`--minutes` by the clock, or with `--processor-time` of each processor: short trainings say how many steps fit. Then the
held-out parts are rebuilt from clouds of 8,192 points: by the base, by the adapter, and with `--one_side`, where clouds
lack what cannot be seen from one place, by measuring alone.

A row: single greedy programs, and the best of 8 by their distance to the cloud (nothing is chosen by the true solid); a
failure counts with an IoU of 0. "Count right": the solid has as many fins or teeth as the part, in a cut through them.
With `--fit` the best three are fitted to the cloud as well, which has columns of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from manifold3d import CrossSection

from cadrecode.config import TrainConfig
from cadrecode.engine import Engine
from cadrecode.errors import ProgramError
from cadrecode.evaluation import evaluate
from cadrecode.parallel import processor_time
from cadrecode.program import build, mesh_of, parse
from cadrecode.scans import Scan
from cadrecode.trial import Trial

CONFIG = "configs/parts.yaml"
SETTINGS = {"do_eval": False, "auto_merge_final": False, "merge_final_only": False, "auto_merge_lora": False,
            "save_steps": 100_000}  # fmt: skip
COPIES = 3000  # in all, so that few parts have more of them
PROBES, PROBE_PARTS = (2, 14), 24  # steps, and parts, of the trainings that say how fast this machine is
RESERVE = 0.8  # of the time left is for steps; the rest for reading, copies, and for what else the machine does
HEADS = "family", "who", "median, single", "mean, single", "median, best of the candidates", "count right", "invalid"
RING = 1.5  # CODE, width of the ring in which teeth are cut


def fins(rng: np.random.Generator) -> tuple[str, int]:
    """A heat sink. Returns: program in millimetres, and the number of fins."""
    count, wide, deep = int(rng.integers(5, 23)), rng.uniform(40, 120), rng.uniform(25, 80)
    base, high, share, edge = rng.uniform(3, 8), rng.uniform(10, 40), rng.uniform(0.35, 0.6), rng.uniform(0, 12)
    pitch = wide / (count - 1 + share)
    text = f"r=cq.Workplane('XY').rect({wide + 2 * edge:.2f},{deep:.2f}).extrude({base:.2f}).faces('>Z').workplane()"
    text += f".rarray({pitch:.4f},1,{count},1).rect({share * pitch:.3f},{deep:.2f}).extrude({high:.2f})"
    return text, count


def teeth(rng: np.random.Generator) -> tuple[str, int]:
    """A gear with straight teeth."""
    count, root, thick = int(rng.integers(8, 41)), rng.uniform(15, 40), rng.uniform(5, 20)
    depth, wide = rng.uniform(0.12, 0.25) * root, rng.uniform(0.4, 0.55) * 2 * math.pi * root / count
    sketch = f"circle({root:.2f}).parray({root:.2f},0,360,{count}).rect({2 * depth:.2f},{wide:.2f})"
    sketch += f".reset().circle({rng.uniform(0.15, 0.5) * root:.2f},mode='s')"
    return f"r=cq.Workplane('XY').sketch().{sketch}.finalize().extrude({thick:.2f})", count


def enclosures(rng: np.random.Generator) -> tuple[str, int]:
    """An open box with posts for screws, and perhaps a slot for a cable."""
    (wide, deep), high, wall = rng.uniform(40, 120, 2), rng.uniform(15, 50), rng.uniform(1.5, 4)
    post, inset = rng.uniform(5, 9), rng.uniform(6, 9) + wall
    text = f"r=cq.Workplane('XY').rect({wide:.2f},{deep:.2f}).extrude({high:.2f}).faces('>Z').workplane()"
    text += f".rect({wide - 2 * wall:.2f},{deep - 2 * wall:.2f}).cutBlind({wall - high:.2f})\n"
    at = ",".join(f"({x * (wide / 2 - inset):.2f},{y * (deep / 2 - inset):.2f})" for x in (-1, 1) for y in (-1, 1))
    posts = f"pushPoints([{at}]).circle({post / 2:.2f}).circle({post / 5:.2f})"
    text += f"r=r.union(cq.Workplane('XY').workplane(offset={wall / 2:.2f}).{posts}.extrude({0.7 * high:.2f}))"
    if rng.random() < 0.5:
        slot = f"box({rng.uniform(8, 20):.2f},{4 * wall:.2f},{0.4 * high:.2f})"
        text += f"\nr=r.cut(cq.Workplane('XY',origin=(0,{deep / 2:.2f},{high:.2f})).{slot})"
    return text, 0


FAMILIES = {"fins": fins, "teeth": teeth, "enclosures": enclosures}


def count_in(program: str, family: str) -> int:
    """Fins cut near their ends, teeth in a ring near their tips, of a part that stands upright; -1: invalid."""
    try:
        solid = build(parse(program))
    except ProgramError:
        return -1
    x0, y0, z0, x1, y1, z1 = solid.bounding_box()
    if family == "fins":
        return len(solid.slice(z0 + 0.9 * (z1 - z0)).decompose())
    reach = max(x1 - x0, y1 - y0) / 2
    ring = CrossSection.circle(0.96 * reach, 256) - CrossSection.circle(0.96 * reach - RING, 256)
    return len((solid.slice((z0 + z1) / 2) ^ ring.translate(((x0 + x1) / 2, (y0 + y1) / 2))).decompose())


def make_parts(folder: Path, family: str, parts: int, held_out: int, seed: int) -> dict[str, int]:
    """Write train.npz and held_out.npz. Returns: the count of each held-out part."""
    rng, counts, arrays = np.random.default_rng([seed, *family.encode()]), {}, ({}, {})
    for number in range(parts + held_out):
        text, count = FAMILIES[family](rng)
        vertices, faces = mesh_of(build(parse("import cadquery as cq\n" + text)))
        name = f"{family}-{number:04d}"
        arrays[number >= parts].update({f"{name}_v": vertices, f"{name}_f": faces})
        if number >= parts:
            counts[name] = count
    np.savez(folder / "train.npz", **arrays[0])
    np.savez(folder / "held_out.npz", **arrays[1])
    return counts


def clock(options: argparse.Namespace) -> float:
    """Seconds, of the clock or of the processor time that commands took, shared out over the processes."""
    if not options.processor_time:
        return time.monotonic()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / options.processes


def labels_of(folder: Path, options: argparse.Namespace) -> tuple[Path, int]:
    """Measure the parts to learn from. Returns: the folder of their labels, and how many there are."""
    labels = folder / "labels"
    words = ["label", "--parts", folder / "train.npz", "--out", labels, "--workers", options.processes]
    words += ["--processor-time"] if options.processor_time else []
    subprocess.run([sys.executable, "-m", "cadrecode", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return labels, json.loads((labels / "report.json").read_text("utf-8"))["used"]


def more_settings(kept: int, options: argparse.Namespace) -> dict[str, float]:
    """The settings of a training that depend on the number of its parts, and on how they are seen."""
    copies = max(1, COPIES // kept)
    return {"warped_copies": copies, "pattern_copies": copies, "partial_probability": 0.7 if options.one_side else 0.0}


def teach(folder: Path, options: argparse.Namespace) -> tuple[Path, str]:
    """Label and train within the time. Returns: the adapter, and what was done, in words."""
    started = clock(options)
    labels, kept = labels_of(folder, options)
    labelled, more = clock(options) - started, more_settings(kept, options)
    steps = options.steps
    if steps is None:
        spent = [clock(options)]
        for count in PROBES:
            trained(folder / f"probe-{count}", labels, options, max_steps=count, max_train_samples=PROBE_PARTS)
            spent.append(clock(options))
        a_step = (spent[2] - 2 * spent[1] + spent[0]) / (PROBES[1] - PROBES[0])
        left = 60 * options.minutes - (clock(options) - started)
        steps = max(1, int(RESERVE * left / a_step))
    adapter = trained(folder / "adapter", labels, options, max_steps=steps, **more)
    took, of = (clock(options) - started) / 60, f" of {options.processes} processors" if options.processor_time else ""
    return (
        adapter,
        f"{kept} of {options.parts} labelled in {labelled / 60:.1f} min, {steps} steps, {took:.1f} min{of} in all",
    )


def trained(folder: Path, labels: Path, options: argparse.Namespace, **changes: object) -> Path:
    settings = {"train_data_path": str(labels), "model_save_path": str(folder), "seed": options.seed}
    config = TrainConfig.load(CONFIG, SETTINGS | settings | changes)
    path = folder.with_suffix(".yaml")
    path.write_text(config.to_yaml(), encoding="utf-8")
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(options.processes)]
    command = [*(launch if options.processes > 1 else []), "train_cad_recode_lora.py", "--config", str(path)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return folder


def count_right(family: str, shapes: list[dict], counts: dict[str, int], prefix: str) -> str:
    found = [count_in(shape[f"{prefix}program"], family) == counts[shape["id"]] for shape in shapes]
    return f"{np.mean(found):.0%}" if any(counts.values()) else "-"


def cells_of(name: str, family: str, shapes: list[dict], counts: dict[str, int], single: str) -> list[str]:
    """What stands under HEADS. `single`: the prefix of single samples' figures; empty where there is no other."""
    ious = np.array([shape[f"{single}iou"] for shape in shapes])
    best = f"{np.median([shape['iou'] for shape in shapes]):.3f}" if single else "-"
    invalid = np.mean([shape[f"{single}cd"] is None for shape in shapes])
    right = count_right(family, shapes, counts, single)
    return [family, name, f"{np.median(ious):.3f}", f"{ious.mean():.3f}", best, right, f"{invalid:.0%}"]


def row(name: str, family: str, shapes: list[dict], counts: dict[str, int], single: str) -> str:
    """A row of the table, with the figures of fitted programs where there are any."""
    cells = cells_of(name, family, shapes, counts, single)
    fitted = [shape["fit_iou"] for shape in shapes if "fit_iou" in shape]
    cells += [f"{np.median(fitted):.3f}", count_right(family, shapes, counts, "fit_")] if fitted else ["-", "-"]
    return f"| {' | '.join(cells)} |"


def measured_on(
    folder: Path, name: str, adapter: Path | None, engine: Engine, options: argparse.Namespace
) -> list[dict]:
    """The held-out parts, rebuilt by the base or by an adapter; the report is kept under its name."""
    engine.open("embedded", adapter)
    with engine.ready() as (model, tokenizer), processor_time() if options.processor_time else nullcontext():
        report = evaluate(folder / "held_out.npz", model, tokenizer, candidates=options.candidates,
                          seed=options.seed, one_side=options.one_side, fit_seconds=options.fit)  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(report), encoding="utf-8")
    return report["shapes"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--parts", type=int, default=300, help="to learn from, as meshes [%(default)s]")
    parser.add_argument("--held-out", type=int, default=30, help="to measure with [%(default)s]")
    parser.add_argument("--minutes", type=float, default=20, help="of labelling and training [%(default)s]")
    parser.add_argument("--processor-time", action="store_true", help="minutes count processor time, not the clock's")
    parser.add_argument("--fit", type=float, default=0.0, help="seconds to fit the best three of a part [%(default)s]")
    parser.add_argument("--steps", type=int, help="of training, in place of what fits the minutes")
    parser.add_argument("--adapter", type=Path, help="measure this adapter alone, and teach none")
    parser.add_argument("--one_side", action="store_true", help="parts are seen from one place, in training too")
    for name, count in (("candidates", 8), ("processes", 2), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=count, help="[%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("runs/families"), help="parts, labels, adapters, reports")
    options = parser.parse_args()
    engine, rows = Engine("cpu"), []
    for family in options.families:
        folder = options.out / family
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        counts = make_parts(folder, family, options.parts, options.held_out, options.seed)
        measured = [("adapter", options.adapter)]
        if options.adapter is None:
            adapter, done = teach(folder, options)
            print(f"{family}: {done}", flush=True)
            measured = [("base", None), ("adapter", adapter)]
        for name, path in measured:
            shapes = measured_on(folder, name, path, engine, options)
            rows.append(row(name, family, shapes, counts, "single_"))
        if options.one_side:
            report = Trial(source="measured", seconds=10, seed=options.seed, scan=Scan(flaw="seen aslant")).run(
                folder / "held_out.npz"
            )
            rows.append(row("measured alone", family, report["shapes"], counts, ""))
    heads = *HEADS, "median, fitted", "count right, fitted"
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
