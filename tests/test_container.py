"""The container: its files say what they must, and its command starts an app that writes below /data and /tmp alone.

Docker is not needed. The test copies what COPY copies into an empty folder, takes ENV, USER, ENTRYPOINT and CMD from
the Dockerfile, and puts folders of its own in the place of /data and /tmp. Base image, apt-get, useradd and pip are not
run: the packages are those of this environment.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from benchmarks.load import Seen, Visitor
from cadrecode.ui.launch import arguments
from tests.e2e import read_only
from tests.e2e.conftest import free_port

ROOT = Path(__file__).resolve().parents[1]
WORDS = {"FROM", "RUN", "WORKDIR", "COPY", "ARG", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


@dataclass(frozen=True)
class Dockerfile:
    """(stage, instruction, its words) in their order; the stage is the name behind AS, empty before the first FROM."""

    lines: list[tuple[str, str, str]]

    @classmethod
    def read(cls) -> "Dockerfile":
        text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
        lines, stage = [], ""
        for line in filter(None, re.sub(r"(?m)^#.*$", "", text).splitlines()):
            word, _, rest = line.partition(" ")
            if word == "FROM":
                stage = rest.partition(" AS ")[2]
            lines.append((stage, word, rest))
        return cls(lines)

    def of(self, instruction: str, stage: str | None = None) -> list[str]:
        return [rest for place, word, rest in self.lines if word == instruction and stage in (None, place)]

    def environment(self) -> dict[str, str]:
        """Of the last stage."""
        return dict(pair.split("=", 1) for rest in self.of("ENV", "app") for pair in shlex.split(rest))

    def command(self) -> list[str]:
        return [word for name in ("ENTRYPOINT", "CMD") for word in json.loads(self.of(name)[-1])]


@pytest.fixture(scope="module")
def dockerfile():
    return Dockerfile.read()


def test_the_stages_are_those_that_are_named(dockerfile):
    assert {word for _, word, _ in dockerfile.lines} <= WORDS
    assert [rest.partition(" AS ")[2] for rest in dockerfile.of("FROM")] == [
        "system",
        "packages-cpu",
        "packages-cuda",
        "app",
    ]
    assert dockerfile.of("FROM")[-1].startswith("packages-${DEVICE} ")
    assert dockerfile.of("ARG")[0] == "DEVICE=cpu"
    torch = re.search(r"(?m)^(torch==\S+)", (ROOT / "requirements.txt").read_text())[1]
    for stage in ("packages-cpu", "packages-cuda"):
        first, second = dockerfile.of("RUN", stage)
        assert shlex.split(first)[-1] == torch
        assert second.endswith("--require-hashes -r requirements.lock")


def test_the_user_has_no_rights_and_data_is_the_users(dockerfile):
    uid = dockerfile.of("USER", "app")[-1]
    assert uid != "0"
    assert any(f"--uid {uid} " in rest and "chown cadrecode /data" in rest for rest in dockerfile.of("RUN", "system"))
    assert dockerfile.of("VOLUME") == ["/data"]
    paths = [value for value in dockerfile.environment().values() if value.startswith("/")]
    paths += [word for word in dockerfile.command() if word.startswith("/")]
    assert len(paths) == 3
    assert all(Path(path).is_relative_to("/data") for path in paths)


def test_compose_keeps_runs_and_lets_nothing_else_be_written(dockerfile):
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert set(compose["volumes"]) == {"data"}
    devices = []
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert (service["volumes"], service["tmpfs"], service["cap_drop"]) == (["data:/data"], ["/tmp"], ["ALL"])
        assert service["ports"] == [f"127.0.0.1:7860:{dockerfile.of('EXPOSE')[-1]}"]  # not to the network
        assert ":?" in service["environment"]["CADRECODE_AUTH"]  # no start without a login
        devices.append(service["build"]["args"].get("DEVICE", "cpu"))
    assert devices == ["cpu", "cuda"]


def test_the_readme_heads_a_space_of_this_dockerfile(dockerfile):
    head = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    settings = yaml.safe_load(head)
    assert settings["sdk"] == "docker"
    assert str(settings["app_port"]) == dockerfile.of("EXPOSE")[-1] == str(arguments().get_default("port"))
    assert settings["license"] == "apache-2.0"


def copied(dockerfile: Dockerfile, folder: Path) -> None:
    """What COPY lays into /app, of that what .dockerignore lets through."""
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for rest in dockerfile.of("COPY"):
        *sources, target = shlex.split(rest)
        assert set(sources) <= let_through
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, folder / target)


def status_of(port: int, host: str) -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers)


def without_rights(uid: str) -> list[str]:
    """Starts a command as the container's user where others reach this Python, else as this user without rights."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return []
    other = ["--reuid", uid, "--regid", uid, "--clear-groups"]
    for user in (other, []):
        words = ["setpriv", *user, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", sys.executable]
        again = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import yaml'], check=True)"
        if subprocess.run([*words, "-c", again], check=False, capture_output=True).returncode == 0:
            return words[:-1]
    return []


@pytest.fixture(scope="module")
def folders(dockerfile):
    """/app as the last stage makes it, /data and /tmp, where any user can reach them."""
    with tempfile.TemporaryDirectory(prefix="container-") as name:
        app, data, tmp = made = tuple(Path(name) / part for part in ("app", "data", "tmp"))
        for folder in made:
            folder.mkdir()
        Path(name).chmod(0o755)
        copied(dockerfile, app)
        for line in dockerfile.of("RUN", "app"):
            program, *words = shlex.split(line)
            assert program == "python"
            subprocess.run([sys.executable, *words], cwd=app, check=True)
        if os.geteuid() == 0:
            for folder in (data, tmp):
                shutil.chown(folder, int(dockerfile.of("USER", "app")[-1]))
                folder.chmod(0o777)
        yield made


@pytest.mark.slow
@pytest.mark.skipif(read_only.version() == 0, reason="needs Landlock")
@pytest.mark.parametrize("space", [{}, {"SPACE_ID": "someone/cad", "SPACE_HOST": "someone-cad.hf.space"}])
def test_its_command_opens_an_app_that_works_on_a_read_only_disk(dockerfile, space, folders):
    """With nothing else in the environment; and as a Space starts it."""
    app, data, tmp = folders
    port = free_port()
    words = [word.replace("/data", str(data)) for word in dockerfile.command()]
    assert words[0] == "python"
    environment = {name: value.replace("/data", str(data)) for name, value in dockerfile.environment().items()}
    environment |= {"TMPDIR": str(tmp), "PATH": os.defpath} | space
    restricted = [sys.executable, str(ROOT / "tests" / "e2e" / "read_only.py"), str(data), str(tmp), "--", *words[1:]]
    with subprocess.Popen(
        [*without_rights(dockerfile.of("USER", "app")[-1]), *restricted, "--port", str(port)],
        cwd=app, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            told = []
            for line in process.stdout:
                told.append(line)
                if "is open at" in line:
                    break
            assert "is open at" in "".join(told), "".join(told)
            assert status_of(port, "evil.example")[0] == 421
            if space:
                assert "Log in as owner with the password" in "".join(told)
                status, headers = status_of(port, space["SPACE_HOST"])
                assert status == 401  # the login page
                assert headers["content-security-policy"] == "frame-ancestors 'self' https://huggingface.co"
            else:
                assert "there is no login" in "".join(told)
                visitor = Visitor(3, f"http://127.0.0.1:{port}", Seen())
                assert visitor.run_program() == ""
                assert visitor.rebuild() == ""
            assert (data / "runs").is_dir()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.mark.skipif(read_only.version() == 0, reason="needs Landlock")
def test_the_disk_is_read_only_there(tmp_path):
    """Otherwise the test above would show nothing."""
    code = f"open({str(ROOT / 'assets' / 'x')!r}, 'w')"
    command = [sys.executable, "-m", "tests.e2e.read_only", str(tmp_path), "-c", code]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "PermissionError" in ended.stderr
    assert not (ROOT / "assets" / "x").exists()
