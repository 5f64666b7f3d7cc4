"""Every invariant on the smallest node that has it: broken by a cause that was published, kept by its innocent twin."""

from dataclasses import dataclass
from pathlib import Path as File

import pytest
from small_world import FLANNEL, FLANNEL_ROUTES, LO, ROUTED_ROUTES, UPLINK, Link, cluster, node

from planner.invariants.catalogue import invariants, text_of
from planner.invariants.check import kept, paths
from planner.invariants.walk import walk
from planner.models.cluster import Cluster
from planner.models.horizon import Horizon
from planner.models.invariant import Holding, Kept, Path
from planner.models.node import ConfigFile, Listener, NodeState
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose
from planner.topology.derive import derive_topology

EMPTY = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
NAT = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-SVC-WEB - [0:0]
:KUBE-EXT-WEB - [0:0]
:KUBE-SVC-DNS - [0:0]
:KUBE-SVC-API - [0:0]
:KUBE-SEP-WEB - [0:0]
:KUBE-SEP-DNS - [0:0]
:KUBE-SEP-API - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-a - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
-A CNI-HOSTPORT-DNAT -p tcp -m tcp --dport 8443 -j CNI-DN-a
-A CNI-DN-a -p tcp -m tcp --dport 8443 -j DNAT --to-destination 10.244.1.7:443
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-SVC-API
-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-DNS
-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "kube-system/kube-dns:dns-tcp cluster IP" -m tcp --dport 53 -j KUBE-SVC-DNS
-A KUBE-SERVICES -d 10.96.5.5/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-WEB
-A KUBE-SERVICES -d 203.0.113.80/32 -p tcp -m comment --comment "shop/web:http loadbalancer IP" -m tcp --dport 80 -j KUBE-EXT-WEB
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m comment --comment "shop/web:http" -m tcp --dport 30080 -j KUBE-EXT-WEB
-A KUBE-EXT-WEB -j KUBE-MARK-MASQ
-A KUBE-EXT-WEB -j KUBE-SVC-WEB
-A KUBE-SVC-API -m comment --comment "default/kubernetes:https -> 192.0.2.9:6443" -j KUBE-SEP-API
-A KUBE-SVC-DNS -j KUBE-SEP-DNS
-A KUBE-SVC-WEB -j KUBE-SEP-WEB
-A KUBE-SEP-API -p tcp -m tcp -j DNAT --to-destination 192.0.2.9:6443
-A KUBE-SEP-DNS -p udp -m udp -j DNAT --to-destination 10.244.2.3:53
-A KUBE-SEP-DNS -p tcp -m tcp -j DNAT --to-destination 10.244.2.3:53
-A KUBE-SEP-WEB -s 10.244.1.7/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-WEB -p tcp -m tcp -j DNAT --to-destination 10.244.1.7:8080
COMMIT
"""
ROUTES6 = ("default via 2001:db8::1 dev eth0", "2001:db8::/64 dev eth0 proto kernel")
FILES = {"/etc/resolv.conf": ConfigFile(text="nameserver 192.0.2.53\n")}
TUNNELED = (
    LO,
    UPLINK,
    Link("tunl0", "10.244.1.1/32", 1480, "ipip any remote any local any ttl inherit nopmtudisc"),
    Link("cali1", kind="veth"),
    Link("cali2", kind="veth"),
)
TUNNEL_ROUTES = (*ROUTED_ROUTES, "10.244.2.0/24 via 192.0.2.11 dev tunl0 proto bird onlink")


def web() -> Cluster:
    """One Service with its pod on this node."""
    return cluster(
        {
            "services.json": """{"kind": "ServiceList", "items": [{"kind": "Service",
                "metadata": {"namespace": "shop", "name": "web"},
                "spec": {"type": "NodePort", "clusterIP": "10.96.5.5", "clusterIPs": ["10.96.5.5"],
                         "ports": [{"protocol": "TCP", "port": 80, "nodePort": 30080}]}}]}""",
            "endpointslices.json": """{"kind": "EndpointSliceList", "items": [{"kind": "EndpointSlice",
                "metadata": {"namespace": "shop", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
                "addressType": "IPv4", "ports": [{"port": 8080}],
                "endpoints": [{"addresses": ["10.244.1.7"], "nodeName": "node-1", "conditions": {"ready": true}}]}]}""",
        }
    )


def world(kind: str, rules: str = NAT + EMPTY) -> NodeState:
    """A node of that kind with kube-proxy's rules."""
    if kind == "flannel":
        state = node(links=FLANNEL, routes=FLANNEL_ROUTES, iptables=rules)
    elif kind == "calico":
        state = node(links=TUNNELED, routes=TUNNEL_ROUTES, iptables=rules)
    elif kind == "dual":
        links = (LO, Link("eth0", "192.0.2.10/24 2001:db8::10/64"))
        state = node(links=links, routes=ROUTED_ROUTES[:2], routes6=ROUTES6, iptables=rules)
    else:
        state = node(iptables=rules)
    api = Listener(protocol="tcp", address="*", port=6443, process="kube-apiserver")
    volatile = state.volatile.model_copy(update={"listeners": (*state.volatile.listeners, api)})
    return state.model_copy(update={"files": FILES, "volatile": volatile})


def followed(state: NodeState, *lines: str, cluster: Cluster | None = None) -> tuple[Kept, ...]:
    """All paths of a node before and after commands."""
    outlook = propose(state, [recognise("change.sh", "".join(f"{line}\n" for line in lines))])
    return kept(outlook, derive_topology(state, cluster), cluster)


def broken(found: tuple[Kept, ...]) -> set[str]:
    """Invariants of which a path is newly broken at once."""
    return {
        item.path.invariant
        for item in found
        if item.newly_broken and item.horizon is Horizon.NOW and item.step is None
    }


@dataclass(frozen=True, slots=True)
class Pair:
    """One invariant, what breaks it, and what does not."""

    invariant: str
    harm: str
    twin: str
    kind: str = "flannel"
    cluster: Cluster | None = None


DROP = "iptables -I {} -j DROP"
PAIRS = (
    Pair(
        "pods-reach-outside",
        "iptables -t nat -D POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE",
        "iptables -t nat -I POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -j ACCEPT",
    ),
    Pair(
        "pods-reach-pods-here",
        "iptables -P FORWARD DROP",
        "iptables -A FORWARD -i eth0 -j DROP",
    ),
    Pair(
        "pods-reach-pods-elsewhere",
        "ip route del 10.244.2.0/24",
        "ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink mtu 1450",
    ),
    Pair(
        "pods-elsewhere-reach-pods",
        "sysctl -w net.ipv4.conf.flannel/1.forwarding=0",
        "sysctl -w net.ipv4.conf.lo.forwarding=0",
    ),
    Pair(
        "pods-reach-services",
        "sysctl -w net.bridge.bridge-nf-call-iptables=0\niptables -t nat -D PREROUTING -j KUBE-SERVICES",
        "iptables -t nat -I PREROUTING -d 10.96.99.99/32 -p tcp --dport 80 -j KUBE-SVC-WEB",
    ),
    Pair(
        "pods-reach-dns",
        "iptables -t nat -D KUBE-SVC-DNS -j KUBE-SEP-DNS",
        "iptables -t nat -A KUBE-SVC-DNS -j RETURN",
    ),
    Pair(
        "pods-reach-themselves",
        "iptables -t nat -D KUBE-SEP-WEB -s 10.244.1.7/32 -j KUBE-MARK-MASQ",
        "iptables -t nat -I KUBE-SEP-WEB -s 10.244.1.8/32 -j KUBE-MARK-MASQ",
        kind="routed",
        cluster=web(),
    ),
    Pair(
        "overlay-is-carried",
        "iptables -A INPUT -p udp --dport 8472 -j DROP",
        "iptables -A INPUT -p udp --dport 4789 -j DROP",
    ),
    Pair(
        "overlay-is-carried",
        "iptables -A INPUT -p 4 -j DROP",
        "iptables -A INPUT -p 47 -j DROP",
        kind="calico",
    ),
    Pair(
        "routes-are-learned",
        "iptables -A INPUT -p tcp --dport 179 -j DROP",
        "iptables -A INPUT -i cali+ -p tcp --dport 179 -j DROP",
        kind="calico",
    ),
    Pair(
        "node-reaches-api-server",
        "iptables -P INPUT DROP",
        "iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\niptables -P INPUT DROP",
    ),
    Pair(
        "node-reaches-api-service",
        "iptables -t nat -D OUTPUT -j KUBE-SERVICES",
        "iptables -t nat -A OUTPUT -j KUBE-SERVICES",
    ),
    Pair(
        "api-server-reaches-kubelet",
        "iptables -A INPUT -p tcp --dport 10250 -j DROP",
        "iptables -A INPUT -p tcp --dport 10255 -j DROP",
    ),
    Pair(
        "node-serves-api",
        "iptables -A INPUT -p tcp --dport 6443 -j REJECT",
        "iptables -A INPUT -p tcp --dport 2379 -j REJECT",
    ),
    Pair(
        "operator-reaches-node",
        "iptables -I INPUT -p tcp --dport 22 -j DROP",
        "iptables -I INPUT -p tcp --dport 23 -j DROP",
    ),
    Pair(
        "kubelet-probes-pods",
        "iptables -A INPUT -i cni0 -j DROP",
        "iptables -A INPUT -i cni0 -m conntrack --ctstate NEW -j DROP",
    ),
    Pair(
        "outside-reaches-node-ports",
        "iptables -A FORWARD -i eth0 -o cni0 -m conntrack --ctstate NEW -j DROP",
        "iptables -A FORWARD -i eth0 -o cni0 -m conntrack --ctstate NEW ! --ctorigdstport 30080 -j DROP",
    ),
    Pair(
        "outside-reaches-balancers",
        "iptables -t nat -D KUBE-EXT-WEB -j KUBE-SVC-WEB",
        "iptables -t nat -D KUBE-EXT-WEB -j KUBE-MARK-MASQ",
    ),
    Pair(
        "outside-reaches-host-ports",
        "iptables -t nat -F CNI-HOSTPORT-DNAT",
        "iptables -t nat -A CNI-HOSTPORT-DNAT -p tcp --dport 9443 -j CNI-DN-a",
    ),
    Pair(
        "node-reaches-outside",
        "ip route del default",
        "ip route replace default via 192.0.2.1 dev eth0 proto static mtu 1400",
    ),
    Pair(
        "node-reaches-resolvers",
        "iptables -A OUTPUT -p udp --dport 53 -j DROP",
        "iptables -A OUTPUT -p udp --dport 53 -d 203.0.113.0/24 -j DROP",
    ),
    Pair(
        "neighbours-are-found",
        "ip6tables -A INPUT -p tcp --dport 22 -j ACCEPT\nip6tables -P INPUT DROP",
        "ip6tables -A INPUT -p ipv6-icmp -j ACCEPT\nip6tables -P INPUT DROP",
        kind="dual",
    ),
    Pair("node-reaches-itself", DROP.format("INPUT -i lo"), DROP.format("INPUT -i lo ! -s 127.0.0.0/8")),
)  # fmt: skip


@pytest.mark.parametrize("pair", [pytest.param(item, id=f"{item.invariant}-{item.kind}") for item in PAIRS])
def test_it_is_broken_by_its_cause_and_kept_by_the_twin(pair: Pair) -> None:
    """The same node, two changes that look alike: one path more is broken, and with the twin it holds as before."""
    state = world(pair.kind)
    harmed = followed(state, *pair.harm.split("\n"), cluster=pair.cluster)
    spared = followed(state, *pair.twin.split("\n"), cluster=pair.cluster)
    mine = [item for item in spared if item.path.invariant == pair.invariant and item.step is None]

    assert pair.invariant in broken(harmed)
    assert pair.invariant not in broken(spared)
    assert Holding.HOLDS in {item.after.holding for item in mine}
    for item in harmed:
        if item.newly_broken:
            assert item.after.reason, item.path.name


def test_every_invariant_has_a_pair() -> None:
    """An invariant that no change breaks here is a claim without a witness."""
    assert {item.id for item in invariants()} == {pair.invariant for pair in PAIRS}


@pytest.mark.parametrize("invariant", invariants(), ids=lambda item: item.id)
def test_it_says_what_it_means(invariant) -> None:
    """The module's first sentence, why it matters, and where the fact stands."""
    first, _, rest = text_of(invariant).partition("\n\n")

    assert first.strip().endswith(".")
    assert len(rest.split()) > 10
    assert invariant.sources
    assert invariant.breaks
    assert not invariant.title.endswith(".")


def test_the_page_about_them_lists_them_all() -> None:
    """docs/concepts/invariants.md holds one row for each, in their order, and none for what is gone."""
    page = (File(__file__).parents[2] / "docs/concepts/invariants.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]

    assert [
        f"| `{item.id}` | {item.title} | {', '.join(kind.value for kind in item.breaks)} |"
        for item in invariants()
    ] == rows


def test_names_are_unique_and_the_order_is_settled() -> None:
    """Equal input gives equal paths, each with a name of its own."""
    state = world("flannel")
    topology = derive_topology(state)
    found = paths(state, topology, None)

    assert found == paths(state, topology, None)
    assert len(found) == len({path.name for path in found})


def test_what_was_broken_before_is_told_apart() -> None:
    """ssh that is dropped already is no finding of a change that leaves it so."""
    state = world(
        "flannel", NAT + EMPTY.replace("COMMIT", "-A INPUT -p tcp -m tcp --dport 22 -j DROP\nCOMMIT")
    )
    found = followed(state, "iptables -A INPUT -p tcp --dport 9999 -j DROP")
    ssh = [item for item in found if item.path.invariant == "operator-reaches-node" and item.step is None]

    assert {True} == {item.already_broken for item in ssh if item.horizon is Horizon.NOW}
    assert "operator-reaches-node" not in broken(found)


def test_a_mended_path_is_called_so() -> None:
    """The other way round."""
    state = world(
        "flannel", NAT + EMPTY.replace("COMMIT", "-A INPUT -p tcp -m tcp --dport 22 -j DROP\nCOMMIT")
    )
    found = followed(state, "iptables -F INPUT")

    assert any(item.mended and item.path.invariant == "operator-reaches-node" for item in found)


def test_pods_whose_addresses_are_known_outside_go_on_without_masquerade() -> None:
    """Unmasqueraded before and after: as before, not broken."""
    bare = NAT.replace("-A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE\n", "")
    found = followed(world("flannel", bare + EMPTY), "iptables -A INPUT -p tcp --dport 9999 -j DROP")
    outside = [
        item for item in found if item.path.invariant == "pods-reach-outside" and item.horizon is Horizon.NOW
    ]

    assert {Holding.HOLDS} == {item.after.holding for item in outside}


def test_all_random_choices_must_lead_there() -> None:
    """One of two endpoints cannot be reached: broken, and only partly."""
    rules = NAT.replace(
        "-A KUBE-SVC-WEB -j KUBE-SEP-WEB",
        "-A KUBE-SVC-WEB -m statistic --mode random --probability 0.5 -j KUBE-SEP-DNS\n-A KUBE-SVC-WEB -j KUBE-SEP-WEB",
    )
    found = followed(world("flannel", rules + EMPTY), "iptables -A FORWARD -d 10.244.2.3/32 -j DROP")
    service = next(item for item in found if item.path.name.startswith("pods-reach-services/shop/web"))

    assert service.newly_broken
    assert service.after.partly


def test_what_is_not_known_is_unknown_with_its_reason() -> None:
    """A match that is not modelled may drop ssh: neither holds nor broken, and the rule is the reason."""
    rule = "-A INPUT -p tcp -m tcp --dport 22 -m hashlimit --hashlimit-above 1/sec --hashlimit-mode srcip --hashlimit-name a -j DROP"
    found = followed(world("flannel"), f"iptables {rule}")
    ssh = next(item for item in found if item.path.name.startswith("operator-reaches-node/new"))

    assert ssh.doubtful
    assert "hashlimit" in ssh.after.reason


def test_networks_that_rules_name_stand_for_the_operator() -> None:
    """Who lets in ssh from one network has somebody there in mind; whether it is the operator is not known."""
    found = followed(
        world("flannel"),
        "iptables -A INPUT -p tcp --dport 22 -s 198.51.100.0/24 -j ACCEPT",
        "iptables -A INPUT -p tcp --dport 22 -j DROP",
    )
    mine = {
        item.path.name: item.after.holding
        for item in found
        if item.path.invariant == "operator-reaches-node"
        and item.step is None
        and item.horizon is Horizon.NOW
    }

    assert Holding.HOLDS is mine["operator-reaches-node/new/198.51.100.9"]
    assert Holding.UNKNOWN is mine["operator-reaches-node/elsewhere/93.184.216.34"]


def test_a_path_that_is_shut_between_two_steps_names_the_step() -> None:
    """Open before and at the end."""
    found = followed(
        world("flannel"),
        "iptables -P INPUT DROP",
        "iptables -A INPUT -j ACCEPT",
    )
    steps = {item.step for item in found if item.path.invariant == "operator-reaches-node" and item.step}

    assert {1} == steps
    assert "operator-reaches-node" not in broken(found)


def test_the_pods_of_one_bridge_answer_past_the_node() -> None:
    """Without bridge-nf-call the answer of a pod on the same bridge has a sender that nobody asked (measured)."""
    state = world("flannel")
    topology = derive_topology(state)
    path = next(
        item for item in paths(state, topology, None) if item.name.startswith("pods-reach-services/shop/web")
    )
    off = state.model_copy(update={"sysctls": {**state.sysctls, "net.bridge.bridge-nf-call-iptables": "0"}})

    assert Holding.HOLDS is walk(state, path).holding
    lost = walk(off, path)
    assert Holding.BROKEN is lost.holding
    assert lost.answering
    assert "which 10.244.1." in lost.reason


def test_a_node_with_ipv6_has_its_paths_in_both_families() -> None:
    """ssh over IPv6 stands beside ssh; only the main family cuts the undo."""
    links = (LO, Link("eth0", "192.0.2.10/24 2001:db8::10/64"))
    state = node(links=links, routes=ROUTED_ROUTES[:2], routes6=ROUTES6, iptables=EMPTY)
    found: tuple[Path, ...] = paths(state, derive_topology(state), None)
    ssh = [path for path in found if path.invariant == "operator-reaches-node"]

    assert {"ip", "ip6"} == {path.flow.family for path in ssh}
    assert {"ip"} == {path.flow.family for path in ssh if path.cuts_undo}


@pytest.mark.parametrize(
    ("rule", "lost"),
    [
        ("ip6tables -A INPUT -p ipv6-icmp --icmpv6-type neighbour-solicitation -j DROP", {"eth0/in/135"}),
        ("ip6tables -A INPUT -p ipv6-icmp --icmpv6-type neighbour-advertisement -j DROP", {"eth0/in/136"}),
        ("ip6tables -A OUTPUT -p ipv6-icmp -j DROP", {"eth0/out/135", "eth0/out/136"}),
        ("ip6tables -A INPUT -p ipv6-icmp --icmpv6-type echo-request -j DROP", set()),
        ("ip6tables -A INPUT -m conntrack --ctstate INVALID -j DROP", set()),
    ],
    ids=["questions", "answers", "own", "pings", "invalid"],
)
def test_each_way_of_neighbour_discovery_is_walked(rule: str, lost: set[str]) -> None:
    """Questions and answers, both ways; its packets are untracked, which no rule takes for invalid."""
    found = followed(world("dual"), rule)

    assert {f"neighbours-are-found/{name}" for name in lost} == {
        item.path.name
        for item in found
        if item.newly_broken and item.path.invariant == "neighbours-are-found"
    }


def test_without_an_address_beyond_the_link_nobody_is_to_be_found() -> None:
    """A node that has only IPv4 and what every link has does not cry wolf."""
    links = (LO, Link("eth0", "192.0.2.10/24"))
    state = node(links=links, routes=ROUTED_ROUTES[:2], iptables=EMPTY)

    assert not [
        one for one in paths(state, derive_topology(state), None) if one.invariant == "neighbours-are-found"
    ]


@pytest.mark.parametrize(("policy", "broken_ways"), [("DROP", 2), ("ACCEPT", 0)])
def test_an_address_that_comes_with_the_rules_is_asked_about(policy: str, broken_ways: int) -> None:
    """What the rules do to an address counts also where both are in one proposal; at the reboot neither is there."""
    links = (LO, Link("eth0", "192.0.2.10/24"))
    state = node(links=links, routes=ROUTED_ROUTES[:2], iptables=EMPTY)
    found = followed(state, "ip -6 addr add fd00:1::11/64 dev eth0", f"ip6tables -P INPUT {policy}")
    mine = [item for item in found if item.path.invariant == "neighbours-are-found"]

    assert broken_ways == sum(item.newly_broken for item in mine)
    assert not any(item.already_broken for item in mine)


def test_a_service_whose_own_rules_change_is_asked() -> None:
    """Among hundreds that look alike it is the one that matters, and the choice of the others stays as it was."""
    rules = "".join(
        f'-A KUBE-SERVICES -d 10.96.7.{n}/32 -p tcp -m comment --comment "shop/s{n:03}:http cluster IP" '
        "-m tcp --dport 80 -j KUBE-SVC-WEB\n"
        for n in range(1, 200)
    )
    state = world("flannel", NAT.replace("COMMIT", rules + "COMMIT") + EMPTY)
    calm = followed(state, "iptables -A INPUT -p tcp --dport 9999 -j DROP")
    found = followed(
        state,
        'iptables -t nat -D KUBE-SERVICES -d 10.96.7.150/32 -p tcp -m comment --comment "shop/s150:http cluster IP" '
        "-m tcp --dport 80 -j KUBE-SVC-WEB",
    )
    asked = {item.path.name for item in calm}

    assert {"pods-reach-services/shop/s150/80/tcp"} == {
        item.path.name for item in found if item.path.name not in asked
    }
    assert "pods-reach-services" in broken(found)


def test_a_node_whose_route_changes_is_asked() -> None:
    """Among many nodes, the one that loses its route."""
    many = tuple(f"10.244.{n}.0/24 via 10.244.{n}.0 dev flannel.1 onlink" for n in range(3, 60))
    state = node(links=FLANNEL, routes=(*FLANNEL_ROUTES, *many), iptables=EMPTY)
    found = followed(state, "ip route del 10.244.50.0/24")

    assert {"pods-reach-pods-elsewhere/10.244.50.2", "pods-elsewhere-reach-pods/10.244.50.2"} == {
        item.path.name for item in found if item.newly_broken and item.horizon is Horizon.NOW
    }


def _elsewhere(found: tuple[Kept, ...]) -> dict[str, Kept]:
    """The path to pods of other nodes and the one from them, at once."""
    return {
        item.path.invariant: item
        for item in found
        if item.horizon is Horizon.NOW
        and item.step is None
        and item.path.invariant in {"pods-reach-pods-elsewhere", "pods-elsewhere-reach-pods"}
    }


MET = (
    "ip neigh replace 10.244.2.0 lladdr 02:00:00:00:02:02 dev flannel.1 nud permanent",
    "bridge fdb append 02:00:00:00:02:02 dev flannel.1 dst 192.0.2.11",
)


def carried() -> NodeState:
    """A node of flannel's that has met another one."""
    return propose(world("flannel"), [recognise("met.sh", "\n".join(MET) + "\n")]).after[Horizon.NOW]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("ip addr del 192.0.2.10/24 dev eth0", "the node does not have"),
        ("ip link set eth0 down", "eth0 is down"),
    ],
)
def test_what_the_overlay_carries_is_lost_with_the_overlays_own_packets(harm: str, reason: str) -> None:
    """A tunnel that is up sends nothing when its outer packets have no source or no link."""
    found = _elsewhere(followed(carried(), harm))
    assert {"pods-reach-pods-elsewhere", "pods-elsewhere-reach-pods"} == {
        name for name, item in found.items() if item.newly_broken
    }
    assert all(reason in item.after.reason for item in found.values())


def test_an_answer_that_leaves_past_the_overlay_is_not_taken_for_arrived() -> None:
    """The other end may look at where it comes from: it asked through the tunnel."""
    found = _elsewhere(followed(carried(), "ip route replace 10.244.2.0/24 via 192.0.2.11 dev eth0"))
    after = found["pods-elsewhere-reach-pods"].after
    assert (Holding.BROKEN, True) == (after.holding, after.answering)
    assert (
        "the answer leaves by eth0 instead of flannel.1, where nothing says that the other end takes it"
        == after.reason
    )


def test_pods_of_a_bridge_reach_each_other_whatever_addresses_the_bridge_has() -> None:
    """Frames go from port to port: who is on the link is decided by the pods' own addresses."""
    found = followed(world("flannel", EMPTY), "ip addr flush dev cni0")
    here = [item for item in found if item.path.invariant == "pods-reach-pods-here"]
    assert here
    assert {Holding.HOLDS} == {item.after.holding for item in here}
