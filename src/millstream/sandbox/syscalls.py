"""Numbers of system calls, by machine, and what a sandboxed process has no use for. Pure.

Linux 6.18: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h. Numbers from 424
on are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LANDLOCK_CREATE_RULESET = 444
LANDLOCK_RESTRICT_SELF = 446

# The last one that was looked at, open_tree_attr; later ones may open anything.
LAST_KNOWN = 467


@dataclass(frozen=True, slots=True)
class Machine:
    """How a machine's system calls are told apart.

    Attributes:
        audit_arch: as the kernel names it to a filter.
        other_abi: numbers from this on are those of a second table, and refused; 0 if there is none.
        seccomp: the number of seccomp(2).
        refused: what is refused, with its numbers.
        ioctl: the number of ioctl(2).
    """

    audit_arch: int
    other_abi: int
    seccomp: int
    refused: Mapping[str, int]
    ioctl: int


def _table(text: str) -> dict[str, int]:
    words = text.split()
    return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}


# What makes something of a path, or waits for something there. stat(2) and its kin are left: they
# share a number with fstat(2).
_PATHS = (
    "open openat openat2 creat open_by_handle_at name_to_handle_at unlink unlinkat rmdir mkdir mkdirat "
    "rename renameat renameat2 truncate link linkat symlink symlinkat readlink readlinkat mknod mknodat "
    "chmod fchmodat fchmodat2 chown lchown fchownat utime utimes utimensat futimesat "
    "setxattr lsetxattr setxattrat removexattr lremovexattr removexattrat "
    "inotify_init inotify_init1 fanotify_init uselib"
)
# What reaches other processes and machines. socketpair(2) reaches nobody, and is left. An io_uring
# opens files and sockets without any of the other calls.
_OTHERS = (
    "socket connect accept accept4 bind listen execve execveat kill tkill ptrace kcmp "
    "process_vm_readv process_vm_writev process_madvise pidfd_open pidfd_getfd pidfd_send_signal "
    "io_uring_setup io_uring_enter io_uring_register mq_open shmget shmat msgget semget "
    "add_key request_key keyctl"
)
# What changes the system as a whole: root has no use for it here either.
_SYSTEM = (
    "chroot pivot_root mount umount2 open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick "
    "mount_setattr quotactl quotactl_fd swapon swapoff acct unshare setns bpf perf_event_open "
    "userfaultfd init_module finit_module delete_module kexec_load kexec_file_load reboot iopl ioperm "
    "sethostname setdomainname settimeofday clock_settime adjtimex clock_adjtime"
)
REFUSED = tuple(f"{_PATHS} {_OTHERS} {_SYSTEM}".split())

_EVERYWHERE = _table(
    "pidfd_send_signal 424 io_uring_setup 425 io_uring_enter 426 io_uring_register 427 "
    "open_tree 428 move_mount 429 fsopen 430 fsconfig 431 fsmount 432 fspick 433 "
    "pidfd_open 434 openat2 437 pidfd_getfd 438 process_madvise 440 mount_setattr 442 "
    "quotactl_fd 443 fchmodat2 452 setxattrat 463 removexattrat 466 open_tree_attr 467"
)
_X86_64 = _table(
    "open 2 shmget 29 shmat 30 socket 41 connect 42 accept 43 bind 49 listen 50 execve 59 "
    "kill 62 semget 64 msgget 68 truncate 76 rename 82 mkdir 83 rmdir 84 creat 85 link 86 "
    "unlink 87 symlink 88 readlink 89 chmod 90 chown 92 lchown 94 ptrace 101 utime 132 "
    "mknod 133 uselib 134 pivot_root 155 adjtimex 159 chroot 161 acct 163 settimeofday 164 "
    "mount 165 umount2 166 swapon 167 swapoff 168 reboot 169 sethostname 170 setdomainname 171 "
    "iopl 172 ioperm 173 init_module 175 delete_module 176 quotactl 179 setxattr 188 "
    "lsetxattr 189 removexattr 197 lremovexattr 198 tkill 200 clock_settime 227 utimes 235 "
    "mq_open 240 kexec_load 246 add_key 248 request_key 249 keyctl 250 inotify_init 253 "
    "openat 257 mkdirat 258 mknodat 259 fchownat 260 futimesat 261 unlinkat 263 renameat 264 "
    "linkat 265 symlinkat 266 readlinkat 267 fchmodat 268 unshare 272 utimensat 280 "
    "accept4 288 inotify_init1 294 perf_event_open 298 fanotify_init 300 name_to_handle_at 303 "
    "open_by_handle_at 304 clock_adjtime 305 setns 308 process_vm_readv 310 "
    "process_vm_writev 311 kcmp 312 finit_module 313 renameat2 316 kexec_file_load 320 bpf 321 "
    "execveat 322 userfaultfd 323"
)
_AARCH64 = _table(
    "setxattr 5 lsetxattr 6 removexattr 14 lremovexattr 15 inotify_init1 26 mknodat 33 "
    "mkdirat 34 unlinkat 35 symlinkat 36 linkat 37 renameat 38 umount2 39 mount 40 "
    "pivot_root 41 truncate 45 chroot 51 fchmodat 53 fchownat 54 openat 56 quotactl 60 "
    "readlinkat 78 utimensat 88 acct 89 unshare 97 kexec_load 104 init_module 105 "
    "delete_module 106 clock_settime 112 ptrace 117 kill 129 tkill 130 reboot 142 "
    "sethostname 161 setdomainname 162 settimeofday 170 adjtimex 171 mq_open 180 msgget 186 "
    "semget 190 shmget 194 shmat 196 socket 198 bind 200 listen 201 accept 202 connect 203 "
    "add_key 217 request_key 218 keyctl 219 execve 221 swapon 224 swapoff 225 "
    "perf_event_open 241 accept4 242 fanotify_init 262 name_to_handle_at 264 "
    "open_by_handle_at 265 clock_adjtime 266 setns 268 process_vm_readv 270 "
    "process_vm_writev 271 kcmp 272 finit_module 273 renameat2 276 bpf 280 execveat 281 "
    "userfaultfd 282 kexec_file_load 294"
)

MACHINES = {
    # Numbers from 0x40000000 on are those of x32.
    "x86_64": Machine(0xC000003E, 0x40000000, 317, _EVERYWHERE | _X86_64, 16),
    "aarch64": Machine(0xC00000B7, 0, 277, _EVERYWHERE | _AARCH64, 29),
}
"""By the name that `uname -m` gives."""
