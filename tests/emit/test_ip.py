"""A written command is read back as the same thing, and restoring leads exactly back."""

from collections.abc import Iterable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from planner.emit.ip import (
    address_command,
    fdb_command,
    neighbour_command,
    nexthop_command,
    restore_commands,
    route_command,
    rule_command,
    unrestorable,
)
from planner.emit.ip_links import create_command
from planner.models.link import Address, ForwardingEntry, Link, Neighbour
from planner.models.node import NodeState
from planner.models.proposal import Command
from planner.models.route import NextHop, NextHopObject, PolicyRule, Route
from planner.models.source import Source
from planner.parse.ip_words import parse_route_words, parse_rule_words
from planner.proposal.ip import run_ip

LINKS = st.sampled_from(["eth0", "a", "via", "cali12ab", "eth0.100"])
NUMBER = st.integers(0, 4294967295)


def prefixes(family: str) -> st.SearchStrategy[str]:
    if family == "ip":
        return st.sampled_from(["10.0.0.0/8", "0.0.0.0/0", "192.0.2.7/32"])
    return st.sampled_from(["fd00::/64", "::/0", "fd00::7/128"])


def hops(family: str) -> st.SearchStrategy[NextHop]:
    via = st.sampled_from(["", "10.0.0.9", "fe80::9"] if family == "ip" else ["", "fe80::9", "fd00::9"])
    return st.builds(
        lambda via, link, onlink: NextHop(
            via=via, via_family="ip6" if ":" in via and family == "ip" else "", link=link, onlink=onlink
        ),
        via,
        LINKS,
        st.booleans(),
    )


@st.composite
def routes(draw: st.DrawFn) -> Route:
    family = draw(st.sampled_from(["ip", "ip6"]))
    kind = draw(st.sampled_from(["unicast", "unicast", "blackhole", "unreachable", "throw", "local"]))
    ways: tuple[NextHop, ...] = ()
    if kind in {"unicast", "local"}:
        ways = tuple(draw(st.lists(hops(family), min_size=1, max_size=3)))
        if len(ways) > 1:
            ways = tuple(hop.model_copy(update={"weight": draw(st.integers(1, 256))}) for hop in ways)
    options = draw(
        st.dictionaries(st.sampled_from(["initcwnd", "window", "quickack"]), NUMBER.map(str), max_size=2)
    )
    mtu = draw(st.none() | st.integers(68, 65535))
    if mtu is not None and draw(st.booleans()):
        options["lock"] = "mtu"
    return Route(
        family=family,
        table=str(draw(NUMBER)),
        prefix=draw(prefixes(family)),
        type=kind,
        tos=draw(st.sampled_from(["0", "0x10"])),
        metric=draw(NUMBER),
        protocol=draw(st.sampled_from(["kernel", "boot", "static", "bird", "99"])),
        scope=draw(st.sampled_from(["global", "link", "host"])) if family == "ip" else "",
        source=draw(st.sampled_from(["", "10.0.0.5" if family == "ip" else "fd00::5"])),
        nexthops=ways,
        mtu=mtu,
        options=options,
    )


@st.composite
def policy_rules(draw: st.DrawFn) -> PolicyRule:
    family = draw(st.sampled_from(["ip", "ip6"]))
    action = draw(
        st.sampled_from(["lookup", "lookup", "blackhole", "unreachable", "prohibit", "nop", "goto"])
    )
    return PolicyRule(
        family=family,
        preference=draw(NUMBER),
        source=draw(st.just("") | prefixes(family).filter(lambda text: not text.endswith("/0"))),
        destination=draw(st.just("") | prefixes(family).filter(lambda text: not text.endswith("/0"))),
        iif=draw(st.just("") | LINKS),
        oif=draw(st.just("") | LINKS),
        fwmark=draw(st.sampled_from(["", "0x80", "0x80/0xf0", "0x0/0x1"])),
        tos=draw(st.sampled_from(["", "0x10"])),
        ipproto=draw(st.sampled_from(["", "tcp", "253"])),
        sport=draw(st.sampled_from(["", "80", "80-90"])),
        inverted=draw(st.booleans()),
        action=action,
        table=str(draw(NUMBER)) if action == "lookup" else "",
        goto=draw(NUMBER) if action == "goto" else None,
        suppress_prefixlength=draw(st.none() | st.integers(0, 32)) if action == "lookup" else None,
        protocol=draw(st.sampled_from(["unspec", "kernel", "99"])),
    )


@given(routes())
def test_a_written_route_is_read_back(route: Route) -> None:
    """Every word is said, so nothing depends on a default."""
    words = route_command("add", route)

    assert ("ip", "-4" if route.family == "ip" else "-6", "route", "add") == words[:4]
    assert route == parse_route_words(words[4:], route.family)


@given(policy_rules())
def test_a_written_rule_is_read_back(rule: PolicyRule) -> None:
    """The preference too: without it the kernel would choose one."""
    assert rule == parse_rule_words(rule_command("add", rule)[4:], rule.family)


BASE = NodeState(
    name="n",
    links=(
        Link(name="lo", index=1, txqueuelen=1000, kind="loopback", mtu=65536),
        Link(
            name="v0", index=2, txqueuelen=1000, kind="veth", mac="02:00:00:00:00:01", options={"peer": "v1"}
        ),
        Link(
            name="v1", index=3, txqueuelen=1000, kind="veth", mac="02:00:00:00:00:02", options={"peer": "v0"}
        ),
        Link(name="br0", index=4, txqueuelen=1000, kind="bridge", mac="02:00:00:00:00:0b", carrier=False),
        Link(
            name="vx0",
            index=5,
            txqueuelen=1000,
            kind="vxlan",
            mac="02:00:00:00:00:0c",
            mtu=1450,
            lower="v0",
            options={"id": "1", "link": "v0", "port": "8472"},
        ),
    ),
    policy_rules=(
        PolicyRule(family="ip", preference=0, table="255", protocol="kernel"),
        PolicyRule(family="ip", preference=32766, table="254", protocol="kernel"),
        PolicyRule(family="ip6", preference=32766, table="254", protocol="kernel"),
    ),
    sysctls={
        "net.ipv4.conf.default.rp_filter": "1",
        "net.ipv4.conf.v0.rp_filter": "2",
        "net.ipv6.conf.v0.mtu": "1500",
    },
)
LINES = (
    "ip addr add 10.0.0.1/24 dev v0",
    "ip addr add 10.0.0.2/24 brd + dev v0",
    "ip addr del 10.0.0.1/24 dev v0",
    "ip addr flush dev v0",
    "ip -6 addr add fd00::1/64 dev v0",
    "ip -6 addr del fd00::1/64 dev v0",
    "ip link set v0 down",
    "ip link set v0 up",
    "ip link set v0 mtu 1200",
    "ip link set v0 mtu 9000",
    "ip link set v1 master br0",
    "ip link set v1 nomaster",
    "ip link set br0 up",
    "ip link set v0 name w0",
    "ip link set w0 name v0",
    "ip link set v0 alias one group 7 txqueuelen 5",
    "ip link del vx0",
    "ip link del br0",
    "ip link add w1 address 02:00:00:00:01:01 type veth peer name w2 address 02:00:00:00:01:02",
    "ip route add default via 10.0.0.9",
    "ip route append default via 10.0.0.8",
    "ip route replace 10.9.0.0/16 nexthop via 10.0.0.9 weight 2 nexthop via 10.0.0.8",
    "ip route add blackhole 10.8.0.0/16 table 100",
    "ip route del default",
    "ip -6 route add fd09::/64 via fd00::9",
    "ip -6 route append fd09::/64 via fd00::8",
    "ip rule add from 10.0.0.0/8 table 100 pref 50",
    "ip rule add fwmark 0x80/0x80 table 100",
    "ip rule del pref 50",
    "ip rule flush",
    "ip nexthop add id 5 via 10.0.0.9 dev v0",
    "ip nexthop add id 7 group 5",
    "ip route replace 10.7.0.0/16 nhid 7",
    "ip nexthop del id 5",
    "ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev v0",
    "ip neigh del 10.0.0.9 dev v0",
    "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.0.0.8",
    "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.0.0.7",
    "bridge fdb del 00:00:00:00:00:00 dev vx0",
)


def after(state: NodeState, lines: Iterable[str | tuple[str, ...]]) -> NodeState:
    for line in lines:
        argv = tuple(line.split()) if isinstance(line, str) else line
        outcome = run_ip(Command(argv=argv, source=Source(name="t")), state)
        assert () == outcome.gaps
        state = outcome.state
    return state


def facts(state: NodeState) -> dict[str, object]:
    """Order of links, of routes to different prefixes and of equal IPv6 addresses is no fact; nor are indexes."""
    found: dict[str, object] = {}
    for link in state.links:
        four = [address for address in link.addresses if address.family == "ip"]
        six = sorted(repr(address) for address in link.addresses if address.family == "ip6")
        options = {key: value for key, value in link.options.items() if key != "link"}
        update = {"addresses": (), "index": 0, "operstate": "", "carrier": True, "options": options}
        found[link.name] = (repr(link.model_copy(update=update)), four, six)
    for route in state.routes:
        found.setdefault(
            f"{route.family} {route.table} {route.prefix} {route.metric} {route.tos}", []
        ).append(repr(route))
    found = {key: sorted(value) if " " in key and "ip6" in key else value for key, value in found.items()}
    found["rules"] = [
        [rule for rule in state.policy_rules if rule.family == family] for family in ("ip", "ip6")
    ]
    found["nexthop"] = state.nexthop_objects
    found["neighbours"] = sorted(repr(entry.model_copy(update={"state": ""})) for entry in state.neighbours)
    own = {link.mac for link in state.links}
    found["fdb"] = sorted(repr(entry) for entry in state.fdb if entry.mac not in own)
    return found


def route_of(key: str) -> str:
    """A route as a residue names it."""
    words = key.split()
    return f"route {words[2]} in table {words[1]}" if len(words) == 5 else key


@example(
    ["ip addr add 10.0.0.1/24 dev v0", "ip route add default via 10.0.0.9", "ip rule flush"],
    ["ip addr del 10.0.0.1/24 dev v0"],
)
@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=10), st.lists(st.sampled_from(LINES), max_size=6))
def test_restoring_leads_back_in_the_model(first: list[str], second: list[str]) -> None:
    """After any commands, what is not named as residue is as it was."""
    before = after(BASE, first)
    changed = after(before, second)
    commands = restore_commands(changed, before)
    residue = unrestorable(changed, before)
    restored = after(changed, commands)
    named = " ".join(part.what for part in residue)
    was, now = facts(before), facts(restored)
    differing = [
        key
        for key in sorted(was.keys() | now.keys())
        if was.get(key) != now.get(key) and key not in named and route_of(key) not in named
    ]

    assert not differing, commands


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_equal_states_need_no_command(lines: list[str]) -> None:
    """Nothing is touched that is as it should be."""
    state = after(BASE, lines)

    assert () == restore_commands(state, state)
    assert () == unrestorable(state, state)


def test_a_local_route_that_the_record_was_too_early_for_stays() -> None:
    """The kernel makes it when the detection of duplicates ends: taking it away would take the address from the node."""
    address = Address(address="fe80::1", length=64, scope="link")
    link = Link(name="eth0", up=True, addresses=(address,))
    local = Route(
        family="ip6",
        table="255",
        prefix="fe80::1/128",
        type="local",
        protocol="kernel",
        nexthops=(NextHop(link="eth0"),),
    )
    early = NodeState(name="n", links=(link,))
    later = NodeState(name="n", links=(link,), routes=(local,))
    foreign = local.model_copy(update={"prefix": "fe80::2/128"})

    assert () == restore_commands(later, early)
    assert [("ip", "-6", "route", "del")] == [
        words[:4] for words in restore_commands(later.model_copy(update={"routes": (foreign,)}), early)
    ]


def test_what_no_command_makes_again_is_residue() -> None:
    """A pod's link belongs to its pod, a leased address to its lease."""
    pod = Link(name="cali1", kind="veth", peer_elsewhere=True)
    leased = Address(address="10.0.0.5", length=24, dynamic=True)
    eth = Link(name="eth0", addresses=(leased,))
    want = NodeState(name="n", links=(eth, pod))
    have = NodeState(name="n", links=(eth.model_copy(update={"addresses": ()}),))
    found = {residue.what for residue in unrestorable(have, want)}

    assert {"link cali1", "address 10.0.0.5/24 on eth0"} <= found


def test_addresses_come_back_in_their_order() -> None:
    """When the primary went, all of its subnet are written anew: the first must be the primary again."""
    before = after(BASE, ["ip addr add 10.0.0.1/24 dev v0", "ip addr add 10.0.0.2/24 dev v0"])
    changed = after(before, ["ip addr del 10.0.0.1/24 dev v0", "ip addr add 10.0.0.2/24 dev v0"])
    restored = after(changed, restore_commands(changed, before))
    link = restored.link("v0")

    assert link is not None
    assert [("10.0.0.1", False), ("10.0.0.2", True)] == [
        (a.address, a.secondary) for a in link.addresses if a.family == "ip"
    ]


def test_every_word_of_the_small_commands() -> None:
    """As they stand in a rollback script."""
    hop = NextHop(via="10.0.0.9", link="eth0")

    assert "ip nexthop replace id 5 via 10.0.0.9 dev eth0" == " ".join(
        nexthop_command("replace", NextHopObject(id=5, hop=hop))
    )
    assert "ip nexthop add id 7 group 5/6,3" == " ".join(
        nexthop_command("add", NextHopObject(id=7, group=((5, 1), (6, 3))))
    )
    assert "ip neighbour replace to 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent" == " ".join(
        neighbour_command(
            "replace", Neighbour(address="10.0.0.9", link="eth0", mac="02:00:00:00:00:09", permanent=True)
        )
    )
    assert "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.0.0.8 self permanent" == " ".join(
        fdb_command(
            "append",
            ForwardingEntry(mac="00:00:00:00:00:00", link="vx0", destination="10.0.0.8", permanent=True),
        )
    )
    assert (
        "ip -4 address add 10.0.0.5/24 dev eth0 broadcast 10.0.0.255 scope global noprefixroute"
        == " ".join(
            address_command(
                "add",
                Address(address="10.0.0.5", length=24, broadcast="10.0.0.255", noprefixroute=True),
                "eth0",
            )
        )
    )


def test_a_flannel_link_is_made_again_with_its_port_and_number() -> None:
    """With another port the overlay would be cut."""
    link = Link(
        name="flannel.1",
        kind="vxlan",
        mtu=1450,
        mac="5e:89:db:49:c6:a4",
        lower="eth0",
        txqueuelen=0,
        options={
            "id": "1",
            "local": "10.0.0.5",
            "link": "eth0",
            "port": "8472",
            "learning": "off",
            "port_range": "0-0",
            "udp_csum": "on",
        },
    )

    assert (
        "ip link add name flannel.1 address 5e:89:db:49:c6:a4 mtu 1450 txqueuelen 0 type vxlan id 1 local 10.0.0.5 dev eth0 "
        "dstport 8472 nolearning"
    ) == " ".join(create_command(link))


def test_a_name_that_comes_back_leaves_nothing_behind() -> None:
    """A renamed link is the same link: its index, statistics and programs go with it; a new one of that name is not."""
    before = NodeState(name="n1", links=(Link(name="dummy0", kind="dummy", index=3, up=False),))
    command = Command(
        argv=("ip", "link", "set", "dummy0", "name", "dummy9"), source=Source(name="a.sh", line=1)
    )
    outcome = run_ip(command, before)

    assert ("link/dummy0", "link/dummy9") == tuple(
        effect.what for effect in outcome.effects if effect.what.startswith("link/")
    )
    assert () == unrestorable(outcome.state, before)
    assert ("link dummy0",) == tuple(
        residue.what for residue in unrestorable(before.model_copy(update={"links": ()}), before)
    )
