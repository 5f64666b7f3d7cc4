"""Another next hop on the same link: a difference that only the wire shows."""

import pytest
from small_node import node, route

from planner.dataplane.symbolic.compare import compare
from planner.models.flow import Disposition


@pytest.mark.parametrize(
    ("later", "expected"), [("192.0.2.3", {("192.0.2.2", "192.0.2.3")}), ("192.0.2.2", set())]
)
def test_another_next_hop_is_another_end(later: str, expected: set[tuple[str, str]]) -> None:
    """All packets of the prefix are told, with both next hops; the same one is a proof of equality."""
    common = (route("192.0.2.0/24", "eth0"), route("10.244.1.0/24", "cni0"))
    before = node(routes=(*common, route("10.244.2.0/24", "eth0", "192.0.2.2")))
    after = node(routes=(*common, route("10.244.2.0/24", "eth0", later)))
    found = compare(before, after)

    assert expected == {
        (one.before.next_hop, one.after.next_hop)
        for one in found.classes
        if one.before.disposition is Disposition.SENT
    }
    assert {"eth0"} >= {one.before.link for one in found.classes} | {one.after.link for one in found.classes}
    assert found.equivalent != bool(expected)
