"""The sections of one node made into its state. Whatever is missing becomes a gap, never an empty value."""

import re
from collections.abc import Callable, Iterable

from planner.models.link import ForwardingEntry, Link, Neighbour
from planner.models.node import NodeState, Volatile
from planner.models.route import NextHopObject, PolicyRule, Route
from planner.models.ruleset import IpSet
from planner.models.section import Section
from planner.models.source import Gap
from planner.parse import ip_json, ip_text
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
from planner.parse.fdb_text import parse_fdb as parse_fdb_text
from planner.parse.ip_names import read_table_names
from planner.parse.ipset_save import parse_ipset_save
from planner.parse.node_files import read_files
from planner.parse.node_rules import read_rules, tool_versions
from planner.parse.sections import ABSENT, NOT_LOADED, Sections
from planner.parse.stream import STREAM
from planner.parse.sysctl import parse_sysctl_values

FAMILIES = (("ip", "4"), ("ip6", "6"))
SECRET_KEYS = re.compile(r"\.(stable_secret|tcp_fastopen_key|netdev_rss_key|fib_multipath_hash_seed)$")
COUNTED_KEYS = frozenset({"net.netfilter.nf_conntrack_count"})
"""Sysctls that are counters: they belong to `volatile`."""
_REFUSED_KEY = re.compile(r"^(?:grep: |sysctl: .*key ['\"]|unreadable: )(?P<path>[^:'\"]+)")
_TRIGGER = re.compile(r"[./]flush$|stable_secret")
"""Write-only, or unset: there is nothing to read."""

Read = tuple[tuple[object, ...], tuple[Gap, ...]]


def parse_node(sections: Iterable[Section], *, name: str = "") -> NodeState:
    """The state that the sections tell. `name` wins over the node's own host name."""
    found = Sections(sections)
    _whole(found)
    links = _links(found)
    sysctls = _sysctls(found)
    rulesets, native, default = read_rules(found)
    state = NodeState(
        name=name or (found.quiet("hostname") or "").strip() or "node",
        kernel=_kernel(found),
        os=_os(found),
        tools=tool_versions(found),
        iptables_default=default,
        sysctls={key: value for key, value in sysctls.items() if key not in COUNTED_KEYS},
        links=links,
        routes=(*_routes(found, "ip", "4"), *_routes(found, "ip6", "6")),
        policy_rules=(*_policy_rules(found, "ip", "4"), *_policy_rules(found, "ip6", "6")),
        nexthop_objects=_nexthops(found),
        neighbours=_neighbours(found),
        fdb=_fdb(found),
        rulesets=rulesets,
        native=native,
        ipsets=_ipsets(found),
        files=read_files(found),
        modules=_modules(found),
        volatile=_volatile(found, sysctls),
    )
    _stable(found, links)
    return state.model_copy(update={"gaps": tuple(dict.fromkeys(found.gaps))})


def _whole(found: Sections) -> None:
    """A damaged stream may have lost any file without a trace."""
    stream = found.get(STREAM)
    if stream is not None and not stream.usable:
        found.gap("stream", stream.stderr or stream.skipped or "the stream is damaged")
        found.gap("files", f"files may be missing, the stream is damaged: {stream.stderr or stream.skipped}")


def _kernel(found: Sections) -> str:
    release = found.quiet("kernel")
    if release is not None:
        return release.strip()
    words = (found.quiet("uname") or "").split()
    if len(words) >= 3 and words[0] == "Linux":
        return words[2]
    found.gap("kernel", found.reason("kernel"))
    return ""


def _os(found: Sections) -> str:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        text = found.quiet(f"file{path}") or ""
        pretty = re.search(r"^PRETTY_NAME=[\"']?([^\"'\n]*)", text, re.MULTILINE)
        if pretty:
            return pretty.group(1)
    return ""


def _sysctls(found: Sections) -> dict[str, str]:
    text = found.text("sysctl", "sysctl")
    if text is None:
        return {}
    lines: list[str] = []
    for line in text.split("\n"):
        refused = _REFUSED_KEY.match(line)
        if refused is None:
            lines.append(line)
            continue
        key = _key(refused.group("path").strip())
        if not _TRIGGER.search(key) and "Is a directory" not in line:
            found.gap(f"sysctl/{key}", f"not readable: {line.rpartition(': ')[2].strip()} (needs root)")
    values, gaps = parse_sysctl_values("\n".join(lines))
    found.gaps.extend(gaps)
    if not values:
        found.gap("sysctl", "the section holds no value")
    return {key: value for key, value in values.items() if not SECRET_KEYS.search(f".{key}")}


def _key(path: str) -> str:
    """`/proc/sys/net/ipv4/conf/eth0.100/x` as `net.ipv4.conf.eth0/100.x`; a key stays."""
    if not path.startswith("/proc/sys/"):
        return path
    return path.removeprefix("/proc/sys/").translate(str.maketrans("./", "/."))


def _links(found: Sections) -> tuple[Link, ...]:
    text = found.quiet("ip/addr")
    if text is not None:
        found.text("ip/addr", "links")
        links, gaps = ip_json.parse_links(text)
        found.gaps.extend(gaps)
        return links
    shown = found.get("ip/addr-text")
    if shown is None or not shown.usable:
        found.gap("links", found.reason("ip/addr"))
        return ()
    links, gaps = ip_text_links(shown.text)
    found.gaps.extend(gaps)
    if " -d" not in f" {shown.argv}":
        found.gap(
            "links", f"`{shown.argv}` does not show what kind a link is of (ip is too old or too small)"
        )
    return links


def ip_text_links(text: str) -> tuple[tuple[Link, ...], tuple[Gap, ...]]:
    """Links of `ip [-d] addr`."""
    from planner.parse.ip_text_links import parse_links

    return parse_links(text)


def _table_names(found: Sections) -> dict[str, str]:
    names: dict[str, str] = {}
    for path in ("/usr/share/iproute2/rt_tables", "/etc/iproute2/rt_tables"):
        names |= read_table_names(found.quiet(f"file{path}") or "")
    for path, section in found.under("file/etc/iproute2/rt_tables.d/"):
        if path.endswith(".conf") and section.usable:
            names |= read_table_names(section.text)
    return names


def _routes(found: Sections, family: str, digit: str) -> tuple[Route, ...]:
    path = f"routes/{family}"
    shown = found.get(f"ip/route{digit}-text")
    text = found.quiet(f"ip/route{digit}")
    if text is not None:
        found.text(f"ip/route{digit}", path)
        routes, gaps = ip_json.parse_routes(text, family)
        found.gaps.extend(gaps)
        if shown is not None and shown.usable:
            routes, gaps = ip_text.lost_in_json(shown.text, routes)
            found.gaps.extend(gaps)
        elif routes:
            found.gap(path, "the text of the routes was not collected: JSON does not show locked metrics")
        return routes
    if shown is None or not shown.usable:
        found.gap(path, found.reason(f"ip/route{digit}"))
        return ()
    routes, gaps = ip_text.parse_routes(shown.text, family, tables=_table_names(found))
    found.gaps.extend(gaps)
    tool = found.get("version/ip")
    if tool is not None and "busybox" in (tool.text + tool.stderr).lower():
        found.gap(f"{path}/protocol", "busybox prints routes without their protocol")
    return routes


def _policy_rules(found: Sections, family: str, digit: str) -> tuple[PolicyRule, ...]:
    path = f"policy_rules/{family}"
    text = found.quiet(f"ip/rule{digit}")
    if text is not None:
        found.text(f"ip/rule{digit}", path)
        rules, gaps = ip_json.parse_policy_rules(text, family)
    else:
        shown = found.quiet(f"ip/rule{digit}-text")
        if shown is None:
            found.gap(path, found.reason(f"ip/rule{digit}"))
            return ()
        rules, gaps = ip_text.parse_policy_rules(shown, family, tables=_table_names(found))
    found.gaps.extend(gaps)
    if not rules:
        # The kernel makes the rules of the tables local and main itself, and a lookup needs them.
        found.gap(path, "there is not one policy rule: the section cannot be whole")
    return rules


def _nexthops(found: Sections) -> tuple[NextHopObject, ...]:
    text = found.text("ip/nexthop", "nexthop_objects")
    if text is None:
        return ()
    items, gaps = ip_json.parse_nexthops(text)
    found.gaps.extend(gaps)
    return items


def _neighbours(found: Sections) -> tuple[Neighbour, ...]:
    known: list[Neighbour] = []
    text = found.quiet("ip/neigh-text")
    if text is not None:
        items, gaps = ip_text.parse_neighbours(text, proxy_text=found.quiet("ip/neigh-proxy-text") or "")
        found.gaps.extend(gaps)
        if not found.usable("ip/neigh-proxy-text"):
            found.gap("neighbours/proxy", found.reason("ip/neigh-proxy-text"))
        return items
    for _, digit in FAMILIES:
        shown = found.text(f"ip/neigh{digit}", "neighbours")
        proxied = found.text(f"ip/neigh-proxy{digit}", "neighbours/proxy")
        items, gaps = ip_json.parse_neighbours(shown or "", proxy_text=proxied or "")
        known.extend(items)
        found.gaps.extend(gaps)
    return tuple(sorted(known, key=lambda one: (one.link, ":" in one.address, one.address, one.proxy)))


def _fdb(found: Sections) -> tuple[ForwardingEntry, ...]:
    read: Callable[[str], tuple[tuple[ForwardingEntry, ...], tuple[Gap, ...]]] = ip_json.parse_fdb
    text = found.quiet("bridge/fdb")
    if text is None:
        read, text = parse_fdb_text, found.quiet("bridge/fdb-text")
    if text is None:
        found.gap("fdb", found.reason("bridge/fdb"))
        return ()
    found.text("bridge/fdb", "fdb") if found.usable("bridge/fdb") else None
    entries, gaps = read(text)
    found.gaps.extend(gaps)
    return entries


def _ipsets(found: Sections) -> tuple[IpSet, ...]:
    if found.skipped("ipset", NOT_LOADED):
        return ()
    text = found.text("ipset", "ipset")
    if text is None:
        return ()
    sets, gaps = parse_ipset_save(text)
    found.gaps.extend(gaps)
    return sets


def _modules(found: Sections) -> tuple[str, ...]:
    if found.skipped("modules", ABSENT):
        return ()
    text = found.text("modules", "modules")
    lines = (text or "").splitlines()
    return tuple(sorted({line.split()[0] for line in lines if line.strip()} - {"Module"}))


def _volatile(found: Sections, sysctls: dict[str, str]) -> Volatile:
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


def _stable(found: Sections, links: tuple[Link, ...]) -> None:
    """The node must not have changed while it was looked at."""
    first, last = found.quiet("boot-id/first"), found.quiet("boot-id/last")
    if first is not None and last is not None and first != last:
        found.gap("stream", "the node was rebooted while it was looked at: collect again")
    after = found.quiet("links-last")
    if after is not None and links and not found.skipped("ip/addr", ABSENT):
        names = {line.partition(":")[0].strip() for line in after.splitlines()[2:] if ":" in line}
        differing = sorted(names ^ {link.name for link in links})
        if differing:
            found.gap("links", f"links came or went while the node was looked at: {', '.join(differing[:5])}")
