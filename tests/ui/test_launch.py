"""Opening the app: what is refused, and what is not imported."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from cadrecode.errors import ConfigError
from cadrecode.ui import access, build, launch
from cadrecode.ui.words.text import Words

ENDS_WHILE_A_THREAD_STARTS = """
import atexit, threading
from cadrecode.ui import launch

ending = threading.Event()

def starts():
    ending.wait()
    raise RuntimeError("operator does not exist")

thread = threading.Thread(target=starts, daemon=True)
thread.start()
atexit.register(thread.join)
atexit.register(ending.set)
launch.main = lambda _: 3
launch.run()
"""


def test_what_a_thread_meets_while_the_app_closes_is_nobodys_concern():
    done = subprocess.run(
        [sys.executable, "-c", ENDS_WHILE_A_THREAD_STARTS], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def test_a_public_link_gets_passwords_of_its_own_where_none_are_given():
    made = access.logins(None, None, share=True)
    (owner, first), (guest, second) = made.pairs
    assert (owner, guest) == ("owner", "guest")
    assert min(len(first), len(second)) >= 12
    assert made != access.logins(None, None, share=True)
    assert access.logins("me:secret", None, share=True) == access.Logins(("me", "secret"))


def test_without_a_login_nobody_is_asked_for_one():
    assert access.logins(None, None, share=False).pairs is None


@pytest.mark.parametrize("given", ["user", ":password", "user:", ""])
def test_half_a_login_is_refused(given, capsys):
    with pytest.raises(ConfigError, match="user:password"):
        access.logins(given, None, share=False)
    assert launch.main(["--auth", given]) == 2
    assert "user:password" in capsys.readouterr().err


@pytest.mark.parametrize(("auth", "guest"), [(None, "you:secret"), ("me:a", "me:b")])
def test_a_guest_needs_an_owner_with_another_name(auth, guest):
    with pytest.raises(ConfigError, match="--auth"):
        access.logins(auth, guest, share=False)


def test_a_password_may_hold_colons():
    assert access.logins("me:a:b", None, share=False).owner == ("me", "a:b")


def test_what_is_not_installed_is_said(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "webview", None)
    assert launch.open_window(7860) is None
    assert "pip install pywebview" in capsys.readouterr().out
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    assert launch.main(["--mcp"]) == 2
    assert 'pip install "gradio[mcp]"' in capsys.readouterr().err


def test_a_window_shows_the_app_and_closing_it_ends_it(monkeypatch):
    shown = []
    pretend = SimpleNamespace(
        create_window=lambda title, url, **size: shown.append((title, url)), start=lambda: shown.append("start")
    )
    monkeypatch.setitem(sys.modules, "webview", pretend)
    launch.open_window(7999)()
    assert shown == [("cadrecode", "http://127.0.0.1:7999"), "start"]


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True),
                                             ("0.0.0.0", False), ("::", False), ("192.168.1.5", False)])  # fmt: skip
@pytest.mark.parametrize("login", [[], ["--auth", "me:secret"]])
def test_an_app_that_all_of_the_network_owns_says_so(host, local, login, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("cadrecode.ui.build.serve", lambda *given, **options: None)
    monkeypatch.setattr("signal.signal", lambda *given: None)
    assert launch.main(["--host", host, "--runs_dir", str(tmp_path), *login]) == 0
    assert ("--auth user:password" in capsys.readouterr().err) == (not local and not login)


def test_the_door_listens_at_home_by_default():
    given = launch.arguments().parse_args([])
    assert (given.host, given.port, given.share, str(given.runs_dir)) == ("127.0.0.1", 7860, False, "runs")


def test_on_a_space_the_proxy_reaches_the_app_and_everybody_logs_in(monkeypatch, capsys, tmp_path):
    opened = []
    monkeypatch.setattr("cadrecode.ui.build.serve", lambda services, **options: opened.append((services, options)))
    monkeypatch.setattr("cadrecode.kernel.shared_sandbox", lambda: _sandbox(False))
    monkeypatch.setattr("signal.signal", lambda *given: None)
    monkeypatch.setenv("SPACE_ID", "someone/cad")
    monkeypatch.setenv("SPACE_HOST", "someone-cad.hf.space")
    assert launch.main(["--runs_dir", str(tmp_path)]) == 0
    assert "Log in as owner with the password" in capsys.readouterr().out
    monkeypatch.setenv("CADRECODE_AUTH", "me:secret")
    assert launch.main(["--runs_dir", str(tmp_path)]) == 0
    assert "secret" not in capsys.readouterr().out
    for services, options in opened:
        assert (options["host"], options["port"], options["names"]) == ("0.0.0.0", 7860, ["someone-cad.hf.space"])
        assert options["framed_by"] == "https://huggingface.co"
        assert services.logins
        assert not services.run_programs  # where the system does not confine them
    assert [len(options["auth"]) for _, options in opened] == [2, 1]


def _sandbox(confined):
    missing = [] if confined else ["landlock", "seccomp"]
    return SimpleNamespace(confined=lambda: confined, missing_layers=lambda: missing)


def test_where_isolation_is_required_and_missing_the_app_does_not_open(monkeypatch, capsys, tmp_path):
    opened = []
    monkeypatch.setattr("cadrecode.ui.build.serve", lambda *given, **more: opened.append(given))
    monkeypatch.setattr("cadrecode.kernel.shared_sandbox", lambda: _sandbox(False))
    assert launch.main(["--require-isolation", "--runs_dir", str(tmp_path)]) == 2
    assert "lacks landlock, seccomp" in capsys.readouterr().err
    monkeypatch.setattr("cadrecode.kernel.shared_sandbox", lambda: _sandbox(True))
    assert launch.main(["--require-isolation", "--runs_dir", str(tmp_path)]) == 0
    assert len(opened) == 1


@pytest.mark.parametrize("confined", [True, False])
def test_a_missing_layer_is_named_at_start_and_on_the_page(services, monkeypatch, caplog, confined):
    sandbox = _sandbox(confined)
    sandbox.run = lambda text: None
    monkeypatch.setattr(services, "open_sandbox", lambda: sandbox)
    services._warm_sandbox()
    assert ("lacks landlock, seccomp" in caplog.text) != confined
    page = {language: build._missing_layers(services, Words(language)) for language in ("en", "zh")}
    assert ("lacks landlock, seccomp" in page["en"]) != confined
    assert ("landlock, seccomp" in page["zh"]) != confined
    services.run_programs = False
    assert services.missing_layers() == []


@pytest.mark.parametrize("confined", [True, False])
@pytest.mark.parametrize(("options", "of_others"), [
    ([], False),
    (["--auth", "me:a", "--guest", "you:b"], False),
    (["--host", "0.0.0.0", "--auth", "me:a"], False),
    (["--host", "0.0.0.0", "--auth", "me:a", "--guest", "you:b"], True),
    (["--host", "0.0.0.0"], True),
    (["--host", "192.168.1.5", "--auth", "me:a", "--guest", "you:b"], True),
    (["--share"], True),
    (["--share", "--auth", "me:a"], True),
])  # fmt: skip
def test_programs_of_others_run_only_where_the_system_confines_them(
    options, of_others, confined, monkeypatch, capsys, tmp_path
):
    opened = []
    monkeypatch.setattr("cadrecode.ui.build.serve", lambda services, **options: opened.append(services))
    monkeypatch.setattr("cadrecode.kernel.shared_sandbox", lambda: _sandbox(confined))
    monkeypatch.setattr("signal.signal", lambda *given: None)
    assert launch.main(["--runs_dir", str(tmp_path), *options]) == 0
    assert opened[0].run_programs == (confined or not of_others)
    assert ("Programs of others will not run" in capsys.readouterr().out) == (of_others and not confined)
