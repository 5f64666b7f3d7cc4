"""Calls of the kernel that Python 3.11 has no name for."""

import ctypes
import os
import platform

NEW_TIME, NEW_MOUNTS, NEW_CGROUP = 0x80, 0x00020000, 0x02000000
NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SUID, NO_DEV, NO_EXEC = 1, 2, 4, 8
REMOUNT, BIND, RECURSIVE, PRIVATE = 32, 4096, 16384, 1 << 18
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG."""
SET_DUMPABLE = 4
MOUNT_SETATTR = 442
"""The same number on every architecture but alpha (include/uapi/asm-generic/unistd.h)."""
PIVOT_ROOT = {"x86_64": 155, "s390x": 217, "ppc64le": 203, "i686": 217, "armv7l": 218}
"""Everywhere else it is that of asm-generic."""
AT_RECURSIVE = 0x8000

DROP_BOUND = 24
"""PR_CAPBSET_DROP."""
PLAIN_RIGHTS = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13})
"""Files of all users, signals, ids, ports, CAP_NET_ADMIN and CAP_NET_RAW: nothing that mounts, loads or reboots."""
KEEP_CAPABILITIES, AMBIENT, AMBIENT_RAISE = 8, 47, 2
CAPABILITY_VERSION = 0x20080522
NET_ADMIN = 12

LIBC = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def unshare(flags: int) -> None:
    """Leave the namespaces of these kinds for new ones."""
    _check(LIBC.unshare(flags), "unshare")


def setns(file: int, kind: int) -> None:
    """Join the namespace that a descriptor holds."""
    _check(LIBC.setns(file, kind), "setns")


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process."""
    _check(LIBC.prctl(option, value, 0, 0, 0), "prctl")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Put a file system, or another view of one, at a directory."""
    words = (source.encode(), target.encode(), kind.encode(), flags, options.encode() or None)
    _check(LIBC.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[4]), f"mount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and leave the former one at `old`."""
    number = PIVOT_ROOT.get(platform.machine(), 41)
    _check(LIBC.syscall(number, new.encode(), old.encode()), "pivot_root")


def read_only_below(path: str) -> None:
    """Nothing below can be written, in no mount."""
    # struct mount_attr: set, clear, propagation, user namespace.
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY, 0, 0, 0)
    done = LIBC.syscall(MOUNT_SETATTR, -100, path.encode(), AT_RECURSIVE, attributes, 32)
    _check(done, f"mount_setattr {path}")


def bound_rights(last: int) -> None:
    """What is started from here never has other rights than these."""
    for number in range(last + 1):
        if number not in PLAIN_RIGHTS:
            prctl(DROP_BOUND, number)


def become(user: int, capability: int) -> None:
    """Give up every right but one, which programs that are started inherit."""
    prctl(KEEP_CAPABILITIES, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    only = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable: the lower 32 of them, then the upper.
    sets = (ctypes.c_uint32 * 6)(only, only, only, 0, 0, 0)
    _check(LIBC.capset(header, sets), "capset")
    _check(LIBC.prctl(AMBIENT, AMBIENT_RAISE, capability, 0, 0), "prctl")
