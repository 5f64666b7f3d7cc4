"""An sosreport's files as sections: what sos runs is text for people, so some of it says less than the collector's.

Places are those of sos 3.x and 4.x (plugins networking, firewall_tables, kernel, host). sos runs no iptables-save: it
keeps `iptables -vnxL`, which leaves out parts of rules, so the rules of iptables stay unknown.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from planner.collect.sections import wanted_file
from planner.collect.tree import Entry, Tree
from planner.models.section import Section

MARKER = "sos_commands"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a section may lie, best first."""

    name: str
    argv: str
    paths: tuple[str, ...]


def _networking(*names: str) -> tuple[str, ...]:
    return tuple(f"sos_commands/networking/{name}" for name in names)


def _firewall(*names: str) -> tuple[str, ...]:
    return tuple(
        f"sos_commands/{plugin}/{name}"
        for plugin in ("firewall_tables", "networking", "nftables", "firewalld")
        for name in names
    )


PLACES: tuple[Place, ...] = (
    Place("uname", "uname -a", ("sos_commands/kernel/uname_-a", "uname")),
    Place(
        "hostname",
        "hostname",
        ("sos_commands/host/hostname", "sos_commands/general/hostname", "etc/hostname"),
    ),
    Place("modules", "lsmod", ("proc/modules", "sos_commands/kernel/lsmod", "lsmod")),
    Place("sysctl", "sysctl -a", ("sos_commands/kernel/sysctl_-a",)),
    Place("boot-id/first", "/proc/sys/kernel/random/boot_id", ("proc/sys/kernel/random/boot_id",)),
    Place("uptime", "/proc/uptime", ("proc/uptime",)),
    Place("cpus", "/proc/cpuinfo", ("proc/cpuinfo",)),
    Place("meminfo", "/proc/meminfo", ("proc/meminfo",)),
    Place("ip/addr-text", "ip -d address", _networking("ip_-d_address", "ip_-d_addr", "ip_-d_address_show")),
    Place("ip/addr-text", "ip address", _networking("ip_address", "ip_addr", "ip_address_show")),
    Place("ip/route4-text", "ip route show table all", _networking("ip_route_show_table_all")),
    Place("ip/route6-text", "ip -6 route show table all", _networking("ip_-6_route_show_table_all")),
    Place(
        "ip/rule4-text", "ip rule", _networking("ip_-4_rule_list", "ip_-4_rule", "ip_rule_list", "ip_rule")
    ),
    Place("ip/rule6-text", "ip -6 rule", _networking("ip_-6_rule_list", "ip_-6_rule")),
    Place("ip/neigh-text", "ip -s -s neigh show", _networking("ip_-s_-s_neigh_show", "ip_neigh_show")),
    Place(
        "bridge/fdb-text",
        "bridge fdb show",
        _networking("bridge_-s_-s_-d_-t_fdb_show", "bridge_-s_-s_-d_fdb_show", "bridge_fdb_show"),
    ),
    Place("nft/text", "nft list ruleset", _firewall("nft_list_ruleset", "nft_-a_list_ruleset")),
    Place("iptables/ip", "iptables-save", _firewall("iptables-save", "iptables-save_-c")),
    Place("iptables/ip6", "ip6tables-save", _firewall("ip6tables-save", "ip6tables-save_-c")),
    Place(
        "iptables-listing/ip",
        "iptables -vnxL",
        _firewall("iptables_-vnxL", "iptables_-t_*_-nvL", "iptables_-nvL"),
    ),
    Place(
        "iptables-listing/ip6",
        "ip6tables -vnxL",
        _firewall("ip6tables_-vnxL", "ip6tables_-t_*_-nvL", "ip6tables_-nvL"),
    ),
    Place("ipset", "ipset save", _firewall("ipset_save")),
    Place("legacy-tables/ip", "/proc/net/ip_tables_names", ("proc/net/ip_tables_names",)),
    Place("legacy-tables/ip6", "/proc/net/ip6_tables_names", ("proc/net/ip6_tables_names",)),
    Place("listeners", "ss -peaonmi", _networking("ss_-peaonmi", "ss_-peaonmi_2")),
    Place("proc/sockstat", "/proc/net/sockstat", ("proc/net/sockstat",)),
    Place("proc/sockstat6", "/proc/net/sockstat6", ("proc/net/sockstat6",)),
    Place("proc/snmp", "/proc/net/snmp", ("proc/net/snmp",)),
    Place("proc/netstat", "/proc/net/netstat", ("proc/net/netstat",)),
    Place("proc/conntrack", "/proc/net/stat/nf_conntrack", ("proc/net/stat/nf_conntrack",)),
    Place("proc/arp_cache", "/proc/net/stat/arp_cache", ("proc/net/stat/arp_cache",)),
    Place("proc/ndisc_cache", "/proc/net/stat/ndisc_cache", ("proc/net/stat/ndisc_cache",)),
)
_KEPT = re.compile(
    r"^(sos_commands/(networking|firewall_tables|nftables|firewalld|kernel|host|general)/[^/]+"
    r"|proc/(net|self|[0-9]+|self/net)$|proc/(self/|[0-9]+/)?net/(\w+|stat/\w+)"
    r"|proc/(modules|uptime|cpuinfo|meminfo|sys/kernel/random/boot_id)"
    r"|lib|usr/lib|etc/hostname|uname|lsmod|hostname)$"
)
_FAILED = re.compile(
    r"^(\S*(bash|sh|timeout|env)\S*: .*(not found|No such file|failed to run)"
    r"|Object \"[^\"]*\" is unknown|Option \"[^\"]*\" is unknown|Cannot find device"
    r"|.*(you must be root|Operation not permitted|command not found).*)",
)
"""What a tool leaves in its output when it fails: sos keeps no exit status beside it."""


def sos_path_wanted(path: str) -> bool:
    """Whether a path of the report is of use."""
    return _KEPT.match(path) is not None or wanted_file(f"/{path}") or path.startswith("run/systemd/resolve/")


def is_sosreport(tree: Tree) -> bool:
    """Recognised by content: command outputs under `sos_commands`."""
    return any(path.startswith(f"{MARKER}/") for path in tree.entries)


def sos_sections(tree: Tree) -> tuple[Section, ...]:
    """What the report holds, under the collector's names."""
    sections = [section for place in PLACES if (section := _section(tree, place)) is not None]
    sections.extend(_iptables_version(sections))
    for path in sorted(tree.entries):
        if wanted_file(f"/{path}"):
            sections.extend(file_sections(tree, path))
    return tuple(sections)


def decoded(data: bytes) -> str:
    """Text as the node wrote it; bytes that are not UTF-8 stay visible."""
    return data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def _section(tree: Tree, place: Place) -> Section | None:
    for pattern in place.paths:
        paths = [pattern]
        if "*" in pattern:
            paths = sorted(path for path in tree.entries if fnmatchcase(path, pattern))
        for path in paths:
            entry = tree.read(path)
            if entry is not None:
                return _of_entry(place.name, place.argv, entry)
    return None


def _of_entry(name: str, argv: str, entry: Entry) -> Section:
    if entry.trouble:
        return Section(name=name, argv=argv, skipped=f"{argv}: {entry.trouble}")
    text = decoded(entry.data)
    first = next((line for line in text.split("\n") if line.strip()), "")
    if not argv.startswith("/") and _FAILED.match(first):
        return Section(name=name, argv=argv, text=text, status=1, stderr=first)
    return Section(name=name, argv=argv, text=text)


def _iptables_version(sections: list[Section]) -> list[Section]:
    """Which backend an iptables-save was of: its header says so."""
    for section in sections:
        if section.name.startswith("iptables/"):
            header = re.search(r"^# Generated by \S+ (v\S+( \(\w+\))?)", section.text, re.MULTILINE)
            if header:
                return [
                    Section(name="version/iptables", argv="iptables -V", text=f"iptables {header.group(1)}\n")
                ]
    return []


def file_sections(tree: Tree, path: str) -> list[Section]:
    """A persisted file of a tree that is laid out like the node's root: its target when it is a link, its content."""
    sections: list[Section] = []
    target = tree.link(path)
    if target:
        sections.append(Section(name=f"link/{path}", argv=f"/{path}", text=f"{target}\n"))
        if target == "/dev/null" or target.endswith("/dev/null"):
            return sections
    entry = tree.read(path)
    if entry is None:
        reason = (
            f"/{path}: its target {target} is not in the report" if target else f"/{path}: not in the report"
        )
        sections.append(Section(name=f"file/{path}", argv=f"/{path}", skipped=reason))
    elif entry.trouble:
        sections.append(Section(name=f"file/{path}", argv=f"/{path}", skipped=f"/{path}: {entry.trouble}"))
    else:
        sections.append(Section(name=f"file/{path}", argv=f"/{path}", text=decoded(entry.data)))
    return sections
