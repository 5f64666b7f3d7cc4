"""ipset commands: the model's sets afterwards are the kernel's."""

import shlex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from namespace import Namespace

from planner.models.node import NodeState
from planner.models.proposal import Command
from planner.models.ruleset import IpSet
from planner.models.source import Source
from planner.parse.ipset_save import parse_ipset_save
from planner.parse.iptables_save import parse_iptables_save
from planner.proposal.run import run_command

START = [
    "create a hash:ip family inet",
    "add a 10.0.0.1",
    "add a 10.0.0.2",
    "create b hash:ip family inet",
    "add b 10.0.0.9",
    "create nets hash:net family inet",
    "add nets 10.1.0.0/16",
    "create svc hash:ip,port family inet",
    "add svc 10.0.0.5,tcp:80",
    "create ports bitmap:port range 0-9000",
    "add ports 80",
    "create all list:set size 8",
    "add all b",
    "create said hash:ip family inet comment",
    'add said 10.0.0.2 comment "of old"',
]
COMMANDS = [
    "add a 10.0.0.3",
    "add a 10.0.0.1",
    "-exist add a 10.0.0.1",
    "del a 10.0.0.1",
    "del a 10.0.0.7",
    "-! del a 10.0.0.7",
    "flush a",
    "flush nosuch",
    "destroy a",
    "destroy b",
    "destroy used",
    "destroy nosuch",
    "swap a b",
    "swap a nosuch",
    "rename a c",
    "rename a b",
    "create d hash:ip family inet",
    "create a hash:ip family inet",
    "-exist create a hash:ip family inet",
    "add nets 10.2.0.0/24",
    "add nets 10.2.3.4/24",
    "del nets 10.1.0.0/16",
    "add all a",
    "del all b",
    "create used hash:ip family inet",
    "add a 10.0.0.20-10.0.0.23",
    "add a 10.0.1.0/30",
    "del a 10.0.0.1-10.0.0.2",
    "add nets 10.3.0.0-10.3.0.255",
    "add svc 10.0.0.1,80",
    "add svc 10.0.0.1,udp:53",
    "add svc 10.0.0.8/31,tcp:80-81",
    "add ports 8000-8002",
    "del ports 80",
    "create told hash:ip counters comment",
    "create told hash:net forceadd skbinfo timeout 60",
    "add said 10.0.0.3 comment 'two words'",
    "add said 10.0.0.3 comment one",
    "add said 10.0.0.3 comment ''",
    "add said 10.0.0.3 comment 'a \\ b $c `d`'",
    "-exist add said 10.0.0.2 comment other",
    "del said 10.0.0.2",
    "list",
    "test a 10.0.0.1",
]


EXTENSIONS = frozenset({"counters", "comment", "forceadd", "skbinfo", "timeout"})


def described(item: IpSet) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    extensions = tuple(word for word in item.options.split() if word in EXTENSIONS)
    return item.type, extensions, item.elements


def observed(node: Namespace) -> dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]:
    sets, gaps = parse_ipset_save(node.run(["ipset", "save"]).stdout)
    assert gaps == ()
    return {item.name: described(item) for item in sets}


def state(node: Namespace) -> NodeState:
    sets, _ = parse_ipset_save(node.run(["ipset", "save"]).stdout)
    rules, _ = parse_iptables_save(node.run(["iptables-nft-save"]).stdout, family="ip", backend="nft")
    return NodeState(name="n", ipsets=sets, rulesets=(rules,))


def agree(node: Namespace, command: str) -> None:
    before = state(node)
    argv = ("ipset", *shlex.split(command))
    real = node.run(argv, check=False)
    outcome = run_command(Command(argv=argv, source=Source(name="t")), before)
    assert outcome.gaps == ()
    assert observed(node) == {item.name: described(item) for item in outcome.state.ipsets}, command
    if not command.startswith(("test", "list")):
        assert bool(real.returncode) == bool(outcome.error), (command, real.stderr, outcome.error)


def start(node: Namespace) -> None:
    node.run(["ipset", "restore"], stdin="\n".join(START) + "\n")
    node.sh("iptables-nft -A INPUT -m set --match-set a src -j DROP")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_does_what_the_kernel_does(node: Namespace, command: str) -> None:
    """Equal sets, and an error where the tool reports one: a set in use stays."""
    start(node)
    agree(node, command)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(commands=st.lists(st.sampled_from(COMMANDS), min_size=4, max_size=12))
def test_sequences_stay_in_step(commands: list[str]) -> None:
    """After any sequence, failures included."""
    with Namespace() as node:
        start(node)
        for command in commands:
            agree(node, command)


def test_a_restore_file_stops_at_its_first_mistake(node: Namespace) -> None:
    """What stands before the mistake is done."""
    start(node)
    text = "add a 10.0.0.50\nadd a 10.0.0.50\nadd a 10.0.0.51\n"
    before = state(node)
    node.run(["ipset", "restore"], stdin=text, check=False)
    outcome = run_command(Command(argv=("ipset", "restore"), stdin=text, source=Source(name="f")), before)

    assert observed(node) == {item.name: described(item) for item in outcome.state.ipsets}
    assert "f:2" in outcome.error
