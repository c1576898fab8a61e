"""From programs to training pairs: read, check, bring into a common frame and spelling, sample the surface.

Nothing is executed: programs are parsed and built by `cadrecode.program`. A program that fails is skipped and listed
with its reason; it is never replaced by something else.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from cadrecode.cloud import CLOUD_SUFFIXES, MESH_SUFFIXES, read_cloud
from cadrecode.data.pairs import POOL_POINTS, Pair, Programs, Skipped
from cadrecode.data.pool import BLOCK, on_disk
from cadrecode.data.shards import count_rows, read_pairs, read_skipped, shards_of
from cadrecode.data.sharing import ALONE, Processes, shared
from cadrecode.errors import DatasetError, Message, PointCloudError, ProgramError, joined
from cadrecode.frames import CODE_PER_MODEL, MODEL_SIDE, Frame
from cadrecode.geometry import bounding_box
from cadrecode.invent import draw as inventing
from cadrecode.invent.canonical import canonical
from cadrecode.invent.source import PREFIX, family_in
from cadrecode.json_files import numbered_lines
from cadrecode.program import build, edit, iou, parse, write
from cadrecode.program.language import Program
from cadrecode.program.solid import bounds, sample

FORMATS = Message(
    "a folder of .py programs (sub-folders too, so CAD-Recode's batch_*/*.py; a cloud or mesh of "
    "the same name beside a program is used as its input), a .jsonl or .jsonl.gz file with a "
    "program under `code` in each line, a folder made by `cadrecode build-dataset` or `label`, or "
    "invent:<family>[:count] for invented parts"
)
INVENTED = 2000  # parts of invent:<family> where no count is given
CODE_SIDE = MODEL_SIDE * CODE_PER_MODEL
SIDE_SLACK, CENTER_SLACK = 0.03 * CODE_SIDE, 3.0  # programs of whole numbers miss the CODE frame by a little
FINE_SLACK = 0.1  # share of these slacks where thicknesses are finer than whole numbers
STEPS_PER_CODE = 2  # numbers brought into the CODE frame are rounded at least to halves, which CAD-Recode has too
LEAST_IOU_ROUNDED = 0.8  # of a program with itself before rounding
BOX_SLACK = 0.1  # of the longest side: how far the boxes of a scan and its program may differ
POINTS_FILE, PROGRAMS_FILE = "points.npy", "programs.jsonl.gz"  # what `label` writes
LEFT_OUT_FILE = "left_out.txt"  # names, one a line, of pairs in such a folder that a person does not want


def load_programs(
    source: str | Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    respell: bool = False,
    tokens_in: Callable[[str], int] = len,
    height_steps: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    processes: Processes = ALONE,
) -> Programs:
    """Read a source of programs and make pairs of what is good.

    Args:
        source: see FORMATS.
        limit: at most this many pairs, drawn at random from the whole source.
        seed: decides the draw, the surface points and the invented parts.
        respell: write the programs as the embedded base writes equal shapes, unless that makes them longer.
        tokens_in: how long a text is; with `respell`, all programs of a source have the spelling that is shorter.
        height_steps: for parts that are invented, brought into the CODE frame, or respelled; see
            `invent.spelling.GridSlab`.
        on_progress: called with (programs read, programs in all) now and then.
        should_stop: called now and then; True ends the reading early.
        processes: share the work with these, which all read the same source.
    Raises: DatasetError: no such source, not one of the formats, or nothing in it is usable.
    """
    source = str(source)
    path = Path(source)
    if is_built(path):
        built = _read_built(path, limit, seed, on_progress, should_stop)
        pairs = [_respelled(pair, height_steps) for pair in built.pairs] if respell else built.pairs
        return replace(built, pairs=_spelled_alike(pairs, tokens_in))
    entries, total = _entries(source, seed, limit, height_steps)
    if source.startswith(PREFIX) and height_steps == 1:
        respell = False  # invented programs are canonical already; finer heights are rounded anew in the CODE frame
    skipped: list[Skipped] = []

    def read(entry: Entry) -> Pair | Skipped:
        try:
            return make_pair(
                entry.name, entry.text(), entry.cloud, seed=seed, respell=respell, height_steps=height_steps
            )
        except (ProgramError, PointCloudError, UnicodeDecodeError) as error:
            return Skipped(entry.name, str(error))

    def usable() -> Iterator[Pair]:
        for number, result in enumerate(shared(entries, read, processes, should_stop)):
            if isinstance(result, Pair):
                yield result
            else:
                skipped.append(result)
            if on_progress and (number + 1) % 100 == 0:
                on_progress(number + 1, total)

    pairs = list(on_disk(islice(usable(), limit)))
    if not pairs and not should_stop():
        none = Message("None of the {n} programs of {source} is usable.", n=len(skipped), source=source)
        lines = [Message("  {name}: {reason}", name=entry.name, reason=entry.reason) for entry in skipped[:3]]
        raise DatasetError(joined("{first}\n{second}", [none, *lines]))
    return Programs(source, _spelled_alike(pairs, tokens_in), skipped)


def _respelled(pair: Pair, height_steps: int) -> Pair:
    return replace(pair, text=write(canonical(parse(pair.text), height_steps)), designed=pair.text)


def _spelled_alike(pairs: list[Pair], tokens_in: Callable[[str], int]) -> list[Pair]:
    """The pairs in the base's spelling, or all in their designers' where that is shorter on the whole.

    A family is learnt from what its programs have in common, so they are not mixed. The base draws a ring of notches as
    a single outline of arcs, which takes three times as many tokens as the pattern, and hides its count.
    """
    if sum(tokens_in(pair.designed) - tokens_in(pair.text) for pair in pairs if pair.designed) >= 0:
        return pairs
    return [replace(pair, text=pair.designed) if pair.designed else pair for pair in pairs]


def exists(source: str | Path) -> bool:
    """Whether a source can be read; an invented source always can."""
    return str(source).startswith(PREFIX) or Path(source).exists()


def require(source: str | Path) -> None:
    """Check that a source is there before anything heavy is loaded for it. Raises: DatasetError: it is not."""
    if not exists(source):
        raise DatasetError("There is no training data at {source}. Give {formats}.", source=source, formats=FORMATS)


def count_programs(source: str | Path) -> int:
    """The number of programs in a source, without reading them. Raises: DatasetError: no such source or format."""
    path = Path(source)
    if is_built(path):
        return count_rows(path) if shards_of(path) else len(_read_built(path, None, 0).pairs)
    return _entries(str(source), 0, None)[1]


def make_pair(
    name: str, text: str, cloud: Path | None = None, *, seed: int = 0, respell: bool = False, height_steps: int = 1
) -> Pair:
    """Make a training pair of a program, with points of the cloud or mesh beside it, or else of its own surface.

    Args:
        respell: write the program as the embedded base writes an equal shape.
        height_steps: for a program that is respelled or brought into the CODE frame; see `invent.spelling.GridSlab`.
    Raises: ProgramError, PointCloudError: the program cannot be used, and why.
    """
    program = parse(text)
    solid = build(program)
    low, high = box = bounds(solid)
    framed = in_code_frame(low, high, height_steps)
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if cloud is None:
        if not framed:
            program = to_code_frame(program, Frame.of(box), height_steps)
            solid = build(program)
        points, _ = sample(solid, POOL_POINTS, rng)
        frame = Frame.of(bounds(solid))
    else:
        raw = read_cloud(cloud, seed=seed).points
        frame = Frame.of(raw)
        if not framed:
            corners = frame.to_code(box)
            scanned = frame.to_code(bounding_box(raw))
            if np.abs(corners - scanned).max() > BOX_SLACK * CODE_SIDE:
                raise ProgramError(
                    "its box and that of {name} differ by more than {slack:.0%}", name=cloud.name, slack=BOX_SLACK
                )
            program = to_code_frame(program, frame, height_steps)
        points = raw[rng.choice(len(raw), POOL_POINTS, replace=len(raw) < POOL_POINTS)]
    designed = ""
    if respell:
        designed, program = write(program), canonical(program, height_steps)
    return Pair(name, write(program), frame.to_model(points).astype(np.float16), designed)


def in_code_frame(low: np.ndarray, high: np.ndarray, height_steps: int = 1) -> bool:
    """Whether a box, (3,) and (3,), is centred and has a longest side of 200, as nearly as rounded numbers allow."""
    slack = 1.0 if height_steps == 1 else FINE_SLACK
    centred = np.abs(low + high).max() / 2 <= CENTER_SLACK * slack
    return bool(centred and abs((high - low).max() - CODE_SIDE) <= SIDE_SLACK * slack)


def to_code_frame(program: Program, frame: Frame, height_steps: int) -> Program:
    """Bring a program from the RAW into the CODE frame, with numbers rounded to halves, or to finer `height_steps`.

    Raises: ProgramError: the part is so fine that rounding would make another part of it.
    """
    exact = edit.transform(program, 1 / frame.raw_per_code, tuple(-c / frame.raw_per_code for c in frame.center))
    steps = max(height_steps, STEPS_PER_CODE)
    rounded = edit.transform(edit.rounded(edit.transform(exact, steps), 0), 1 / steps)
    agreement = iou(build(exact), build(rounded))
    if agreement < LEAST_IOU_ROUNDED:
        raise ProgramError(
            "Rounded to {share:.2%} of its longest side it is another part (IoU {iou:.2f}).",
            share=1 / (steps * CODE_SIDE),
            iou=agreement,
        )
    return rounded


# --- sources


@dataclass(frozen=True)
class Entry:
    """A program that has not been read yet.

    Args:
        code: The program, where it does not stand in a file of its own, `path`.
        cloud: The file of points beside it.
        refusal: Why there is no program.
    """

    name: str
    code: str = ""
    path: Path | None = None
    cloud: Path | None = None
    refusal: Message | None = None

    def text(self) -> str:
        """Raises: ProgramError: there is no program. UnicodeDecodeError: its file holds no text."""
        if self.refusal is not None:
            raise ProgramError(self.refusal)
        return self.code if self.path is None else self.path.read_text("utf-8")


def _entries(source: str, seed: int, limit: int | None, height_steps: int = 1) -> tuple[Iterable[Entry], int]:
    """The entries of a source and their number."""
    path = Path(source)
    if source.startswith(PREFIX):
        return _invented(source, seed, limit, height_steps)
    require(source)
    if path.is_dir():
        entries = _files(path)
        if not entries:
            raise DatasetError("{source} holds no .py programs. Give {formats}.", source=source, formats=FORMATS)
    elif path.name.endswith((".jsonl", ".jsonl.gz")):
        entries = lines_of(path)
    elif path.suffix == ".py":
        entries = [Entry(path.stem, path=path, cloud=cloud_beside(path))]
    else:
        raise DatasetError("{source} is not a format that is known. Give {formats}.", source=source, formats=FORMATS)
    if limit is not None and limit < len(entries):
        order = np.random.default_rng(seed).permutation(len(entries))
        entries = [entries[i] for i in order]
    return entries, len(entries)


def _files(folder: Path) -> list[Entry]:
    return [
        Entry(str(path.relative_to(folder).with_suffix("")), path=path, cloud=cloud_beside(path))
        for path in sorted(folder.rglob("*.py"))
    ]


def cloud_beside(program: Path) -> Path | None:
    """The cloud or mesh of the same name beside a program."""
    for suffix in (*CLOUD_SUFFIXES, *MESH_SUFFIXES):
        if (candidate := program.with_suffix(suffix)).is_file():
            return candidate
    return None


def lines_of(path: Path) -> list[Entry]:
    """The programs of a .jsonl or .jsonl.gz file. Raises: DatasetError: it cannot be read."""
    return [_line_entry(number, line) for number, line in numbered_lines(path)]


def _line_entry(number: int, line: str) -> Entry:
    name = f"line {number}"
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):  # the second where it is nested too deeply
        return Entry(name, refusal=Message("not JSON"))
    if not isinstance(values, dict) or not isinstance(values.get("code"), str):
        return Entry(name, refusal=Message("has no program under `code`"))
    return Entry(str(values.get("id") or values.get("name") or name), values["code"])


def _invented(source: str, seed: int, limit: int | None, height_steps: int) -> tuple[Iterator[Entry], int]:
    family, count = family_in(source)
    count = min(count or INVENTED, limit or 10**9)
    rng = np.random.default_rng(seed)

    def invented() -> Iterator[Entry]:
        for i in range(count):
            program = inventing.invent(rng, family, height_steps=height_steps)
            yield Entry(f"{family}-{i:06d}", write(program))

    return invented(), count


# --- built data sets


def write_built(folder: Path, programs: Programs) -> None:
    """Write pairs so that `load_programs(folder)` reads them back without building anything."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / POINTS_FILE, np.stack([pair.points for pair in programs.pairs]))
    with gzip.open(folder / PROGRAMS_FILE, "wt", encoding="utf-8") as file:
        for pair in programs.pairs:
            file.write(json.dumps({"name": pair.name, "code": pair.text}) + "\n")
    skipped = [[entry.name, entry.reason] for entry in programs.skipped]
    report = {"source": programs.source, "used": len(programs.pairs), "skipped": skipped}
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


def is_built(folder: Path) -> bool:
    """Whether `build-dataset` or `label` made a folder."""
    return bool(shards_of(folder)) or ((folder / POINTS_FILE).is_file() and (folder / PROGRAMS_FILE).is_file())


def _read_built(
    folder: Path,
    limit: int | None,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Programs:
    is_parquet = bool(shards_of(folder))
    left_out = names_in(folder / LEFT_OUT_FILE)
    count, read = (count_rows(folder), read_pairs) if is_parquet else _read_labelled(folder)
    chosen = np.arange(count)
    if limit is not None and limit < count:
        chosen = np.random.default_rng(seed).permutation(count)[:limit]
    skipped = read_skipped(folder) if is_parquet else []
    pairs: list[Pair] = []
    for number, pair in enumerate(on_disk(read(folder, chosen))):
        if number and number % BLOCK == 0:
            if on_progress:
                on_progress(number, len(chosen))
            if should_stop():
                return Programs(str(folder), pairs, skipped)
        if pair.name in left_out:
            skipped.append(Skipped(pair.name, Message("left out by a person")))
        else:
            pairs.append(pair)
    if not pairs:
        raise DatasetError("{path} leaves out every part of the data set.", path=folder / LEFT_OUT_FILE)
    return Programs(str(folder), pairs, skipped)


def _read_labelled(folder: Path) -> tuple[int, Callable[[Path, np.ndarray], Iterator[Pair]]]:
    """The number of pairs that `label` wrote, and what reads some of them."""
    try:
        points = np.load(folder / POINTS_FILE, mmap_mode="r", allow_pickle=False)
        with gzip.open(folder / PROGRAMS_FILE, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise DatasetError("{path} cannot be read: {error}. Build it again.", path=folder, error=error) from error
    if len(rows) != len(points) or points.ndim != 3 or points.shape[2] != 3:
        raise DatasetError(
            "{folder}: {n} programs and points of shape {shape}. Build it again.",
            folder=folder,
            n=len(rows),
            shape=points.shape,
        )
    return len(rows), lambda _, chosen: (Pair(rows[i]["name"], rows[i]["code"], points[i]) for i in chosen)


def names_in(path: Path) -> set[str]:
    """The lines of a file of names; none where there is no such file."""
    return set(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else set()
