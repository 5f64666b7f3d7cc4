"""What is told of a class of packets belongs to the packet that is shown."""

import re
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from test_bridge import bridged

from planner.cli.inputs import load_state
from planner.dataplane.flow_text import read_flow
from planner.models.comparison import Comparison, Exactness, PacketClass
from planner.models.horizon import Horizon
from planner.packet_changes import PacketChanges
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose
from planner.topology.derive import derive_topology

DEMO = Path(__file__).parents[2] / "docs/demo/node.json.gz"
UNTRACKED = "iptables -t raw -A PREROUTING -s 10.244.1.0/24 -j CT --notrack\n"
SIZES = "ip link set dev flannel.1 mtu 1300\nip link set dev eth0 mtu 9000\n"
LIMITED = "iptables -I FORWARD -m limit --limit 5/sec -j DROP\n"
CLOSED = (
    "ip -6 addr add fd00:1::11/64 dev eth0\nip -6 route add default via fd00:1::1\nip6tables -P INPUT DROP\n"
)


@cache
def compared(script: str) -> Comparison:
    snapshot = load_state(DEMO)
    state = snapshot.nodes[0]
    outlook = propose(state, [recognise("change.sh", script)])
    return PacketChanges(outlook, derive_topology(state, snapshot.cluster), snapshot.cluster).at(Horizon.NOW)


def holds(box: str, one: PacketClass) -> bool:
    """Whether a box as it is printed holds the witness."""
    flow = one.witness
    port = re.search(r"(?<!source) port (\d+)(?:-(\d+))?", box)
    ends = re.search(r" from (\S+)", box), re.search(r" to (\S+)", box)
    return (
        (port is None or int(port[1]) <= flow.destination_port <= int(port[2] or port[1]))
        and all(
            end is None or ip_address(address) in ip_network(end[1])
            for end, address in zip(ends, (flow.source, flow.destination), strict=True)
        )
        and (not flow.entry.link or flow.entry.link in box.partition(" in ")[2] or " in " not in box)
    )


@pytest.mark.parametrize("script", [UNTRACKED, SIZES, CLOSED], ids=["untracked", "sizes", "closed"])
def test_the_first_box_is_around_the_packet(script: str) -> None:
    """Who reads a packet and a box beneath it takes the packet for one of the box."""
    classes = compared(script).classes

    assert classes
    assert [] == [(str(one.witness), one.packets[0]) for one in classes if not holds(one.packets[0], one)]


def test_a_packet_hangs_on_draws_of_its_own_service_only() -> None:
    """One to a Service with a single endpoint hangs on none, whatever other packets of its class do."""
    found = compared(UNTRACKED).classes
    single = [one for one in found if one.witness.destination == "10.96.0.1"]
    questions = [one for one in found if one.witness.destination == "10.96.0.10" and one.chances]

    assert single
    assert [()] * len(single) == [one.chances for one in single]
    assert questions
    assert all("kube-system/kube-dns" in text for one in questions for text in one.chances)


def test_a_reason_is_said_once_with_its_rule() -> None:
    """The match that is not modelled is not told beside the rule that it stands in."""
    found = compared(LIMITED).classes

    assert found
    assert {Exactness.UNKNOWN} == {one.exactness for one in found}
    assert {("-A FORWARD -m limit --limit 5/sec -j DROP",)} == {one.because for one in found}


@pytest.mark.parametrize("script", [SIZES, CLOSED, LIMITED], ids=["sizes", "closed", "limited"])
def test_a_packet_that_is_shown_has_a_host_as_its_source(script: str) -> None:
    """Groups and broadcasts send nothing; where a class has plain packets too, one of them is shown."""
    sources = {ip_address(one.witness.source) for one in compared(script).classes}

    assert not [one for one in sources if one.is_multicast or one.is_unspecified]
    assert "10.244.1.255" not in {str(one) for one in sources}


def test_the_port_of_a_pod_comes_from_the_tables_of_the_node() -> None:
    """Neighbours tell the pod's MAC, forwarding entries the port behind which it is."""
    assert "veth2" == read_flow("10.1.0.2 -> 10.96.0.1:80 tcp", bridged()).entry.link
    assert "cni0" == read_flow("10.1.0.9 -> 10.96.0.1:80 tcp", bridged()).entry.link
    assert "cni0" == read_flow("10.1.0.2 -> 10.96.0.1:80 tcp in cni0", bridged()).entry.link
