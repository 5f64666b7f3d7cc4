"""The packets that scenario pages list are really sent: the page's node is made in a namespace, before and after."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flows import Row, flow_of, rows, states
from oracle.compare import Verdict, compare
from oracle.frames import HEADER
from oracle.probe import probe, tracked
from oracle.rebuild import introduce, rebuild
from oracle.stage import Stage
from page import Scenario, pages, read

from planner.dataplane.trace import trace
from planner.models.flow import Flow
from planner.models.node import NodeState

SCENARIOS = [scenario for page in pages() for scenario in read(page) if scenario.flows]
TIMES = 8
"""A packet is sent so often where chance decides."""


@contextmanager
def made(state: NodeState, flows: list[Flow]) -> Iterator[Stage]:
    """The node of a page; whoever speaks lives behind the port that he speaks from."""
    with Stage() as stage:
        rebuild(stage, state)
        for flow in flows:
            introduce(stage, flow.source, flow.entry.link)
            if flow.entry.out_port:
                introduce(stage, flow.destination, flow.entry.out_port)
        yield stage


def arriving(stage: Stage, flow: Flow) -> Flow:
    """The flow as the judge sends it: a port of a bridge is told with its bridge, a segment has a real first one's size."""
    entry = flow.entry
    master = stage.masters.get(entry.link)
    if master:
        entry = entry.model_copy(update={"link": master, "bridge_port": entry.link})
    own_segment = not entry.link and flow.protocol == 6
    length = HEADER[flow.family] + 40 if own_segment else flow.length
    return tracked(flow.model_copy(update={"entry": entry, "length": length}))


def disagreements(scenario: Scenario) -> Iterator[str]:
    """Packets of the fence that the kernel treats in another way than the model, before or after."""
    listed: list[Row] = list(rows(scenario))
    for name, state in zip(("before", "after"), states(scenario), strict=True):
        flows = [flow_of(row, states(scenario)[0]) for row in listed]
        with made(state, flows) as stage:
            for row, flow in zip(listed, flows, strict=True):
                sent = arriving(stage, flow)
                expected = trace(state, sent)
                for _ in range(TIMES if len(expected) > 1 else 1):
                    found = compare(sent, probe(stage, sent), expected)
                    if found.verdict not in {Verdict.AGREE, Verdict.CLASS}:
                        yield f"{name}: {row.packet}: {found.verdict}\n{found}"


@pytest.mark.parametrize("scenario", [pytest.param(item, id=item.id) for item in SCENARIOS])
def test_the_kernel_does_what_the_page_tells(scenario: Scenario) -> None:
    """Each packet, before and after the change: by which link, to whom, with which header, or with which refusal."""
    assert [] == list(disagreements(scenario))


def test_many_pages_list_packets() -> None:
    """Pages about packets show some."""
    assert 15 <= len({scenario.page for scenario in SCENARIOS})
