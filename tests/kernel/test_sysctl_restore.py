"""Whatever was written, the emitted writes bring every value back."""

import random

import pytest
from namespace import Namespace
from sysctl_lab import state, values, write_many
from test_sysctl_effects import LEFT_ALONE, SETUP, settle

from planner.emit.sysctl import restore_writes

COPYING = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.conf.all.accept_redirects",
    "net.ipv4.conf.default.forwarding",
    "net.ipv4.conf.v1.forwarding",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.conf.v2.rp_filter",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.conf.default.forwarding",
    "net.ipv6.conf.v1.forwarding",
    "net.ipv6.conf.all.force_forwarding",
    "net.ipv6.conf.v1.force_forwarding",
    "net.ipv6.conf.all.ignore_routes_with_linkdown",
    "net.ipv6.conf.v1.ignore_routes_with_linkdown",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.v3.disable_ipv6",
    "net.ipv6.conf.all.addr_gen_mode",
    "net.ipv6.conf.v1.addr_gen_mode",
)


@pytest.mark.parametrize("seed", range(6))
def test_random_writes_are_taken_back_exactly(node: Namespace, seed: int) -> None:
    """A mixed state, then more writes, then the restoring writes: every key of net.* is as in between."""
    chance = random.Random(seed)
    node.sh(SETUP)
    settle(node)
    writable = {
        path.removeprefix("/proc/sys/").translate(str.maketrans("./", "/."))
        for path in node.sh("find /proc/sys/net -type f -perm -200").split()
    }
    others = sorted(
        key for key in writable if not any(word in key for word in LEFT_ALONE) and ".neigh." not in key
    )

    def shake() -> None:
        pairs = [(chance.choice(COPYING), chance.choice("01")) for _ in range(40)]
        pairs += [(chance.choice(others), chance.choice(["0", "1", "2", "30", "5000"])) for _ in range(150)]
        chance.shuffle(pairs)
        write_many(node, pairs)

    shake()
    want = state(node)
    shake()
    writes = restore_writes(state(node), want)
    assert writes, "nothing was shaken"
    taken = write_many(node, list(writes))
    refused = [pair for pair, ok in zip(writes, taken, strict=True) if not ok]
    after = values(node)
    wrong = {k: (after.get(k), v) for k, v in want.sysctls.items() if after.get(k) != v}

    assert {} == wrong, refused
    assert () == restore_writes(state(node), want), "restoring twice is restoring once"
