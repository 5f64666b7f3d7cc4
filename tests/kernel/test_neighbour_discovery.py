"""Neighbour discovery passes INPUT and OUTPUT of ip6tables: what drops it there shuts all that IPv6 carries."""

import subprocess

import pytest
from namespace import Namespace

CONNECT = """python3 - <<'END'
import socket
one = socket.socket(socket.AF_INET6)
one.settimeout(10)
try:
    one.connect(("fd00:1::11", 22))
    print("connected")
except OSError:
    print("lost")
END"""
SERVE = """import socket, sys
one = socket.socket(socket.AF_INET6)
one.bind(("::", 22))
one.listen(8)
print("ready", flush=True)
sys.stdin.read()
"""
TCP = "ip6tables -A INPUT -s fd00:1::/64 -p tcp --dport 22 -j ACCEPT"


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (f"{TCP}; ip6tables -P INPUT DROP", "lost"),
        (f"{TCP}; ip6tables -A INPUT -p ipv6-icmp -j ACCEPT; ip6tables -P INPUT DROP", "connected"),
        ("ip6tables -A OUTPUT -p ipv6-icmp -j DROP", "lost"),
    ],
    ids=["input drops", "icmpv6 is accepted", "output drops"],
)
def test_a_neighbour_connects_only_where_it_is_answered(node: Namespace, rules: str, found: str) -> None:
    """tcp 22 is accepted every time; what decides is whether the question who has the address is heard and answered."""
    with Namespace() as other:
        node.wire("n0", other, "o0")
        node.sh(f"ip link set n0 up; ip -6 addr add fd00:1::11/64 dev n0 nodad; {rules}")
        other.sh("ip link set o0 up; ip -6 addr add fd00:1::1/64 dev o0 nodad")
        with subprocess.Popen(
            [*node.enter(), "python3", "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            got = other.sh(CONNECT).strip()
            server.kill()

    assert found == got
