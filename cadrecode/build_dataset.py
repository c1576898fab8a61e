"""Make a data set once, so that trainings start at once: checked, canonical programs with their surface points."""

from __future__ import annotations

import logging
from pathlib import Path

from cadrecode.data.dataset import exists, load_programs, write_built
from cadrecode.data.pairs import Programs
from cadrecode.errors import DatasetError

log = logging.getLogger(__name__)


def build_dataset(
    source: str | Path, out: str | Path, n: int | None = None, seed: int = 0, height_steps: int = 1
) -> Programs:
    """Read `source` (any format of `load_programs`) and write the folder `out`, which training reads directly.

    Args:
        n: at most this many pairs.
        height_steps: for parts that are invented or brought into the CODE frame; see `invent.spelling.GridSlab`.
    Returns: what was written, and what was skipped.
    Raises: DatasetError: the source is not usable, or `out` holds something already.
    """
    out = Path(out)
    if exists(out) and any(out.iterdir()):
        raise DatasetError("{out} is not empty. Choose another folder, or empty it.", out=out)
    programs = load_programs(
        source,
        limit=n,
        seed=seed,
        height_steps=height_steps,
        on_progress=lambda done, total: log.info("%s of %s programs", f"{done:,}", f"{total:,}"),
    )
    write_built(out, programs)
    log.info("%s: %s pairs, %s skipped", out, f"{len(programs.pairs):,}", f"{len(programs.skipped):,}")
    return programs
