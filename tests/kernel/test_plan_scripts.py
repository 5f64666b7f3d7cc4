"""apply.sh and rollback.sh on real nodes: what they do, take back, refuse, and survive."""

import os
import subprocess
from pathlib import Path

import pytest
from namespace import Namespace
from plan_node import Rehearsed, command, plan_for, write

SETUP = """
ip link add eth0 address 02:00:00:00:00:01 type veth peer name peer0 address 02:00:00:00:00:02
ip link add eth1 address 02:00:00:00:00:03 type veth peer name peer1 address 02:00:00:00:00:04
for l in eth0 eth1 peer0 peer1; do sysctl -qw net.ipv6.conf.$l.accept_dad=0; ip link set $l up; done
ip addr add 10.0.0.5/24 dev eth0; ip addr add 192.0.2.5/24 dev eth1
ip route add default via 10.0.0.1; ip route add 10.244.1.0/24 via 10.0.0.7 proto static metric 10 mtu 1400
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth1.forwarding=0 net.ipv4.conf.all.accept_redirects=1
ipset create web hash:ip; ipset add web 10.0.0.9
iptables-BACKEND -P FORWARD DROP
iptables-BACKEND -A FORWARD -s 10.244.0.0/16 -j ACCEPT
iptables-BACKEND -A FORWARD -m set --match-set web src -m comment --comment 'a "b" $(touch hacked)' -j ACCEPT
iptables-BACKEND -A FORWARD -d 10.244.0.0/16 -j ACCEPT
iptables-BACKEND -N KUBE-X; iptables-BACKEND -A KUBE-X -j RETURN; iptables-BACKEND -A INPUT -j KUBE-X
"""
BACKENDS = pytest.mark.parametrize("backend", ["nft", "legacy"])
SHELLS = [("sh",), ("bash", "--posix"), ("busybox", "sh")]


def everything(node: Namespace, tmp_path: Path, backend: str, shell: tuple[str, ...] = ("sh",)) -> Rehearsed:
    """Ten operations of every kind, among them a file with a hostile name."""
    setup = SETUP.replace("BACKEND", backend)
    node.sh(setup)
    conf = tmp_path / "90-x $(touch hacked) 'q'.conf"
    conf.write_text("net.ipv4.ip_forward = 1")
    conf.chmod(0o640)
    new = tmp_path / "sub" / "new.conf"
    new.parent.mkdir()
    gone = tmp_path / "gone.conf"
    gone.write_text("old\nEOF\nNETCHANGE_END\n")
    tables = f"iptables-{backend}"
    restore = "*mangle\n:PREROUTING ACCEPT [0:0]\n:MARKS - [0:0]\n-A PREROUTING -j MARKS\n-A MARKS -j MARK --set-xmark 0x1/0xffffffff\nCOMMIT\n"
    operations = [
        write(conf, "net.ipv4.ip_forward = 0\n"),
        command("sysctl", "-w", "net.ipv4.ip_forward=0"),
        command(tables, "-D", "FORWARD", "1"),
        command(tables, "-t", "nat", "-A", "POSTROUTING", "-s", "10.244.0.0/16", "-j", "MASQUERADE"),
        command(f"{tables}-restore", "--noflush", stdin=restore),
        command("ip", "route", "replace", "10.244.1.0/24", "via", "10.0.0.8", "proto", "static", "metric", "10"),
        command("ip", "route", "del", "default"),
        command("ipset", "add", "web", "10.0.0.10"),
        write(new, "text without an end"),
        write(gone, None),
    ]
    return plan_for(
        node, tmp_path / "state", operations, files=(conf, new, gone), setup_again=setup, shell=shell
    )


@BACKENDS
@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_applied_and_taken_back_nothing_is_left(
    node: Namespace, tmp_path: Path, backend: str, shell: tuple[str, ...]
) -> None:
    """After apply.sh the node is as predicted; after rollback.sh it is as before, and a second run does nothing."""
    plan = everything(node, tmp_path, backend, shell)
    assert [] == plan.differs_from(0)

    applied = plan.apply()
    assert 0 == applied.returncode, applied.stderr
    assert [] == plan.differs_from(-1)
    again = plan.apply()
    assert 0 == again.returncode, again.stderr
    assert len(plan.plan.steps) == again.stderr.count("applied already")
    assert [] == plan.differs_from(-1)

    back = plan.rollback()
    assert 0 == back.returncode, back.stderr
    assert [] == plan.differs_from(0)
    second = plan.rollback()
    assert 0 == second.returncode
    assert "nothing to take back" in second.stderr
    assert not Path("hacked").exists()
    assert not list(tmp_path.rglob("hacked"))
