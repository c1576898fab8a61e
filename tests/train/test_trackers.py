"""Trackers: off by default, on this machine when they are on, and a clear word where one is not installed."""

import os
import sys
from types import ModuleType
from typing import get_args

import pytest

from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError
from cadrecode.training.trackers import OFFLINE, prepare_tracker


@pytest.fixture
def installed(monkeypatch):
    """All trackers look installed, and the environment is as it was afterwards."""
    monkeypatch.setattr(os, "environ", {})
    for name in OFFLINE:
        module = ModuleType(name)
        module.__spec__ = object()
        monkeypatch.setitem(sys.modules, name, module)


def test_every_choice_is_known_and_none_is_the_default():
    choices = get_args(TrainConfig.model_fields["report_to"].annotation)
    assert set(choices) == {"none", *OFFLINE}
    assert TrainConfig().tracker == "none"


@pytest.mark.parametrize("tracker", OFFLINE)
def test_a_tracker_that_is_not_installed(tracker, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=f"pip install {tracker} "):
        prepare_tracker(tracker, tmp_path)


@pytest.mark.parametrize("tracker", OFFLINE)
def test_it_stays_on_this_machine_and_in_the_run_folder(tracker, tmp_path, installed):
    prepare_tracker(tracker, tmp_path)
    folders = [value for name, value in os.environ.items() if name.endswith("_DIR")]
    assert [os.path.isdir(folder) for folder in folders] == [True]
    assert folders[0].startswith(str(tmp_path))
    modes = [value for name, value in os.environ.items() if name.endswith("_MODE")]
    assert modes == (["offline"] if tracker in ("wandb", "swanlab") else [])


def test_what_the_environment_says_stands(tmp_path, installed):
    os.environ["WANDB_MODE"] = "online"
    prepare_tracker("wandb", tmp_path)
    assert os.environ["WANDB_MODE"] == "online"


def test_none_changes_nothing(tmp_path, installed):
    prepare_tracker("none", tmp_path)
    assert not {name for name in os.environ if name.startswith(("TRACKIO", "WANDB", "SWANLAB", "TENSORBOARD"))}
