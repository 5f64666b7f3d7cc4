"""Which change is blamed for which packets, and of which it is proven that they move none."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "dataplane"))

from small_node import LINKS, node, rules

from planner.changes import changes_of
from planner.invariants.check import kept as kept_paths
from planner.models.change import Change
from planner.models.comparison import Exactness
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.route import Route
from planner.packet_changes import PacketChanges
from planner.packet_walks import walked
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose
from planner.risks.blame import Blame
from planner.risks.lookups import route_decides
from planner.risks.moved import Moved, moves
from planner.topology.derive import derive_topology

KEPT = "filter FORWARD -p tcp -m tcp --dport 80 -j ACCEPT\nfilter FORWARD -p tcp -m tcp --dport 25 -j DROP"


WHOLE = {f"net.ipv4.conf.{link}.bc_forwarding": "0" for link in ("all", "default", *LINKS)}


def kept() -> NodeState:
    return node(rulesets=(rules(KEPT),), sysctls=WHOLE)


def moved(before: NodeState, script: str) -> Moved:
    outlook = propose(before, [recognise("change.sh", script)])
    changes = changes_of(outlook, {})
    return Moved(PacketChanges(outlook, derive_topology(before, None)), changes, Horizon.NOW)


def named(change: Change) -> str:
    return getattr(change, "rule", "") or getattr(change, "key", "") or change.kind


PROHIBITED = """ip route replace 203.0.113.0/24 via 10.0.0.9 dev eth0
ip rule add from 10.244.1.7 lookup 77
ip route add unreachable default table 77
ip rule add uidrange 0-0 prohibit
"""


def test_a_policy_rule_that_discards_is_to_blame_alone() -> None:
    """Routes that it keeps packets from, and routes of a table that was not asked, have no part in it."""
    found = moved(kept(), PROHIBITED)

    blamed = {
        (change.kind, change.source.line if change.source else None)
        for one, changes in found.blamed
        if one.walked_after is not None and one.walked_after.reason == "prohibit by rule 32764"
        for change in changes
    }

    assert {("policy-rule", 4)} == blamed


def test_a_route_is_to_blame_where_its_table_was_asked() -> None:
    """The same prefix in a table that nobody asks moves nothing."""
    found = moved(
        kept(),
        "ip route add unreachable 203.0.113.0/24 table 77\nip route add unreachable 203.0.113.0/24\n",
    )

    assert found.comparison.classes
    assert {2} == {
        change.source.line for _, changes in found.blamed for change in changes if change.source is not None
    }


def test_the_path_is_due_to_the_rule_that_discards() -> None:
    """A path that a policy rule ends is told at the rule's line, with the routes that it merely passes by behind it."""
    before = node(rulesets=(rules(KEPT),), sysctls=WHOLE)
    outlook = propose(before, [recognise("change.sh", PROHIBITED)])
    changes = changes_of(outlook, {})
    broken = [
        one for one in kept_paths(outlook, derive_topology(before, None), None)
        if one.newly_broken and "by rule" in one.after.reason
    ]  # fmt: skip

    due = Blame(tuple(broken), changes, Horizon.NOW)

    assert broken
    assert {4} == {due.of(one)[0].source.line for one in broken if due.of(one)[0].source is not None}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("told", "decides"),
    [
        ("10.244.2.0/24 via 10.0.0.12 dev eth0, table main", True),
        ("10.244.2.0/24 via 10.0.0.12 dev eth0, table 77, rule 32765", False),
        ("0.0.0.0/0 via 10.0.0.1 dev eth0, table main", False),
        ("prohibit by rule 32764", False),
        ("unreachable 10.244.2.0/24, table main, rule 100", True),
    ],
)
def test_a_lookup_names_route_and_table(told: str, decides: bool) -> None:
    """Prefix and table together are the route."""
    assert decides == route_decides(told, Route(family="ip", prefix="10.244.2.0/24"))


@pytest.mark.parametrize(
    ("script", "blamed"),
    [
        ("iptables -I FORWARD -p tcp --dport 443 -j DROP\n", {"-p tcp -m tcp --dport 443 -j DROP"}),
        ("iptables -D FORWARD -p tcp --dport 25 -j DROP\n", {"-p tcp -m tcp --dport 25 -j DROP"}),
        ("iptables -P FORWARD DROP\n", {"chain-policy"}),
        ("ip route add 203.0.113.0/24 via 10.0.0.9 dev eth0\n", {"route"}),
        (
            "iptables -I FORWARD -p tcp --dport 443 -j DROP\niptables -A FORWARD -s 192.0.2.99 -j RETURN\n",
            {"-p tcp -m tcp --dport 443 -j DROP"},
        ),
    ],
    ids=["rule added", "rule removed", "policy", "route", "one of two"],
)
def test_the_change_where_the_walks_part_is_blamed(script: str, blamed: set[str]) -> None:
    """Not its company."""
    found = moved(kept(), script)

    assert found.comparison.classes
    assert blamed == {named(change) for _, changes in found.blamed for change in changes}


@pytest.mark.parametrize(
    "script",
    [
        "iptables -A FORWARD -p tcp --dport 80 -s 192.0.2.0/24 -j ACCEPT\n",
        "iptables -N SIDE\niptables -A SIDE -j DROP\n",
        "iptables -I FORWARD -m comment --comment note -p tcp --dport 80 -j ACCEPT\n",
    ],
    ids=["taken before", "nobody jumps there", "only a comment"],
)
def test_what_moves_no_packet_is_proven(script: str) -> None:
    """Every change of rules, as none is treated differently and nothing is unknown."""
    found = moved(kept(), script)

    assert all(found.proven(change) for change in found.changes if moves(change))
    assert [] == list(found.blamed)


def test_a_rule_for_a_link_that_is_not_there_is_not_proven() -> None:
    """It does something as soon as the link appears."""
    found = moved(kept(), "iptables -I FORWARD -i docker7 -j DROP\n")

    assert [False] == [found.proven(change) for change in found.changes if moves(change)]
    assert ["docker7"] == [found.absent(change) for change in found.changes if moves(change)]


def test_a_second_opinion_is_not_hidden() -> None:
    """Where the witness's walk does not end as its class says, the class is unknown, with both answers."""
    before = kept()
    found = moved(before, "iptables -I FORWARD -p tcp --dport 443 -j DROP\n")
    one = found.comparison.classes[0]

    again = walked(before, before, one.model_copy(update={"exactness": Exactness.EXACT}))

    assert Exactness.EXACT is one.exactness
    assert Exactness.UNKNOWN is again.exactness
    assert again.because[0].startswith("two ways of computing disagree")
    assert "sent" in again.because[0]
    assert str(one.after.disposition) in again.because[0]
