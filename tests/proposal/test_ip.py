"""Commands of `ip`: what they change, what the kernel changes besides, and when they fail."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.models.change import Cause
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.proposal import Command
from planner.models.route import PolicyRule
from planner.models.source import Source
from planner.parse.ip_text import parse_routes
from planner.proposal.ip import read_ip_batch, run_ip
from planner.proposal.outcome import Outcome

ROUTES = """default via 192.168.2.1 dev ens3
192.168.2.0/24 dev ens3 proto kernel scope link src 192.168.2.5
192.168.252.0/24 dev ens3 proto kernel scope link src 192.168.252.5
10.2.3.128/25 via 192.168.252.51 dev ens3
10.2.48.0/25 via 192.168.252.52 dev ens3
10.9.0.0/24 dev cni0 proto kernel scope link src 10.9.0.1
local 192.168.2.5 dev ens3 table local proto kernel scope host src 192.168.2.5
local 192.168.252.5 dev ens3 table local proto kernel scope host src 192.168.252.5
local 10.9.0.1 dev cni0 table local proto kernel scope host src 10.9.0.1
broadcast 10.9.0.255 dev cni0 table local proto kernel scope link src 10.9.0.1
"""
NODE = NodeState(
    name="n",
    kernel="6.8.0-31-generic",
    links=(
        Link(
            name="ens3",
            index=2,
            mac="52:54:00:00:00:01",
            addresses=(
                Address(address="192.168.2.5", length=24),
                Address(address="192.168.252.5", length=24),
                Address(address="fd00::5", length=64),
            ),
        ),
        Link(
            name="cni0",
            index=3,
            kind="bridge",
            mac="0a:00:00:00:00:01",
            addresses=(Address(address="10.9.0.1", length=24),),
        ),
    ),
    routes=parse_routes(ROUTES, "ip")[0],
    policy_rules=tuple(
        PolicyRule(family="ip", preference=p, table=t)
        for p, t in ((0, "255"), (32766, "254"), (32767, "253"))
    ),
    sysctls={
        "net.ipv4.conf.all.promote_secondaries": "0",
        "net.ipv4.conf.default.rp_filter": "1",
        "net.ipv4.conf.ens3.rp_filter": "2",
        "net.ipv6.conf.default.accept_ra": "1",
        "net.ipv6.conf.default.mtu": "1280",
        "net.ipv6.conf.ens3.accept_ra": "0",
        "net.ipv4.neigh.default.gc_thresh1": "128",
        "net.ipv4.neigh.default.locktime": "100",
    },
)


def run(line: str, state: NodeState = NODE) -> Outcome:
    return run_ip(Command(argv=tuple(line.split()), source=Source(name="change.sh", line=7)), state)


def prefixes(state: NodeState) -> list[str]:
    return [route.prefix for route in state.routes if route.table == "254"]


def test_taking_the_uplink_down_and_up_loses_the_routes_of_the_agent():
    """Connected routes come back, host-gw routes do not: the published incident."""
    down = run("ip link set ens3 down").state
    up = run("ip link set ens3 up", down).state

    assert ["10.9.0.0/24"] == prefixes(down)
    assert {"10.9.0.0/24", "192.168.2.0/24", "192.168.252.0/24", "fe80::/64"} == set(prefixes(up))


def test_every_loss_is_told_with_its_cause_and_the_line():
    """The proposal says *down*; the kernel does the rest."""
    effects = {effect.what: effect for effect in run("ip link set ens3 down").effects}

    assert Cause.PROPOSED == effects["link/ens3/up"].cause
    assert Cause.KERNEL == effects["route/ip/254/10.2.3.128/25"].cause
    assert "goes down" in effects["route/ip/254/10.2.3.128/25"].because
    assert Source(name="change.sh", line=7) == effects["route/ip/254/10.2.3.128/25"].source


def test_the_primary_takes_its_secondaries_along():
    """Unless promote_secondaries is on."""
    two = run("ip addr add 192.168.2.6/24 dev ens3").state
    without = run("ip addr del 192.168.2.5/24 dev ens3", two).state
    key = {"net.ipv4.conf.all.promote_secondaries": "1"}
    promoting = two.model_copy(update={"sysctls": {**two.sysctls, **key}})
    promoted = run("ip addr del 192.168.2.5/24 dev ens3", promoting).state

    assert ["192.168.252.5", "fd00::5"] == [a.address for a in without.links[0].addresses]
    assert [("192.168.252.5", False), ("192.168.2.6", False)] == [
        (a.address, a.secondary) for a in promoted.links[0].addresses if a.family == "ip"
    ]


def test_a_small_mtu_removes_ipv6():
    """Below 1280 its addresses and its sysctl keys are gone."""
    after = run("ip link set ens3 mtu 1200").state

    assert ["192.168.2.5", "192.168.252.5"] == [a.address for a in after.links[0].addresses]
    assert not [key for key in after.sysctls if key.startswith("net.ipv6.conf.ens3.")]


def test_a_new_link_gets_the_default_sysctls_and_a_deleted_one_takes_its_own_along():
    """Copied at birth, not linked."""
    born = run("ip link add lxc.1 type veth peer name eth9").state
    gone = run("ip link del eth9", born).state

    assert "1" == born.sysctls["net.ipv4.conf.lxc/1.rp_filter"]
    assert "100" == born.sysctls["net.ipv4.neigh.eth9.locktime"]
    assert "net.ipv4.neigh.eth9.gc_thresh1" not in born.sysctls
    assert "1500" == born.sysctls["net.ipv6.conf.eth9.mtu"]
    assert NODE.sysctls == gone.sysctls
    assert NODE.links == gone.links


def test_a_link_without_cable_stays_without_carrier():
    """A command elsewhere does not plug it in: no link-local address comes of it."""
    dark = NODE.model_copy(
        update={"links": (*NODE.links, Link(name="ens4", mac="52:54:00:00:00:02", carrier=False))}
    )
    after = run("ip link set cni0 down", dark).state

    assert dark.links[2] == after.links[2]


def test_a_new_name_moves_the_keys_and_leaves_policy_rules_behind():
    """Rules by name are detached; a firewall rule would be as well."""
    ruled = run("ip rule add iif ens3 table 100").state
    outcome = run("ip link set ens3 name uplink", ruled)

    assert "2" == outcome.state.sysctls["net.ipv4.conf.uplink.rp_filter"]
    assert "uplink" == outcome.state.routes[0].nexthops[0].link
    assert "ens3" == outcome.state.policy_rules[1].iif
    assert any(effect.what.startswith("policy-rule/") for effect in outcome.effects)


def test_an_old_kernel_does_not_rename_a_link_that_is_up():
    """Before 6.2."""
    old = NODE.model_copy(update={"kernel": "5.15.0-100-generic"})

    assert "busy" in run("ip link set ens3 name uplink", old).error
    assert "" == run("ip link set ens3 name uplink").error


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ip route add default via 192.168.2.9", "File exists"),
        ("ip route del 10.99.0.0/16", "No such process"),
        ("ip route add 10.99.0.0/16 via 172.16.0.1", "invalid gateway"),
        ("ip route change 10.99.0.0/16 via 192.168.2.1", "No such file"),
        ("ip route add 10.99.0.0/16 dev eth7", "Cannot find device"),
        ("ip route add 10.99.0.1/16 dev ens3", "Invalid prefix"),
        ("ip route add 10.99.0.0/16 dev ens3 src 9.9.9.9", "prefsrc"),
        ("ip addr add 192.168.2.5/24 dev ens3", "already assigned"),
        ("ip addr del 192.168.2.7/24 dev ens3", "not found"),
        ("ip link set ens4 up", "Cannot find device"),
        ("ip link add cni0 type bridge", "File exists"),
        ("ip rule del pref 5", "No such file"),
        ("ip nexthop add id 3 via 10.99.0.1 dev ens3", "invalid gateway"),
        ("ip frobnicate", "unknown"),
        ("ip route frobnicate", "unknown"),
    ],
)
def test_a_command_that_fails_changes_nothing(line, error):
    """It says what `ip` would say."""
    outcome = run(line)

    assert error in outcome.error
    assert NODE == outcome.state


@pytest.mark.parametrize(
    "line",
    [
        "ip xfrm state flush",
        "ip link set ens3 netns 7",
        "ip tunnel add x",
        "bridge vlan add dev cni0 vid 5",
        "ip -n pod route add default dev eth0",
    ],
)
def test_what_is_not_modelled_is_a_gap_at_its_line(line):
    """Never silently safe."""
    outcome = run(line)

    assert NODE == outcome.state
    assert Source(name="change.sh", line=7) == outcome.gaps[0].source


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("ip r a 10.5.0.0/16 via 192.168.2.9", "ip -4 route add 10.5.0.0/16 via 192.168.2.9 dev ens3"),
        ("ip ro repl default via 192.168.2.9", "ip route replace default via 192.168.2.9"),
        ("ip r d default", "ip route delete default"),
        ("ip ru a from 10.0.0.0/8 lookup 100", "ip rule add from 10.0.0.0/8 table 100"),
        ("ip a a 192.168.2.9/24 dev ens3", "ip address add 192.168.2.9/24 dev ens3"),
        ("ip l s ens3 mtu 9000", "ip link set dev ens3 mtu 9000"),
        (
            "ip n r 192.168.2.9 lladdr 0:1:2:3:4:5 dev ens3",
            "ip neighbour replace 192.168.2.9 lladdr 0:1:2:3:4:5 dev ens3",
        ),
        ("/sbin/ip -f inet route del default", "ip route del default"),
    ],
)
def test_short_words_mean_the_same(short, long):
    """As `ip` completes them."""
    first, second = run(short), run(long)

    assert "" == first.error == second.error
    assert second.state == first.state
    assert NODE != first.state


def test_looking_changes_nothing():
    """`show`, `get` and their like have no effect and no gap."""
    for line in (
        "ip a",
        "ip r",
        "ip -6 route show",
        "ip route get 1.1.1.1",
        "ip -d link show ens3",
        "bridge fdb show",
    ):
        assert Outcome(state=NODE) == run(line)


def test_a_batch_file_is_read_line_by_line():
    """Comments, blank lines and continuations; each command knows its line."""
    text = "# uplink\n\nroute add 10.5.0.0/16 \\\n  via 192.168.2.9\nlink set ens3 alias 'two words' # why\n-6 route del default\n"
    commands = read_ip_batch(text, name="x.batch", family="ip")

    assert [
        (("ip", "-4", "route", "add", "10.5.0.0/16", "via", "192.168.2.9"), 3),
        (("ip", "-4", "link", "set", "ens3", "alias", "two words"), 5),
        (("ip", "-4", "--", "-6", "route", "del", "default"), 6),
    ] == [(command.argv, command.source.line) for command in commands]
    assert "unknown" in run_ip(commands[2], NODE).error


WORDS = st.sampled_from(
    [
        "-4",
        "-6",
        "-f",
        "inet",
        "route",
        "rule",
        "addr",
        "link",
        "neigh",
        "nexthop",
        "fdb",
        "add",
        "del",
        "replace",
        "change",
        "append",
        "flush",
        "set",
        "show",
        "via",
        "dev",
        "ens3",
        "cni0",
        "10.0.0.0/8",
        "192.168.2.9",
        "192.168.2.9/24",
        "fd00::9",
        "default",
        "table",
        "100",
        "metric",
        "nexthop",
        "weight",
        "mtu",
        "1200",
        "9000",
        "up",
        "down",
        "name",
        "x",
        "master",
        "nomaster",
        "type",
        "veth",
        "bridge",
        "vxlan",
        "vlan",
        "id",
        "5",
        "peer",
        "local",
        "remote",
        "dstport",
        "src",
        "scope",
        "link",
        "proto",
        "static",
        "pref",
        "from",
        "to",
        "lookup",
        "fwmark",
        "0x1",
        "not",
        "group",
        "lladdr",
        "00:11:22:33:44:55",
        "nud",
        "permanent",
        "proxy",
        "alias",
        "address",
        "txqueuelen",
        "blackhole",
        "onlink",
        "encap",
        "ip",
        "brd",
        "+",
        "broadcast",
        "label",
        "flush",
        "all",
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(["ip", "bridge"]), st.lists(WORDS | st.text(max_size=4), max_size=12))
def test_any_words_end_in_an_outcome(tool, words):
    """Whatever stands in a script: a state, a gap or an error, and no change without an effect."""
    outcome = run_ip(Command(argv=(tool, *words), source=Source(name="s")), NODE)

    if outcome.error or outcome.gaps:
        assert NODE == outcome.state or not outcome.error
    if outcome.state != NODE:
        assert outcome.effects


@given(st.text())
def test_any_text_is_a_batch(text):
    """Each command has a line inside the file."""
    lines = len(text.splitlines())

    assert all(1 <= command.source.line <= lines for command in read_ip_batch(text, name="x"))
