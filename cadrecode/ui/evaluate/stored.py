"""An evaluation in a folder of its own, written as it goes: what was asked, each row, each whole report.

So a restart of the app loses nothing of it: what there is of the latest is shown again, and can be gone on with.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cadrecode.errors import CadrecodeError
from cadrecode.ui.services import Services

PLACE = ".evaluations"  # below the runs folder


@dataclass(frozen=True)
class Asked:
    """What is to be scored.

    Args:
        targets: see `scoring.load_targets`; chosen: the models, as `evaluation.choices` lists them.
        fit_seconds: for each part; 0: no fit.
    Raises: CadrecodeError: no model was chosen.
    """

    targets: str
    chosen: tuple[str, ...]
    candidates: int = 1
    limit: int = 50
    seed: int = 0
    fit_seconds: float = 0.0

    def __post_init__(self):
        if not self.chosen:
            raise CadrecodeError("Choose at least one model to evaluate.")


class Kept:
    """The folder of one evaluation. asked.json is there from its beginning, scored.jsonl grows while it goes on."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def new(cls, services: Services) -> Kept:
        """An empty one; those before it stay until it has scored something."""
        place = services.runs_dir / PLACE
        place.mkdir(parents=True, exist_ok=True)
        return cls(Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=place)))

    @classmethod
    def latest(cls, services: Services) -> Kept | None:
        """The evaluation that began last, if there was any."""
        begun = sorted((services.runs_dir / PLACE).glob("*/asked.json"), key=lambda path: path.stat().st_mtime_ns)
        return cls(begun[-1].parent) if begun else None

    def begin(self, asked: Asked) -> None:
        """Note what is asked. From here on this one is the latest."""
        (self.folder / "asked.json").write_text(json.dumps(asdict(asked)), encoding="utf-8")

    def drop(self) -> None:
        """Remove it: nothing came of it. So the one before is the latest again."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def asked(self) -> Asked:
        values = json.loads((self.folder / "asked.json").read_text(encoding="utf-8"))
        return Asked(**{**values, "chosen": tuple(values["chosen"])})

    def add(self, model: str, **found: Mapping[str, Any]) -> None:
        """Append a `row`, or the whole `report`, of a model."""
        if not (self.folder / "scored.jsonl").exists():
            for other in self.folder.parent.iterdir():
                if other != self.folder:
                    shutil.rmtree(other, ignore_errors=True)
        with (self.folder / "scored.jsonl").open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps({"model": model, **found}))  # the line before may have been cut off

    def read(self) -> tuple[dict[str, dict], dict[str, list[dict]]]:
        """Whole reports by model, and rows by model. A line that was not written to its end is left out."""
        reports: dict[str, dict] = {}
        rows: dict[str, list[dict]] = {}
        path = self.folder / "scored.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if "report" in found:
                reports[found["model"]] = found["report"]
            else:
                rows.setdefault(found["model"], []).append(found["row"])
        return reports, rows

    def whole(self) -> bool:
        """Whether all models have scored all parts."""
        reports, _ = self.read()
        return all(model in reports for model in self.asked().chosen)
