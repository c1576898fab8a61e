"""Trackers beside the run folder. They write to this machine; what is sent anywhere is for whoever sets it so."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from cadrecode.errors import ConfigError

OFFLINE = {  # what makes each of them stay on this machine, in its own words; {run} is the run folder
    "tensorboard": {"TENSORBOARD_LOGGING_DIR": "{run}/tensorboard"},
    "trackio": {"TRACKIO_DIR": "{run}/trackio"},
    "swanlab": {"SWANLAB_MODE": "offline", "SWANLAB_LOG_DIR": "{run}/swanlab"},
    "wandb": {"WANDB_MODE": "offline", "WANDB_DIR": "{run}"},  # it makes a folder wandb in there itself
}


def prepare_tracker(tracker: str, run_folder: Path) -> None:
    """Keep a tracker on this machine and in the run folder, unless the environment says otherwise already.

    Raises: ConfigError: it is not installed, and what to install.
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
        if name.endswith("_DIR"):  # wandb goes elsewhere, and swanlab fails, where there is none
            Path(place).mkdir(parents=True, exist_ok=True)
