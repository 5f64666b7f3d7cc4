"""Whatever is done, in whatever order: the rollback of any part of it gives back the node as it was."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from namespace import Namespace
from plan_node import Planned, command, recipe, write

SETUP = """
ip link add eth0 address 02:00:00:00:00:01 type veth peer name peer0 address 02:00:00:00:00:02
ip link add eth1 address 02:00:00:00:00:03 type veth peer name peer1 address 02:00:00:00:00:04
for l in eth0 eth1 peer0 peer1; do sysctl -qw net.ipv6.conf.$l.accept_dad=0; ip link set $l up; done
ip addr add 10.0.0.5/24 dev eth0; ip addr add 192.0.2.5/24 dev eth1
ip -6 addr add fd00::5/64 dev eth0 nodad; ip -6 route add fd01::/64 via fd00::1
ip route add default via 10.0.0.1; ip route add 10.244.1.0/24 via 10.0.0.7 metric 10; ip route add blackhole 10.66.0.0/16
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth1.forwarding=0 net.ipv4.conf.eth0.rp_filter=2
ipset create web hash:ip; ipset add web 10.0.0.9
for b in nft legacy; do
  iptables-$b -A FORWARD -s 10.244.0.0/16 -j ACCEPT; iptables-$b -A FORWARD -d 10.244.0.0/16 -j ACCEPT
  iptables-$b -N KUBE-X; iptables-$b -A KUBE-X -j RETURN; iptables-$b -A INPUT -j KUBE-X
done
mkdir -p /run/test; echo 'net.ipv4.ip_forward = 1' >/run/test/a.conf
"""
A, B = Path("/run/test/a.conf"), Path("/run/test/b.conf")
SYSCTLS = st.builds(
    lambda key, value: command("sysctl", "-w", f"{key}={value}"),
    st.sampled_from(
        (
            "net.ipv4.ip_forward",
            "net.ipv4.conf.all.rp_filter",
            "net.ipv4.conf.default.rp_filter",
            "net.ipv4.conf.eth0.rp_filter",
            "net.ipv4.conf.eth1.forwarding",
            "net.ipv4.conf.all.forwarding",
            "net.ipv6.conf.all.forwarding",
            "net.core.somaxconn",
        )
    ),
    st.sampled_from(("0", "1")),
)
CHAINS = st.sampled_from(("INPUT", "FORWARD", "KUBE-X", "NEW"))
RULES = st.sampled_from(("-s 10.9.0.0/16 -j DROP", "-p tcp --dport 80 -j ACCEPT", "-j KUBE-X", "-j NEW"))
IPTABLES = st.builds(
    lambda backend, words: command(f"iptables-{backend}", *words.split()),
    st.sampled_from(("nft", "legacy")),
    st.one_of(
        st.builds("-A {} {}".format, CHAINS, RULES),
        st.builds("-I {} {}".format, CHAINS, RULES),
        st.builds("-D {} 1".format, CHAINS),
        st.builds("-F {}".format, CHAINS),
        st.sampled_from(
            (
                "-N NEW",
                "-X NEW",
                "-P FORWARD DROP",
                "-t nat -A POSTROUTING -j MASQUERADE",
                "-t raw -N Z",
                "-E KUBE-X OLD",
            )
        ),
    ),
)
ROUTES = st.sampled_from(
    (
        "route add 10.77.0.0/16 via 10.0.0.9 table 100",
        "route replace 10.244.1.0/24 via 10.0.0.8 metric 10",
        "route del 10.244.1.0/24",
        "route add 10.88.0.0/16 nexthop via 10.0.0.2 weight 2 nexthop via 192.0.2.2",
        "route replace default via 192.0.2.1",
        "route del blackhole 10.66.0.0/16",
        "-6 route del fd01::/64",
        "-6 route add unreachable fd02::/64",
        "rule add from 10.9.0.0/16 lookup 100 pref 50",
        "rule add fwmark 0x1/0xff blackhole pref 51",
        "-6 rule add not from fd00::/8 lookup main suppress_prefixlength 0 pref 52",
        "addr add 10.0.9.5/24 dev eth0",
        "link set eth1 mtu 1400",
    )
).map(lambda words: command("ip", *words.split()))
SETS = st.sampled_from(
    ("ipset add web 10.0.0.10", "ipset flush web", "ipset create more hash:net", "ipset destroy web")
).map(lambda words: command(*words.split()))
FILES = st.sampled_from((write(A, "changed\n"), write(A, None), write(B, "no end"), write(B, "")))
OPERATIONS = st.lists(st.one_of(SYSCTLS, IPTABLES, ROUTES, SETS, FILES), min_size=3, max_size=7)


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(operations=OPERATIONS, cut=st.integers(1, 7))
def test_the_rollback_of_any_prefix_restores_the_node(operations: list, cut: int) -> None:
    """Equality of everything that is read, for random operations, taken back from after a random step."""
    made = recipe(SETUP, tuple(operations), (A, B))
    assume(made.plan.steps)
    cut = min(cut, len(made.plan.steps))
    with Namespace() as node, tempfile.TemporaryDirectory() as directory:
        plan = Planned.on(node, made, Path(directory))
        assert [] == plan.differs_from(0)

        applied = plan.apply("--to", str(cut))
        assert 0 == applied.returncode, applied.stderr
        assert [] == plan.differs_from(cut)

        back = plan.rollback()
        assert 0 == back.returncode, back.stderr
        assert [] == plan.differs_from(0)
