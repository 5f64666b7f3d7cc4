"""The sections of one node made into its state. Whatever is missing becomes a gap, never an empty value."""

import re
from collections.abc import Iterable
from functools import lru_cache

from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.ruleset import IpSet
from planner.models.section import Section
from planner.models.source import Gap
from planner.parse.ipset_save import parse_ipset_save
from planner.parse.node_files import read_files
from planner.parse.node_routing import (
    read_fdb,
    read_links,
    read_neighbours,
    read_nexthops,
    read_policy_rules,
    read_routes,
)
from planner.parse.node_rules import read_rules, tool_versions
from planner.parse.node_volatile import read_volatile
from planner.parse.sections import ABSENT, NOT_LOADED, Sections
from planner.parse.stream import STREAM
from planner.parse.sysctl import parse_sysctl_values

SECRET_KEYS = re.compile(r"\.(stable_secret|tcp_fastopen_key|netdev_rss_key|fib_multipath_hash_seed)$")
COUNTED_KEYS = frozenset({"net.netfilter.nf_conntrack_count", "fs.file-nr"})
"""Sysctls that are counters: they belong to `volatile`."""
_REFUSED_KEY = re.compile(r"^(?:grep: |sysctl: .*key ['\"]|unreadable: )(?P<path>[^:'\"]+)")
_TRIGGER = re.compile(r"[./]flush$|stable_secret")
"""Write-only, or unset: there is nothing to read."""


def parse_node(sections: Iterable[Section], *, name: str = "") -> NodeState:
    """The state that the sections tell. `name` wins over the node's own host name."""
    found = Sections(sections)
    _whole(found)
    links = read_links(found)
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
        routes=(*read_routes(found, "ip", "4"), *read_routes(found, "ip6", "6")),
        policy_rules=(*read_policy_rules(found, "ip", "4"), *read_policy_rules(found, "ip6", "6")),
        nexthop_objects=read_nexthops(found),
        neighbours=read_neighbours(found),
        fdb=read_fdb(found),
        rulesets=rulesets,
        native=native,
        ipsets=_ipsets(found),
        files=read_files(found),
        modules=_modules(found),
        volatile=read_volatile(found, sysctls),
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
    values, gaps = _values(text)
    found.gaps.extend(gaps)
    return dict(values)


@lru_cache(maxsize=2)
def _values(text: str) -> tuple[dict[str, str], tuple[Gap, ...]]:
    """Remembered: a stage that is looked at again and again most often has the same, of 130,000 keys with a thousand links."""
    lines: list[str] = []
    told: list[Gap] = []
    for line in text.split("\n"):
        refused = _REFUSED_KEY.match(line)
        if refused is None:
            lines.append(line)
            continue
        key = _key(refused.group("path").strip())
        if not _TRIGGER.search(key) and "Is a directory" not in line:
            reason = f"not readable: {line.rpartition(': ')[2].strip()} (needs root)"
            told.append(Gap(section=f"sysctl/{key}", reason=reason))
    values, gaps = parse_sysctl_values("\n".join(lines))
    told.extend(gaps)
    if not values:
        told.append(Gap(section="sysctl", reason="the section holds no value"))
    return {key: value for key, value in values.items() if not SECRET_KEYS.search(f".{key}")}, tuple(told)


def _key(path: str) -> str:
    """`/proc/sys/net/ipv4/conf/eth0.100/x` as `net.ipv4.conf.eth0/100.x`; a key stays."""
    if not path.startswith("/proc/sys/"):
        return path
    return path.removeprefix("/proc/sys/").translate(str.maketrans("./", "/."))


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
