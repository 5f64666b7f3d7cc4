"""What a plan says of each step, on the smallest states."""

import shutil
import subprocess
from pathlib import Path

import pytest

from planner.models.horizon import Horizon
from planner.models.node import ConfigFile, NodeState
from planner.models.plan import Plan, UndoKind
from planner.models.proposal import Command, FileWrite, Outlook, Stage
from planner.models.route import NextHop, Route
from planner.models.ruleset import NativeRuleset, Ruleset, Table
from planner.models.source import Gap, Source
from planner.plan.build import build_plan
from planner.plan.scripts import emit_apply, emit_rollback, plan_id

SOURCE = Source(name="90-x.conf", line=3)
FORWARD = "net.ipv4.ip_forward"
ETH1 = "net.ipv4.conf.eth1.forwarding"
REDIRECTS = "net.ipv4.conf.all.accept_redirects"
START = NodeState(
    name="node-1",
    sysctls={FORWARD: "1", ETH1: "0", "net.ipv4.conf.eth0.forwarding": "1", REDIRECTS: "1"},
    routes=(Route(family="ip", prefix="0.0.0.0/0", nexthops=(NextHop(via="10.0.0.1", link="eth0"),)),),
    files={"/etc/sysctl.d/90-x.conf": ConfigFile(text=f"{FORWARD}=1\n", mode="0640")},
)


def command(*argv: str) -> Command:
    return Command(argv=argv, source=SOURCE)


def changed(state: NodeState, **fields: object) -> NodeState:
    return state.model_copy(update=fields)


def sysctls(state: NodeState, **values: str) -> NodeState:
    return changed(
        state, sysctls={**state.sysctls, **{key.replace("__", "."): v for key, v in values.items()}}
    )


def plan_of(*stages: Stage, before: NodeState = START, gaps: tuple[Gap, ...] = ()) -> Plan:
    after = stages[-1].after if stages else before
    return build_plan(
        Outlook(
            node="node-1", before={Horizon.NOW: before}, after={Horizon.NOW: after}, stages=stages, gaps=gaps
        )
    )


OFF = changed(START, sysctls={FORWARD: "0", ETH1: "0", "net.ipv4.conf.eth0.forwarding": "0", REDIRECTS: "1"})
TURN_OFF = Stage(operation=command("sysctl", "-w", f"{FORWARD}=0"), after=OFF)


def test_the_undo_of_forwarding_puts_back_what_its_own_write_disturbs() -> None:
    """Writing ip_forward=1 turns on every link and flips accept_redirects: those that deviated are written after it."""
    (step,) = plan_of(TURN_OFF).steps

    written = [action.argv[2] for action in step.undo]
    assert f"{FORWARD}=1" == written[0]
    assert {f"{ETH1}=0", f"{REDIRECTS}=1"} <= set(written[1:])
    assert UndoKind.RESTORE == step.undo_kind


def test_a_step_reads_what_its_undo_will_write() -> None:
    """Else a foreign change of a value that differs before and after in nothing would be overwritten unseen."""
    (step,) = plan_of(TURN_OFF).steps

    read = {check.argv[-1]: check.output for check in step.precondition}
    assert "0" == read["/proc/sys/net/ipv4/conf/eth1/forwarding"]
    assert "1" == read["/proc/sys/net/ipv4/conf/all/accept_redirects"]


def test_a_file_is_restored_with_its_text_and_mode_or_deleted() -> None:
    """What did not exist is deleted; what existed comes back whole."""
    old, new = "/etc/sysctl.d/90-x.conf", "/etc/sysctl.d/91-y.conf"
    one = changed(START, files={old: ConfigFile(text="other\n", mode="0640")})
    two = changed(one, files={**one.files, new: ConfigFile(text="y\n", mode="0644")})
    first, second = plan_of(
        Stage(operation=FileWrite(path=old, text="other\n", source=SOURCE), after=one),
        Stage(operation=FileWrite(path=new, text="y\n", source=SOURCE), after=two),
    ).steps

    assert ("install", "-D", "-m", "0640", "/dev/stdin", old) == first.undo[0].argv
    assert f"{FORWARD}=1\n" == first.undo[0].stdin
    assert (("rm", "-f", new),) == tuple(action.argv for action in second.undo)
    assert "next boot" in first.remark


def test_a_command_that_would_fail_is_not_run() -> None:
    """The model says that it changes nothing; running it would only stop the script half-way."""
    plan = plan_of(Stage(operation=command("iptables", "-D", "X", "1"), after=START, error="no such chain"))

    assert () == plan.steps[0].apply
    assert "no such chain" in plan.steps[0].remark
    assert "step_1_flag=skip" in emit_apply(plan)


def test_what_is_not_understood_has_no_undo_and_is_not_run_without_consent(tmp_path: Path) -> None:
    """Undo NONE, a residue that says so, and exit status 5."""
    gap = Gap(section="proposal", reason="not understood: `tc qdisc`", source=SOURCE)
    mark = tmp_path / "ran"
    plan = plan_of(Stage(operation=command("touch", str(mark)), after=START, gaps=(gap,)), gaps=(gap,))
    (tmp_path / "apply.sh").write_text(emit_apply(plan))
    argv = ["env", f"NETCHANGE_STATE={tmp_path}", "sh", str(tmp_path / "apply.sh")]

    assert UndoKind.NONE == plan.steps[0].undo_kind
    assert any("tc qdisc" in residue.reason for residue in plan.not_undoable)
    refused = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (5, False) == (refused.returncode, mark.exists())
    assert "NETCHANGE_ACCEPT_UNKNOWN=1" in refused.stderr
    accepted = subprocess.run(["env", "NETCHANGE_ACCEPT_UNKNOWN=1", *argv], capture_output=True, check=False)
    assert (0, True) == (accepted.returncode, mark.exists())
    (tmp_path / "rollback.sh").write_text(emit_rollback(plan))
    back = subprocess.run(
        [*argv[:3], str(tmp_path / "rollback.sh")], capture_output=True, text=True, check=False
    )
    assert 7 == back.returncode, back.stderr


def test_a_line_that_became_no_step_is_told_and_needs_consent() -> None:
    """A script's loop that nobody here reads: the plan must not look complete without it."""
    gap = Gap(section="proposal", reason="not understood: `for`", source=SOURCE)
    plan = plan_of(TURN_OFF, gaps=(gap,))

    assert (gap,) == plan.not_planned
    assert "not understood: `for`" in emit_apply(plan)


def test_between_a_flush_and_its_refill_is_no_place_to_stop() -> None:
    """The end has the rules; only the way there has not."""

    def with_rules(*rules: str, policy: str = "DROP") -> NodeState:
        chains = {"INPUT": (), "FORWARD": rules, "OUTPUT": ()}
        policies = {"INPUT": "ACCEPT", "FORWARD": policy, "OUTPUT": "ACCEPT"}
        table = Table(name="filter", policies=policies, chains=chains)
        return changed(START, rulesets=(Ruleset(family="ip", backend="nft", tables={"filter": table}),))

    first, second = plan_of(
        Stage(operation=command("iptables", "-F", "FORWARD"), after=with_rules()),
        Stage(operation=command("iptables", "-A", "FORWARD", "-j", "B"), after=with_rules("-j B")),
        before=with_rules("-j A"),
    ).steps

    assert (False, True) == (first.safe_to_stop, second.safe_to_stop)
    assert "FORWARD" in first.stop_reason


def test_forwarding_that_is_off_only_on_the_way() -> None:
    """Off and on again: pods are cut off in between. Off for good is not this module's business."""
    first, second = plan_of(
        TURN_OFF, Stage(operation=command("sysctl", "-w", f"{FORWARD}=1"), after=START)
    ).steps

    assert (False, True) == (first.safe_to_stop, second.safe_to_stop)
    assert plan_of(TURN_OFF).steps[0].safe_to_stop


def test_a_file_and_the_running_value_that_disagree_until_the_next_step() -> None:
    """Stopped there, the next boot would make the change that nobody finished."""
    path = "/etc/sysctl.d/90-x.conf"
    written = changed(START, files={path: ConfigFile(text=f"{FORWARD} = 0\n", mode="0640")})
    first, _ = plan_of(
        Stage(operation=FileWrite(path=path, text=f"{FORWARD} = 0\n", source=SOURCE), after=written),
        Stage(operation=TURN_OFF.operation, after=changed(OFF, files=written.files)),
    ).steps

    assert not first.safe_to_stop
    assert path in first.stop_reason


def test_a_default_route_that_is_missing_on_the_way() -> None:
    """Deleted and added again: in between the undo may not reach the node."""
    without = changed(START, routes=())
    first, _ = plan_of(
        Stage(operation=command("ip", "route", "del", "default"), after=without),
        Stage(operation=command("ip", "route", "add", "default"), after=START),
    ).steps

    assert not first.safe_to_stop
    assert "0.0.0.0/0" in first.stop_reason


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("net.ipv4.conf.default.rp_filter", "new pods"),
        ("net.netfilter.nf_conntrack_tcp_timeout_established", "conntrack"),
        ("net.ipv4.tcp_rmem", "pods that start meanwhile"),
    ],
)
def test_what_a_value_leaves_behind_is_told(key: str, word: str) -> None:
    """Writing the old value back does not reach what was made under the new one."""
    before, after = (changed(START, sysctls={**START.sysctls, key: value}) for value in ("1", "2"))
    plan = plan_of(Stage(operation=command("sysctl", "-w", f"{key}=2"), after=after), before=before)

    assert any(word in f"{residue.what} {residue.reason}" for residue in plan.not_undoable)


def test_equal_plans_give_equal_bytes() -> None:
    """The state directory is found by the plan's name: it must not depend on anything but the plan."""
    assert plan_id(plan_of(TURN_OFF)) == plan_id(plan_of(TURN_OFF))
    assert emit_apply(plan_of(TURN_OFF)) == emit_apply(plan_of(TURN_OFF))
    assert plan_id(plan_of(TURN_OFF)) != plan_id(plan_of())


def test_a_node_name_cannot_leave_the_state_directory() -> None:
    """It is part of a path that is written as root."""
    plan = plan_of(TURN_OFF).model_copy(update={"node": "../../etc/$(id)"})

    assert "/" not in plan_id(plan)
    assert not plan_id(plan).startswith(".")


# Variables that other parts of the script set or read by name (eval).
CHECKERS = {
    "dash": ["dash", "-n"],
    "bash": ["bash", "--posix", "-n"],
    "busybox": ["busybox", "sh", "-n"],
    "shellcheck": ["shellcheck", "-s", "sh", "-S", "warning", "-e", "SC2034,SC2154,SC2217"],
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_scripts_are_posix_sh(checker: str, tmp_path: Path) -> None:
    """Read, not run, by every shell that a node may have."""
    if shutil.which(CHECKERS[checker][0]) is None:
        pytest.skip(f"{checker} is not installed")
    written = changed(START, files={"/etc/a b'c": ConfigFile(text="no end", mode="0644")})
    tables = changed(written, native=NativeRuleset(text="table inet t {\n\tchain c {\n\t\taccept\n\t}\n}\n"))
    plan = plan_of(
        Stage(operation=FileWrite(path="/etc/a b'c", text="no end", source=SOURCE), after=written),
        Stage(operation=command("nft", "-f", "/etc/t"), after=tables),
        TURN_OFF,
    )
    assert "\nnative_transaction() {" in emit_rollback(plan)
    for name, text in (("apply.sh", emit_apply(plan)), ("rollback.sh", emit_rollback(plan))):
        (tmp_path / name).write_text(text)
        checked = subprocess.run(
            [*CHECKERS[checker], str(tmp_path / name)], capture_output=True, text=True, check=False
        )
        assert ("", "") == (checked.stdout, checked.stderr)
