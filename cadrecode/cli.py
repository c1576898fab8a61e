"""The command line: words in, one verb called, its result said. Decides nothing and computes nothing.

`python -m cadrecode <verb>`, and the guide's three scripts, which are verbs under another name.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from cadrecode.config import PretrainConfig, Settings, TrainConfig
from cadrecode.data.dataset import require
from cadrecode.errors import CadrecodeError, ConfigError
from cadrecode.runs import Run, State

log = logging.getLogger(__name__)

Arguments = Sequence[str] | None


def train_main(argv: Arguments = None) -> int:
    """Fine-tune an adapter: `train_cad_recode_lora.py`."""
    parser = _parser("train", "Fine-tune an adapter with LoRA or QLoRA.")
    parser.add_argument("--config", required=True, metavar="FILE", help="settings in YAML; see configs/")
    return _told(lambda: _train(*_settings_of(parser, TrainConfig, argv)))


def _train(config: TrainConfig, _: argparse.Namespace) -> None:
    require(config.train_data_path)
    run, by_queue = _open_run(config)
    _log_to(run, sys.stdout)
    if not by_queue:
        log.info("Run folder: %s", run.folder)
    from cadrecode.train import train  # torch, from here on

    folder = train(config, run)
    _say(f"{run.state}: {folder}")


def _open_run(config: TrainConfig) -> tuple[Run, bool]:
    """The run of a training that starts in this process, and whether the queue of the app made it."""
    run = Run(config.model_save_path)
    by_queue = run.exists() and run.status().get("pid") == os.getpid()
    settings = config.changed(resume_from_checkpoint=None).to_yaml()
    if by_queue:
        run.stop_on_signals()
        return run, True
    if config.resume_from_checkpoint is not None and run.exists() and not run.alive():
        run.write_config(settings)
        run.clear_stop()
    else:
        run = Run.create(run.folder, settings, State.PREPARING)
    run.claim()
    run.stop_on_signals()
    return run, False


def merge_main(argv: Arguments = None) -> int:
    """Merge an adapter into its base: `merge_lora_weights.py`."""
    parser = _parser("merge", "Merge an adapter into its base model, verify it, and write a model of its own.")
    parser.add_argument("--base_model", help="name or folder of the base; by default the one the adapter names")
    parser.add_argument("--lora_path", required=True, help="folder of the adapter")
    parser.add_argument("--output_path", required=True, help="folder to write")
    arguments = parser.parse_args(argv)

    def work() -> None:
        from cadrecode.merge import merge

        done = merge(arguments.base_model, arguments.lora_path, arguments.output_path)
        _say(
            f"{done.output}: {done.tensors} tensors in {done.dtype}, {done.size_mb:.1f} MB, {done.seconds:.1f} s\n"
            f"verified: logits equal to {done.base} with the adapter (largest difference "
            f"{done.max_logit_difference:.2g}, largest logit {done.largest_logit:.3g})"
        )

    return _told(work)


def inference_main(argv: Arguments = None) -> int:
    """Rebuild a point cloud as a program: `inference_lora.py`."""
    parser = _parser("inference", "Rebuild a point cloud, a mesh or a STEP file as a CadQuery program.")
    parser.add_argument("--base_model", help="name or folder; by default the adapter's own, else the embedded base")
    parser.add_argument("--lora_path", help="folder of an adapter; a merged_model in it is preferred")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--point_cloud_file", metavar="FILE", help="cloud, mesh or STEP file")
    source.add_argument("--shape", metavar="NAME", help="a sample shape instead: cube, sphere, cylinder, ...")
    parser.add_argument("--output", default="generated_code.py", metavar="FILE", help="[%(default)s]; others beside it")
    parser.add_argument("--candidates", type=_count, default=8, help="programs to choose from [%(default)s]")
    parser.add_argument("--temperature", type=_positive, default=0.7, help="of all but the first [%(default)s]")
    parser.add_argument("--seed", type=_seed, default=0)
    parser.add_argument("--fit_seconds", type=_seconds, default=6.0, help="on the cloud; 0: no fit [%(default)s]")
    parser.add_argument(
        "--clean",
        choices=("off", "outliers", "all"),
        default="off",
        help="take away lone points (outliers); also the table and crumbs beside the part (all) [%(default)s]",
    )
    parser.add_argument(
        "--align", choices=("auto", "off"), default="auto", help="turn a part that stands askew upright [%(default)s]"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ... [%(default)s]")
    parser.add_argument("--units", choices=("mm", "cm", "m", "inch"), default="mm", help="of the file [%(default)s]")
    arguments = parser.parse_args(argv)
    return _told(lambda: _inference(arguments), failure=2)


def _inference(arguments: argparse.Namespace) -> None:
    from cadrecode import reconstruct
    from cadrecode.cloud import make_shape, read_cloud
    from cadrecode.cloud.clean import clean
    from cadrecode.engine import Engine
    from cadrecode.kernel import shared_sandbox

    output = Path(arguments.output)
    if output.suffix not in ("", ".py"):
        raise ConfigError(
            f"--output {output} is for the program: its name ends with .py; .step and .stl stand beside it."
        )
    if arguments.shape:
        cloud = make_shape(arguments.shape, seed=arguments.seed)
    else:
        cloud = read_cloud(arguments.point_cloud_file, seed=arguments.seed)
    units = arguments.units
    _say(f"cloud       {cloud.name}: {len(cloud.points):,} points, {_size(cloud.points, units)}")
    for warning in cloud.warnings:
        _say(f"            {warning}")
    if arguments.clean != "off":
        cleaned = clean(cloud, surroundings=arguments.clean == "all", seed=arguments.seed)
        cloud = cleaned.cloud
        _say(f"clean       {cleaned}; {_size(cloud.points, units)} left")
    engine = Engine(arguments.device)
    opened = engine.open(arguments.base_model, arguments.lora_path)
    _say(f"model       {opened.note}{', its point encoder never trained: expect nonsense' * engine.fresh_encoder}")
    sandbox = shared_sandbox()
    found = engine.reconstruct(
        cloud,
        candidates=arguments.candidates,
        temperature=arguments.temperature,
        seed=arguments.seed,
        fit_seconds=arguments.fit_seconds,
        align=arguments.align == "auto",
        sandbox=sandbox,
    )
    _say(f"align       {found.alignment}")
    failed = Counter(str(one.outcome) for one in found.candidates if not one.ok)
    how = f" ({', '.join(f'{count} {outcome}' for outcome, count in failed.items())})" if failed else ""
    valid = len(found.candidates) - failed.total()
    _say(f"candidates  {valid} of {len(found.candidates)} valid{how}, {found.seconds:.1f} s")
    written = reconstruct.write_files(found, output.parent, output.stem, sandbox, units)
    best, deviation = found.best, found.deviation
    _say(
        f"deviation   {deviation.mean:.3g} {units} mean, {deviation.p95:.3g} p95, {deviation.max:.3g} max, "
        "from the points to the part"
    )
    _say(f"part        {_size(found.frame.to_own_axes(best.vertices), units)}{_oddities(best)}")
    _say(f"written     {', '.join(str(path) for path in written.values())}")
    if written.note:
        _say(f"            {written.note}")


def _size(points, units: str) -> str:
    """The bounding box in words."""
    sides = points.max(axis=0) - points.min(axis=0)
    return f"{' x '.join(f'{side:.4g}' for side in sides)} {units}"


def _oddities(candidate) -> str:
    odd = [f"{candidate.bodies} separate bodies"] * (candidate.bodies > 1)
    odd += [f"{candidate.cavities} closed cavities"] * (candidate.cavities > 0)
    return f", in {' and '.join(odd)}" if odd else ""


def evaluate_main(argv: Arguments = None) -> int:
    """Measure a model on shapes whose solid is known."""
    parser = _parser("evaluate", "Rebuild shapes whose solid is known from sampled clouds, and score the programs.")
    parser.add_argument(
        "--targets", required=True, help="folder, .npz of <id>_v and <id>_f, or invent:<family>:<count>"
    )
    parser.add_argument("--model", help="name or folder of a model [embedded]")
    parser.add_argument("--lora_path", help="folder of an adapter for it; a merged_model in it is preferred")
    parser.add_argument("--candidates", type=_count, default=1, help="programs a shape; above 1, single is apart [1]")
    parser.add_argument("--temperature", type=_positive, default=0.7, help="of all but the greedy first [%(default)s]")
    parser.add_argument("--fit", type=_seconds, default=0.0, metavar="SECONDS", help="fit to the cloud, a shape [none]")
    parser.add_argument("--limit", type=_count, help="this many targets, drawn with the seed")
    parser.add_argument("--seed", type=_seed, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", metavar="FILE", help="where the whole report goes")
    arguments = parser.parse_args(argv)
    return _told(lambda: _evaluate(arguments), failure=2)


def _evaluate(arguments: argparse.Namespace) -> None:
    from cadrecode.engine import Engine
    from cadrecode.evaluate import evaluate
    from cadrecode.kernel import shared_sandbox

    engine = Engine(arguments.device)
    opened = engine.open(arguments.model, arguments.lora_path)
    _say(f"model       {opened.note}")
    with engine.ready() as (model, tokenizer):
        report = evaluate(
            arguments.targets,
            model,
            tokenizer,
            candidates=arguments.candidates,
            limit=arguments.limit,
            seed=arguments.seed,
            temperature=arguments.temperature,
            fit_seconds=arguments.fit,
            sandbox=shared_sandbox(),
            on_progress=lambda done, total: log.info("%d%s shapes", done, f" of {total}" if total else ""),
        )
    report = {"model": opened.base, "adapter": opened.adapter and str(arguments.lora_path), **report}
    if arguments.json:
        path = Path(arguments.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    kinds = {f"best of {report['candidates']}": "", "single": "single_"} if report["candidates"] > 1 else {"single": ""}
    if arguments.fit:
        kinds[f"{next(iter(kinds))} + fit"] = "fit_"
    width = max(map(len, kinds)) + 2
    _say(f"shapes      {report['n']} scored, {len(report['skipped'])} skipped, {report['seconds']:.1f} s")
    for entry in report["skipped"][:10]:
        _say(f"            {entry['id']}: {entry['reason']}")
    _say(" " * width + "median IoU   mean IoU (all)   mean IoU (valid)   median CD   mean CD   invalid")
    for kind, prefix in kinds.items():
        figures = [
            report[prefix + key] for key in ("median_iou", "mean_iou_all", "mean_iou_valid", "median_cd", "mean_cd")
        ]
        cells = [
            f"{'-' if value is None else format(value, '.3f'):>{w}}" for value, w in zip(figures, (10, 17, 19, 12, 10))
        ]
        _say(f"{kind:<{width}}{''.join(cells)}{report[prefix + 'invalid_ratio']:>9.1%}")


def pretrain_main(argv: Arguments = None) -> int:
    """Train the embedded base."""
    parser = _parser("pretrain", "Train a small base model from nothing, on invented parts.")
    parser.add_argument("--config", required=True, metavar="FILE", help="settings in YAML; see configs/")
    parser.add_argument("--resume", action="store_true", help="go on from what lies in output_path")

    def work(config: PretrainConfig, arguments: argparse.Namespace) -> None:
        from cadrecode.pretrain import pretrain

        pretrain(config, resume=arguments.resume)

    return _told(lambda: work(*_settings_of(parser, PretrainConfig, argv)))


def build_dataset_main(argv: Arguments = None) -> int:
    """Check programs and sample their surfaces once."""
    parser = _parser("build-dataset", "Make a data set that training reads at once: checked programs and their points.")
    parser.add_argument("--source", required=True, help="folder of .py, .jsonl, .jsonl.gz, or invent:<family>[:count]")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--n", type=int, help="at most this many pairs")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)

    def work() -> None:
        from cadrecode.build_dataset import build_dataset

        made = build_dataset(arguments.source, arguments.out, arguments.n, arguments.seed)
        _say(f"{arguments.out}: {len(made.pairs):,} pairs, {len(made.skipped):,} skipped")
        for entry in made.skipped[:10]:
            _say(f"  {entry.name}: {entry.reason}")

    return _told(work)


VERBS: dict[str, Callable[[Arguments], int]] = {
    "train": train_main,
    "inference": inference_main,
    "merge": merge_main,
    "evaluate": evaluate_main,
    "pretrain": pretrain_main,
    "build-dataset": build_dataset_main,
}


def main(argv: Arguments = None) -> int:
    """`python -m cadrecode <verb> ...`"""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="cadrecode",
        description="Point clouds to short, editable CadQuery programs.",
        epilog="\n".join(f"  {name:15}{(verb.__doc__ or '').splitlines()[0]}" for name, verb in VERBS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "verb", choices=VERBS, metavar="verb", help=f"one of {', '.join(VERBS)}; each has its own --help"
    )
    return VERBS[parser.parse_args(words[:1]).verb](words[1:])


# --- shared by the verbs


def _count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _seed(text: str) -> int:
    """A whole number from 0, below 2**32."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0, below 2**32")
    return int(text)


def _positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _seconds(text: str) -> float:
    """A number from 0."""
    return 0.0 if text in ("0", "0.0") else _positive(text)


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=name, description=description, allow_abbrev=False)


def _settings_of(
    parser: argparse.ArgumentParser, model: type[Settings], argv: Arguments
) -> tuple[Settings, argparse.Namespace]:
    """Read --config, and any setting as `--name value` (a switch also as `--name` alone).

    Raises: ConfigError: everything that is wrong with them, at once.
    """
    group = parser.add_argument_group("settings", "Any setting of the file, as --name value.")
    for name in model.spellings():
        field = model.model_fields[model.other_spellings.get(name, name)]
        switch = {"nargs": "?", "const": "true"} if bool in (field.annotation, *get_args(field.annotation)) else {}
        default = "none" if field.default is None else str(field.default)
        text = f"{model.help(name)} [{default}]".replace("%", "%%")
        group.add_argument(f"--{name}", default=argparse.SUPPRESS, metavar="VALUE", help=text, **switch)
    arguments, unknown = parser.parse_known_args(argv)
    overrides = {name: value for name, value in vars(arguments).items() if name in model.spellings()}
    stray = [word for word in unknown if word.startswith("--")]
    if len(stray) == 0 and unknown:
        parser.error(f"what is {' '.join(unknown)!r}? A setting is given as --name value.")
    overrides |= {word.removeprefix("--").split("=")[0]: None for word in stray}  # refused by name, with the nearest
    return model.load(arguments.config, overrides), arguments


def _log_to(run: Run | None, stream) -> None:
    """What happens, on the screen; and in the run's log.txt, unless the screen is that file already."""
    handlers: list[logging.Handler] = [logging.StreamHandler(stream)]
    if run is not None:
        path = run.folder / "log.txt"
        if not _is(stream, path):
            handlers.append(logging.FileHandler(path, encoding="utf-8"))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers, force=True
    )
    for noisy in ("httpx", "httpcore", "urllib3", "filelock", "accelerate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _is(stream, path: Path) -> bool:
    """Whether a stream writes into that very file, as in a child of the app's queue."""
    try:
        return path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except io.UnsupportedOperation:  # not a file of the system at all
        return False


def _told(work: Callable[[], None], failure: int = 1) -> int:
    """Do it; an error that is meant for people is said in its own words. Returns the exit code."""
    if not logging.getLogger().handlers:
        _log_to(None, sys.stderr)
    try:
        work()
    except CadrecodeError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return failure
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        return 130
    return 0


def _say(text: str) -> None:
    print(text, flush=True)
