"""Facts that move by themselves: figures under /proc and the sockets that wait."""

import re

from planner.models.node import Conntrack, Listener

TOLD = (
    "Ip.ForwDatagrams",
    "Ip.InAddrErrors",
    "Ip.OutNoRoutes",
    "IpExt.InNoRoutes",
    "TcpExt.IPReversePathFilter",
    "TcpExt.ListenDrops",
    "TcpExt.ListenOverflows",
    "TcpExt.PruneCalled",
    "TcpExt.TCPAbortOnMemory",
    "TcpExt.TCPTimeWaitOverflow",
    "Udp.RcvbufErrors",
)
"""Counters of /proc/net/snmp and netstat that tell of limits that were hit."""


def parse_sockstat(text: str) -> dict[str, int]:
    """`/proc/net/sockstat` and `sockstat6`: {"tcp_inuse": 310, "tcp_mem": 88}."""
    figures: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        for key, value in zip(words[::2], words[1::2], strict=False):
            if value.isdecimal():
                figures[f"{name.strip().lower()}_{key}"] = int(value)
    return figures


def parse_snmp(text: str) -> dict[str, str]:
    """`/proc/net/snmp` and `netstat`: pairs of lines, names then values. Only the counters of `TOLD`."""
    told: dict[str, str] = {}
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        prefix = names.partition(":")[0]
        for name, value in zip(names.split()[1:], values.split()[1:], strict=False):
            if f"{prefix}.{name}" in TOLD:
                told[f"{prefix}.{name}"] = value
    return told


def _hex_columns(text: str) -> tuple[list[str], list[list[int]]]:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    rows = [[int(word, 16) for word in words] for words in lines[1:] if all(map(_is_hex, words))]
    return (lines[0] if lines else []), rows


def _is_hex(word: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]+", word) is not None


def parse_conntrack(sysctls: dict[str, str], statistics: str) -> Conntrack:
    """Figures from the sysctls, and the sums over processors of `/proc/net/stat/nf_conntrack` (hexadecimal)."""
    names, rows = _hex_columns(statistics)
    sums = {name: sum(row[at] for row in rows if at < len(row)) for at, name in enumerate(names)}

    def value(*keys: str) -> int | None:
        return next((int(sysctls[key]) for key in keys if sysctls.get(key, "").isdecimal()), None)

    return Conntrack(
        count=value("net.netfilter.nf_conntrack_count"),
        maximum=value("net.netfilter.nf_conntrack_max", "net.nf_conntrack_max"),
        buckets=value("net.netfilter.nf_conntrack_buckets"),
        insert_failed=sums.get("insert_failed"),
        early_drop=sums.get("early_drop"),
        drop=sums.get("drop"),
    )


def parse_entries(text: str) -> int | None:
    """`/proc/net/stat/arp_cache`, `ndisc_cache`: entries of the whole table, which every processor's line repeats."""
    names, rows = _hex_columns(text)
    return rows[0][0] if rows and names[:1] == ["entries"] else None


_SOCKET = re.compile(r"^(tcp|udp)\s+(LISTEN|UNCONN)\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+(.*)$")
_PROCESS = re.compile(r'users:\(\("([^"]*)"')


def parse_listeners(text: str) -> tuple[Listener, ...]:
    """`ss -nltu`, with or without processes; lines of other sockets (as of `ss -a`) are passed over."""
    found: set[Listener] = set()
    for line in text.splitlines():
        seen = _SOCKET.match(line)
        if seen:
            protocol, _, address, port, rest = seen.groups()
            process = _PROCESS.search(rest)
            found.add(
                Listener(
                    protocol=protocol,
                    address=address.partition("%")[0].strip("[]"),
                    port=int(port),
                    process=process.group(1) if process else "",
                )
            )
    return tuple(sorted(found, key=lambda one: (one.protocol, one.port, one.address, one.process)))


def parse_processors(text: str) -> int | None:
    """`/proc/cpuinfo`: one `processor` line each (s390 writes `processor 0:`)."""
    return len(re.findall(r"^processor\s*\d*\s*:", text, re.MULTILINE)) or None


def parse_memory(text: str) -> int | None:
    """`/proc/meminfo`: the total in KiB."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) if found else None


def parse_uptime(text: str) -> int | None:
    """`/proc/uptime`: whole seconds."""
    found = re.match(r"\s*(\d+)", text)
    return int(found.group(1)) if found else None
