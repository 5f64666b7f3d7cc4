"""Settings of a bridge's port: the model writes what the kernel writes, and refuses what it refuses."""

import shlex

import pytest
from ip_world import QUIET, comparable, differences, read_state
from namespace import Namespace

from planner.models.proposal import Command
from planner.models.source import Source
from planner.proposal.ip import run_ip

START = """
ip link add br0 address 02:00:00:00:00:0b type bridge
ip link add p0 address 02:00:00:00:00:10 type veth peer name q0 address 02:00:00:00:00:11
ip link set p0 master br0
"""
COMMANDS = (
    "bridge link set dev p0 hairpin on",
    "bridge link set dev p0 hairpin on guard on cost 7 priority 3 learning off flood off",
    "bridge link set dev p0 mcast_flood off bcast_flood off mcast_to_unicast on mcast_router 2",
    "bridge link set dev p0 neigh_suppress on isolated on vlan_tunnel on fastleave on root_block on locked on",
    "bridge link set dev p0 hairpin on hairpin off",
    "bridge link set dev p0 hairpin on master",
    "bridge link set dev p0 learning_sync off",
    "bridge link set dev p0",
    "bridge link set dev p0 cost 0",
    "bridge link set dev p0 cost 70000",
    "bridge link set dev p0 priority 64",
    "bridge link set dev p0 hairpin maybe",
    "bridge link set dev p0 hai on",
    "bridge link set dev p0 mtu 3",
    "bridge link set dev q0 hairpin on",
    "bridge link set dev br0 hairpin on",
    "bridge link set dev nope hairpin on",
    "bridge link set hairpin on",
    "bridge link show dev p0",
    "bridge li s dev p0",
    "ip link set dev p0 type bridge_slave hairpin on cost 9 guard on",
    "ip link set dev p0 type bridge_slave group_fwd_mask 8 mcast_router 0 neigh_suppress on proxy_arp on learning off",
    "ip link set dev p0 type bridge_slave mcast_fast_leave on",
    "ip link set dev p0 type bridge_slave group_fwd_mask 1",
    "ip link set dev p0 type bridge_slave group_fwd_mask 2",
    "ip link set dev p0 type bridge_slave hairpin maybe",
    "ip link set dev q0 type bridge_slave hairpin off",
    "ip link set dev br0 type bridge_slave hairpin off",
)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_port_is_set_as_the_kernel_sets_it(node: Namespace, line: str) -> None:
    """The settings that are read afterwards are the modelled ones, and both fail on the same commands."""
    node.sh(QUIET + START)
    argv = tuple(shlex.split(line))
    outcome = run_ip(Command(argv=argv, source=Source(name="test", line=1)), read_state(node))
    real = node.run(list(argv), check=False)

    assert () == outcome.gaps
    assert (real.returncode != 0) == bool(outcome.error), (real.stderr, outcome.error)
    assert not differences(
        comparable(read_state(node), options=True), comparable(outcome.state, options=True)
    )
