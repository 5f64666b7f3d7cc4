"""iptables-nft-save recurses over its chains: where a shell allows little stack, what we run is given more."""

import resource
from pathlib import Path

import pytest
from namespace import Namespace
from plan_node import TOKEN

from planner.collect.host import collector_script
from planner.models.node import NodeState
from planner.parse.node import parse_node
from planner.parse.stream import parse_stream
from planner.rehearse.stage import Stage

CHAINS = 4000
LITTLE = "ulimit -S -s 256;"
COMMON = Path(__file__).parents[2] / "planner" / "plan" / "common.sh"


@pytest.fixture
def many(node: Namespace) -> Namespace:
    """A node with more chains than iptables-nft-save can print in 256 KiB of stack."""
    chains = "".join(f":KUBE-SVC-{number:016} - [0:0]\n" for number in range(CHAINS))
    node.run(["iptables-nft-restore"], stdin=f"*nat\n{chains}COMMIT\n")
    done = node.run(["sh", "-c", f"{LITTLE} iptables-nft-save"], check=False)
    assert "KUBE-SVC" not in done.stdout, "it printed with little stack as well: the case is not one any more"
    return node


def test_the_collector_prints_many_chains_with_little_stack(many: Namespace) -> None:
    """A snapshot of a node with many Services is whole, whatever stack the shell allows that collects."""
    done = many.run(["sh", "-c", f"{LITTLE} exec sh -s {TOKEN} /nowhere"], stdin=collector_script())
    sections, problems = parse_stream(done.stdout, token=TOKEN)
    ruleset = parse_node(sections, name="n").ruleset("ip", "nft")
    assert problems == ()
    assert ruleset is not None
    assert CHAINS == sum(chain.startswith("KUBE-SVC") for chain in ruleset.tables["nat"].chains)


def test_the_scripts_read_many_chains_with_little_stack(many: Namespace) -> None:
    """apply.sh and rollback.sh do not take a tool that dies for a table that has changed."""
    head = COMMON.read_text(encoding="utf-8").partition("\nstate=")[0]
    done = many.run(["sh", "-c", f"{LITTLE} {head}\niptables-nft-save -t nat"])
    assert CHAINS == done.stdout.count("\n:KUBE-SVC")


def test_a_stage_allows_a_deep_stack() -> None:
    """Programs on a stage may take a stack of one GiB, or what the machine allows at most."""
    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    kib = 1 << 20 if most == resource.RLIM_INFINITY else min(1 << 20, most // 1024)
    with Stage(NodeState(name="n")) as stage:
        assert f"{kib}\n" == stage.run(("sh", "-c", "ulimit -S -s")).stdout
