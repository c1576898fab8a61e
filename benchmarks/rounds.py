"""Do rounds, or training by a reward, teach a family more than further training does in the same processor time?

    python -m benchmarks.rounds [--family teeth] [--parts 30] [--minutes 8] [--one_side]

Measures the parts of a family (`benchmarks/families.py`), makes copies, and trains an adapter on them, with which three
ways begin. Each has `--minutes` of `--processes` processors:

- control: training goes on with the same programs;
- rounds: programs are drawn for all parts and for some copies, as the adapter sees them in training. The best draw for
  a part without a good label is fitted, and of label and draws, what is worth most by the part's own mesh is kept.
  Where draws miss, what is right is learnt more often, and what was built is a pair of its own. Then training goes on;
- reward: a group of programs is drawn for a part or a copy, each worth its IoU less a price for each number. Likelier
  become those that are worth more than the rest of their group (GRPO, Shao et al. 2024), and the adapter stays close to
  what it was. Each group is used once, so nothing is clipped; the point encoder stays as it is.

Then parts that none has seen are rebuilt, as in `benchmarks/families.py`. Minutes are what a way really took. The gain
is that of single programs' mean IoU over the control's, with a 90 % bootstrap interval over the held-out parts.
"""

from __future__ import annotations

import argparse
import logging
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from manifold3d import Manifold
from torch import nn
from torch.optim import AdamW, Optimizer
from transformers import PreTrainedTokenizerBase

from benchmarks import families
from cadrecode.config import TrainConfig
from cadrecode.data.alike import alike
from cadrecode.data.batches import Collate, EncodedPair, Views
from cadrecode.data.copies import copies_of, pattern_copy, warped_copy
from cadrecode.data.dataset import POOL_POINTS, make_pair, write_built
from cadrecode.data.digits import with_few_digits
from cadrecode.data.pairs import Pair, Programs
from cadrecode.data.views import true_solid
from cadrecode.engine import Engine
from cadrecode.errors import ProgramError
from cadrecode.fit import fit
from cadrecode.frames import CODE_PER_MODEL, Frame
from cadrecode.model.adapters import PeftModel, save_adapter
from cadrecode.model.decode import draw
from cadrecode.model.network import IGNORED
from cadrecode.model.spectrum import HEARD_POINTS
from cadrecode.model.team import Team
from cadrecode.model.tokens import encode_program
from cadrecode.parallel import processor_time
from cadrecode.program import iou, mesh_of, parse, write
from cadrecode.program.solid import bounds, sample
from cadrecode.runs import Run
from cadrecode.scoring import Target, build_text
from cadrecode.scoring.bootstrap import interval
from cadrecode.scoring.targets import load_targets
from cadrecode.training.base import Precision, load_base
from cadrecode.training.live import NO_TOKENS, attach
from cadrecode.training.reading import read_programs

Batch = dict[str, torch.Tensor]

PRICE, INVALID = 1e-3, -0.5  # of a number, in IoU; what a program without a solid is worth
GOOD, USABLE = 0.98, 0.9  # IoU of a label that needs no fit, and of a draw that is right
GAIN = 0.005  # in worth, of a draw that takes a label's place: less is rounding
WEIGHT, MOST_WRONG = 4, 2  # of what a failure teaches, in a training's programs; wrong draws of a part
TEMPERATURE, GROUP, ROWS = 0.8, 8, 32  # draws of a part, and clouds decoded together
MOST_TOKENS = 128  # of a draw, which fails if it is longer: few programs of these families have half of that
REWARD_RATE, CLOSENESS = 2e-4, 0.02
RATE, WARM_UP, PROBE = 7e-4, 20, 14  # of a training that goes on; steps of the one that says how fast this machine is


def worth(text: str, solid: Manifold) -> float:
    """The IoU of a program with a part, CODE, less the price of its numbers."""
    built = build_text(text)
    return iou(built.solid, solid) - PRICE * built.number_count if built.ok else INVALID


def likeness(text: str, solid: Manifold) -> float:
    built = build_text(text)
    return iou(built.solid, solid) if built.ok else 0.0


def better(label: str, drawn: Sequence[str], solid: Manifold) -> str:
    """The draw that is worth most, or the label unless that is worth clearly less.

    Args:
        label: Empty where the part has none, which is also what comes back where no draw is right.
    """
    best = max(drawn, key=lambda text: worth(text, solid), default=label)
    is_better = likeness(best, solid) >= USABLE and worth(best, solid) > worth(label, solid) + GAIN
    return write(alike(with_few_digits(alike(parse(best))))) if is_better else label


def advantages(rewards: torch.Tensor) -> torch.Tensor:
    """(parts, draws) -> the same: above or below the mean of a part's draws, by their spread; 0 where all are equal."""
    above = rewards - rewards.mean(dim=1, keepdim=True)
    spread = above.pow(2).mean(dim=1, keepdim=True).sqrt()
    return torch.where(spread > 1e-6, above / spread.clamp(min=1e-6), 0.0)


def log_probabilities(model: nn.Module, batch: Batch) -> torch.Tensor:
    """(B, T - 1) float32: of each label, at the temperature at which it was drawn; 0 where there is none."""
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    logits = model(**inputs).logits[:, :-1].float() / TEMPERATURE
    labels = batch["labels"][:, 1:]
    chosen = logits.log_softmax(dim=-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return chosen.masked_fill(labels == IGNORED, 0.0)


def reward_loss(now: torch.Tensor, before: torch.Tensor, gains: torch.Tensor, labelled: torch.Tensor) -> torch.Tensor:
    """The loss of GRPO for programs that the model has just drawn, with the KL divergence as Schulman (2020) has it.

    Args:
        now: (B, T) of `log_probabilities`, by the model that learns.
        before: The same by the model that it began as.
        gains: (B,), the advantages.
        labelled: (B, T) bool, the tokens that count.
    """
    toward = (now - now.detach()).exp() * gains.unsqueeze(1)
    apart = (before - now).exp() - (before - now) - 1
    return (CLOSENESS * apart - toward)[labelled].mean()


def spent() -> float:
    """Seconds of the processor, of this process and of those that it has started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Task:
    """What the three ways have in common.

    Args:
        folder: Of the family.
        parts: To learn from, with their meshes; the text of a part without a label is empty.
        pairs: What the adapter was trained on: labels and copies.
        config: Of the training that made the adapter.
        a_step: Seconds of the processor for a step of a training in `options.processes` processes.
        a_training: The same for all else that it does.
    """

    folder: Path
    parts: list[Pair]
    pairs: list[Pair]
    config: TrainConfig
    a_step: float
    a_training: float
    options: argparse.Namespace

    @property
    def start(self) -> Path:
        return self.folder / "start"

    @property
    def seconds(self) -> float:
        """Of the processor, for each way."""
        return 60 * self.options.minutes * self.options.processes

    @property
    def seen(self) -> list[Pair]:
        """The parts, and the copies of those that have a label."""
        names = {part.name for part in self.parts}
        return self.parts + [pair for pair in self.pairs if pair.name not in names]

    def views(self, pairs: Sequence[Pair], seed: int) -> Views:
        """Clouds as training shows them."""
        config = self.config
        return Views([EncodedPair(pair, NO_TOKENS) for pair in pairs], config.n_points, HEARD_POINTS, seed=seed,
                     noise_probability=config.noise_probability, noise_std=config.noise_std,
                     partial_probability=config.partial_probability)  # fmt: skip

    def model(self, adapter: Path) -> tuple[PeftModel, PreTrainedTokenizerBase]:
        """The base with an adapter that can learn, and the tokenizer."""
        model, tokenizer = load_base(self.config, Precision.of(self.config))
        return attach(self.config.changed(init_from_adapter=str(adapter)), model).eval(), tokenizer

    def go_on(self, name: str, adapter: Path, programs: Path, seconds: float) -> Path:
        """Train an adapter further, for so many seconds of the processor. Returns: its folder."""
        steps = max(1, round((seconds - self.a_training) / self.a_step))
        return families.trained(
            self.folder / name, programs, self.options, max_steps=steps, warmup_steps=min(WARM_UP, steps // 2),
            learning_rate=RATE, init_from_adapter=str(adapter), **as_they_are(self.config.partial_probability),
        )  # fmt: skip


def as_they_are(partial_probability: float) -> dict[str, object]:
    """The settings of a training on programs that have their copies and their spelling already."""
    return {"warped_copies": 0, "pattern_copies": 0, "canonical": "no", "partial_probability": partial_probability}


def control(task: Task) -> Path:
    return task.go_on("control", task.start, task.folder / "programs", task.seconds)


def rounds(task: Task) -> Path:
    began, adapter, rng = spent(), task.start, np.random.default_rng(task.options.seed)
    for number in range(1, task.options.rounds + 1):
        copies = task.seen[len(task.parts) :]
        chosen = rng.permutation(len(copies))[: max(0, task.options.drawn - len(task.parts))]
        asked = [*task.parts, *(copies[i] for i in chosen)]
        parts, missed = redrawn(task, adapter, asked, number)
        news = [part for part, before in zip(parts, task.parts) if part.text != before.text]
        pairs = [pair for pair in task.pairs if pair.name not in {new.name for new in news}] + news
        for copy in (warped_copy, pattern_copy):
            pairs += copies_of(Programs("", news, []), copy, max(1, families.COPIES // len(parts)), number)
        task = replace(task, parts=parts, pairs=pairs)
        programs = task.folder / f"programs-{number}"
        write_built(programs, Programs(str(programs), [replace(pair, mesh=None) for pair in pairs + missed], []))
        share = task.seconds * number / task.options.rounds - (spent() - began)
        adapter = task.go_on(f"round-{number}", adapter, programs, share)
    return adapter


def redrawn(task: Task, adapter: Path, asked: list[Pair], seed: int) -> tuple[list[Pair], list[Pair]]:
    """Draw programs for parts and copies. Returns: the parts with the better programs, and what failures teach."""
    model, tokenizer = task.model(adapter)
    views, texts = task.views(asked, task.options.seed + seed), []
    for place in range(0, GROUP * len(asked), ROWS):
        numbers = range(place, min(place + ROWS, GROUP * len(asked)))
        clouds = np.stack([views[number // GROUP + number % GROUP * len(asked)]["point_cloud"] for number in numbers])
        texts += draw(model, tokenizer, clouds, temperature=TEMPERATURE, seed=seed + place, max_new_tokens=MOST_TOKENS)
    parts, missed, fitted = [], [], 0
    for number, pair in enumerate(asked):
        drawn, solid = sorted(set(texts[number * GROUP : (number + 1) * GROUP])), true_solid(pair)
        if number < len(task.parts):
            if likeness(pair.text, solid) < GOOD:
                best = max(drawn, key=lambda text: worth(text, solid))
                drawn.append(moved(best, pair, task.options.fit_seconds))
                fitted += 1
            pair = replace(pair, text=better(pair.text, drawn, solid))
            parts.append(pair)
        missed += lessons(pair, drawn, solid)
    changed = sum(part.text != before.text for part, before in zip(parts, task.parts))
    print(f"round {seed}: {len(asked)} parts and copies, {fitted} fits, {changed} new labels, {len(missed)} lessons")
    return parts, missed


def moved(text: str, pair: Pair, seconds: float) -> str:
    """A program fitted to the points of its part, and spelled as `cadrecode label` would; as it is without a solid."""
    if not build_text(text).ok:
        return text
    points = np.asarray(pair.points, np.float64) * CODE_PER_MODEL
    with processor_time():
        fitted = fit(parse(text), points, seconds=seconds).program
    return write(alike(with_few_digits(alike(fitted))))


def lessons(pair: Pair, drawn: Sequence[str], solid: Manifold) -> list[Pair]:
    """Pairs of what was built in place of a part, and of what is right, so often that they weigh something.

    Draws that are longer than what is right would teach another spelling.
    """
    length, pairs = build_text(pair.text).number_count, []
    for number, text in enumerate(drawn):
        built = build_text(text)
        if built.ok and built.number_count <= length and iou(built.solid, solid) < USABLE:
            try:
                pairs.append(make_pair(f"{pair.name}, drawn {number}", write(with_few_digits(built.program))))
            except ProgramError as error:
                logging.info("A draw cannot be learnt: %s", error)
        if len(pairs) == MOST_WRONG:
            break
    return [pair, *pairs] * WEIGHT if pairs else []


def reward(task: Task) -> Path:
    began, pairs, means, step = spent(), task.seen, [], 0
    (model, tokenizer), (first, _) = task.model(task.start), task.model(task.start)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".lora_" in name)
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = AdamW(learnt, lr=REWARD_RATE, weight_decay=0.0)
    views, rng = task.views(pairs, task.options.seed + 1), np.random.default_rng(task.options.seed)
    collate = Collate(tokenizer.pad_token_id, model.get_base_model().n_point_tokens)
    while (share := (spent() - began) / task.seconds) < 1:
        optimizer.param_groups[0]["lr"] = REWARD_RATE * (1 - share)
        chosen = np.repeat(rng.choice(len(pairs), min(ROWS // GROUP, len(pairs)), replace=False), GROUP)
        seen = {i: views[step * len(pairs) + i] for i in set(chosen)}
        clouds = np.stack([seen[i]["point_cloud"] for i in chosen])
        texts = draw(model, tokenizer, clouds, temperature=TEMPERATURE, seed=step, max_new_tokens=MOST_TOKENS)
        solids = {i: true_solid(pairs[i]) for i in seen}
        rewards = torch.tensor([worth(text, solids[i]) for text, i in zip(texts, chosen)])
        tokens = [np.array(encode_program(tokenizer, text)) for text in texts]
        gains = advantages(rewards.view(-1, GROUP)).flatten()
        rows = [place for place in range(len(gains)) if gains[place] != 0]
        if rows:
            batch = collate([seen[chosen[place]] | {"tokens": tokens[place]} for place in rows])
            learn(model, first, batch, gains[rows], optimizer)
        means.append(float(rewards.mean()))
        step += 1
    fifth = max(1, step // 5)
    print(f"reward: {step} steps; worth at first {np.mean(means[:fifth]):.3f}, at last {np.mean(means[-fifth:]):.3f}")
    save_adapter(model, tokenizer, task.folder / "reward")
    return task.folder / "reward"


def learn(model: nn.Module, first: nn.Module, batch: Batch, gains: torch.Tensor, optimizer: Optimizer) -> None:
    """A step towards the draws that are worth more than the rest of their group."""
    with torch.no_grad():
        before = log_probabilities(first, batch)
    labelled = batch["labels"][:, 1:] != IGNORED
    reward_loss(log_probabilities(model, batch), before, gains, labelled).backward()
    nn.utils.clip_grad_norm_([parameter for group in optimizer.param_groups for parameter in group["params"]], 1.0)
    optimizer.step()
    optimizer.zero_grad()


WAYS: dict[str, Callable[[Task], Path]] = {"control": control, "rounds": rounds, "reward": reward}


def prepared(folder: Path, options: argparse.Namespace) -> Task:
    """Label the parts, make copies, and train the adapter that all begin with."""
    labels, kept = families.labels_of(folder, options)
    more = families.more_settings(kept, options)
    config = TrainConfig.load(
        families.CONFIG, families.SETTINGS | more | {"train_data_path": str(labels), "seed": options.seed}
    )
    reading = Run(folder / "reading")
    reading.folder.mkdir()
    programs = read_programs(config, reading, Team()).training
    write_built(folder / "programs", programs)
    times = [spent()]
    for name, steps in (("probe", PROBE), ("start", options.steps)):
        settings = as_they_are(config.partial_probability)
        families.trained(folder / name, folder / "programs", options, max_steps=steps, **settings)
        times.append(spent())
    probe, whole = np.diff(times)
    a_step = max(0.01, (whole - probe) / max(1, options.steps - PROBE))
    a_training = max(0.0, probe - PROBE * a_step)
    print(f"{a_step:.2f} s of the processor for a step, {a_training:.0f} s for all else of a training", flush=True)
    texts = {pair.name: pair.text for pair in programs.pairs}
    rng, parts = np.random.default_rng(options.seed), []
    for shape in load_targets(folder / "train.npz"):
        solid = Target.of(shape.id, shape.vertices, shape.faces).solid
        points = Frame.of(bounds(solid)).to_model(sample(solid, POOL_POINTS, rng)[0]).astype(np.float16)
        parts.append(Pair(shape.id, texts.get(shape.id, ""), points, mesh=mesh_of(solid)))
    return Task(folder, parts, programs.pairs, TrainConfig.load(folder / "start.yaml"), a_step, a_training, options)


def gain_of(shapes: list[dict], others: list[dict]) -> str:
    gains = np.subtract(*([shape["single_iou"] for shape in rows] for rows in (shapes, others)))
    low, high = interval(gains, np.mean)
    return f"{gains.mean():+.3f} ({low:+.3f} to {high:+.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", default="teeth", choices=list(families.FAMILIES))
    parser.add_argument("--parts", type=int, default=30, help="to learn from, as meshes [%(default)s]")
    parser.add_argument("--held-out", type=int, default=30, help="to measure with [%(default)s]")
    parser.add_argument("--steps", type=int, default=400, help="of the training that all begin with [%(default)s]")
    parser.add_argument("--minutes", type=float, default=8, help="of each processor, for each way [%(default)s]")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--one_side", action="store_true", help="parts are seen from one place, in training too")
    parser.add_argument("--fit_seconds", type=float, default=3.0, help="for the fit of a draw [%(default)s]")
    for name, count in (("rounds", 2), ("drawn", 60), ("candidates", 8), ("processes", 2), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=count, help="[%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("runs/rounds"), help="parts, labels, adapters, reports")
    parser.set_defaults(processor_time=True, fit=0.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.out / options.family
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    counts = families.make_parts(folder, options.family, options.parts, options.held_out, options.seed)
    task, engine, rows, known = prepared(folder, options), Engine("cpu"), [], {}
    for name in ("start", *options.ways):
        began = spent()
        adapter = WAYS[name](task) if name in WAYS else task.start
        minutes = (spent() - began) / 60 / options.processes
        known[name] = shapes = families.measured_on(folder, f"{name}-report", adapter, engine, options)
        gain = gain_of(shapes, known["control"]) if "control" in known and name != "control" else "-"
        cells = [*families.cells_of(name, options.family, shapes, counts, "single_"), f"{minutes:.1f}", gain]
        rows.append(f"| {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    heads = *families.HEADS, f"minutes of {options.processes} processors", "gain over the control, 90 %"
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
