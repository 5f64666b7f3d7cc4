"""Rule sets that nobody here wrote: no noise on kube-proxy's, never more to read than from a text diff."""

import difflib
import os
import re
from pathlib import Path

import pytest

from planner.diff.rules import diff_rulesets
from planner.models.change import ChainChange, ChainEdit, RuleEdit
from planner.models.node import NodeState
from planner.models.ruleset import Ruleset, Table

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
RECORDED = DATA / "kube-proxy-recorded"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no recorded data")


def read(path):
    """The least reader of iptables-save text: the test must not depend on how another package reads."""
    tables, chains, policies, name = {}, {}, {}, ""
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("*"):
            name, chains, policies = line[1:].strip(), {}, {}
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            chains[chain] = []
            if policy != "-":
                policies[chain] = policy
        elif line.startswith("-A "):
            _, chain, rule = line.split(" ", 2)
            chains.setdefault(chain, []).append(rule.strip())
        elif line.startswith("COMMIT"):
            tables[name] = Table(
                name=name, policies=policies, chains={chain: tuple(rules) for chain, rules in chains.items()}
            )
    return NodeState(name="node-1", rulesets=(Ruleset(family="ip", backend="nft", tables=tables),))


def lines(changes):
    """How many lines of a dump the changes stand for."""
    return sum(1 + len(change.rules) if isinstance(change, ChainChange) else 1 for change in changes)


def test_one_more_service():
    """kube-proxy wrote its dispatch chains in another order; only the service's own 23 lines are reported."""
    changes = list(
        diff_rulesets(
            read(RECORDED / "kubeproxy-before-add.iptables-save"),
            read(RECORDED / "kubeproxy-after-add.iptables-save"),
        )
    )
    assert 23 == lines(changes)
    assert {ChainEdit.ADDED, RuleEdit.ADDED} == {change.edit for change in changes}


def test_two_nodes():
    """Two nodes of one cluster differ in the chains of services with local endpoints only."""
    changes = list(
        diff_rulesets(
            read(RECORDED / "kubeproxy-node1.iptables-save"), read(RECORDED / "kubeproxy-node2.iptables-save")
        )
    )
    assert 36 >= lines(changes)
    assert {"KUBE-XLB"} == {change.chain[:8] for change in changes}
    assert {RuleEdit.ADDED, RuleEdit.REMOVED} == {change.edit for change in changes}


def test_other_hashes(tmp_path):
    """The same rules under other hashes: only new names.

    The lists of recent addresses keep theirs here: a list under another name begins empty, and clients lose their place.
    """
    text = (RECORDED / "kubeproxy-node1.iptables-save").read_text()
    other = tmp_path / "renamed"
    other.write_text(
        re.sub(
            r"(?<!--name )KUBE-(SVC|SEP|XLB|FW)-(\w{16})",
            lambda found: f"KUBE-{found[1]}-{found[2][::-1]}",
            text,
        )
    )
    before = read(RECORDED / "kubeproxy-node1.iptables-save")
    changes = list(diff_rulesets(before, read(other)))
    hashed = {
        name
        for table in before.rulesets[0].tables.values()
        for name, rules in table.chains.items()
        if rules and re.fullmatch(r"KUBE-(SVC|SEP|XLB|FW)-\w{16}", name)
    }
    renamed = {change.renamed_from for change in changes if change.edit is ChainEdit.RENAMED}
    assert hashed == renamed
    # Empty chains prove nothing, so they go and come; no rule of any caller is mentioned.
    assert {()} == {change.rules for change in changes if change.edit is not ChainEdit.RENAMED}


def rule_pairs():
    root = DATA / "real" / "pairs"
    return sorted(
        path for path in root.glob("*/before/*.save") if (path.parents[1] / "after" / path.name).exists()
    )


@pytest.mark.parametrize("path", rule_pairs(), ids=lambda path: f"{path.parents[1].name}-{path.name}")
def test_real_changes_of_rules(path):
    """A text diff has two lines for a move and for a changed rule; we never have more than it has lines."""
    before, after = read(path), read(path.parents[1] / "after" / path.name)
    changes = list(diff_rulesets(before, after))
    plain = sum(
        line[:1] in "+-" for line in difflib.ndiff(flat(before), flat(after)) if not line.startswith("?")
    )
    assert lines(changes) <= plain
    assert bool(changes) or flat(before) == flat(after) or only_order_or_comments(before, after)
    assert [] == list(diff_rulesets(before, before))


def flat(node):
    """The lines of a dump, without counters."""
    return [
        line
        for name, table in sorted(node.rulesets[0].tables.items())
        for chain, rules in sorted(table.chains.items())
        for line in (
            f"*{name}:{chain} {table.policies.get(chain, '-')}",
            *(f"*{name} -A {chain} {r}" for r in rules),
        )
    ]


def only_order_or_comments(before, after):
    return sorted(flat(before)) == sorted(flat(after)) or "--comment" in "".join(flat(before) + flat(after))
