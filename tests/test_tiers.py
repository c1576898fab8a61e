"""Markers mean something: each is borne by a test, and each test is run by one of the Makefile's commands."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

ROOT = Path(__file__).resolve().parents[1]
COLLECT = """
import json
import sys
import pytest

class Markers:
    def pytest_collection_finish(self, session):
        with open(sys.argv[1], "w") as out:
            json.dump({item.nodeid: [mark.name for mark in item.iter_markers()] for item in session.items}, out)

raise SystemExit(pytest.main(["--collect-only", "-qq", "-m", "", "-p", "no:cacheprovider"], plugins=[Markers()]))
"""


@pytest.mark.slow
def test_each_marker_is_borne_and_each_test_is_run_once(tmp_path):
    path = tmp_path / "markers.json"
    done = subprocess.run([sys.executable, "-c", COLLECT, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = json.loads(path.read_text())
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    texts = re.findall(r"-m '([^']+)'", options["addopts"] + (ROOT / "Makefile").read_text())
    assert len(texts) == 3  # make test, which has no -m of its own; make test-slow; make test-gpu
    commands = [Expression.compile(text) for text in texts]
    for name, marks in tests.items():
        runs = sum(command.evaluate(lambda mark, marks=marks, **_: mark in marks) for command in commands)
        assert runs == 1, f"{name} is run by {runs} of the Makefile's commands"
    borne = {mark for marks in tests.values() for mark in marks}
    unborne = {text.partition(":")[0] for text in options["markers"]} - borne
    assert not unborne, f"no test bears {unborne}"
