"""From the collector to the scripts: the plan is made from the model's prediction, and the kernel is the judge."""

from pathlib import Path

from namespace import Namespace
from plan_node import Planned, Recipe, differences, observe, whole_state

from planner.models.proposal import Fragment, FragmentKind
from planner.plan.build import build_plan
from planner.proposal.propose import propose

SETUP = """
ip link add eth0 address 02:00:00:00:00:01 type veth peer name peer0 address 02:00:00:00:00:02
ip link add eth1 address 02:00:00:00:00:03 type veth peer name peer1 address 02:00:00:00:00:04
for l in eth0 eth1 peer0 peer1; do sysctl -qw net.ipv6.conf.$l.accept_dad=0; ip link set $l up; done
ip addr add 10.0.0.5/24 dev eth0; ip addr add 192.0.2.5/24 dev eth1; ip -6 addr add fd00::5/64 dev eth0 nodad
ip route add default via 10.0.0.1; ip -6 route add default via fd00::1; ip route add 10.244.1.0/24 via 10.0.0.7
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.eth1.forwarding=0
ipset create web hash:ip; ipset add web 10.0.0.9
iptables -P FORWARD DROP; iptables -A FORWARD -s 10.244.0.0/16 -j ACCEPT
iptables -N KUBE-X; iptables -A KUBE-X -m statistic --mode random --probability 0.2 -j RETURN; iptables -A INPUT -j KUBE-X
iptables-legacy -t nat -A POSTROUTING -s 10.9.0.0/16 -j MASQUERADE
mkdir -p /run/test
"""
HARDENING = """# hardening
net.ipv4.ip_forward = 0
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.default.rp_filter = 1
net.ipv6.conf.all.forwarding = 0
net.ipv4.tcp_rmem = 4096 65536 8388608
"""
SCRIPT = """set -e
iptables -I FORWARD 1 -i eth0 -p tcp --dport 443 -m comment --comment "the web's port" -j ACCEPT
iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
iptables -A FORWARD -m set --match-set web src -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables -F KUBE-X
ipset add web 10.0.0.10
ip route replace 10.244.1.0/24 via 10.0.0.8
ip route add 10.66.0.0/16 via 10.0.0.1 metric 50
ip rule add from 10.9.0.0/16 lookup 100 pref 50
ip link set eth1 mtu 1400
ip addr add 10.0.9.5/24 dev eth0
"""
REPLACED = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:MINE - [0:0]
-A INPUT -j MINE
-A MINE -m multiport -p tcp --dports 22,443 -j ACCEPT
COMMIT
"""


def test_what_the_model_predicts_is_what_the_scripts_find_and_take_back(
    node: Namespace, tmp_path: Path
) -> None:
    """Sysctl file, script and a whole replaced table: every step is found as predicted, and all of it is undone."""
    conf = Path("/run/test/90-hardening.conf")
    node.sh(SETUP)
    before = observe(node, (conf,))
    fragments = (
        Fragment(path="90-hardening.conf", kind=FragmentKind.SYSCTL, target=str(conf), text=HARDENING),
        Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text=SCRIPT),
        Fragment(path="rules.v4", kind=FragmentKind.IPTABLES_RESTORE, target="", text=REPLACED),
    )
    outlook = propose(before, fragments)
    assert () == outlook.gaps
    assert all(not stage.error for stage in outlook.stages)
    start = whole_state(node, (conf,))
    plan = Planned.on(node, Recipe(build_plan(outlook), ":", (conf,), (start,)), tmp_path)
    assert () == plan.recipe.plan.not_planned

    applied = plan.apply()
    assert 0 == applied.returncode, applied.stderr
    assert differences(start, whole_state(node, (conf,)))

    back = plan.rollback()
    assert 0 == back.returncode, back.stderr
    assert [] == plan.differs_from(0)
