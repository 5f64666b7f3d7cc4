"""Differences of running values."""

from hypothesis import given
from hypothesis import strategies as st

from planner.diff.sysctls import diff_sysctls
from planner.models.change import Cause
from planner.models.link import Address, Link
from planner.models.node import NodeState


def with_(values: dict[str, str], *links: Link) -> NodeState:
    return NodeState(name="n", sysctls=values, links=links)


def test_notation_is_no_difference() -> None:
    """White space and lists that mean the same."""
    before = with_({"net.ipv4.tcp_rmem": "1 2 3", "net.ipv4.ip_local_reserved_ports": "1,2,3"})
    after = with_({"net.ipv4.tcp_rmem": "1\t2 3", "net.ipv4.ip_local_reserved_ports": "1-3"})

    assert [] == list(diff_sysctls(before, after))


def test_two_names_are_one_change() -> None:
    """ip_forward is told under its own name only; the neighbour times once."""
    before = with_(
        {
            "net.ipv4.ip_forward": "1",
            "net.ipv4.conf.all.forwarding": "1",
            "net.ipv4.neigh.eth0.retrans_time": "100",
            "net.ipv4.neigh.eth0.retrans_time_ms": "1000",
        }
    )
    after = with_(
        {
            "net.ipv4.ip_forward": "0",
            "net.ipv4.conf.all.forwarding": "0",
            "net.ipv4.neigh.eth0.retrans_time": "50",
            "net.ipv4.neigh.eth0.retrans_time_ms": "500",
        }
    )

    assert ["net.ipv4.ip_forward", "net.ipv4.neigh.eth0.retrans_time_ms"] == [
        change.key for change in diff_sysctls(before, after)
    ]


def test_a_second_name_alone_is_told() -> None:
    """A snapshot that holds only the other name loses nothing."""
    before = with_({"net.ipv4.conf.all.forwarding": "1"})
    after = with_({"net.ipv4.conf.all.forwarding": "0"})

    assert ["net.ipv4.conf.all.forwarding"] == [change.key for change in diff_sysctls(before, after)]


def test_counters_and_links_that_came_or_went_are_silent() -> None:
    """A pod that started is told as a link, not as forty values."""
    before = with_({"net.netfilter.nf_conntrack_count": "5", "net.ipv4.conf.cali1.rp_filter": "0"})
    after = with_({"net.netfilter.nf_conntrack_count": "9", "net.ipv4.conf.cali2.rp_filter": "1"})

    assert [] == list(diff_sysctls(before, after))


def test_a_key_that_goes_with_its_module_is_told() -> None:
    """br_netfilter unloaded: the value is gone, and that matters."""
    before = with_({"net.bridge.bridge-nf-call-iptables": "1"})

    (change,) = diff_sysctls(before, with_({}))
    assert ("1", None) == (change.before, change.after)


def test_links_that_a_default_may_reach() -> None:
    """Without an address and at the default's value: maybe. With an address, or written by hand: not."""
    own = Address(address="10.0.0.5", length=24)
    links = (Link(name="eth0", addresses=(own,)), Link(name="cali1"), Link(name="cali2"))
    values = {
        "net.ipv4.conf.default.rp_filter": "0",
        "net.ipv4.conf.eth0.rp_filter": "0",
        "net.ipv4.conf.cali1.rp_filter": "0",
        "net.ipv4.conf.cali2.rp_filter": "2",
    }
    after = {**values, "net.ipv4.conf.default.rp_filter": "1"}

    assert [
        ("net.ipv4.conf.cali1.rp_filter", Cause.MAYBE),
        ("net.ipv4.conf.default.rp_filter", Cause.PROPOSED),
    ] == [(change.key, change.cause) for change in diff_sysctls(with_(values, *links), with_(after, *links))]


KEYS = st.sampled_from(
    [
        "net.ipv4.ip_forward",
        "net.ipv4.conf.all.forwarding",
        "net.ipv4.conf.default.rp_filter",
        "net.ipv4.conf.a.rp_filter",
    ]
)
STATES = st.dictionaries(KEYS, st.sampled_from(["0", "1", "01", "2"])).map(lambda v: with_(v, Link(name="a")))


@given(STATES)
def test_nothing_differs_from_itself(one: NodeState) -> None:
    """diff(a, a) is empty."""
    assert [] == list(diff_sysctls(one, one))


@given(STATES, STATES)
def test_changes_are_sorted_and_name_each_key_once(one: NodeState, other: NodeState) -> None:
    """Equal input gives equal bytes."""
    keys = [change.key for change in diff_sysctls(one, other)]

    assert sorted(set(keys)) == keys
