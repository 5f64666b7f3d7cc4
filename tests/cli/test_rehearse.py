"""`netchange rehearse` as a user meets it, where nothing can be rehearsed and with rehearsals that went well or badly."""

import gzip
import json
from pathlib import Path

import pytest
from program import DEMO, SYSCTLS, called, refused

import planner.rehearse.run
import planner.rehearse.stage
from planner.cli.rehearse import exit_code
from planner.models.plan import Plan
from planner.models.proposal import Outlook
from planner.models.rehearsal import Difference, NotRehearsed, Proof, Rehearsal, Trial, Turn

WHY = "this kernel allows no user namespace to this user"
LEFT = Difference(what="route ip table 254 10.244.2.0/24 metric 0", wanted="via 10.0.0.7", found="")


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that allows no namespaces."""
    monkeypatch.setattr(planner.rehearse.stage, "available", lambda: WHY)


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> list[Rehearsal]:
    """The evidence that the next run finds; the program around it is the real one."""
    evidence: list[Rehearsal] = []

    def found(outlook: Outlook, plan: Plan, **_: object) -> Rehearsal:
        assert len(outlook.stages) == len(plan.steps)
        return evidence[0].model_copy(update={"node": plan.node})

    monkeypatch.setattr(planner.rehearse.stage, "available", lambda: "")
    monkeypatch.setattr(planner.rehearse.run, "rehearse", found)
    return evidence


def evidence(proof: Proof, **update: object) -> Rehearsal:
    turn = Turn(step=1, title="ip route del 10.244.2.0/24", applied=True, seconds=0.2, undo_seconds=0.3)
    trial = Trial(name="timer", words="nobody confirms", held=True)
    return Rehearsal(node="n", proof=proof, turns=(turn,), trials=(trial,), kernel="6.1").model_copy(
        update=update
    )


@pytest.mark.usefixtures("nowhere")
def test_where_it_cannot_run_one_sentence_says_why(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """No evidence is no failure, unless it is asked for."""
    shown = called(capsysbinary, "rehearse", "--before", DEMO, SYSCTLS)

    assert 0 == shown.code
    assert f"worker-1: not rehearsed\n  not rehearsed: {WHY}\n" == shown.out.decode()
    assert 4 == called(capsysbinary, "rehearse", "--strict", "--before", DEMO, SYSCTLS).code


def test_a_failure_ends_with_6_and_shows_both_states(
    capsysbinary: pytest.CaptureFixture[bytes], rehearsed: list[Rehearsal]
) -> None:
    """What was before and what was found, in every form."""
    good = evidence(Proof.PROVEN)
    bad = good.turns[0].model_copy(update={"left_behind": (LEFT,)})
    rehearsed.append(evidence(Proof.NOT_UNDONE, turns=(bad,), reason="step 1 is not taken back"))
    argv = ("rehearse", "--before", DEMO, SYSCTLS)

    shown = called(capsysbinary, *argv)
    assert 6 == shown.code
    assert "THE WAY BACK DOES NOT LEAD BACK" in shown.out.decode()
    assert "before `via 10.0.0.7`, found nothing" in " ".join(shown.out.decode().split())
    assert b"before `via 10.0.0.7`, found nothing" in called(capsysbinary, *argv, "--format", "markdown").out
    (told,) = json.loads(called(capsysbinary, *argv, "--format", "json").out)["rehearsals"]
    assert "not undone" == told["proof"]
    assert [LEFT.model_dump()] == told["steps"][0]["left_behind"]


def test_the_evidence_goes_into_the_assessment_and_its_reports(
    capsysbinary: pytest.CaptureFixture[bytes], rehearsed: list[Rehearsal], tmp_path: Path
) -> None:
    """`--out` writes the plan with the evidence; it is rehearsed again from there without naming the snapshot."""
    rehearsed.append(evidence(Proof.PROVEN))
    out = tmp_path / "out"

    assert 0 == called(capsysbinary, "rehearse", "--before", DEMO, SYSCTLS, "--out", out).code

    (held,) = json.loads((out / "assessment.json").read_text())["rehearsals"]
    assert ("proven", "worker-1") == (held["proof"], held["node"])
    assert (out / "apply.sh").exists()
    for form in ("terminal", "markdown", "json"):
        report = called(capsysbinary, "report", out / "assessment.json", "--format", form).out.decode()
        assert "1 of 1 steps as predicted" in " ".join(report.split())
    again = called(capsysbinary, "rehearse", out)
    assert 0 == again.code
    assert "PROVEN" in again.out.decode()


@pytest.mark.usefixtures("nowhere")
def test_an_assessment_and_its_snapshot_belong_together(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """A snapshot of another time is refused, and a missing one is asked for."""
    out = tmp_path / "out"
    assert 0 == called(capsysbinary, "plan", "--before", DEMO, SYSCTLS, "--out", out).code
    document = json.loads((out / "assessment.json").read_text())
    document["taken_at"] = "2001-01-01T00:00:00Z"
    (tmp_path / "other.json").write_text(json.dumps(document))

    assert "snapshot of 2001" in refused(capsysbinary, "rehearse", tmp_path / "other.json", "--before", DEMO)
    assert "--before" in refused(capsysbinary, "rehearse", tmp_path / "other.json")
    assert "--before" in refused(capsysbinary, "rehearse", SYSCTLS)


@pytest.mark.parametrize(
    ("found", "strict", "code"),
    [
        (evidence(Proof.PROVEN), True, 0),
        (evidence(Proof.MODEL_WRONG), False, 6),
        (evidence(Proof.NOT_UNDONE), True, 6),
        (evidence(Proof.NOT_RUN), False, 0),
        (evidence(Proof.NOT_RUN), True, 4),
        (evidence(Proof.PROVEN_EXCEPT, not_rehearsed=(NotRehearsed(what="link wg0", reason="r"),)), True, 0),
        (evidence(Proof.PROVEN_EXCEPT, not_rehearsed=(NotRehearsed(what="step 3", reason="r"),)), True, 4),
        (evidence(Proof.PROVEN_EXCEPT, unreached=1), True, 4),
    ],
    ids=["proven", "model", "undo", "not run", "not run, strict", "a link", "a step", "unreached"],
)
def test_exit_codes(found: Rehearsal, strict: bool, code: int) -> None:
    """6 for what went wrong; 4 only under --strict, for a plan or step of which nothing is known."""
    assert code == exit_code((found,), strict=strict)


def test_whom_a_node_stands_for_is_told(
    capsysbinary: pytest.CaptureFixture[bytes], rehearsed: list[Rehearsal], tmp_path: Path
) -> None:
    """Nodes that are the same but for their names are rehearsed once: nobody has to guess which they are."""
    document = json.loads(gzip.decompress(DEMO.read_bytes()))
    other = {**document["nodes"][0], "name": "worker-9"}
    both = tmp_path / "both.json"
    both.write_text(json.dumps({**document, "nodes": [*document["nodes"], other]}))
    rehearsed.append(evidence(Proof.PROVEN))

    done = called(capsysbinary, "rehearse", "--before", both, SYSCTLS)

    assert "worker-1 stands for worker-9" in done.err


def test_a_plan_that_does_not_fit_together_is_refused(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """Somebody has edited the file: one sentence, and no traceback."""
    out = tmp_path / "out"
    called(capsysbinary, "plan", "--before", DEMO, SYSCTLS, "--out", out)
    document = json.loads((out / "assessment.json").read_text())
    steps = document["plans"][0]["steps"]
    document["plans"][0]["steps"] = steps[1:]
    (out / "assessment.json").write_text(json.dumps(document))

    assert "does not fit together" in refused(capsysbinary, "rehearse", out)

    document["plans"][0] = {**document["plans"][0], "steps": steps, "node": "nobody"}
    (out / "assessment.json").write_text(json.dumps(document))

    assert "does not fit together" in refused(capsysbinary, "rehearse", out)


def test_a_name_that_was_mistyped_is_told(capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    """Not that a snapshot is needed."""
    assert "does not exist" in refused(capsysbinary, "rehearse", tmp_path / "reveiw")
