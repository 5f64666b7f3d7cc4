"""What a rehearsal refutes raises the level, and every report says so."""

import pytest

from planner.assess import assess
from planner.models.assessment import Assessment
from planner.models.finding import Level
from planner.models.node import NodeState
from planner.models.proposal import Fragment, FragmentKind
from planner.models.rehearsal import Difference, Proof, RealProbe, Rehearsal, Trial, Turn
from planner.models.snapshot import Snapshot
from planner.rehearsed import with_rehearsals
from planner.report import json_v1, markdown, terminal
from planner.report.rehearsal import markdown_lines, terminal_lines

KEY = "net.ipv4.tcp_keepalive_time"
SNAPSHOT = Snapshot(
    taken_at="2026-01-01T00:00:00Z", nodes=(NodeState(name="worker-1", sysctls={KEY: "7200"}),)
)
CHANGE = Fragment(path="a.sh", kind=FragmentKind.SCRIPT, target="", text=f"sysctl -w {KEY}=600\n")
STEP = f"sysctl -w {KEY}=600"
WRONG = Difference(what=f"sysctl {KEY}", wanted="600", found="601")
LEFT = Difference(what="route ip table 254 10.9.0.0/16 metric 0", wanted="", found="10.9.0.0/16 dev eth0")
PACKET = RealProbe(path="p", words="pods to the outside", before="arrives", after="lost", predicted="arrives")
CASES = {
    "a prediction that was wrong": (
        Proof.MODEL_WRONG,
        Turn(step=1, title=STEP, applied=True, unpredicted=(WRONG,)),
        (),
        f"sysctl {KEY}, predicted `600`, found `601`",
    ),
    "a packet that went otherwise": (
        Proof.MODEL_WRONG,
        Turn(step=1, title=STEP, applied=True, probes=(PACKET,)),
        (),
        "pods to the outside: predicted `arrives`, found `lost`",
    ),
    "an undo that leaves something behind": (
        Proof.NOT_UNDONE,
        Turn(step=1, title=STEP, applied=True, left_behind=(LEFT,)),
        (),
        "before the change nothing, found `10.9.0.0/16 dev eth0`",
    ),
    "an undo that does not end well": (
        Proof.NOT_UNDONE,
        Turn(step=1, title=STEP, applied=True, undone=False),
        (),
        "rollback.sh does not end well",
    ),
    "a mishap": (
        Proof.NOT_UNDONE,
        Turn(step=1, title=STEP, applied=True),
        (Trial(name="timer", words="nobody confirms within 1 s", held=False, detail="it did not fire"),),
        "nobody confirms within 1 s",
    ),
}


@pytest.fixture(scope="module")
def planned() -> Assessment:
    return assess(SNAPSHOT, (CHANGE,))


def rehearsed(planned: Assessment, name: str) -> Assessment:
    proof, turn, trials, _ = CASES[name]
    return with_rehearsals(
        planned, SNAPSHOT, (Rehearsal(node="worker-1", proof=proof, turns=(turn,), trials=trials),)
    )


@pytest.mark.parametrize("name", CASES)
def test_what_is_refuted_raises_the_level(planned: Assessment, name: str) -> None:
    """Of the assessment and of the change that the step makes: both are high, whatever was thought before."""
    found = rehearsed(planned, name)

    assert planned.level < Level.HIGH
    assert Level.HIGH is found.level
    assert Level.HIGH is found.changes[0].score.level
    (number,) = found.changes[0].findings
    assert CASES[name][3] in found.findings[number].finding.message
    assert "rehearsal-refutes-plan" in found.catalogue


@pytest.mark.parametrize("name", CASES)
def test_every_report_tells_it(planned: Assessment, name: str) -> None:
    """Level, risk and both states."""
    found = rehearsed(planned, name)

    for text in (
        terminal.render(found, width=400, full=True),
        markdown.render(found),
        json_v1.render(found),
    ):
        assert "high" in text.lower()
        assert "rehearsal-refutes-plan" in text
        assert CASES[name][3].partition("`")[0].partition(":")[0] in text.replace("\\", "").replace(
            "<code>", ""
        )


def test_what_is_proven_changes_nothing_but_the_evidence(planned: Assessment) -> None:
    """A rehearsal can raise a level and never lower it."""
    proven = Rehearsal(node="worker-1", proof=Proof.PROVEN, turns=(Turn(step=1, title=STEP, applied=True),))

    found = with_rehearsals(planned, SNAPSHOT, (proven,))

    assert planned == found.model_copy(update={"rehearsals": ()})
    assert (proven,) == found.rehearsals


def test_rehearsed_twice_it_is_told_once(planned: Assessment) -> None:
    """The same evidence again is no second finding."""
    once = rehearsed(planned, "a mishap")

    again = with_rehearsals(once, SNAPSHOT, once.rehearsals)

    assert once == again


def shut(step: int, before: str, after: str) -> Turn:
    probe = PACKET.model_copy(update={"before": before, "after": after, "predicted": after})
    return Turn(
        step=step, title=f"step {step}", applied=True, seconds=0.25, undo_seconds=step, probes=(probe,)
    )


def test_a_path_that_is_opened_again_is_shut_at_most_from_step_to_step() -> None:
    """The bound reaches from the start of the step that shuts it to the end of the one that opens it."""
    turns = (shut(1, "arrives", "lost"), shut(2, "lost", "lost"), shut(3, "lost", "arrives"))
    rehearsal = Rehearsal(node="worker-1", proof=Proof.PROVEN, turns=turns)

    (outage,) = rehearsal.outages

    assert (1, 3, 0.75) == (outage.since, outage.until, outage.seconds)
    said = terminal_lines(rehearsal, 400, full=False)
    assert any(
        "shut from here on until step 3 has run: at most 0.75 s in the rehearsal" in line for line in said
    )


def test_a_path_that_stays_shut_is_shut_until_the_way_back_has_run() -> None:
    """What the way back took from the last step is told."""
    turns = (shut(1, "arrives", "lost"), shut(2, "lost", "lost"))
    rehearsal = Rehearsal(node="worker-1", proof=Proof.PROVEN, turns=turns)

    (outage,) = rehearsal.outages

    assert (1, None, 2.0) == (outage.since, outage.until, outage.undo_seconds)
    assert "no later step opens it; taking back from the last step took 2.00 s" in "\n".join(
        markdown_lines(rehearsal)
    )
