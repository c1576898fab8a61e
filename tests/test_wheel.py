"""The wheel holds all that the package needs: installed beside the requirements, it works in any folder.

No network and no second torch: the fresh environment sees the libraries of the running one through a .pth file.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LARGEST_WHEEL_MB = 60
OPEN_WITHIN_SECONDS = 180

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", str(ROOT), *offline, "-w", str(folder)], check=True)
    return next(folder.glob("cadrecode-*.whl"))


@pytest.fixture(scope="module")
def scripts(wheel, tmp_path_factory) -> Path:
    """The folder of commands of a fresh environment, with the wheel in it and the requirements beside it."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    values = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", scheme="venv", vars=values))
    beside = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (packages / "requirements.pth").write_text("".join(f"{path}\n" for path in beside), encoding="utf-8")
    python = Path(sysconfig.get_path("scripts", scheme="venv", vars=values)) / Path(sys.executable).name
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*command, str(wheel)], check=True)
    return python.parent


def environment() -> dict[str, str]:
    """This process's, without what would lead Python back to the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONUTF8": "1"}


def run(command: list[str | Path], folder: Path) -> str:
    """What a command printed, in a folder outside of the checkout."""
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_brings_files_and_dependencies(wheel):
    assert wheel.stat().st_size / 1e6 <= LARGEST_WHEEL_MB
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert len(names) == len(set(names))
    shipped = [*(ROOT / "assets").rglob("*"), *(ROOT / "configs").rglob("*"), *(ROOT / "cadrecode").rglob("*")]
    files = [path.relative_to(ROOT) for path in shipped if path.is_file() and "__pycache__" not in path.parts]
    expected = {(path if path.parts[0] == "cadrecode" else "cadrecode" / path).as_posix() for path in files}
    assert expected <= set(names)
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines())
    wanted = {str(Requirement(line)) for line in lines if line}
    brought = [Requirement(text) for text in re.findall(r"^Requires-Dist: (.+)$", metadata, re.M)]
    assert {str(needed) for needed in brought if not needed.marker} == wanted
    assert {needed.name for needed in brought if needed.marker} == {"pyarrow", "ray"}  # of the extra [scale]


def test_the_package_is_the_installed_one(scripts, tmp_path):
    python = scripts / Path(sys.executable).name
    where = run([python, "-c", "import cadrecode.shipped as s; print(s.PACKAGE, s.ROOT, sep='\\n')"], tmp_path)
    package, root = map(Path, where.split("\n")[:2])
    assert package == root
    assert not root.is_relative_to(ROOT)


def test_a_sample_cloud_is_rebuilt(scripts, tmp_path):
    words = [
        "reconstruct",
        "--point_cloud_file",
        "assets/clouds/standoff.xyz",
        "--source",
        "model",
        "--candidates",
        "1",
    ]
    printed = run([scripts / "cadrecode", *words, "--fit_seconds", "1", "--output", "part.py"], tmp_path)
    assert re.search(r"candidates +1 of 1 valid", printed)
    assert (tmp_path / "part.step").read_text().startswith("ISO-10303-21")


def test_two_steps_are_trained(scripts, tmp_path):
    words = ["train", "--config", "configs/quickstart.yaml", "--train_data_path", "invent:brackets:8"]
    smaller = ["--max_steps", "2", "--save_steps", "2", "--per_device_train_batch_size", "2", "--do_eval", "false"]
    smaller += ["--val_data_path", "none", "--auto_merge_lora", "false"]
    smaller += ["--merge_final_only", "false", "--auto_merge_final", "false"]
    run([scripts / "cadrecode", *words, *smaller], tmp_path)
    assert (tmp_path / "runs" / "quickstart" / "adapter_model.safetensors").is_file()


def test_the_page_opens_with_its_style(scripts, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [str(scripts / "cadrecode"), "app", "--port", str(port)],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as app:
        try:
            message = next((line for line in app.stdout if "is open at" in line), None)
            assert message is not None, "the app ended before its page opened"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=OPEN_WITHIN_SECONDS) as answer:
                page = answer.read().decode()
        finally:
            app.send_signal(signal.SIGTERM)
    rule = re.search(r"\{([^{}\n\"']+;)", (ROOT / "cadrecode" / "ui" / "draw" / "style.css").read_text())
    assert rule.group(1) in page
