"""How invented parts compare with real programs. Statistics alone: no program of theirs is kept or trained on.

python -m benchmarks.distribution --programs NAME=FILE.jsonl.gz ... [--count 1000] [--out benchmarks/distribution.md]

Each file holds a program under `code` in each row; those that cannot be read or built are left out and counted. The
invented ones are held out. Shares are of parts unless another whole is named. Some programs spell a box as a sketch of
a rectangle, and a cylinder as one of a circle: they count as outlines like those.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from cadrecode.data.stream import make_pairs
from cadrecode.errors import ProgramError
from cadrecode.invent.held_out import held_out
from cadrecode.program import Program, build, parse, write
from cadrecode.program.language import Arc, Box, Circle, Cylinder, Extrusion, Face, Loop, Mode, Operation, Rect, Sketch
from cadrecode.program.solid import bounds, mesh_of

CLOUD_POINTS = 256
TIMED_PAIRS = 300
SEED = 0
NEAR = 2.0  # CODE: sides of a mirrored part may differ by what rounding does


@dataclass
class Shapes:
    """The outlines of a part, counted through faces within faces."""

    kinds: Counter = field(default_factory=Counter)
    loop_edges: list[int] = field(default_factory=list)
    arcs: int = 0
    edges: int = 0
    holes: list[int] = field(default_factory=list)  # how many of each size a sketch subtracts
    coordinates: list[float] = field(default_factory=list)  # of the corners of loops, a sketch's x and y apart
    shared: int = 0  # of them, those that another corner of the same loop has too

    def look(self, sketch: Sketch) -> None:
        holes = Counter()
        for step in sketch.steps:
            if step.mode is Mode.SUBTRACT:
                holes[step.shape] += len(step.places)
            match step.shape:
                case Face(inner):
                    self.look(inner)
                case Circle():
                    self.kinds["circle"] += 1
                case Rect():
                    self.kinds["rectangle"] += 1
                case Loop():
                    self._look_at_loop(step.shape)
        self.holes += holes.values()

    def _look_at_loop(self, loop: Loop) -> None:
        arcs = sum(isinstance(edge, Arc) for edge in loop.edges)
        self.kinds["loop with arcs" if arcs else "polygon"] += 1
        ends = [loop.start, *(edge.end for edge in loop.edges)]
        corners = ends[:-1] if ends[-1] == ends[0] else ends
        self.loop_edges.append(len(corners))
        self.arcs += arcs
        self.edges += len(corners)
        for values in zip(*corners):
            counts = Counter(values)
            self.coordinates += values
            self.shared += sum(count for count in counts.values() if count > 1)


@dataclass(frozen=True)
class Part:
    """One row of the statistics."""

    solids: int
    operations: tuple[Operation, ...]
    shapes: Shapes
    sides: np.ndarray  # (3,) of the bounding box, CODE, shortest first
    mirrored: int  # planes through the middle of the box, of three, in which it is its own mirror image
    numbers: np.ndarray  # all that the text says
    length: int  # of the text


def measure(program: Program) -> Part:
    """Raises: ProgramError: it builds nothing."""
    solid = build(program)
    shapes = Shapes()
    for one in program.solids():
        match one:
            case Box():
                shapes.kinds["rectangle"] += 1
            case Cylinder():
                shapes.kinds["circle"] += 1
            case Extrusion():
                shapes.look(one.sketch)
    low, high = bounds(solid)
    text = write(program)
    return Part(
        len(program.solids()),
        tuple(step.operation for step in program.steps[1:]),
        shapes,
        np.sort(high - low),
        _mirrored(mesh_of(solid)[0], low, high),
        np.array([float(number) for number in _numbers(text)]),
        len(text),
    )


def _numbers(text: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(r"(?<![\w.])-?\d+(\.\d+)?", text))


def _mirrored(vertices: np.ndarray, low: np.ndarray, high: np.ndarray) -> int:
    """How many of the box's three middle planes send every vertex near another one: (n, 3), (3,), (3,)."""
    tree, count = cKDTree(vertices), 0
    for axis in range(3):
        image = vertices.copy()
        image[:, axis] = low[axis] + high[axis] - image[:, axis]
        count += bool(tree.query(image)[0].max() <= NEAR)
    return count


# --- the table


def rows(parts: list[Part]) -> Iterator[tuple[str, str]]:
    """(name, figure) of each statistic."""
    count = len(parts)

    def share(values: Iterable[bool], whole: int = count) -> str:
        return f"{sum(values) / max(1, whole):.0%}"

    for number in (1, 2, 3, 4):
        yield f"{number} solid{'s' * (number > 1)}", share(part.solids == number for part in parts)
    yield "5 solids and more", share(part.solids >= 5 for part in parts)
    operations = Counter(operation for part in parts for operation in part.operations)
    for operation in Operation:
        yield f"{operation}, of operations", f"{operations[operation] / max(1, operations.total()):.0%}"
    kinds = sum((part.shapes.kinds for part in parts), Counter())
    for kind in ("circle", "rectangle", "polygon", "loop with arcs"):
        yield f"{kind}, of outlines", f"{kinds[kind] / kinds.total():.0%}"
    edges = np.array([length for part in parts for length in part.shapes.loop_edges])
    yield "edges of a loop: median, 90 %, most", " / ".join(f"{q:.0f}" for q in np.quantile(edges, (0.5, 0.9, 1)))
    for low, high in ((2, 3), (4, 4), (5, 8), (9, 16), (17, 10**6)):
        name = f"{low} and more" if high > 99 else f"{low} to {high}" if high > low else f"{low}"
        yield f"loops of {name} edges", f"{((edges >= low) & (edges <= high)).mean():.0%}"
    yield "arcs, of edges", f"{sum(p.shapes.arcs for p in parts) / sum(p.shapes.edges for p in parts):.0%}"
    yield "parts with holes in a sketch", share(bool(part.shapes.holes) for part in parts)
    holes = [places for part in parts for places in part.shapes.holes]
    yield "of their kinds of holes, 2 equal ones and more", share((n > 1 for n in holes), len(holes))
    yield "mirror images of themselves, one plane at least", share(part.mirrored >= 1 for part in parts)
    yield "in two at least", share(part.mirrored >= 2 for part in parts)
    thin = np.array([part.sides[0] / part.sides[2] for part in parts])
    yield "shortest to longest side, median", f"{np.median(thin):.2f}"
    yield "under 0.02", f"{(thin < 0.02).mean():.1%}"
    yield "under 0.05", f"{(thin < 0.05).mean():.0%}"
    coordinates = sum(len(part.shapes.coordinates) for part in parts)
    yield "corners' coordinates shared within their loop", f"{sum(p.shapes.shared for p in parts) / coordinates:.0%}"
    numbers = np.concatenate([part.numbers for part in parts])
    numbers = numbers[numbers != 0]
    for divisor in (5, 10):
        yield f"numbers but 0 that {divisor} divides", f"{(numbers % divisor == 0).mean():.0%}"
    yield "numbers but 0 that are not whole", f"{(numbers % 1 != 0).mean():.1%}"
    lengths = [part.length for part in parts]
    yield "characters: median, 90 %", " / ".join(f"{q:.0f}" for q in np.quantile(lengths, (0.5, 0.9)))


def read(path: Path, count: int) -> tuple[list[Part], int]:
    """Parts of a file, drawn at random, and how many of the programs looked at could not be used."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = list(file)
    parts: list[Part] = []
    failed = 0
    for index in np.random.default_rng(SEED).permutation(len(lines)):
        try:
            parts.append(measure(parse(json.loads(lines[index])["code"])))
        except ProgramError:
            failed += 1
        if len(parts) == count:
            break
    return parts, failed


def _speed(family: str) -> str:
    make_pairs((0, 1), 10, family=family, n_points=CLOUD_POINTS)  # the first calls load Manifold
    started = time.process_time()
    texts = make_pairs((0, 2), TIMED_PAIRS, family=family, n_points=CLOUD_POINTS).texts
    speed = TIMED_PAIRS / (time.process_time() - started)
    return f"{speed:.0f} pairs of {family} a second of processor time, {len(set(texts))} of {TIMED_PAIRS} texts differ"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--programs", nargs="+", default=[], metavar="NAME=FILE", help=".jsonl.gz of programs")
    arguments.add_argument("--families", nargs="+", default=["general", "designs"], help="of invented parts")
    arguments.add_argument("--count", type=int, default=1000, help="parts of each")
    arguments.add_argument("--out", type=Path, help="a .md file; printed otherwise")
    options = arguments.parse_args()

    columns = {
        family: [measure(held_out(family, index)) for index in range(options.count)] for family in options.families
    }
    left_out = []
    for named in options.programs:
        name, _, path = named.partition("=")
        columns[name], failed = read(Path(path), options.count)
        left_out.append(f"{name}: {failed} programs left out")
    made = [_speed(family) for family in options.families]

    lines = ["# Invented parts beside real programs", "", "`python -m benchmarks.distribution`: statistics alone.", ""]
    lines += ["| | " + " | ".join(f"{name} ({len(parts):,})" for name, parts in columns.items()) + " |"]
    lines += ["|---" * (len(columns) + 1) + "|"]
    tables = {name: dict(rows(parts)) for name, parts in columns.items()}
    for statistic in next(iter(tables.values())):
        lines.append(f"| {statistic} | " + " | ".join(table[statistic] for table in tables.values()) + " |")
    lines += ["", f"On one core, clouds of {CLOUD_POINTS} points: {'; '.join(made)}. {'; '.join(left_out)}"]
    text = "\n".join(lines).rstrip() + "\n"
    options.out.write_text(text, encoding="utf-8") if options.out else print(text)


if __name__ == "__main__":
    main()
