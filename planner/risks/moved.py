"""Which change moves which packets: the first place where the two walks of a class's witness part."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

from planner.dataplane.symbolic.changed import FOR_ALL, HASHED, PER_LINK
from planner.dataplane.symbolic.match import fits
from planner.models.change import (
    Cause,
    ChainChange,
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
from planner.models.comparison import Comparison, PacketClass
from planner.models.flow import Disposition, Flow, Hop, Trace
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.route import PolicyRule, Route
from planner.models.source import WOULD_FAIL
from planner.netfilter.effect import Accept, Continue, Log, Return
from planner.netfilter.lower import lower_text
from planner.packet_changes import PacketChanges
from planner.risks.lookups import route_decides, rule_decides, rule_ends, shows_nowhere
from planner.risks.natives import native_links, native_stands, unseen
from planner.sysctls.names import link_key
from planner.topology.prefixes import inside

Mover = (
    RuleChange
    | ChainChange
    | ChainPolicyChange
    | NativeTableChange
    | NativeRuleChange
    | NativeObjectChange
    | IpSetChange
    | RouteChange
    | PolicyRuleChange
    | NextHopChange
    | LinkChange
    | SysctlChange
)
"""Kinds of change that can move a packet."""
MOVERS = (
    RuleChange, ChainChange, ChainPolicyChange, NativeTableChange, NativeRuleChange, NativeObjectChange, IpSetChange,
    RouteChange, PolicyRuleChange, NextHopChange, LinkChange, SysctlChange,
)  # fmt: skip
LINK_FIELDS = frozenset({"", "address", "up", "master", "kind", "carrier"})
"""Of a link; what else it has moves no packet of the model (sizes are not looked at)."""
FORWARDING = frozenset({"net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"})
NATIVE_KINDS = (NativeTableChange, NativeRuleChange, NativeObjectChange)
ASKED_LINK = re.compile(r"(! )?-(i|o) (\S+)")
BRIDGED = "net.bridge.bridge-nf-call-ip"
KNOBS = {
    Disposition.RP_FILTER: frozenset({"rp_filter", "src_valid_mark"}),
    Disposition.NO_FORWARDING: frozenset({"forwarding"}),
    Disposition.MARTIAN: frozenset({"route_localnet", "accept_local", "rp_filter", "disable_ipv6"}),
}


@dataclass(frozen=True)
class Moved:
    """The packets that are treated differently at one horizon, and the changes that show there first."""

    packets: PacketChanges
    changes: tuple[Change, ...]
    """Of the node, at every horizon."""
    horizon: Horizon

    @property
    def _sides(self) -> tuple[NodeState, NodeState]:
        outlook = self.packets.outlook
        return outlook.before[self.horizon], outlook.after[self.horizon]

    @cached_property
    def comparison(self) -> Comparison:
        """Made when it is asked for."""
        return self.packets.at(self.horizon)

    @cached_property
    def movers(self) -> tuple[Change, ...]:
        """Changes of this horizon that can move a packet, in their order; what is proposed before what follows from it."""
        found = [change for change in self.changes if change.horizon == self.horizon and moves(change)]
        return tuple(sorted(found, key=lambda change: change.cause is not Cause.PROPOSED))

    @cached_property
    def blamed(self) -> tuple[tuple[PacketClass, tuple[Change, ...]], ...]:
        """Each class with the changes that do it; without those of an earlier horizon, which tells them itself."""
        earlier = [change for change in self.changes if change.horizon < self.horizon and moves(change)]
        found: list[tuple[PacketClass, tuple[Change, ...]]] = []
        for one in self.comparison.classes:
            mine = to_blame(one, self.movers)
            if not mine and to_blame(one, earlier):
                continue
            if mine or self.movers:
                found.append((one, mine or self.movers))
        return tuple(found)

    def doubts(self, change: Change) -> tuple[str, ...]:
        """Why it is not proven that the change moves no packet beyond the classes."""
        if isinstance(change, NATIVE_KINDS) and (reason := unseen(change, *self._sides)):
            return (reason,)
        found = [
            reason
            for family, reasons in self.comparison.doubts.items()
            if family in families(change)
            for reason in reasons
        ]
        return tuple(dict.fromkeys(found))

    def absent(self, change: Change) -> str:
        """A link that a rule asks for and that the node has not got: it may take something away when it appears."""
        native = native_links(change) if isinstance(change, NATIVE_KINDS) else ()
        texts = (change.rule,) if isinstance(change, RuleChange) and _may_take(change) else ()
        names = [link.name for state in self._sides for link in state.links]
        for pattern in native:
            if not any(fits(name, pattern) for name in names):
                return pattern
        for text in texts:
            for negated, _, pattern in ASKED_LINK.findall(text):
                if not negated and not any(fits(name, pattern) for name in names):
                    return str(pattern)
        return ""

    def proven(self, change: Change) -> bool:
        """Whether no packet at all is treated differently, and the change is one of which that can be said."""
        mine = families(change)
        return (
            moves(change)
            and all(gap.section == WOULD_FAIL for gap in self.packets.outlook.gaps)
            and not self.doubts(change)
            and not self.absent(change)
            and not any(one.witness.family in mine for one in self.comparison.classes)
        )

    def unseen(self, change: Change) -> bool:
        """Whether the comparison looks at nothing that the change is about."""
        return isinstance(change, NATIVE_KINDS) and bool(unseen(change, *self._sides))

    def unfinished(self, change: Change) -> bool:
        """Whether the analysis of its packets took more than it may."""
        return bool(set(self.comparison.unfinished) & families(change))

    @cached_property
    def at_fault(self) -> frozenset[int]:
        """Identities of the changes that move some class for certain, by the walks."""
        return frozenset(
            id(change) for one in self.comparison.classes for change in to_blame(one, self.movers)
        )


def moves(change: Change) -> bool:
    """Whether the comparison of packets can say what the change does to them."""
    match change:
        case RuleChange() | ChainChange() | ChainPolicyChange() | IpSetChange():
            return True
        case NativeTableChange() | NativeRuleChange() | NativeObjectChange():
            return True
        case RouteChange() | PolicyRuleChange() | NextHopChange():
            return True
        case LinkChange(field=field):
            return field in LINK_FIELDS
        case SysctlChange(key=key):
            return _decides(key)
        case NeighbourChange() | ForwardingChange() | DocumentChange() | FileChange() | PassingChange():
            return False
        case _:
            assert_never(change)


def _may_take(change: RuleChange) -> bool:
    match lower_text(change.rule, change.family).effect:
        case Accept() | Return() | Continue() | Log():
            return change.edit is not RuleEdit.ADDED
        case _:
            return True


def families(change: Change) -> frozenset[str]:
    """Whose packets it can move."""
    match change:
        case RuleChange(family=family) | ChainChange(family=family) | ChainPolicyChange(family=family):
            return frozenset({family})
        case NativeTableChange(table=table) | NativeRuleChange(table=table) | NativeObjectChange(table=table):
            family = table.partition(" ")[0]
            return frozenset({family} if family in {"ip", "ip6"} else {"ip", "ip6"})
        case RouteChange():
            return frozenset({change.route.family})
        case PolicyRuleChange(before=before, after=after):
            rule = after or before
            return frozenset({rule.family} if rule is not None else ())
        case SysctlChange(key=key):
            return frozenset({"ip6" if key.startswith("net.ipv6.") else "ip"})
        case _:
            return frozenset({"ip", "ip6"})


def _decides(key: str) -> bool:
    if any(key in keys for keys in HASHED.values()) or key in FORWARDING or key.startswith(BRIDGED):
        return True
    parts = link_key(key)
    if parts is None or parts.group != "conf" or parts.link == "default":
        return False
    family = "ip6" if parts.family == "ipv6" else "ip"
    return parts.knob in (FOR_ALL[family] if parts.link == "all" else PER_LINK[family])


def to_blame(one: PacketClass, changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes at the first place where the witness's walks part; empty when none of them stands there.

    A policy rule that discards the packet there is to blame alone, whatever routes it would have met.
    """
    before, after = one.walked_before, one.walked_after
    if before is None or after is None:
        return ()
    for hops in _parting(before, after):
        found = tuple(
            change
            for change in changes
            if any(_stands(change, hop, trace, former=trace is before) for hop, trace in hops)
        )
        ending = tuple(change for change in found if any(_ends(change, hop) for hop, _ in hops))
        if found:
            return ending or found
    return ()


def line_of(one: PacketClass, changes: Sequence[Change]) -> str:
    """File and line of the proposal that decides a class; empty where no line can be named."""
    return next((str(change.source) for change in to_blame(one, changes) if change.source is not None), "")


def _parting(before: Trace, after: Trace) -> Iterator[list[tuple[Hop, Trace]]]:
    """What is met first on either side that the other does not meet, then what comes later."""
    here = 0
    while here < min(len(before.hops), len(after.hops)) and _same(before.hops[here], after.hops[here]):
        here += 1
    longest = max(len(before.hops), len(after.hops))
    ends = [(Hop(stage="end", what=trace.reason), trace) for trace in (before, after)]
    if here >= min(len(before.hops), len(after.hops)):
        yield ends
    for at in range(here, longest):
        yield [(trace.hops[at], trace) for trace in (before, after) if at < len(trace.hops)]
    yield ends


def _same(one: Hop, other: Hop) -> bool:
    return (one.stage, one.what, one.rule, one.chain, one.backend) == (
        other.stage, other.what, other.rule, other.chain, other.backend
    )  # fmt: skip


def _stands(change: Change, hop: Hop, trace: Trace, *, former: bool) -> bool:
    """Whether a change is what a hop shows, on the way before or on that after."""
    match change:
        case RuleChange():
            return _in_table(change, hop, trace.flow) and hop.rule == f"-A {change.chain} {change.rule}"
        case ChainChange():
            there = hop.chain == change.chain or hop.rule.endswith(
                (f"-j {change.chain}", f"-g {change.chain}")
            )
            return _in_table(change, hop, trace.flow) and there
        case ChainPolicyChange():
            return _in_table(change, hop, trace.flow) and hop.chain == change.chain and not hop.rule
        case IpSetChange(name=name):
            return f"--match-set {name} " in hop.rule
        case NativeTableChange() | NativeRuleChange() | NativeObjectChange():
            return native_stands(change, hop, former=former)
        case RouteChange(before=old, after=new):
            return any(_met(route, hop, trace) for route in (old, new) if route is not None)
        case PolicyRuleChange(before=before, after=after):
            return any(_asked(rule, hop, trace) for rule in (before, after) if rule is not None)
        case NextHopChange() | LinkChange():
            return _routing(hop, trace)
        case SysctlChange(key=key):
            parts = link_key(key)
            knobs = KNOBS.get(trace.disposition, frozenset())
            if key in FORWARDING:
                return hop.stage == "end" and trace.disposition is Disposition.NO_FORWARDING
            return parts is not None and parts.knob in knobs and hop.stage in {"end", "rp_filter"}
        case NeighbourChange() | ForwardingChange() | DocumentChange() | FileChange() | PassingChange():
            return False
        case _:
            assert_never(change)


def _in_table(change: RuleChange | ChainChange | ChainPolicyChange, hop: Hop, flow: Flow) -> bool:
    table = hop.stage.partition(" ")[2]
    return (table, hop.backend, flow.family) == (change.table, change.backend, change.family)


def _ends(change: Change, hop: Hop) -> bool:
    """Whether the change made a policy rule that discards the packet."""
    return (
        isinstance(change, PolicyRuleChange)
        and change.after is not None
        and hop.stage == "routing"
        and rule_ends(hop.what, change.after)
    )


def _met(route: Route, hop: Hop, trace: Trace) -> bool:
    """Whether a lookup ended at a route; a check of the source does not say which one it was before."""
    if hop.stage == "routing":
        flow = trace.after or trace.flow
        thrown = route.type == "throw" and inside(flow.destination, (route.prefix,))
        return route_decides(hop.what, route) or thrown
    return _checks(hop, trace) and inside(trace.flow.source, (route.prefix,))


def _asked(rule: PolicyRule, hop: Hop, trace: Trace) -> bool:
    """Whether a lookup was led by a policy rule."""
    if hop.stage == "routing":
        return rule_decides(hop.what, rule) or shows_nowhere(rule)
    return _checks(hop, trace)


def _checks(hop: Hop, trace: Trace) -> bool:
    """Whether a hop is a check of the packet's source, or the end by one."""
    refused = {Disposition.RP_FILTER, Disposition.MARTIAN}
    return hop.stage == "rp_filter" or (hop.stage == "end" and trace.disposition in refused)


def _routing(hop: Hop, trace: Trace) -> bool:
    ends = {Disposition.NO_ROUTE, Disposition.UNREACHABLE, Disposition.BLACKHOLE, Disposition.RP_FILTER}
    return hop.stage in {"routing", "rp_filter"} or (
        hop.stage == "end" and trace.disposition in {*ends, Disposition.MARTIAN, Disposition.NO_FORWARDING}
    )
