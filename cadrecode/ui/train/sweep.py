"""A sweep: a training for each pair of a rank and a learning rate, and the table of what became of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from itertools import product
from pathlib import Path
from typing import Any

from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError, Message
from cadrecode.jobs import queue
from cadrecode.runs import Run, State
from cadrecode.ui.runs import ious
from cadrecode.ui.train import fields
from cadrecode.ui.train.actions import run_name
from cadrecode.ui.words.text import Words

MOST_RUNS = 12


def start(values: Mapping[str, Any], runs_dir: Path, name: str | None, ranks: str, rates: str) -> list[str]:
    """Queue a training for each pair of a rank and a learning rate; alpha keeps its ratio to the rank.

    Args:
        ranks: Numbers with commas between them; empty: the form's own. So are `rates`.

    Returns: the names of the runs.
    Raises: ConfigError: a number is not usable, or there are more than MOST_RUNS pairs.
    """
    base = TrainConfig.from_values(values, source=Message("form"))
    pairs = list(product(_listed(ranks) or [base.lora_r], _listed(rates) or [base.learning_rate]))
    if not 1 < len(pairs) <= MOST_RUNS:
        raise ConfigError("A sweep has 2 to {most} trainings; these are {n}.", most=MOST_RUNS, n=len(pairs))
    given, began = run_name(name, base.train_data_path), time.time()
    configs = {}
    for rank, rate in pairs:
        changed = {
            "lora_r": fields.as_text(rank),
            "lora_alpha": fields.as_text(max(1, round(rank * base.lora_alpha / base.lora_r))),
            "learning_rate": fields.as_text(rate),
        }
        named = f"{given}-r{changed['lora_r']}-lr{changed['learning_rate']}"
        configs[named] = TrainConfig.from_values({**values, **changed}, source=Message("form"))
    return [
        queue.start(
            config, runs_dir, named,
            sweep={"began": began, "lora_r": config.lora_r, "learning_rate": config.learning_rate},
        ).name
        for named, config in configs.items()
    ]  # fmt: skip


def _listed(text: str) -> list[float]:
    """Numbers with commas or spaces between them. Raises ConfigError."""
    try:
        return [float(word) for word in (text or "").replace(",", " ").split()]
    except ValueError as error:
        raise ConfigError("{text} is no list of numbers, such as 8, 16, 32.", text=text) from error


def table(run: Run, words: Words) -> str:
    """Ranks down, learning rates across, in each cell the IoU of a training or how far it is; empty for a run that
    belongs to no sweep. A click on a cell picks its run.
    """
    own = run.status().get("sweep")
    if own is None:
        return ""
    runs: dict[tuple[int, float], tuple[Run, dict[str, Any]]] = {}
    for other in queue.list_runs(run.runs_dir):
        status = other.status()
        entry = status.get("sweep")
        if entry and entry["began"] == own["began"]:
            runs[entry["lora_r"], entry["learning_rate"]] = other, status
    scores = {pair: ious(*entry) for pair, entry in runs.items()}
    base = next((before for before, _ in scores.values() if before is not None), None)
    best = max((after for _, after in scores.values() if after is not None), default=0.0)
    rates = sorted({rate for _, rate in runs})
    head = "".join(f'<th scope="col" class="cr-number">{rate:g}</th>' for rate in rates)
    body = ""
    for rank in sorted({rank for rank, _ in runs}):
        row = ((runs.get((rank, rate)), scores.get((rank, rate), (None, None))[1]) for rate in rates)
        cells = "".join(_cell(other, score, run, score == best >= (base or 0.0), words) for other, score in row)
        body += f'<tr><th scope="row">{rank}</th>{cells}</tr>'
    title = escape(words("sweep.table"))
    if base is not None:
        title += f" {escape(words('sweep.base', x=f'{base:.2f}'))}"
    corner = f"{escape(words('set.lora_r'))} ↓ {escape(words('set.learning_rate'))} →"
    return (
        f'<div class="cr-rows cr-plain cr-sweep" role="region" tabindex="0" aria-label="{title}"><table>'
        f'<caption>{title}</caption><thead><tr><th scope="col">{corner}</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(
    entry: tuple[Run, dict[str, Any]] | None, score: float | None, chosen: Run, is_best: bool, words: Words
) -> str:
    """The IoU once there is an evaluation of what was learnt, else the state; "–" where the run was deleted."""
    if entry is None:
        return "<td>–</td>"
    run, status = entry
    state = State(status["state"])
    text = words.state(state) if score is None else f"{score:.2f}"
    if state.active:
        text += f" · {status.get('step') or 0} / {status.get('total') or 0}"
    kind = ' class="cr-best"' if is_best else ""
    return (
        f'<td><button type="button" data-name="{escape(run.name)}" title="{escape(run.name)}" '
        f'aria-pressed="{str(run == chosen).lower()}"{kind}>{escape(text)}</button></td>'
    )
