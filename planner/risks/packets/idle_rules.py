"""What risks about rules that never act share: which change does it, and how rules are called in a sentence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planner.models.change import Cause, ChainChange, ChainEdit, Change, RuleChange, RuleEdit
from planner.models.comparison import DeadRule, RuleNumber
from planner.models.source import Source
from planner.risks.moved import Mover
from planner.risks.packets.telling import enumerated, speaking
from planner.risks.risk import Review

SHOWN = 90
"""Characters of a rule's text."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Rules that are idle for one reason, with the changes that make them so."""

    rules: tuple[DeadRule, ...]
    changes: tuple[Change, ...]
    added: bool
    """They came with the change."""

    @property
    def first(self) -> DeadRule:
        """The one that is named."""
        return self.rules[0]

    @property
    def source(self) -> Source | None:
        """The line of the proposal that it is told at."""
        return next((change.source for change in self.changes if change.source is not None), None)

    @property
    def named(self) -> str:
        """`Line 14 of etc/iptables/rules.v4 ("-s … -j DROP")`, `rule 3 of filter FORWARD (…)`."""
        one = self.first
        line = line_of(one, self.changes) if self.added else ""
        where = line or f"rule {one.position} of {one.table} {one.chain}"
        return f'{where} ("{cut(one.rule)}")'


def idle_rules(change: Mover, review: Review, wanted: frozenset[str]) -> Iterator[Idle]:
    """Rules of one horizon that are idle for one of these reasons, those of one chain and one reason together; told by the first change only."""
    moved = speaking(change, review)
    if moved is None:
        return
    groups: dict[tuple[object, ...], list[DeadRule]] = {}
    for one in moved.comparison.dead:
        if one.why in wanted:
            key = (one.family, one.backend, one.table, one.chain, one.why, one.by, one.before is None)
            groups.setdefault(key, []).append(one)
    for rules in groups.values():
        mine = tuple(found for one in rules for found in _making(one, moved.movers))
        unique = {id(found): found for found in (mine or moved.movers[:1])}
        yield Idle(tuple(rules), tuple(unique.values()), rules[0].before is None)


def _making(one: DeadRule, changes: Sequence[Change]) -> Iterator[Change]:
    """The change that brings the rule, or else those that bring what takes its packets, or take away what led to it."""
    place = one.family, one.backend, one.table
    here: list[Change] = []
    for change in changes:
        match change:
            case RuleChange(rule=rule) if (change.family, change.backend, change.table) == place:
                in_chain = change.chain == one.chain
                own = (
                    in_chain
                    and one.position is not None
                    and change.after == one.position
                    and rule == one.rule
                )
                taking = in_chain and any(by.position == change.after and by.rule == rule for by in one.by)
                led = change.edit is RuleEdit.REMOVED and rule.endswith(
                    (f"-j {one.chain}", f"-g {one.chain}")
                )
                if own:
                    yield change
                    return
                if taking or led:
                    here.append(change)
            case ChainChange(edit=ChainEdit.ADDED, chain=chain) if (
                change.family,
                change.backend,
                change.table,
            ) == place and chain == one.chain:
                here.append(change)
            case _:
                pass
    yield from sorted(here, key=lambda change: change.cause is not Cause.PROPOSED)


def line_of(one: DeadRule | RuleNumber, changes: Sequence[Change]) -> str:
    """`line 14 of etc/iptables/rules.v4`, where the proposal writes the rule."""
    for change in changes:
        match change:
            case RuleChange(rule=rule, after=after, source=Source(line=line) as source) if line:
                if rule == one.rule and after == one.position:
                    return f"line {line} of {source.name}"
            case _:
                pass
    return ""


def takers(one: DeadRule, changes: Sequence[Change]) -> str:
    """Who takes its packets, in words."""
    told = [f'{line_of(by, changes) or f"rule {by.position}"} ("{cut(by.rule)}")' for by in one.by]
    return enumerated(told)


def cut(rule: str) -> str:
    """A rule as far as a sentence bears it."""
    return rule if len(rule) <= SHOWN else f"{rule[: SHOWN - 1]}…"
