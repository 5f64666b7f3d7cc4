"""A node of four links, small enough to know every route of it by heart."""

from planner.models.flow import Entry, Flow
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import NextHop, PolicyRule, Route
from planner.models.ruleset import Backend, Family, IpSet, Ruleset, Table

BASES = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
USUAL = {
    "forwarding": "1",
    "rp_filter": "0",
    "accept_local": "0",
    "send_redirects": "0",
    "src_valid_mark": "0",
    "route_localnet": "0",
}
LINKS = ("lo", "eth0", "eth1", "pod1", "pod2")
TRACKED = "-m conntrack --ctstate ESTABLISHED -j ACCEPT"
"""A rule that makes the kernel track flows, and that no first packet meets."""


def link(name: str, index: int, *addresses: str, **more: object) -> Link:
    return Link(
        name=name,
        index=index,
        kind="loopback" if name == "lo" else "veth",
        addresses=tuple(
            Address(
                address=text.partition("/")[0],
                length=int(text.partition("/")[2]),
                scope="host" if name == "lo" else "global",
            )
            for text in addresses
        ),
        **more,
    )


def route(prefix: str, dev: str = "", via: str = "", *, family: str = "ip", **more: object) -> Route:
    hops = (NextHop(via=via, link=dev),) if dev else ()
    return Route(family=family, prefix=prefix, nexthops=more.pop("nexthops", hops), **more)


def rules(
    text: str, *, family: Family = "ip", backend: Backend = "nft", policies: dict[str, str] | None = None
) -> Ruleset:
    """Lines `TABLE CHAIN RULE`; chains are there as soon as they are named."""
    chains: dict[str, dict[str, list[str]]] = {}
    for line in text.strip().splitlines():
        table, chain, rule = line.split(None, 2)
        chains.setdefault(table, {}).setdefault(chain, []).append(rule)
    tables = {}
    for name, found in chains.items():
        for base in BASES[name]:
            found.setdefault(base, [])
        tables[name] = Table(
            name=name,
            policies={base: (policies or {}).get(f"{name} {base}", "ACCEPT") for base in BASES[name]},
            chains={chain: tuple(lines) for chain, lines in found.items()},
        )
    return Ruleset(family=family, backend=backend, tables=tables)


def node(
    text: str = "",
    *,
    routes: tuple[Route, ...] = (),
    policy: tuple[PolicyRule, ...] = (),
    sysctls: dict[str, str] | None = None,
    sets: tuple[IpSet, ...] = (),
    links: tuple[Link, ...] = (),
    rulesets: tuple[Ruleset, ...] = (),
    policies: dict[str, str] | None = None,
    **more: object,
) -> NodeState:
    """eth0 10.0.0.5/24 with the default route to 10.0.0.1; eth1 10.9.0.5/24; pods 10.244.1.2 and .3 behind pod1 and pod2."""
    values = {
        f"net.ipv4.conf.{name}.{knob}": value for name in ("all", *LINKS) for knob, value in USUAL.items()
    }
    values["net.ipv6.conf.all.forwarding"] = "1"
    given = {new.name: new for new in links}
    base = (
        link("lo", 1, "127.0.0.1/8", "::1/128"),
        link("eth0", 2, "10.0.0.5/24", "2001:db8::5/64"),
        link("eth1", 3, "10.9.0.5/24"),
        link("pod1", 4),
        link("pod2", 5),
    )
    return NodeState(
        name="small",
        links=tuple(given.pop(one.name, one) for one in base) + tuple(given.values()),
        routes=(
            route("0.0.0.0/0", "eth0", "10.0.0.1"),
            route("10.0.0.0/24", "eth0"),
            route("10.9.0.0/24", "eth1"),
            route("10.244.1.2/32", "pod1"),
            route("10.244.1.3/32", "pod2"),
            route("10.0.0.255/32", "eth0", table="255", type="broadcast"),
            route("10.0.0.5/32", "eth0", table="255", type="local", protocol="kernel"),
            route("10.9.0.5/32", "eth1", table="255", type="local", protocol="kernel"),
            route("127.0.0.0/8", "lo", table="255", type="local", protocol="kernel"),
            route("::/0", "eth0", "2001:db8::1", family="ip6"),
            route("2001:db8:1::2/128", "pod1", family="ip6"),
            route("2001:db8::5/128", "eth0", family="ip6", table="255", type="local", protocol="kernel"),
            *routes,
        ),
        policy_rules=(
            PolicyRule(family="ip", preference=0, table="255"),
            *policy,
            PolicyRule(family="ip", preference=32766, table="254"),
            PolicyRule(family="ip", preference=32767, table="253"),
        ),
        sysctls=values | (sysctls or {}),
        rulesets=rulesets or (rules(text, policies=policies),),
        ipsets=sets,
        **more,
    )


def flow(source: str, destination: str, entry: str = "", *, port: int = 80, **more: object) -> Flow:
    """TCP from port 40000, by a link or from the node itself."""
    return Flow(
        source=source,
        destination=destination,
        family="ip6" if ":" in source else "ip",
        source_port=more.pop("source_port", 40000),
        destination_port=port,
        entry=Entry(link=entry),
        **more,
    )


def out(
    source: str = "10.244.1.2", destination: str = "192.0.2.9", entry: str = "pod1", **more: object
) -> Flow:
    """A pod's packet to the outside."""
    return flow(source, destination, entry, **more)
