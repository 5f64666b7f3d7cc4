"""What network a node has, from the smallest states that show it."""

import pytest

from planner.models.cluster import Cluster, ClusterNode, Endpoint, HostPort, Pod, Service, ServicePort
from planner.models.link import Address, Link
from planner.models.node import ConfigFile, NodeState
from planner.models.route import NextHop, PolicyRule, Route
from planner.models.ruleset import IpSet, NativeRuleset, Ruleset, Table
from planner.models.section import Section
from planner.models.source import Gap
from planner.models.topology import Overlay, PodAttachment
from planner.parse.node import parse_node
from planner.topology.derive import derive_topology

SUBNET_ENV = (
    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
)
UPLINK = Link(name="eth0", addresses=(Address(address="10.0.0.5", length=24),))
BRIDGE = Link(name="cni0", kind="bridge", addresses=(Address(address="10.244.1.1", length=24),))


def route(prefix, link, via="", **more):
    return Route(family="ip", prefix=prefix, nexthops=(NextHop(via=via, link=link),), **more)


DEFAULT = route("0.0.0.0/0", "eth0", "10.0.0.1")


def veth(name, master=""):
    return Link(name=name, kind="veth", master=master, peer_elsewhere=True)


def node(*links, routes=(DEFAULT,), files=None, **more):
    texts = {path: ConfigFile(text=text) for path, text in (files or {}).items()}
    return NodeState(name="n1", links=(UPLINK, *links), routes=routes, files=texts, **more)


def rules(backend="nft", **tables):
    return Ruleset(
        family="ip",
        backend=backend,
        tables={
            name: Table(
                name=name, policies={"INPUT": "ACCEPT"}, chains={k: tuple(v) for k, v in chains.items()}
            )
            for name, chains in tables.items()
        },
    )


FLANNEL = Link(
    name="flannel.1",
    kind="vxlan",
    mtu=1450,
    lower="eth0",
    options={"id": "1", "port": "8472", "local": "10.0.0.5"},
)
OTHERS = (route("10.244.2.0/24", "eth0", "10.0.0.6"), route("10.244.3.0/24", "eth0", "10.0.0.7"))
KINDS = {
    "flannel over vxlan": (
        node(FLANNEL, BRIDGE, veth("veth1", "cni0"), files={"/run/flannel/subnet.env": SUBNET_ENV}),
        (Overlay.FLANNEL_VXLAN, PodAttachment.BRIDGE, 50, ("flannel.1",), 1),
    ),
    "flannel over vxlan over ipv6": (
        node(FLANNEL.model_copy(update={"options": {"id": "1", "local6": "fd00::5"}})),
        (Overlay.FLANNEL_VXLAN, PodAttachment.NONE, 70, ("flannel.1",), 0),
    ),
    "flannel host-gw": (
        node(BRIDGE, routes=(DEFAULT, *OTHERS), files={"/run/flannel/subnet.env": SUBNET_ENV}),
        (Overlay.FLANNEL_HOST_GW, PodAttachment.BRIDGE, 0, (), None),
    ),
    "flannel over udp": (
        node(Link(name="flannel0", kind="tun"), BRIDGE, veth("veth1", "cni0")),
        (Overlay.FLANNEL_UDP, PodAttachment.BRIDGE, 28, ("flannel0",), 1),
    ),
    "calico over ipip": (
        node(
            veth("cali0123456789a"),
            Link(name="tunl0", kind="ipip", addresses=(Address(address="192.168.1.1", length=32),)),
            routes=(DEFAULT, route("192.168.2.0/26", "tunl0", "10.0.0.6", protocol="bird")),
        ),
        (Overlay.CALICO_IPIP, PodAttachment.ROUTED, 20, ("tunl0",), 1),
    ),
    "calico by bgp beside the kernel's own tunl0": (
        node(
            veth("cali0123456789a"),
            Link(name="tunl0", kind="ipip", up=False),
            routes=(DEFAULT, route("192.168.2.0/26", "eth0", "10.0.0.6", protocol="bird")),
        ),
        (Overlay.CALICO_BGP, PodAttachment.ROUTED, 0, (), 1),
    ),
    "calico over vxlan": (
        node(veth("cali0123456789a"), Link(name="vxlan.calico", kind="vxlan")),
        (Overlay.CALICO_VXLAN, PodAttachment.ROUTED, 50, ("vxlan.calico",), 1),
    ),
    "flannel for the way and calico for policy": (
        node(FLANNEL, veth("cali0123456789a")),
        (Overlay.FLANNEL_VXLAN, PodAttachment.ROUTED, 50, ("flannel.1",), 1),
    ),
    "cilium with a tunnel": (
        node(
            Link(name="cilium_host", kind="veth"),
            Link(name="cilium_vxlan", kind="vxlan"),
            veth("lxc0a1b2c3d4e5f"),
        ),
        (Overlay.CILIUM, PodAttachment.ROUTED, 50, ("cilium_host", "cilium_vxlan"), 1),
    ),
    "cilium with native routing": (
        node(Link(name="cilium_host", kind="veth"), Link(name="cilium_net", kind="veth")),
        (Overlay.CILIUM, PodAttachment.NONE, 0, ("cilium_host", "cilium_net"), 0),
    ),
    "weave": (
        node(
            Link(name="weave", kind="bridge"),
            Link(name="vxlan-6784", kind="vxlan"),
            veth("vethwepl12", "weave"),
        ),
        (Overlay.WEAVE, PodAttachment.BRIDGE, 50, ("vxlan-6784", "weave"), 1),
    ),
    "kube-router": (
        node(Link(name="kube-bridge", kind="bridge"), veth("veth9", "kube-bridge")),
        (Overlay.KUBE_ROUTER, PodAttachment.BRIDGE, 0, (), 1),
    ),
    "aws vpc": (
        node(
            veth("eni0123456789a"),
            routes=(DEFAULT, route("10.0.0.77/32", "eni0123456789a")),
            policy_rules=(PolicyRule(family="ip", preference=512, destination="10.0.0.77/32", table="254"),),
        ),
        (Overlay.AWS_VPC, PodAttachment.ROUTED, 0, (), 1),
    ),
    "romana": (
        node(
            files={"/etc/cni/net.d/10-romana.conf": '{"name": "r", "cniVersion": "0.3.0", "type": "romana"}'}
        ),
        (Overlay.ROMANA, PodAttachment.ROUTED, 0, (), None),
    ),
    "a bridge and a cloud that knows the subnets": (
        node(Link(name="cbr0", kind="bridge"), veth("veth1", "cbr0")),
        (Overlay.CLOUD_ROUTES, PodAttachment.BRIDGE, 0, (), 1),
    ),
    "no pods, docker beside": (
        node(Link(name="docker0", kind="bridge"), veth("veth77", "docker0")),
        (Overlay.NONE, PodAttachment.NONE, 0, (), 0),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_is_told_from_its_links_and_routes(kind):
    """The way between nodes, how pods are attached, what the tunnel adds, its links, and the pods counted."""
    state, expected = KINDS[kind]
    found = derive_topology(state)

    assert expected == (
        found.overlay,
        found.attachment,
        found.encapsulation_overhead,
        found.overlay_links,
        found.pods,
    )
    assert found.clues


def test_routes_to_other_nodes_by_nobody_known_are_host_routes():
    """With the nodes' ranges from the API, plain routes to them are recognised without any agent."""
    cluster = Cluster(
        nodes=(
            ClusterNode(name="n1", pod_cidrs=("10.244.1.0/24",)),
            ClusterNode(name="n2", pod_cidrs=("10.244.2.0/24",)),
        )
    )
    found = derive_topology(node(BRIDGE, routes=(DEFAULT, OTHERS[0])), cluster)

    assert Overlay.HOST_ROUTES is found.overlay
    assert ("10.244.1.0/24",) == found.node_pod_ranges
    assert ("10.244.1.0/24", "10.244.2.0/24") == found.pod_ranges


def test_what_was_not_read_is_unknown_and_not_absent():
    """Without links, routes and rules nothing is claimed, least of all that there is no network."""
    gaps = tuple(
        Gap(section=s, reason="not allowed") for s in ("links", "routes/ip", "iptables/nft/ip", "nft")
    )
    found = derive_topology(NodeState(name="n1", gaps=gaps))

    assert (Overlay.UNKNOWN, PodAttachment.UNKNOWN, "unknown", None) == (
        found.overlay,
        found.attachment,
        found.kube_proxy_mode,
        found.pods,
    )
    assert any("not known" in clue for clue in found.clues)


def test_uplinks_are_default_routes_then_what_tunnels_run_over_then_links_to_other_nodes():
    """The order tells a reader which link matters first."""
    storage = Link(name="eth1", addresses=(Address(address="10.1.0.5", length=24),))
    tunnel = FLANNEL.model_copy(update={"lower": "eth2"})
    cluster = Cluster(nodes=(ClusterNode(name="n2", addresses=("10.1.0.6",)),))
    found = derive_topology(node(storage, Link(name="eth2"), tunnel), cluster)

    assert ("eth0", "eth2", "eth1") == found.uplinks


class TestKubeProxy:
    SERVICES = [
        '! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-MARK-MASQ',
        '-d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-SVC-API',
        '-d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-DNS',
        '-d 203.0.113.9/32 -p tcp -m comment --comment "shop/web:http loadbalancer IP" -m tcp --dport 80 -j KUBE-FW-WEB',
    ]
    NAT = {
        "KUBE-SERVICES": SERVICES,
        "KUBE-NODEPORTS": [
            '-p tcp -m comment --comment "shop/web:http" -m tcp --dport 30080 -j KUBE-EXT-WEB',
            '-d 127.0.0.0/8 -p tcp -m comment --comment "shop/api:http" -m tcp --dport 30081 -j KUBE-EXT-API',
        ],
        "KUBE-SVC-API": ['-m comment --comment "default/kubernetes:https" -j KUBE-SEP-A'],
        "KUBE-SEP-A": ["-p tcp -m tcp -j DNAT --to-destination 10.0.0.9:6443"],
        "CNI-HOSTPORT-DNAT": ["-p tcp -m comment --comment x -m multiport --dports 8080,8443 -j CNI-DN-1"],
    }

    def test_addresses_ports_and_servers_stand_in_the_rules(self):
        """From rules alone: ranges, DNS, API servers, NodePorts, hostPorts; a load balancer's address is no Service range."""
        found = derive_topology(node(rulesets=(rules(nat=self.NAT),)))

        assert "iptables" == found.kube_proxy_mode
        assert (("10.244.0.0/16",), ("10.96.0.0/12",), 2) == (
            found.pod_ranges,
            found.service_ranges,
            found.service_addresses,
        )
        assert (("10.96.0.10",), ("10.0.0.9",)) == (found.dns_service, found.api_servers)
        assert ((30080, 30081), (8080, 8443)) == (found.node_ports, found.host_ports)

    def test_newer_rules_name_the_pods_range_inside_the_service_chain(self):
        """kube-proxy 1.24 moved the exempted range from KUBE-SERVICES into each service's chain."""
        chain = ["! -s 10.9.0.0/16 -d 10.96.0.5/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ"]
        found = derive_topology(node(rulesets=(rules(nat={"KUBE-SVC-X": chain}),)))

        assert ("10.9.0.0/16",) == found.pod_ranges

    def test_an_unusual_service_range_is_estimated_and_said_so(self):
        """The API server's address is the first of the range, the others say how wide it is at least."""
        services = [
            f'-d 10.77.0.{host}/32 -p tcp -m comment --comment "{name} cluster IP" -j KUBE-SVC-{host}'
            for host, name in ((1, "default/kubernetes:https"), (200, "a/b:c"))
        ]
        found = derive_topology(node(rulesets=(rules(nat={"KUBE-SERVICES": services}),)))

        assert ("10.77.0.0/24",) == found.service_ranges
        assert any("estimated" in clue for clue in found.clues)

    def test_the_api_servers_option_wins_over_an_estimate(self):
        """Where the option is known nothing is guessed, also for the NodePorts' range."""
        manifest = (
            "    - --service-cluster-ip-range=10.96.0.0/16\n    - --service-node-port-range=20000-22000\n"
        )
        files = {"/etc/kubernetes/manifests/kube-apiserver.yaml": manifest}
        found = derive_topology(node(files=files, rulesets=(rules(nat=self.NAT),)))

        assert (("10.96.0.0/16",), (20000, 22000)) == (found.service_ranges, found.node_port_range)

    def test_flags_that_the_collector_took_count_like_the_manifest(self):
        """On a real node only some flags of the static pods' manifests are collected."""
        state = parse_node(
            [
                Section(
                    name="flags/kube-apiserver",
                    text='    - "--service-cluster-ip-range=10.97.0.0/16"\n    - --service-node-port-range=20000-22000\n',
                ),
                Section(
                    name="flags/kube-controller-manager",
                    text="    - --cluster-cidr=10.245.0.0/16,fd00::/56\n",
                ),
            ]
        )
        found = derive_topology(state)

        assert (("10.97.0.0/16",), (20000, 22000)) == (found.service_ranges, found.node_port_range)
        assert {"10.245.0.0/16", "fd00::/56"} <= set(found.pod_ranges)

    def test_ipvs_is_told_by_its_link_or_its_sets(self):
        """IPVS mode keeps addresses and ports in ipsets."""
        sets = (
            IpSet(name="KUBE-CLUSTER-IP", type="hash:ip,port", elements=("10.96.0.10,udp:53",)),
            IpSet(name="KUBE-NODE-PORT-TCP", type="bitmap:port", elements=("30080",)),
        )
        found = derive_topology(node(Link(name="kube-ipvs0", kind="dummy"), ipsets=sets))

        assert ("ipvs", (30080,), 1) == (found.kube_proxy_mode, found.node_ports, found.service_addresses)

    def test_nftables_mode_is_told_by_its_table(self):
        """nftables mode keeps addresses and ports in two maps of its own table."""
        text = (
            "table ip kube-proxy {\n\tmap service-ips {\n\t\ttype ipv4_addr . inet_proto . inet_service : verdict\n"
            "\t\telements = { 10.96.0.10 . udp . 53 : goto service-AA-kube-system/kube-dns/udp/dns,\n"
            "\t\t\t     203.0.113.9 . tcp . 80 : goto external-BB-shop/web/tcp/http }\n\t}\n"
            "\tmap service-nodeports {\n\t\ttype inet_proto . inet_service : verdict\n"
            "\t\telements = { tcp . 30080 : goto external-BB-shop/web/tcp/http }\n\t}\n}\n"
        )
        found = derive_topology(node(native=NativeRuleset(text=text)))

        assert ("nftables", (30080,), ("10.96.0.10",), 1) == (
            found.kube_proxy_mode,
            found.node_ports,
            found.dns_service,
            found.service_addresses,
        )

    def test_nobody_is_said_only_when_the_rules_were_read(self):
        """Without kube-proxy's traces the mode is none; with unread rules it is unknown."""
        assert "none" == derive_topology(node()).kube_proxy_mode
        unread = node(gaps=(Gap(section="iptables/nft/ip", reason="needs root"),))
        assert "unknown" == derive_topology(unread).kube_proxy_mode

    def test_backends_that_hold_rules_are_named(self):
        """Empty tables do not make a mix of backends."""
        empty = rules(backend="legacy", filter={"INPUT": []})
        assert ("nft",) == derive_topology(node(rulesets=(empty, rules(nat=self.NAT)))).iptables_backends
        mixed = rules(backend="legacy", filter={"INPUT": ["-j DROP"]})
        assert ("legacy", "nft") == derive_topology(
            node(rulesets=(mixed, rules(nat=self.NAT)))
        ).iptables_backends


def test_the_kubelets_dns_counts_before_the_services():
    """Pods ask what the kubelet writes into their resolv.conf, node-local caches included."""
    files = {"/var/lib/kubelet/config.yaml": "kind: KubeletConfiguration\nclusterDNS: [169.254.20.10]\n"}
    state = node(files=files, rulesets=(rules(nat=TestKubeProxy.NAT),))

    assert ("169.254.20.10",) == derive_topology(state).dns_service


def test_the_cluster_says_what_the_node_does_not():
    """Pods with an address of their own, NodePorts, host ports and API servers come from the API."""
    cluster = Cluster(
        pods=(
            Pod(
                namespace="a",
                name="own",
                node="n1",
                host_ports=(HostPort(protocol="TCP", host_port=80, container_port=8080),),
            ),
            Pod(namespace="a", name="host", node="n1", host_network=True),
            Pod(namespace="a", name="done", node="n1", phase="Succeeded"),
            Pod(namespace="a", name="elsewhere", node="n2"),
        ),
        services=(
            Service(
                namespace="default",
                name="kubernetes",
                cluster_ips=("10.96.0.1",),
                endpoints=(Endpoint(address="10.0.0.9"),),
            ),
            Service(namespace="a", name="web", ports=(ServicePort(port=80, node_port=30080),)),
        ),
    )
    found = derive_topology(node(), cluster)

    assert (1, (30080,), (80,), ("10.0.0.9",)) == (
        found.pods,
        found.node_ports,
        found.host_ports,
        found.api_servers,
    )


def test_equal_input_gives_equal_topology():
    """Nothing depends on the order of sets."""
    state = KINDS["flannel over vxlan"][0].model_copy(update={"rulesets": (rules(nat=TestKubeProxy.NAT),)})

    assert derive_topology(state).model_dump_json() == derive_topology(state).model_dump_json()
