"""A base that is named on the hub: how far its download is, and what is said without a network."""

import logging
import shutil
from types import SimpleNamespace

import pytest

from cadrecode.errors import ModelError
from cadrecode.runs import Run, State
from cadrecode.training import base, train
from cadrecode.ui.train import views as watching
from cadrecode.ui.words.text import Words

MEGABYTE = 10**6


@pytest.fixture
def hub(bases, tmp_path, monkeypatch):
    """A hub with one model, `owner/part`: the tiny base, which says that it is 4 MB, and comes in four pieces."""
    cached, requested, between = tmp_path / "cache" / "part", [], SimpleNamespace(call=lambda: None)

    def snapshot_download(name, *, allow_patterns, local_files_only=False, tqdm_class=None):
        from huggingface_hub.errors import LocalEntryNotFoundError

        assert name == "owner/part"
        if not cached.exists():
            if local_files_only:
                raise LocalEntryNotFoundError("not here")
            requested.append(tqdm_class)
            with tqdm_class(total=2, desc="Fetching 2 files", name="hub.files") as files:
                received, written = (tqdm_class(desc=d, total=0, unit="B", unit_scale=True) for d in ("get", "put"))
                received.total, written.total = 5 * MEGABYTE, 4 * MEGABYTE  # files are added as the hub names them
                for _ in range(4):
                    received.update(MEGABYTE)
                    written.update(MEGABYTE // 2)
                    between.call()
                files.update(2)
            shutil.copytree(bases["ours"], cached)
        return str(cached)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: None)
    monkeypatch.setattr(base, "STATUS_SECONDS", 0)
    monkeypatch.setattr(base, "LOG_SECONDS", 0)
    return SimpleNamespace(requested=requested, between=between)


def started(config) -> Run:
    return Run.create(config.model_save_path, config.to_yaml())


@pytest.mark.slow
def test_the_status_the_log_and_the_page_say_how_far_it_is(settings, hub, caplog, capfd):
    config = settings(base_model_name="owner/part", max_steps=1, save_steps=1, auto_merge_final=False)
    run, seen = started(config), []
    hub.between.call = lambda: seen.append((run.status()["download"], watching.look(run, Words("en")).html))
    with caplog.at_level(logging.INFO):
        train(config, run)
    assert [done for done, _ in seen] == [{"done": n * MEGABYTE, "total": 4 * MEGABYTE} for n in (1, 2, 3, 4)]
    assert "downloading the base: 2.0 MB of 4.0 MB" in seen[1][1]
    assert "width:50.0%" in seen[1][1]
    assert "Downloading owner/part: 0.00 of 0.00 GB" in caplog.text
    assert run.state == State.DONE
    assert run.status()["download"] is None
    assert "downloading" not in watching.look(run, Words("en")).html
    assert len(hub.requested) == 1  # what is here is not asked for again
    assert "Fetching" not in capfd.readouterr().err  # no bar is drawn into a log file


def test_stop_ends_a_download(settings, hub):
    config = settings(base_model_name="owner/part")
    run = started(config)
    hub.between.call = run.request_stop
    assert train(config, run) == run.folder
    assert run.state == State.STOPPED
    assert run.status()["download"]["done"] == MEGABYTE  # and no further


def test_without_a_network_the_run_fails_and_says_what_to_do(settings, hub, monkeypatch):
    def unreachable(*args, **kwargs):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    monkeypatch.setattr("cadrecode.training.finetune.read_programs", lambda *_: pytest.fail("the data was read first"))
    config = settings(base_model_name="owner/part")
    run = started(config)
    with pytest.raises(ModelError, match=r"owner/part is neither a folder here nor .* hub cannot be reached"):
        train(config, run)
    assert run.state == State.FAILED
    assert "give the path of a folder that holds it, or use the base that ships (embedded)" in run.status()["error"]
    assert hub.requested == []
