"""What a state does not hold is a doubt, under the names that readers give it."""

import pytest
from small_node import node, out, route

from planner.dataplane.gaps import deciding
from planner.dataplane.symbolic.scope import beyond
from planner.dataplane.trace import trace
from planner.models.flow import Disposition
from planner.models.route import NextHop, NextHopObject
from planner.models.source import Gap
from planner.parse.node import parse_node

RULES = """
filter FORWARD -j MINE
filter MINE -m set --match-set here dst -j DROP
"""


@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_readers_give_these_names(family: str) -> None:
    """Of a node of which nothing could be collected, each part that decides is a gap."""
    said = {gap.section for gap in parse_node(()).gaps}

    for section in deciding(family):
        assert {section, section.split("/")[0]} & said, f"{section} is not one of {sorted(said)}"


@pytest.mark.parametrize(
    "section",
    [
        "routes/ip", "policy_rules/ip", "iptables/nft/ip", "iptables/nft/ip/filter", "iptables/nft/ip/filter/MINE",
        "iptables/nft/ip/filter/FORWARD", "iptables/legacy/ip/nat", "nft",
    ],
)  # fmt: skip
def test_a_gap_on_the_way_is_a_doubt(section: str) -> None:
    """For the trace of one packet as for the comparison of all."""
    plain = node("filter FORWARD -j MINE\nfilter MINE -m mark --mark 0x7/0xff -j DROP")
    state = plain.model_copy(update={"gaps": (Gap(section=section, reason="not collected"),)})

    assert [Disposition.SENT] == [found.disposition for found in trace(plain, out())]
    assert [Disposition.UNKNOWN] == [found.disposition for found in trace(state, out())]
    assert [f"{section}: not collected"] == list(beyond(state, state))


@pytest.mark.parametrize(
    "section", ["routes/ip6", "iptables/nft/ip/filter/OTHER", "iptables/nft/ip6", "files/etc"]
)
def test_a_gap_beside_the_way_is_none(section: str) -> None:
    """Another family, a chain that is not met."""
    plain = node("filter FORWARD -j MINE\nfilter MINE -m mark --mark 0x7/0xff -j DROP")
    state = plain.model_copy(update={"gaps": (Gap(section=section, reason="not collected"),)})

    assert [Disposition.SENT] == [found.disposition for found in trace(state, out())]


def test_a_nexthop_object_that_is_not_there_is_a_doubt() -> None:
    """Alone, or as one of a group; with all of them the packet goes."""
    way = route("192.0.2.0/24", nexthop_id=7)
    single = NextHopObject(id=7, family="ip", hop=NextHop(link="eth1", via="10.9.0.1"))
    group = NextHopObject(id=7, group=((8, 1), (9, 1)))
    member = single.model_copy(update={"id": 8})

    def ends(*objects: NextHopObject) -> set[Disposition]:
        state = node(routes=(way,)).model_copy(update={"nexthop_objects": objects})
        return {found.disposition for found in trace(state, out())}

    assert {Disposition.UNKNOWN} == ends()
    assert {Disposition.UNKNOWN} == ends(group, member)
    assert {Disposition.SENT} == ends(single)
    assert {Disposition.SENT} == ends(group, member, single.model_copy(update={"id": 9}))
