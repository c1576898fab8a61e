"""Parts that a run is evaluated on and never sees: drawn before anything is filtered, so that hard parts count, too."""

from __future__ import annotations

import json
import logging
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from cadrecode.config import TrainConfig
from cadrecode.data.dataset import LEFT_OUT_FILE, POOL_POINTS, names_in
from cadrecode.data.pairs import Pair, Programs, Skipped, first_of
from cadrecode.errors import CadrecodeError, DatasetError
from cadrecode.frames import Frame
from cadrecode.json_files import read_lines
from cadrecode.label import ROWS_FILE, Unlabelled, find_parts
from cadrecode.program import from_mesh

log = logging.getLogger(__name__)

HELD_OUT_SHARE = 0.05  # of the training data, where there is no validation data
FEWEST, LARGEST_SHARE = 8, 0.2  # but so many, as long as they are no larger a share: a verdict on two parts is chance


def hold_out(programs: Programs, config: TrainConfig) -> tuple[Programs, Programs]:
    """Split programs at random, so that no program is in both parts.

    Of a folder of labels, parts are drawn whether or not a program was found for them, and evaluated by their mesh.

    Raises: DatasetError: there are no two different programs.
    """
    if (Path(programs.source) / ROWS_FILE).is_file():
        held = _held_out_parts(Path(programs.source), programs, config)
    else:
        texts = sorted({pair.text for pair in programs.pairs})
        chosen = {texts[i] for i in _drawn(len(texts), config)}
        held = Programs("", list({pair.text: pair for pair in programs.pairs if pair.text in chosen}.values()), [])
    names, texts_held = {pair.name for pair in held.pairs}, {pair.text for pair in held.pairs}
    training = [pair for pair in programs.pairs if pair.name not in names and pair.text not in texts_held]
    if not training:
        raise _too_few()
    return replace(programs, pairs=training), replace(held, source=f"{programs.source} (held out)")


def _drawn(count: int, config: TrainConfig) -> list[int]:
    """Which of so many are held out. Raises: DatasetError: fewer than two."""
    if count < 2:
        raise _too_few()
    few = min(FEWEST, int(count * LARGEST_SHARE))
    wanted = min(max(1, few, round(count * HELD_OUT_SHARE)), config.max_eval_samples or count)
    return np.random.default_rng(config.seed).permutation(count)[:wanted].tolist()


def _too_few() -> DatasetError:
    return DatasetError("There is only one program, so none can be held out. Set val_data_path, or do_eval false.")


def _held_out_parts(folder: Path, programs: Programs, config: TrainConfig) -> Programs:
    """Parts of a labelled folder: each with its mesh, and its program where it has one."""
    left_out = names_in(folder / LEFT_OUT_FILE)
    names = sorted({row["name"] for row in read_lines(folder / ROWS_FILE)} - left_out)
    source = json.loads((folder / "report.json").read_text(encoding="utf-8"))["source"]
    try:
        parts = {part.name: part for part in find_parts(source)}
    except (DatasetError, OSError) as error:
        log.warning("The parts that were measured are gone (%s): only parts with a program can be held out.", error)
        parts = {}
    labelled = {pair.name: pair for pair in programs.pairs}
    pairs, skipped = [], []
    for name in (names[i] for i in _drawn(len(names), config)):
        try:
            pairs.append(_held_out(name, labelled.get(name), parts.get(name)))
        except CadrecodeError as error:
            skipped.append(Skipped(name, str(error)))
    if skipped:
        log.warning("%d held-out parts cannot be evaluated: %s", len(skipped), first_of(skipped))
    if not pairs:
        raise DatasetError("None of the held-out parts of {folder} can be evaluated.", folder=folder)
    without = sum(not pair.text for pair in pairs)
    log.info("Held out: %d parts, of which %d have no program; those are evaluated by their mesh.", len(pairs), without)
    return Programs("", pairs, skipped)


def _held_out(name: str, labelled: Pair | None, part: Unlabelled | None) -> Pair:
    """Raises: CadrecodeError: neither a program nor a closed mesh says what is right."""
    if part is None or (labelled is not None and part.path.suffix == ".py"):
        if labelled is None:
            raise DatasetError("it has no program, and its file is gone")
        return labelled
    seed = zlib.crc32(name.encode())
    cloud = part.cloud(seed)
    if cloud.solid is None:
        if labelled is None:
            raise DatasetError("it has no program and is no closed solid, so nobody knows what is right")
        return labelled
    vertices, faces = cloud.solid
    frame = Frame.of(vertices)
    mesh = frame.to_code(vertices), faces
    from_mesh(*mesh)  # raises where it is not closed
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(cloud.points), POOL_POINTS, replace=len(cloud.points) < POOL_POINTS)
    points = frame.to_model(cloud.points[chosen]).astype(np.float16)
    return Pair(name, labelled.text if labelled else "", points, mesh=mesh)
