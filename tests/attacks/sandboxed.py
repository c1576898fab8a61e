# ruff: noqa: E501
"""Programs that reach the sandbox: through the allow-list, and with the list off against the operating system's layers.

The short texts with `os`, `load` and `open` in them are given the real ones, as if they had got past the list.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest import mock

from cadrecode.errors import CadrecodeError
from tests.attacks.attack import Attack, Route

HEAD = "import cadquery as cq\n"
PAST = HEAD + (
    "os = cq.exporters.os\nreal = os.__builtins__\n"
    "open, load, getattr, setattr = real['open'], real['__import__'], real['getattr'], real['setattr']\n"
    "ctypes = load('ctypes')\nlibc = ctypes.CDLL(None, use_errno=True)\nsocket, fcntl = load('socket'), load('fcntl')\n"
)
HARMLESS = HEAD + "r = cq.Workplane().box(1, 2, 3)"
SECONDS = 60  # of the clock, on a crowded machine; the sandbox's own limit is 4

LISTED = {
    "attribute os": "cq.exporters.os.system('touch {folder}/x')",
    "attribute wrapped": "r = cq.Workplane().box(1,1,1).val().wrapped",
    "export": "cq.exporters.export(cq.Workplane().box(1,1,1), '{folder}/x.step')",
    "import": "cq.importers.importStep('{file}')",
    "getattr": "r = getattr(cq, 'exporters')",
    "format": "'{0.__class__}'.format(cq)",
    "f-string": "f'{cq.__class__}'",
    "dunder": "cq.__builtins__",
    "annotation": "def f(x: 'cq.exporters.os.system(1)'): return x\nr = cq.Workplane().each(f)",
    "annotation by variable": "h = 'cq.exporters.os.system(1)'\ndef f(x: h): return x\nr = cq.Workplane().each(f)",
    "annotation by call": "def f(x: print('x')): return x",
    "annotation by lambda": "h = lambda: 'x'\ndef f(x: h()): return x",
    "annotation in a list": "def f(x: ['cq']): return x",
    "annotation of a result": "h = 'cq'\ndef f(x) -> h: return x",
    "annotation of a variable": "h = 'cq'\nx: h = 1",
    "annotation of a parameter": "def g(h):\n    def f(x: h): return x\n    return f\ng('cq')",
    "annotation by import": "from math import pi as h\ndef f(x: h): return x\nq = 1",
    "import os": "import os",
    "import of a part": "from cadquery.occ_impl import exporters",
    "import by name": "__import__('os')",
    "eval": "eval('1')",
    "exec": "exec('1')",
    "open": "open('{file}', 'w')",
    "class": "class A:\n    def __init__(self): pass",
    "match": "match cq:\n    case cq.Workplane(exporters=x): pass",
    "with": "with cq as x: pass",
    "global": "global __builtins__\n__builtins__ = {}",
    "delete": "del cq.Workplane",
    "assign attribute": "cq.Workplane.box = 1",
    "print forever": "while True: print('x' * 1000)",
    "endless loop": "while True: pass",
    "endless list": "a = [1]\nwhile True: a += a",
    "endless text": "a = 'x'\nwhile True: a += a",
    "endless number": "a = 9\nwhile True: a *= a",
    "a tower": "a = 9**9**9**9",
    "recursion": "def f(x): return f(x)\nf(1)",
    "deep recursion": "def f(x): return [f(x)]\nf(1)",
    "an endless generator": "def f():\n    while True: yield 1\nr = list(f())",
    "a swallowed error": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "a huge box": "r = cq.Workplane().box(1e300, 1e300, 1e300)",
    "nan": "r = cq.Workplane().box(float('nan'), 1, 1)",
    "a million holes": "r = cq.Workplane().box(100,100,1).faces('>Z').workplane().rarray(.1,.1,900,900).hole(.05)",
    "text of a page": "r = cq.Workplane().text('x' * 2000, 10, 1)",
    "a font elsewhere": "r = cq.Workplane().text('x', 10, 1, fontPath='{file}')",
    "a spline of points": "r = cq.Workplane().spline([(i, i % 7) for i in range(20000)]).close().extrude(1)",
    "doubling": "r = cq.Workplane().box(1,1,1)\nfor i in range(30): r = r.union(r.translate((i+.5,0,0)))",
    "shells": "r = cq.Workplane().sphere(1).shell(-.01).shell(.001).shell(-.0001)",
    "fillet too large": "r = cq.Workplane().box(1,1,1).edges().fillet(9)",
    "nothing": "",
    "r is None": "r = None",
    "null byte": "r = '\0'",
    "half a surrogate": "r = '\ud800'",
    "200,000 letters": "#" * 190_000 + "\nr = 1",
    "map nested a million deep": "r = " + "map(" * 10**6 + ")" * 10**6,
    "map nested 20,000 deep": "r = " + "map(" * 20_000 + ")" * 20_000,
    "brackets nested": "r = " + "(" * 90_000 + ")" * 90_000,
    "numbers of 5,000 digits": "r = " + "9" * 5000,
    "an error of a megabyte": "raise ValueError('x' * 10**6)",
    "an error of lines": "raise ValueError('\\n' * 900)",
    "an error that cannot be printed": "raise ValueError('\\ud800')",
}  # fmt: skip

UNLISTED = {
    "read the file": "open('{file}').read()",
    "write the file": "open('{file}', 'w')",
    "delete the file": "os.remove('{file}')",
    "touch beside it": "os.mkdir('{folder}/x')",
    "truncate it": "os.truncate('{file}', 0)",
    "link to it": "os.link('{file}', 'part.step')",
    "link by name": "os.symlink('{file}', 'x')",
    "its mode": "os.chmod('{file}', 0)",
    "its owner": "os.chown('{file}', 1, 1)",
    "its time": "os.utime('{file}')",
    "its attributes": "os.setxattr('{file}', 'user.x', b'1')",
    "list the root": "os.listdir('/')",
    "the environment of others": "open('/proc/1/environ').read()",
    "memory of the parent": "open(f'/proc/{os.getppid()}/mem', 'rb')",
    "descriptors of the parent": "os.listdir(f'/proc/{os.getppid()}/fd')",
    "own status by /proc": "open('/proc/self/mem', 'r+b')",
    "devices": "open('/dev/mem', 'rb')",
    "a shell": "os.system('touch {folder}/x')",
    "spawn": "os.posix_spawn('/bin/touch', ['touch', '{folder}/x'], {})",
    "exec": "os.execv('/bin/touch', ['touch', '{folder}/x'])",
    "exec of an open file": "os.execve(os.open('/bin/true', os.O_RDONLY), ['true'], {})",
    "fork": "os.fork()",
    "fork bomb": "while True: os.fork()",
    "vfork": "libc.vfork()",
    "threads by the thousand": "t = load('threading')\nwhile True: t.Thread(target=lambda: load('time').sleep(9)).start()",
    "connect": "s = socket.socket()\ns.connect(('127.0.0.1', {port}))",
    "connect to a Unix socket": "s = socket.socket(socket.AF_UNIX)\ns.connect('{unix}')",
    "send to a Unix socket": "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\na.sendto(b'x', '{datagrams}')",
    "an abstract socket": "s = socket.socket(socket.AF_UNIX)\ns.bind('\\0x')",
    "a raw socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "kill the worker": "os.kill(os.getppid(), 9)",
    "stop the worker": "os.kill(os.getppid(), 19)",
    "kill the group": "os.killpg(os.getpgid(os.getppid()), 9)",
    "kill all": "os.kill(-1, 9)",
    "signal a thread of the worker": "libc.syscall(200, os.getppid(), 9)",
    "signal by pidfd": "os.pidfd_open(os.getppid())",
    "signal by F_SETOWN": "fcntl.fcntl(2, 8, os.getppid())\nfcntl.fcntl(2, 10, 9)",
    "signal by FIOASYNC": "fcntl.ioctl(2, 0x5452, 1)",
    "signal by a timer": "libc.timer_create(0, 0, 0)",
    "signal by an alarm": "load('signal').signal(14, lambda *_: None)\nload('signal').alarm(1)\nwhile True: pass",
    "ignore the processor's limit": "load('signal').signal(24, load('signal').SIG_IGN)\nwhile True: pass",
    "a session of its own": "os.setsid()",
    "a group of its own": "os.setpgid(0, 0)",
    "outlive the parent": "libc.prctl(1, 0)\nwhile True: pass",
    "priority of the worker": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "own priority": "os.nice(-5)",
    "affinity of the worker": "os.sched_setaffinity(os.getppid(), {{0}})".replace("{{", "{").replace("}}", "}"),
    "scheduler": "os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))",
    "limits of the worker": "load('resource').prlimit(os.getppid(), 0, (1, 1))",
    "own limits": "load('resource').setrlimit(9, (-1, -1))",
    "memory file": "f = os.memfd_create('x')\nfor i in range(1600): os.write(f, b'x' * 2**20)",
    "shared memory": "i = libc.shmget(0x5eca, 2**28, 0o1666)\nif i < 0: raise OSError('refused')",
    "posix shared memory": "open('/dev/shm/attack', 'w')",
    "semaphores": "i = libc.semget(0x5eca, 1, 0o1666)\nif i < 0: raise OSError('refused')",
    "message queue": "i = libc.msgget(0x5eca, 0o1666)\nif i < 0: raise OSError('refused')",
    "anonymous memory": "load('mmap').mmap(-1, 2**36)",
    "shared anonymous memory": "m = load('mmap').mmap(-1, 2**33)\nm.write(b'x' * 2**32)",
    "many files": "for i in range(10000): open(f'f{i}', 'w').write('x' * 10**6)",
    "many folders": "for i in range(37000): os.mkdir(f'd{i}')",
    "deep folders": "for i in range(3000):\n    os.mkdir('d')\n    os.chdir('d')",
    "a large file": "f = open('part.stl', 'wb')\nwhile True: f.write(b'x' * 2**20)",
    "a sparse file": "os.truncate('part.stl', 2**45)",
    "an error log without an end": "while True: os.write(2, b'x' * 2**20)",
    "every file full": "for n in ('part.step', 'part.stl', 'part.glb', 'vertices.npy', 'facets.npy'):\n"
    "    f = open(n, 'wb')\n    f.write(b'x' * (60 * 2**20))\n    f.close()",
    "descriptors": "while True: os.open('result.json', os.O_RDONLY)",
    "pipes": "while True: os.pipe()",
    "a pipe as a result": "os.remove('result.json')\nos.mkfifo('result.json')",
    "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) and 1/0",
    "namespaces": "libc.unshare(0x10000000) and 1/0",
    "chroot": "os.chroot('.')",
    "ptrace": "libc.ptrace(16, os.getppid(), 0, 0) and 1/0",
    "keys": "libc.syscall(248, b'user', b'x', b'y', 1, -3) == -1 and 1/0",
    "bpf": "libc.syscall(321, 0, 0, 0) == -1 and 1/0",
    "io_uring": "libc.syscall(425, 8, 0) == -1 and 1/0",
    "userfaultfd": "libc.syscall(323, 0) == -1 and 1/0",
    "perf": "libc.syscall(298, 0, 0, -1, -1, 0) == -1 and 1/0",
    "the clock": "load('time').clock_settime(0, 0)",
    "the host's name": "socket.sethostname('x')",
    "x32 calls": "libc.syscall(0x40000000 + 41, 2, 1, 0) == -1 and 1/0",
    "the parent's pipe": "os.write(int(os.readlink('/proc/self/fd/1')[-2:] or 5), b'x')",
    "descriptors that were left": "for i in range(3, 64):\n    try: os.write(i, b'{{\"ended\": 1, \"status\": 0, \"grown_mb\": 0}}\\n')\n"
    "    except real['OSError']: pass\nr = cq.Workplane().box(1,1,1)",
    "leave with a status": "os._exit(3)",
    "leave well": "os._exit(0)",
    "abort": "os.abort()",
    "segmentation fault": "ctypes.string_at(0)",
    "forged result: deep": "open('result.json', 'w').write('[' * 100000)\nos._exit(0)",
    "forged result: infinite": "open('result.json', 'w').write('{\"outcome\": \"ok\", \"solids\": 1e999}')\nos._exit(0)",
    "forged result: list": "open('result.json', 'w').write('{\"outcome\": []}')\nos._exit(0)",
    "forged result: lines": "open('result.json', 'w').write('{\"outcome\": \"raised\", \"line\": {}}')\nos._exit(0)",
    "forged result: huge": "open('result.json', 'w').write('{\"outcome\": \"ok\", \"detail\": \"' + 'x' * 10**7 + '\"}')\nos._exit(0)",
    "forged result: digits": "open('result.json', 'w').write('{\"outcome\": \"ok\", \"solids\": ' + '9' * 5000 + '}')\nos._exit(0)",
    "forged result: not UTF-8": "open('result.json', 'wb').write(b'\\xff\\xfe')\nos._exit(0)",
    "noise into every open file": "for f in range(3, 256):\n    try: os.write(f, b'\\xff\\xff\\xff\\x7f' * 999)\n    except OSError: pass",
    "every open file closed": "os.closerange(0, 256)\nr = cq.Workplane().box(1,1,1)",
    "output without an end": "while True: os.write(1, b'x' * 65536)",
    "a storm of timers": "s = load('signal')\ns.signal(s.SIGALRM, lambda *a: None)\ns.setitimer(s.ITIMER_REAL, 1e-6, 1e-6)\nwhile True: pass",
    "pipes that are full": "p = []\nwhile True:\n    p.append(os.pipe())\n    os.set_blocking(p[-1][1], False)\n    try:\n        while True: os.write(p[-1][1], b'x' * 65536)\n    except BlockingIOError: pass",
    "a function at the end": "load('atexit').register(lambda: load('time').sleep(600))\nr = cq.Workplane().box(1,1,1)",
    "a thread that stays": "load('threading').Thread(target=lambda: [0 for _ in iter(int, 1)]).start()\nr = cq.Workplane().box(1,1,1)",
    "an error whose text never comes": "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E()",
    "an error whose text is a number": "class E(Exception):\n    def __str__(self): return 5\nraise E()",
    "an error of half letters": "raise ValueError('\\udcff\\ud800' * 999)",
    "a part that never answers": "class R:\n    def __getattr__(self, name):\n        while True: pass\nr = R()",
    "exporters replaced": "cq.exporters.export = lambda *a, **k: None\nos.write = lambda *a: 0\nr = cq.Workplane().box(1,1,1)",
    "calls of 32 bits": "m = load('mmap').mmap(-1, 4096, prot=7)\nm.write(bytes.fromhex('b867010000bb02000000b901000000ba00000000cd80c3'))\nctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()",
    "calls of x32": "assert libc.syscall(0x40000000 + 41, 2, 1, 0) >= 0",
    "the root of a process": "open('/proc/self/root/etc/passwd').read()",
    "a device's own memory": "open('/dev/mem', 'rb')",
    "forged dump": "os.write(2, b'most recent call first\\n  File \"<program>\", line 99999999999\\n')\nos._exit(5)",
}  # fmt: skip


def _program(head: str, text: str, outside) -> str:
    return head + outside.fill(text)


@contextlib.contextmanager
def _sandbox(listed: bool) -> Iterator:
    from cadrecode.kernel import Sandbox, rules

    folder = Path(tempfile.mkdtemp(prefix="attacks-sandbox-"))
    off = contextlib.nullcontext() if listed else mock.patch.object(rules, "check", return_value=None)
    with Sandbox(seconds=4, memory_mb=512) as sandbox, off:
        if not sandbox.confined():
            raise CadrecodeError(f"this machine lacks {', '.join(sandbox.missing_layers())}")

        def send(code: str) -> str:
            execution = sandbox.run(code, folder, ("step", "stl"))
            str(execution.detail).encode(errors="replace")
            return str(execution.outcome)

        yield send
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _attacks(head: str, group: dict[str, str], few: int) -> list[Attack]:
    every = max(1, len(group) // few)
    return [
        Attack(name, partial(_program, head, text), SECONDS, short=index % every == 0)
        for index, (name, text) in enumerate(group.items())
    ]


ROUTES = [
    Route("sandbox", _attacks(HEAD, LISTED, 9), partial(_sandbox, True), forked=False, harmless=HARMLESS),
    Route(
        "sandbox, no allow-list",
        _attacks(PAST, UNLISTED, 14),
        partial(_sandbox, False),
        forked=False,
        harmless=HARMLESS,
    ),
]
