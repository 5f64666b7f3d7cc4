"""What differs between two states, as far as it can move a packet: stages, rules, prefixes, links."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from planner.dataplane import bridge as node_bridge
from planner.dataplane.beneath import beneath
from planner.dataplane.native import BaseChain
from planner.dataplane.nft_rules import NativeRule
from planner.dataplane.order import out_of_turn
from planner.dataplane.symbolic.calls import Calls
from planner.dataplane.symbolic.edits import edited
from planner.dataplane.symbolic.side import ROUTING_STAGES, TABLE_STAGES
from planner.dataplane.symbolic.view import BACKENDS, View
from planner.models.link import Link
from planner.models.route import Route
from planner.models.ruleset import Table
from planner.netfilter.differing import differing
from planner.netfilter.mention import mentions
from planner.sysctls.names import link_key

PER_LINK = {
    "ip": frozenset(
        {
            "rp_filter",
            "accept_local",
            "src_valid_mark",
            "route_localnet",
            "forwarding",
            "bc_forwarding",
            "send_redirects",
        }
    ),
    "ip6": frozenset({"disable_ipv6", "force_forwarding"}),
}
"""Knobs of the link that a packet came by."""
FOR_ALL = {"ip": PER_LINK["ip"] | {"ignore_routes_with_linkdown"}, "ip6": frozenset({"forwarding"})}
HASHED = {
    "ip": frozenset({"net.ipv4.fib_multipath_hash_policy", "net.ipv4.fib_multipath_hash_fields"}),
    "ip6": frozenset({"net.ipv6.fib_multipath_hash_policy", "net.ipv6.fib_multipath_hash_fields"}),
}
ASKING = frozenset(
    {"arp_ignore", "arp_filter", "proxy_arp", "proxy_arp_pvlan", "proxy_ndp", "drop_unicast_in_l2_multicast"}
)
"""Knobs of a link that decide which questions for an address are answered, and which frames are taken."""
EMPTY = Table(name="")

PLAIN = frozenset({"unicast", "blackhole", "unreachable", "prohibit"})
"""Types that, without a filter, let any source pass."""


class BackMatters(IntEnum):
    """Which links judge sources by the route that changed."""

    STRICT = 0
    """There was a way back and there is one: only where it must lead through that very link."""
    FILTERED = 1
    """Wherever there must be a way back."""
    EVERYBODY = 2


RuleAt = tuple[str, str, int]
"""Table, chain, position."""
SidedRule = tuple[int, str, RuleAt]
"""Side (0 before, 1 after), backend, and the rule."""
SidedRuleOfNft = tuple[int, RuleAt]


@dataclass(slots=True)
class Changed:
    """What to look at."""

    stages: set[str] = field(default_factory=set)
    by_rules: set[str] = field(default_factory=set)
    """Stages in which only packets that meet one of `rules` can be treated differently."""
    everything: bool = False
    """Which packets it touches cannot be said from the change alone."""
    rules: list[SidedRule] = field(default_factory=list)
    native: list[SidedRuleOfNft] = field(default_factory=list)
    prefixes: dict[str, "BackMatters"] = field(default_factory=dict)
    """Of routes, with what the way back to a source in them is changed for."""
    links: set[str] = field(default_factory=set)
    longer: int | None = None
    """Packets of more octets: the limit of some link is another one."""
    doubts: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether there is something to look at."""
        return bool(
            self.stages
            or self.everything
            or self.rules
            or self.native
            or self.prefixes
            or self.links
            or self.longer
        )


def changes(before: View, after: View, calls: Calls) -> Changed:
    """Every difference that can move a packet of the views' family."""
    found = Changed()
    rewritten = _tables(before, after, found)
    _routing(before, after, found)
    _sysctls(before, after, found)
    old, new = before.state, after.state
    if old.ipsets != new.ipsets:
        names = {one.name for one in {*old.ipsets} ^ {*new.ipsets}}
        for number, view in enumerate((before, after)):
            for backend, table in _all_tables(view):
                for chain, rules in table.chains.items():
                    for at, text in enumerate(rules):
                        if "--match-set" in text and any(f"--match-set {name} " in text for name in names):
                            rewritten.append((number, backend, (table.name, chain, at)))
        if any(one.type.startswith("list:") for one in (*old.ipsets, *new.ipsets)):
            found.stages |= TABLE_STAGES
            found.everything = True
    _native(before, after, calls, found)
    if before.tracked != after.tracked:
        found.stages |= {stage for stage in TABLE_STAGES if stage.endswith("nat")}
        found.everything = True
    if old.links != new.links and _links(before) != _links(after):
        found.stages |= TABLE_STAGES | ROUTING_STAGES
        found.everything = True
    sizes = [(before.mtu(name), after.mtu(name)) for name in before.links if name in after.links]
    frames = _bridged_elsewhere(before, after)
    if frames:
        found.stages |= ROUTING_STAGES
        found.links |= frames
    limits = [min(pair) for pair in sizes if pair[0] != pair[1]]
    if limits:
        found.stages |= ROUTING_STAGES
        found.longer = min(limits)
    if found.prefixes or found.everything:
        _lookers((before, after), calls, found)
    found.doubts += [sentence for _, sentence in beneath(old, new)]
    found.rules = rewritten
    chains = {(number, backend, name, chain) for number, backend, (name, chain, _) in rewritten}
    for number, backend, name, chain in chains:
        table = dict((before, after)[number].tables(name))[backend]
        found.by_rules |= _stages(name, calls.of(table).bases(chain))
    found.by_rules -= found.stages
    found.stages |= found.by_rules
    return found


def _bridged_elsewhere(before: View, after: View) -> set[str]:
    """Bridges that have somebody behind another port: frames that are translated go there."""
    old, new = before.state, after.state
    if not before.ports or (
        old.neighbours == new.neighbours and old.fdb == new.fdb and old.links == new.links
    ):
        return set()
    asked = {
        (one.link, one.address)
        for one in (*old.neighbours, *new.neighbours)
        if (":" in one.address) == before.six and node_bridge.is_bridge(before.node, one.link)
    }
    return {
        link
        for link, address in asked
        if node_bridge.port_of(before.node, link, address) != node_bridge.port_of(after.node, link, address)
    }


def _native(before: View, after: View, calls: Calls, found: Changed) -> None:
    """Rules of nft that are not on both sides, and chains that are asked at another time or end otherwise."""
    if before.attached is after.attached:
        return
    old, new = ({one.table.name: one.table for one in view.attached} for view in (before, after))
    for name in {**old, **new}:
        mine, theirs = (_bases(view, name) for view in (before, after))
        rules = [*_chains(name, old.get(name, EMPTY), new.get(name, EMPTY))]
        if not rules and mine == theirs:
            continue
        touched = {
            held[chain]
            for side, held, tables in ((0, mine, old), (1, theirs, new))
            if name in tables
            for chain in calls.native(tables[name]).bases({at[1] for which, at in rules if which == side})
            if chain in held
        }
        asked = {base for _, base in mine.items() ^ theirs.items()}
        hooks = {base.hook for base in touched | asked}
        found.stages |= {stage for stage in TABLE_STAGES if stage.partition(" ")[0] in hooks}
        found.native += rules
        # A chain that comes or goes does to packets what its rules do, unless it drops the rest.
        found.everything |= any(
            base.policy != "accept" or key in mine.keys() & theirs.keys()
            for key, base in mine.items() ^ theirs.items()
        ) or any(out_of_turn(base) for base in touched | asked)


def _bases(view: View, table: str) -> dict[str, BaseChain]:
    return {one.base.name: one.base for one in view.attached if one.table.name == table}


def _looks_at_routes(view: View) -> set[str]:
    """Stages in which a rule of nft asks what a route is."""
    return {
        stage
        for one in view.attached
        if any(
            "fib " in text
            for rules in one.table.chains.values()
            for text in rules
            if isinstance(text, NativeRule)
        )
        for stage in TABLE_STAGES
        if stage.startswith(f"{one.base.hook} ")
    }


def _lookers(views: tuple[View, View], calls: Calls, found: Changed) -> None:
    """Rules that look at routes are not what they were."""
    words = ("-m rpfilter", "-m addrtype") if views[0].six else ("-m rpfilter",)
    for view in views:
        native = _looks_at_routes(view)
        found.stages |= native
        if native:
            for prefix in found.prefixes:
                found.prefixes[prefix] = BackMatters.EVERYBODY
        for _, table in _all_tables(view):
            for chain, rules in table.chains.items() if mentions(table.chains, *words) else ():
                if any(word in text for text in rules for word in words):
                    found.stages |= _stages(table.name, calls.of(table).bases(chain))
                    for prefix in found.prefixes:
                        found.prefixes[prefix] = BackMatters.EVERYBODY


UNSEEN: dict[str, object] = {"operstate": "", "altnames": (), "alias": "", "txqueuelen": None}
"""What of a link no packet notices."""


def _links(view: View) -> list[Link]:
    """As far as packets of the family may notice."""
    return [
        link.model_copy(update={"addresses": view.addresses[link.name], "mtu": 0, **UNSEEN})
        for link in view.state.links
    ]


def _stages(table: str, bases: Iterable[str]) -> set[str]:
    """What packets come through on their way to these base chains of a table."""
    return {f"{base.lower()} {table}" for base in bases} & TABLE_STAGES


def _all_tables(view: View) -> Iterator[tuple[str, Table]]:
    for name in ("raw", "mangle", "nat", "filter", "security"):
        yield from view.tables(name)


def _tables(before: View, after: View, found: Changed) -> list[SidedRule]:
    """Policies, and the rules that are not on both sides."""
    rules: list[SidedRule] = []
    for name in ("raw", "mangle", "nat", "filter", "security"):
        old, new = dict(before.tables(name)), dict(after.tables(name))
        for backend in BACKENDS:
            one, other = old.get(backend, EMPTY), new.get(backend, EMPTY)
            if one is other or (one.chains == other.chains and one.policies == other.policies):
                continue
            for chain in {**one.policies, **other.policies}:
                if one.policies.get(chain, "ACCEPT") != other.policies.get(chain, "ACCEPT"):
                    found.everything = True
                    found.stages |= _stages(name, (chain,))
            for number, at in _chains(name, one, other):
                rules.append((number, backend, at))
    return rules


def _chains(name: str, one: Table, other: Table) -> Iterator[tuple[int, RuleAt]]:
    lost: set[str] = set()
    for chain in differing(one.chains, other.chains):
        mine, theirs = one.chains.get(chain), other.chains.get(chain)
        if mine is None or theirs is None:
            lost.add(chain)
        gone, come = edited(mine or (), theirs or ())
        yield from ((0, (name, chain, at)) for at in gone)
        yield from ((1, (name, chain, at)) for at in come)
    if lost:
        # Jumps to a chain that is not there, or no longer: what calls it counts.
        for number, table in enumerate((one, other)):
            for where, rules in table.chains.items():
                for at, text in enumerate(rules):
                    start, _, target = text.rpartition(" ")
                    if target in lost and start.endswith(("-j", "-g")):
                        yield number, (name, where, at)


def _routing(before: View, after: View, found: Changed) -> None:
    old, new = before.state, after.state
    objects = old.nexthop_objects != new.nexthop_objects and any(
        route.nexthop_id is not None for view in (before, after) for route in view.routes
    )
    if before.rules != after.rules or objects:
        found.stages |= ROUTING_STAGES
        found.everything = True
    if before.custom_rules != after.custom_rules:
        found.stages |= ROUTING_STAGES
        found.everything = True
    if before.routes == after.routes and before.local_routes == after.local_routes:
        return
    mine, theirs = _by_prefix(before), _by_prefix(after)
    for key in {**mine, **theirs}:
        if mine.get(key) != theirs.get(key):
            matters = max(
                found.prefixes.get(key[1], BackMatters.STRICT), _back(mine.get(key), theirs.get(key))
            )
            found.prefixes[key[1]] = matters
            found.stages |= ROUTING_STAGES
            if key[0] == "255":
                found.stages |= TABLE_STAGES


def _back(old: list[Route] | None, new: list[Route] | None) -> BackMatters:
    """For whom another way back changes the verdict on a source (fib_frontend.c, __fib_validate_source())."""
    routes = [*(old or ()), *(new or ())]
    if any(route.type not in PLAIN or route.tos not in {"", "0"} for route in routes):
        return BackMatters.EVERYBODY
    alike = old and new and all(route.type == "unicast" for route in routes)
    return BackMatters.STRICT if alike else BackMatters.FILTERED


def _by_prefix(view: View) -> dict[tuple[str, str], list[Route]]:
    routes: dict[tuple[str, str], list[Route]] = {}
    for route in view.routes:
        if route.table != "255":
            routes.setdefault((route.table, route.prefix), []).append(route)
    for route in view.local_routes:
        routes.setdefault(("255", route.prefix), []).append(route)
    return routes


def _sysctls(before: View, after: View, found: Changed) -> None:
    old, new = before.state.sysctls, after.state.sysctls
    if old is new:
        return
    family = before.family
    version = "ipv6" if before.six else "ipv4"
    called = f"net.bridge.bridge-nf-call-ip{'6' if before.six else ''}tables"
    for key in sorted({key for key, _ in old.items() ^ new.items()}):
        if key in HASHED[family]:
            if any(len(route.nexthops) > 1 for route in (*before.routes, *after.routes)):
                found.doubts.append(f"{key}: which of several next hops a flow takes is not computed")
        elif key == called:
            names = {
                link.name for view in (before, after) for link in view.state.links if link.kind == "bridge"
            }
            found.links |= names
            if names:
                found.stages |= TABLE_STAGES | ROUTING_STAGES
        parts = link_key(key)
        if parts is None or parts.family != version or parts.group != "conf":
            continue
        if parts.knob in ASKING and parts.link != "default":
            found.doubts.append(f"{key}: whether neighbours find each other by it is not followed")
        if parts.link == "all" and parts.knob in FOR_ALL[family]:
            found.stages |= ROUTING_STAGES
            # For IPv4 `all.forwarding` is only a name for writing every link's own.
            found.everything |= parts.knob != "forwarding" or before.six
        elif parts.knob in PER_LINK[family] and parts.link != "default":
            found.stages |= ROUTING_STAGES
            found.links.add(parts.link)
        elif parts.knob == "ignore_routes_with_linkdown" and parts.link != "default":
            found.stages |= ROUTING_STAGES
            found.everything = True
