"""The paths of a node, really sent: where the model says that a path holds its packet arrives, where it is broken it does not."""

from collections.abc import Iterator

import pytest
from oracle.hand import Hand
from oracle.probe import tracked
from oracle.stage import mac_of
from plan_node import observe
from test_oracle_demo import node as demo

from planner.invariants.check import paths
from planner.invariants.walk import walk
from planner.models.invariant import Holding, Path
from planner.models.node import NodeState
from planner.topology.derive import derive_topology

node = demo
SETTINGS = ("net.ipv4.ip_forward=0", "net.bridge.bridge-nf-call-iptables=0")


def state_of(node: Hand) -> NodeState:
    node.state = observe(node.node)
    return node.state


def sent(node: Hand, path: Path, times: int) -> Iterator[str]:
    """What the kernel does with the opening packet; the model is held against each answer."""
    flow = path.flow
    if flow.entry.link:
        flow = flow.model_copy(update={"source_mac": mac_of(flow.source)})
    for _ in range(times):
        yield node.outcome(tracked(flow))


@pytest.mark.parametrize(
    "setting", ["", *SETTINGS], ids=["as-it-is", "no-forwarding", "bridge-without-netfilter"]
)
def test_opening_packets_do_what_the_walk_says(node: Hand, setting: str) -> None:
    """On the node as it is, and with a setting that cuts some of its paths."""
    before = state_of(node)
    former = "\n".join(
        f"sysctl -qw {key}={before.sysctls[key]}" for key in [setting.partition("=")[0]] if key
    )
    # The test's own end of the tunnel takes packets of the overlay for what is in them.
    every = paths(before, derive_topology(before), None)
    chosen = [path for path in every if path.invariant != "overlay-is-carried"]
    assert len(chosen) > 15
    try:
        if setting:
            node.node.sh(f"sysctl -qw {setting}")
        after = state_of(node)
        for path in chosen:
            walked = walk(after, path)
            if walked.holding is Holding.UNKNOWN:
                continue
            lost = walked.holding is Holding.BROKEN and not walked.answering and not walked.partly
            for outcome in sent(node, path, 3):
                silent = outcome.startswith(("silence", "reset", "icmp", "Network", "asked"))
                assert lost == silent or (lost and "leaves by" in walked.reason), (
                    f"{path.name}: {walked.reason} | {outcome}"
                )
    finally:
        if former:
            node.node.sh(former)
        node.state = None
