"""The verbs of the command `cadrecode`. The guide's three scripts are verbs under another name."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from cadrecode.cli.doctor import doctor_main
from cadrecode.cli.evaluate import evaluate_main
from cadrecode.cli.fit import fit_main
from cadrecode.cli.score import score_main
from cadrecode.cli.shared import (
    GRAMMAR_HELP,
    Arguments,
    add_processor_time,
    add_workers,
    clock_of,
    count,
    finite,
    log_progress,
    log_to,
    output_of,
    parser_of,
    positive,
    run_verb,
    say,
    say_deviation,
    say_estimate,
    say_few,
    say_skipped,
    say_verdict,
    say_written,
    seed,
    settings_of,
    size_of,
    workers_of,
    writer_of,
)
from cadrecode.config import PretrainConfig, ReconstructConfig, TrainConfig
from cadrecode.data.dataset import require
from cadrecode.errors import ConfigError
from cadrecode.figures import GIB, length
from cadrecode.runs import Follower, Run

if TYPE_CHECKING:
    from cadrecode.part import Part

log = logging.getLogger(__name__)

ODD = (
    ("bodies", 1, ("separate body", "separate bodies")),
    ("cavities", 0, ("closed cavity", "closed cavities")),
)  # more of them than a part has


def train_main(argv: Arguments = None) -> int:
    """Fine-tune an adapter: `train_cad_recode_lora.py`."""
    parser = parser_of("train", "Fine-tune an adapter with LoRA or QLoRA.")
    parser.add_argument("--config", required=True, metavar="FILE", help="settings in YAML; see configs/")
    return run_verb(lambda: _train(*settings_of(parser, TrainConfig, argv)))


def _train(config: TrainConfig, _: argparse.Namespace) -> None:
    require(config.train_data_path)
    run, by_queue = _open_run(config)
    first = not isinstance(run, Follower)
    log_to(run if first else None, sys.stdout)
    if not first:
        logging.getLogger("cadrecode").setLevel(logging.WARNING)  # all else would be printed once by each process
    if not by_queue:
        log.info("Run folder: %s", run.folder)
    from cadrecode.training import train  # torch, from here on

    folder = train(config, run)
    if first:
        say(f"{run.state}: {folder}")


def _open_run(config: TrainConfig) -> tuple[Run, bool]:
    """The run of a training that starts in this process, and whether the queue of the app made it."""
    if int(os.environ.get("RANK", 0)) > 0:  # started by `accelerate launch` beside the first, which writes
        follower = Follower(config.model_save_path)
        follower.stop_on_signals()
        return follower, True
    run = Run(config.model_save_path)
    in_team = int(os.environ.get("WORLD_SIZE", 1)) > 1
    claimed_by = run.status().get("pid") if run.exists() else None
    by_queue = claimed_by is not None and claimed_by == (os.getppid() if in_team else os.getpid())
    if by_queue:
        if not in_team:  # there the queue sends no signal: SIGTERM is the launcher's, when one of the others has died
            run.stop_on_signals()
        return run, True
    from cadrecode.library import own_run

    run = own_run(config)
    run.stop_on_signals()
    return run, False


def estimate_main(argv: Arguments = None) -> int:
    """What a training will need: parameters, adapter size, memory by part."""
    parser = parser_of(
        "estimate", "Estimate the memory that a training needs, and settings that need less, without starting it."
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="settings in YAML; see configs/")
    parser.add_argument("--gigabytes", type=positive, help="memory to compare with [what is free on the device now]")

    def work(config: TrainConfig, arguments: argparse.Namespace) -> None:
        from cadrecode.estimate import estimate

        room = None if arguments.gigabytes is None else int(arguments.gigabytes * GIB)
        say_estimate(estimate(config, available_bytes=room))

    return run_verb(lambda: work(*settings_of(parser, TrainConfig, argv)))


def merge_main(argv: Arguments = None) -> int:
    """Merge an adapter into its base: `merge_lora_weights.py`."""
    parser = parser_of("merge", "Merge an adapter, or several, into their base, verify it, and write a model.")
    parser.add_argument("--base_model", help="name or folder of the base; by default the one that the adapter names")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--lora_path", help="folder of the adapter")
    which.add_argument(
        "--adapters", nargs="+", metavar="FOLDER", help="folders of several adapters, merged as a weighted sum"
    )
    parser.add_argument("--weights", nargs="+", type=finite, metavar="W", help="a number for each of --adapters")
    parser.add_argument("--output_path", required=True, help="folder to write")
    arguments = parser.parse_args(argv)
    adapters, weights = arguments.adapters or [], arguments.weights or []
    if len(adapters) != len(weights) or len(set(adapters)) != len(adapters):
        parser.error(f"--adapters names {len(set(adapters))} different folders, --weights {len(weights)}: one for each")

    def work() -> None:
        from cadrecode.merging.merge import merge

        done = merge(arguments.base_model, arguments.lora_path or dict(zip(adapters, weights)), arguments.output_path)
        say(
            f"{done.output}: {done.tensors} tensors in {done.dtype}, {done.size_mb:.1f} MB, {done.seconds:.1f} s\n"
            f"verified: logits equal to {done.base} with the adapter{'s' * (len(adapters) > 1)} (largest difference "
            f"{done.max_logit_difference:.2g}, largest logit {done.largest_logit:.3g}; stored in {done.dtype} "
            f"{done.rounding:.2g})"
        )

    return run_verb(work)


def inference_main(argv: Arguments = None) -> int:
    """Rebuild a point cloud as a program: `inference_lora.py`."""
    parser = parser_of("reconstruct", "Rebuild a point cloud, a mesh or a STEP file as a CadQuery program.")
    parser.add_argument("--base_model", help="name or folder; by default the adapter's own, else the embedded base")
    parser.add_argument("--lora_path", help="folder of an adapter; a merged_model in it is preferred")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "point_cloud_file", nargs="?", default=argparse.SUPPRESS, metavar="FILE", help="cloud, mesh or STEP file"
    )
    source.add_argument("--point_cloud_file", metavar="FILE", help="the same, by its name")
    source.add_argument("--shape", metavar="NAME", help="a sample shape instead: cube, sphere, cylinder, ...")
    parser.add_argument(
        "--output",
        default="generated_code.py",
        metavar="FILE",
        help="the program [%(default)s]; the other files are written beside it",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ... [%(default)s]")
    parser.add_argument("--grammar", action="store_true", help=GRAMMAR_HELP)
    parser.add_argument("--config", metavar="FILE", help="settings in YAML")
    try:
        config, arguments = settings_of(parser, ReconstructConfig, argv)
    except ConfigError as error:
        parser.error(str(error))
    return run_verb(lambda: _inference(config, arguments), failure=2)


def _inference(config: ReconstructConfig, arguments: argparse.Namespace) -> None:
    from cadrecode.cloud import make_shape, read_cloud
    from cadrecode.engine import Engine
    from cadrecode.kernel import shared_sandbox
    from cadrecode.scoring import source_words

    output = output_of(arguments.output)
    if arguments.shape:
        cloud = make_shape(arguments.shape, seed=config.seed)
    else:
        cloud = read_cloud(arguments.point_cloud_file, seed=config.seed)
    units = config.unit
    engine = Engine(arguments.device)
    opened = engine.choose(arguments.base_model, arguments.lora_path)
    log.info("rebuilding %s", cloud.name)
    result = engine.reconstruct(
        cloud,
        config,
        name=output.stem,
        model_name=opened.note,
        sandbox=shared_sandbox(),
        generate=writer_of(arguments.grammar),
    )
    if result.best is not None:
        say_verdict(result.best)
    for index, hint in enumerate(result.advice):
        say(f"{'' if index else 'advice':<12}{hint}")
    say(f"input       {cloud.name}: {len(cloud.points):,} points, {size_of(cloud.points, units)}; {cloud.used_as}")
    for warning in cloud.warnings:
        say(f"            {warning}")
    if result.model_used:
        untrained = ", its point encoder never trained: expect nonsense" if engine.fresh_encoder else ""
        say(f"model       {opened.note}{untrained}")
    elif config.source == "both":
        say("model       not needed: no program can be nearer to the input than a measured one is")
    if result.cleaned is not None:
        say(f"clean       {result.cleaned}; {size_of(result.cloud.points, units)} left")
    say(f"align       {result.alignment}")
    failed = Counter(str(candidate.outcome) for candidate in result.failed)
    how = f" ({', '.join(f'{count} {outcome}' for outcome, count in failed.items())})" if failed else ""
    valid = len(result.parts)
    say(f"candidates  {valid} of {valid + failed.total()} valid{how}, {result.seconds:.1f} s")
    for remark in result.remarks:
        say(f"            {remark}")
    best = result.require_best()
    written = best.write_all(output.parent, sandbox=shared_sandbox())
    say(f"program     candidate {best.index}, {source_words(best.source)}, {len(best.parameters)} numbers")
    if best.distance_before is not None:
        before, after = length(best.distance_before, units), length(best.distance, units)
        say(f"fit         distance {before} -> {after}, candidate {best.index}")
    say_few(best.snapped, lambda snap: f"{snap.name}: {snap}", "snapped     ")
    say_deviation(best.deviation, units)
    say(f"part        {size_of(result.frame.to_own_axes(best.vertices), units)}{_oddities(best)}")
    say_written(written)


def _oddities(best: Part) -> str:
    """Bodies and cavities that a part should not have."""
    entry = next(entry for entry in best.about["candidates"] if entry["index"] == best.index)
    odd = [f"{entry[kind]} {words[entry[kind] > 1]}" for kind, usual, words in ODD if entry[kind] > usual]
    return f", in {' and '.join(odd)}" if odd else ""


def pretrain_main(argv: Arguments = None) -> int:
    """Train the embedded base."""
    parser = parser_of("pretrain", "Train a small base model from scratch, on invented parts.")
    parser.add_argument("--config", required=True, metavar="FILE", help="settings in YAML; see configs/")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint in output_path")

    def work(config: PretrainConfig, arguments: argparse.Namespace) -> None:
        from cadrecode.pretrain import pretrain

        pretrain(config, resume=arguments.resume)

    return run_verb(lambda: work(*settings_of(parser, PretrainConfig, argv)))


def build_dataset_main(argv: Arguments = None) -> int:
    """Make a data set of checked programs and their points."""
    parser = parser_of(
        "build-dataset",
        "Check programs, measure parts without any, and sample their surfaces once, so that a training starts at once.",
    )
    parser.add_argument(
        "--source",
        required=True,
        help="invent[:<family>[:count]], folder of programs, meshes or STEP files, .jsonl, .jsonl.gz, .npz of meshes",
    )
    parser.add_argument("--out", required=True, help="folder to write; a folder that was begun is continued")
    parser.add_argument("--count", type=count, help="this many pairs, drawn with the seed")
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--height_steps", type=int, choices=range(1, 11), default=1, help="2: thicknesses in halves")
    parser.add_argument("--seconds", type=positive, default=20.0, help="for each part that is measured [%(default)s]")
    parser.add_argument(
        "--apart_from",
        nargs="*",
        metavar="TARGETS",
        help="leave out the shapes of these, see --targets of evaluate [the held-out invented parts]",
    )
    parser.add_argument("--shard_rows", type=count, default=1024, help="pairs in a file [%(default)s]")
    add_workers(parser)
    arguments = parser.parse_args(argv)

    def work() -> None:
        from cadrecode.build_dataset import EXAMPLES, build_dataset
        from cadrecode.data.shards import MANIFEST_FILE

        made = build_dataset(
            arguments.source,
            arguments.out,
            arguments.count,
            seed=arguments.seed,
            height_steps=arguments.height_steps,
            seconds=arguments.seconds,
            apart_from=arguments.apart_from,
            workers=workers_of(arguments),
            shard_rows=arguments.shard_rows,
            on_progress=log_progress("pairs"),
        )
        say(
            f"{arguments.out}: {made['rows']:,} pairs of {made['entries']:,} parts in {len(made['shards']):,} files; "
            f"{made['failed']:,} failed, {made['duplicates']:,} twins, {made['held_out']:,} held out"
        )
        for name, reason in made["examples"][: EXAMPLES // 2]:
            say(f"  {name}: {reason}")
        say(f"manifest    {Path(arguments.out) / MANIFEST_FILE}")

    return run_verb(work)


def label_main(argv: Arguments = None) -> int:
    """Find programs for meshes, STEP files, clouds and scripts, to train on them."""
    parser = parser_of("label", "Measure parts, and make a data set of the programs that are good.")
    parser.add_argument("--parts", required=True, help="folder of parts, or .npz of <id>_v and <id>_f")
    parser.add_argument("--out", required=True, help="folder to write; a folder that was begun is continued")
    add_workers(parser)
    parser.add_argument("--seconds", type=positive, default=20.0, help="at most, for each part [%(default)s]")
    parser.add_argument(
        "--keep",
        choices=("good_match", "details_missing"),
        default="good_match",
        help="details_missing: also parts that lack details [%(default)s]",
    )
    parser.add_argument("--limit", type=count, help="this many parts, drawn with the seed")
    parser.add_argument("--seed", type=seed, default=0)
    add_processor_time(parser)
    arguments = parser.parse_args(argv)

    def work() -> None:
        from cadrecode.label import PAGE_FILE, label
        from cadrecode.scoring.verdict import Verdict

        made = label(
            arguments.parts,
            arguments.out,
            workers=workers_of(arguments),
            seconds=arguments.seconds,
            least=Verdict(arguments.keep),
            limit=arguments.limit,
            seed=arguments.seed,
            on_progress=log_progress("parts"),
        )
        say(f"{arguments.out}: {len(made.pairs):,} parts with a program, {len(made.skipped):,} without")
        say_skipped((entry.name, entry.reason) for entry in made.skipped)
        say(f"look at     {Path(arguments.out) / PAGE_FILE}")

    with clock_of(arguments):
        return run_verb(work)


Verb = Callable[[Arguments], int]
VERBS: dict[str, Verb] = {
    "reconstruct": inference_main,
    "train": train_main,
    "estimate": estimate_main,
    "merge": merge_main,
    "fit": fit_main,
    "evaluate": evaluate_main,
    "score": score_main,
    "pretrain": pretrain_main,
    "build-dataset": build_dataset_main,
    "label": label_main,
    "doctor": doctor_main,
}


OTHER_NAMES = {"inference": "reconstruct", "build_dataset": "build-dataset"}


def main(argv: Arguments = None, more: Mapping[str, Verb] = MappingProxyType({})) -> int:
    """`cadrecode <verb> ...`. Returns the exit status.

    Args:
        argv: the words after the command's name; by default, those of this process.
        more: verbs of rooms that this one may not import, by name.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    words[:1] = [OTHER_NAMES.get(word, word) for word in words[:1]]
    verbs = {**more, **VERBS}
    parser = argparse.ArgumentParser(
        prog="cadrecode",
        description="Point clouds to short, editable CadQuery programs.",
        epilog="\n".join(f"  {name:15}{(verb.__doc__ or '').splitlines()[0]}" for name, verb in verbs.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "verb", choices=verbs, metavar="verb", help=f"one of {', '.join(verbs)}; each has its own --help"
    )
    return verbs[parser.parse_args(words[:1]).verb](words[1:])
