"""The walls behind the wall: here the attribute rules are switched off, and real attacks run in real jobs."""

import os
import shutil
import struct

import numpy as np
import pytest

from cadrecode.errors import KernelError
from cadrecode.kernel import Outcome, rules
from cadrecode.kernel import sandbox as sandbox_module
from cadrecode.kernel.outcome import End, Remains

OUT = (
    "import cadquery as cq\nos = cq.exporters.os\n"
    "open, load = os.__builtins__['open'], os.__builtins__['__import__']\n"  # the real ones
)


@pytest.fixture
def attack(sandbox, monkeypatch):
    """Runs code that has got past the rules, with the true builtins in hand."""
    sandbox.layers()
    monkeypatch.setattr(rules, "check", lambda code: None)
    return lambda code: sandbox.run(OUT + code)


@pytest.fixture
def needs(sandbox):
    def skip_without(layer):
        if layer not in sandbox.layers():
            pytest.skip(f"this machine offers no {layer}")

    return skip_without


def test_layers_are_named(sandbox):
    layers = sandbox.layers()
    assert {"attribute allow-list", "separate process", "time limit"} <= set(layers)
    assert sandbox.confined() == ("landlock" in layers and "seccomp" in layers)


@pytest.mark.parametrize(
    "code",
    [
        "os.fork()",
        "while True: os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "load('subprocess').run(['true'])",
        "os.execv('/bin/true', ['true'])",
        "load('socket').socket()",
        "os.kill(os.getppid(), 9)",
        "os.killpg(os.getpgid(os.getppid()), 9)",
        "os.setsid()",
        "os.chmod('.', 0o777)",
        "load('resource').prlimit(os.getppid(), 0, (1, 1))",
    ],
)
def test_seccomp_refuses_processes_network_and_signals(attack, needs, code):
    needs("seccomp")
    execution = attack(code)
    assert execution.outcome == Outcome.RAISED, execution
    assert "PermissionError" in execution.detail


def test_a_shell_command_does_not_run(attack, needs, tmp_path):
    needs("seccomp")
    attack(f"os.system('touch {tmp_path}/written')")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", ["os.listdir('/')", "open('/etc/passwd')", "open('/proc/self/environ')"])
def test_landlock_refuses_to_read_elsewhere(attack, needs, code):
    needs("landlock")
    assert "PermissionError" in attack(code).detail


def test_landlock_refuses_to_write_elsewhere(attack, needs, tmp_path):
    needs("landlock")
    for code in (
        "open('{}/x', 'w')",
        "os.mkdir('{}/x')",
        "os.symlink('/etc/passwd', 'part.step')",
        "os.unlink('{}/y')",
    ):
        (tmp_path / "y").touch()
        assert "PermissionError" in attack(code.format(tmp_path)).detail
    assert [path.name for path in tmp_path.iterdir()] == ["y"]


def test_a_huge_file_is_cut_off(attack, needs):
    needs("file-size limit")
    assert "File too large" in attack("os.ftruncate(os.open('result.json', os.O_WRONLY), 2**40)").detail


def test_a_huge_allocation_is_refused(attack, needs):
    needs("memory limit")
    assert attack("load('mmap').mmap(-1, 2**40)").outcome in (Outcome.RAISED, Outcome.MEMORY)


def test_threads_still_work(attack):
    """OpenCASCADE needs them."""
    code = "t = load('threading').Thread(target=lambda: None)\nt.start()\nt.join()\nr = cq.Workplane().box(1, 1, 1)"
    assert attack(code).ok


def test_secrets_of_the_app_are_not_in_the_environment(sandbox, attack, monkeypatch):
    assert "HF_TOKEN" not in attack("raise ValueError(sorted(os.environ))").detail
    assert "empty environment" in sandbox.layers()


@pytest.mark.parametrize(
    ("code", "detail"),
    [("os._exit(3)", "exit code 3"), ("os._exit(0)", "without a readable result"), ("os.abort()", "SIGABRT")],
)
def test_a_job_that_ends_itself_is_a_crash(attack, code, detail):
    execution = attack(code)
    assert execution.outcome == Outcome.CRASHED
    assert detail in execution.detail


@pytest.mark.parametrize(
    "result",
    [
        *("", "[]", "{}", '{"outcome": "fine"}', '{"outcome": "ok", "bounding_box": ["x"]}', "[" * 100_000),
        *('{"outcome": "ok", "solids": 1e999}', '{"outcome": "ok", "line": []}', '{"outcome": "ok", "volume": "1"}'),
        *(
            '{"outcome": "ok", "bounding_box": [1]}',
            '{"outcome": "ok", "detail": {"a": 1}}',
            '{"outcome": "ok", "line": -1}',
        ),
        *('{"outcome": "ok", "solids": -1}', '{"outcome": "ok", "volume": NaN}', '{"outcome": "ok", "valid": "yes"}'),
    ],
)
def test_a_forged_result_is_only_data(tmp_path, result):
    (tmp_path / "result.json").write_text(result)
    assert Remains(tmp_path, End(0), 10, 100, 1).execution().outcome == Outcome.CRASHED


def test_a_link_instead_of_a_file_is_refused(tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "part.step").symlink_to(tmp_path / "secret")
    (tmp_path / "result.json").symlink_to(tmp_path / "secret")
    remains = Remains(tmp_path, End(0), 10, 100, 1)
    with pytest.raises(KernelError, match="not a file"):
        remains.move("part.step", tmp_path / "out.step")
    assert remains.execution().outcome == Outcome.CRASHED


def test_an_array_with_objects_in_it_is_refused(tmp_path):
    np.save(tmp_path / "vertices.npy", np.array([{}], dtype=object))
    with pytest.raises(KernelError, match="allow_pickle"):
        Remains(tmp_path, End(0), 10, 100, 1).array("vertices.npy")


@pytest.mark.parametrize("name", ["facets.npy", "part.step"])
def test_what_is_no_file_is_never_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    os.mkfifo(tmp_path / "result.json")
    remains = Remains(tmp_path, End(0), 10, 100, 1)
    assert remains.execution().outcome == Outcome.CRASHED
    with pytest.raises(KernelError):
        remains.array(name)
    with pytest.raises(KernelError, match="not a file"):
        remains.move(name, tmp_path / "out")


@pytest.mark.parametrize(
    "code",
    [
        "os.memfd_create('x')",
        "import_('socket').socketpair()",
        "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "os.sched_setaffinity(os.getppid(), {0})",
        "import_('fcntl').fcntl(2, 8, os.getppid())",  # F_SETOWN
        "import_('fcntl').fcntl(2, 10, 9)",  # F_SETSIG
        "call('shmget', 0, 2**20, 0o1600)",
        "call('prctl', 1, 0)",  # PR_SET_PDEATHSIG
        "call('semget', 0, 1, 0o1600)",
        "call('inotify_init')",
        "call('timerfd_create', 1, 0)",
    ],
)
def test_seccomp_refuses_what_no_program_needs(attack, needs, code):
    needs("seccomp")
    helpers = (
        "import_ = load\nctypes = load('ctypes')\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(name, *values):\n"
        "    if getattr_(libc, name)(*values) < 0:\n        raise PermissionError(ctypes.get_errno(), name)\n"
        "getattr_ = os.__builtins__['getattr']\nPermissionError = os.__builtins__['PermissionError']\n"
    )
    execution = attack(helpers + code)
    assert execution.outcome == Outcome.RAISED, execution
    assert "PermissionError: [Errno 1]" in execution.detail


@pytest.mark.parametrize("code", ["os.mkdir('x')", "open('y', 'w')", "os.rename('stderr.txt', 'z')", "os.mkfifo('p')"])
def test_a_job_makes_no_files_of_its_own(attack, needs, code):
    needs("landlock")
    assert "PermissionError" in attack(code).detail


def test_a_job_that_swells_is_killed(sandbox, monkeypatch):
    monkeypatch.setattr("cadrecode.kernel.sandbox.isolation.folder_mb", lambda folder: 0 if not watched else 1e9)
    monkeypatch.setattr("cadrecode.kernel.sandbox.isolation.resident_mb", lambda pid: watched.append(pid) or 1.0)
    watched = []
    execution = sandbox.run("import cadquery as cq\nwhile True: pass")
    assert execution.outcome == Outcome.MEMORY
    assert "more memory or disk" in execution.detail


def test_the_slot_is_free_before_a_job_is_cleaned_up(sandbox, monkeypatch):
    free = []
    real = shutil.rmtree

    def remove(path, **options):
        free.append(sandbox._slots._value)
        real(path, **options)

    monkeypatch.setattr("cadrecode.kernel.sandbox.shutil.rmtree", remove)
    assert sandbox.run("import cadquery as cq\nr = cq.Workplane().box(1, 1, 1)").ok
    assert free == [sandbox_module.CONCURRENT_JOBS]


def test_layers_that_are_missing_are_named(sandbox, monkeypatch):
    monkeypatch.setattr(sandbox, "layers", lambda: ["landlock", "cpu limit"])
    assert sandbox.missing_layers() == ["empty environment", "memory limit", "file-size limit", "seccomp"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_fits_into_the_kernel_and_ends_in_a_refusal(machine):
    from cadrecode.kernel.isolation import _seccomp_program

    program = _seccomp_program(machine, 7)
    assert len(program) // 8 < 4096
    assert program[-8:] == struct.pack("=HBBI", 0x06, 0, 0, 0x00050001)
