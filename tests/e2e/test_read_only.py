"""Package, assets and the home folder on a disk that cannot be written: the app opens, rebuilds and runs programs."""

import subprocess
import sys

import pytest

from benchmarks.load import Seen, Visitor
from tests.e2e import read_only
from tests.e2e.conftest import REPOSITORY, App, free_port

pytestmark = [pytest.mark.slow, pytest.mark.skipif(read_only.version() == 0, reason="needs Landlock")]


def test_the_app_works_with_assets_that_cannot_be_written(tmp_path):
    runs_dir = tmp_path / "app" / "runs"
    runs_dir.parent.mkdir()
    app = App(runs_dir, free_port(), launcher=("-m", "tests.e2e.read_only", str(tmp_path)))
    try:
        app.start()
        visitor = Visitor(3, app.url, Seen())
        assert visitor.run_program() == ""
        assert visitor.rebuild() == ""
        assert "Traceback" not in app.terminal()
    finally:
        app.stop()


def test_the_disk_is_read_only_there(tmp_path):
    """Otherwise the test above would show nothing."""
    code = f"open({str(REPOSITORY / 'assets' / 'x')!r}, 'w')"
    command = [sys.executable, "-m", "tests.e2e.read_only", str(tmp_path), "-c", code]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "PermissionError" in ended.stderr
    assert not (REPOSITORY / "assets" / "x").exists()
