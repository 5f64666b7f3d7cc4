"""A state as facts: every lasting thing of a node under a name, to be counted and compared to the letter.

A way back is judged by these and not by what packets would notice: whoever rolls back wants to find what was there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from typing import TypeVar

from planner.diff.native import diff_native
from planner.diff.routes import lasting, written
from planner.diff.sysctls import MOVES_BY_ITSELF
from planner.emit.ip_words import (
    address_command,
    fdb_command,
    neighbour_command,
    nexthop_command,
    route_command,
    rule_command,
)
from planner.iproute.connected import is_local_of, without_local_route
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.rehearsal import Difference
from planner.models.route import Route
from planner.models.ruleset import IpSet, Ruleset, Table
from planner.plan.checks import UNREADABLE
from planner.rehearse.differences import difference
from planner.sysctls.names import LinkKey

Fact = str | tuple[str, ...]
"""A value, or lines whose order counts."""
Item = TypeVar("Item")
BY_THE_KERNEL = ("hashsize", "initval", "bucketsize")
"""Words of an ipset's options that the kernel chooses (ipset(8))."""
TOLD = 40
"""Differing lines of one list that are told."""


def facts(state: NodeState) -> dict[str, Fact]:
    """Everything that a rollback must bring back, by name, in a fixed order. Native nft tables are compared apart."""
    found: dict[str, Fact] = {}
    for key in sorted(state.sysctls):
        if not key.startswith(MOVES_BY_ITSELF) and key.rpartition(".")[2] not in UNREADABLE:
            found[f"sysctl {key}"] = state.sysctls[key]
    for link in sorted(state.links, key=lambda link: link.name):
        found.update(_link(link))
    found.update(_routing(state))
    for ruleset in sorted(state.rulesets, key=lambda one: (one.family, one.backend)):
        found.update(_ruleset(ruleset))
    for ipset in sorted(state.ipsets, key=lambda one: one.name):
        found[f"ipset {ipset.name}"] = (_options(ipset), *sorted(ipset.elements))
    for path, file in sorted(state.files.items()):
        found[f"file {path}"] = f"link to {file.link_to}" if file.link_to else f"{file.mode} {file.text}"
    return found


def compare(wanted: NodeState, found: NodeState) -> tuple[Difference, ...]:
    """What is not as it should be, each thing once."""
    return (*compare_facts(facts(wanted), facts(as_early(wanted, found))), *_native(wanted, found))


def as_early(wanted: NodeState, found: NodeState) -> NodeState:
    """`found` without what the kernel makes of addresses by itself, where it was recorded before the kernel had made it."""
    early, groups = without_local_route(wanted), _groups_to_come(wanted)
    routes = tuple(
        route
        for route in found.routes
        if not is_local_of(route, early)
        and not (route.type == "anycast" and (_links(route), route.prefix) in groups)
    )
    return found if len(routes) == len(found.routes) else found.model_copy(update={"routes": routes})


def _groups_to_come(state: NodeState) -> frozenset[tuple[str, str]]:
    """Link and prefix of the routers' groups that links will join for addresses whose duplicates were still looked for.

    A router joins one for each of its subnets (RFC 4291, 2.6.1; net/ipv6/addrconf.c, addrconf_join_anycast).
    """
    held = {(_links(route), route.prefix) for route in state.routes if route.type == "anycast"}
    due = {
        (link.name, f"{ip_network(address.prefix, strict=False).network_address}/128")
        for link in state.links
        if link.up and state.sysctls.get(str(LinkKey("ipv6", "conf", link.name, "forwarding"))) == "1"
        for address in link.addresses
        if address.family == "ip6"
    }
    return frozenset(due - held)


def _links(route: Route) -> str:
    return " ".join(hop.link for hop in route.nexthops)


def compare_facts(wanted: dict[str, Fact], found: dict[str, Fact]) -> tuple[Difference, ...]:
    """The same for facts that were made once and are compared often."""
    names = dict.fromkeys((*wanted, *found))
    return tuple(
        difference
        for name in names
        if wanted.get(name) != found.get(name)
        for difference in _unequal(name, wanted.get(name), found.get(name))
    )


def _native(wanted: NodeState, found: NodeState) -> Iterator[Difference]:
    if wanted.native.text == found.native.text:
        return
    yield from map(difference, diff_native(wanted, found))


def _unequal(name: str, wanted: Fact | None, found: Fact | None) -> Iterator[Difference]:
    if not isinstance(wanted, tuple) or not isinstance(found, tuple):
        yield Difference(what=name, wanted=_shown(wanted), found=_shown(found))
        return
    missing, extra = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if not missing and not extra:
        at = next(number for number, pair in enumerate(zip(wanted, found, strict=True)) if pair[0] != pair[1])
        yield Difference(what=f"order of {name}, from {at + 1} on", wanted=wanted[at], found=found[at])
        return
    lines = [(line, True) for line in missing.elements()] + [(line, False) for line in extra.elements()]
    for line, lost in lines[:TOLD]:
        yield Difference(what=name, wanted=line if lost else "", found="" if lost else line)
    if len(lines) > TOLD:
        yield Difference(what=name, wanted=f"and {len(lines) - TOLD} more lines that differ", found="")


def _shown(fact: Fact | None) -> str:
    if fact is None:
        return ""
    text = fact if isinstance(fact, str) else "\n".join(fact)
    return text or "(empty)"


def _link(link: Link) -> Iterator[tuple[str, Fact]]:
    """A link, its addresses in the kernel's order: the first of a subnet is the primary."""
    words = [link.kind or "physical", f"mtu {link.mtu}", f"mac {link.mac}", "up" if link.up else "down"]
    words += [f"master {link.master}"] if link.master else []
    words += [f"on {link.lower}"] if link.lower else []
    words += [f"group {link.group}", f"alias {link.alias}", f"txqueuelen {link.txqueuelen}"]
    words += [f"altname {name}" for name in link.altnames]
    words += [f"{name} {value}" for name, value in sorted(link.options.items())]
    yield f"link {link.name}", tuple(words)
    for family, title in (("ip", "addresses"), ("ip6", "IPv6 addresses")):
        own = [address for address in link.addresses if address.family == family]
        lines = [
            " ".join(address_command("add", address, link.name)[4:])
            + (" secondary" if address.secondary else "")
            for address in own
        ]
        if lines:
            yield f"{title} of {link.name}", tuple(lines if family == "ip" else sorted(lines))


def _routing(state: NodeState) -> Iterator[tuple[str, Fact]]:
    yield from _grouped(state.routes, _route_name, _route_words)
    yield from _grouped(
        state.policy_rules,
        lambda rule: f"policy rules {rule.family} {rule.preference}",
        lambda rule: f"{' '.join(rule_command('add', rule)[4:])} {_sorted(rule.options)}".strip(),
    )
    yield from _grouped(
        state.nexthop_objects,
        lambda item: f"nexthop {item.id}",
        lambda item: " ".join(nexthop_command("add", item)[5:]),
    )
    yield from _grouped(
        lasting(state.neighbours),
        lambda entry: f"neighbour {'proxy ' if entry.proxy else ''}{entry.address} on {entry.link}",
        lambda entry: " ".join(neighbour_command("add", entry)[3:]),
    )
    yield from _grouped(
        written(state),
        lambda entry: f"FDB entry {entry.mac} on {entry.link}",
        lambda entry: " ".join(fdb_command("add", entry)[3:]),
    )


def _grouped(
    items: Iterable[Item], name: Callable[[Item], str], words: Callable[[Item], str]
) -> Iterator[tuple[str, Fact]]:
    """Things of one name together, in the order in which the kernel lists them: it decides among equals."""
    groups: dict[str, list[str]] = {}
    for item in items:
        groups.setdefault(name(item), []).append(words(item))
    for key in sorted(groups):
        lines = groups[key]
        yield key, lines[0] if len(lines) == 1 else tuple(lines)


def _route_name(route: Route) -> str:
    tos = f" tos {route.tos}" if route.tos != "0" else ""
    own = (
        f" on {route.nexthops[0].link}"
        if route.family == "ip6" and route.protocol == "kernel" and route.nexthops
        else ""
    )
    return f"route {route.family} table {route.table} {route.prefix}{tos} metric {route.metric}{own}"


def _route_words(route: Route) -> str:
    return f"{' '.join(route_command('add', route)[4:])} {_sorted(route.options)}".strip()


def _sorted(options: dict[str, str]) -> str:
    return " ".join(f"{name} {value}".strip() for name, value in sorted(options.items()))


def _ruleset(ruleset: Ruleset) -> Iterator[tuple[str, Fact]]:
    for name in sorted(ruleset.tables):
        table = ruleset.tables[name]
        place = f"table {name} ({ruleset.family}, {ruleset.backend})"
        if ruleset.backend == "legacy" and _is_idle(table):
            continue  # No command unloads it, and it decides nothing.
        yield place, "loaded"
        for chain, rules in sorted(table.chains.items()):
            yield f"chain {chain} of {place}", (table.policies.get(chain, "-"), *rules)


def lasting_tables(state: NodeState) -> NodeState:
    """The state without tables of the legacy backend that hold nothing: no command unloads them."""
    rulesets = tuple(
        ruleset.model_copy(
            update={"tables": {name: table for name, table in ruleset.tables.items() if not _is_idle(table)}}
        )
        if ruleset.backend == "legacy"
        else ruleset
        for ruleset in state.rulesets
    )
    return state.model_copy(update={"rulesets": rulesets})


def _is_idle(table: Table) -> bool:
    return (
        not any(table.chains.values())
        and set(table.chains) <= set(table.policies)
        and set(table.policies.values()) <= {"ACCEPT"}
    )


def _options(ipset: IpSet) -> str:
    words = ipset.options.split()
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in BY_THE_KERNEL:
            skip = True
        else:
            kept.append(word)
    return " ".join((ipset.type, *kept))
