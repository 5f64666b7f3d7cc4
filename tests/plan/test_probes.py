"""Probes are paths that work before the change, as commands, with what to expect after it."""

import os
import subprocess
from pathlib import Path

import pytest
from program import DEMO, PULL_REQUEST, called, refused

from planner.cli.inputs import fragments, load_state
from planner.models.horizon import Horizon
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.plan import Plan, Probe
from planner.models.proposal import Fragment, FragmentKind, Outlook
from planner.models.route import NextHop, Route
from planner.models.snapshot import Snapshot
from planner.plan.probes import probes
from planner.proposal.propose import propose
from planner.report.probes import probe_script
from planner.topology.derive import derive_topology

STATE = NodeState(
    name="node-1",
    links=(Link(name="eth0", addresses=(Address(address="10.0.0.5", length=24),)),),
    routes=(Route(family="ip", prefix="0.0.0.0/0", nexthops=(NextHop(via="10.0.0.1", link="eth0"),)),),
)


def of_demo(*proposed: Fragment) -> dict[str, Probe]:
    snapshot: Snapshot = load_state(DEMO)
    node = snapshot.nodes[0]
    topology = derive_topology(node, snapshot.cluster)
    return {probe.path: probe for probe in probes(propose(node, proposed), topology, snapshot.cluster)}


def test_what_the_change_breaks_is_expected_to_fail_and_the_rest_to_work() -> None:
    """The shipped pull request turns forwarding off: pods lose the outside, the node keeps its API server."""
    found = of_demo(*fragments([PULL_REQUEST]))

    outside = [probe for name, probe in found.items() if name.startswith("pods-reach-outside/")]
    api = [probe for name, probe in found.items() if name.startswith("node-reaches-api-server/")]
    assert {"fails"} == {probe.after for probe in outside}
    assert all("ip_forward" in probe.expect or "forwarding" in probe.expect for probe in outside)
    assert {"works"} == {probe.after for probe in api}


def test_loopback_is_asked_only_where_somebody_listens() -> None:
    """A port of the node that no known program holds refuses before the change as well."""
    found = {name: probe for name, probe in of_demo().items() if name.startswith("node-reaches-itself/")}
    heard = {
        f"node-reaches-itself/{one.address}"
        for one in load_state(DEMO).nodes[0].volatile.listeners or ()
        if one.protocol == "tcp" and one.address in {"127.0.0.1", "::1"}
    }

    assert heard == set(found)


def test_a_path_that_is_broken_already_is_no_probe() -> None:
    """What fails before the change and after it proves nothing about the change."""
    node = load_state(DEMO).nodes[0]
    off = {
        key: "0" if key.endswith((".forwarding", "ip_forward")) else value
        for key, value in node.sysctls.items()
    }
    broken = node.model_copy(update={"sysctls": off})
    topology = derive_topology(broken, None)
    script = Fragment(
        path="x.sh", kind=FragmentKind.SCRIPT, target="", text="sysctl -w net.ipv4.tcp_syncookies=0\n"
    )

    found = [probe.path for probe in probes(propose(broken, [script]), topology, None)]

    assert not [name for name in found if name.startswith("pods-reach-outside/")]
    assert [name for name in found if name.startswith("node-reaches-")]


def test_a_pod_of_the_cluster_is_asked_through_kubectl() -> None:
    """Its name is known; a client outside is asked on a machine outside."""
    found = of_demo(*fragments([PULL_REQUEST]))
    pods = [probe for name, probe in found.items() if name.startswith("pods-reach-services/")]
    ports = [probe for name, probe in found.items() if name.startswith("outside-reaches-node-ports/")]

    assert {("kubectl", "exec", "-n")} == {probe.argv[:3] for probe in pods}
    assert {"on a machine outside the cluster"} == {probe.where for probe in ports}


def test_without_knowledge_there_is_only_the_gateway() -> None:
    """A probe of something that may not exist would be believed to be broken by the change."""
    outlook = Outlook(node="node-1", before={Horizon.NOW: STATE}, after={Horizon.NOW: STATE})

    assert ["ping -c 1 -W 3 -I eth0 10.0.0.1"] == [" ".join(one.argv) for one in probes(outlook, None, None)]


def probe(about: str, after: str, *argv: str) -> Probe:
    return Probe(about=about, argv=argv, expect="", after=after)


def test_the_script_tells_what_is_not_as_expected(tmp_path: Path) -> None:
    """A path that must work and fails is wrong; one that failed before is no news; one that must fail and does is right."""
    plan = Plan(
        node="node-1",
        probes=(
            probe("kept", "works", "test", "-e", "kept"),
            probe("lost; $(touch owned)", "works", "test", "-e", "lost"),
            probe("shut", "fails", "test", "-e", "shut"),
            probe("never", "works", "test", "-e", "never"),
            probe("either", "not known", "test", "-e", "kept"),
        ),
    )
    (tmp_path / "probes.sh").write_text(probe_script(plan))
    for name in ("kept", "lost", "shut"):
        (tmp_path / name).touch()

    def run(mode: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "probes.sh", mode], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        return done.returncode, done.stdout

    early, _ = run("after")
    before, _ = run("before")
    (tmp_path / "lost").unlink()
    (tmp_path / "shut").unlink()
    after, said = run("after")

    assert (1, 0, 6) == (early, before, after)
    assert "fails, and not as expected: lost" in said
    assert "works, as expected: kept" in said
    assert "fails, as expected: shut" in said
    assert "failed before the change too: never" in said
    assert "works, and what to expect is not known: either" in said
    assert not (tmp_path / "owned").exists()


def test_the_program_prints_the_probes_of_a_plan(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """By place; a node that the plan is not about is refused."""
    called(capsysbinary, "plan", "--before", DEMO, PULL_REQUEST, "--out", tmp_path / "out")
    shown = called(capsysbinary, "probes", tmp_path / "out/assessment.json")
    said = refused(capsysbinary, "probes", tmp_path / "out/assessment.json", "--node", "nobody")

    assert shown.out == called(capsysbinary, "probes", tmp_path / "out").out
    assert "where kubectl works" in refused(capsysbinary, "probes", tmp_path / "out", "--where", "mars")
    assert 0 == shown.code
    assert b"Run on a machine outside the cluster" in shown.out
    assert "worker-1" in said
