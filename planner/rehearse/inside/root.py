"""The files of a stage: a root of its own in memory, in which the machine's programs can be run and nothing of it be written.

What a node's state speaks of is not there at first; what stands beside it on the machine is reached through links.
"""

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from planner.rehearse.inside import kernel

HOST = Path("/.host")
BUILT = Path("/tmp")  # noqa: S108 (mounted over, for this process alone)
"""Where the new root is built: a directory that every system has."""
OWN = ("dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "var")
"""Directories of the root that have nothing of the machine in them."""
MASKED = ("boot", "dev", "home", "media", "mnt", "proc", "root", "run", "srv", "sys", "tmp", "var")
"""Directories of the machine that no program needs to run: sockets of daemons, private files."""
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
KEPT = (
    "ethertypes",
    "group",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "nsswitch.conf",
    "passwd",
    "protocols",
    "rpc",
    "services",
    "xtables",
)
"""What programs need of the machine's /etc: names of protocols, libraries and users."""
OPENED = ("alternatives", "iproute2")
"""Directories of it of which single files are the node's, or another choice than the machine's."""
COMMANDS = ("", "-save", "-restore")
OPEN_TO_ALL = 0o1777


def build(absent: Iterable[str], *, iptables: str) -> list[str]:
    """Make the root and go there; the paths `absent` are not there. Returns sentences about walls that are not whole."""
    weak: list[str] = []
    kernel.mount("none", "/", "", kernel.RECURSIVE | kernel.PRIVATE)
    kernel.mount("tmpfs", str(BUILT), "tmpfs", kernel.NO_SUID | kernel.NO_DEV, "size=2g,mode=755")
    for name in (HOST.name, *OWN):
        (BUILT / name).mkdir()
    # Before anything hides the machine's own: the kernel asks for a whole view of it (fs/namespace.c, mount_too_revealing).
    for kind, where in (("proc", "proc"), ("sysfs", "sys")):
        try:
            flags = kernel.NO_SUID | kernel.NO_DEV | kernel.NO_EXEC
            kernel.mount(kind, str(BUILT / where), kind, flags)
        except OSError as error:
            weak.append(f"/{where} is that of the machine: {error.strerror}")
            kernel.mount(f"/{where}", str(BUILT / where), "", kernel.BIND | kernel.RECURSIVE)
    _devices()
    _etc(iptables)
    for name in ("lib", "lib/netchange", "log", "cache", "spool", "tmp"):
        (BUILT / "var" / name).mkdir()
    (BUILT / "var/run").symlink_to("/run")
    for name in ("tmp", "var/tmp", "dev/shm"):
        (BUILT / name).chmod(OPEN_TO_ALL)
    (BUILT / "root").chmod(0o700)
    for entry in sorted(Path("/").iterdir()):
        if entry.name not in OWN:
            _reach(entry)
    gone = set(map(Path, absent))
    for path in sorted(path for path in gone if not gone.intersection(path.parents)):
        there = BUILT / path.relative_to("/")
        if path.parts[1] not in OWN:
            _open(path.parent)
        if there.is_symlink():
            there.unlink()
    kernel.pivot_root(str(BUILT), str(BUILT / HOST.name))
    for name in MASKED:
        if (HOST / name).is_dir() and not (HOST / name).is_symlink():
            with contextlib.suppress(OSError):
                kernel.mount("tmpfs", str(HOST / name), "tmpfs", kernel.READ_ONLY, "size=0,mode=555")
    try:
        kernel.read_only_below(str(HOST))
    except OSError as error:
        weak.append(f"files that anybody may write stay writable: {error.strerror}")
    return weak


def keep_away() -> None:
    """Root of the machine must not write what is the machine's: sysctls beside those of the network, sysrq, devices."""
    kernel.mount("/proc/sys/net", "/proc/sys/net", "", kernel.BIND)
    kernel.mount("/proc/sys", "/proc/sys", "", kernel.BIND | kernel.RECURSIVE)
    flags = kernel.REMOUNT | kernel.BIND | kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_DEV | kernel.NO_EXEC
    kernel.mount("none", "/proc/sys", "", flags)
    for name in ("sysrq-trigger", "irq", "bus", "acpi", "scsi"):
        place = f"/proc/{name}"
        if Path(place).exists():
            kernel.mount(place, place, "", kernel.BIND)
            kernel.mount("none", place, "", flags)
    kernel.mount("none", "/sys", "", flags)
    kernel.bound_rights(int(Path("/proc/sys/kernel/cap_last_cap").read_bytes()))


def _reach(path: Path) -> None:
    """What stands at `path` on the machine, at the same place of the new root."""
    here = BUILT / path.relative_to("/")
    here.symlink_to(path.readlink() if path.is_symlink() else HOST / path.relative_to("/"))


def _open(path: Path) -> None:
    """Make every directory down to `path` a real one; beside it everything of the machine stays in reach."""
    here = BUILT / path.relative_to("/")
    if here == BUILT or (here.is_dir() and not here.is_symlink()):
        return
    _open(path.parent)
    if here.is_symlink():
        target = here.readlink()
        if HOST not in target.parents:
            # /lib, which is /usr/lib.
            _open(path.parent / target)
            return
        here.unlink()
    if not here.parent.exists():
        return
    here.mkdir(exist_ok=True)
    # Behind a link (/lib/systemd) the entries were made with the directory that it leads to.
    if path.is_dir() and not any(here.iterdir()):
        for entry in sorted(path.iterdir()):
            (here / entry.name).symlink_to(
                entry.readlink() if entry.is_symlink() else HOST / entry.relative_to("/")
            )


def _devices() -> None:
    for name in DEVICES:
        if Path("/dev", name).exists():
            (BUILT / "dev" / name).touch()
            kernel.mount(f"/dev/{name}", str(BUILT / "dev" / name), "", kernel.BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (BUILT / "dev" / name).symlink_to(f"/proc/self/fd{target}")
    (BUILT / "dev/shm").mkdir()


def _etc(iptables: str) -> None:
    """Names that programs look up; plain `iptables` means what it means on the node."""
    for name in KEPT:
        if Path("/etc", name).is_symlink() or Path("/etc", name).exists():
            _reach(Path("/etc", name))
    for name in OPENED:
        if Path("/etc", name).is_dir():
            _open(Path("/etc", name))
    for command in COMMANDS if iptables in {"nft", "legacy"} else ():
        for family in ("iptables", "ip6tables"):
            link = BUILT / "etc/alternatives" / f"{family}{command}"
            found = shutil.which(f"{family}-{iptables}{command}")
            if found and link.is_symlink():
                link.unlink()
                link.symlink_to(found)
