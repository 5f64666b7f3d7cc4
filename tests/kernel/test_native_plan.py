"""Plans that lead from one state of native nft tables to another: their scripts on real nodes, and what others do meanwhile."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from namespace import Namespace
from native_tables import BASE, CHANGES
from plan_node import observe
from test_native_transactions import load, unlike

from planner.models.node import NodeState
from planner.models.plan import Plan
from planner.parse.nft_tables import nft_tables
from planner.plan.build import build_plan
from planner.plan.scripts import emit_apply, emit_rollback
from planner.proposal.transition import propose_state

SHELLS = [("sh",), ("bash", "--posix"), ("busybox", "sh")]


@dataclass(frozen=True)
class Played:
    """A node in the state before, with the scripts that lead to the state after."""

    node: Namespace
    directory: Path
    plan: Plan
    before: str
    after: str
    shell: tuple[str, ...] = ("sh",)

    @classmethod
    def on(
        cls, node: Namespace, directory: Path, before: str, after: str, shell: tuple[str, ...] = ("sh",)
    ) -> "Played":
        latter_text = load(node, after)
        latter = observe(node)
        former_text = load(node, before)
        former = observe(node)
        plan = build_plan(propose_state(only_native(former), only_native(latter), name="after.json"))
        (directory / "apply.sh").write_text(emit_apply(plan))
        (directory / "rollback.sh").write_text(emit_rollback(plan))
        return cls(node, directory, plan, former_text, latter_text, shell)

    def run(self, name: str, *arguments: str) -> tuple[int, str]:
        """Exit status, and what it says."""
        argv = [
            "env",
            f"NETCHANGE_STATE={self.directory}",
            *self.shell,
            str(self.directory / name),
            *arguments,
        ]
        done = self.node.run(argv, check=False)
        return done.returncode, done.stderr

    @property
    def tables(self) -> str:
        return self.node.sh("nft list ruleset")


def only_native(state: NodeState) -> NodeState:
    """What this is about: nothing else can differ by chance."""
    return NodeState(name="node-1", native=state.native, tools=state.tools)


@pytest.mark.parametrize("name", CHANGES)
def test_applied_and_taken_back(node: Namespace, tmp_path: Path, name: str) -> None:
    """One step, read back by nft alone; after the rollback the tables are as before, and a second run does nothing."""
    played = Played.on(node, tmp_path, BASE, CHANGES[name])
    assert 1 == len(played.plan.steps)

    assert 0 == (applied := played.run("apply.sh"))[0], applied[1]
    assert [] == unlike(played.after, played.tables)
    assert 0 == (again := played.run("apply.sh"))[0], again[1]
    assert 0 == (back := played.run("rollback.sh"))[0], back[1]
    assert [] == unlike(played.before, played.tables)
    assert "nothing to take back" in played.run("rollback.sh")[1]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_any_shell(node: Namespace, tmp_path: Path, shell: tuple[str, ...]) -> None:
    """Also tables that come, beside ones that go."""
    played = Played.on(node, tmp_path, CHANGES["table-gone"], CHANGES["table-more"], shell)

    assert 0 == (applied := played.run("apply.sh"))[0], applied[1]
    assert [] == unlike(played.after, played.tables)
    assert 0 == (back := played.run("rollback.sh"))[0], back[1]
    assert [] == unlike(played.before, played.tables)
    assert not list(tmp_path.rglob("hacked"))


FOREIGN_BEFORE = {
    "a-rule-more": "nft add rule inet fw input tcp dport 1 drop",
    "an-element-more": "nft add element inet fw cnt '{ 9.9.9.9 }'",
    "another-policy": "nft 'chain inet fw input { policy accept; }'",
}


@pytest.mark.parametrize("what", FOREIGN_BEFORE)
def test_a_node_in_another_state_is_refused(node: Namespace, tmp_path: Path, what: str) -> None:
    """What the step would write is not as it was recorded: nothing is run."""
    after = CHANGES["rules"].replace("1.2.3.4, 1.2.3.5", "1.2.3.4, 1.2.3.7")
    played = Played.on(node, tmp_path, BASE, after)
    node.sh(FOREIGN_BEFORE[what])
    there = played.tables

    assert 0 != played.run("apply.sh")[0]
    assert [] == unlike(there, played.tables)


BESIDE = {
    "a-chain-more": "nft add chain inet fw foreign; nft add rule inet fw foreign tcp dport 1 drop",
    "another-chain": "nft add rule inet fw empty tcp dport 1 drop",
    "another-set": "nft add element inet fw cnt '{ 9.9.9.9 }'",
    "what-packets-add": "nft add element inet fw dyn '{ 9.9.9.9 }'",
    "another-table": "nft add table inet theirs",
}


@pytest.mark.parametrize("what", BESIDE)
def test_what_others_do_beside_the_change_stays(node: Namespace, tmp_path: Path, what: str) -> None:
    """The rollback takes back its own chain; theirs is as they left it."""
    played = Played.on(node, tmp_path, BASE, CHANGES["rules"])
    assert 0 == (applied := played.run("apply.sh"))[0], applied[1]
    node.sh(BESIDE[what])
    load_back = Namespace()
    with load_back as other:
        load(other, BASE)
        other.sh(BESIDE[what])
        wanted = other.sh("nft list ruleset")

    assert 0 == (back := played.run("rollback.sh"))[0], back[1]
    assert [] == unlike(wanted, played.tables)


def test_a_rule_of_others_in_a_chain_of_the_change_stays(node: Namespace, tmp_path: Path) -> None:
    """The timer takes back the change around it."""
    played = Played.on(node, tmp_path, BASE, CHANGES["rules"])
    assert 0 == (applied := played.run("apply.sh"))[0], applied[1]
    node.sh("nft insert rule inet fw input tcp dport 1 drop")
    with Namespace() as other:
        load(other, BASE)
        other.sh("nft insert rule inet fw input tcp dport 1 drop")
        wanted = other.sh("nft list ruleset")

    assert 0 == played.run("rollback.sh", "--unattended")[0]
    assert [] == unlike(wanted, played.tables)


def test_a_table_of_the_change_that_others_use_is_kept(node: Namespace, tmp_path: Path) -> None:
    """Their chain stays where the table was the step's own; all else of the step goes."""
    played = Played.on(node, tmp_path, "", BASE)
    assert 0 == (applied := played.run("apply.sh"))[0], applied[1]
    node.sh("nft add chain inet fw foreign; nft add rule inet fw foreign tcp dport 1 drop")

    assert 0 == (back := played.run("rollback.sh"))[0], back[1]
    left = nft_tables(played.tables)
    assert ["inet fw"] == list(left)
    assert [("chain", "foreign")] == list(left["inet fw"].objects)
    assert ("tcp dport 1 drop",) == left["inet fw"].objects["chain", "foreign"].body
