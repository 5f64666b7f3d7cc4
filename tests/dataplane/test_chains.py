"""The walk through chains."""

import pytest
from small_node import TRACKED, node, out, rules

from planner.dataplane.trace import trace
from planner.models.flow import Disposition
from planner.netfilter.lower import lower_text


def one(state, flow):
    traces = trace(state, flow)
    assert 1 == len(traces)
    return traces[0]


def test_the_first_rule_that_fits_decides() -> None:
    """Order counts: what a later rule says is not asked."""
    state = node("filter FORWARD -p tcp -j ACCEPT\nfilter FORWARD -j DROP")

    assert Disposition.SENT is one(state, out()).disposition
    assert Disposition.DROPPED is one(state, out(protocol=17)).disposition


def test_a_chain_that_returns_goes_on_behind_the_jump() -> None:
    """After RETURN, and after the end of a user chain, the caller's next rule is asked."""
    text = "filter FORWARD -j USER\nfilter FORWARD -p tcp -j DROP\nfilter USER -p tcp -j RETURN\nfilter USER -j ACCEPT"
    found = one(node(text), out())

    assert Disposition.DROPPED is found.disposition
    assert "-A FORWARD -p tcp -j DROP" == found.reason
    assert ["jumps to USER", "returns", "dropped"] == [hop.what for hop in found.hops if hop.rule]


def test_goto_does_not_come_back() -> None:
    """A chain that was gone to ends in the caller's caller: in a base chain, at its policy."""
    text = "filter FORWARD -g USER\nfilter FORWARD -j ACCEPT\nfilter USER -p udp -j ACCEPT"
    state = node(text, policies={"filter FORWARD": "DROP"})

    assert "policy DROP of filter FORWARD" == one(state, out()).reason
    assert Disposition.SENT is one(state, out(protocol=17)).disposition


def test_a_goto_inside_a_called_chain_returns_to_the_caller() -> None:
    """Two levels: FORWARD jumps to A, A goes to B, the end of B returns to FORWARD and not to A."""
    text = "filter FORWARD -j A\nfilter FORWARD -j ACCEPT\nfilter A -g B\nfilter A -j DROP\nfilter B -p udp -j DROP"

    assert Disposition.SENT is one(node(text), out()).disposition


def test_a_mark_set_in_mangle_is_seen_in_filter() -> None:
    """Marks travel with the packet."""
    text = (
        "mangle PREROUTING -i pod1 -j MARK --set-xmark 0x10/0xff\n"
        "filter FORWARD -m mark --mark 0x10/0x10 -j REJECT --reject-with icmp-admin-prohibited"
    )
    found = one(node(text), out())

    assert (Disposition.REJECTED, "icmp-admin-prohibited") == (found.disposition, found.reject_kind)


def test_a_drop_in_either_backend_drops() -> None:
    """Both backends hang on the same hook."""
    nft = rules("filter FORWARD -p udp -j ACCEPT")
    legacy = rules("filter FORWARD -p tcp -j DROP", backend="legacy")

    assert Disposition.DROPPED is one(node(rulesets=(nft, legacy)), out()).disposition


def test_two_backends_that_both_translate_leave_it_open() -> None:
    """The one loaded later runs first, and a snapshot does not show it: told as unknown, with both outcomes."""
    nft = rules("nat POSTROUTING -j SNAT --to-source 192.0.2.1")
    legacy = rules("nat POSTROUTING -j SNAT --to-source 192.0.2.2", backend="legacy")
    found = one(node(rulesets=(nft, legacy)), out())

    assert Disposition.UNKNOWN is found.disposition
    assert "one priority" in found.reason
    assert {"192.0.2.1", "192.0.2.2"} == {other.after.source for other in found.alternatives if other.after}


def test_two_backends_of_which_one_translates_leave_nothing_open() -> None:
    """A backend that does nothing to the packet may run first or last."""
    nft = rules("nat POSTROUTING -j SNAT --to-source 192.0.2.1")
    legacy = rules("nat POSTROUTING -p udp -j SNAT --to-source 192.0.2.2", backend="legacy")

    assert "192.0.2.1" == one(node(rulesets=(nft, legacy)), out()).after.source


def test_a_rule_that_is_not_modelled_and_decides_makes_it_unknown() -> None:
    """Unknown with the rule as the reason, and with what it may be."""
    found = one(node("filter FORWARD -m limit --limit 5/sec -j ACCEPT\nfilter FORWARD -j DROP"), out())

    assert Disposition.UNKNOWN is found.disposition
    assert "-A FORWARD -m limit --limit 5/sec -j ACCEPT" == found.reason
    assert {Disposition.SENT, Disposition.DROPPED} == {other.disposition for other in found.alternatives}


@pytest.mark.parametrize("target", ["-j ACCEPT", "-j LOG", "-j MARK --set-xmark 0x0/0x0"])
def test_a_rule_that_is_not_modelled_and_changes_nothing_leaves_no_doubt(target: str) -> None:
    """Both answers end alike."""
    found = one(node(f"filter FORWARD -m limit --limit 5/sec {target}"), out())

    assert Disposition.SENT is found.disposition


def test_an_accept_does_not_skip_the_other_tables() -> None:
    """ACCEPT ends one base chain."""
    text = "mangle FORWARD -j ACCEPT\nfilter FORWARD -j DROP"

    assert Disposition.DROPPED is one(node(text), out()).disposition


def test_a_chain_that_is_not_in_the_snapshot_is_a_doubt() -> None:
    """A jump into the void may do anything."""
    found = one(node("filter FORWARD -j GONE"), out())

    assert Disposition.UNKNOWN is found.disposition
    assert "GONE" in found.reason


def test_large_chains_are_asked_by_destination_only() -> None:
    """Of ten thousand services one is read."""
    services = "\n".join(
        f"nat PREROUTING -d 10.96.{i >> 8}.{i & 255}/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.3:{i + 1}"
        for i in range(10_000)
    )
    state = node(services)
    before = lower_text.cache_info().currsize + lower_text.cache_info().misses
    found = one(state, out(destination="10.96.3.7"))
    read = lower_text.cache_info().currsize + lower_text.cache_info().misses - before

    assert ("10.244.1.3", 776) == (found.after.destination, found.after.destination_port)
    assert read < 20
    assert "-d 10.96.3.7/32 " in found.hops[0].rule
    assert 776 == found.hops[0].position


def test_the_order_of_an_indexed_chain_is_kept() -> None:
    """A rule without destination that stands first decides first."""
    many = "\n".join(f"filter FORWARD -d 192.0.2.{i}/32 -j DROP" for i in range(100))

    assert Disposition.SENT is one(node(f"filter FORWARD -p tcp -j ACCEPT\n{many}"), out()).disposition
    assert Disposition.DROPPED is one(node(f"{many}\nfilter FORWARD -p tcp -j ACCEPT"), out()).disposition


def test_states_in_raw_are_not_known_yet() -> None:
    """Conntrack looks behind raw: there every packet is INVALID to a match (xt_conntrack.c)."""
    text = f"raw PREROUTING -m conntrack --ctstate INVALID -j DROP\nfilter INPUT {TRACKED}"

    assert Disposition.DROPPED is one(node(text), out()).disposition


def test_untracked_packets_meet_untracked() -> None:
    """NOTRACK in raw holds for the whole way, and keeps nat away."""
    text = (
        "raw PREROUTING -i pod1 -j CT --notrack\n"
        "nat POSTROUTING -j MASQUERADE\n"
        "filter FORWARD -m conntrack --ctstate UNTRACKED -j ACCEPT\n"
        "filter FORWARD -j DROP"
    )
    found = one(node(text), out())

    assert (Disposition.SENT, "10.244.1.2") == (found.disposition, found.after.source)
