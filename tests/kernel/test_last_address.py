"""What goes with the last IPv4 address of a link, and with the link itself: routes of every table, scope and type."""

import shlex
from pathlib import Path

import pytest
from ip_world import QUIET, comparable, differences, read_state, settled
from namespace import Namespace
from plan_node import Planned, command, recipe

from planner.models.proposal import Command
from planner.models.source import Source
from planner.proposal.ip import run_ip

SETUP = """
ip link add e0 address 02:00:00:00:00:10 type veth peer name e1 address 02:00:00:00:00:11
ip link set e0 up; ip link set e1 up
ip addr add 10.0.0.5/24 dev e0; ip addr add 10.1.0.5/24 dev e1
ip route add local 10.50.0.1 dev e0
ip route add local 10.50.0.2 dev e0 table 100
ip route add local 10.50.0.3 dev lo
ip route add local 10.50.0.5 src 10.1.0.5 dev e0
ip route add unicast 10.51.0.0/24 dev e0 table 255
ip route add broadcast 10.52.0.255 dev e0
ip route add blackhole 10.54.0.0/24 table 255
ip route add unicast 10.55.0.0/24 dev e0 table 100
ip route add multicast 239.1.1.0/24 dev e0
"""
CHANGES = (
    "ip addr del 10.0.0.5/24 dev e0",
    "ip -4 addr flush dev e0",
    "ip addr add 10.0.0.6/24 dev e0",
    "ip link set e0 down",
)


@pytest.mark.parametrize("line", CHANGES)
def test_the_model_loses_what_the_kernel_loses(node: Namespace, line: str) -> None:
    """With the last address all routes over the link go, hand-written local ones too; when it goes down those stay."""
    node.sh(QUIET + SETUP)
    before = read_state(node)

    outcome = run_ip(Command(argv=tuple(shlex.split(line)), source=Source(name="test", line=1)), before)
    node.sh(line)

    wanted = comparable(outcome.state)
    actual = settled(node, lambda read: comparable(read) == wanted)
    assert [] == differences(comparable(actual), wanted)
    local = [
        route.prefix for route in actual.routes if route.type == "local" and route.prefix == "10.50.0.1/32"
    ]
    assert ([] if "del" in line or "flush" in line else ["10.50.0.1/32"]) == local


@pytest.mark.parametrize("line", CHANGES)
def test_all_of_them_come_back(node: Namespace, tmp_path: Path, line: str) -> None:
    """The rollback writes again what went along with the address."""
    quiet = "".join(f"sysctl -qw net.ipv6.conf.{name}.accept_dad=0\n" for name in ("all", "default"))
    plan = Planned.on(node, recipe(quiet + SETUP, (command(*shlex.split(line)),), ()), tmp_path)
    applied = plan.apply()
    assert 0 == applied.returncode, applied.stderr

    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    assert [] == plan.differs_from(0)
