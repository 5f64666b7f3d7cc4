"""The node of the demo on a stage: an uplink, a vxlan overlay and a bridge with pods, whose links end in the test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kubernetes_node import NODES, rules
from oracle.hand import Hand
from oracle.stage import Tunnel, mac_of

from planner.models.flow import Entry, Flow

PODS = ("10.244.1.2", "10.244.1.3", "10.244.1.10", "10.244.1.11", "10.244.1.12")
CLIENT = "10.244.1.20"
PORTS = {pod: f"veth{number}" for number, pod in enumerate(PODS)} | {CLIENT: "veth9"}
NODE_MAC, OVERLAY_MAC, BRIDGE_MAC = "52:54:00:00:00:11", "5e:0a:00:00:00:11", "0a:58:0a:f4:01:01"


@contextmanager
def demo_node() -> Iterator[Hand]:
    """The node with the rules of kube-proxy, flannel, portmap and the kubelet."""
    with Hand() as node:
        node.link("eth0", mac=NODE_MAC)
        script = [
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
            f"ip link set eth0 address {NODE_MAC} group 77 up",
            "ip addr add 10.0.0.11/24 dev eth0",
            f"ip link add flannel.1 address {OVERLAY_MAC} type vxlan id 1 dev eth0 local 10.0.0.11 dstport 8472 nolearning",
            "ip link set flannel.1 mtu 1450 up",
            "ip addr add 10.244.1.0/32 dev flannel.1",
            f"ip link add cni0 address {BRIDGE_MAC} type bridge",
            "ip addr add 10.244.1.1/24 dev cni0",
            "ip link set cni0 up",
            "ip route add default via 10.0.0.1 dev eth0",
            "sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1",
        ]
        for pod, port in PORTS.items():
            node.link(port, mac=mac_of(pod))
            script += [
                f"ip link set {port} mtu 1450 group 77 master cni0 up; bridge link set dev {port} hairpin on",
                f"bridge fdb replace {mac_of(pod)} dev {port} master static",
                f"ip neigh add {pod} lladdr {mac_of(pod)} dev cni0",
            ]
            node.masters[port], node.ports[pod] = "cni0", port
            node.knows(pod)
        for number, (name, (address, prefix)) in enumerate(NODES.items()):
            if name == "worker-1":
                continue
            vtep, mac = prefix.partition("/")[0], f"5e:0a:00:00:00:{16 + number:02x}"
            script += [
                f"ip neigh add {vtep} lladdr {mac} dev flannel.1 nud permanent",
                f"bridge fdb append {mac} dev flannel.1 dst {address}",
                f"ip route add {prefix} via {vtep} dev flannel.1 onlink",
            ]
            node.knows(vtep, mac)
        node.node.sh("\n".join(script))
        node.macs["cni0"], node.macs["flannel.1"] = BRIDGE_MAC, OVERLAY_MAC
        node.tunnels["flannel.1"] = Tunnel("eth0", "10.0.0.11", "10.0.0.12")
        node.rules(rules())
        yield node


def of_pod(make: Callable[..., Flow], source: str, destination: str) -> Flow:
    """A packet of a pod, by its port of the bridge."""
    pod = source.rpartition(".")[0]
    return make(source, destination, entry=Entry(link="cni0", bridge_port=PORTS[pod]))
