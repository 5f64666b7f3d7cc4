"""The machine that the tests run on, as whoever fears for it would look at it."""

import subprocess
from pathlib import Path

from planner.diff.sysctls import MOVES_BY_ITSELF

READERS = (
    ("ip", "-d", "-o", "link"),
    ("ip", "-4", "route", "show", "table", "all"),
    ("ip", "-6", "route", "show", "table", "all"),
    ("ip", "rule"),
    ("ip", "-6", "rule"),
    ("ip", "netns"),
    ("iptables-nft-save",),
    ("ip6tables-nft-save",),
    ("nft", "list", "ruleset"),
    ("ipset", "save"),
)
DIRECTORIES = (
    "/run",
    "/run/netns",
    "/etc",
    "/etc/sysctl.d",
    "/etc/iptables",
    "/tmp/netchange",
    "/var/lib/netchange",
)
MOVING = (*MOVES_BY_ITSELF, "fs.inotify", "kernel.sched", "kernel.perf", "debug.", "dev.", "vm.stat")


def host_state() -> dict[str, object]:
    """Nothing is created by looking: legacy tables only by their list."""
    state: dict[str, object] = {
        " ".join(argv): subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        for argv in READERS
    }
    for name in (
        "/proc/net/ip_tables_names",
        "/proc/net/ip6_tables_names",
        "/proc/modules",
        "/proc/self/mounts",
    ):
        state[name] = Path(name).read_text() if Path(name).exists() else None
    for name in DIRECTORIES:
        state[name] = sorted(each.name for each in Path(name).iterdir()) if Path(name).is_dir() else None
    printed = subprocess.run(["sysctl", "-a"], capture_output=True, text=True, check=False).stdout
    state["sysctls"] = [line for line in printed.splitlines() if not line.startswith(MOVING)]
    return state


def differing(before: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    """What is not as before."""
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}
