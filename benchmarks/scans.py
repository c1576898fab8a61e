"""What the embedded base and the fit make of real files: a table of deviations, and a picture of each.

    python -m benchmarks.scans --files FOLDER_OR_FILE ... --out FOLDER [--seconds 10] [--candidates 8]

Each file is rebuilt as `inference_lora.py` does it. Lengths in the table are in the file's own units. FOLDER gets a
picture of each file (the part, and the cloud by its deviation), what `inference_lora.py` writes, and scans.json.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cadrecode.cloud import BREP_SUFFIXES, CLOUD_SUFFIXES, MESH_SUFFIXES, read_cloud
from cadrecode.config import ReconstructConfig
from cadrecode.engine import Engine
from cadrecode.errors import CadrecodeError
from cadrecode.export import write_json
from cadrecode.kernel import shared_sandbox
from cadrecode.pictures import small_picture
from cadrecode.scoring import Deviation, bounding_boxes
from cadrecode.scoring.deviation import colours

HEAD = "| file | points | size | mean | p95 | max | mean, % of size | before the fit | box off by | valid | seconds |"
READABLE = {*CLOUD_SUFFIXES, *MESH_SUFFIXES, *BREP_SUFFIXES}
SIDE = 560  # pixels of a picture
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


def picture(path: Path, mesh: tuple[np.ndarray, np.ndarray], deviation: Deviation, unit: str, words: str) -> Path:
    """Draw a part, (n, 3) and (m, 3), and beside it its cloud coloured by its deviation, all RAW."""
    shades = colours(deviation.signed, deviation.limit)
    image = Image.new("RGB", (2 * SIDE, SIDE + STRIP), "white")
    image.paste(small_picture(mesh, pixels=SIDE), (0, 0))
    image.paste(small_picture(None, deviation.points, colours=shades, pixels=SIDE), (SIDE, 0))
    _legend(image, deviation.limit, unit, words)
    image.save(path)
    return path


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
