"""A full disk in each file that is offered: words, no half file, and nothing left over. A clock that is set back."""

import os
from dataclasses import replace
from pathlib import Path

import gradio as gr
import psutil
import pytest

from cadrecode.jobs import queue
from cadrecode.part import ENDINGS
from cadrecode.runs import Run, State, processes
from cadrecode.ui import api
from cadrecode.ui.adapters import actions
from cadrecode.ui.batch import actions as batch
from cadrecode.ui.batch.items import DONE, BatchItem
from cadrecode.ui.events import in_words
from cadrecode.ui.services import Services
from cadrecode.ui.train import views
from cadrecode.ui.words.text import Words
from tests.ui.conftest import PLATE

EN = Words("en")
FULL = Path("/dev/full")  # takes no byte: "No space left on device"
needs_full = pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")


@needs_full
@pytest.mark.parametrize("kind", ["py", "stl", "3mf", "freecad", "build123d", "openscad", "page"])
def test_a_download_that_the_disk_does_not_take_has_words_and_is_not_offered(services, monkeypatch, kind):
    monkeypatch.setattr(Services, "sandbox", lambda self: None)
    run_program, fresh = in_words(api._run_program(services), EN), services.fresh_folder
    [stl] = [path for path in run_program(PLATE, "mm")[1] if path.endswith(".stl")]

    def crowded() -> Path:
        folder = fresh()
        (folder / f"{Path(stl).stem}{'_report.html' if kind == 'page' else ENDINGS[kind]}").symlink_to(FULL)
        return folder

    monkeypatch.setattr(services, "fresh_folder", crowded)
    with pytest.raises(gr.Error, match=r"The disk is full\. Free some space"):
        run_program(PLATE, "mm")


@needs_full
def test_a_batch_that_does_not_fit_is_no_zip(services, tmp_path):
    folder = tmp_path / "001-a"
    folder.mkdir()
    (folder / "a.py").write_bytes(os.urandom(100_000))
    row = replace(BatchItem("a"), state=DONE, folder=folder)
    target = tmp_path / "all.zip"
    target.symlink_to(FULL)
    with pytest.raises(gr.Error, match="The disk is full"):
        in_words(lambda: batch.pack([row], target, "mm", EN), EN)()


def test_an_adapter_that_does_not_fit_leaves_nothing_and_the_zip_of_before(tmp_path, monkeypatch):
    files = [tmp_path / "adapter_model.safetensors"]
    files[0].write_bytes(b"a" * 1000)
    packed = actions.pack(files, tmp_path / "zips" / "a.zip")
    before = packed.read_bytes()
    files[0].write_bytes(b"b" * 2000)

    def full(*given):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as crowded:
        crowded.setattr(actions.zipfile.ZipFile, "write", full)
        with pytest.raises(gr.Error, match="The disk is full"):
            in_words(lambda: actions.pack(files, packed), EN)()
    assert packed.read_bytes() == before
    assert list(packed.parent.iterdir()) == [packed]
    assert actions.pack(files, packed).read_bytes() != before


def test_a_zip_is_made_anew_although_the_clock_was_set_back(tmp_path):
    files = [tmp_path / "adapter_model.safetensors"]
    files[0].write_bytes(b"a" * 1000)
    before = actions.pack(files, tmp_path / "zips" / "a.zip").read_bytes()
    files[0].write_bytes(b"b" * 1000)
    os.utime(files[0], (1.0, 1.0))  # written after the clock was set back, to before the years that a zip knows
    assert actions.pack(files, tmp_path / "zips" / "a.zip").read_bytes() != before


def test_a_clock_that_is_set_back_ends_no_run_and_loses_none(tmp_path, monkeypatch):
    """A process is known by when it began; what psutil says of that moves with the clock."""
    monkeypatch.setattr(queue, "watch", lambda runs_dir: None)
    working = Run.create(tmp_path / "working", "")
    working.claim(os.getpid(), step=3, total=9)
    first = Run.create(tmp_path / "first", "")
    first.set_status(State.QUEUED, queued_at=processes.process_start(os.getpid()) + 1e6)

    import time

    now, boot = time.time(), psutil.boot_time()
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: boot - 86_400)
    assert working.state == State.PREPARING
    second = Run.create(tmp_path / "second", "")
    second.set_status(State.QUEUED, queued_at=time.time())
    assert {run.name for run in queue.list_runs(tmp_path)} == {"working", "first", "second"}
    assert queue.tick(tmp_path) == []  # one at a time: the run at work is not taken for a dead one
    assert {run.name for run in queue.waiting(tmp_path)} == {"first", "second"}
    assert len(views.rows(tmp_path, EN)) == 3
    working.set_status(State.DONE, pid=None)
    assert views.look(working, EN).state == "done"
