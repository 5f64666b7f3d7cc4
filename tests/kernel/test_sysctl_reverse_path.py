"""How strict the reverse path filter is, against packets whose answer would leave by another link."""

import pytest
from namespace import Namespace
from plan_node import observe
from sysctl_lab import write

from planner.dataplane.lookup import reverse_path
from planner.models.flow import Disposition

SETUP = """
for i in 0 1; do ip link add eth$i type veth peer name peer$i; ip link set eth$i up; ip link set peer$i up; done
ip addr add 10.0.0.5/24 dev eth0
ip route add 203.0.113.0/24 via 10.0.0.1 dev eth0
"""
SEND = r"""
import socket, struct, sys
def checksum(data):
    total = sum(struct.unpack(f"!{len(data)//2}H", data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def header(sum): return struct.pack("!BBHHHBBH4s4s", 69, 0, 32, 1, 0, 64, 17, sum, socket.inet_aton("203.0.113.9"), socket.inet_aton("10.0.0.5"))
packet = header(checksum(header(0))) + struct.pack("!HHHH", 4000, 4000, 12, 0) + b"abcd"
mac = bytes.fromhex(open("/sys/class/net/eth1/address").read().strip().replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("peer1", 0))
s.send(mac + bytes.fromhex("020000000099") + b"\x08\x00" + packet)
"""


def dropped(node: Namespace) -> int:
    """How many packets the filter has dropped in this namespace."""
    names, numbers = [
        line.split()[1:]
        for line in node.sh("cat /proc/net/netstat").splitlines()
        if line.startswith("TcpExt:")
    ]
    return int(numbers[names.index("IPReversePathFilter")])


@pytest.mark.parametrize("bare", [False, True], ids=["with an address", "without"])
@pytest.mark.parametrize("own", ["0", "1", "2"])
@pytest.mark.parametrize("everywhere", ["0", "1", "2"])
def test_the_larger_value_decides_and_loose_is_strict_on_a_bare_link(
    node: Namespace, everywhere: str, own: str, bare: bool
) -> None:
    """The kernel drops exactly where the model says so, and what the model says is what risks go by."""
    node.sh(SETUP + ("" if bare else "ip addr add 192.0.2.5/24 dev eth1"))
    write(node, "net.ipv4.conf.all.rp_filter", everywhere)
    write(node, "net.ipv4.conf.eth1.rp_filter", own)
    before = dropped(node)
    node.run(["python3", "-c", SEND])
    told = reverse_path(observe(node), "eth1", "203.0.113.9", destination="10.0.0.5")

    assert "" == told.doubt
    assert (told.refused is Disposition.RP_FILTER) == (dropped(node) == before + 1)
