"""Which of the changes is to blame for a path that is broken: where its way before and its way after part."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

from planner.models.change import (
    ChainChange,
    ChainEdit,
    ChainPolicyChange,
    Change,
    ForwardingChange,
    IpSetChange,
    LinkChange,
    NativeChange,
    NativeObjectChange,
    NativeRuleChange,
    NativeTableChange,
    NeighbourChange,
    NextHopChange,
    PolicyRuleChange,
    RouteChange,
    RuleChange,
    RuleEdit,
    SysctlChange,
)
from planner.models.flow import Disposition, Hop, Trace
from planner.models.horizon import Horizon
from planner.models.invariant import Kept
from planner.risks.lookups import route_decides, rule_decides, rule_ends, shows_nowhere
from planner.risks.natives import native_stands
from planner.risks.netfilter.reading import read
from planner.risks.risk import Review

MOVING = (
    SysctlChange, RuleChange, ChainChange, ChainPolicyChange, NativeTableChange, NativeRuleChange, NativeObjectChange,
    IpSetChange, RouteChange, PolicyRuleChange, NextHopChange, LinkChange, NeighbourChange, ForwardingChange,
)  # fmt: skip
"""Kinds of change that a packet can meet."""
POLICY = "dropped by the chain's policy"
"""What a trace says where no rule decided (planner/dataplane/chain.py)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where netfilter ended the way: a rule, or the policy when `rule` is empty."""

    backend: str
    table: str
    chain: str
    rule: str


def ends_at(kept: Kept) -> Place | None:
    """The rule or policy that drops the packet afterwards; None when it is something else that ends it."""
    last = _failing(kept)
    if last is None or last.disposition not in {Disposition.DROPPED, Disposition.REJECTED} or not last.hops:
        return None
    hop = last.hops[-1]
    if not hop.rule and hop.what != POLICY:
        return None
    return Place(hop.backend, _table(hop), hop.chain, hop.rule)


class Blame:
    """The changes of one node, and which of them each broken path is due to."""

    def __init__(self, paths: tuple[Kept, ...], changes: tuple[Change, ...], horizon: Horizon) -> None:
        self.paths = tuple(item for item in paths if item.before != item.after)
        """Those that differ."""
        self._rules: dict[tuple[str, str, str, str, str], list[tuple[int, RuleChange]]] = {}
        self._chains: dict[tuple[str, str, str, str], list[tuple[int, ChainChange | ChainPolicyChange]]] = {}
        self._others: list[tuple[int, Change]] = []
        for number, change in enumerate(changes):
            match change:
                case RuleChange():
                    key = (*_chain_of(change), f"-A {change.chain} {change.rule}")
                    self._rules.setdefault(key, []).append((number, change))
                case ChainChange() | ChainPolicyChange():
                    self._chains.setdefault(_chain_of(change), []).append((number, change))
                case _:
                    self._others.append((number, change))
        self._found = {item.path.name: self._blamed(item) for item in self.paths}
        first = next((c for c in changes if c.horizon == horizon and isinstance(c, MOVING)), None)
        self._mine: dict[int, list[Kept]] = {}
        self._leading: dict[int, list[Kept]] = {}
        for item in self.paths:
            found = self._found[item.path.name]
            for change in found:
                self._mine.setdefault(id(change), []).append(item)
            leads = next((change for change in found if change.horizon == horizon), first)
            self._leading.setdefault(id(leads), []).append(item)

    def of(self, kept: Kept) -> tuple[Change, ...]:
        """The changes that a path is due to, the deciding one first; empty when none of them shows on its way."""
        return self._found.get(kept.path.name, ())

    def by(self, change: Change) -> list[Kept]:
        """The paths that are due to a change."""
        return self._mine.get(id(change), [])

    def led_by(self, change: Change) -> list[Kept]:
        """The paths that a change is the first to blame for; where none shows on the way, the first that can move a packet is."""
        return self._leading.get(id(change), [])

    def _blamed(self, kept: Kept) -> tuple[Change, ...]:
        after = _failing(kept)
        if after is None:
            words = kept.after.reason.split()
            gone = (other for _, other in self._others)
            return tuple(other for other in gone if isinstance(other, LinkChange) and other.link in words)
        had, has = _parting(kept)
        ranked = [
            *self._of_rules(kept, had, has, after.hops[-1] if after.hops else None),
            *(
                (rank, number, change)
                for number, change in self._others
                if (rank := _rank(change, had=had, has=has, kept=kept)) is not None
            ),
        ]
        usable = [item for item in ranked if item[2].horizon <= kept.horizon]
        ordered = sorted(usable, key=lambda item: item[:2])
        return tuple({id(change): change for _, _, change in ordered}.values())

    def _of_rules(
        self, kept: Kept, had: list[Hop], has: list[Hop], last: Hop | None
    ) -> Iterator[tuple[int, int, Change]]:
        family = kept.path.flow.family
        for hops, came in ((had, False), (has, True)):
            for hop in hops:
                place = (family, hop.backend, _table(hop), hop.chain)
                for number, rule in self._rules.get((*place, hop.rule), ()):
                    if rule.edit is (RuleEdit.REMOVED if came else RuleEdit.ADDED):
                        continue
                    if not read(rule.rule, family).harmless:
                        yield (0 if came and hop == last else 1), number, rule
                for number, chain in self._chains.get(place, ()):
                    if isinstance(chain, ChainChange):
                        if (chain.edit is ChainEdit.REMOVED) is not came:
                            yield 1, number, chain
                    elif came and hop == last and hop.what == POLICY and chain.after == "DROP":
                        yield 0, number, chain


def blame(review: Review, horizon: Horizon) -> Blame:
    """The paths of the node at that horizon with the changes that they are due to, found once for all judges."""
    return _blame(_Asked(review, horizon))


class _Asked:
    """By identity: reviews of one node share outlook and changes."""

    def __init__(self, review: Review, horizon: Horizon) -> None:
        self.review = review
        self.horizon = horizon

    @property
    def _key(self) -> tuple[int, int, int]:
        return id(self.review.outlook), id(self.review.changes), self.horizon

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and other._key == self._key


@lru_cache(maxsize=8)
def _blame(asked: _Asked) -> Blame:
    return Blame(asked.review.kept(asked.horizon), asked.review.changes, asked.horizon)


def _failing(kept: Kept) -> Trace | None:
    """The trace that shows it, after: of the opening packet, or of the answer."""
    return kept.after.traces[-1] if kept.after.traces else None


def _parting(kept: Kept) -> tuple[list[Hop], list[Hop]]:
    """Hops of the ways before that are not on those after, and the other way round: the packet's, and its answer's."""
    pairs = list(zip_longest(kept.before.traces, kept.after.traces))
    return (
        [hop for before, after in pairs for hop in _uncommon(before, after)],
        [hop for before, after in pairs for hop in _uncommon(after, before)],
    )


def _uncommon(one: Trace | None, other: Trace | None) -> Iterator[Hop]:
    """Hops of the first that the second has not: the place within a chain does not count."""
    known = {(hop.stage, hop.what, hop.rule, hop.backend) for hop in _hops(other)}
    for hop in _hops(one):
        if (hop.stage, hop.what, hop.rule, hop.backend) not in known:
            yield hop


def _hops(found: Trace | None) -> Iterator[Hop]:
    if found is not None:
        yield from found.hops
        for other in found.alternatives:
            yield from other.hops


def _table(hop: Hop) -> str:
    return hop.stage.rpartition(" ")[2]


def _chain_of(change: RuleChange | ChainChange | ChainPolicyChange) -> tuple[str, str, str, str]:
    return change.family, change.backend, change.table, change.chain


def _rank(change: Change, *, had: list[Hop], has: list[Hop], kept: Kept) -> int | None:
    """0: decides; 1 and more: stands where the ways part; None: has nothing to do with it."""
    hops = (*had, *has)
    match change:
        case RouteChange(before=old, after=new):
            if any(
                route is not None and route_decides(hop.what, route)
                for route, side in ((old, had), (new, has))
                for hop in side
                if hop.stage == "routing"
            ):
                return 1
            thrown = any(route is not None and route.type == "throw" for route in (old, new))
            return 3 if thrown and any(hop.stage == "routing" for hop in hops) else None
        case LinkChange(link=link):
            words = {word for hop in hops for word in hop.what.replace(",", " ").split()}
            return 1 if link in words or link in kept.after.reason.split() else None
        case SysctlChange(key=key):
            return _rank_sysctl(key, kept)
        case PolicyRuleChange():
            return _rank_policy(change, had=had, has=has, kept=kept)
        case NextHopChange():
            return 2 if any(hop.stage == "routing" for hop in hops) else None
        case IpSetChange(name=name):
            return 1 if any(f"--match-set {name} " in hop.rule for hop in hops) else None
        case NativeTableChange() | NativeRuleChange() | NativeObjectChange():
            return _rank_native(change, had=had, has=has, kept=kept)
        case _:
            return None


def _rank_native(change: NativeChange, *, had: list[Hop], has: list[Hop], kept: Kept) -> int | None:
    """What ends the way goes before what is merely met on it, or was before."""
    after = _failing(kept)
    last = after.hops[-1] if after is not None and after.hops else None
    if any(native_stands(change, hop, former=False) for hop in has):
        ends = last is not None and last in has and native_stands(change, last, former=False)
        return 0 if ends else 1
    if any(native_stands(change, hop, former=True) for hop in had):
        return 1
    return 2 if change.table in kept.after.reason else None


def _rank_policy(change: PolicyRuleChange, *, had: list[Hop], has: list[Hop], kept: Kept) -> int | None:
    """What discards the packet by itself goes before all that is merely met on its ways."""
    if change.after is not None and any(rule_ends(hop.what, change.after) for hop in has):
        return 0
    for rule, hops in ((change.before, had), (change.after, has)):
        if rule is not None and any(rule_decides(hop.what, rule) for hop in hops if hop.stage == "routing"):
            return 2
    after = _failing(kept)
    if after is not None and after.disposition in {Disposition.RP_FILTER, Disposition.MARTIAN}:
        return 2
    unseen = any(rule is not None and shows_nowhere(rule) for rule in (change.before, change.after))
    return 3 if unseen and any(hop.stage == "routing" for hop in (*had, *has)) else None


def _rank_sysctl(key: str, kept: Kept) -> int | None:
    """By the knob that the end speaks of."""
    after = _failing(kept)
    end = after.disposition if after is not None else None
    reason = kept.after.reason
    if key in reason:
        return 0
    knob = key.rpartition(".")[2]
    match end:
        case Disposition.RP_FILTER:
            return 1 if knob in {"rp_filter", "src_valid_mark"} else None
        case Disposition.NO_FORWARDING:
            return 1 if knob in {"ip_forward", "forwarding"} else None
        case Disposition.MARTIAN:
            return 1 if knob in {"route_localnet", "accept_local", "disable_ipv6"} else None
        case _:
            return 2 if knob.startswith("bridge-nf-call") else None
