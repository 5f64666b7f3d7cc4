"""`iptables-restore --noflush` transactions that turn one state of a table into another, chain by chain."""

import re

from planner.errors import NetchangeError
from planner.models.ruleset import TABLES, Table
from planner.netfilter.differing import differing

BASE_CHAINS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
"""The chains that hang on hooks. They cannot be deleted, and iptables-save prints all of them (1.8.9, both backends)."""


def touched_chains(have: Table | None, want: Table | None) -> tuple[str, ...]:
    """Names of the chains that differ, base chains with another policy too, sorted.

    A missing table equals one whose base chains are empty and accept: no packet can tell them apart.
    """
    name = _name(have, want)
    if not name or have is want:
        return ()
    own = BASE_CHAINS.get(name, ())
    former, latter = (have.chains if have else {}), (want.chains if want else {})
    policies = {chain for table in (have, want) if table for chain in table.policies}
    changed = {
        chain
        for chain in differing(former, latter)
        if chain not in own or former.get(chain, ()) != latter.get(chain, ())
    }
    changed |= {
        chain
        for chain in policies
        if (chain in former or chain in latter or chain in own)
        and _policy(have, chain) != _policy(want, chain)
    }
    return tuple(sorted(changed))


def restore_input(have: Table | None, want: Table | None, *, family: str) -> str:
    """Text for `iptables-restore --noflush` (`ip6tables-restore` for family `ip6`); empty when nothing differs.

    Only chains that differ are written, whole, so that every rule stands at its place and a second run changes nothing.
    Others, and the counters of their rules, are left alone. One transaction: the kernel takes all of it or nothing.
    """
    changed = touched_chains(have, want)
    if not changed:
        return ""
    name = _name(have, want)
    if name not in TABLES:
        raise NetchangeError(
            reference="table-unknown",
            message=f"`{name}` is no table of {'ip6tables' if family == 'ip6' else 'iptables'}",
        )
    present, wanted = _chains(have, name), _chains(want, name)
    base = _base(have, want, name)
    lines = [f"*{name}"]
    # A user chain that is named with a colon is created, or flushed when it exists; a base chain only takes the
    # policy (iptables-restore(8), --noflush; measured with 1.8.9 in both backends). Naming also those that will be
    # deleted makes a second run harmless.
    lines += [
        f":{_word(chain)} {_policy(want, chain)} [0:0]"
        for chain in changed
        if chain in base and _policy(have, chain) != _policy(want, chain)
    ]
    lines += [f":{_word(chain)} - [0:0]" for chain in changed if chain not in base]
    lines += [
        f"-F {_word(chain)}" for chain in changed if chain in base and present.get(chain) != wanted.get(chain)
    ]
    for chain in changed:
        if chain not in base or present.get(chain) != wanted.get(chain):
            lines += [f"-A {_word(chain)} {_line(rule)}".rstrip(" ") for rule in wanted.get(chain, ())]
    lines += [f"-X {_word(chain)}" for chain in changed if chain not in wanted]
    return "\n".join([*lines, "COMMIT", ""])


def _name(have: Table | None, want: Table | None) -> str:
    table = want or have
    return table.name if table else ""


def _base(have: Table | None, want: Table | None, name: str) -> frozenset[str]:
    """Chains that hang on a hook."""
    policies = {chain for table in (have, want) if table for chain in table.policies}
    return frozenset(policies | set(BASE_CHAINS.get(name, ())))


def _chains(table: Table | None, name: str) -> dict[str, tuple[str, ...]]:
    empty: dict[str, tuple[str, ...]] = dict.fromkeys(BASE_CHAINS.get(name, ()), ())
    return {**empty, **(table.chains if table else {})}


def _policy(table: Table | None, chain: str) -> str:
    return table.policies.get(chain, "ACCEPT") if table else "ACCEPT"


def _word(chain: str) -> str:
    """A chain name, which is one word in iptables-restore's language: there is no way to quote it."""
    if not chain or re.search(r"[\s\"'\\]", chain) or chain[0] in "-!:*#":
        raise NetchangeError(
            reference="chain-name-unusable",
            message=f"the chain name {chain!r} cannot be written for iptables-restore",
        )
    return chain


def _line(rule: str) -> str:
    """A rule as iptables-save prints it, which iptables-restore reads back; a line break would be a second line."""
    if "\n" in rule or "\0" in rule:
        raise NetchangeError(
            reference="rule-unusable",
            message=f"the rule {rule!r} holds a line break: iptables-save prints it so that iptables-restore cannot read it",
            hint="rename its comment on the node, then take the snapshot again",
        )
    return rule
