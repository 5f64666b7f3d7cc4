"""Commands and restore files: the model's table afterwards is the kernel's."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from namespace import Namespace

from planner.models.node import NodeState
from planner.models.proposal import Command
from planner.models.source import Source
from planner.parse.iptables_save import parse_iptables_save
from planner.proposal.run import run_command

START = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:X - [0:0]\n:Y - [0:0]\n-A INPUT -j ACCEPT\n-A FORWARD -j X\n-A X -j DROP\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n"

COMMANDS = [
    "-A INPUT -s 1.2.3.4 -j DROP",
    "-I INPUT -p tcp --dport 22 -j ACCEPT",
    "-I INPUT 2 -p tcp --dport 22 -j ACCEPT",
    "-I INPUT 9 -j DROP",
    "-D INPUT -j ACCEPT",
    "-D INPUT 1",
    "-D INPUT 7",
    "-D INPUT -s 9.9.9.9 -j DROP",
    "-R FORWARD 1 -s 3.3.3.3 -j X",
    "-R FORWARD 4 -j X",
    "-F",
    "-F X",
    "-F NOPE",
    "-N Z",
    "-N X",
    "-N INPUT",
    "-X Y",
    "-X X",
    "-X",
    "-X INPUT",
    "-P INPUT DROP",
    "-P X DROP",
    "-P INPUT REJECT",
    "-E X Q",
    "-E X Y",
    "-E NOPE Q",
    "-A INPUT -j NOPE",
    "-A NOPE -j ACCEPT",
    "-A INPUT --dport 22 -j DROP",
    "-A INPUT -j MASQUERADE",
    "-t nat -A POSTROUTING -j REJECT",
    "-t nat -A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080",
    "-t nat -F",
    "-t mangle -A PREROUTING -j MARK --set-mark 0x1",
    "-t raw -A PREROUTING -j CT --notrack",
    "-t nat -A OUTPUT -j DROP",
    "-C INPUT -j ACCEPT",
    "-I X -j X",
    "-Z",
]
RESTORES = [
    ("noflush", "*filter\n:INPUT DROP [0:0]\n:X - [0:0]\n-A X -j RETURN\nCOMMIT\n"),
    ("noflush", "*filter\n-N Z\n-I INPUT 1 -s 1.2.3.4 -j Z\nCOMMIT\n"),
    ("noflush", "*filter\n-D INPUT -j ACCEPT\n-F X\n-X Y\nCOMMIT\n"),
    ("flush", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n"),
    ("flush", "*filter\n-A FORWARD -j DROP\nCOMMIT\n"),
    ("flush", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n*nat\n-A NOPE -j ACCEPT\nCOMMIT\n"),
    ("flush", "*filter\n-A INPUT -s 9.9.9.9 -j DROP\n"),
    ("flush", "*filter\n-A INPUT -j LATER\n:LATER - [0:0]\nCOMMIT\n"),
    (
        "flush",
        "*filter\n:NEW - [0:0]\n-A INPUT -j NEW\n-A NEW -s 10.1.2.3/8 -j RETURN\nCOMMIT\n# end\n*mangle\nCOMMIT\n",
    ),
    ("flush", "*nosuch\nCOMMIT\n"),
]


IN_SEQUENCE = [command for command in COMMANDS if command != "-X INPUT"]
"""Whether the nft backend has an empty base chain at all is not in what it saves, and a second `-X` of it fails."""
SEQUENCES = (
    ("-F", "-I X -j X", "-A INPUT -j X"),
    ("-F", "-A X -j Y", "-A Y -j X", "-I INPUT -j Y", "-P INPUT DROP"),
    ("-F", "-X INPUT"),
    ("-F", "-P INPUT DROP", "-X INPUT"),
)
"""A loop that nothing leads to is taken until something does; a base chain may go while it does nothing."""


def observed(node: Namespace, backend: str) -> dict[str, object]:
    text = node.run([f"iptables-{backend}-save"]).stdout
    ruleset, gaps = parse_iptables_save(text, family="ip", backend="nft" if backend == "nft" else "legacy")
    assert gaps == ()
    return tables(ruleset.tables)


def tables(found) -> dict[str, object]:
    """Tables that hold something: an untouched table may or may not have been made."""
    return {
        name: (dict(table.policies), dict(table.chains))
        for name, table in sorted(found.items())
        if any(table.chains.values())
        or set(table.chains) - set(table.policies)
        or "DROP" in table.policies.values()
    }


def state(node: Namespace, backend: str) -> NodeState:
    text = node.run([f"iptables-{backend}-save"]).stdout
    ruleset, _ = parse_iptables_save(text, family="ip", backend="nft" if backend == "nft" else "legacy")
    return NodeState(name="n", rulesets=(ruleset,), iptables_default=backend)


def agree(node: Namespace, backend: str, argv: tuple[str, ...], stdin: str = "") -> None:
    before = state(node, backend)
    real = node.run([argv[0].replace("iptables", f"iptables-{backend}"), *argv[1:]], stdin=stdin, check=False)
    outcome = run_command(Command(argv=argv, stdin=stdin, source=Source(name="t")), before)
    assert outcome.gaps == ()
    ruleset = outcome.state.ruleset("ip", backend)
    assert ruleset is not None
    assert observed(node, backend) == tables(ruleset.tables), (argv, stdin, real.stderr)
    assert bool(real.returncode) == bool(outcome.error), (argv, real.stderr, outcome.error)


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_each_command_does_what_the_kernel_does(backend: str) -> None:
    """Each command on a fresh table: equal rules, and an error where the tool reports one."""
    for command in COMMANDS:
        with Namespace() as node:
            node.run([f"iptables-{backend}-restore"], stdin=START)
            agree(node, backend, ("iptables", *command.split()))


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_each_restore_file_does_what_the_kernel_does(backend: str) -> None:
    """Tables are replaced or extended, committed one by one, and a failing one stays as it was."""
    for mode, text in RESTORES:
        with Namespace() as node:
            node.run([f"iptables-{backend}-restore"], stdin=START)
            flags = ("--noflush",) if mode == "noflush" else ()
            agree(node, backend, ("iptables-restore", *flags), text)


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("commands", SEQUENCES, ids=" ; ".join)
def test_what_the_kernel_checks_from_base_chains_on(backend: str, commands: tuple[str, ...]) -> None:
    """The same verdict after each command."""
    with Namespace() as node:
        node.run([f"iptables-{backend}-restore"], stdin=START)
        for command in commands:
            agree(node, backend, ("iptables", *command.split()))


def test_an_unknown_extension_is_a_gap() -> None:
    """Whether the node's iptables takes it cannot be known here."""
    rules, _ = parse_iptables_save(START, family="ip", backend="nft")
    before = NodeState(name="n", rulesets=(rules,), iptables_default="nft")
    argv = ("iptables", "-A", "INPUT", "-m", "nosuch", "-j", "DROP")
    outcome = run_command(Command(argv=argv, source=Source(name="t", line=4)), before)

    assert [4] == [gap.source.line for gap in outcome.gaps if gap.source and "`nosuch`" in gap.reason]


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(commands=st.lists(st.sampled_from(IN_SEQUENCE), min_size=3, max_size=10))
def test_sequences_of_commands_stay_in_step(backend: str, commands: list[str]) -> None:
    """After any sequence, failures included, the model holds what the kernel holds."""
    with Namespace() as node:
        node.run([f"iptables-{backend}-restore"], stdin=START)
        for command in commands:
            agree(node, backend, ("iptables", *command.split()))
