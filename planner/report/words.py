"""A change, a command and a place in words, the same in every format. Texts are raw: the formats escape them."""

import shlex
from collections.abc import Callable, Sequence
from typing import TypeVar, assert_never

from planner.models.change import (
    ChainChange,
    ChainEdit,
    ChainPolicyChange,
    Change,
    DocumentChange,
    FileChange,
    ForwardingChange,
    IpSetChange,
    LinkChange,
    NativeObjectChange,
    NativeRuleChange,
    NativeTableChange,
    NeighbourChange,
    NextHopChange,
    PassingChange,
    PolicyRuleChange,
    RouteChange,
    RuleChange,
    RuleEdit,
    SysctlChange,
)
from planner.models.link import ForwardingEntry, Neighbour
from planner.models.route import NextHop, NextHopObject, PolicyRule, Route
from planner.parse.nft_tables import nft_tables

T = TypeVar("T")
ABSENT = "(absent)"
PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}


def shown(value: str | None, limit: int = 120) -> str:
    """A value of a change: absent is said, a long one is cut and says so."""
    if value is None:
        return ABSENT
    text = value or "(empty)"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def describe(change: Change) -> str:
    """One line for one change."""
    match change:
        case SysctlChange(key=key, before=before, after=after):
            return f"{key}: {shown(before)} → {shown(after)}"
        case RuleChange():
            return _rule(change)
        case ChainChange():
            return _chain(change)
        case ChainPolicyChange(chain=chain, before=before, after=after):
            return f"{place(change)} policy of {chain}: {shown(before)} → {shown(after)}"
        case NativeTableChange(table=table, before=before, after=after):
            if before is not None and after is not None:
                heads = [" ".join(one.head) for text in (before, after) for one in nft_tables(text).values()]
                return (
                    f"nft table {table}: {_said(*heads)}" if len(heads) == 2 else f"nft table {table} changed"
                )
            return f"nft table {table} {'added' if before is None else 'removed'}"
        case NativeRuleChange():
            return _native_rule(change)
        case NativeObjectChange():
            return _native_object(change)
        case IpSetChange():
            return _ipset(change)
        case RouteChange():
            return _pair("route", route, change.before, change.after)
        case PolicyRuleChange():
            return _pair("policy rule", policy_rule, change.before, change.after)
        case NextHopChange():
            return _pair("nexthop", hop_object, change.before, change.after)
        case LinkChange(link=link, field=field, before=before, after=after):
            if not field:
                return f"link {link}: {'added' if before is None else 'removed'}"
            return f"link {link} {field}: {shown(before)} → {shown(after)}"
        case NeighbourChange():
            return _pair("neighbour", neighbour, change.before, change.after)
        case ForwardingChange():
            return _pair("FDB entry", forwarding, change.before, change.after)
        case DocumentChange(path=path, pointer=pointer, before=before, after=after):
            return f"{path} {pointer or '(whole file)'}: {shown(before)} → {shown(after)}"
        case FileChange(path=path, before=before, after=after, equivalent=equivalent):
            verb = "added" if before is None else "removed" if after is None else "changed"
            return f"file {path} {verb}" + (" (same meaning)" if equivalent else "")
        case PassingChange(steps=steps):
            return f"the same at the end, not so after {numbered(steps)}"
        case _:
            assert_never(change)


def numbered(steps: Sequence[int]) -> str:
    """`step 2`, `steps 1 to 4`, `steps 1, 3 and 4`."""
    if len(steps) == 1:
        return f"step {steps[0]}"
    if steps[-1] - steps[0] == len(steps) - 1 > 1:
        return f"steps {steps[0]} to {steps[-1]}"
    return f"steps {', '.join(map(str, steps[:-1]))} and {steps[-1]}"


def place(change: RuleChange | ChainChange | ChainPolicyChange) -> str:
    """`iptables -t nat` with the backend where it matters."""
    program = PROGRAMS.get(change.family, change.family)
    return (
        f"{program}-legacy -t {change.table}"
        if change.backend == "legacy"
        else f"{program} -t {change.table}"
    )


def _native_rule(change: NativeRuleChange) -> str:
    chain = f"nft {change.table} {change.chain}"
    rule = shown(" ".join(change.rule.split("\n")), 400)
    match change.edit:
        case RuleEdit.ADDED:
            return f"{chain}: rule added at {change.after}: {rule}"
        case RuleEdit.REMOVED:
            return f"{chain}: rule removed from {change.before}: {rule}"
        case RuleEdit.MOVED:
            return f"{chain}: rule moved from {change.before} to {change.after}: {rule}"
        case _:
            assert_never(change.edit)


def _native_object(change: NativeObjectChange) -> str:
    named = f"nft {change.table} {change.what} {change.name}"
    held = "rules" if change.what == "chain" else "elements"
    if change.before is None or change.after is None:
        gone = change.after is None
        count_of = len(change.removed if gone else change.added)
        more = f" with {count_of} {held[:-1] if count_of == 1 else held}" if count_of else ""
        head = change.before or change.after
        return f"{named} {'removed' if gone else 'added'}{more}" + (f": {shown(head)}" if head else "")
    parts = [_said(change.before, change.after)] if change.before != change.after else []
    for sign, items in (("+", change.added), ("-", change.removed)):
        parts += [f"{sign}{item}" for item in items[:3]]
        parts += [f"{sign} {len(items) - 3} more"] if len(items) > 3 else []
    return f"{named}: {', '.join(parts)}"


def _said(before: str, after: str) -> str:
    """What is said otherwise: `policy accept → policy drop`."""
    old, new = ([part.strip() for part in text.split(";") if part.strip()] for text in (before, after))
    gone, come = [part for part in old if part not in new], [part for part in new if part not in old]
    return f"{shown('; '.join(gone) or before or None)} → {shown('; '.join(come) or after or None)}"


def _rule(change: RuleChange) -> str:
    text = f"-A {change.chain} {change.rule}"
    match change.edit:
        case RuleEdit.ADDED:
            return f"{place(change)} rule added at {change.after}: {text}"
        case RuleEdit.REMOVED:
            return f"{place(change)} rule removed from {change.before}: {text}"
        case RuleEdit.MOVED:
            return f"{place(change)} rule moved {change.before} → {change.after}: {text}"
        case _:
            assert_never(change.edit)


def _chain(change: ChainChange) -> str:
    count = f"{len(change.rules)} rule{'' if len(change.rules) == 1 else 's'}"
    match change.edit:
        case ChainEdit.ADDED:
            return f"{place(change)} chain {change.chain} added ({count})"
        case ChainEdit.REMOVED:
            return f"{place(change)} chain {change.chain} removed ({count})"
        case ChainEdit.RENAMED:
            return f"{place(change)} chain {change.renamed_from} renamed to {change.chain}"
        case _:
            assert_never(change.edit)


def _ipset(change: IpSetChange) -> str:
    if change.before is None:
        return f"ipset {change.name} created ({shown(change.after)}, {len(change.added)} elements)"
    if change.after is None:
        return f"ipset {change.name} destroyed ({shown(change.before)}, {len(change.removed)} elements)"
    parts = [f"+{item}" for item in change.added[:4]] + [f"-{item}" for item in change.removed[:4]]
    more = len(change.added) + len(change.removed) - len(parts)
    kind = "" if change.before == change.after else f" {shown(change.before)} → {shown(change.after)}"
    return f"ipset {change.name}{kind}: {', '.join(parts)}" + (f" and {more} more" if more > 0 else "")


def _pair(what: str, render: Callable[[T], str], before: T | None, after: T | None) -> str:
    if before is not None and after is not None:
        return f"{what}: {render(before)} → {render(after)}"
    if after is not None:
        return f"{what} added: {render(after)}"
    return f"{what} removed: {render(before)}" if before is not None else what


def _hop(hop: NextHop) -> str:
    parts = [f"via {hop.via}"] if hop.via else []
    parts += [f"dev {hop.link}"] if hop.link else []
    parts += [f"weight {hop.weight}"] if hop.weight != 1 else []
    parts += ["onlink"] if hop.onlink else []
    return " ".join(parts)


def route(item: Route) -> str:
    """As `ip route` writes it."""
    name = "default" if item.is_default else item.prefix
    parts = [name if item.type == "unicast" else f"{item.type} {name}"]
    parts += [_hop(hop) if len(item.nexthops) == 1 else f"nexthop {_hop(hop)}" for hop in item.nexthops]
    parts += [f"nhid {item.nexthop_id}"] if item.nexthop_id is not None else []
    parts += [f"src {item.source}"] if item.source else []
    parts += [f"metric {item.metric}"] if item.metric else []
    parts += [f"mtu {item.mtu}"] if item.mtu else []
    parts += [f"table {item.table}"] if item.table != "254" else []
    return " ".join(part for part in parts if part)


def policy_rule(item: PolicyRule) -> str:
    """As `ip rule` writes it."""
    parts = [f"{item.preference}:", "not" if item.inverted else "", f"from {item.source or 'all'}"]
    named = (
        ("to", item.destination),
        ("fwmark", item.fwmark),
        ("iif", item.iif),
        ("oif", item.oif),
        ("ipproto", item.ipproto),
        ("sport", item.sport),
        ("dport", item.dport),
        ("uidrange", item.uidrange),
    )
    parts += [f"{name} {value}" for name, value in named if value]
    parts.append(f"lookup {item.table}" if item.action == "lookup" else item.action)
    if item.suppress_prefixlength is not None:
        parts.append(f"suppress_prefixlength {item.suppress_prefixlength}")
    return " ".join(part for part in parts if part)


def hop_object(item: NextHopObject) -> str:
    """As `ip nexthop` writes it."""
    if item.group:
        return f"id {item.id} group " + "/".join(f"{member},{weight}" for member, weight in item.group)
    return f"id {item.id} {'blackhole' if item.blackhole else _hop(item.hop)}"


def neighbour(item: Neighbour) -> str:
    """As `ip neigh` writes it."""
    return f"{'proxy ' if item.proxy else ''}{item.address} dev {item.link} lladdr {item.mac}".strip()


def forwarding(item: ForwardingEntry) -> str:
    """As `bridge fdb` writes it."""
    return f"{item.mac} dev {item.link}" + (f" dst {item.destination}" if item.destination else "")


def command_line(argv: tuple[str, ...]) -> str:
    """A command as a shell reads it."""
    return shlex.join(argv)


def count(number: int, noun: str) -> str:
    """`1 node`, `3 nodes`, `2 policies`."""
    if number == 1:
        return f"{number:,} {noun}"
    ends_in_y = noun.endswith("y") and noun[-2:-1] not in set("aeiou")
    return f"{number:,} {noun[:-1]}ies" if ends_in_y else f"{number:,} {noun}s"
