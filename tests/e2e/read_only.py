"""Runs Python where files can be written below one or two folders alone.

python -m tests.e2e.read_only HOME app.py ..., or HOME TMP -- app.py ...
"""

import ctypes
import os
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF, NO_NEW_PRIVILEGES = 444, 445, 446, 38
RIGHTS_BY_VERSION = {0: 0, 1: 13, 2: 14, 3: 15}  # how many of the rights each version of Landlock knows
WRITES = 1 << 1 | sum(1 << bit for bit in range(4, 15))  # write, remove, make, refer, truncate


def version() -> int:
    """Of Landlock; 0 where this system has none."""
    return max(0, ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def restrict(folders: list[str]) -> None:
    """Let this process, and all that it starts, write only below these folders."""
    libc = ctypes.CDLL(None, use_errno=True)
    writes = WRITES & (1 << RIGHTS_BY_VERSION[min(version(), 3)]) - 1
    attributes = struct.pack("=Q", writes)
    ruleset = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    for folder in folders:
        rule = struct.pack("=Qi", writes, os.open(folder, os.O_PATH))
        if libc.syscall(ADD_RULE, ruleset, 1, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), folder)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0 or libc.syscall(RESTRICT_SELF, ruleset, 0) != 0:
        raise OSError(ctypes.get_errno(), "Landlock")


if __name__ == "__main__":
    own = sys.argv[1]
    folders, words = ([own, sys.argv[2]], sys.argv[4:]) if sys.argv[3:4] == ["--"] else ([own], sys.argv[2:])
    restrict([*folders, "/dev", "/proc"])
    os.environ |= {"HOME": own, "TMPDIR": folders[-1]}
    os.execv(sys.executable, [sys.executable, *words])
