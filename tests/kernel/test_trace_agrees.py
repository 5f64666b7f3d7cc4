"""`netchange trace` names the rules that `nft monitor trace` names: the same chains and positions in the same order."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_stage import CLIENT, demo_node, of_pod
from oracle.hand import Hand, tcp, udp
from oracle.probe import probe
from plan_node import observe
from trace_monitor import Met, Monitor, monitor

from planner.cli.main import run
from planner.models.flow import Entry, Flow, Trace
from planner.models.snapshot import Snapshot

HOST = Entry(user=0)
FLOWS = {
    "a pod to a service with one endpoint": of_pod(tcp, f"{CLIENT}.40000", "10.96.44.3.443"),
    "a pod to a service with six": of_pod(tcp, f"{CLIENT}.40000", "10.96.44.1.80"),
    "a pod to DNS": of_pod(udp, f"{CLIENT}.40000", "10.96.0.10.53"),
    "a pod to the API server": of_pod(tcp, f"{CLIENT}.40000", "10.96.0.1.443"),
    "a pod to a pod elsewhere": of_pod(tcp, f"{CLIENT}.40000", "10.244.2.7.8080"),
    "a pod to the outside": of_pod(tcp, f"{CLIENT}.40000", "198.51.100.9.443"),
    "a pod to a host port": of_pod(tcp, f"{CLIENT}.40000", "10.0.0.11.80"),
    "from outside to a node port": tcp("192.0.2.9.40000", "10.0.0.11.31380"),
    "from outside to a host port": tcp("192.0.2.9.40000", "10.0.0.11.443"),
    "from outside to nobody's port": tcp("192.0.2.9.40000", "10.0.0.11.9"),
    "from elsewhere to a pod": tcp("10.244.2.7.40000", "10.244.1.10.8080", "flannel.1"),
    "the node to a service": udp("10.0.0.11.40000", "10.96.0.10.53", entry=HOST),
    "the node to a pod": tcp("10.244.1.1.40000", "10.244.1.10.8080", entry=HOST),
}
MARKS = itertools.count(39001)


@pytest.fixture(scope="module")
def node() -> Iterator[Hand]:
    """The node of the demo."""
    with demo_node() as node:
        yield node


@pytest.fixture(scope="module")
def snapshot(node: Hand, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node as the project's own collector sees it, taken before anything is traced."""
    path = tmp_path_factory.mktemp("trace") / "node.json"
    taken = Snapshot(taken_at="2024-01-01T00:00:00Z", nodes=(observe(node.node),))
    path.write_text(taken.model_dump_json())
    return path


@pytest.fixture(scope="module")
def watch(node: Hand, snapshot: Path) -> Iterator[Monitor]:
    """The kernel's own trace."""
    with monitor(node.node) as found:
        yield found


def told(snapshot: Path, flow: Flow, capsysbinary: pytest.CaptureFixture[bytes]) -> list[list[Met]]:
    """What the command says: the rules of each outcome that is possible."""
    words = [
        str(snapshot),
        "--proto",
        "tcp" if flow.protocol == 6 else "udp",
        "--in",
        flow.entry.bridge_port or flow.entry.link or "-",
    ]
    ends = [
        "--from",
        f"{flow.source}:{flow.source_port}",
        "--to",
        f"{flow.destination}:{flow.destination_port}",
    ]
    assert 0 == run(["trace", *words, *ends, "--json"])
    traces = json.loads(capsysbinary.readouterr().out)["flows"][0]["traces"]
    return [
        [
            (hop.stage.split()[1], hop.chain, hop.position)
            for hop in Trace.model_validate(one).hops
            if hop.position is not None
        ]
        for one in traces
    ]


@pytest.mark.parametrize("name", FLOWS)
def test_the_same_rules_in_the_same_order(
    node: Hand, snapshot: Path, watch: Monitor, name: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Of a real packet; where chance decides, one of the outcomes that the command lists."""
    flow = FLOWS[name]

    def mark(port: int) -> None:
        probe(node, udp(f"192.0.2.9.{port}", "10.0.0.11.7"))

    watch.until(next(MARKS), mark)
    before = next(MARKS)
    probe(node, flow)
    lines = watch.until(before, mark)
    kernel = watch.met(lines, 40000)

    assert kernel in told(snapshot, flow, capsysbinary)
    assert kernel
