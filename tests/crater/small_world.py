"""A small routed node for the large tests: one uplink, two pods on routes of their own, kernel defaults, Kubernetes' forwarding."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from planner.models.assessment import Assessment
from planner.models.cluster import Cluster
from planner.models.node import Listener, NodeState
from planner.models.section import Section
from planner.models.snapshot import Snapshot
from planner.parse.cluster import parse_cluster
from planner.parse.node import parse_node
from planner.sysctls.catalogue import facts

NODE = "node-1"
TAKEN = "2024-01-01T00:00:00Z"
OF_THE_MACHINE = {
    "net.ipv4.tcp_congestion_control": "cubic",
    "net.ipv4.tcp_available_congestion_control": "reno cubic bbr",
    "net.core.default_qdisc": "fq_codel",
    "net.netfilter.nf_conntrack_expect_max": "1024",
    "net.netfilter.nf_conntrack_max": "262144",
    "kernel.randomize_va_space": "2",
}
"""Keys without a default of the kernel's own that most machines have."""
RULES = ("0:\tfrom all lookup local", "32766:\tfrom all lookup main", "32767:\tfrom all lookup default")
SSHD = Listener(protocol="tcp", address="0.0.0.0", port=22, process="sshd")


@dataclass(frozen=True, slots=True)
class Link:
    """What one link of the world is."""

    name: str
    address: str = ""
    mtu: int = 1500
    kind: str = ""
    """The line that `ip -d` prints of it: `veth`, `bridge …`, `vxlan …`."""
    mac: str = ""
    master: str = ""

    def text(self, index: int) -> str:
        """As `ip -d addr` prints it."""
        peer = f"{self.name}@if2" if self.kind == "veth" else self.name
        loop = self.name == "lo"
        flags = "LOOPBACK,UP,LOWER_UP" if loop else "BROADCAST,MULTICAST,UP,LOWER_UP"
        master = f" master {self.master}" if self.master else ""
        mac = self.mac or f"02:00:00:00:00:{index:02x}"
        lines = [
            f"{index}: {peer}: <{flags}> mtu {self.mtu} qdisc noqueue{master} state UP group default",
            f"    link/loopback {'00:' * 5}00 brd {'00:' * 5}00"
            if loop
            else f"    link/ether {mac} brd {'ff:' * 5}ff",
        ]
        if self.kind:
            lines.append(f"    {self.kind}")
        for address in self.address.split():
            family = "inet6" if ":" in address else "inet"
            lines.append(f"    {family} {address} scope {'host' if loop else 'global'} {self.name}")
        return "\n".join(lines) + "\n"


LO = Link("lo", "127.0.0.1/8", 65536)
UPLINK = Link("eth0", "192.0.2.10/24")
VXLAN = "vxlan id 1 local 192.0.2.10 dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300"
BRIDGE = "bridge forward_delay 1500 hello_time 200 max_age 2000"
UPLINK_ROUTES = (
    "default via 192.0.2.1 dev eth0 proto static",
    "192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.10",
)
ROUTED = (LO, UPLINK, Link("cali1", kind="veth"), Link("cali2", kind="veth"))
ROUTED_ROUTES = (*UPLINK_ROUTES, "10.244.1.7 dev cali1 scope link", "10.244.1.8 dev cali2 scope link")
FLANNEL = (
    LO,
    UPLINK,
    Link("flannel.1", "10.244.1.0/32", 1450, VXLAN, mac="5e:89:db:49:c6:a4"),
    Link("cni0", "10.244.1.1/24", 1450, BRIDGE),
    Link("veth1a", "", 1450, "veth", master="cni0"),
    Link("veth2b", "", 1450, "veth", master="cni0"),
)
CILIUM = (
    Link("cilium_net", kind="veth"),
    Link("cilium_host", "10.244.1.1/32", kind="veth"),
    Link("lxc_health", kind="veth"),
    Link("lxc1", kind="veth"),
)
FLANNEL_ROUTES = (
    *UPLINK_ROUTES,
    "10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink",
    "10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1",
    "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink",
)


def node(
    *,
    links: Sequence[Link] = ROUTED,
    routes: Iterable[str] = ROUTED_ROUTES,
    routes6: Iterable[str] = (),
    rules: Iterable[str] = RULES,
    sysctls: Mapping[str, str] | None = None,
    iptables: str = "",
    sections: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> NodeState:
    """The node as the project's own parsers read it. What is not given is empty, not unknown."""
    values = {**running(links), **(sysctls or {})}
    texts = {
        "sysctl": "".join(f"{key} = {value}\n" for key, value in sorted(values.items())),
        "ip/addr-text": "".join(link.text(number) for number, link in enumerate(links, start=1)),
        "ip/route4-text": _lines(routes),
        "ip/route6-text": _lines(routes6),
        "ip/rule4-text": _lines(rules),
        **({"iptables-nft/ip": iptables} if iptables else {}),
        **(sections or {}),
    }
    texts.update({f"file{path}": text for path, text in (files or {}).items()})
    state = parse_node([Section(name=name, argv=name, text=text) for name, text in texts.items()], name=NODE)
    volatile = state.volatile.model_copy(update={"listeners": state.volatile.listeners or (SSHD,)})
    return state.model_copy(update={"gaps": (), "volatile": volatile})


def running(links: Iterable[Link]) -> dict[str, str]:
    """Kernel defaults of every key that is known, for these links, with forwarding as a cluster node has it."""
    names = ("all", "default", *(link.name.replace(".", "/") for link in links))
    values: dict[str, str] = {}
    for fact in facts():
        for name in names if "<iface>" in fact.pattern else ("",):
            key = fact.pattern.replace("<iface>", name)
            value = fact.default(key)
            if value is not None and "<" not in key and not fact.removed:
                values[key] = value
    forwarding = {f"net.ipv4.conf.{name}.forwarding": "1" for name in names}
    return {**values, **forwarding, "net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"}


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def cluster(objects: Mapping[str, str] | None = None) -> Cluster:
    """Three nodes with pod ranges, and what else is given as lists of objects by file name."""
    nodes = [
        {
            "kind": "Node",
            "metadata": {"name": f"node-{number}"},
            "spec": {"podCIDRs": [f"10.244.{number}.0/24"]},
            "status": {"addresses": [{"type": "InternalIP", "address": f"192.0.2.{9 + number}"}]},
        }
        for number in range(3)
    ]

    return parse_cluster({"nodes.json": json.dumps({"kind": "NodeList", "items": nodes}), **(objects or {})})[
        0
    ]


def snapshot(state: NodeState, known: Cluster | None = None) -> Snapshot:
    """The node as a snapshot of its own."""
    return Snapshot(taken_at=TAKEN, nodes=(state,), cluster=known)


def told(assessment: Assessment) -> str:
    """Level, risks, undecided, gaps: one row."""
    risks = sorted({f"{scored.finding.risk}={scored.score.level.words}" for scored in assessment.findings})
    undecided = sum(bool(scored.finding.unknown_because) for scored in assessment.findings)
    return f"{assessment.level.words:8} undecided={undecided} gaps={len(assessment.gaps)} {' '.join(risks) or '-'}"
