"""Changes whose obvious inverse leaves something behind: what it leaves is seen, and the plan's own way back is exact."""

import pytest
from namespace import Namespace
from plan_node import observe
from rehearsal_node import planned

from planner.models.plan import Action, UndoKind
from planner.models.proposal import Fragment, FragmentKind
from planner.models.rehearsal import Proof
from planner.plan.build import build_plan
from planner.proposal.propose import propose
from planner.rehearse.run import rehearse
from planner.rehearse.scripts import Scripts
from planner.rehearse.stage import Stage

CLASSICS = {
    "link down and up": ("ip link set eth0 down", ("ip link set eth0 up",), "fd00::5"),
    "primary address": (
        "ip addr del 10.0.0.5/24 dev eth0",
        ("ip addr add 10.0.0.5/24 dev eth0",),
        "10.0.0.6",
    ),
    "IPv6 off and on": (
        "sysctl -w net.ipv6.conf.all.disable_ipv6=1",
        ("sysctl -w net.ipv6.conf.all.disable_ipv6=0",),
        "fd00::5",
    ),
    "MTU below 1280": ("ip link set eth0 mtu 1200", ("ip link set eth0 mtu 1500",), "fd00::5"),
    "rule order": ("iptables -D FORWARD 1", ("iptables -A FORWARD -s 10.244.0.0/16 -j ACCEPT",), "FORWARD"),
    "nexthop of a group": (
        "ip nexthop del id 7",
        ("ip nexthop add id 7 via 10.0.0.9 dev eth0",),
        "nexthop 9",
    ),
    "vxlan made again": (
        "ip link del vx1",
        (
            "ip link add vx1 type vxlan id 1 dev eth0 local 10.0.0.5 dstport 8472 nolearning",
            "ip link set vx1 up",
        ),
        "02:00:00:00:00:33",
    ),
    "forwarding off and on": (
        "sysctl -w net.ipv4.ip_forward=0",
        ("sysctl -w net.ipv4.ip_forward=1",),
        "net.ipv4.conf.eth1.forwarding",
    ),
}


RETURNING = {
    "a link made again does not take over what is the default by now": """
sysctl -w net.ipv4.conf.default.rp_filter=1
ip link del vx1
""",
    "IPv6 that comes back with the MTU does not take over the default": """
sysctl -w net.ipv6.conf.eth0.disable_ipv6=7
ip link set eth0 mtu 1200
""",
    "an overlay link that kept its MTU over a smaller one gets it again": """
ip link set eth0 mtu 1200
ip link del vx1
""",
    "a next hop that outlived the way to its gateway comes back with its link": """
ip addr del 10.0.0.5/24 dev eth0
ip link set eth0 down
""",
}
"""Found by random rehearsals (seeds 10037, 10177, 10725 and 11002)."""


def test_what_discards_packets_goes_with_ipv6_on_lo() -> None:
    """An unreachable route of IPv6 lies on lo: where IPv6 is switched off everywhere, it goes and comes back (seed 20287)."""
    outlook, plan = planned(
        "ip -6 route add unreachable fd02::/64\nsysctl -w net.ipv6.conf.all.disable_ipv6=1\n"
    )

    found = rehearse(outlook, plan, packets=False, trials=False)

    assert not found.failed, (found.reason, found.turns)


def test_a_route_of_ipv6_over_several_next_hops_is_read_back() -> None:
    """`ip` prints no blank between its preference and the next hops."""
    outlook, plan = planned(
        "ip -6 route add fd05::/64 nexthop via fd00::3 nexthop via fd00::4\n"
        "ip -6 route replace fd05::/64 nexthop via fd00::3 weight 3 nexthop via fd00::8\n"
        "ip -6 route add fd06::/64 metric 7 proto 80 nexthop via fd00::3 nexthop via fd00::4\n"
    )

    found = rehearse(outlook, plan, packets=False, trials=False)

    assert not found.failed, (found.reason, found.turns)
    assert [True] * 3 == [turn.applied for turn in found.turns]


@pytest.mark.parametrize("key", ["all", "br0"])
def test_a_bridge_keeps_the_address_of_its_former_hardware_address(key: str) -> None:
    """Switched on again, IPv6 makes one of the present hardware address: it was not there and goes."""
    with Namespace() as node:
        node.sh(
            "ip link add br0 type bridge; ip link set br0 up; ip link add v0 type veth peer name v1\n"
            "ip link set v0 master br0; ip link set v0 up; ip link set v1 up\n"
            "until ip -6 addr show dev br0 | grep -q 'fe80.*scope link $'; do sleep 0.1; done\n"
            "ip link set br0 address 02:00:00:00:00:99\n"
            "until ! ip -6 addr | grep -q tentative; do sleep 0.1; done"
        )
        state = observe(node)
    change = Fragment(
        path="change.sh",
        kind=FragmentKind.SCRIPT,
        target="",
        text=f"sysctl -w net.ipv6.conf.{key}.disable_ipv6=1\n",
    )
    outlook = propose(state, (change,))

    found = rehearse(outlook, build_plan(outlook), packets=False, trials=False)

    assert not found.failed, (found.reason, found.turns)


@pytest.mark.parametrize("values", [("2", "0"), ("1", "2")], ids=["there and back", "on and on"])
def test_what_a_step_may_have_changed_is_no_reason_to_refuse_the_next(values: tuple[str, str]) -> None:
    """A default is copied to links that have no address; whether it is hangs on what no snapshot shows (seeds 20041, 20062)."""
    outlook, plan = planned(
        "".join(f"sysctl -w net.ipv4.conf.default.rp_filter={value}\n" for value in values)
    )

    found = rehearse(outlook, plan, packets=False, trials=False)

    assert not found.failed, (found.reason, found.turns)
    assert [True, True] == [turn.applied for turn in found.turns]


@pytest.mark.parametrize("name", RETURNING)
def test_values_that_come_back_with_a_link_are_its_own(name: str) -> None:
    """The kernel fills them from `default`, or from the link below; the way back writes those that were others."""
    outlook, plan = planned(RETURNING[name].lstrip())

    found = rehearse(outlook, plan, packets=False, trials=False)

    assert not found.failed, (found.reason, found.turns)
    assert [True, True] == [turn.undone for turn in found.turns]


SAME_NUMBER = (
    "ip nexthop replace id 7 via 10.0.0.8 dev eth0",
    "ip nexthop replace id 9 group 7",
    "ip nexthop add id 5 via 10.0.0.8 dev eth0\nip nexthop replace id 5 via 192.0.2.7 dev eth1",
    "ip route replace 10.77.0.0/16 nhid 7",
    "ip route replace 10.244.2.0/24 via 10.0.0.7 initcwnd 20",
    "ip route replace 10.244.2.0/24 via 10.0.0.7 initcwnd 20\nip route replace 10.244.2.0/24 via 10.0.0.7 initcwnd 30",
)


@pytest.mark.parametrize("change", SAME_NUMBER)
def test_what_is_only_replaced_is_taken_back(change: str) -> None:
    """There are as many things after it as before: their number does not show that it was done."""
    outlook, plan = planned(f"{change}\n")

    found = rehearse(outlook, plan, packets=False, trials=True)

    assert not found.failed, (found.reason, found.turns, found.trials)


@pytest.mark.parametrize("name", CLASSICS)
def test_the_own_way_back_is_exact(name: str) -> None:
    """Predicted as it happens, and taken back without residue."""
    outlook, plan = planned(CLASSICS[name][0])

    found = rehearse(outlook, plan, packets=False, trials=False)

    assert not found.failed, (found.reason, found.turns)
    assert all(turn.applied and turn.undone and not turn.left_behind for turn in found.turns)


@pytest.mark.parametrize("name", CLASSICS)
def test_the_obvious_inverse_is_caught(name: str) -> None:
    """The same change with the inverse that one would type: what it leaves behind is named."""
    change, inverse, left = CLASSICS[name]
    outlook, plan = planned(change)
    (step,) = plan.steps
    naive = step.model_copy(update={"undo": tuple(Action(argv=tuple(words.split())) for words in inverse)})

    found = rehearse(outlook, plan.model_copy(update={"steps": (naive,)}), packets=False, trials=False)

    assert Proof.NOT_UNDONE is found.proof
    told = [f"{one.what} {one.wanted} {one.found}" for one in found.turns[0].left_behind]
    assert any(left in line for line in told), told


PORTS = """
ip link add br1 type bridge; ip link set br1 up
for n in 1 2; do ip link add v$n address 02:00:00:00:10:0$n type veth peer name w$n; done
for l in v1 v2; do ip link set $l master br1; done
for l in v1 v2 w1 w2; do ip link set $l up; done
bridge link set dev v1 hairpin on; bridge link set dev v2 cost 55
ip addr add 10.70.0.1/24 dev br1
"""
OF_BRIDGES = {
    "a bridge without ports has a carrier and what its kind has": """
ip link add br7 type bridge
ip link set br7 up
ip addr add 10.71.0.1/24 dev br7
ip link set v1 master br7
""",
    "a port that leaves takes the hardware address of the bridge along": "ip link set v1 nomaster\n",
    "a port that is deleted, too": "ip link del v1\n",
    "a port that comes back has the settings of a new one": "ip link set v1 nomaster\nip link set v1 master br1\n",
    "a bridge that is deleted": "ip link del br1\n",
    "a link on another one": "ip link add mv7 link v1 type macvlan mode bridge\nip link del mv7\n",
}


@pytest.mark.parametrize("name", OF_BRIDGES)
def test_bridges_and_their_ports(name: str) -> None:
    """What the kernel chooses by itself is no wrong prediction; what was set on a port comes back with it."""
    with Namespace() as node:
        node.sh(f"{PORTS}until ! ip -6 addr | grep -q tentative; do sleep 0.1; done")
        state = observe(node)
    change = Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text=OF_BRIDGES[name].lstrip())
    outlook = propose(state, (change,))
    plan = build_plan(outlook)

    found = rehearse(outlook, plan, packets=False)

    assert not found.failed, (found.reason, found.turns, found.trials)
    assert UndoKind.NONE not in {step.undo_kind for step in plan.steps}


def test_a_bridge_that_was_rebuilt_still_follows_its_ports() -> None:
    """It has the smallest address of its ports because nobody has given it one: on the stage, and after a way back."""
    with Namespace() as node:
        node.sh(f"{PORTS}until ! ip -6 addr | grep -q tentative; do sleep 0.1; done")
        state = observe(node)
    change = Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text="ip link set v1 nomaster\n")
    outlook = propose(state, (change,))

    with Stage(state) as stage:
        stage.rebuild()
        scripts = Scripts.on(stage, build_plan(outlook))
        assert 0 == scripts.apply().status
        assert 0 == scripts.rollback().status
        stage.run(("ip", "link", "set", "v1", "nomaster"))
        bridge = stage.snapshot().link("br1")

    assert bridge is not None
    assert "02:00:00:00:10:02" == bridge.mac
