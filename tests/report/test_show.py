"""A node in words, for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models.cluster import Cluster, ClusterNode, Pod
from planner.models.link import Address, Link
from planner.models.node import ConfigFile, Conntrack, Listener, NodeState, Volatile
from planner.models.route import NextHop, Route
from planner.models.ruleset import Ruleset, Table
from planner.models.snapshot import Snapshot
from planner.models.source import Gap
from planner.report.show import describe

RULES = {
    "KUBE-SERVICES": (
        '! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -j KUBE-MARK-MASQ',
        '-d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -j KUBE-SVC-DNS',
    ),
    "KUBE-NODEPORTS": ('-p tcp -m comment --comment "shop/web:http" -m tcp --dport 30080 -j KUBE-EXT-WEB',),
    "KUBE-SVC-DNS": (),
}


def node(name="worker-1", *, tunnel_mtu=1450, **more):
    fields = {
        "links": (
            Link(name="eth0", mtu=1500, addresses=(Address(address="10.0.0.5", length=24),)),
            Link(name="flannel.1", kind="vxlan", mtu=tunnel_mtu, options={"id": "1"}),
            Link(name="cni0", kind="bridge", mtu=1450),
            Link(name="veth1", kind="veth", master="cni0", mtu=1450, peer_elsewhere=True),
        ),
        "routes": (Route(family="ip", prefix="0.0.0.0/0", nexthops=(NextHop(via="10.0.0.1", link="eth0"),)),),
        "rulesets": (Ruleset(family="ip", backend="nft", tables={"nat": Table(name="nat", chains=RULES)}),),
        "sysctls": {
            "net.netfilter.nf_conntrack_max": "262144",
            "net.ipv4.neigh.default.gc_thresh3": "1024",
            "net.ipv4.ip_local_port_range": "10240 65535",
        },
        "volatile": Volatile(
            conntrack=Conntrack(count=100_000, drop=7),
            neighbour_count={"ip": 40},
            listeners=(Listener(protocol="tcp", address="*", port=10250, process="kubelet"),),
        ),
        "files": {"/etc/resolv.conf": ConfigFile(text="nameserver 192.0.2.53\n")},
        "gaps": (Gap(section="policy_rules/ip6", reason="not allowed"),),
    }
    return NodeState(name=name, **{**fields, **more})


def shown(*nodes, cluster=None, **options):
    return describe(
        Snapshot(taken_at="2026-01-02T03:04:05Z", nodes=nodes or (node(),), cluster=cluster), **options
    )


@pytest.mark.parametrize(
    "fact",
    [
        "flannel, VXLAN between nodes",
        "10.244.0.0/16",
        "10.96.0.0/12",
        "iptables mode",
        "3 rules in",
        "1450, ok: 1500 - 50 = 1450",
        "tight: 100,000 of 262,144 flows (38%)",
        "7 packets dropped because the table was full",
        "40 of 1,024 entries (4%)",
        "10240-65535",
        "NodePorts in use (30080)",
        "(10250)",
        "192.0.2.53",
        "policy_rules/ip6: not allowed",
        "snapshot of 2026-01-02T03:04:05Z",
    ],
)
def test_a_reader_finds_the_fact(fact):
    """Network, ranges, owners, MTUs with their arithmetic, room, ports, DNS and what is not known stand in the text."""
    assert fact in " ".join(shown().split())


def test_a_tunnel_that_is_too_large_is_said_with_its_arithmetic():
    """1500 - 50 = 1450: a tunnel of 1500 does not fit through its uplink."""
    assert "too big: 1500, and 1500 - 50 = 1450" in shown(node(tunnel_mtu=1500))


def test_names_stand_whole():
    """A name that is longer than the column widens it: `iptables-legac` is no program."""
    tools = {"iptables-legacy": "v1.8.9 (legacy)", "iptables-nft": "v1.8.9 (nf_tables)"}
    lines = shown(node(tools=tools)).splitlines()

    assert "  iptables-legacy  v1.8.9 (legacy)" in lines
    assert "  iptables-nft     v1.8.9 (nf_tables)" in lines


def test_what_is_not_known_is_said():
    """A node of which nothing was read is not a node without a network."""
    gaps = tuple(
        Gap(section=s, reason="needs root") for s in ("links", "routes", "iptables", "nft", "sysctl")
    )
    text = shown(NodeState(name="dark", gaps=gaps))

    for line in (
        "kind           not known",
        "kube-proxy     not known",
        "pod range      not known",
        "links: needs root",
    ):
        assert line in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_asked(width):
    """At 80 columns the text can be read in a terminal and pasted into a ticket."""
    long = node(links=(Link(name="eth0"), *(Link(name=f"cali{i:011x}", kind="veth") for i in range(300))))

    assert width >= max(map(len, shown(long, width=width).splitlines()))


def test_colour_adds_no_meaning():
    """Without its escapes the coloured text is the plain one."""
    coloured = shown(color=True)
    for escape in ("\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"):
        coloured = coloured.replace(escape, "")

    assert shown() == coloured
    assert "\x1b" not in shown()


@given(name=st.text(min_size=1, max_size=20), reason=st.text(max_size=40))
def test_names_and_reasons_cannot_forge_lines(name, reason):
    """What others wrote stays on its line and never reaches the terminal as a control."""
    gaps = (Gap(section="x", reason=reason),)
    text = shown(node(name, gaps=gaps, os=name))
    plain = shown(node("n", gaps=(Gap(section="x", reason="r"),), os="o"))

    assert not any(ord(c) < 32 and c != "\n" for c in text)
    assert titles(plain) == titles(text)


def titles(text):
    """Headings from the network on: lines that are not indented."""
    below = text[text.index("\nPod network\n") :]
    return [line for line in below.splitlines() if line and not line.startswith(" ")]


def test_nodes_stand_in_the_order_of_their_names():
    """The order of collection does not matter, and the cluster's pods are counted for each."""
    cluster = Cluster(
        nodes=(ClusterNode(name="a"), ClusterNode(name="b")),
        pods=(Pod(namespace="x", name="p", node="b"),),
    )
    forward, backward = (
        shown(*pair, cluster=cluster) for pair in ((node("a"), node("b")), (node("b"), node("a")))
    )

    assert forward == backward
    assert forward.index("Node a") < forward.index("Node b")
    assert "1 on this node, on a bridge" in forward
