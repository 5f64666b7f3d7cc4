"""A Kubernetes node with flannel vxlan and kube-proxy, built with the real tools in a namespace.

`python tests/kernel/kubernetes_node.py DIR` builds it, collects it with the project's own collector and leaves a bundle in DIR,
cluster objects beside it: the shipped demo is made so (docs/demo/README.md).
"""

import base64
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from namespace import Namespace

NODE = "worker-1"
NODES = {
    "control-1": ("10.0.0.10", "10.244.0.0/24"),
    NODE: ("10.0.0.11", "10.244.1.0/24"),
    "worker-2": ("10.0.0.12", "10.244.2.0/24"),
    "worker-3": ("10.0.0.13", "10.244.3.0/24"),
}
PODS = 24


@dataclass(frozen=True)
class Service:
    namespace: str
    name: str
    address: str
    port: int
    protocol: str
    endpoints: tuple[str, ...]
    node_port: int = 0
    kind: str = "ClusterIP"

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.name}:{'dns' if self.port == 53 else 'https' if self.port == 443 else 'http'}"


def pod(node: int, host: int) -> str:
    return f"10.244.{node}.{host}"


SERVICES = (
    Service("default", "kubernetes", "10.96.0.1", 443, "tcp", ("10.0.0.10:6443",)),
    Service("kube-system", "kube-dns", "10.96.0.10", 53, "udp", (f"{pod(1, 2)}:53", f"{pod(2, 2)}:53")),
    Service("kube-system", "kube-dns", "10.96.0.10", 53, "tcp", (f"{pod(1, 2)}:53", f"{pod(2, 2)}:53")),
    Service(
        "ingress",
        "ingress-nginx",
        "10.96.12.7",
        80,
        "tcp",
        (f"{pod(1, 3)}:80", f"{pod(3, 3)}:80"),
        30080,
        "NodePort",
    ),
    Service(
        "shop",
        "web",
        "10.96.44.1",
        80,
        "tcp",
        tuple(f"{pod(n, h)}:8080" for n in (1, 2, 3) for h in (10, 11)),
        31380,
        "NodePort",
    ),
    Service(
        "shop",
        "cart",
        "10.96.44.2",
        80,
        "tcp",
        (f"{pod(1, 12)}:8080", f"{pod(2, 12)}:8080", f"{pod(3, 12)}:8080"),
    ),
    Service("shop", "payment", "10.96.44.3", 443, "tcp", (f"{pod(2, 13)}:8443",)),
    Service("data", "postgres", "10.96.50.5", 443, "tcp", (f"{pod(3, 14)}:5432",)),
    Service("monitoring", "prometheus", "10.96.60.2", 80, "tcp", (f"{pod(1, 15)}:9090",)),
)


def short(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]


def rules() -> str:
    """What kube-proxy, flannel, portmap and the kubelet keep in the tables, in the form of their own restore input."""
    nat = [
        ":KUBE-SERVICES - [0:0]",
        ":KUBE-NODEPORTS - [0:0]",
        ":KUBE-POSTROUTING - [0:0]",
        ":KUBE-MARK-MASQ - [0:0]",
        ":KUBE-PROXY-CANARY - [0:0]",
        ":FLANNEL-POSTRTG - [0:0]",
        ":CNI-HOSTPORT-DNAT - [0:0]",
        ":CNI-HOSTPORT-MASQ - [0:0]",
        ":CNI-HOSTPORT-SETMARK - [0:0]",
    ]
    lines = [
        '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
        '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
        '-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
        '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
        '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
        "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0",
        '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
        '-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN',
        '-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN',
        '-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN',
        '-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN',
        '-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
        '-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
        '-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000',
        "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE",
    ]
    hostport = f"CNI-DN-{short('ingress')[:21].lower()}"
    nat.append(f":{hostport} - [0:0]")
    for port in (80, 443):
        lines.append(f"-A {hostport} -s 10.244.1.0/24 -p tcp -m tcp --dport {port} -j CNI-HOSTPORT-SETMARK")
        lines.append(
            f"-A {hostport} -p tcp -m tcp --dport {port} -j DNAT --to-destination {pod(1, 3)}:{port}"
        )
    lines.append(
        f'-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"cbr0\\" id: \\"ingress\\"" -m multiport --dports 80,443 -j {hostport}'
    )
    for service in SERVICES:
        chain = f"KUBE-SVC-{short(service.title + service.protocol)}"
        nat.append(f":{chain} - [0:0]")
        comment = f'-m comment --comment "{service.title} cluster IP"'
        lines.append(
            f"-A KUBE-SERVICES -d {service.address}/32 -p {service.protocol} {comment} -m {service.protocol} --dport {service.port} -j {chain}"
        )
        lines.append(
            f"-A {chain} ! -s 10.244.0.0/16 -d {service.address}/32 -p {service.protocol} {comment} -m {service.protocol} --dport {service.port} -j KUBE-MARK-MASQ"
        )
        if service.node_port:
            external = f"KUBE-EXT-{short(service.title + service.protocol)}"
            nat.append(f":{external} - [0:0]")
            lines.append(
                f'-A KUBE-NODEPORTS -p tcp -m comment --comment "{service.title}" -m tcp --dport {service.node_port} -j {external}'
            )
            lines.append(
                f'-A {external} -m comment --comment "masquerade traffic for {service.title} external destinations" -j KUBE-MARK-MASQ'
            )
            lines.append(f"-A {external} -j {chain}")
        count = len(service.endpoints)
        for number, endpoint in enumerate(service.endpoints):
            sep = f"KUBE-SEP-{short(service.title + service.protocol + endpoint)}"
            nat.append(f":{sep} - [0:0]")
            chance = (
                f" -m statistic --mode random --probability {1 / (count - number):.11f}"
                if number < count - 1
                else ""
            )
            lines.append(f'-A {chain} -m comment --comment "{service.title} -> {endpoint}"{chance} -j {sep}')
            address = endpoint.rpartition(":")[0]
            lines.append(f'-A {sep} -s {address}/32 -m comment --comment "{service.title}" -j KUBE-MARK-MASQ')
            lines.append(
                f'-A {sep} -p {service.protocol} -m comment --comment "{service.title}" -m {service.protocol} -j DNAT --to-destination {endpoint}'
            )
    lines.append(
        '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'
    )
    table = [
        "*filter",
        ":INPUT ACCEPT [0:0]",
        ":FORWARD ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":KUBE-EXTERNAL-SERVICES - [0:0]",
        ":KUBE-FIREWALL - [0:0]",
        ":KUBE-FORWARD - [0:0]",
        ":KUBE-NODEPORTS - [0:0]",
        ":KUBE-PROXY-FIREWALL - [0:0]",
        ":KUBE-SERVICES - [0:0]",
        ":FLANNEL-FWD - [0:0]",
        '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS',
        '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
        "-A INPUT -j KUBE-FIREWALL",
        '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
        '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
        '-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        "-A OUTPUT -j KUBE-FIREWALL",
        '-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
        "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        '-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
        '-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
        "COMMIT",
    ]
    chains = [
        "*nat",
        ":PREROUTING ACCEPT [0:0]",
        ":INPUT ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":POSTROUTING ACCEPT [0:0]",
    ]
    mangle = [
        "*mangle",
        ":PREROUTING ACCEPT [0:0]",
        ":INPUT ACCEPT [0:0]",
        ":FORWARD ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":POSTROUTING ACCEPT [0:0]",
        ":KUBE-KUBELET-CANARY - [0:0]",
        ":KUBE-PROXY-CANARY - [0:0]",
        "COMMIT",
    ]
    return "\n".join([*mangle, *table, *chains, *nat, *lines, "COMMIT", ""])


FILES = {
    "etc/sysctl.d/10-network.conf": "# written by the image build\nnet.ipv4.ip_forward = 1\nnet.ipv4.conf.all.rp_filter = 0\nnet.bridge.bridge-nf-call-iptables = 1\nnet.ipv4.ip_local_port_range = 32768 60999\n",
    "etc/sysctl.d/99-kubernetes-cri.conf": "net.bridge.bridge-nf-call-iptables = 1\nnet.bridge.bridge-nf-call-ip6tables = 1\nnet.ipv4.ip_forward = 1\n",
    "etc/modules-load.d/k8s.conf": "overlay\nbr_netfilter\n",
    "etc/cni/net.d/10-flannel.conflist": json.dumps(
        {
            "name": "cbr0",
            "cniVersion": "0.3.1",
            "plugins": [
                {"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}},
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        },
        indent=2,
    )
    + "\n",
    "run/flannel/subnet.env": "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
    "var/lib/kubelet/config.yaml": "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nclusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.local\nresolvConf: /run/systemd/resolve/resolv.conf\nprotectKernelDefaults: false\nmaxPods: 110\n",
    "etc/resolv.conf": "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.internal\n",
    "run/systemd/resolve/resolv.conf": "nameserver 10.0.0.2\nsearch example.internal\n",
    "etc/hostname": f"{NODE}\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    "opt/cni/bin/bridge": "",
    "opt/cni/bin/flannel": "",
    "opt/cni/bin/host-local": "",
    "opt/cni/bin/loopback": "",
    "opt/cni/bin/portmap": "",
}


def build(node: Namespace, outside: Namespace, root: Path) -> None:
    """The node's links, routes, rules and files. Returns when every link has its carrier and its addresses."""
    node.sh("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0")
    node.wire("eth0", outside, "peer0", "address", "52:54:00:00:00:11")
    script = [
        f"hostname {NODE}",
        "ip addr add 10.0.0.11/24 dev eth0",
        "ip link set eth0 up",
        "ip link add flannel.1 address 5e:0a:00:00:00:11 type vxlan id 1 dev eth0 local 10.0.0.11 dstport 8472 nolearning",
        "ip link set flannel.1 mtu 1450 up",
        "ip addr add 10.244.1.0/32 dev flannel.1",
        "ip link add cni0 address 0a:58:0a:f4:01:01 type bridge",
        "ip addr add 10.244.1.1/24 dev cni0",
        "ip link set cni0 up",
    ]
    for host in range(2, 2 + PODS):
        name = f"veth{short(str(host))[:8].lower()}"
        node.wire(name, outside, f"pod{host}", "address", f"0a:58:0a:f4:02:{host:02x}", "mtu", "1450")
        script.append(f"ip link set {name} master cni0 up; bridge link set dev {name} hairpin on")
    script.append("ip link set cni0 mtu 1450")
    script.append("ip route add default via 10.0.0.1 dev eth0")
    for number, (name, (address, cidr)) in enumerate(NODES.items()):
        if name == NODE:
            continue
        vtep, mac = cidr.split("/")[0], f"5e:0a:00:00:00:{16 + number:02x}"
        script += [
            f"ip neigh add {vtep} lladdr {mac} dev flannel.1 nud permanent",
            f"bridge fdb append {mac} dev flannel.1 dst {address}",
            f"ip route add {cidr} via {vtep} dev flannel.1 onlink",
        ]
    script += [
        "sysctl -qw net.ipv4.ip_forward=1",
        "sysctl -qw net.ipv4.conf.all.rp_filter=0",
        "ipset create allowed-operators hash:net",
        "ipset add allowed-operators 192.0.2.0/24",
    ]
    outside.sh("ip link set lo up")
    node.sh("\n".join(script))
    outside.sh("for l in $(ls /sys/class/net); do ip link set $l up; done; ip addr add 10.0.0.1/24 dev peer0")
    # Carrier is noticed by a work queue of the kernel (net/core/link_watch.c): asked for until it is there.
    waiting = f"while [ $(cat /sys/class/net/*/operstate | grep -c '^up$') -lt {PODS + 2} ]; do :; done"
    node.run(["timeout", "30", "sh", "-c", waiting])
    node.run(["iptables-nft-restore"], stdin=rules())
    node.sh(
        "i=1; while [ $i -le 400 ]; do conntrack -I -p tcp --src 10.244.1.10 --dst 10.96.44.1 --sport $((20000 + i)) --dport 80 --state ESTABLISHED --timeout 3000 -u ASSURED >/dev/null 2>&1; i=$((i + 1)); done"
    )
    for path, text in FILES.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def cluster() -> dict[str, object]:
    """Objects as `kubectl get -o json` prints them."""
    nodes = [
        {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
            "status": {
                "addresses": [{"type": "InternalIP", "address": address}],
                "conditions": [{"type": "Ready", "status": "True"}],
                "nodeInfo": {"kubeletVersion": "v1.30.4"},
            },
        }
        for name, (address, cidr) in NODES.items()
    ]
    owners = {
        2: ("kube-system", "coredns", "k8s-app", "kube-dns"),
        3: ("ingress", "ingress-nginx", "app", "ingress-nginx"),
        10: ("shop", "web", "app", "web"),
        11: ("shop", "web", "app", "web"),
        12: ("shop", "cart", "app", "cart"),
        13: ("shop", "payment", "app", "payment"),
        14: ("data", "postgres", "app", "postgres"),
        15: ("monitoring", "prometheus", "app", "prometheus"),
    }
    pods = []
    for number, name in enumerate(NODES):
        for host in range(2, 2 + (PODS if name == NODE else 16)):
            namespace, owner, label, value = owners.get(host, ("jobs", "worker", "app", "worker"))
            ports = (
                [{"containerPort": p, "hostPort": p, "protocol": "TCP"} for p in (80, 443)]
                if owner == "ingress-nginx" and name == NODE
                else []
            )
            pods.append(
                {
                    "metadata": {
                        "namespace": namespace,
                        "name": f"{owner}-{short(name + str(host))[:5].lower()}",
                        "labels": {label: value},
                        "ownerReferences": [
                            {
                                "kind": "DaemonSet"
                                if owner == "ingress-nginx"
                                else "StatefulSet"
                                if owner in {"postgres", "prometheus"}
                                else "ReplicaSet",
                                "name": owner
                                + (
                                    "-5d4f8c7b9"
                                    if owner not in {"ingress-nginx", "postgres", "prometheus"}
                                    else ""
                                ),
                                "controller": True,
                            }
                        ],
                    },
                    "spec": {"nodeName": name, "containers": [{"name": "main", "ports": ports}]},
                    "status": {
                        "phase": "Running",
                        "podIP": pod(number, host),
                        "podIPs": [{"ip": pod(number, host)}],
                    },
                }
            )
        pods.append(
            {
                "metadata": {
                    "namespace": "kube-system",
                    "name": f"kube-proxy-{name}",
                    "labels": {"k8s-app": "kube-proxy"},
                    "ownerReferences": [{"kind": "DaemonSet", "name": "kube-proxy", "controller": True}],
                },
                "spec": {"nodeName": name, "hostNetwork": True, "containers": [{"name": "kube-proxy"}]},
                "status": {"phase": "Running", "podIP": NODES[name][0], "podIPs": [{"ip": NODES[name][0]}]},
            }
        )
    named: dict[tuple[str, str], dict] = {}
    slices = []
    for service in SERVICES:
        key = (service.namespace, service.name)
        item = named.setdefault(
            key,
            {
                "metadata": {"namespace": service.namespace, "name": service.name},
                "spec": {
                    "type": service.kind,
                    "clusterIP": service.address,
                    "clusterIPs": [service.address],
                    "ports": [],
                },
            },
        )
        port = {
            "name": f"{service.protocol}-{service.port}",
            "protocol": service.protocol.upper(),
            "port": service.port,
            "targetPort": int(service.endpoints[0].rpartition(":")[2]),
        }
        if service.node_port:
            port["nodePort"] = service.node_port
        item["spec"]["ports"].append(port)
        if service.protocol == "tcp" and service.port == 53:
            continue
        by_subnet = {cidr.rpartition(".")[0]: name for name, (_, cidr) in NODES.items()}
        slices.append(
            {
                "metadata": {
                    "namespace": service.namespace,
                    "name": f"{service.name}-abcde",
                    "labels": {"kubernetes.io/service-name": service.name},
                },
                "addressType": "IPv4",
                "endpoints": [
                    {
                        "addresses": [e.rpartition(":")[0]],
                        "conditions": {"ready": True},
                        "nodeName": by_subnet.get(e.rpartition(":")[0].rpartition(".")[0], "control-1"),
                    }
                    for e in service.endpoints
                ],
                "ports": [{"port": port["targetPort"], "protocol": port["protocol"]}],
            }
        )
    config = {
        "metadata": {"namespace": "kube-system", "name": "kube-proxy"},
        "data": {
            "config.conf": "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: iptables\nclusterCIDR: 10.244.0.0/16\nconntrack:\n  maxPerCore: 32768\n  min: 131072\n"
        },
    }
    return {
        "nodes": nodes,
        "pods": pods,
        "services": list(named.values()),
        "endpointslices": slices,
        "configmaps": [config],
        "namespaces": [{"metadata": {"name": n}} for n in sorted({p["metadata"]["namespace"] for p in pods})],
    }


def write_cluster(where: Path) -> None:
    where.mkdir(parents=True, exist_ok=True)
    for kind, items in cluster().items():
        (where / f"{kind}.json").write_text(
            json.dumps({"kind": "List", "apiVersion": "v1", "items": items}, indent=1) + "\n"
        )


def main(where: Path) -> None:
    """Build the node, collect it with the project's own script, and write `node.json.gz` with the cluster's objects in it."""
    import tempfile

    from planner.collect.host import collector_script
    from planner.collect.snapshots import snapshot_bundle
    from planner.emit.snapshot import dump_snapshot

    with tempfile.TemporaryDirectory() as folder, Namespace() as node, Namespace() as outside:
        root, bundle = Path(folder) / "root", Path(folder) / "bundle"
        build(node, outside, root)
        stream = node.run(["sh", "-c", collector_script(), "netchange", "0" * 32, str(root)])
        bundle.mkdir()
        (bundle / "stream.txt").write_text(stream.stdout)
        write_cluster(bundle / "cluster")
        snapshot = snapshot_bundle(bundle)
        for gap in snapshot.nodes[0].gaps:
            print(f"gap {gap}", file=sys.stderr)
        where.mkdir(parents=True, exist_ok=True)
        (where / "node.json.gz").write_bytes(dump_snapshot(snapshot, gz=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
