"""Native nft tables: which change is blamed for which packets, of which it is proven that it moves none, and what is not known."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "dataplane"))

from small_node import LINKS, node
from strategies import DEMO

from planner.assess import assess
from planner.changes import changes_of
from planner.cli.inputs import load_state
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.ruleset import NativeRuleset
from planner.nft.state import Recorded
from planner.packet_changes import PacketChanges
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose
from planner.proposal.transition import propose_state
from planner.report.words import describe
from planner.risks.moved import Moved
from planner.topology.derive import derive_topology

FW = """table inet fw {
	set s {
		type ipv4_addr
		elements = { 203.0.113.7 }
	}

	set spare {
		type ipv4_addr
		elements = { 203.0.113.7 }
	}

	map m {
		type inet_service : verdict
		elements = { 25 : drop, 26 : jump sub }
	}

	chain sub {
		ip saddr 10.9.0.0/16 drop
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		tcp dport vmap @m
		ip saddr @s counter packets 0 bytes 0 drop
		tcp dport 80 accept
		tcp dport 81 drop
	}
}
"""
WHOLE = {f"net.ipv4.conf.{link}.bc_forwarding": "0" for link in ("all", "default", *LINKS)}


def with_tables(text: str) -> NodeState:
    tables = Recorded(text, "")
    for key in tables.names():
        tables.table(key)
    native = NativeRuleset(text=text, json_text=tables.json_text())
    return node(sysctls=WHOLE).model_copy(update={"native": native})


def moved(script: str) -> Moved:
    before = with_tables(FW)
    outlook = propose(before, [recognise("change.sh", script)])
    assert () == outlook.gaps
    return Moved(PacketChanges(outlook, derive_topology(before, None)), changes_of(outlook, {}), Horizon.NOW)


BLAMED = {
    "a-rule": (
        "nft add rule inet fw forward tcp dport 82 drop",
        {"nft inet fw forward: rule added at 5: tcp dport 82 drop"},
    ),
    "a-rule-that-went": (
        "nft flush chain inet fw sub",
        {"nft inet fw sub: rule removed from 1: ip saddr 10.9.0.0/16 drop"},
    ),
    "an-element": ("nft add element inet fw s '{ 203.0.113.8 }'", {"nft inet fw set s: +203.0.113.8"}),
    "an-element-less": (
        "nft delete element inet fw s '{ 203.0.113.7 }'",
        {"nft inet fw set s: -203.0.113.7"},
    ),
    "an-element-of-a-map": (
        "nft add element inet fw m '{ 27 : drop }'",
        {"nft inet fw map m: +27 : drop"},
    ),
    "a-policy": (
        "nft 'chain inet fw forward { policy drop; }'",
        {"nft inet fw chain forward: policy accept → policy drop"},
    ),
    "a-table-that-went": ("nft delete table inet fw", {"nft table inet fw removed"}),
    "one-of-two": (
        "nft add rule inet fw forward tcp dport 82 drop; nft insert rule inet fw forward tcp dport 80 accept",
        {
            "nft inet fw forward: rule added at 6: tcp dport 82 drop",
            "nft inet fw forward: rule added at 1: tcp dport 80 accept",
        },
    ),
}


@pytest.mark.parametrize("name", BLAMED)
def test_what_is_blamed(name: str) -> None:
    """Nothing but what decides about the packet, and it is not told to be harmless."""
    script, wanted = BLAMED[name]
    found = moved(script)
    blamed = {describe(change) for _, changes in found.blamed for change in changes}

    assert found.comparison.classes
    assert wanted == blamed
    assert not any(found.proven(change) for change in found.movers if describe(change) in wanted)


PROVEN = {
    "behind-one-that-takes-all": "nft add rule inet fw forward tcp dport 81 reject",
    "what-is-done-anyway": "nft add rule inet fw forward tcp dport 99 accept",
    "a-set-that-nobody-asks": "nft add element inet fw spare '{ 203.0.113.9 }'",
    "a-chain-that-nobody-calls": "nft add chain inet fw free; nft add rule inet fw free drop",
    "only-counted": "nft insert rule inet fw forward tcp dport 80 counter",
    "another-table-without-a-hook": "nft add table inet own; nft add chain inet own c; nft add rule inet own c drop",
}


@pytest.mark.parametrize("name", PROVEN)
def test_what_is_proven_to_move_nothing(name: str) -> None:
    """The same as before for all packets."""
    found = moved(PROVEN[name])

    assert found.movers
    assert () == found.comparison.classes
    assert [True] * len(found.movers) == [found.proven(change) for change in found.movers]


def test_a_table_that_wakes_up_acts_from_then_on() -> None:
    """Asleep it hangs on no hook, and its flag alone is told."""
    asleep = FW.replace("table inet fw {\n", "table inet fw {\n\tflags dormant\n")
    outlook = propose_state(with_tables(asleep), with_tables(FW), name="after.json")
    found = Moved(
        PacketChanges(outlook, derive_topology(with_tables(asleep), None)),
        changes_of(outlook, {}),
        Horizon.NOW,
    )
    (change,) = found.movers

    assert "nft table inet fw: flags dormant → (absent)" == describe(change)
    assert found.comparison.classes
    assert not found.proven(change)


OPEN = {
    "a-link-that-is-not-there": ("nft 'add rule inet fw forward iifname \"eth77\" drop'", "eth77"),
    "a-bridge": (
        "nft 'table bridge br { chain f { type filter hook forward priority 0; }; }'",
        "it acts on frames that cross a bridge",
    ),
    "a-link-hook-of-inet": (
        "nft 'table inet ing { chain c { type filter hook ingress device \"eth0\" priority 0; policy drop; }; }'",
        "it acts on links",
    ),
    "arp": (
        "nft 'table arp a { chain f { type filter hook input priority 0; }; }'",
        "it acts on ARP",
    ),
}


@pytest.mark.parametrize("name", OPEN)
def test_what_is_not_proven_says_why(name: str) -> None:
    """A link may come, and what is not modelled may do anything."""
    script, why = OPEN[name]
    found = moved(script)
    (change,) = found.movers

    assert not found.proven(change)
    assert any(why in reason for reason in (*found.doubts(change), found.absent(change)))


def test_a_policy_of_nft_is_not_blamed_on_rules_of_iptables_that_go() -> None:
    """`flush ruleset` takes accepts away that nobody needed: what drops is the new chain, and that is said."""
    text = (
        "flush ruleset\n"
        "table inet fw {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n"
        "\t\tct state established,related accept\n\t}\n}\n"
    )
    snapshot = load_state(DEMO)
    found = assess(snapshot, [recognise("fw.nft", text)]).findings
    lost = [one.finding for one in found if "node-management" in {str(what) for what in one.finding.breaks}]

    assert "nft table inet fw added" in {describe(finding.change) for finding in lost}
    assert "accepts-removed" not in {one.finding.risk for one in found}
