"""Packet filter rules: chains compared by text first, and only those that differ rule by rule.

Counters are no part of a rule, a comment is no part of what a packet meets, and the order of rules counts only where
a packet could tell (see `lists`). A chain that only got another name is reported once (see `chains`), and the rules
that jump to it are not reported at all.
"""

from collections.abc import Iterator, Mapping

from planner.diff.chains import find_renamed
from planner.diff.commute import Commute
from planner.diff.lists import diff_lists
from planner.diff.proof import canonical, same_fate
from planner.diff.rule_text import renamed
from planner.diff.unread import unread
from planner.models.change import ChainChange, ChainEdit, ChainPolicyChange, RuleChange, RuleEdit
from planner.models.node import NodeState
from planner.models.ruleset import Ruleset, Table

RulesetChange = RuleChange | ChainChange | ChainPolicyChange


def diff_rulesets(before: NodeState, after: NodeState) -> Iterator[RulesetChange]:
    """Changes by family, backend, table and chain. A table that is absent where the state has a gap is not compared."""
    for family, backend in sorted({(r.family, r.backend) for r in (*before.rulesets, *after.rulesets)}):
        old = before.ruleset(family, backend) or Ruleset(family=family, backend=backend)
        new = after.ruleset(family, backend) or Ruleset(family=family, backend=backend)
        for name in sorted({*old.tables, *new.tables}):
            section = f"iptables/{backend}/{family}/{name}"
            if name not in old.tables and unread(before, after, section):
                continue
            if name not in new.tables and unread(after, before, section):
                continue
            yield from _diff_table(
                old.tables.get(name, Table(name=name)),
                new.tables.get(name, Table(name=name)),
                _Place(after.name, family, backend, name),
            )


class _Place:
    """Where a chain stands, to be said of each change."""

    def __init__(self, node: str, family: str, backend: str, table: str) -> None:
        self.node, self.family, self.backend, self.table = node, family, backend, table

    def rule(self, chain: str, rule: str, before: int | None, after: int | None) -> RuleChange:
        """One rule of a chain."""
        edit = RuleEdit.ADDED if before is None else RuleEdit.REMOVED if after is None else RuleEdit.MOVED
        return RuleChange(
            node=self.node,
            family=self.family,
            backend=self.backend,
            table=self.table,
            chain=chain,
            edit=edit,
            rule=rule,
            before=before,
            after=after,
        )

    def chain(
        self, chain: str, edit: ChainEdit, rules: tuple[str, ...], *, renamed_from: str = ""
    ) -> ChainChange:
        """A whole chain."""
        return ChainChange(
            node=self.node,
            family=self.family,
            backend=self.backend,
            table=self.table,
            chain=chain,
            edit=edit,
            rules=rules,
            renamed_from=renamed_from,
        )

    def policy(self, chain: str, before: str | None, after: str | None) -> ChainPolicyChange:
        """The policy of a base chain."""
        return ChainPolicyChange(
            node=self.node,
            family=self.family,
            backend=self.backend,
            table=self.table,
            chain=chain,
            before=before,
            after=after,
        )


def _diff_table(before: Table, after: Table, place: _Place) -> Iterator[RulesetChange]:
    """Policies, then chains that came and went, then rules, each by chain."""
    for chain in sorted({*before.policies, *after.policies}):
        former, latter = before.policies.get(chain), after.policies.get(chain)
        if former != latter:
            yield place.policy(chain, former, latter)
    if before.chains == after.chains:
        return
    bases = {*before.policies, *after.policies}
    gone, come = before.chains.keys() - after.chains.keys(), after.chains.keys() - before.chains.keys()
    names = find_renamed(before.chains, after.chains, gone=gone - bases, come=come - bases)
    yield from _diff_chains(before.chains, after.chains, names, (gone - bases, come - bases), place)
    differing = [name for name, rules in before.chains.items() if after.chains.get(name, rules) != rules]
    differing += (gone | come) & bases
    differing.sort()
    for name in differing:
        commute = Commute(place.family, place.table, same_fate)
        old = before.chains.get(name, ())
        for edit in diff_lists(
            renamed(old, names), after.chains.get(name, ()), commute=commute, normal=canonical
        ):
            # A removed rule is shown as it stood, with the former name of what it jumped to.
            text = old[edit.before - 1] if edit.before is not None and edit.after is None else edit.rule
            yield place.rule(name, text, edit.before, edit.after)


def _diff_chains(
    before: Mapping[str, tuple[str, ...]],
    after: Mapping[str, tuple[str, ...]],
    names: Mapping[str, str],
    differing: tuple[set[str], set[str]],
    place: _Place,
) -> Iterator[ChainChange]:
    """User chains that came, went or were renamed. Base chains come and go with their policy."""
    gone, come = differing
    for name in sorted(gone):
        if name in names:
            new = names[name]
            yield place.chain(new, ChainEdit.RENAMED, after[new], renamed_from=name)
        else:
            yield place.chain(name, ChainEdit.REMOVED, before[name])
    successors = set(names.values())
    for name in sorted(come):
        if name not in successors:
            yield place.chain(name, ChainEdit.ADDED, after[name])
