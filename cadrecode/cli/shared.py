"""Helpers of the command line's verbs: kinds of arguments, settings, the log, and the printing of results."""

from __future__ import annotations

import argparse
import io
import logging
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

from cadrecode.config import Settings
from cadrecode.errors import CadrecodeError, ConfigError
from cadrecode.figures import GIB, length, lengths
from cadrecode.parallel import Workers, processor_time
from cadrecode.runs import Run

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel

    from cadrecode.engine import Engine, Opened
    from cadrecode.estimate import Estimate
    from cadrecode.part import Part, Written
    from cadrecode.scoring import Deviation

log = logging.getLogger(__name__)

Arguments = Sequence[str] | None
GRAMMAR_HELP = "let the model write programs of the language only, as the embedded base and its adapters always do"
MOST_LISTED = 4  # entries of a list that are printed
MOST_NOISE = 0.2  # of the longest side: beyond it nothing is left of a shape


def count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def seed(text: str) -> int:
    """A whole number from 0, below 2**32."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0, below 2**32")
    return int(text)


def positive(text: str) -> float:
    """A number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def finite(text: str) -> float:
    """Any number."""
    value = _number(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def _number(text: str) -> float:
    """The number; NaN for text that is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def not_negative(text: str) -> float:
    """A number from 0."""
    return 0.0 if text in ("0", "0.0") else positive(text)


def noise_share(text: str) -> float:
    """A standard deviation of points, as a share of the longest side."""
    share = not_negative(text)
    if share > MOST_NOISE:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share of the longest side from 0 to {MOST_NOISE:g}")
    return share


def add_workers(parser: argparse.ArgumentParser) -> None:
    """The options of `workers_of`."""
    parser.add_argument("--workers", type=count, help="processes [1; on a Ray cluster, one for each of its processors]")
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="ray: all machines of a cluster [%(default)s]"
    )
    parser.add_argument(
        "--address", help="of the Ray cluster; auto: the one that this machine belongs to [Ray on this machine alone]"
    )


def workers_of(arguments: argparse.Namespace) -> Workers:
    """The workers that the options name."""
    return Workers(arguments.workers, arguments.engine, arguments.address)


def workers_for(model: PreTrainedModel | None, arguments: argparse.Namespace) -> Workers:
    """`workers_of` for work that needs this model. Raises: ConfigError: it is on a GPU, which workers do not share."""
    workers = workers_of(arguments)
    if model is not None and not workers.alone and model.device.type != "cpu":
        raise ConfigError("Several workers evaluate on the processors alone: add --device cpu, or leave --workers out.")
    return workers


def parser_of(name: str, description: str) -> argparse.ArgumentParser:
    """A parser that takes options by their full names only."""
    return argparse.ArgumentParser(prog=name, description=description, allow_abbrev=False)


def settings_of(
    parser: argparse.ArgumentParser, model: type[Settings], argv: Arguments
) -> tuple[Settings, argparse.Namespace]:
    """Read --config, where the command has it, and any setting as `--name value` (a switch also as `--name` alone).

    Raises: ConfigError: everything that is wrong with them, at once.
    """
    group = parser.add_argument_group("settings", "Any setting of the file, as --name value.")
    for name in model.spellings():
        if name in model.bundles:
            group.add_argument(f"--{name}", default=argparse.SUPPRESS, metavar="VALUE", help=model.help(name))
            continue
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


def log_to(run: Run | None, stream: TextIO) -> None:
    """Log to the screen, and to the run's log.txt unless the screen is that file already."""
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


def _is(stream: TextIO, path: Path) -> bool:
    """Whether a stream writes into that very file, as in a child of the app's queue."""
    try:
        return path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except io.UnsupportedOperation:  # not a file of the operating system
        return False


def run_verb(work: Callable[[], None], failure: int = 1) -> int:
    """Run a verb, and print an error that is meant for people as its message alone. Returns the exit code."""
    if not logging.getLogger().handlers:
        log_to(None, sys.stderr)
    try:
        work()
    except CadrecodeError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return failure
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        return 130
    return 0


def open_model(arguments: argparse.Namespace) -> tuple[Engine, Opened]:
    """Load what --model and --lora_path name onto --device, and print it. Raises: ModelError: See `Engine.open`."""
    from cadrecode.engine import Engine

    engine = Engine(arguments.device)
    opened = engine.open(arguments.model, arguments.lora_path)
    say(f"model       {opened.note}")
    return engine, opened


def log_progress(what: str) -> Callable[[int, int | None], None]:
    """Logs "12 of 50 shapes" whenever it is called with (done, total); the total where it is known."""
    return lambda done, total: log.info("%s%s %s", f"{done:,}", f" of {total:,}" if total else "", what)


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def output_of(text: str) -> Path:
    """The --output of a program. Raises: ConfigError: it does not end with .py."""
    output = Path(text)
    if output.suffix not in ("", ".py"):
        raise ConfigError(
            "--output {output} is for the program: its name ends with .py; .step and .stl stand beside it.",
            output=output,
        )
    return output


def size_of(points: np.ndarray, unit: str) -> str:
    """The bounding box in words."""
    return lengths(points.max(axis=0) - points.min(axis=0), unit)


def say_verdict(part: Part) -> None:
    """Print how good a part is, and what it leaves unexplained: before any number."""
    say(f"verdict     {part.assessment.text}")
    say_few(part.assessment.report(part.unit)["unexplained"], lambda entry: entry["text"], " " * 12)


def say_few(entries: Sequence[Any], text_of: Callable[[Any], str], head: str, most: int = MOST_LISTED) -> None:
    """Print the first few of a list, a line each; the report has all of them."""
    for place, entry in enumerate(entries[:most]):
        say(f"{' ' * len(head) if place else head}{text_of(entry)}")
    if len(entries) > most:
        say(f"{' ' * len(head)}and {len(entries) - most:,} more, in the report")


def say_skipped(entries: Iterable[tuple[str, str]]) -> None:
    """Print the names and the reasons of the first ten that were left out, and how many more there are."""
    say_few(list(entries), ": ".join, " " * 12, most=10)


def deviations_of(deviation: Deviation, unit: str) -> str:
    """The distances of points from a part in words."""
    mean, p95, most = (length(value, unit) for value in (deviation.mean, deviation.p95, deviation.max))
    return f"{mean} mean, {p95} p95, {most} max"


def say_deviation(deviation: Deviation, unit: str) -> None:
    """Print how far the cloud lies from the part, and on which side on average."""
    say(f"deviation   {deviations_of(deviation, unit)}, from the points to the part")
    side = "outside" if deviation.bias > 0 else "inside"
    say(f"            with their sign, the points lie {length(abs(deviation.bias), unit)} {side} of it on average")


def say_written(written: Written) -> None:
    """Print which files were written, and what is missing."""
    say(f"written     {', '.join(str(path) for path in written.values())}")
    if written.note:
        say(f"            {written.note.strip()}")


def say_estimate(expected: Estimate) -> None:
    """Print parameters, and the memory that is needed beside the memory that is free."""
    share = 100 * expected.trainable / expected.total
    say(f"trainable   {expected.trainable:,} of {expected.total:,} parameters ({share:.2f} %)")
    say(f"adapter     {expected.adapter_bytes / 2**20:,.1f} MB on disk")
    for name, size in expected.parts.items():
        say(f"{name:<12}{size / GIB:8.2f} GB")
    verdict = {"enough": "enough", "tight": "tight", "not_enough": "not enough"}[expected.verdict]
    say(f"peak        {expected.peak_bytes / GIB:8.2f} GB of {expected.available_bytes / GIB:.1f} GB free: {verdict}")
    if expected.most_bytes > expected.peak_bytes:
        say(f"at most     {expected.most_bytes / GIB:8.2f} GB while memory is plenty: freed blocks are kept")
    if expected.advice:
        say(f"            {expected.advice}")
    words = " ".join(f"--{name} {str(value).lower()}" for name, value in expected.recommended.items())
    say(f"recommended {words}")


def add_processor_time(parser: argparse.ArgumentParser) -> None:
    """The option that `clock_of` obeys."""
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="limits of time count the processor's seconds, so that a crowded machine changes figures little",
    )


def clock_of(arguments: argparse.Namespace) -> AbstractContextManager[None]:
    """A context in which limits of time count as `--processor-time` says."""
    return processor_time() if arguments.processor_time else nullcontext()


def writer_of(grammar: bool) -> Callable[..., list[str]] | None:
    """A generator that keeps to the grammar; None for the default generator."""
    if not grammar:
        return None
    from cadrecode.model.decode import generate

    return partial(generate, grammar=True)
