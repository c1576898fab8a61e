"""What the embedded base and the fit make of real files: a table of deviations, and a picture of each.

    python -m benchmarks.scans --files FOLDER_OR_FILE ... --out FOLDER [--seconds 10] [--candidates 8]

Each file is rebuilt as `inference_lora.py` does it. Lengths in the table are in the file's own units. FOLDER gets, of
each file, a picture (cloud over part, coloured by deviation) and what `inference_lora.py` writes; and scans.json.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cadrecode.cloud import BREP_SUFFIXES, CLOUD_SUFFIXES, MESH_SUFFIXES, read_cloud
from cadrecode.cloud.signed import signed_nearest
from cadrecode.config import ReconstructConfig
from cadrecode.engine import Engine
from cadrecode.errors import CadrecodeError
from cadrecode.export import write_json
from cadrecode.kernel import shared_sandbox
from cadrecode.scoring import Deviation, bounding_boxes
from cadrecode.scoring.deviation import colours
from cadrecode.ui.draw.show import PART, VIEW, face_normals

HEAD = "| file | points | size | mean | p95 | max | mean, % of size | before the fit | box off by | valid | seconds |"
READABLE = {*CLOUD_SUFFIXES, *MESH_SUFFIXES, *BREP_SUFFIXES}
SIDE, FINE = 560, 2  # pixels of a view; drawn so many times as large and shrunk, for smooth edges
POINT_PIXELS = 5  # before shrinking
MOST_DRAWN = 20_000  # points
FROM_BELOW = np.diag([-1.0, 1.0, -1.0]) @ VIEW  # from behind and below: what the first view hides
LIGHT = np.array([0.35, 0.65, 0.67])
STRIP = 56  # pixels for words below


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", nargs="+", type=Path, required=True, help="files, or folders of them")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seconds", type=float, default=10.0, help="of fitting, a file; 0: no fit [%(default)s]")
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="the first so many files")
    parser.add_argument("--align", choices=("auto", "off"), default="auto")
    parser.add_argument("--clean", choices=("off", "outliers", "all"), default="off")
    parser.add_argument("--units", default="units", help="for words in pictures [%(default)s]")
    given = parser.parse_args()
    values = {name: getattr(given, name) for name in ("candidates", "seconds", "seed", "align", "clean")}
    config = ReconstructConfig.from_values(values, source="options")
    given.out.mkdir(parents=True, exist_ok=True)
    engine = Engine("cpu")
    engine.open()
    files = files_of(given.files)[: given.limit]
    print(HEAD)
    print("|---" * HEAD.count(" | ") + "|---|", flush=True)
    rows = []
    for path in files:
        try:
            row = rebuilt(engine, path, given.out, given.units, config)
        except CadrecodeError as error:
            row = {"file": path.name, "error": str(error)}
        rows.append(row)
        print(line_of(row), flush=True)
    write_json(given.out / "scans.json", {"options": config.model_dump(), "rows": rows})


def files_of(places: list[Path]) -> list[Path]:
    """Readable files, folder by folder, by name; what is not there is named and passed over."""
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            files += sorted(path for path in place.iterdir() if path.suffix.lower() in READABLE)
        elif place.is_file():
            files.append(place)
        else:
            print(f"passed over: {place} is not there")
    return files


def rebuilt(engine: Engine, path: Path, out: Path, unit: str, config: ReconstructConfig) -> dict:
    """One file: its row of the table. Raises: CadrecodeError: it cannot be read, or nothing valid came out."""
    started = time.monotonic()
    cloud = read_cloud(path)
    result = engine.reconstruct(cloud, config, name=path.stem, model_name="embedded", sandbox=shared_sandbox())
    seconds = time.monotonic() - started
    best = result.require_best()
    best.write_all(out / path.stem)
    deviation = best.deviation
    boxes = bounding_boxes(*map(result.frame.to_own_axes, (result.cloud.points, best.vertices)))
    row = {
        "file": path.name,
        "points": len(result.cloud.points),
        "size": float(np.ptp(result.cloud.points, axis=0).max()),
        **{name: getattr(deviation, name) for name in ("mean", "p95", "max", "bias")},
        "distance": best.distance,
        "distance_before": best.distance_before,
        "box_off": boxes["relative_difference"],
        "valid": len(result.parts),
        "candidates": len(result.parts) + len(result.failed),
        "seconds": round(seconds, 1),
        "alignment": str(result.alignment),
        "program": best.program,
    }
    words = f"{path.name}: {deviation.mean:.3g} mean, {deviation.p95:.3g} p95, {deviation.max:.3g} max {unit}"
    picture(out / f"{path.stem}.png", (best.vertices, best.faces), deviation, unit, words)
    return row


def line_of(row: dict) -> str:
    """A row in Markdown."""
    if "error" in row:
        return f"| {row['file']} | {row['error']} |" + " |" * 9
    fitted = row["distance_before"] is not None
    cells = [
        row["file"],
        f"{row['points']:,}",
        *(f"{row[name]:.3g}" for name in ("size", "mean", "p95", "max")),
        f"{row['mean'] / row['size']:.2%}",
        f"{row['distance_before']:.3g} -> {row['distance']:.3g}" if fitted else f"{row['distance']:.3g}",
        f"{max(row['box_off'], key=abs):+.1%}",
        f"{row['valid']} of {row['candidates']}",
        f"{row['seconds']:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


# --- the picture: two views, drawn with a depth buffer


def picture(path: Path, mesh: tuple[np.ndarray, np.ndarray], deviation: Deviation, unit: str, words: str) -> Path:
    """Draw a part, (n, 3) and (m, 3), and its cloud, all RAW. Points inside of the part are drawn on its surface."""
    signed, places = signed_nearest(deviation.points, *mesh)
    shown = np.where(signed[:, None] < 0, places, deviation.points)
    step = -(-len(shown) // MOST_DRAWN)
    shown, shades = shown[::step], colours(signed, deviation.limit)[::step]
    image = Image.new("RGB", (2 * SIDE, SIDE + STRIP), "white")
    for index, view in enumerate((VIEW, FROM_BELOW)):
        image.paste(_view(view, *mesh, shown, shades), (index * SIDE, 0))
    _legend(image, deviation.limit, unit, words)
    image.save(path)
    return path


def _view(view: np.ndarray, vertices, faces, points, shades) -> Image.Image:
    pixels = SIDE * FINE
    everything = np.concatenate((vertices, points)) @ view.T
    low, high = everything.min(axis=0), everything.max(axis=0)
    scale = 0.9 * pixels / float((high - low)[:2].max())
    screen = (everything - (low + high) / 2) * scale  # x right, y up, z near; pixels
    screen = screen * (1, -1, 1) + (pixels / 2, pixels / 2, 0)
    corners, dots = screen[: len(vertices)], screen[len(vertices) :]
    depth = np.full((pixels, pixels), -np.inf)
    colour = np.full((pixels, pixels, 3), 255, np.uint8)
    normals = face_normals(vertices, faces) @ view.T
    for face in np.flatnonzero(normals[:, 2] > 1e-6):
        light = 0.62 + 0.38 * max(float(normals[face] @ LIGHT), 0)
        _fill(depth, colour, corners[faces[face]], np.array(PART) * light * 255)
    _dots(depth, colour, dots, shades)
    return Image.fromarray(colour).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _fill(depth: np.ndarray, colour: np.ndarray, triangle: np.ndarray, shade: np.ndarray) -> None:
    """Draw a triangle, (3, 3) pixels, where nothing is nearer."""
    (x0, y0), (x1, y1) = np.floor(triangle.min(0)[:2]).astype(int), np.ceil(triangle.max(0)[:2]).astype(int)
    x, y = np.meshgrid(np.arange(max(x0, 0), x1 + 1), np.arange(max(y0, 0), y1 + 1))
    a, b, c = triangle
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if abs(area) < 1e-9:
        return
    v = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
    w = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
    near = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
    covered = (v >= -1e-9) & (w >= -1e-9) & (v + w <= 1 + 1e-9) & (near > depth[y, x])
    depth[y[covered], x[covered]] = near[covered]
    colour[y[covered], x[covered]] = shade


def _dots(depth: np.ndarray, colour: np.ndarray, dots: np.ndarray, shades: np.ndarray) -> None:
    """Draw points as small squares, the nearest last, where the part does not hide their middle."""
    x, y = np.round(dots[:, :2]).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < depth.shape[1]) & (y < depth.shape[0])
    seen = np.flatnonzero(inside)[dots[inside, 2] > depth[y[inside], x[inside]] - 2 * FINE]
    half = POINT_PIXELS // 2
    for index in seen[np.argsort(dots[seen, 2])]:
        rows = slice(max(y[index] - half, 0), y[index] + half + 1)
        colour[rows, max(x[index] - half, 0) : x[index] + half + 1] = shades[index]


def _legend(image: Image.Image, limit: float, unit: str, words: str) -> None:
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(15)
    draw.text((16, SIDE + 6), words, "black", font)
    bar = colours(np.linspace(-limit, limit, 160), limit)[None].repeat(12, axis=0)
    image.paste(Image.fromarray(bar), (16, SIDE + 32))
    draw.text(
        (186, SIDE + 29), f"-{limit:.3g} {unit} inside ... +{limit:.3g} {unit} outside of the part", "black", font
    )


if __name__ == "__main__":
    main()
