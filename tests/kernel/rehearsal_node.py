"""A small node with something of everything, and plans for it."""

from functools import cache

from namespace import Namespace
from plan_node import observe

from planner.models.node import NodeState
from planner.models.plan import Plan
from planner.models.proposal import Fragment, FragmentKind, Outlook
from planner.models.rehearsal import Rehearsal
from planner.plan.build import build_plan
from planner.proposal.propose import propose
from planner.rehearse.run import rehearse

SETUP = """
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.addr_gen_mode=1
ip link add eth0 address 02:00:00:00:00:01 type veth peer name peer0
ip link add eth1 address 02:00:00:00:00:03 type veth peer name peer1
ip link add br0 address 02:00:00:00:00:05 type bridge
ip link set peer1 master br0
for l in eth0 eth1 peer0 peer1 br0; do sysctl -qw net.ipv6.conf.$l.addr_gen_mode=1; ip link set $l up; done
ip addr add 10.0.0.5/24 dev eth0; ip addr add 10.0.0.6/24 dev eth0; ip addr add 192.0.2.5/24 dev eth1
ip addr add 10.244.1.1/24 dev br0
ip -6 addr add fd00::5/64 dev eth0 nodad; ip -6 addr add fd00::6/64 dev eth0 nodad; ip -6 route add fd01::/64 via fd00::1
ip nexthop add id 7 via 10.0.0.9 dev eth0; ip nexthop add id 8 via 192.0.2.9 dev eth1; ip nexthop add id 9 group 7/8
ip route add default via 10.0.0.1 src 10.0.0.6; ip route add 10.244.2.0/24 via 10.0.0.7; ip route add 10.77.0.0/16 nhid 9
ip link add vx1 address 02:00:00:00:00:07 type vxlan id 1 dev eth0 local 10.0.0.5 dstport 8472 nolearning
sysctl -qw net.ipv6.conf.vx1.addr_gen_mode=1; ip link set vx1 mtu 1450 up; ip addr add 10.244.1.0/32 dev vx1
ip route add 10.244.3.0/24 via 10.244.3.0 dev vx1 onlink
ip neigh add 10.244.3.0 lladdr 02:00:00:00:00:33 dev vx1 nud permanent
bridge fdb append 02:00:00:00:00:33 dev vx1 dst 10.0.0.8 self permanent
ip neigh add 10.0.0.7 lladdr 02:00:00:00:00:77 dev eth0 nud permanent
ip -6 neigh add fd00::7 lladdr 02:00:00:00:00:77 dev eth0 nud permanent
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.eth1.forwarding=0
ipset create web hash:ip; ipset add web 10.0.0.9
iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -s 10.244.0.0/16 -j ACCEPT
iptables-nft -A FORWARD -m set --match-set web src -j ACCEPT; iptables-nft -A FORWARD -d 10.244.0.0/16 -j ACCEPT
iptables-nft -N KUBE-X; iptables-nft -A KUBE-X -j RETURN; iptables-nft -A INPUT -j KUBE-X
iptables-legacy -t nat -A POSTROUTING -s 10.9.0.0/16 -j MASQUERADE
nft add table inet own; nft add chain inet own c '{ type filter hook input priority 5; }'; nft add rule inet own c tcp dport 9 drop
nft add table inet own2; nft add set inet own2 ports '{ type inet_service; flags interval; }'
nft add map inet own2 verdicts '{ type inet_service : verdict; elements = { 22 : accept }; }'
"""


@cache
def recorded() -> NodeState:
    """The node as the collector saw it once."""
    with Namespace() as node:
        node.sh(SETUP)
        return observe(node).model_copy(update={"iptables_default": "nft"})


def planned(script: str, *more: Fragment) -> tuple[Outlook, Plan]:
    """What a script is predicted to do to the node, and the plan."""
    own = Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text=script)
    outlook = propose(recorded(), ((own,) if script else ()) + more)
    return outlook, build_plan(outlook)


def rehearsed(script: str, *more: Fragment, **options: bool) -> Rehearsal:
    """The rehearsal of a script's plan."""
    outlook, plan = planned(script, *more)
    return rehearse(outlook, plan, **options)
