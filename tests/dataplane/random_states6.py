"""Small nodes of IPv6 at random: those of IPv4 in other words, with what only IPv6 has."""

import random
import re
from ipaddress import IPv4Address, IPv6Address

from random_states import LINKS, change, change_services, make_flow, make_services, make_state

from planner.models.flow import Flow
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import NextHop, PolicyRule, Route
from planner.models.ruleset import IpSet, Ruleset, Table

INSIDE, OUTSIDE = 0xFD00 << 112, 0x20010DB8 << 96
TEXT = re.compile(r"(?<![\d.])(\d+\.\d+\.\d+\.\d+)(/\d+)?(:\d+)?(?![\d.])")
ICMP = {8: 128, 0: 135, 3: 1}
OTHER_WORDS = (
    (" icmp ", " ipv6-icmp "), ("-p icmp", "-p ipv6-icmp"), ("-m icmp --icmp-type 8", "-m icmp6 --icmpv6-type 128"),
    ("-m ipv6-icmp --icmp-type 8", "-m icmp6 --icmpv6-type 128"), ("icmp-port-unreachable", "icmp6-port-unreachable"),
    ("-m ttl --ttl-lt", "-m hl --hl-lt"),
)  # fmt: skip


def wide(address: str) -> str:
    """An address of IPv6 for one of IPv4."""
    if address == "127.0.0.1":
        return "::1"
    value = int(IPv4Address(address))
    if not value:
        return "::"
    return str(IPv6Address(value | (OUTSIDE if address.startswith(("8.", "99.")) else INSIDE)))


def widened(found: re.Match[str]) -> str:
    """An address, a prefix, or an address with a port."""
    address, length, port = found.groups()
    if length == "/0":
        return "::/0"
    text = wide(address) + (f"/{96 + int(length[1:])}" if length else "")
    return f"[{text}]{port}" if port else text


def said(text: str) -> str:
    """A rule."""
    text = TEXT.sub(widened, text)
    for old, new in OTHER_WORDS:
        text = text.replace(old, new) if new not in text else text
    return text


def six(state: NodeState, seed: int) -> NodeState:
    """The same node, for IPv6."""
    rng = random.Random(seed)
    tables = {
        name: Table(
            name=name,
            policies=table.policies,
            chains={chain: tuple(map(said, rules)) for chain, rules in table.chains.items()},
        )
        for name, table in state.rulesets[0].tables.items()
    }
    near = [
        Route(family="ip6", prefix="fe80::/64", metric=256, nexthops=(NextHop(link=link),)) for link in LINKS
    ]
    return state.model_copy(
        update={
            "rulesets": (Ruleset(family="ip6", backend="nft", tables=tables),),
            "routes": (*map(_route, state.routes), *near),
            "policy_rules": tuple(map(_rule, state.policy_rules)),
            "links": tuple(map(_link, state.links)),
            "ipsets": tuple(map(_set, state.ipsets)),
            "sysctls": {
                "net.ipv6.conf.all.forwarding": rng.choice("11110"),
                **{f"net.ipv6.conf.{link}.force_forwarding": rng.choice("0001") for link in LINKS},
                **{f"net.ipv6.conf.{link}.disable_ipv6": rng.choice("0000001") for link in LINKS},
            },
        }
    )  # fmt: skip


def _route(route: Route) -> Route:
    hops = tuple(hop.model_copy(update={"via": wide(hop.via) if hop.via else ""}) for hop in route.nexthops)
    return route.model_copy(
        update={"family": "ip6", "prefix": TEXT.sub(widened, route.prefix), "nexthops": hops, "tos": "0"}
    )


def _rule(rule: PolicyRule) -> PolicyRule:
    ends = {"source": TEXT.sub(widened, rule.source), "destination": TEXT.sub(widened, rule.destination)}
    return rule.model_copy(update={"family": "ip6", **ends})


def _link(link: Link) -> Link:
    addresses = [
        Address(
            address=wide(one.address),
            length=128 if link.name == "lo" else one.length + 96,
            scope=one.scope,
        )
        for one in link.addresses
    ]
    if link.name != "lo":
        addresses.append(Address(address=f"fe80::{link.index}", length=64, scope="link"))
    return link.model_copy(update={"addresses": tuple(addresses)})


def _set(held: IpSet) -> IpSet:
    return held.model_copy(
        update={
            "options": held.options.replace("inet", "inet6"),
            "elements": tuple(TEXT.sub(widened, one) for one in held.elements),
        }
    )


def _sysctl(rng: random.Random, state: NodeState) -> NodeState:
    key = rng.choice(sorted(state.sysctls))
    return state.model_copy(
        update={"sysctls": {**state.sysctls, key: "0" if state.sysctls[key] != "0" else "1"}}
    )


def states6(seed: int) -> tuple[NodeState, NodeState]:
    """A node, and the same with one change."""
    if seed % 2:
        before = make_services(seed)
        after = change_services(seed, before)
        calm = {"net.ipv6.conf.all.forwarding": "1"}
        return tuple(six(one, seed).model_copy(update={"sysctls": calm}) for one in (before, after))  # type: ignore[return-value]
    before = make_state(seed)
    if seed % 8 == 0:
        made = six(before, seed)
        return made, _sysctl(random.Random(seed), made)
    return six(before, seed), six(change(seed, before), seed)


def make_flow6(rng: random.Random) -> Flow:
    """A packet that such a node may see."""
    flow = make_flow(rng)
    local = not flow.entry.link
    source, destination = wide(flow.source), wide(flow.destination)
    if local and rng.random() < 0.2:
        source = f"fe80::{rng.choice((2, 3, 4))}"
    if not local and rng.random() < 0.15:
        source = rng.choice(("fe80::77", "::1", "ff02::5"))
    if rng.random() < 0.15:
        destination = f"fe80::{rng.choice((2, 3, 4, 77))}"
    return flow.model_copy(
        update={
            "family": "ip6", "source": source, "destination": destination,
            "protocol": 58 if flow.protocol == 1 else flow.protocol, "icmp_type": ICMP[flow.icmp_type],
        }
    )  # fmt: skip
