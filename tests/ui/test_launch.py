"""Opening the app: what is refused, and what is not imported."""

import subprocess
import sys

import pytest

from cadrecode.errors import ConfigError
from cadrecode.ui import launch

BUILDS_THE_APP = """
import sys
from pathlib import Path
from cadrecode.engine import Engine
from cadrecode.kernel import shared_sandbox
from cadrecode.ui.build import build_app
from cadrecode.ui.services import Services

services = Services(Engine(), Path(sys.argv[1]), shared_sandbox)
app = build_app(services)
services.close()
config = app.get_config_file()
assert len(config["page"]) == 2, config["page"].keys()
heavy = {"torch", "cadquery", "OCP", "transformers", "peft"}
print(",".join(sorted(heavy & {name.split(".")[0] for name in sys.modules})))
"""


def test_building_the_app_imports_no_heavy_library(tmp_path):
    command = [sys.executable, "-c", BUILDS_THE_APP, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_a_public_link_needs_a_login(capsys):
    assert launch.main(["--share"]) == 2
    assert "add --auth user:password" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["user", ":password", "user:", ""])
def test_half_a_login_is_refused(given):
    with pytest.raises(ConfigError, match="user:password"):
        launch.parse_auth(given)


def test_a_password_may_hold_colons():
    assert launch.parse_auth("me:a:b") == ("me", "a:b")
    assert launch.parse_auth(None) is None


def test_the_door_listens_at_home_by_default():
    given = launch.arguments().parse_args([])
    assert (given.host, given.port, given.share, str(given.runs_dir)) == ("127.0.0.1", 7860, False, "runs")
