"""What a real kube-proxy wrote, before and after one Service came: the same state twice, a Service more, a Service less."""

import pytest
import small_world as world
from real_pairs import ROOT

from planner.assess import assess
from planner.models.assessment import Assessment
from planner.models.finding import Level
from planner.proposal.fragments import recognise

RECORDED = ROOT / "kube-proxy-recorded"
pytestmark = [
    pytest.mark.crater,
    pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded rules are not present"),
]


def restored(before: str, after: str) -> Assessment:
    """The second save restored on a node that holds the first."""
    text = (RECORDED / f"kubeproxy-{after}.iptables-save").read_text(encoding="utf-8")
    state = world.node(iptables=(RECORDED / f"kubeproxy-{before}.iptables-save").read_text(encoding="utf-8"))
    return assess(world.snapshot(state, world.cluster()), [recognise("saved.rules", text)])


def test_one_more_service_takes_nothing_away() -> None:
    """The order of the dispatch chains is another one each time, and nobody notices."""
    answer = restored("before-add", "after-add")

    assert Level.LOW >= answer.level, [scored.finding.message for scored in answer.findings]


def test_one_service_less_is_one_service_less() -> None:
    """Said with the number of chains that go, and not as the loss of all of kube-proxy's rules."""
    answer = restored("after-add", "before-add")
    wiped = [s for s in answer.findings if s.finding.risk == "agents-chains-wiped"]

    assert Level.MEDIUM is answer.level
    assert ["loses 5 of the"] == [
        "loses 5 of the" for scored in wiped if "loses 5 of the" in scored.finding.message
    ]


def test_the_same_save_again_changes_nothing() -> None:
    """No change, hence no finding."""
    answer = restored("node1", "node1")

    assert () == answer.changes
    assert Level.NONE is answer.level
