"""Trackers beside the run folder. They write to this machine, unless the environment says otherwise."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from cadrecode.errors import ConfigError

OFFLINE = {  # the settings that keep each tracker on this machine; {run} is the run folder
    "tensorboard": {"TENSORBOARD_LOGGING_DIR": "{run}/tensorboard"},
    "trackio": {"TRACKIO_DIR": "{run}/trackio"},
    "swanlab": {"SWANLAB_MODE": "offline", "SWANLAB_LOG_DIR": "{run}/swanlab"},
    "wandb": {"WANDB_MODE": "offline", "WANDB_DIR": "{run}"},  # makes a folder `wandb` in there
}


def prepare_tracker(tracker: str, run_folder: Path) -> None:
    """Keep a tracker on this machine and in the run folder, unless the environment says otherwise.

    Raises: ConfigError: the tracker is not installed, and what to install.
    """
    if tracker == "none":
        return
    if importlib.util.find_spec(tracker) is None:
        raise ConfigError(
            "report_to is {name}, which is not installed: pip install {name} (or report_to none: the run "
            "folder has all figures, too).",
            name=tracker,
        )
    for name, value in OFFLINE[tracker].items():
        place = os.environ.setdefault(name, value.format(run=run_folder.absolute()))
        if name.endswith("_DIR"):  # without the folder wandb writes elsewhere, and swanlab fails
            Path(place).mkdir(parents=True, exist_ok=True)
