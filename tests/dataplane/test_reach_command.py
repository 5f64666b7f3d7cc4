"""`netchange reach` on the shipped node."""

import json
from pathlib import Path

import pytest

from planner.cli.inputs import load_state
from planner.cli.main import run
from planner.dataplane.box_text import read_box
from planner.dataplane.trace import trace
from planner.errors import NetchangeError
from planner.models.comparison import Exactness
from planner.models.flow import Disposition
from planner.models.reach import Reach
from planner.models.traffic import TrafficClass

PATH = Path(__file__).parents[2] / "docs/demo/node.json.gz"
DEMO = str(PATH)
POD, DNS = "10.244.1.2", "10.96.0.10:53/udp"


def reached(capsys: pytest.CaptureFixture[bytes], *words: str) -> list[Reach]:
    """What a program reads."""
    assert 0 == run(["reach", DEMO, *words, "--json"])
    body = json.loads(capsys.readouterr().out)
    assert "worker-1" == body["node"]
    return [Reach.model_validate(one) for one in body["reach"]]


def test_a_pod_reaches_all_endpoints_of_a_service(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """One group for each endpoint, each with the draw that leads there, and of the class that people call it."""
    (found,) = reached(capsysbinary, "--from", POD, "--to", DNS, "--state", "new")
    arriving = [one for one in found.groups if one.ending.passes]

    assert {"10.244.1.2:53", "10.244.2.2:53"} == {one.ending.destination for one in arriving}
    assert all(one.chances and one.exactness is Exactness.EXACT for one in arriving)
    assert {(TrafficClass.DNS,)} == {one.traffic for one in arriving}
    assert {(POD, "10.96.0.10", 53, 17, "cni0")} == {
        (
            one.witness.source, one.witness.destination, one.witness.destination_port, one.witness.protocol,
            one.witness.entry.link,
        )
        for one in found.groups
    }  # fmt: skip


def test_a_node_port_is_masqueraded(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """From outside to a port of the node: any endpoint, as the address of the link that leads to it."""
    (found,) = reached(capsysbinary, "--from", "eth0", "--to", "10.0.0.11:30080/tcp", "--state", "NEW")

    assert {
        ("cni0", "10.244.1.3:80", "10.244.1.1"), ("flannel.1", "10.244.3.3:80", "10.244.1.0"),
    } == {(one.ending.link, one.ending.destination, one.ending.source) for one in found.groups if one.ending.passes}  # fmt: skip


def test_a_drop_names_its_rule(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Packets that conntrack calls invalid meet kube-proxy's rule; a trace of the packet shown says the same."""
    (found,) = reached(capsysbinary, "--from", POD, "--to", "8.8.8.8:443/tcp", "--state", "INVALID")
    dropped = [one for one in found.groups if one.ending.disposition is Disposition.DROPPED]
    state = load_state(PATH).nodes[0]

    assert ["-t filter -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"] == [
        one.ending.reason for one in dropped
    ]
    assert [Disposition.DROPPED] == [one.disposition for one in trace(state, dropped[0].witness)]


def test_without_words_all_packets_of_both_families_are_told(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    """What arrives comes first, of that what the node is known to have; nothing is unknown on the shipped node."""
    four, six = reached(capsysbinary)
    order = [(not one.ending.passes, one.ending.passes and not one.usual) for one in four.groups]

    assert ("ip", "ip6") == (four.family, six.family)
    assert sorted(order) == order
    assert not [one for one in four.groups if one.ending.disposition is Disposition.UNKNOWN]
    assert {Disposition.SENT, Disposition.BRIDGED, Disposition.DELIVERED, Disposition.DROPPED} <= {
        one.ending.disposition for one in four.groups
    }


def test_a_report_counts_what_it_does_not_draw(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Twenty groups of a heading; all of them with `--full`."""
    assert 0 == run(["reach", DEMO])
    short = capsysbinary.readouterr().out.decode()
    assert 0 == run(["reach", DEMO, "--full"])
    full = capsysbinary.readouterr().out.decode()

    assert "groups more (--full)" in short
    assert "more (--full)" not in full
    assert short.count("such as") < full.count("such as")
    assert short.splitlines()[0] == full.splitlines()[0]


def test_who_sends_can_be_told_in_several_ways() -> None:
    """A pod by its name or address, a port of a bridge, the node by its name; a prefix comes by any link."""
    snapshot = load_state(PATH)
    node = snapshot.nodes[0]
    pods = snapshot.cluster.pods if snapshot.cluster is not None else ()
    by_name, families = read_box(node, pods, sender="data/postgres-254cz")
    by_address, _ = read_box(node, pods, sender="10.244.1.14")

    assert by_name is not None
    assert by_name == by_address
    assert (("cni0",), ("10.244.1.14/32",), ("ip",)) == (by_name.links, by_name.source, families)
    assert {
        "worker-1": ("",), "10.0.0.11": ("",), "10.244.2.7": ("flannel.1",), "8.8.8.8": ("eth0",),
        "veth2rzv4org": ("veth2rzv4org",), "10.244.1.0/24": (),
    } == {
        word: box.links
        for word in ("worker-1", "10.0.0.11", "10.244.2.7", "8.8.8.8", "veth2rzv4org", "10.244.1.0/24")
        if (box := read_box(node, sender=word)[0]) is not None
    }  # fmt: skip
    assert (None, ("ip", "ip6")) == read_box(node)


def test_a_port_of_a_bridge_holds_only_its_packets(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The pod behind it; the others of the bridge send no such packet."""
    (found, _) = reached(capsysbinary, "--from", "vethjydubblc", "--proto", "udp")

    assert found.groups
    assert {("cni0", "vethjydubblc", 17)} == {
        (one.witness.entry.link, one.witness.entry.bridge_port, one.witness.protocol) for one in found.groups
    }


@pytest.mark.parametrize(
    ("receiver", "destination", "ports", "protocols"),
    [
        ("10.96.0.10", ("10.96.0.10/32",), (), ()),
        ("10.96.0.0/12:443/tcp", ("10.96.0.0/12",), ((443, 443),), (6,)),
        ("10.96.0.10:53", ("10.96.0.10/32",), ((53, 53),), (6, 17, 132)),
        (":30080/udp", (), ((30080, 30080),), (17,)),
        ("[fd00::/64]:53/17", ("fd00::/64",), ((53, 53),), (17,)),
        ("fd00::10", ("fd00::10/128",), (), ()),
        ("fd00::/8", ("fd00::/8",), (), ()),
        ("::1", ("::1/128",), (), ()),
    ],
)
def test_receivers_are_read(
    receiver: str,
    destination: tuple[str, ...],
    ports: tuple[tuple[int, int], ...],
    protocols: tuple[int, ...],
) -> None:
    """Address or prefix, port, protocol; a port without a protocol is one of tcp, udp or sctp."""
    box, _ = read_box(load_state(PATH).nodes[0], receiver=receiver)

    assert box is not None
    assert (destination, ports, protocols) == (box.destination, box.destination_ports, box.protocols)


@pytest.mark.parametrize(
    "words",
    [
        ("--from", "bogus"),
        ("--from", "10.0.0.1", "--to", "::1"),
        ("--from", "10.244.1.0/24", "--to", "fd00::/8"),
        ("--from", "fd00:1::5"),
        ("--to", "1.2.3.4.5"),
        ("--to", ":"),
        ("--to", "10.0.0.1/40"),
        ("--to", "10.0.0.1:99999"),
        ("--to", "10.0.0.1:53/xx"),
        ("--to", "10.0.0.1:53/icmp"),
        ("--to", "10.0.0.1:53", "--proto", "icmp"),
        ("--to", "10.0.0.1:53/udp", "--proto", "tcp"),
        ("--proto", "300"),
        ("--state", "OLD"),
        ("--node", "nobody"),
    ],
)
def test_mistakes_are_one_sentence(
    words: tuple[str, ...], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Exit code 1, one line on stderr, and nothing that a program could take for an answer."""
    assert 1 == run(["reach", DEMO, *words])
    said = capsysbinary.readouterr()

    assert b"" == said.out
    assert 1 == said.err.count(b"\n")


def test_a_link_that_is_down_is_no_way_in() -> None:
    """No packets come by it, which is no answer to what becomes of them."""
    node = load_state(PATH).nodes[0]
    links = tuple(link.model_copy(update={"up": link.name != "eth0"}) for link in node.links)

    with pytest.raises(NetchangeError, match="`eth0` of `worker-1` is down"):
        read_box(node.model_copy(update={"links": links}), sender="eth0")
