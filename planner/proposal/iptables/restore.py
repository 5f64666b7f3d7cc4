"""iptables-restore: each table as one transaction, replaced unless `--noflush`.

Measured on iptables 1.8.9, both backends (tests/kernel/test_iptables_commands.py): a table of the file is committed at its own COMMIT, so
a failure in the second table leaves the first one applied; without `--noflush` the legacy backend keeps the policy of a base
chain that the file does not declare, the nft backend resets it to ACCEPT; with `--noflush` a declared user chain is flushed, a
declared base chain only gets its policy.
"""

from dataclasses import replace
from functools import cached_property

from planner.models.change import Cause
from planner.models.node import NodeState
from planner.models.proposal import Command, Effect
from planner.models.ruleset import Backend, Family, Table
from planner.models.source import Gap, Source
from planner.netfilter.command import Append
from planner.netfilter.differing import differing
from planner.parse.iptables_restore import Declaration, FileCommand, RestoreTable, read_restore_file
from planner.proposal.iptables import edit
from planner.proposal.iptables.command import (
    apply_call,
    backend_of,
    program,
    rule_effects,
    undecided,
    with_table,
)
from planner.proposal.iptables.edit import RefusedError
from planner.proposal.outcome import Outcome

ONE_BY_ONE = 4
"""Rules that are looked for before all are gathered."""


def run_restore(command: Command, state: NodeState) -> Outcome:
    """The node after `iptables-restore`, `ip6tables-restore` or a twin read `stdin`."""
    found = program(command.argv)
    if found is None:
        raise AssertionError(f"not a restore program: {command.argv[0]}")
    family, wanted = found
    backend = backend_of(state, wanted)
    if backend is None:
        return undecided(command, state, family)
    flags = set(command.argv[1:])
    if flags & {"-t", "--test"}:
        return Outcome(state)
    noflush = bool(flags & {"-n", "--noflush"})
    only = _only_table(command.argv)
    file = read_restore_file(
        command.stdin, family=family, name=command.source.name, known=_Printed(state, family, backend)
    )
    outcome = Outcome(state, gaps=file.gaps)
    for section in file.tables:
        if only and section.name != only:
            continue
        outcome = _Laying(command, family, backend, noflush=noflush).lay(section, outcome)
        if outcome.error:
            return outcome
    if file.mistake is not None:
        return replace(outcome, error=f"{command.argv[0]}: {file.mistake.message}")
    return outcome


def _only_table(argv: tuple[str, ...]) -> str:
    for word, following in zip(argv, (*argv[1:], ""), strict=True):
        if word in {"-T", "--table"}:
            return following
        if word.startswith("--table="):
            return word.removeprefix("--table=")
    return ""


class _Printed:
    """Rules as the node printed them. A few are looked for one by one, which costs less than to gather all."""

    def __init__(self, state: NodeState, family: Family, backend: Backend) -> None:
        ruleset = state.ruleset(family, backend)
        self._tables = () if ruleset is None else tuple(ruleset.tables.values())
        self._asked = 0

    def __contains__(self, rule: object) -> bool:
        self._asked += 1
        if self._asked <= ONE_BY_ONE:
            return any(rule in rules for table in self._tables for rules in table.chains.values())
        return rule in self._all

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset(rule for table in self._tables for rules in table.chains.values() for rule in rules)


class _Laying:
    """One table of the file laid on one node."""

    def __init__(self, command: Command, family: Family, backend: Backend, *, noflush: bool) -> None:
        self.command = command
        self.family: Family = family
        self.backend: Backend = backend
        self.noflush = noflush
        self.effects: list[Effect] = []
        self.pending: dict[str, list[str]] = {}
        """Appends gathered per chain, so that a file of 300,000 lines costs one pass."""

    def lay(self, section: RestoreTable, outcome: Outcome) -> Outcome:
        state = outcome.state
        ruleset = state.ruleset(self.family, self.backend)
        present = ruleset.tables.get(section.name) if ruleset else None
        gaps = outcome.gaps
        unknown = state.gap(f"iptables/{self.backend}/{self.family}")
        if unknown is not None and present is None:
            reason = f"table {section.name} is laid on rules that are not known: {unknown.reason}"
            gaps = (*gaps, Gap(section=unknown.section, reason=reason, source=self.command.source))
        line = section.line
        try:
            table = start_table(section.name, present, self.backend, noflush=self.noflush)
            for step in section.steps:
                line = step.line
                table = self.take(step, table)
            table = self.settled(table)
            edit.check_loops(table, calling_more(present, table))
        except RefusedError as refusal:
            where = Source(name=self.command.source.name, line=line)
            error = f"{self.command.argv[0]}: {where}: {refusal}; table {section.name} stays as it was"
            return replace(outcome, gaps=gaps, error=error)
        whole = Source(name=self.command.source.name, line=section.line)
        touched = rule_effects(present, table, self.family, self.backend, whole)
        state = with_table(state, self.family, self.backend, table)
        return replace(outcome, state=state, gaps=gaps, effects=(*outcome.effects, *self.effects, *touched))

    def take(self, step: Declaration | FileCommand, table: Table) -> Table:
        source = Source(name=self.command.source.name, line=step.line)
        if isinstance(step, Declaration):
            what = f"chain/{self.family}/{self.backend}/{table.name}/{step.chain}"
            self.effects.append(Effect(what=what, cause=Cause.PROPOSED, source=source))
            return declare(self.settled(table), step, noflush=self.noflush)
        wanted = step.command
        if isinstance(wanted, Append):
            if wanted.chain not in self.pending:
                self.pending[wanted.chain] = list(edit.rules_of(table, wanted.chain))
            edit.check_target(table, wanted.chain, wanted.rule)
            self.pending[wanted.chain].append(wanted.rule)
            what = f"rule/{self.family}/{self.backend}/{table.name}/{wanted.chain}/{wanted.rule}"
            self.effects.append(Effect(what=what, cause=Cause.PROPOSED, source=source))
            return table
        before = self.settled(table)
        after = apply_call(before, wanted, self.backend)
        self.effects.extend(rule_effects(before, after, self.family, self.backend, source))
        return after

    def settled(self, table: Table) -> Table:
        if not self.pending:
            return table
        chains = {**table.chains, **{chain: tuple(rules) for chain, rules in self.pending.items()}}
        self.pending.clear()
        return table.model_copy(update={"chains": chains})


def touched_chains(before: Table | None, after: Table) -> list[str]:
    """Chains whose rules are others than before."""
    if before is None:
        return [*after.chains]
    return [chain for chain in differing(before.chains, after.chains) if chain in after.chains]


def calling_more(before: Table | None, after: Table) -> list[str]:
    """Chains that call others than before: no other one can close a circle."""
    touched = touched_chains(before, after)
    if before is None:
        return touched
    return [chain for chain in touched if edit.called_by(after, chain) - edit.called_by(before, chain)]


def start_table(name: str, present: Table | None, backend: Backend, *, noflush: bool) -> Table:
    """What the file's lines are laid on."""
    if noflush:
        return present or edit.empty_table(name)
    empty = edit.empty_table(name)
    if backend == "legacy" and present is not None:
        return empty.model_copy(update={"policies": {**empty.policies, **present.policies}})
    return empty


def declare(table: Table, wanted: Declaration, *, noflush: bool) -> Table:
    """`:chain policy`: a user chain is there and empty afterwards, a base chain gets its policy."""
    if wanted.chain in table.policies:
        return edit.set_policy(table, wanted.chain, wanted.policy) if wanted.policy else table
    if wanted.policy:
        raise RefusedError(f"`{wanted.chain}` is no base chain of table {table.name} and has no policy")
    if wanted.chain in table.chains and not noflush:
        raise RefusedError(f"chain `{wanted.chain}` is declared twice")
    return edit.with_chain(table, wanted.chain, ())
