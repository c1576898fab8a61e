"""Programs for parts that have none, so that meshes, STEP files, clouds and any CadQuery script can be learnt from.

Each part is measured as `reconstruct` measures it. A program that is a good match becomes training data, in files that
are mapped; for the others the reason is listed. A page of pictures shows each input beside its program's part.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.cloud import READABLE, Cloud, read_cloud
from cadrecode.config import ReconstructConfig
from cadrecode.data.alike import alike
from cadrecode.data.dataset import (
    LEFT_OUT_FILE,
    Entry,
    cloud_beside,
    is_built,
    lines_of,
    make_pair,
    names_in,
    write_built,
)
from cadrecode.data.digits import with_few_digits
from cadrecode.data.pairs import POOL_POINTS, Pair, Programs, Skipped
from cadrecode.errors import CadrecodeError, DatasetError, ProgramError
from cadrecode.json_files import read_lines, write_whole
from cadrecode.parallel import ALONE, Workers
from cadrecode.pictures import data_address, small_picture
from cadrecode.program import build, mesh_of, parse, write
from cadrecode.reconstruction import Writer, rebuild
from cadrecode.report.shell import whole_page
from cadrecode.scoring import OUTSIDE, build_text, source_words
from cadrecode.scoring.targets import drawn
from cadrecode.scoring.verdict import WORDS, Verdict

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

ROWS_FILE, POINTS_FOLDER, PAGE_FILE = "labels.jsonl", "points", "index.html"
SECONDS = 20.0  # for a part; most closed meshes take 1 to 3
PIXELS, MOST_PICTURES = 120, 1000  # of the page
OWN = "script"  # the source of a program that its designer wrote in the language

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Unlabelled:
    """A part that has not been read yet: a file, a mesh of an .npz (`key`), or a program of a .jsonl (`entry`)."""

    name: str
    path: Path
    key: str | None = None
    entry: Entry | None = None

    @property
    def is_program(self) -> bool:
        return self.entry is not None or self.path.suffix == ".py"

    def text(self) -> str:
        """The program. Raises: ProgramError: there is none in the line. UnicodeDecodeError: its file is no text."""
        return self.path.read_text("utf-8") if self.entry is None else self.entry.text()

    def cloud(self, seed: int) -> Cloud:
        """Raises: CadrecodeError: it cannot be read, or a script makes no solid."""
        if self.key is not None:
            with np.load(self.path, allow_pickle=False) as arrays:
                return Cloud.of_mesh(arrays[f"{self.key}_v"], arrays[f"{self.key}_f"], name=self.name, seed=seed)
        if not self.is_program:
            return read_cloud(self.path, seed=seed)
        from cadrecode.kernel import shared_sandbox

        built = build_text(self.text(), shared_sandbox())
        if not built.ok:
            raise DatasetError("{outcome}: {detail}", outcome=built.outcome, detail=built.detail)
        return Cloud.of_mesh(*built.mesh, name=self.name, seed=seed)


@dataclass(frozen=True)
class Label:
    """The result for a part.

    Args:
        name: The part's name, unique in its folder.
        kept: Whether it is training data.
        reason: Why it is not.
        verdict: What `scoring.verdict` says; empty where there is no program.
        likeness: The IoU with a closed input; for a cloud, what it is likely to be.
        source: How the program was found.
        code: The program, CODE frame.
    """

    name: str
    kept: bool
    reason: str = ""
    verdict: str = ""
    likeness: float = 0.0
    source: str = ""
    numbers: int = 0
    seconds: float = 0.0
    code: str = ""


def label(
    parts: str | Path,
    out: str | Path,
    *,
    workers: Workers = ALONE,
    seconds: float = SECONDS,
    least: Verdict = Verdict.GOOD,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Programs:
    """Write programs for parts into the folder `out`, which training reads directly.

    A folder that holds some of the labels already is continued, so that a killed command loses the part at hand alone.

    Args:
        parts: A folder (sub-folders too) of meshes, STEP files, clouds and CadQuery scripts, or an .npz of `<id>_v`
            and `<id>_f`.
        seconds: For each part.
        least: GOOD keeps good matches alone; DETAILS keeps parts that lack details, too.
        limit: At most this many parts, drawn with the seed.
        on_progress: Called with (parts done, parts in all).
        should_stop: Called after each part; True ends the work early.
    Returns: What is kept, and why the rest is not.
    Raises: DatasetError: There are no parts, `out` is of other parts, or none could be labelled.
    """
    out = Path(out)
    waiting = drawn(find_parts(parts), limit, seed)
    (out / POINTS_FOLDER).mkdir(parents=True, exist_ok=True)
    done = _rows(out)
    strangers = done.keys() - {part.name for part in waiting}
    if strangers:
        raise DatasetError(
            "{out} holds labels of other parts ({name}). Choose another folder, or empty it.",
            out=out,
            name=min(strangers),
        )
    todo = [part for part in waiting if part.name not in done]
    work = functools.partial(label_part, seconds=seconds, least=least, seed=seed)
    with (out / ROWS_FILE).open("a", encoding="utf-8") as file:
        for _, (row, points) in workers.map(work, todo):
            if points is not None:
                np.save(_points_of(out, row.name), points)
            file.write(json.dumps(asdict(row)) + "\n")
            file.flush()
            done[row.name] = row
            on_progress(len(done), len(waiting))
            if should_stop():
                break
    rows = [done[part.name] for part in waiting if part.name in done]
    made = _finish(out, str(parts), rows)
    if not made.pairs and len(rows) == len(waiting):
        raise _nothing_kept(made)
    return made


def _nothing_kept(made: Programs) -> DatasetError:
    return DatasetError(
        "No program could be found for any of the {count} parts of {source}.{reasons}",
        count=len(made.skipped),
        source=made.source,
        reasons="".join(f"\n  {entry.name}: {entry.reason}" for entry in made.skipped[:3]),
    )


def find_parts(parts: str | Path) -> list[Unlabelled]:
    """The parts of a folder or an .npz, by name. A cloud or mesh beside a program of the same name belongs to it.

    Raises: DatasetError: There are none.
    """
    path = Path(parts)
    if path.suffix == ".npz" and path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            keys = sorted(name[:-2] for name in arrays.files if name.endswith("_v") and f"{name[:-2]}_f" in arrays)
        unlabelled = [Unlabelled(key, path, key) for key in keys]
    elif path.name.endswith((".jsonl", ".jsonl.gz")):
        unlabelled = [Unlabelled(entry.name, path, entry=entry) for entry in lines_of(path)]
    elif path.is_file():
        unlabelled = [Unlabelled(path.stem, path)] if path.suffix in (*READABLE, ".py") else []
    else:
        files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in READABLE or file.suffix == ".py"]
        beside = {cloud_beside(file) for file in files if file.suffix == ".py"}
        names = [file.relative_to(path) for file in files if file not in beside]
        stems = Counter(name.with_suffix("") for name in names)
        unlabelled = [
            Unlabelled(str(name if stems[name.with_suffix("")] > 1 else name.with_suffix("")), path / name)
            for name in names
        ]
    if not unlabelled:
        raise DatasetError(
            "{parts} holds no parts. Readable: {suffixes}, .py, .jsonl, .jsonl.gz, and an .npz of <id>_v and <id>_f.",
            parts=path,
            suffixes=", ".join(READABLE),
        )
    return unlabelled


def without_programs(source: str | Path) -> bool:
    """Whether a source of training data is a folder of parts without a single program in the language of `data`."""
    path = Path(source)
    if path.suffix == ".npz":
        return path.is_file()
    if not path.is_dir() or any(path.rglob("*.py")) or is_built(path):
        return False
    return any(file.suffix.lower() in READABLE for file in path.rglob("*"))


def label_part(
    part: Unlabelled, seconds: float, least: Verdict, seed: int, height_steps: int = 1
) -> tuple[Label, np.ndarray | None]:
    """Find a program for a part. Returns: the label, and (4096, 3) float16 points, MODEL, where there is one."""
    started = time.monotonic()
    try:
        pair = _own_pair(part, seed, height_steps) if part.is_program else None
        if pair is not None:
            return Label(part.name, True, "", Verdict.GOOD, 1.0, OWN, 0, 0.0, pair.text), pair.points
        return _measured(part, seconds, least, seed, started)
    except (CadrecodeError, UnicodeDecodeError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        return Label(part.name, False, reason, seconds=round(time.monotonic() - started, 3)), None


def _own_pair(part: Unlabelled, seed: int, height_steps: int) -> Pair | None:
    """The pair of a part that is a program; None where that is outside of the language.

    Raises: ProgramError, PointCloudError: it makes no part.
    """
    text, cloud = part.text(), None if part.entry is not None else cloud_beside(part.path)
    try:
        return make_pair(part.name, text, cloud, seed=seed, height_steps=height_steps)
    except ProgramError:
        if build_text(text).outcome == OUTSIDE:
            return None
        raise


def _measured(
    part: Unlabelled, seconds: float, least: Verdict, seed: int, started: float
) -> tuple[Label, np.ndarray | None]:
    own_seed = zlib.crc32(f"{seed}/{part.name}".encode())
    config = ReconstructConfig(source="measured", seed=own_seed)
    rebuilt = rebuild(part.cloud(own_seed), Writer(), config, whole_seconds=seconds)
    best = next((candidate for candidate in rebuilt.ranked if candidate.ok), None)
    if best is None or best.program is None:
        raise DatasetError("nothing could be read off it")
    assessment = rebuilt.given.assessor.assess(best.solid)
    is_good = assessment.verdict == Verdict.GOOD or (least == assessment.verdict == Verdict.DETAILS)
    program = alike(with_few_digits(alike(best.program)))
    row = Label(
        part.name,
        is_good,
        "" if is_good else str(WORDS[assessment.verdict]),
        str(assessment.verdict),
        round(assessment.likeness, 4),
        best.source,
        best.number_count,
        round(time.monotonic() - started, 3),
        write(program),
    )
    points = rebuilt.given.points_model
    rng = np.random.default_rng(own_seed)
    chosen = rng.choice(len(points), POOL_POINTS, replace=len(points) < POOL_POINTS)
    return row, points[chosen].astype(np.float16)


def _points_of(out: Path, name: str) -> Path:
    return out / POINTS_FOLDER / f"{zlib.crc32(name.encode()):08x}-{Path(name).name[:80]}.npy"


def _rows(out: Path) -> dict[str, Label]:
    """The labels that were written already, by name. Lines that a kill cut short are removed from the file."""
    rows = {}
    for values in read_lines(out / ROWS_FILE):
        with contextlib.suppress(TypeError):  # other keys: a damaged line
            row = Label(**values)
            rows[row.name] = row
    if rows:
        write_whole(out / ROWS_FILE, "".join(json.dumps(asdict(row)) + "\n" for row in rows.values()))
    return rows


def _finish(out: Path, source: str, rows: list[Label]) -> Programs:
    """Write the data set and the page of pictures."""
    left_out = names_in(out / LEFT_OUT_FILE)
    good = [row for row in rows if row.kept]
    pairs = [Pair(row.name, row.code, np.load(_points_of(out, row.name), mmap_mode="r")) for row in good]
    skipped = [Skipped(row.name, row.reason) for row in rows if not row.kept]
    write_whole(out / PAGE_FILE, page(source, out, rows, left_out))
    programs = Programs(source, pairs, skipped)
    if pairs:
        write_built(out, programs)
    return programs


def page(source: str, out: Path, rows: list[Label], left_out: set[str]) -> str:
    """An offline page of pictures: each input beside the part of its program, the doubtful ones first.

    Args:
        left_out: Names of parts that a person has unticked.
    """
    count = sum(row.kept for row in rows)
    ordered = sorted(rows, key=lambda row: (row.kept, row.likeness))
    cards = "".join(_card(out, row, row.name not in left_out) for row in ordered[:MOST_PICTURES])
    more = f"<p>The {len(rows) - MOST_PICTURES:,} best are not shown.</p>" if len(rows) > MOST_PICTURES else ""
    title = f"{source}: {count:,} of {len(rows):,} parts have a program"
    return whole_page(title, BODY.format(title=escape(title), cards=cards, more=more, left_out=LEFT_OUT_FILE))


def _card(out: Path, row: Label, ticked: bool) -> str:
    pictures = ""
    points = _points_of(out, row.name)
    if points.is_file():
        pictures += _picture(small_picture(None, np.load(points).astype(np.float64), pixels=PIXELS), "input")
    if row.code:
        pictures += _picture(small_picture(mesh_of(build(parse(row.code))), pixels=PIXELS), "part")
    name, state = escape(row.name), "checked" * ticked if row.kept else "disabled"
    box = f'<input type="checkbox" value="{name}" {state}>'
    figures = f"{row.likeness:.3f}, {row.numbers} numbers, {source_words(row.source)}" if row.kept else row.reason
    return (
        f'<figure class="{"kept" if row.kept else "failed"}">{pictures}<figcaption>'
        f"<label>{box} {name}</label><br>{escape(figures)}</figcaption></figure>"
    )


def _picture(image: Image, what: str) -> str:
    return f'<img alt="{what}" width="{PIXELS}" height="{PIXELS}" src="{data_address(image)}">'


BODY = """<style>
body {{ max-width: none }} .parts {{ display: flex; flex-wrap: wrap; gap: 16px }} img {{ border: 0 }}
figure {{ margin: 0; width: 250px; max-width: none }} label {{ overflow-wrap: anywhere }}
.failed figcaption {{ color: var(--warn) }}
</style>
<h1>{title}</h1>
<p>Left: the input. Right: the part of its program. Untick what a model should not learn, save the list, and put it
beside this page: training leaves those parts out.
<button onclick="save()">Save {left_out}</button></p>
<div class="parts">{cards}</div>{more}
<script>
function save() {{
  const names = [...document.querySelectorAll("input:not(:checked):not(:disabled)")].map(box => box.value + "\\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(names, {{ type: "text/plain" }}));
  link.download = "{left_out}";
  link.click();
}}
</script>
"""
