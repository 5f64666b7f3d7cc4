"""Published mistakes and their harmless twins: the same write in another context gets another level."""

import pytest
from sysctl_review import (
    CALICO,
    CALICO_LINKS,
    CALICO_ROUTES,
    CILIUM,
    CILIUM_LINKS,
    DEFAULT_ROUTE,
    FLANNEL,
    FLANNEL_LINKS,
    link,
    loudest,
    node,
    route,
    said,
    with_rules,
    with_values,
)

from planner.models.finding import Finding, Level, Reversibility
from planner.models.horizon import Horizon
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.route import NextHop, PolicyRule, Route
from planner.models.ruleset import Ruleset, Table
from planner.models.topology import Topology
from planner.models.traffic import TrafficClass

NONE, LOW, MEDIUM, HIGH, CRITICAL = Level.NONE, Level.LOW, Level.MEDIUM, Level.HIGH, Level.CRITICAL
Case = tuple[str, NodeState, list[tuple[str, str]], Topology, Level, Level]

TWO_UPLINKS = FLANNEL.model_copy(update={"uplinks": ("eth0", "eth1")})
TWO_LINKS = (*FLANNEL_LINKS, link("eth1", "192.0.2.5/24"))
SECOND_ENI = (
    PolicyRule(family="ip", preference=512, destination="10.8.0.5/32", table="254"),
    PolicyRule(family="ip", preference=1024, fwmark="0x80/0x80", table="254"),
    PolicyRule(family="ip", preference=1536, source="10.8.0.5/32", table="2"),
)
RA = route("::/0", "eth0", "fe80::99", protocol="ra")
DUAL_LINKS: tuple[Link, ...] = (
    link("lo", "127.0.0.1/8", "::1/128"),
    link("eth0", "10.0.0.5/24", "2001:db8::5/64"),
    link("cali1", kind="veth"),
    link("cali2", kind="veth"),
)
DUAL = CALICO.model_copy(update={"pod_ranges": ("10.244.0.0/16", "fd00::/48")})
SIX = CALICO.model_copy(update={"pod_ranges": ("fd00::/48",), "node_pod_ranges": ()})
GUARD = Ruleset(
    family="ip",
    backend="nft",
    tables={
        "filter": Table(
            name="filter",
            policies={"INPUT": "ACCEPT", "FORWARD": "ACCEPT"},
            chains={
                "INPUT": ("-j KUBE-FIREWALL",),
                "FORWARD": (),
                "KUBE-FIREWALL": (
                    "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
                ),
            },
        )
    },
)
DROPPING = Ruleset(
    family="ip",
    backend="nft",
    tables={
        "filter": Table(name="filter", policies={"FORWARD": "DROP"}, chains={"FORWARD": ("-j DOCKER-USER",)})
    },
)
ECMP = Route(
    family="ip",
    prefix="0.0.0.0/0",
    nexthops=(NextHop(via="10.0.0.2", link="eth0"), NextHop(via="10.0.1.2", link="eth1")),
)


def rules(state: NodeState, ruleset: Ruleset) -> NodeState:
    return state.model_copy(update={"rulesets": (ruleset,)})


ALL_RP, ETH0_RP = "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.eth0.rp_filter"
flannel, calico = node(), node(CALICO_LINKS, CALICO_ROUTES)
cilium = node(CILIUM_LINKS, (DEFAULT_ROUTE, route("10.244.1.0/24", "cilium_host", "10.244.1.1")))
second_eni = node(
    (*CALICO_LINKS, link("eth1", "10.8.0.9/24")),
    (*CALICO_ROUTES, route("10.8.0.5/32", "cali1"), route("0.0.0.0/0", "eth1", "10.8.0.1", table="2")),
)
"""The pod 10.8.0.5 behind cali1 has an address of the second device, and answers by it."""
dual = node(DUAL_LINKS, (DEFAULT_ROUTE, RA))
six_only = node((link("lo", "127.0.0.1/8"), link("eth0", "2001:db8::5/64")), (RA,))
open_localnet = with_values(flannel, {"net.ipv4.conf.all.route_localnet": "1"})

CASES: list[Case] = [
    ("forwarding off", flannel, [("net.ipv4.ip_forward", "0")], FLANNEL, CRITICAL, CRITICAL),
    ("the same value again", flannel, [("net.ipv4.ip_forward", "1")], FLANNEL, NONE, NONE),
    (
        "toggled, and an exception lost",
        with_values(node(TWO_LINKS), {"net.ipv4.conf.eth1.forwarding": "0"}),
        [("net.ipv4.ip_forward", "0"), ("net.ipv4.ip_forward", "1")],
        FLANNEL,
        MEDIUM,
        MEDIUM,
    ),
    (
        "the same value beside an exception",
        with_values(node(TWO_LINKS), {"net.ipv4.conf.eth1.forwarding": "0"}),
        [("net.ipv4.ip_forward", "1")],
        FLANNEL,
        NONE,
        NONE,
    ),
    (
        "one uplink stops forwarding",
        flannel,
        [("net.ipv4.conf.eth0.forwarding", "0")],
        FLANNEL,
        CRITICAL,
        CRITICAL,
    ),
    (
        "the default, one link for each pod",
        calico,
        [("net.ipv4.conf.default.forwarding", "0")],
        CALICO,
        HIGH,
        HIGH,
    ),
    ("the default, a bridge", flannel, [("net.ipv4.conf.default.forwarding", "0")], FLANNEL, NONE, LOW),
    (
        "a glob of the distribution over the pods' links",
        cilium,
        [("net.ipv4.conf.lxc1.rp_filter", "2"), ("net.ipv4.conf.lxc2.rp_filter", "2")],
        CILIUM,
        CRITICAL,
        CRITICAL,
    ),
    (
        "the agent's own override",
        with_values(cilium, {"net.ipv4.conf.lxc1.rp_filter": "2", "net.ipv4.conf.lxc2.rp_filter": "2"}),
        [("net.ipv4.conf.lxc1.rp_filter", "0"), ("net.ipv4.conf.lxc2.rp_filter", "0")],
        CILIUM,
        NONE,
        LOW,
    ),
    (
        "strict with a second interface",
        with_values(with_rules(second_eni, *SECOND_ENI), {ETH0_RP: "2"}),
        [(ETH0_RP, "1")],
        CALICO,
        HIGH,
        HIGH,
    ),
    ("strict on one uplink", flannel, [(ALL_RP, "1")], FLANNEL, NONE, LOW),
    ("strict on one uplink, routed pods", calico, [(ALL_RP, "1")], CALICO, NONE, LOW),
    (
        "from loose to strict under eBPF",
        with_values(cilium, {ALL_RP: "2"}),
        [(ALL_RP, "1")],
        CILIUM,
        HIGH,
        CRITICAL,
    ),
    (
        "strict with answers by another uplink",
        node(TWO_LINKS, (DEFAULT_ROUTE, route("198.51.100.0/24", "eth1", "192.0.2.1"))),
        [(ALL_RP, "1")],
        TWO_UPLINKS,
        HIGH,
        HIGH,
    ),
    (
        "the default, links without address",
        cilium,
        [("net.ipv4.conf.default.rp_filter", "1")],
        CILIUM,
        HIGH,
        HIGH,
    ),
    ("the default, bridge ports", flannel, [("net.ipv4.conf.default.rp_filter", "1")], FLANNEL, NONE, LOW),
    (
        "from strict to loose",
        with_values(flannel, {ALL_RP: "1", ETH0_RP: "1"}),
        [(ALL_RP, "2")],
        FLANNEL,
        NONE,
        LOW,
    ),
    (
        "another list of reserved ports",
        with_values(
            flannel,
            {
                "net.ipv4.ip_local_port_range": "10240 65535",
                "net.ipv4.ip_local_reserved_ports": "30000-32767",
            },
        ),
        [("net.ipv4.ip_local_reserved_ports", "8080,9148")],
        FLANNEL,
        MEDIUM,
        MEDIUM,
    ),
    (
        "a list that keeps the old one",
        with_values(
            flannel,
            {
                "net.ipv4.ip_local_port_range": "10240 65535",
                "net.ipv4.ip_local_reserved_ports": "30000-32767",
            },
        ),
        [("net.ipv4.ip_local_reserved_ports", "8080,30000-32767")],
        FLANNEL,
        NONE,
        LOW,
    ),
    ("arp_ignore 2 with /32 pods", calico, [("net.ipv4.conf.all.arp_ignore", "2")], CALICO, HIGH, HIGH),
    ("arp_ignore 1 with /32 pods", calico, [("net.ipv4.conf.all.arp_ignore", "1")], CALICO, NONE, LOW),
    (
        "arp_ignore 8 on the uplink",
        flannel,
        [("net.ipv4.conf.eth0.arp_ignore", "8")],
        FLANNEL,
        CRITICAL,
        CRITICAL,
    ),
    (
        "IPv6 forwarding, an advertised router, IPv6 only",
        six_only,
        [("net.ipv6.conf.all.forwarding", "1")],
        SIX,
        CRITICAL,
        CRITICAL,
    ),
    (
        "IPv6 forwarding, an advertised router, IPv4 beside it",
        dual,
        [("net.ipv6.conf.all.forwarding", "1")],
        DUAL,
        HIGH,
        HIGH,
    ),
    (
        "the remedy on conf.all only",
        six_only,
        [("net.ipv6.conf.all.accept_ra", "2"), ("net.ipv6.conf.all.forwarding", "1")],
        SIX,
        CRITICAL,
        CRITICAL,
    ),
    (
        "the remedy on the link first",
        dual,
        [("net.ipv6.conf.eth0.accept_ra", "2"), ("net.ipv6.conf.all.forwarding", "1")],
        DUAL,
        NONE,
        LOW,
    ),
    ("IPv6 off, dual stack", dual, [("net.ipv6.conf.all.disable_ipv6", "1")], DUAL, HIGH, HIGH),
    ("IPv6 off, not used", flannel, [("net.ipv6.conf.all.disable_ipv6", "1")], FLANNEL, NONE, LOW),
    ("loopback from outside", flannel, [("net.ipv4.conf.all.route_localnet", "1")], FLANNEL, HIGH, HIGH),
    (
        "loopback from outside, guarded",
        rules(flannel, GUARD),
        [("net.ipv4.conf.all.route_localnet", "1")],
        FLANNEL,
        NONE,
        LOW,
    ),
    (
        "NodePorts on 127.0.0.1 end",
        open_localnet,
        [("net.ipv4.conf.all.route_localnet", "0")],
        FLANNEL,
        MEDIUM,
        MEDIUM,
    ),
    (
        "nobody uses 127.0.0.1",
        open_localnet,
        [("net.ipv4.conf.all.route_localnet", "0")],
        FLANNEL.model_copy(update={"node_ports": ()}),
        NONE,
        LOW,
    ),
    ("a short accept queue", flannel, [("net.core.somaxconn", "128")], FLANNEL, LOW, LOW),
    ("a long accept queue", flannel, [("net.core.somaxconn", "65535")], FLANNEL, NONE, NONE),
    (
        "another hash with multipath routes",
        node(TWO_LINKS, (ECMP,)),
        [("net.ipv4.fib_multipath_hash_policy", "1")],
        TWO_UPLINKS,
        LOW,
        LOW,
    ),
    ("another hash without", flannel, [("net.ipv4.fib_multipath_hash_policy", "1")], FLANNEL, NONE, NONE),
    (
        "a benchmark's block",
        with_values(
            flannel, {"net.ipv4.conf.all.accept_redirects": "1", "net.ipv4.conf.all.send_redirects": "1"}
        ),
        [
            ("net.ipv4.conf.all.send_redirects", "0"),
            ("net.ipv4.conf.all.accept_redirects", "0"),
            ("net.ipv4.conf.default.send_redirects", "0"),
            ("net.ipv4.conf.all.log_martians", "1"),
            ("net.ipv4.icmp_echo_ignore_broadcasts", "1"),
            ("net.ipv4.tcp_syncookies", "1"),
        ],
        FLANNEL,
        NONE,
        LOW,
    ),
    (
        "larger socket buffers",
        flannel,
        [("net.core.rmem_max", "16777216"), ("net.core.wmem_max", "16777216")],
        FLANNEL,
        NONE,
        NONE,
    ),
    ("probing of the path MTU", flannel, [("net.ipv4.tcp_mtu_probing", "1")], FLANNEL, NONE, LOW),
    ("liberal tracking", flannel, [("net.netfilter.nf_conntrack_tcp_be_liberal", "1")], FLANNEL, NONE, LOW),
    (
        "strict tracking",
        with_values(flannel, {"net.netfilter.nf_conntrack_tcp_be_liberal": "1"}),
        [("net.netfilter.nf_conntrack_tcp_be_liberal", "0")],
        FLANNEL,
        MEDIUM,
        MEDIUM,
    ),
    (
        "keys of other subsystems",
        flannel,
        [("vm.swappiness", "10"), ("fs.inotify.max_user_watches", "524288")],
        FLANNEL,
        NONE,
        NONE,
    ),
    # the other transitions that are really dangerous, each beside its harmless neighbour
    (
        "bridged answers bypass iptables",
        flannel,
        [("net.bridge.bridge-nf-call-iptables", "0")],
        FLANNEL,
        HIGH,
        HIGH,
    ),
    ("no pods on a bridge", calico, [("net.bridge.bridge-nf-call-iptables", "0")], CALICO, NONE, LOW),
    (
        "FORWARD drops what it now sees",
        rules(with_values(flannel, {"net.bridge.bridge-nf-call-iptables": "0"}), DROPPING),
        [("net.bridge.bridge-nf-call-iptables", "1")],
        FLANNEL,
        MEDIUM,
        HIGH,
    ),
    (
        "FORWARD accepts what it now sees",
        with_values(flannel, {"net.bridge.bridge-nf-call-iptables": "0"}),
        [("net.bridge.bridge-nf-call-iptables", "1")],
        FLANNEL,
        NONE,
        LOW,
    ),
    (
        "no answers for the gateway",
        with_values(calico, {"net.ipv4.conf.cali1.proxy_arp": "1", "net.ipv4.conf.cali2.proxy_arp": "1"}),
        [("net.ipv4.conf.cali1.proxy_arp", "0"), ("net.ipv4.conf.cali2.proxy_arp", "0")],
        CALICO,
        CRITICAL,
        CRITICAL,
    ),
    (
        "answers by conf.all end, the links' own stay",
        with_values(
            calico,
            {
                "net.ipv4.conf.all.proxy_arp": "1",
                "net.ipv4.conf.cali1.proxy_arp": "1",
                "net.ipv4.conf.cali2.proxy_arp": "1",
            },
        ),
        [("net.ipv4.conf.all.proxy_arp", "0")],
        CALICO,
        NONE,
        LOW,
    ),
    (
        "IPv6 forwarding off",
        with_values(dual, {"net.ipv6.conf.all.forwarding": "1"}),
        [("net.ipv6.conf.all.forwarding", "0")],
        DUAL,
        HIGH,
        HIGH,
    ),
    (
        "IPv6 forwarding off, not used",
        with_values(flannel, {"net.ipv6.conf.all.forwarding": "1"}),
        [("net.ipv6.conf.all.forwarding", "0")],
        FLANNEL,
        NONE,
        LOW,
    ),
    (
        "advertisements no longer believed",
        with_values(dual, {"net.ipv6.conf.all.forwarding": "1", "net.ipv6.conf.eth0.accept_ra": "2"}),
        [("net.ipv6.conf.eth0.accept_ra", "1")],
        DUAL,
        HIGH,
        HIGH,
    ),
    ("accept_ra of conf.all", dual, [("net.ipv6.conf.all.accept_ra", "0")], DUAL, NONE, LOW),
    ("no pick-up", flannel, [("net.netfilter.nf_conntrack_tcp_loose", "0")], FLANNEL, MEDIUM, MEDIUM),
    (
        "established for ten minutes",
        flannel,
        [("net.netfilter.nf_conntrack_tcp_timeout_established", "600")],
        FLANNEL,
        MEDIUM,
        MEDIUM,
    ),
    (
        "established for 0",
        flannel,
        [("net.netfilter.nf_conntrack_tcp_timeout_established", "0")],
        FLANNEL,
        HIGH,
        HIGH,
    ),
    (
        "established for five days",
        flannel,
        [("net.netfilter.nf_conntrack_tcp_timeout_established", "432000")],
        FLANNEL,
        NONE,
        NONE,
    ),
    ("no fragments", flannel, [("net.ipv4.ipfrag_high_thresh", "0")], FLANNEL, MEDIUM, MEDIUM),
    ("more fragments", flannel, [("net.ipv4.ipfrag_high_thresh", "8388608")], FLANNEL, NONE, NONE),
    ("no network namespaces", flannel, [("user.max_net_namespaces", "0")], FLANNEL, HIGH, HIGH),
    ("what the kubelet wants", flannel, [("vm.overcommit_memory", "2")], FLANNEL, LOW, LOW),
    (
        "IPVS without tracking",
        flannel,
        [("net.ipv4.vs.conntrack", "0")],
        FLANNEL.model_copy(update={"kube_proxy_mode": "ipvs"}),
        HIGH,
        HIGH,
    ),
    ("IPVS is not used", flannel, [("net.ipv4.vs.conntrack", "0")], FLANNEL, NONE, LOW),
]


def told(found: list[tuple[Level, Finding]]) -> str:
    return "\n".join(f"{level.words} {finding.risk}: {finding.message}" for level, finding in found)


@pytest.mark.parametrize(
    ("name", "state", "writes", "topology", "least", "most"),
    CASES,
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_level_of(
    name: str, state: NodeState, writes: list[tuple[str, str]], topology: Topology, least: Level, most: Level
) -> None:
    """The loudest thing said lies where the published outcome lies."""
    found = said(state, writes, topology=topology)

    assert least <= loudest(found) <= most, f"{name}: {told(found) or 'nothing said'}"


def test_forwarding_off_names_pods_and_spares_the_bridge() -> None:
    """Pods on one bridge still talk at layer 2, and the node still reaches them."""
    (_, finding), *_ = said(flannel, [("net.ipv4.ip_forward", "0")])

    assert TrafficClass.POD_TO_POD_SAME_NODE not in finding.breaks
    assert TrafficClass.KUBELET_PROBES not in finding.breaks
    assert "40 pods on node-1" in finding.message
    assert 1 == len(said(flannel, [("net.ipv4.ip_forward", "0")])), "its copies to links are not told again"


def test_routed_pods_lose_each_other() -> None:
    """Without a bridge the node routes between its own pods as well."""
    (_, finding), *_ = said(calico, [("net.ipv4.ip_forward", "0")], topology=CALICO)

    assert TrafficClass.POD_TO_POD_SAME_NODE in finding.breaks


def test_what_is_inherited_bites_new_pods_and_cannot_be_taken_back() -> None:
    """arp_ignore is copied when a pod starts; writing the old value does not heal it."""
    (_, finding), *_ = said(calico, [("net.ipv4.conf.all.arp_ignore", "2")], topology=CALICO)

    assert Horizon.NEW_PODS is finding.onset
    assert Reversibility.NONE is finding.reversibility


def test_overlay_survives_an_uplink_that_does_not_forward() -> None:
    """The inner packet arrives on the tunnel device."""
    (_, finding), *_ = said(flannel, [("net.ipv4.conf.eth0.forwarding", "0")])

    assert TrafficClass.POD_TO_POD_CROSS_NODE not in finding.breaks


def test_disabled_ipv6_needs_its_addresses_again() -> None:
    """Writing 0 is not the way back."""
    (_, finding), *_ = said(dual, [("net.ipv6.conf.all.disable_ipv6", "1")], topology=DUAL)

    assert Reversibility.NONE is finding.reversibility
    assert "2001:db8::5/64" in finding.message


def test_one_finding_for_many_pod_links() -> None:
    """Two hundred links that say the same are one finding."""
    found = said(
        cilium,
        [("net.ipv4.conf.lxc1.rp_filter", "1"), ("net.ipv4.conf.lxc2.rp_filter", "1")],
        topology=CILIUM,
    )

    assert ["rp-filter-tightened"] == [finding.risk for _, finding in found]
    assert 2 == found[0][1].pods
    assert 1 == len(found[0][1].related)
