"""The kernel and its own tools judge every table of the language: what is written, what is printed, what is refused."""

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "netfilter"))

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from namespace import Namespace
from rule_texts import rule_texts
from tables import Row, rows

from planner.emit.iptables_save import emit_ruleset
from planner.models.ruleset import Backend, Family, Ruleset, Table
from planner.netfilter.rule import RuleError, canonical
from planner.parse.iptables_save import parse_iptables_save

BACKENDS: tuple[Backend, ...] = ("legacy", "nft")
FAMILIES: tuple[Family, ...] = ("ip", "ip6")
TOOLS = {"ip": "iptables", "ip6": "ip6tables"}
BASE = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
JUDGED = tuple(row for row in rows() if not row.note)


def loadable(family: Family, *, written: bool) -> dict[str, Table]:
    """Every line that loads, in one rule set: as written, or canonical."""
    tables: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for row in JUDGED:
        if row.family == family and row.status != "FAIL":
            chains = tables[row.table] or {name: [] for name in (*BASE[row.table], "FOO", "foo")}
            tables[row.table] = chains
            chains[row.chain].append(row.text if written else row.canonical)
    return {
        name: Table(
            name=name,
            policies=dict.fromkeys(BASE[name], "ACCEPT"),
            chains={chain: tuple(found) for chain, found in chains.items()},
        )
        for name, chains in tables.items()
    }


def restore(node: Namespace, family: Family, backend: Backend, text: str) -> str:
    """Load; what it says when it refuses."""
    result = node.run([f"{TOOLS[family]}-{backend}-restore"], stdin=text, check=False)
    return "" if result.returncode == 0 else result.stderr or "refused"


def save(node: Namespace, family: Family, backend: Backend) -> Ruleset:
    """What its tool prints, read."""
    text = node.run([f"{TOOLS[family]}-{backend}-save"]).stdout
    ruleset, gaps = parse_iptables_save(text, family=family, backend=backend)
    assert () == gaps
    return ruleset


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_we_print_is_what_the_kernel_gives_back(
    node: Namespace, family: Family, backend: Backend
) -> None:
    """Loaded with our text and saved with theirs, a rule set is the same, chain by chain and line by line."""
    node.sh("ipset create S hash:ip counters timeout 5")
    ours = Ruleset(family=family, backend=backend, tables=loadable(family, written=False))

    assert "" == restore(node, family, backend, emit_ruleset(ours))
    theirs = save(node, family, backend)
    for name, table in ours.tables.items():
        for chain, rules in table.chains.items():
            assert rules == theirs.tables[name].chains[chain], (name, chain)
    assert sum(len(rules) for table in ours.tables.values() for rules in table.chains.values()) == theirs.size


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_notation_becomes_what_the_kernel_prints(
    node: Namespace, family: Family, backend: Backend
) -> None:
    """Hand-written text, loaded and saved, is our canonical text."""
    node.sh("ipset create S hash:ip counters timeout 5")
    written = Ruleset(family=family, backend=backend, tables=loadable(family, written=True))

    assert "" == restore(node, family, backend, emit_ruleset(written))
    theirs = save(node, family, backend)
    for name, table in written.tables.items():
        for chain, rules in table.chains.items():
            assert tuple(canonical(rule, family) for rule in rules) == theirs.tables[name].chains[chain], (
                name,
                chain,
            )


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_we_refuse_the_kernel_refuses(node: Namespace, backend: Backend) -> None:
    """A mistake that is reported is one."""
    node.sh("ipset create S hash:ip counters timeout 5")
    taken: list[Row] = []
    for row in JUDGED:
        if row.status == "FAIL":
            family: Family = "ip" if row.family == "ip" else "ip6"
            text = f"*{row.table}\n:FOO - [0:0]\n:foo - [0:0]\n-A {row.chain} {row.text}\nCOMMIT\n"
            if not restore(node, family, backend, text):
                taken.append(row)

    assert [] == [str(row) + ": " + row.text for row in taken]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_line_end_in_a_comment_is_read_as_one_rule(node: Namespace, backend: Backend) -> None:
    """The tools print it raw, so that a reader of lines sees a rule that does not exist."""
    forged = 'x\n-A INPUT -j DROP"'
    node.run([f"iptables-{backend}", "-A", "INPUT", "-m", "comment", "--comment", forged, "-j", "ACCEPT"])
    printed = node.run([f"iptables-{backend}-save"]).stdout
    rules = save(node, "ip", backend).tables["filter"].chains["INPUT"]

    assert "\n-A INPUT -j DROP" in printed
    assert (canonical('-m comment --comment "x\n-A INPUT -j DROP\\"" -j ACCEPT', "ip"),) == rules


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_table_that_was_never_used_is_not_printed(node: Namespace, backend: Backend) -> None:
    """An empty rule set is known to be empty."""
    assert {} == save(node, "ip", backend).tables


def known_here(text: str) -> bool:
    """Without a set that does not exist, a match that nobody knows, or what the two back ends print differently.

    iptables-nft 1.8.9 makes nft's own expressions of ports: of two `-m tcp` in one rule it prints the last one only, and
    `! --dport 0:6` comes back as `--dport 7:65535`. Legacy prints both as they were written, and so do we.
    """
    return not (
        any(word in text for word in ("--match-set", "layer7", "NOSUCH", "\n", "\r"))
        or re.search(r"! --[sd]port (?:0:|\d+:65535)", text)
        or text.count("port ") > 2
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_drawn_rules_are_printed_as_the_kernel_prints_them(family: Family, backend: Backend) -> None:
    """Rules by the dozen, each one loaded for itself: refused by both, or printed alike by both."""

    @settings(
        max_examples=2,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(rule_texts(family).filter(known_here), min_size=25, max_size=25))
    def judge(texts: list[str]) -> None:
        with Namespace() as node:
            for text in texts:
                try:
                    wanted = [canonical(text, family)]
                except RuleError:
                    wanted = []
                refused = restore(
                    node,
                    family,
                    backend,
                    f"*filter\n:FORWARD ACCEPT\n:elsewhere -\n:KUBE-MARK-MASQ -\n-A FORWARD {text}\nCOMMIT\n",
                )
                if not wanted:
                    continue
                loaded = (
                    [] if refused else list(save(node, family, backend).tables["filter"].chains["FORWARD"])
                )

                assert wanted == loaded, (text, refused)

    judge()
