"""The facets in which two states of a node differ: what a step must find, what it must leave, what its undo must restore."""

from collections.abc import Iterable

from planner.emit.script import quote
from planner.models.node import ConfigFile, NodeState
from planner.plan.checks_fdb import fdb_facets
from planner.plan.checks_links import link_facets
from planner.plan.checks_nft import native_facets
from planner.plan.checks_routes import route_facets
from planner.plan.checks_rules import rule_facets
from planner.plan.facet import Facet, shell, summed, value_facet
from planner.plan.masked import is_masked, reader, seen
from planner.plan.scope import Scope

UNREADABLE = ("stable_secret", "flush", "tcp_fastopen_key", "fib_multipath_hash_seed")
"""Last words of keys that are secrets, triggers or write-only: never compared."""


def facets(before: NodeState, after: NodeState, how: Scope) -> tuple[Facet, ...]:
    """Everything that differs and can be read back, in a fixed order. Files are told apart: see `file_facets`."""
    return (
        *sysctl_facets(before, after),
        *link_facets(before, after),
        *fdb_facets(before, after),
        *route_facets(before, after, how),
        *rule_facets(before, after, how),
        *native_facets(before, after, whole=how.whole_native, volatile=how.volatile_sets),
    )


def sysctl_facets(before: NodeState, after: NodeState, also: Iterable[str] = ()) -> tuple[Facet, ...]:
    """Running values that differ, and those named in `also`."""
    fleeting = {link.name for state in (before, after) for link in state.links if link.peer_elsewhere}
    differing = changed_keys(before, after)
    return tuple(
        value_facet(key, ("cat", sysctl_path(key)), before.sysctls.get(key), after.sysctls.get(key))
        for key in sorted(differing | {key for key in also if key in before.sysctls})
        # A pod's link may go at any time, and its values with it.
        if key.rpartition(".")[2] not in UNREADABLE and sysctl_link(key) not in fleeting
    )


def changed_keys(before: NodeState, after: NodeState) -> set[str]:
    """Keys whose values differ, and those that are in one state only."""
    old, new = before.sysctls, after.sysctls
    if old is new or old == new:
        return set()
    found = {key for key, value in old.items() if new.get(key) != value}
    return found | (new.keys() - old.keys())


def sysctl_path(key: str) -> str:
    """The file of a key. In the printed form a slash stands for a dot inside a name (sysctl(8)): `eth0/100`."""
    return "/proc/sys/" + key.translate(str.maketrans("./", "/."))


def sysctl_link(key: str) -> str:
    """The link that a key belongs to, or an empty string."""
    parts = key.split(".")
    if (
        len(parts) == 5
        and parts[0] == "net"
        and parts[1] in {"ipv4", "ipv6"}
        and parts[2] in {"conf", "neigh"}
    ):
        return "" if parts[3] in {"all", "default"} else parts[3].replace("/", ".")
    return ""


def file_facets(path: str, before: ConfigFile | None, after: ConfigFile | None) -> tuple[Facet, ...]:
    """Text, kind and permissions of one file."""
    place = quote(path)
    read, sums = f"sha256sum <{place}", [_sum(file) for file in (before, after)]
    recorded = "has the recorded text"
    if before is not None and is_masked(before):
        # Nobody here knows the secret: it is no part of the comparison.
        read = f"! test -e {place} || {reader(path, before)} | sha256sum"
        sums = [
            "" if not sum_ or file is None else summed(seen(file.text, before))
            for sum_, file in zip(sums, (before, after), strict=True)
        ]
        recorded = "has the recorded text, but for its secrets"
    found = [
        Facet(
            name=path,
            argv=shell(f"test -L {place} || {read}"),
            before=sums[0],
            after=sums[1],
            before_words=_file_words(before, recorded),
            after_words=_file_words(after, "has the new text" if before else "has the proposed text"),
        )
    ]
    links = [(file.link_to or None) if file else None for file in (before, after)]
    found.append(value_facet(f"symbolic link {path}", shell(f"readlink {place}"), *links))
    modes = [file.mode.lstrip("0") if file and not file.link_to else None for file in (before, after)]
    if "" not in modes and (before or after):
        found.append(value_facet(f"mode of {path}", shell(f"test -L {place} || stat -c %a {place}"), *modes))
    return tuple(found)


def _sum(file: ConfigFile | None) -> str:
    return "" if file is None or file.link_to else summed(file.text)


def _file_words(file: ConfigFile | None, text: str) -> str:
    if file is None:
        return "is absent"
    return "is a symbolic link" if file.link_to else text
