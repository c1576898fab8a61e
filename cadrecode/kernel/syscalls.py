"""System call numbers for the seccomp filter in isolation.py: a table, because no Python module carries them."""

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
JUDGED = ("clone", "clone3", "tgkill", "prlimit64")  # by their arguments, in isolation.py; all others are denied

# Each call with its number on x86_64 and on aarch64; - where the architecture does not have it. Among them: setsid and
# setpgid, as a job must stay in the process group that is killed; io_uring, whose operations pass by every filter.
_TABLE = """
    # judged by their arguments
    clone 56 220, clone3 435 435, tgkill 234 131, prlimit64 302 261,
    # network
    socket 41 198, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242,
    # other programs and processes
    fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, ptrace 101 117, process_vm_readv 310 270,
    process_vm_writev 311 271, kill 62 129, tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240,
    pidfd_open 434 434, pidfd_send_signal 424 424, pidfd_getfd 438 438, setsid 112 157, setpgid 109 154,
    setrlimit 160 164,
    # the machine
    mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, unshare 272 97, setns 308 268,
    open_tree 428 428, move_mount 429 429, fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433,
    mount_setattr 442 442, bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, io_uring_setup 425 425,
    io_uring_enter 426 426, io_uring_register 427 427, add_key 248 217, request_key 249 218, keyctl 250 219,
    init_module 175 105, finit_module 313 273, delete_module 176 106, kexec_load 246 104,
    kexec_file_load 320 294, reboot 169 142, swapon 167 224, swapoff 168 225, settimeofday 164 170,
    clock_settime 227 112, sethostname 170 161, setdomainname 171 162, acct 163 89, syslog 103 116, iopl 172 -,
    ioperm 173 -,
    # what Landlock does not cover about files
    name_to_handle_at 303 264, open_by_handle_at 304 265, mknod 133 -, mknodat 259 33, chmod 90 -, fchmod 91 52,
    fchmodat 268 53, fchmodat2 452 452, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54, setxattr 188 5,
    lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16,
"""


def _rows() -> list[tuple[str, ...]]:
    lines = [line for line in _TABLE.splitlines() if not line.strip().startswith("#")]
    return [tuple(row.split()) for row in " ".join(lines).split(",") if row.strip()]


_NUMBERS = {name: (x86_64, aarch64) for name, x86_64, aarch64 in _rows()}
SYSCALLS = {
    machine: {name: int(numbers[column]) for name, numbers in _NUMBERS.items() if numbers[column] != "-"}
    for column, machine in enumerate(AUDIT_ARCH)
}
DENIED = tuple(name for name in _NUMBERS if name not in JUDGED)
