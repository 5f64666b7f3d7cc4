"""The own address of IPv6 for every destination at once, against one destination at a time."""

import random
from ipaddress import IPv6Address

import pytest

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import Space
from planner.dataplane.source import select_address6
from planner.dataplane.symbolic.sources import Sources
from planner.dataplane.symbolic.view import View
from planner.dataplane.view import View as NodeView
from planner.models.link import Address, Link
from planner.models.node import NodeState

BASES = (
    "fd00::",
    "fd00:1::",
    "2001:db8::",
    "2001:db8:ffff::",
    "fe80::",
    "2002::",
    "fec0::",
    "2001::",
    "::ffff:0:0",
    "64:ff9b::",
)


def some_address(rng: random.Random) -> str:
    return str(
        IPv6Address(
            int(IPv6Address(rng.choice(BASES))) | rng.choice((0, 1 << 64, 3 << 40)) | rng.randrange(1, 9)
        )
    )


def some_links(rng: random.Random) -> tuple[Link, ...]:
    return tuple(
        Link(
            name=name, index=at, up=rng.random() < 0.9,
            addresses=tuple(
                Address(
                    address=some_address(rng), length=rng.choice((128, 64, 64, 48, 112)), deprecated=rng.random() < 0.2
                )
                for _ in range(rng.randrange(4))
            ),
        )
        for at, name in enumerate(("lo", "eth0", "eth1"), 1)
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_every_destination_has_the_source_that_it_has_alone(seed: int) -> None:
    """The sets of destinations by chosen source agree with the choice for each, and leave none out."""
    rng = random.Random(seed)
    state = NodeState(name="node", links=some_links(rng))
    space = Space.of("ip6")
    choices = Sources(space, View(space, state, {})).towards("eth0", None)

    assert space.all == space.union([where for where, _ in choices])
    own = [address.address for link in state.links for address in link.addresses]
    for text in (*own, *(some_address(rng) for _ in range(40)), "::1", "2a00::1"):
        destination = int(IPv6Address(text))
        one = space.equals(Part.DESTINATION, destination)
        found = [value for where, value in choices if (where & one).satisfiable()]

        assert [select_address6(NodeView(state), "eth0", destination)] == found
