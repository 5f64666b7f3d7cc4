"""Taking writes back, in the model: whatever was written, the emitted writes give the state before. The kernel agrees: tests/kernel."""

from hypothesis import given
from hypothesis import strategies as st

from planner.emit.sysctl import restore_writes
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.source import Source
from planner.proposal.sysctl import write_sysctl

HERE = Source(name="x")
LINKS = (
    Link(name="lo", addresses=(Address(address="127.0.0.1", length=8),)),
    Link(name="eth0", addresses=(Address(address="10.0.0.5", length=24),)),
)
VALUES = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.forwarding": "1",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.ipfrag_low_thresh": "100",
    "net.ipv4.ipfrag_high_thresh": "200",
    "net.ipv4.ip_local_port_range": "32768 60999",
    "net.ipv4.ip_unprivileged_port_start": "1024",
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    **{f"net.ipv4.conf.{x}.forwarding": "1" for x in ("default", "lo", "eth0")},
    **{f"net.ipv4.conf.{x}.rp_filter": "0" for x in ("all", "default", "lo", "eth0")},
    **{
        f"net.ipv6.conf.{x}.{knob}": "0"
        for x in ("all", "default", "lo", "eth0")
        for knob in ("forwarding", "force_forwarding", "ignore_routes_with_linkdown", "disable_ipv6")
    },
}
NODE = NodeState(name="n", sysctls=VALUES, links=LINKS)
WRITES = st.lists(
    st.tuples(
        st.sampled_from(sorted(VALUES)),
        st.sampled_from(
            ["0", "1", "2", "50", "150", "300", "2000", "40000", "20000 50000", "50000 60000", "1 2 3"]
        ),
    ),
    max_size=12,
)


def written(state: NodeState, writes: list[tuple[str, str]]) -> NodeState:
    for key, value in writes:
        state = write_sysctl(state, key, value, source=HERE).state
    return state


@given(WRITES, WRITES)
def test_restoring_gives_the_state_before(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    """By equality of every value, and with no write refused."""
    want = written(NODE, first)
    have = written(want, second)
    for key, value in restore_writes(have, want):
        outcome = write_sysctl(have, key, value, source=HERE)
        assert "" == outcome.error, (key, value)
        have = outcome.state

    assert want.sysctls == have.sysctls


@given(WRITES)
def test_nothing_to_restore_is_no_write(writes: list[tuple[str, str]]) -> None:
    """An undo that writes what is there already would disturb what it copies to."""
    state = written(NODE, writes)

    assert () == restore_writes(state, state)
