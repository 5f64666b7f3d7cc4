"""iptables-restore: each table as one transaction, replaced unless `--noflush`.

Measured on iptables 1.8.9, both backends (tests/kernel/test_iptables_restore.py): a table of the file is committed at its own COMMIT, so
a failure in the second table leaves the first one applied; without `--noflush` the legacy backend keeps the policy of a base
chain that the file does not declare, the nft backend resets it to ACCEPT; with `--noflush` a declared user chain is flushed, a
declared base chain only gets its policy.
"""

from dataclasses import replace

from planner.errors import NetchangeError
from planner.models.change import Cause
from planner.models.node import NodeState
from planner.models.proposal import Command, Effect
from planner.models.ruleset import Backend, Family, Table
from planner.models.source import Gap, Source
from planner.netfilter.words import split_words
from planner.parse.iptables_save import RestoreTable, parse_restore_file
from planner.proposal.iptables import edit
from planner.proposal.iptables.command import (
    apply_call,
    backend_of,
    program,
    read_call,
    rule_effects,
    with_table,
)
from planner.proposal.iptables.edit import RefusedError
from planner.proposal.outcome import Outcome


def run_restore(command: Command, state: NodeState) -> Outcome:
    """The node after `iptables-restore`, `ip6tables-restore` or a twin read `stdin`."""
    found = program(command.argv)
    if found is None:
        raise AssertionError(f"not a restore program: {command.argv[0]}")
    family, wanted = found
    backend = backend_of(state, wanted)
    if backend is None:
        reason = "both iptables backends hold rules and it is not known which one plain `iptables-restore` speaks to"
        return Outcome(state, gaps=(Gap(section=f"iptables/{family}", reason=reason, source=command.source),))
    flags = set(command.argv[1:])
    if flags & {"-t", "--test"}:
        return Outcome(state)
    noflush = bool(flags & {"-n", "--noflush"})
    only = _only_table(command.argv)
    try:
        file = parse_restore_file(command.stdin, family=family, name=command.source.name)
    except NetchangeError as error:
        return Outcome(state, error=f"{command.argv[0]}: {error.message}")
    outcome = Outcome(state)
    for section in file.tables:
        if only and section.name != only:
            continue
        outcome = _restore_table(outcome, command, section, family, backend, noflush=noflush)
        if outcome.error:
            break
    return outcome


def _only_table(argv: tuple[str, ...]) -> str:
    for word, following in zip(argv, (*argv[1:], ""), strict=True):
        if word in {"-T", "--table"}:
            return following
        if word.startswith("--table="):
            return word.removeprefix("--table=")
    return ""


def _restore_table(
    outcome: Outcome,
    command: Command,
    section: RestoreTable,
    family: Family,
    backend: Backend,
    *,
    noflush: bool,
) -> Outcome:
    state = outcome.state
    ruleset = state.ruleset(family, backend)
    present = ruleset.tables.get(section.name) if ruleset else None
    gaps = outcome.gaps
    unknown = state.gap(f"iptables/{backend}/{family}")
    if unknown is not None and present is None:
        reason = f"table {section.name} is laid on rules that are not known: {unknown.reason}"
        gaps = (*gaps, Gap(section=unknown.section, reason=reason, source=command.source))
    line = section.line
    try:
        table = start_table(section.name, present, backend, noflush=noflush)
        for chain in section.chains:
            line = chain.line
            table = _declare(table, chain.name, chain.policy, noflush=noflush)
        table, lines = _run_lines(table, section, family, backend, present, command.source.name)
    except (RefusedError, _RefusedAtError) as refusal:
        at = refusal.line if isinstance(refusal, _RefusedAtError) else line
        where = f"{command.source.name}:{at}" if at else command.source.name
        message = f"{command.argv[0]}: {where}: {refusal}; table {section.name} stays as it was"
        return replace(outcome, gaps=gaps, error=message)
    if not section.committed:
        return replace(
            outcome, gaps=gaps, error=f"{command.argv[0]}: {command.source.name}: COMMIT expected at the end"
        )
    whole = Source(name=command.source.name, line=section.line)
    effects = rule_effects(present, table, family, backend, whole)
    state = with_table(state, family, backend, table, section.name)
    return replace(outcome, state=state, gaps=gaps, effects=(*outcome.effects, *effects, *lines))


class _RefusedAtError(RefusedError):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def start_table(name: str, present: Table | None, backend: Backend, *, noflush: bool) -> Table:
    """What the file's lines are laid on."""
    if name not in edit.BASE_CHAINS:
        raise RefusedError(f"table `{name}` does not exist")
    if noflush:
        return present or edit.empty_table(name)
    empty = edit.empty_table(name)
    if backend == "legacy" and present is not None:
        return empty.model_copy(update={"policies": {**empty.policies, **present.policies}})
    return empty


def _declare(table: Table, chain: str, policy: str, *, noflush: bool) -> Table:
    if chain in table.policies:
        return edit.set_policy(table, chain, policy) if policy not in {"", "-"} else table
    if policy not in {"", "-"}:
        raise RefusedError(f"`{chain}` is no base chain of table {table.name} and has no policy")
    if chain in table.chains and not noflush:
        raise RefusedError(f"chain `{chain}` is declared twice")
    return edit.with_chain(table, chain, ())


def _run_lines(
    table: Table, section: RestoreTable, family: Family, backend: Backend, present: Table | None, name: str
) -> tuple[Table, tuple[Effect, ...]]:
    """Appends are gathered per chain, so that a file of 300,000 lines costs one pass."""
    known = frozenset(rule for rules in present.chains.values() for rule in rules) if present else frozenset()
    chains: dict[str, list[str]] = {}
    effects: list[Effect] = []

    def settle(table: Table) -> Table:
        if not chains:
            return table
        merged = {**table.chains, **{chain: tuple(rules) for chain, rules in chains.items()}}
        chains.clear()
        return table.model_copy(update={"chains": merged})

    for entry in section.lines:
        try:
            if entry.appends_to is not None:
                if entry.appends_to not in chains:
                    chains[entry.appends_to] = list(edit.rules_of(table, entry.appends_to))
                rule = edit.spelled(entry.text, family, known)
                edit.check_target(table, entry.appends_to, rule)
                chains[entry.appends_to].append(rule)
                if rule not in known:
                    what = f"rule/{family}/{backend}/{table.name}/{entry.appends_to}/{rule}"
                    source = Source(name=name, line=entry.line)
                    effects.append(Effect(what=what, cause=Cause.PROPOSED, source=source))
                continue
            table = settle(table)
            before = table
            table = apply_call(table, read_call(split_words(entry.text)), family, known)
            source = Source(name=name, line=entry.line)
            effects.extend(rule_effects(before, table, family, backend, source))
        except RefusedError as refusal:
            raise _RefusedAtError(str(refusal), entry.line) from refusal
    return settle(table), tuple(effects)
