"""Flows as people write them."""

import pytest
from small_node import flow, node, out

from planner.dataplane.flow_text import read_flow
from planner.errors import NetchangeError
from planner.models.flow import Entry, Flow


@pytest.mark.parametrize(
    "packet",
    [
        out(),
        flow("10.0.0.5", "192.0.2.9"),
        flow("2001:db8:1::2", "2001:db8:f::1", "pod1"),
        Flow(source="10.244.1.2", destination="192.0.2.9", protocol=1, entry=Entry(link="pod1")),
    ],
)
def test_what_a_report_prints_can_be_read(packet: Flow) -> None:
    """A flow copied out of a report is the same flow."""
    assert packet == read_flow(str(packet), node())


def test_the_link_is_found_by_the_way_back() -> None:
    """Who names no link means the one that leads to the sender; an own address means the node itself."""
    assert "pod1" == read_flow("10.244.1.2 -> 192.0.2.9:80", node()).entry.link
    assert "" == read_flow("10.0.0.5 -> 192.0.2.9:80", node()).entry.link


def test_words_behind_the_receiver() -> None:
    """Each of them is a field of the header."""
    found = read_flow(
        "10.244.1.2:7 -> 192.0.2.9:80 tcp in pod1 state ESTABLISHED mark 0x4000 ttl 3 tos 16 length 1500",
        node(),
    )

    assert (7, "ESTABLISHED", 0x4000, 3, 16, 1500) == (
        found.source_port, found.state, found.mark, found.hop_limit, found.tos, found.length,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.0.0.1", "no sender and receiver"),
        ("-> 10.0.0.1:80", "no sender and receiver"),
        ("10.0.0.1 ->", "no sender and receiver"),
        ("pod -> 10.0.0.1:80", "`pod` is no address"),
        ("10.0.0.1:99999 -> 10.0.0.1:80", "no port"),
        ("10.0.0.1 -> 10.0.0.2 tcp", "needs the port"),
        ("10.0.0.1 -> 10.0.0.2:80 icmp", "has no ports"),
        ("10.0.0.1 -> 2001:db8::1", "two families"),
        ("10.0.0.1 -> 10.0.0.2:80 in nowhere", "no link `nowhere`"),
        ("10.0.0.1 -> 10.0.0.2:80 ttl 999", "no ttl"),
        ("10.0.0.1 -> 10.0.0.2:80 sideways", "`sideways`"),
    ],
)
def test_mistakes_are_one_sentence(text: str, said: str) -> None:
    """What was not understood, and how it should be written."""
    with pytest.raises(NetchangeError) as caught:
        read_flow(text, node())

    assert said in str(caught.value)
    assert "10.244.1.5:40000 -> 10.96.0.10:53 udp in veth1" in str(caught.value)
