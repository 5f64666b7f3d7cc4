"""The pipeline as a whole: cohorts, equal input, another snapshot as the proposal."""

from strategies import DEMO

from planner.assess import assess, assess_snapshots
from planner.cli.inputs import load_state
from planner.models.finding import Level
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.proposal import FragmentKind
from planner.models.ruleset import Ruleset, Table
from planner.models.snapshot import Snapshot
from planner.proposal.fragments import recognise
from planner.report.view import view

CLOCK = "2026-01-01T00:00:00Z"


def node(number: int, **update: object) -> NodeState:
    chains = {
        "PREROUTING": ("-j S",),
        "S": tuple(f"-d 10.96.0.{i}/32 -p tcp -m tcp --dport 80 -j ACCEPT" for i in range(5)),
    }
    base = NodeState(
        name=f"node-{number}",
        iptables_default="nft",
        sysctls={"net.ipv4.ip_forward": "1", "net.core.somaxconn": "4096"},
        links=(
            Link(name="lo", kind="loopback"),
            Link(name="cni0", kind="bridge", addresses=(Address(address=f"10.244.{number}.1", length=24),)),
            Link(name=f"vethabc{number}", kind="veth", peer_elsewhere=True, master="cni0"),
            Link(
                name="eth0",
                mac=f"52:54:00:00:00:0{number}",
                addresses=(Address(address=f"10.0.0.{number}", length=24),),
            ),
        ),
        rulesets=(
            Ruleset(
                family="ip",
                backend="nft",
                tables={"nat": Table(name="nat", policies={"PREROUTING": "ACCEPT"}, chains=chains)},
            ),
        ),
    )
    return base.model_copy(update=update)


def shuffled(one: NodeState) -> NodeState:
    table = one.rulesets[0].tables["nat"]
    chains = {**table.chains, "S": tuple(reversed(table.chains["S"]))}
    ruleset = one.rulesets[0].model_copy(
        update={"tables": {"nat": table.model_copy(update={"chains": chains})}}
    )
    return one.model_copy(update={"rulesets": (ruleset,)})


def test_nodes_that_differ_by_identity_and_random_order_are_one_cohort() -> None:
    """Own names and addresses, and the order in which kube-proxy happened to write, do not make another review."""
    odd = node(4, sysctls={"net.ipv4.ip_forward": "0", "net.core.somaxconn": "4096"})
    snapshot = Snapshot(taken_at=CLOCK, nodes=(node(3), node(1), shuffled(node(2)), odd))
    found = assess(snapshot, [recognise("a.conf", "net.core.somaxconn = 128\n")])

    assert [("node-1", "node-2", "node-3"), ("node-4",)] == [cohort.nodes for cohort in found.cohorts]


def test_a_cohort_is_told_as_its_nodes() -> None:
    """A finding about three nodes says three of four."""
    odd = node(4, sysctls={"net.ipv4.ip_forward": "0"})
    snapshot = Snapshot(taken_at=CLOCK, nodes=(node(1), node(2), node(3), odd))
    found = assess(snapshot, [recognise("a.conf", "net.ipv4.ip_forward = 0\n")])
    (finding,) = [scored for scored in found.findings if scored.finding.risk == "ip-forward-off"]

    assert ("node-1", "node-2", "node-3") == finding.score.blast.nodes
    assert "3 of 4 nodes" in finding.score.blast.sentence


def test_a_proposal_that_is_there_already_changes_nothing() -> None:
    """Equal values are not written, and the review says so."""
    found = assess(
        Snapshot(taken_at=CLOCK, nodes=(node(1),)),
        [recognise("a.sh", "#!/bin/sh\nsysctl -w net.core.somaxconn=4096\n")],
    )

    assert (Level.NONE, (), ()) == (found.level, found.changes, found.findings)


def test_equal_input_gives_equal_bytes() -> None:
    """In whatever order the nodes stand."""
    proposal = [recognise("a.conf", "net.ipv4.ip_forward = 0\n")]
    one = assess(Snapshot(taken_at=CLOCK, nodes=(node(1), node(4, kernel="6.1"))), proposal)
    other = assess(Snapshot(taken_at=CLOCK, nodes=(node(4, kernel="6.1"), node(1))), proposal)

    assert one.model_dump_json() == other.model_dump_json()


def test_another_snapshot_as_the_proposal() -> None:
    """Its differences are the changes, and the plan leads there: the stages end in the recorded state."""
    before = node(1)
    table = before.rulesets[0].tables["nat"]
    changed = table.model_copy(update={"chains": {**table.chains, "S": table.chains["S"][1:]}})
    after = before.model_copy(
        update={
            "sysctls": {"net.ipv4.ip_forward": "0", "net.core.somaxconn": "4096"},
            "rulesets": (before.rulesets[0].model_copy(update={"tables": {"nat": changed}}),),
        }
    )
    found = assess_snapshots(
        Snapshot(taken_at=CLOCK, nodes=(before,)), Snapshot(taken_at=CLOCK, nodes=(after,)), name="b.json"
    )

    assert {"sysctl", "rule"} == {scored.change.kind for scored in found.changes}
    assert Level.CRITICAL is found.level
    assert 2 == len(found.plans[0].steps)


def test_a_rule_that_no_command_can_write_costs_the_plan_and_not_the_review() -> None:
    """A line break in a comment cannot be restored by iptables-restore: the findings stay, the missing plan is told."""
    before = node(1)
    table = before.rulesets[0].tables["nat"]
    rule = '-m comment --comment "a\nb" -j ACCEPT'
    odd = table.model_copy(update={"chains": {**table.chains, "S": (*table.chains["S"], rule)}})
    held = before.model_copy(
        update={"rulesets": (before.rulesets[0].model_copy(update={"tables": {"nat": odd}}),)}
    )
    found = assess(
        Snapshot(taken_at=CLOCK, nodes=(held,)), [recognise("a.sh", "#!/bin/sh\niptables -t nat -F S\n")]
    )

    assert found.changes
    assert ["plan"] == [gap.section for gap in found.gaps]


def test_what_the_node_refuses_is_not_nothing() -> None:
    """A file that fails as a whole changes nothing; a gate for changes that do nothing must not let it pass as such."""
    snapshot = Snapshot(taken_at=CLOCK, nodes=(node(1),))
    batch = "route add 192.0.2.0/24 via 198.51.100.1 dev nowhere\nroute add 192.0.2.0/25 dev nowhere\n"
    found = assess(snapshot, [recognise("a.batch", batch, kind=FragmentKind.IP_BATCH)])

    assert ((), Level.LOW) == (found.changes, found.level)
    assert "nothing changes; 1 command would fail" == view(found).headline
    assert 2 == len(view(found).fails)


def test_what_is_not_understood_is_not_nothing() -> None:
    """A command whose effect is not modelled may do something: low, and the first line says so. One without any is none.

    A program that is there to change the network is no small matter.
    """
    snapshot = Snapshot(taken_at=CLOCK, nodes=(node(1),))
    unread = assess(snapshot, [recognise("a.sh", "#!/bin/sh\nsystemctl restart kubelet\n")])
    reaching = assess(snapshot, [recognise("a.sh", "#!/bin/sh\nnetplan apply\n")])
    idle = assess(snapshot, [recognise("a.sh", "#!/bin/sh\necho done\n")])

    assert (Level.LOW, Level.MEDIUM, Level.NONE) == (unread.level, reaching.level, idle.level)
    assert "as far as the proposal is understood; 1 part is not" in view(unread).headline
    assert "nothing changes" == view(idle).headline


def test_paths_that_hang_on_what_is_not_understood_are_no_small_matter() -> None:
    """Nobody knows whether pods are still reached once a chain on their way holds something that is not read."""
    text = "add rule ip filter INPUT tcp dport 9999 drop\n"
    found = assess(load_state(DEMO), [recognise("fw.nft", text)])

    assert Level.MEDIUM is found.level
    assert "may hang on it" in view(found).headline
