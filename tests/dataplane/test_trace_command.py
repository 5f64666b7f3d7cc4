"""`netchange trace` on the shipped node."""

import json
from pathlib import Path

import pytest

from planner.cli.main import run
from planner.models.flow import Disposition, Hop, Trace
from planner.report.trace import describe_traces, ending, steps

DEMO = str(Path(__file__).parents[2] / "docs/demo/node.json.gz")
DNS = "10.244.1.2 -> 10.96.0.10:53 udp in veth2rzv4org"


def test_a_service_is_told_with_its_endpoints(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Two endpoints: the pod itself, over the bridge, and one on another node."""
    assert 0 == run(["trace", DEMO, DNS])
    text = " ".join(capsysbinary.readouterr().out.decode().split())

    assert "2 outcomes are possible" in text
    assert "2. 50%: sent by flannel.1 to 10.244.2.0 as 10.244.1.2:40000 → 10.244.2.2:53" in text
    assert "KUBE-SERVICES 2 > KUBE-SVC-TCOU7JCQXEZGVUNU 3" in text


def test_a_packet_of_a_pod_behind_an_unknown_port_says_so(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Where the port on the bridge is not known the ports to name are told; a packet that names one has no note."""
    assert 0 == run(["trace", DEMO, "10.244.1.2:40000 -> 10.0.0.11:443 tcp"])
    guessed = " ".join(capsysbinary.readouterr().out.decode().split())
    assert 0 == run(["trace", DEMO, "10.244.1.2:40000 -> 10.0.0.11:443 tcp in veth2rzv4org"])
    named = " ".join(capsysbinary.readouterr().out.decode().split())

    assert "By which port of cni0 it comes is not known" in guessed
    assert "name one behind the flow with `in`: veth2rzv4org, vethjydubblc" in guessed
    assert "By which port" not in named
    assert "bridged" in named


def test_json_holds_the_whole_trace(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """What a program reads is the noun, and reads back as it."""
    assert 0 == run(["trace", DEMO, DNS, "--json"])
    body = json.loads(capsysbinary.readouterr().out)
    traces = [Trace.model_validate(one) for one in body["flows"][0]["traces"]]

    assert "worker-1" == body["node"]
    assert [Disposition.BRIDGED, Disposition.SENT] == [one.disposition for one in traces]
    assert "-j DNAT --to-destination 10.244.2.2:53" in "".join(hop.rule for hop in traces[1].hops)


def test_flows_can_be_given_by_options(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The same in words and in options."""
    assert 0 == run(["trace", DEMO, "10.0.0.77 -> 10.0.0.11:80 tcp in eth0"])
    words = capsysbinary.readouterr().out
    assert 0 == run(
        ["trace", DEMO, "--from", "10.0.0.77", "--to", "10.0.0.11:80", "--proto", "tcp", "--in", "eth0"]
    )

    assert words == capsysbinary.readouterr().out
    assert b"sent by cni0 to 10.244.1.3" in words


def test_a_dash_means_the_node_itself(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """As the help of `--in` says; elsewhere a dash is standard input."""
    assert 0 == run(
        ["trace", DEMO, "--from", "10.0.0.11", "--to", "10.244.1.3:80", "--proto", "tcp", "--in", "-"]
    )

    assert b"from the node itself" in capsysbinary.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("--from", "10.0.0.1"),
        (DNS, "--node", "nobody"),
        ("--from", "1.1.1.1", "--to", "2.2.2.2", "--state", "OLD"),
    ],
)
def test_mistakes_are_one_sentence(
    words: tuple[str, ...], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Exit code 1 and one line on stderr."""
    assert 1 == run(["trace", DEMO, *words])
    said = capsysbinary.readouterr()

    assert b"" == said.out
    assert 1 == said.err.count(b"\n")


def test_jumps_that_led_nowhere_are_left_out() -> None:
    """What is told has the jumps that led to it as its path."""
    hops = (
        Hop(stage="s", what="jumps to A", chain="BASE", rule="-A BASE -j A", position=1),
        Hop(stage="s", what="jumps to B", chain="BASE", rule="-A BASE -j B", position=2),
        Hop(stage="s", what="accepted", chain="B", rule="-A B -j ACCEPT", position=1),
    )

    assert [("accepted", ["jumps to B"])] == [
        (step.hop.what, [one.what for one in step.path]) for step in steps(hops)
    ]


def test_other_peoples_words_stay_inert() -> None:
    """A comment with an escape sequence is shown, not sent."""
    from small_node import node, out

    from planner.dataplane.trace import trace

    state = node('filter FORWARD -m comment --comment "a\x1b[2Jb" -j DROP')
    text = describe_traces(out(), trace(state, out()), node="n\x1b[0m")

    assert "\x1b" not in text
    assert "\\x1b[2J" in text


def test_endings_say_whether_the_sender_is_told() -> None:
    """Silence is named."""
    from small_node import out

    quiet = Trace(flow=out(), disposition=Disposition.NO_FORWARDING, reason="net.ipv4.conf.eth0.forwarding=0")
    loud = Trace(flow=out(), disposition=Disposition.NO_ROUTE, reject_kind="net-unreachable")

    assert "not forwarded: net.ipv4.conf.eth0.forwarding=0; the sender is not told" == ending(quiet)
    assert "no route; the sender is told net-unreachable" == ending(loud)
