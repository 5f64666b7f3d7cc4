"""Facts of a node that move by themselves, gathered from their sections."""

from collections.abc import Iterator

from planner.models.node import Volatile
from planner.parse.counters import (
    parse_conntrack,
    parse_entries,
    parse_listeners,
    parse_memory,
    parse_processors,
    parse_snmp,
    parse_sockstat,
    parse_uptime,
)
from planner.parse.sections import Sections


def read_volatile(found: Sections, sysctls: dict[str, str]) -> Volatile:
    """Figures, sockets and the time since boot."""
    figures = {
        name: value
        for section in ("proc/sockstat", "proc/sockstat6")
        for name, value in parse_sockstat(found.quiet(section) or "").items()
    }
    entries = {
        family: parse_entries(found.quiet(f"proc/{cache}_cache") or "")
        for family, cache in (("ip", "arp"), ("ip6", "ndisc"))
    }
    extra = {
        **parse_snmp(found.quiet("proc/snmp") or ""),
        **parse_snmp(found.quiet("proc/netstat") or ""),
    }
    plugins = found.quiet("cni-plugins")
    if plugins is not None:
        extra["cni-bin"] = " ".join(sorted(plugins.split()))
    open_files = found.quiet("proc/file-nr") or sysctls.get("fs.file-nr", "")
    if open_files:
        extra["fs.file-nr"] = " ".join(open_files.split())
    for name, section in found.under("flags/"):
        if section.usable and section.text:
            extra[f"flags/{name}"] = "\n".join(_flags(section.text))
    listening = found.text("listeners", "volatile/listeners")
    return Volatile(
        conntrack=parse_conntrack(sysctls, found.quiet("proc/conntrack") or ""),
        listeners=parse_listeners(listening or ""),
        sockets=figures,
        neighbour_count={family: count for family, count in entries.items() if count is not None},
        cpus=parse_processors(found.quiet("cpus") or ""),
        memory_kib=parse_memory(found.quiet("meminfo") or ""),
        boot_id=(found.quiet("boot-id/first") or "").strip(),
        uptime_seconds=parse_uptime(found.quiet("uptime") or ""),
        extra=extra,
    )


def _flags(text: str) -> Iterator[str]:
    """List items of a manifest's command that are flags: `--cluster-cidr=10.244.0.0/16`."""
    for line in text.splitlines():
        word = line.strip().removeprefix("-").strip().strip("\"'")
        if word.startswith("--"):
            yield word
