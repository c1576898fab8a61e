"""System call numbers for the seccomp filter in isolation.py: a table, because no Python module carries them."""

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
JUDGED = ("clone", "tgkill", "prlimit64", "prctl", "fcntl", "ioctl")  # allowed by their arguments, in isolation.py
MISSING = ("clone3", "openat2", "futex_waitv")  # answered as by an older kernel: the C library then does without

# All that a job may call, each with its number on x86_64 and on aarch64; - where the architecture does not have it.
# Whatever is not here is refused: other processes, sockets, shared memory, priorities, mounts, links, owners, modes.
_TABLE = """
    # judged by their arguments, or answered as missing
    clone 56 220, tgkill 234 131, prlimit64 302 261, prctl 157 167, fcntl 72 25, ioctl 16 29, clone3 435 435,
    openat2 437 437, futex_waitv 449 449,
    # memory
    mmap 9 222, munmap 11 215, mprotect 10 226, mremap 25 216, madvise 28 233, brk 12 214, mincore 27 232,
    membarrier 324 283, get_mempolicy 239 236, pkey_mprotect 329 288, pkey_alloc 330 289, pkey_free 331 290,
    # files
    open 2 -, openat 257 56, creat 85 -, close 3 57, close_range 436 436, read 0 63, write 1 64, readv 19 65,
    writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70, lseek 8 62, stat 4 -, fstat 5 80,
    lstat 6 -, newfstatat 262 79, statx 332 291, statfs 137 43, fstatfs 138 44, access 21 -, faccessat 269 48,
    faccessat2 439 439, readlink 89 -, readlinkat 267 78, getdents 78 -, getdents64 217 61, getcwd 79 17, chdir 80 49,
    fchdir 81 50, truncate 76 45, ftruncate 77 46, fsync 74 82, fdatasync 75 83, fadvise64 221 223, fallocate 285 47,
    unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276, dup 32 23, dup2 33 -, dup3 292 24,
    pipe 22 -, pipe2 293 59, flock 73 32, umask 95 166, sendfile 40 71, copy_file_range 326 285, eventfd2 290 19,
    # waiting
    poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -,
    epoll_pwait 281 22, nanosleep 35 101, clock_nanosleep 230 115, futex 202 98, sched_yield 24 124,
    restart_syscall 219 128,
    # this process and its threads
    rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, sigaltstack 131 132, rt_sigtimedwait 128 137,
    set_robust_list 273 99, set_tid_address 218 96, rseq 334 293, arch_prctl 158 -, exit 60 93, exit_group 231 94,
    getpid 39 172, getppid 110 173, gettid 186 178, getpgrp 111 -, getpgid 121 155, getsid 124 156, getuid 102 174,
    geteuid 107 175, getgid 104 176, getegid 108 177, getgroups 115 158, getrlimit 97 163, getrusage 98 165,
    getpriority 140 141, sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120, getcpu 309 168,
    alarm 37 -, setitimer 38 103, getitimer 36 102, wait4 61 260, waitid 247 95,
    # the machine and the time
    clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169, time 201 -, times 100 153, uname 63 160,
    sysinfo 99 179, getrandom 318 278,
"""


def _rows() -> list[tuple[str, ...]]:
    lines = [line for line in _TABLE.splitlines() if not line.strip().startswith("#")]
    return [tuple(row.split()) for row in " ".join(lines).split(",") if row.strip()]


_NUMBERS = {name: (x86_64, aarch64) for name, x86_64, aarch64 in _rows()}
SYSCALLS = {
    machine: {name: int(numbers[column]) for name, numbers in _NUMBERS.items() if numbers[column] != "-"}
    for column, machine in enumerate(AUDIT_ARCH)
}
ALLOWED = tuple(name for name in _NUMBERS if name not in (*JUDGED, *MISSING))
