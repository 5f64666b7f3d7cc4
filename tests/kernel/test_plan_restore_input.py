"""Restore inputs against the kernel: random tables in both backends, and ipsets by swapping."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from namespace import Namespace

from planner.emit import ipset as ipset_text
from planner.emit.iptables_restore import restore_input
from planner.models.ruleset import IpSet, Table

BASE = ("INPUT", "FORWARD", "OUTPUT")
USER = ("KUBE-A", "a.b*c", "X[1]", "Z$(id)")
PLAIN = (
    "-s 10.0.0.0/8 -j ACCEPT",
    "-p tcp -m tcp --dport 80 -j DROP",
    '-m comment --comment "a \\"b\\" $(id) `id`" -j RETURN',
    "-m mark --mark 0x1 -j ACCEPT",
)


@st.composite
def filter_tables(draw: st.DrawFn) -> Table:
    """A filter table that the kernel takes: jumps lead only to chains that come later, so there is no loop."""
    names = tuple(sorted(draw(st.sets(st.sampled_from(USER)))))
    chains: dict[str, tuple[str, ...]] = {}
    for position, name in enumerate((*BASE, *names)):
        later = names[max(0, position - len(BASE) + 1) :] if position >= len(BASE) else names
        rules = [*PLAIN, *(f"-j {target}" for target in later)]
        chains[name] = tuple(draw(st.lists(st.sampled_from(rules), max_size=4)))
    policies = {chain: draw(st.sampled_from(("ACCEPT", "DROP"))) for chain in BASE}
    return Table(name="filter", policies=policies, chains=chains)


def printed(node: Namespace, backend: str) -> Table:
    """The filter table as iptables-save prints it."""
    policies: dict[str, str] = {}
    chains: dict[str, list[str]] = {}
    for line in node.sh(f"iptables-{backend}-save -t filter").splitlines():
        if line.startswith(":"):
            name, policy = line[1:].split()[:2]
            chains[name] = []
            if policy != "-":
                policies[name] = policy
        elif line.startswith("-A "):
            _, name, rule = line.split(" ", 2)
            chains[name].append(rule)
    return Table(
        name="filter", policies=policies, chains={name: tuple(rules) for name, rules in chains.items()}
    )


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_any_table_becomes_any_other(backend: str) -> None:
    """From whatever is there to whatever is wanted in one transaction, and once more without effect."""
    with Namespace() as node:
        present = [Table(name="filter")]

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(filter_tables())
        def replace(want: Table) -> None:
            text = restore_input(present[0], want, family="ip")
            if text:
                for _ in range(2):
                    node.run([f"iptables-{backend}-restore", "-w", "10", "--noflush"], stdin=text)
            present[0] = want
            found = printed(node, backend)
            assert want.policies == found.policies
            assert want.chains == found.chains

        replace()


def test_rules_nobody_touches_keep_their_counters(node: Namespace) -> None:
    """A chain that does not differ is not written, so its counters go on: rewriting all of it would lose them."""
    counted = "*filter\n:X - [0:0]\n[5:420] -A INPUT -i lo -j ACCEPT\nCOMMIT\n"
    node.run(["iptables-nft-restore", "-c"], stdin=counted)
    have = printed(node, "nft")
    want = have.model_copy(update={"chains": {**have.chains, "X": ("-j DROP",)}})

    node.run(["iptables-nft-restore", "--noflush"], stdin=restore_input(have, want, family="ip"))

    assert "[5:420] -A INPUT" in node.sh("iptables-nft-save -c -t filter")


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_a_set_in_use_is_replaced_under_the_rules_feet(node: Namespace, backend: str) -> None:
    """A set that a rule names cannot be destroyed; the swap replaces its elements all at once, twice as well as once."""
    node.sh(
        f"ipset create web hash:ip; ipset add web 10.0.0.1; iptables-{backend} -A INPUT -m set --match-set web src -j DROP"
    )
    have = IpSet(
        name="web", type="hash:ip", options="family inet hashsize 1024 maxelem 65536", elements=("10.0.0.1",)
    )
    want = have.model_copy(update={"elements": ("10.0.0.2", "10.0.0.3")})

    for _ in range(2):
        node.run(["ipset", "-exist", "restore"], stdin=ipset_text.restore_input(have, want))

    saved = node.sh("ipset save")
    assert {"10.0.0.2", "10.0.0.3"} == {
        line.split()[2] for line in saved.splitlines() if line.startswith("add")
    }
    assert 1 == saved.count("create ")
    assert "--match-set web src" in node.sh(f"iptables-{backend}-save")
