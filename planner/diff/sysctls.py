"""Running values that differ, each thing once."""

from collections.abc import Iterator

from planner.models.change import Cause, SysctlChange
from planner.models.node import NodeState
from planner.sysctls.catalogue import Takes, lookup
from planner.sysctls.names import DEFAULT, link_key, reported_name
from planner.sysctls.numbers import same_value
from planner.sysctls.reach import may_be_reached

MOVES_BY_ITSELF = (
    "kernel.random.",
    "kernel.ns_last_pid",
    "kernel.pty.nr",
    "kernel.tainted",
    "fs.dentry-state",
    "fs.file-nr",
    "fs.inode-",
    "fs.aio-nr",
    "fs.quota.",
    "vm.stat",
    "net.netfilter.nf_conntrack_count",
    "net.ipv4.fib_multipath_hash_seed",
    "net.ipv4.route.flush",
    "net.ipv6.route.flush",
)
"""Beginnings of keys that nobody writes to: counters and seeds."""


def diff_sysctls(before: NodeState, after: NodeState) -> Iterator[SysctlChange]:
    """Sorted by key. Notation is no difference, a value with two names is one, links that came or went are silent.

    A change of `conf.default` also yields the links that the kernel may have copied it to, with cause *maybe*: the
    states do not show it (see `planner.sysctls.reach.may_be_reached`).
    """
    same_keys = before.sysctls.keys() == after.sysctls.keys()
    came_or_went = set() if same_keys else _links(before) ^ _links(after)
    found: dict[str, SysctlChange] = {}
    for key in set(before.sysctls) | set(after.sysctls):
        old, new = before.sysctls.get(key), after.sysctls.get(key)
        if old == new or (old is not None and new is not None and same_value(old, new)):
            continue
        if key.startswith(MOVES_BY_ITSELF) or _is_read_only(key):
            continue
        parts = link_key(key)
        if parts is not None and (parts.family, parts.group, parts.link) in came_or_went:
            continue
        name = reported_name(key)
        if name != key and _same_story(name, before, after):
            continue
        found[key] = SysctlChange(node=after.name, key=key, before=old, after=new)
    for change in list(found.values()):
        for maybe in _maybe(change, before):
            if maybe.key not in found and after.sysctls.get(maybe.key) == before.sysctls.get(maybe.key):
                found[maybe.key] = maybe
    for key in sorted(found):
        yield found[key]


def _maybe(change: SysctlChange, before: NodeState) -> Iterator[SysctlChange]:
    parts = link_key(change.key)
    if parts is None or parts.link != DEFAULT or change.before is None or change.after is None:
        return
    for key, value in may_be_reached(before, parts, change.before, change.after):
        yield SysctlChange(
            node=change.node,
            key=key,
            before=value,
            after=change.after,
            cause=Cause.MAYBE,
            source=change.source,
        )


def _links(state: NodeState) -> set[tuple[str, str, str]]:
    """Links that have keys, by family and group: an MTU below 1280 takes the IPv6 ones away."""
    return {
        (parts.family, parts.group, parts.link)
        for key in state.sysctls
        if (parts := link_key(key)) is not None and parts.real
    }


def _is_read_only(key: str) -> bool:
    fact = lookup(key)
    return fact is not None and fact.takes_effect is Takes.READ_ONLY


def _same_story(name: str, before: NodeState, after: NodeState) -> bool:
    """Whether the other name of this value tells the change as well."""
    old, new = before.sysctls.get(name), after.sysctls.get(name)
    return old is not None and new is not None and not same_value(old, new)
