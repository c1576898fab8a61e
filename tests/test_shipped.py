"""Files that ship are found in any folder, and a person's own come first."""

import pytest

from cadrecode import shipped
from cadrecode.cloud import read_cloud
from cadrecode.config import TrainConfig


def test_everything_is_there():
    assert (shipped.EMBEDDED_FOLDER / "config.json").is_file()
    assert (shipped.CLOUDS / "index.json").is_file()
    assert shipped.SAMPLE_PROGRAM.is_file()
    assert list(shipped.CONFIGS.glob("*.yaml"))


def test_shipped_paths_work_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert TrainConfig.load("configs/quickstart.yaml").max_steps == 60
    assert len(read_cloud("assets/clouds/flange.npy").points) == 20_000


def test_an_own_file_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "quickstart.yaml").write_text("max_steps: 3\n")
    assert TrainConfig.load("configs/quickstart.yaml").max_steps == 3


@pytest.mark.parametrize("name", ["quickstart.yaml", "../configs/quickstart.yaml", "configs/no_such_file.yaml"])
def test_other_paths_stay_as_they_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(shipped.find(name)) == name
