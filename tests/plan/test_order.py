"""The order of a plan's steps: another one than the proposal's only where that keeps a path open and ends the same."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "crater"))

from small_world import node

from planner.models.invariant import Kept
from planner.models.proposal import Outlook
from planner.plan.build import build_plan
from planner.plan.order import Order, in_order
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose
from planner.topology.derive import derive_topology

FILTER = "*filter\n:INPUT {} [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{}COMMIT\n"
ACCEPTS = (
    "iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "iptables -A INPUT -i cali+ -j ACCEPT",
    "iptables -A INPUT -p tcp --dport 22 -j ACCEPT",
    "iptables -A INPUT -p tcp --dport 10250 -j ACCEPT",
)


def ordered(*lines: str, policy: str = "ACCEPT", rules: str = "") -> Order:
    state = node(iptables=FILTER.format(policy, rules))
    outlook = propose(state, [recognise("change.sh", "".join(f"{line}\n" for line in lines))])
    return in_order(outlook, derive_topology(state), None)


def commands(outlook: Outlook) -> list[str]:
    return [" ".join(stage.operation.argv) for stage in outlook.stages if stage.operation.kind == "command"]


def shut(kept: tuple[Kept, ...]) -> set[int]:
    return {one.step for one in kept if one.step is not None}


def test_a_policy_that_drops_comes_behind_the_rules_that_accept() -> None:
    """Written first, it would shut ssh until the accept comes; last, it ends the same and shuts nothing."""
    found = ordered("iptables -P INPUT DROP", *ACCEPTS)

    assert "iptables -P INPUT DROP" == commands(found.outlook)[-1]
    assert set() == shut(found.kept)
    assert 1 == len(found.notes)
    assert "policies that drop come last" in found.notes[0]
    assert "open ssh sessions" in found.notes[0]


def test_the_order_of_the_proposal_stays_where_nothing_is_shut() -> None:
    """A plan is compared with the file that it comes from: it differs only with a reason."""
    found = ordered(*ACCEPTS, "iptables -P INPUT DROP")

    assert "iptables -P INPUT DROP" == commands(found.outlook)[-1]
    assert () == found.notes


def test_a_rule_is_added_before_its_former_self_goes() -> None:
    """Under a policy that drops, ssh is let in by one rule or the other."""
    rules = (
        "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n"
    )
    remove = "iptables -D INPUT -p tcp --dport 22 -j ACCEPT"
    add = "iptables -A INPUT -p tcp -m multiport --dports 22,2222 -j ACCEPT"
    found = ordered(remove, add, policy="DROP", rules=rules)

    assert ["-A", "-D"] == [line.split()[1] for line in commands(found.outlook)]
    assert "what is added comes before what is removed" in found.notes[0]


def test_another_end_is_no_other_order() -> None:
    """Flushed afterwards, the new rules would be gone: the flush stays first, and the step is not safe to stop after."""
    rules = "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n"
    found = ordered("iptables -F INPUT", *ACCEPTS, policy="DROP", rules=rules)
    plan = build_plan(found.outlook, kept=found.kept)

    assert "iptables -F INPUT" == commands(found.outlook)[0]
    assert {1} <= shut(found.kept)
    assert not plan.steps[0].safe_to_stop
    assert "ssh" in plan.steps[0].stop_reason
