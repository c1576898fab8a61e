"""The functions of `import cadrecode` beside the language of programs: one call for each of the three main jobs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cadrecode.cloud import Cloud, read_cloud
from cadrecode.cloud.check import flatness_warnings, require_distinct, require_points_array
from cadrecode.config import ReconstructConfig, TrainConfig
from cadrecode.data.dataset import require
from cadrecode.engine import Engine
from cadrecode.errors import Message
from cadrecode.kernel import shared_sandbox
from cadrecode.part import Part, name_of
from cadrecode.runs import Run, State


def reconstruct(
    scan: str | Path | np.ndarray | Cloud,
    *,
    model: str | None = None,
    adapter: str | Path | None = None,
    name: str | None = None,
    device: str = "auto",
    **settings: Any,
) -> Part:
    """Rebuild a scan as a short CadQuery program.

        part = cadrecode.reconstruct("scan.ply", unit="mm")
        part.program, part.deviation.mean, part.parameters
        part.with_parameters({"hole 1 diameter": 8.0}).write("part.step")

    The model stays loaded for the next call.

    Args:
        scan: A point cloud, mesh or STEP file; or (N, 3) points.
        model: Name or folder of a base; by default the adapter's own, else the embedded one.
        adapter: Folder of an adapter; a merged model in it is preferred.
        name: The part's name, in STEP and for its files; by default the name of the file.
        device: "auto", "cpu", "cuda", ...
        settings: Fields of `ReconstructConfig`: candidates, temperature, seed, seconds, align, clean, names, unit.
    Raises: PointCloudError: not a usable scan. ConfigError: settings that are unknown or impossible.
        ModelError: no such model. CadrecodeError: no candidate is a valid solid.
    """
    config = ReconstructConfig.from_values(settings, source="reconstruct")
    cloud = _cloud(scan, config.seed)
    engine = _engine(device)
    opened = engine.choose(model, adapter)
    result = engine.reconstruct(
        cloud, config, name=name_of(name or cloud.name), model_name=opened.note, sandbox=shared_sandbox()
    )
    return result.require_best()


def train(config: str | Path | TrainConfig, **settings: Any) -> Path:
    """Fine-tune an adapter, and return its folder.

    Args:
        config: A settings file such as configs/quickstart.yaml, or settings.
        settings: Fields of `TrainConfig`, in place of the file's.
    Raises: ConfigError: settings that are unknown, impossible or at odds. DatasetError: no usable programs.
        ModelError: no such base. RunError: the run cannot be started or resumed.
    """
    if isinstance(config, TrainConfig):
        config = config.changed(**settings) if settings else config
    else:
        config = TrainConfig.load(config, settings)
    require(config.train_data_path)
    run = own_run(config)
    from cadrecode.training import train as fine_tune  # torch, from here on

    return fine_tune(config, run)


def evaluate(
    targets: str | Path,
    *,
    model: str | None = None,
    adapter: str | Path | None = None,
    device: str = "auto",
    **options: Any,
) -> dict[str, Any]:
    """Rebuild shapes whose solid is known from sampled clouds, and score the programs.

    Args:
        targets: A folder of meshes, an .npz of <id>_v and <id>_f, or invent:<family>:<count>.
        model: Name or folder of a base; by default the adapter's own, else the embedded one.
        adapter: Folder of an adapter; a merged model in it is preferred.
        device: "auto", "cpu", "cuda", ...
        options: Arguments of `evaluation.evaluate`: candidates, limit, seed, temperature, fit_seconds, ...
    Returns: The report, as JSON can hold it.
    Raises: DatasetError: no target can be scored. ModelError: no such model.
    """
    from cadrecode.evaluation import evaluate as score_model

    engine = _engine(device)
    opened = engine.open(model, adapter)
    with engine.ready() as (network, tokenizer):
        report = score_model(targets, network, tokenizer, sandbox=shared_sandbox(), **options)
    return {"model": opened.base, "adapter": opened.adapter and str(adapter), **report}


def own_run(config: TrainConfig) -> Run:
    """The run folder of a training that starts in this process: a new folder, or that of the run it resumes."""
    run = Run(config.model_save_path)
    settings = config.changed(resume_from_checkpoint=None).to_yaml()
    if config.resume_from_checkpoint is not None and run.exists() and not run.alive():
        run.write_config(settings)
        run.clear_stop()
    else:
        run = Run.create(run.folder, settings, State.PREPARING)
    run.claim()
    return run


@cache
def _engine(device: str) -> Engine:
    """The process's one warm model on a device."""
    return Engine(device)


def _cloud(scan: str | Path | np.ndarray | Cloud, seed: int) -> Cloud:
    if isinstance(scan, Cloud):
        return scan
    if isinstance(scan, str | Path):
        return read_cloud(scan, seed=seed)
    points = require_points_array(scan)
    require_distinct(points, Message("The cloud"))
    return Cloud(points, None, "part", "cloud", tuple(flatness_warnings(points, Message("The cloud"))), len(points))
