"""After any commands, the restoring commands bring the kernel back to what it was, but for what they say they cannot."""

import random

import pytest
from ip_world import QUIET, at_rest, comparable, differences, read_state, settled
from namespace import Namespace
from test_ip_commands import START, command

from planner.emit.ip import restore_commands, unrestorable
from planner.models.node import NodeState

MORE = (
    "ip addr add 10.0.0.2/24 dev v0",
    "ip route add 10.20.0.0/16 via 10.0.0.9 src 10.0.0.2",
    "ip route add 10.30.0.0/16 via 10.0.0.9 mtu 1400",
    "ip route append 10.30.0.0/16 via 10.0.0.8",
    "ip route add 10.31.0.0/16 nexthop via 10.0.0.9 weight 2 nexthop via 10.0.0.8",
    "ip -6 route add fd20::/64 via fd00::9",
    "ip -6 route add fd22::/64 nexthop via fd00::9 nexthop via fd00::8 weight 3",
    "ip route add unreachable default metric 4278198272",
    "ip nexthop add id 5 via 10.0.0.9 dev v0",
    "ip nexthop add id 6 via 10.0.0.8 dev v0",
    "ip nexthop add id 7 group 5/6,3",
    "ip route add 10.40.0.0/16 nhid 7",
    "ip rule add from 10.0.0.0/8 table 100 pref 100",
    "ip rule add fwmark 0x80/0x80 table 100 pref 200",
    "ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev v0 nud permanent",
    "ip neigh add proxy 10.0.0.77 dev v0",
    "ip link set br0 up",
    "ip link set v2 up",
    "ip link set v3 up",
    "ip link set v3 master br0",
    "ip link set v3 type bridge_slave hairpin on",
    "ip link set vx0 up",
    "ip addr add 10.50.0.1/24 dev br0",
    "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.0.0.8",
    "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.0.0.7",
    "ip link add w1 address 02:00:00:00:01:01 type bridge",
)


def facts(state: NodeState) -> dict[str, object]:
    found = {
        key: value for key, value in comparable(state, options=True).items() if not key.startswith("sysctl/")
    }
    for key, value in found.items():
        if key.endswith("/addresses6"):
            assert isinstance(value, list)
            found[key] = sorted(value, key=repr)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_restoring_commands_bring_everything_back(node: Namespace, seed: int) -> None:
    """Eight random commands, then the restoring ones: none fails, and every fact is as before or named as residue."""
    pick = random.Random(1000 + seed)
    node.sh(QUIET)
    node.sh("\n".join((*START, *MORE)))
    before = at_rest(node)
    done = [command(pick) for _ in range(8)]
    for line in done:
        node.sh(line, check=False)
    after = read_state(node)
    commands = restore_commands(after, before)
    residue = unrestorable(after, before)
    for argv in commands:
        result = node.run(argv, check=False)
        assert 0 == result.returncode, (argv, result.stderr, done, commands)
    found = differences(facts(before), facts(settled(node, lambda state: facts(state) == facts(before))))
    unexplained = [
        line for line in found if not any(part.what.split()[1].partition("/")[0] in line for part in residue)
    ]
    assert not unexplained, "\n".join(
        [*done, "---", *(" ".join(argv) for argv in commands), "---", *unexplained]
    )


@pytest.mark.parametrize(
    "change",
    [
        "ip link set v0 down",
        "ip addr del 10.0.0.1/24 dev v0",
        "ip link set v0 mtu 1200",
        "ip nexthop del id 5",
        "ip link set br0 down",
        "ip link del vx0",
        "ip addr flush dev v0",
        "ip link set v3 nomaster",
        "ip rule flush",
        "ip link set v0 name other",
    ],
)
def test_what_the_obvious_inverse_leaves_behind_is_restored(node: Namespace, change: str) -> None:
    """Each of these takes along more than it names; afterwards all of it is back."""
    node.sh(QUIET)
    node.sh("\n".join((*START, *MORE)))
    before = at_rest(node)
    node.sh(change)
    after = read_state(node)
    assert differences(facts(before), facts(after))
    for argv in restore_commands(after, before):
        node.run(argv)
    assert not differences(facts(before), facts(settled(node, lambda state: facts(state) == facts(before))))
