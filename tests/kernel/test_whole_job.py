"""The main job on a real node: snapshot, plan the shipped pull request, apply, compare with the prediction, roll back, compare."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes_node import build
from namespace import Namespace

from planner.assess import assess
from planner.cli.inputs import fragments
from planner.collect.host import collector_script
from planner.diff.nodes import diff_nodes
from planner.models.node import NodeState, Volatile
from planner.models.snapshot import Snapshot
from planner.models.verification import Standing
from planner.parse.node import parse_node
from planner.parse.stream import parse_stream
from planner.plan.scripts import emit_apply, emit_rollback
from planner.verify.predict import predict
from planner.verify.verify import verify

PULL_REQUEST = Path(__file__).resolve().parents[2] / "docs/demo/pull-request"
TOKEN = "0" * 32


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[Namespace]:
    """A Kubernetes node whose /etc and /run are its own, so that the scripts write nothing of this machine's."""
    with Namespace() as node, Namespace() as outside:
        build(node, outside, tmp_path)
        node.sh(
            "mkdir /run/own-etc; cp -a /etc/. /run/own-etc; rm -rf /run/own-etc/sysctl.d /run/own-etc/sysctl.conf /run/own-etc/os-release /run/own-etc/resolv.conf;"
            f"cp -a {tmp_path}/etc/. /run/own-etc; cp -a {tmp_path}/run/. /run; mount --bind /run/own-etc /etc"
        )
        yield node


def observe(node: Namespace) -> NodeState:
    stream = node.run(["sh", "-c", collector_script(), "netchange", TOKEN, "/"]).stdout
    sections, problems = parse_stream(stream, token=TOKEN)
    assert problems == ()
    return parse_node(sections)


def run_script(node: Namespace, text: str, *arguments: str) -> str:
    node.run(["sh", "-c", "cat > /run/script.sh"], stdin=text)
    done = node.run(["sh", "/run/script.sh", *arguments])
    return done.stderr


def test_the_shipped_pull_request_is_applied_as_predicted_and_undone_without_residue(
    kubernetes: Namespace,
) -> None:
    """Sysctls, rules, links, routes and files: equal to the prediction after applying, to the original after rolling back."""
    before = observe(kubernetes)
    proposed = fragments([PULL_REQUEST])
    snapshot = Snapshot(taken_at="2026-01-01T00:00:00Z", nodes=(before,))
    (plan,) = assess(snapshot, proposed).plans
    predicted = predict(snapshot, proposed).nodes[0]

    run_script(kubernetes, emit_apply(plan))
    applied = observe(kubernetes)

    assert () == diff_nodes(predicted, applied)
    assert verify(before, predicted, applied).as_predicted
    assert {path: file.text for path, file in predicted.files.items()} == {
        path: file.text for path, file in applied.files.items()
    }
    assert "0" == applied.sysctls["net.ipv4.ip_forward"]

    run_script(kubernetes, emit_rollback(plan))
    restored = observe(kubernetes)

    assert () == diff_nodes(before, restored)
    assert Standing.NOT_APPLIED is verify(before, predicted, restored).standing
    assert before.files == restored.files
    assert before.rulesets == restored.rulesets
    assert "1" == restored.sysctls["net.ipv4.ip_forward"]


def lasting(state: NodeState) -> NodeState:
    """Without what moves by itself: counters, and entries of the neighbour and forwarding tables that are learned."""
    return state.model_copy(
        update={
            "volatile": Volatile(),
            "neighbours": tuple(entry for entry in state.neighbours if entry.permanent),
            "fdb": tuple(entry for entry in state.fdb if entry.permanent),
        }
    )


def test_two_snapshots_of_an_untouched_node_are_equal(kubernetes: Namespace) -> None:
    """No change is seen, and what lasts is equal to the letter: rules, routes, files, values."""
    first, second = observe(kubernetes), observe(kubernetes)

    assert () == diff_nodes(first, second)
    assert lasting(first) == lasting(second)
