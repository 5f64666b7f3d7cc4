"""What a script reads of policy rules and routes is what the plan expects there, to the letter."""

import pytest
from ip_world import QUIET, read_state
from namespace import Namespace

from planner.models.proposal import Command
from planner.models.source import Source
from planner.plan.checks_routes import route_facets
from planner.plan.scope import scope
from planner.proposal.run import run

LINKS = """
ip link add v0 type veth peer name v1
ip link set v0 up
ip link set v1 up
ip addr add 10.0.0.1/24 dev v0
ip addr add fd00::1/64 dev v0 nodad
ip nexthop add id 77 via 10.0.0.7 dev v0
ip nexthop add id 78 via 10.0.0.8 dev v0
ip nexthop add id 79 group 77/78
"""
CHANGES = (
    "ip rule add from 10.244.1.7 lookup 77",
    "ip rule add from 10.244.1.7/32 to 10.9.9.9 lookup 77 pref 50",
    "ip rule add to 10.9.0.0/16 iif v0 lookup 77",
    "ip rule add fwmark 0x80/0x80 lookup 77",
    "ip rule add fwmark 16 lookup 77",
    "ip rule add not from 10.0.0.0/8 oif v0 lookup 77",
    "ip rule add tos 0x10 lookup 77",
    "ip rule add uidrange 0-100 ipproto tcp dport 80-90 lookup 77",
    "ip rule add ipproto udp sport 53 lookup 77",
    "ip rule add from all lookup main suppress_prefixlength 0",
    "ip rule add from 10.1.1.1 prohibit",
    "ip rule add from 0.0.0.0/0 lookup 77 protocol static",
    "ip rule add to 0.0.0.0/0 ipproto icmp lookup 77",
    "ip -6 rule add from fd00::7 lookup 77",
    "ip -6 rule add from ::/0 ipproto ipv6-icmp lookup 77",
    "ip -6 rule add from fd00::7 to fd00:1::/64 unreachable pref 60",
    "ip route add 10.9.9.9 via 10.0.0.9",
    "ip route add 10.9.9.9/32 dev v0 table 77",
    "ip route add 10.9.0.0/16 via 10.0.0.9 tos 0x10 metric 5 proto static",
    "ip route add blackhole 10.9.0.0/16",
    "ip route add prohibit 10.9.0.0/16 table 77 metric 9",
    "ip route add default nexthop via 10.0.0.9 weight 2 nexthop via 10.0.0.8 onlink dev v0",
    "ip route add default via 10.0.0.9 dev v0 onlink src 10.0.0.1 mtu 1400 advmss 1300",
    "ip -6 route add fd00:9::9 via fd00::9",
    "ip -6 route add unreachable fd00:9::/64",
    "ip -6 route add default via fd00::9 metric 7",
    "ip nexthop add id 5 via 10.0.0.9 dev v0",
    "ip nexthop add id 5 via 10.0.0.9 dev v0 onlink proto static",
    "ip nexthop add id 5 via fd00::9 dev v0",
    "ip nexthop add id 5 dev v0",
    "ip nexthop add id 5 blackhole",
    "ip nexthop replace id 77 via 10.0.0.8 dev v0",
    "ip nexthop replace id 79 group 77/78,3",
    "ip nexthop del id 78",
    "ip route add 10.9.0.0/16 nhid 77 tos 0x10 metric 5 proto static",
    "ip route add 10.9.0.0/16 nhid 79",
    "ip -6 route add fd00:9::/64 via fd00::9 initcwnd 20 hoplimit 7",
    "ip route add 10.9.0.0/16 via 10.0.0.9 mtu 1400 window 7 cwnd 5 advmss 1000 reordering 4 hoplimit 3 initcwnd 20 initrwnd 9 quickack 1",
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_script_finds_what_the_plan_expects(node: Namespace, change: str) -> None:
    """Otherwise apply.sh would stop on a node on which everything is right."""
    node.sh(QUIET)
    node.sh(LINKS)
    before = read_state(node)
    stage = run(Command(argv=tuple(change.split()), source=Source(name="t")), before)
    assert ("", ()) == (stage.error, stage.gaps)
    facets = route_facets(before, stage.after, scope((before, stage.after)))

    def found() -> list[str]:
        return [" ".join(node.run(list(facet.argv)).stdout.split()) for facet in facets]

    assert facets
    assert [facet.before for facet in facets] == found()
    node.sh(change)
    assert [facet.after for facet in facets] == found()
