"""The limits that the operating system puts on a job, whatever its code does. Standard library only, no CadQuery.

`confine` is called in the job's own process, after the fork and before the program. Each layer fails softly, because
none exists everywhere; `probe` then tries the forbidden things and reports what really holds.
"""

import ctypes
import errno
import math
import mmap
import os
import platform
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from cadrecode.kernel.syscalls import ALLOWED, AUDIT_ARCH, MISSING, SYSCALLS

try:
    import resource
except ImportError:  # Windows has no resource limits: the wall clock and the killed process remain
    resource = None

FILE_MB = 256  # largest file that a job may write
MOST_ENTRIES = 1000  # of a folder; no job makes so many files
# All files that a job writes. They are made before it is confined: afterwards none can be made, renamed or removed.
JOB_FILES = ("result.json", "part.step", "part.stl", "part.glb", "vertices.npy", "facets.npy")
OPEN_FILES = 64
PROCESSES = 4096  # of the whole user: stops a fork bomb where seccomp is missing (root is exempt from this limit)

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 24, 38, 22
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522

_PRCTL_OPERATIONS = (15, 16, 0x53564D41)  # set and get the name of a thread, name a piece of memory
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 1030)  # duplicate, flags, locks
_IOCTL_REQUESTS = (0x5401, 0x5451, 0x5450, 0x5421)  # is it a terminal; close on exec or not; do not block

FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/etc/fonts")  # Workplane.text reads them


def confine(folder: Path, seconds: float, memory_mb: int, file_mb: int) -> None:
    """Give up, for this process and for good, whatever a CadQuery program does not need.

    Args:
        folder: The only place that may be read and written besides the libraries; JOB_FILES are made in it.
        seconds: The job's wall-clock limit; CPU time is capped a little above what its threads could use in it.
        memory_mb: Address space on top of what the process holds now (the libraries alone map about 1 GB).
        file_mb: Largest file that it may write.
    """
    for name in JOB_FILES:
        (folder / name).touch()
    _limit_resources(seconds, memory_mb, file_mb)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        _drop_capabilities(libc)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            _restrict_files(libc, folder)
            _filter_system_calls(libc)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies (Linux; elsewhere the CPU limit ends it)."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the request was made
            os._exit(1)


def _limit_resources(seconds: float, memory_mb: int, file_mb: int) -> None:
    if resource is None:
        return
    cpu_seconds = int(seconds * min(os.cpu_count() or 1, 4)) + 2
    limits = {
        "RLIMIT_AS": _mapped_bytes() + memory_mb * 2**20,
        "RLIMIT_CPU": cpu_seconds,
        "RLIMIT_FSIZE": file_mb * 2**20,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_NPROC": PROCESSES,
        "RLIMIT_CORE": 0,
    }
    for name, value in limits.items():
        which = getattr(resource, name, None)
        if which is None:
            continue
        hard = resource.getrlimit(which)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(which, (wanted, wanted))
        except (ValueError, OSError):  # macOS refuses RLIMIT_AS; `probe` will not list it
            continue


def resident_mb(pid: int) -> float | None:
    """Memory that a process holds, or None where the OS does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * mmap.PAGESIZE / 2**20
    except OSError:
        return None


def is_stopped(pid: int) -> bool:
    """Whether somebody has stopped a process (SIGSTOP), so that it answers nobody; False where the OS does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False


def folder_mb(folder: Path) -> float:
    """The size of a job's folder, in MB; infinite where it holds more entries than any job makes."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries):
                if count >= MOST_ENTRIES:
                    return math.inf
                total += entry.stat(follow_symlinks=False).st_size
    except OSError:  # it changes while it is looked at
        pass
    return total / 2**20


def _mapped_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # no /proc: allow for the mapped libraries
        return 2**30
    return pages * mmap.PAGESIZE


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root without capabilities cannot mount, load modules, or raise its limits again."""
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.capset(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24))


# Landlock access rights on files, in the kernel's bit order
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_TRUNCATE = 1 << 14
_FILE_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many of the rights each version of Landlock knows
_CONNECT_AND_BIND_TCP, _ABSTRACT_SOCKETS_AND_SIGNALS = 0b11, 0b11


def _restrict_files(libc: ctypes.CDLL, folder: Path) -> bool:
    create, add_rule, restrict_self = 444, 445, 446  # the same numbers on every architecture
    abi = libc.syscall(create, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        return False
    handled = (1 << _FILE_RIGHTS_BY_ABI[min(abi, 5)]) - 1
    words = [handled]
    if abi >= 4:
        words.append(_CONNECT_AND_BIND_TCP)
    if abi >= 6:
        words.append(_ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(words)}Q", *words)
    ruleset = libc.syscall(create, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    rules = {str(folder): (_READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE) & handled}
    # Python and CadQuery load parts of themselves late. Not all of sys.path: the checkout is in it, with the runs
    packages = (entry for entry in sys.path if os.path.basename(entry) in ("site-packages", "dist-packages"))
    libraries = {sys.prefix, sys.base_prefix, os.path.dirname(__file__), *packages}
    rules |= {path: _READ_FILE | _READ_DIR for path in (*libraries, *FONT_FOLDERS) if os.path.isdir(path)}
    for path, rights in rules.items():
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        libc.syscall(add_rule, ruleset, 1, struct.pack("=Qi", rights, descriptor), 0)
        os.close(descriptor)
    restricted = libc.syscall(restrict_self, ruleset, 0) == 0
    os.close(ruleset)
    return restricted


def _filter_system_calls(libc: ctypes.CDLL) -> bool:
    machine = platform.machine()
    if machine not in SYSCALLS or sys.byteorder != "little" or struct.calcsize("P") != 8:
        return False
    program = _seccomp_program(machine, os.getpid())
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    return libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) == 0


def _seccomp_program(machine: str, pid: int) -> bytes:
    """A BPF program: the system calls of syscalls.ALLOWED pass, some by their arguments; all others fail with EPERM.

    Threads may be made (OpenCASCADE does), processes may not; a signal may be sent to this process only (abort does),
    also not by asking the kernel to send it (F_SETOWN); nothing may undo that this process dies with its parent.
    """
    numbers = SYSCALLS[machine]
    load, equal, at_least, any_bit, ret = 0x20, 0x15, 0x35, 0x45, 0x06
    kill, allow = 0x80000000, 0x7FFF0000
    refuse, missing = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
    arguments = [16 + 8 * i for i in range(6)]  # offsets of their low words in seccomp_data
    clone_thread = 0x00010000

    def line(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, when_true, when_false, value)

    def case(name: str, *body: bytes) -> list[bytes]:
        return [line(equal, numbers[name], 0, len(body)), *body] if name in numbers else []

    def among(argument: int, values: tuple[int, ...]) -> list[bytes]:
        """Allow a call whose argument is one of the values."""
        jumps = [line(equal, value, len(values) - index, 0) for index, value in enumerate(values)]
        return [line(load, arguments[argument]), *jumps, line(ret, refuse), line(ret, allow)]

    program = [line(load, 4), line(equal, AUDIT_ARCH[machine], 1, 0), line(ret, kill), line(load, 0)]
    if machine == "x86_64":  # the x32 twins of all calls start here
        program += [line(at_least, 0x40000000, 0, 1), line(ret, refuse)]
    for name in ALLOWED:
        program += case(name, line(ret, allow))
    program += case(
        "clone", line(load, arguments[0]), line(any_bit, clone_thread, 0, 1), line(ret, allow), line(ret, refuse)
    )
    program += case("tgkill", *among(0, (pid,)))
    limits = arguments[2]  # prlimit64 may read limits, not set them
    program += case(
        "prlimit64",
        *(line(load, limits), line(equal, 0, 0, 3), line(load, limits + 4), line(equal, 0, 0, 1)),
        *(line(ret, allow), line(ret, refuse)),
    )
    program += case("prctl", *among(0, _PRCTL_OPERATIONS))
    program += case("fcntl", *among(1, _FCNTL_COMMANDS))
    program += case("ioctl", *among(1, _IOCTL_REQUESTS))
    for name in MISSING:  # their arguments lie out of reach
        program += case(name, line(ret, missing))
    return b"".join([*program, line(ret, refuse)])


def probe(folder: Path, memory_mb: int) -> list[str]:
    """Try, in an already confined process, what must not work.

    Returns: the names of the layers that hold: "landlock" for files, "seccomp" for network, processes and signals.
    """
    held = []
    if sys.platform != "win32" and set(os.environ) <= _SMALL_ENVIRONMENT:
        held.append("empty environment")
    if resource is not None:
        if not _succeeds(lambda: mmap.mmap(-1, (memory_mb + 64) * 2**20)):
            held.append("memory limit")
        if resource.getrlimit(resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY:
            held.append("cpu limit")
        if not _succeeds(lambda: _write_past_limit(folder / JOB_FILES[-1])):
            held.append("file-size limit")
    if sys.platform == "linux":
        outside = folder.parent / "outside"
        if not _succeeds(lambda: os.listdir("/")) and not _succeeds(lambda: outside.write_bytes(b"")):
            held.append("landlock")
        attempts = (socket.socket, _fork, lambda: os.execv(sys.executable, [sys.executable, "-c", ""]), _signal_parent)
        if not any(_succeeds(attempt) for attempt in attempts):  # ends at the first that works, so before the exec
            held.append("seccomp")
    return held


_SMALL_ENVIRONMENT = {
    *("PYTHONPATH", "PYTHONUTF8", "HOME", "TMPDIR", "LC_CTYPE"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX"),
}


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, MemoryError):
        return False
    return True


def _write_past_limit(path: Path) -> None:
    with path.open("wb") as file:
        os.ftruncate(file.fileno(), FILE_MB * 2**20 + 1)


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _signal_parent() -> None:
    os.kill(os.getppid(), 0)
