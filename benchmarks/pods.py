"""Nodes with many pods, built with the real tools in a namespace and collected with the project's own script."""

import ipaddress
import subprocess
from collections.abc import Iterator
from typing import Literal

from benchmarks.kubeproxy import iptables_save, make_services
from planner.collect.host import collector_script
from planner.models.node import NodeState
from planner.parse.node import parse_node
from planner.parse.stream import parse_stream

Style = Literal["bridge", "routed"]
"""`bridge`: ports of cni0, as flannel's and the bridge plugin's. `routed`: a /32 by each link, as Calico's."""

SERVICES = 50
TOKEN = "0" * 32
ENTER = ("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
LIMIT = 600
BUILD = """
set -e
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
hostname worker-1
ip link set lo up
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
mkfifo /run/ready
unshare --net sh -c 'sysctl -qw net.ipv6.conf.default.disable_ipv6=1; echo >/run/ready; exec sleep 600' &
read _ </run/ready
sed "s/ netns far/ netns $!/" >/run/all
sed -n 's/^near //p' /run/all >/run/near
sed -n 's/^far //p' /run/all >/run/far
sed -n 's/^fdb //p' /run/all >/run/fdb
sed -n 's/^rule //p' /run/all >/run/rules
sed -n 's/^value //p' /run/all >/run/values
ip -batch /run/near
bridge -batch /run/fdb
nsenter --net=/proc/$!/ns/net ip -batch /run/far
sysctl -q -p /run/values
iptables-nft-restore </run/rules
while ip -br link show up | grep -v '^lo ' | grep -qv LOWER_UP; do ip link >/dev/null; done
rm -f /run/all /run/near /run/far /run/fdb /run/rules /run/values /run/ready
exec sh -c "$1" netchange "$2"
"""
"""Commands come on standard input, each line with the place where it belongs."""


def pod_node(pods: int, style: Style) -> NodeState:
    """The node with so many pods, as it was collected."""
    done = subprocess.run(
        [*ENTER, "sh", "-c", BUILD, "build", collector_script(), TOKEN],
        input="\n".join([*_lines(pods, style), ""]),
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=LIMIT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the node could not be built: {done.stderr[-500:]}")
    sections, _ = parse_stream(done.stdout, token=TOKEN)
    return parse_node(sections, name="worker-1")


def _lines(pods: int, style: Style) -> Iterator[str]:
    yield from (
        "near link add eth0 address 52:54:00:00:00:11 type veth peer name eth0 netns far",
        "far link set eth0 up",
        "near link set eth0 up",
        "near addr add 10.0.0.11/24 dev eth0",
        "near link add vxlan.1 address 5e:0a:00:00:00:11 mtu 1450 type vxlan id 1 dev eth0 local 10.0.0.11 dstport 8472 nolearning",
        "near link set vxlan.1 up",
        "near addr add 10.244.1.0/32 dev vxlan.1",
        "near route add default via 10.0.0.1 dev eth0",
        "value net.ipv4.ip_forward=1",
    )
    for other in range(2, 10):
        yield f"near neigh add 10.244.{other * 8}.0 lladdr 5e:0a:00:00:01:{other:02x} dev vxlan.1 nud permanent"
        yield f"fdb fdb append 5e:0a:00:00:01:{other:02x} dev vxlan.1 dst 10.0.0.{other + 20}"
        yield f"near route add 10.244.{other * 8}.0/21 via 10.244.{other * 8}.0 dev vxlan.1 onlink"
    if style == "bridge":
        yield "near link add cni0 address 0a:58:0a:f4:00:01 mtu 1450 type bridge"
        yield "near addr add 10.244.0.1/21 dev cni0"
        yield "near link set cni0 up"
    else:
        yield "near route add blackhole 10.244.0.0/21 proto 80"
    first = int(ipaddress.ip_address("10.244.0.2"))
    for number in range(pods):
        address, mac = (
            ipaddress.ip_address(first + number),
            f"0a:58:0a:f4:{number >> 8:02x}:{number & 255:02x}",
        )
        name = f"veth{number:08x}" if style == "bridge" else f"cali{number:011x}"
        own = "" if style == "bridge" else "address ee:ee:ee:ee:ee:ee "
        yield f"near link add {name} {own}mtu 1450 type veth peer name pod{number} netns far"
        yield f"far link set pod{number} up"
        if style == "bridge":
            yield f"near link set {name} master cni0"
            yield f"near link set {name} up"
            yield f"near link set {name} type bridge_slave hairpin on"
            yield f"near neigh add {address} lladdr {mac} dev cni0 nud stale"
        else:
            yield f"near link set {name} up"
            yield f"near route add {address}/32 dev {name} scope link proto 3"
            yield f"near neigh add {address} lladdr {mac} dev {name} nud stale"
            for key, value in (("rp_filter", 1), ("route_localnet", 1), ("proxy_arp", 1), ("forwarding", 1)):
                yield f"value net.ipv4.conf.{name}.{key}={value}"
            yield f"value net.ipv4.neigh.{name}.proxy_delay=0"
            yield f"value net.ipv6.conf.{name}.accept_ra=0"
    yield from (f"rule {line}" for line in iptables_save(make_services(SERVICES)).splitlines())
