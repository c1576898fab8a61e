"""A new training without the widgets of its form: presets, data, the memory it needs, and the command for it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.config import TrainConfig
from cadrecode.errors import CadrecodeError, ConfigError, Message
from cadrecode.invent.source import PREFIX
from cadrecode.jobs import queue
from cadrecode.shipped import CONFIGS
from cadrecode.ui.draw import film, html
from cadrecode.ui.train import fields
from cadrecode.ui.words.text import Words

if TYPE_CHECKING:
    from cadrecode.data.pairs import Pair, Programs
    from cadrecode.estimate import Estimate

PRESETS = {
    "quickstart": "quickstart.yaml",
    "parts": "parts.yaml",
    "lora": "train_config_lora.yaml",
    "qlora": "train_config_qlora.yaml",
}
INVENTED, OWN = "invented", "own"
CHECKED = 60  # programs of a source that are read for its preview
CHECK_SECONDS = 4.0
DRAWN = 3  # pairs in a preview
LISTED = 20  # skipped programs that are listed


def preset(name: str) -> TrainConfig:
    """The settings of a preset file. Raises ConfigError as the command line does."""
    return TrainConfig.load(CONFIGS / PRESETS[name])


# --- data


def family_of(data: str) -> str | None:
    """The family in invent:<family>[:count]; None for a path."""
    kind, _, rest = data.partition(":")
    return rest.split(":")[0] if kind == "invent" else None


def count_of(data: str) -> int:
    """The count in invent:<family>[:count]."""
    from cadrecode.data.dataset import INVENTED as USUAL

    count = data.split(":")[2:] if family_of(data) else []
    return int(count[0]) if count and count[0].isdigit() else USUAL


def data_path(source: str, family: str, count: float | None, path: str | None) -> str:
    """The train_data_path that the form means.

    Raises: ConfigError: No path was given, or nothing lies there.
    """
    if source == INVENTED:
        if not count or count < 1:
            raise ConfigError("Give the number of parts to invent: 1 or more.")
        return f"{PREFIX}{family}:{int(count)}"
    path = (path or "").strip().strip("'\"")
    if not path:
        raise ConfigError("Give the folder of parts (.py, STEP, STL, clouds) or the .jsonl file to train on.")
    if not Path(path).expanduser().exists():
        raise ConfigError("There is no folder or file {path} on the machine that runs the app.", path=path)
    return str(Path(path).expanduser())


def preview(data: str, draw: int, words: Words) -> str:
    """The contents of a source: counts, three pairs drawn at random, and which programs would be skipped and why.

    Args:
        draw: Another number draws other pairs.

    Raises: DatasetError: The source holds no usable program.
    """
    from cadrecode.label import find_parts, without_programs

    if without_programs(data):
        return _preview_of_parts(data, draw, words)
    programs, total = _look_into(data)
    facts = words("data.facts", total=f"{total:,}", checked=len(programs.pairs) + len(programs.skipped))
    lines = html.note(f"{facts} {words('data.usable', n=len(programs.pairs), skipped=len(programs.skipped))}")
    if programs.skipped:
        reasons = [f"{skip.name}: {words.said(skip.reason)}" for skip in programs.skipped[:LISTED]]
        lines += html.more(words("data.skipped", n=len(programs.skipped)), reasons)
    if Path(data).is_dir() and (others := sum(part.path.suffix != ".py" for part in find_parts(data))):
        lines += html.warning(words("data.unused", n=f"{others:,}"))
    chosen = np.random.default_rng(draw).permutation(len(programs.pairs))[:DRAWN]
    rows = [(programs.pairs[i].name, _strip(programs.pairs[i], words)) for i in chosen]
    return lines + film.film(words("data.preview"), rows)


def _preview_of_parts(data: str, draw: int, words: Words) -> str:
    """The contents of a folder of parts without programs: their number, and a few of them."""
    from cadrecode.label import find_parts

    parts = find_parts(data)
    rows, faults = [], []
    for index in np.random.default_rng(draw).permutation(len(parts))[:DRAWN]:
        try:
            rows.append((parts[index].name, [(film.of_cloud(parts[index].cloud(0).points), words("film.cloud"))]))
        except CadrecodeError as error:
            faults.append(f"{parts[index].name}: {words.said(error)}")
    lines = html.note(words("data.parts", n=f"{len(parts):,}"))
    if faults:
        lines += html.more(words("data.skipped", n=len(faults)), faults)
    return lines + film.film(words("data.preview"), rows)


def _strip(pair: Pair, words: Words) -> list[film.Picture]:
    length = words("data.length", n=len(pair.text))
    return [(film.of_cloud(pair.points), words("film.cloud")), (film.of_program(pair.text), length)]


@lru_cache(maxsize=8)
def _look_into(data: str) -> tuple[Programs, int]:
    """Some programs of a source, as a training would draw them, and how many programs it has."""
    from cadrecode.data.dataset import count_programs, load_programs

    until = time.monotonic() + CHECK_SECONDS
    total = count_programs(data)
    return load_programs(data, limit=min(CHECKED, total), should_stop=lambda: time.monotonic() > until), total


# --- starting


def start(values: Mapping[str, Any], runs_dir: Path, name: str | None = None, processes: float | None = 1) -> str:
    """Form values in, the run's name out. Raises ConfigError: settings are impossible or contradict each other."""
    config, count = TrainConfig.from_values(values, source=Message("form")), whole(processes)
    return queue.start(config, runs_dir, run_name(name, config.train_data_path), count).name


def whole(processes: float | None) -> int:
    """The number of processes that a field holds. Raises ConfigError: it is not a whole number from 1."""
    if not processes or processes < 1 or processes != int(processes):
        raise ConfigError("Give the number of processes that train together: 1 or more.")
    return int(processes)


def run_name(given: str | None, data: str) -> str:
    """The name that was given to a run, or else a name after its data."""
    return (given or "").strip() or family_of(data) or Path(data).name.split(".")[0]


def command(values: Mapping[str, Any], preset_name: str, runs_dir: Path, name: str, processes: float | None = 1) -> str:
    """The command line of the same run. Raises ConfigError: the number of processes is not usable."""
    count = whole(processes)
    words = ["accelerate", "launch", "--multi_gpu", "--num_processes", str(count)] if count > 1 else ["python"]
    words += ["train_cad_recode_lora.py", "--config", f"configs/{PRESETS[preset_name]}"]
    folder = Path(runs_dir.name) / run_name(name, values["train_data_path"])
    for key, value in {**fields.differences(values, preset(preset_name)), "model_save_path": str(folder)}.items():
        words += [f"--{key}", value]
    return shlex.join(words)


def settings_file(values: Mapping[str, Any], name: str | None) -> tuple[str, str]:
    """The settings as a YAML file for the command line: its name and its text.

    Raises: ConfigError: Settings are impossible or contradict each other.
    """
    config = TrainConfig.from_values(values, source=Message("form"))
    return f"{run_name(name, config.train_data_path)}.yaml", config.to_yaml()


# --- what it will take


def estimated(values: Mapping[str, Any], processes: float | None = 1) -> Estimate:
    """The memory that a training would need.

    Raises: ConfigError, ModelError: The settings or the base model cannot be used.
    """
    from cadrecode.estimate import estimate

    count = whole(processes)
    return estimate(TrainConfig.from_values(values, source=Message("form")), processes=count)


def badge(expected: Estimate, words: Words, processes: int = 1) -> str:
    """Whether the memory suffices, what needs it, and which change would make it suffice."""
    kind = {"enough": "done", "tight": "tight"}.get(expected.verdict, "failed")
    needs = words(
        "memory.needs", peak=html.file_size(expected.peak_bytes), room=html.file_size(expected.available_bytes)
    )
    if processes > 1:
        needs += f" ({words('memory.each', n=processes)})"
    small = words("memory.trainable", n=f"{expected.trainable:,}", size=html.file_size(expected.adapter_bytes))
    parts = [f"{words(f'memory.{part}')}: {html.file_size(size)}" for part, size in expected.parts.items()]
    advised = ", ".join(f"{name} {fields.typed(value)}" for name, value in expected.recommended.items())
    parts.append(words("memory.recommended", settings=advised))
    pill = f'<span class="cr-pill {kind}">{html.escape(words(f"memory.{expected.verdict}"))}</span>'
    lines = f'<div class="cr-state" role="status">{pill}<span>{html.escape(needs)}</span></div>'
    lines += html.note(small) + html.more(words("memory.parts"), parts)
    if expected.changes:
        changed = ", ".join(f"{name} {fields.typed(value)}" for name, value in expected.changes.items())
        return lines + html.warning(words("memory.advice", changes=changed))
    return lines + (html.warning(words.said(expected.advice)) if expected.advice else "")
