"""The shape of a table: which chains packets reach, who refers to what, what stands after a rule."""

import re
from collections.abc import Iterator
from functools import lru_cache

from planner.models.change import ChainChange, ChainPolicyChange, RuleChange
from planner.models.node import NodeState
from planner.models.ruleset import Table
from planner.netfilter.effect import Accept, Goto, Jump, Return
from planner.risks.netfilter.reading import Reading, read
from planner.topology.owners import owner_of_chain

Located = RuleChange | ChainChange | ChainPolicyChange


def table_of(state: NodeState, change: Located) -> Table:
    """The table of the change in a state; an empty one when it does not exist."""
    rules = state.ruleset(change.family, change.backend)
    return rules.tables.get(change.table, Table(name=change.table)) if rules else Table(name=change.table)


def reached(table: Table, family: str) -> frozenset[str]:
    """Chains that a packet can come to, from the base chains on."""
    return _reached(_Known(table), family)


class _Known:
    """A table compared by identity; hashing one with many rules costs more than the answer saves."""

    __slots__ = ("table",)

    def __init__(self, table: Table) -> None:
        self.table = table

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and other.table is self.table

    def __hash__(self) -> int:
        return id(self.table)


LAST_TARGET = re.compile(r"(?:^| )-[jg] ([^\s\"]+)$")


@lru_cache(maxsize=64)
def _reached(known: _Known, family: str) -> frozenset[str]:
    table = known.table
    seen: set[str] = set()
    waiting = [chain for chain in table.chains if chain in table.policies]
    while waiting:
        chain = waiting.pop()
        if chain in seen:
            continue
        seen.add(chain)
        waiting += [target for target in jumps(table, chain, family) if target in table.chains]
    return frozenset(seen)


def jumps(table: Table, chain: str, family: str) -> Iterator[str]:
    """Chains that rules of a chain lead to."""
    for text in table.chains.get(chain, ()):
        # The last word of nearly every rule is its target; reading a hundred thousand rules whole takes half a minute.
        plain = LAST_TARGET.search(text)
        if plain is not None and "\\" not in text and not text.count('"', 0, plain.start()) & 1:
            if plain[1] in table.chains:
                yield plain[1]
        elif _calls_nothing(text, table):
            continue
        elif " -g " in f" {text}" or " -j " in f" {text}":
            effect = read(text, family).effect
            if isinstance(effect, Jump | Goto):
                yield effect.chain


def _calls_nothing(text: str, table: Table) -> bool:
    """Whether a rule plainly has a target with options, which is no chain: nearly every other rule of a large table translates."""
    cut = text.rfind("-j ")
    word = text[cut + 3 :].partition(" ")[0]
    return (
        cut >= 0
        and not word.startswith("-")
        and word not in table.chains
        and '"' not in text[cut:]
        and "\\" not in text
        and not text.count('"', 0, cut) & 1
    )


def leads_to(table: Table, chain: str, target: str, family: str) -> bool:
    """Whether a packet in the chain can come to the target by jumps."""
    seen: set[str] = set()
    waiting = [chain]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        called = [*jumps(table, name, family)]
        if target in called and target != chain:
            return True
        waiting += called
    return False


def readings(table: Table, chain: str, family: str) -> tuple[Reading, ...]:
    """Every rule of the chain."""
    return _readings(_Known(table), chain, family)


@lru_cache(maxsize=512)
def _readings(known: _Known, chain: str, family: str) -> tuple[Reading, ...]:
    return tuple(read(text, family) for text in known.table.chains.get(chain, ()))


def cut_off_at(table: Table, chain: str, family: str) -> int | None:
    """Position (from 1) of the first rule that no packet passes; rules behind it are never reached."""
    return _cut_off_at(_Known(table), chain, family)


@lru_cache(maxsize=512)
def _cut_off_at(known: _Known, chain: str, family: str) -> int | None:
    for number, reading in enumerate(_readings(known, chain, family), start=1):
        ends = isinstance(reading.effect, Accept) or reading.drops or reading.rewrites
        if reading.always and not reading.problem and (ends or isinstance(reading.effect, Goto)):
            return number
    return None


def may_drop(table: Table, chain: str, family: str, *, start: int = 0) -> bool:
    """Whether a rule behind position `start`, or a chain that it leads to, can stop a packet, or is not known not to."""
    return _last_stop(_Known(table), chain, family, frozenset()) > start


@lru_cache(maxsize=4096)
def _last_stop(known: _Known, chain: str, family: str, above: frozenset[str]) -> int:
    """Position of the last rule that may stop a packet; 0 when none does. A loop, which the kernel refuses, stops."""
    if chain in above or chain not in known.table.chains:
        return 1
    rules = _readings(known, chain, family)
    for number in range(len(rules), 0, -1):
        reading = rules[number - 1]
        if reading.problem:
            return number
        if isinstance(reading.effect, Jump | Goto):
            if _last_stop(known, reading.effect.chain, family, above | {chain}):
                return number
        elif not (reading.accepts or reading.harmless or isinstance(reading.effect, Return)):
            return number
    return 0


def owned(chain: str) -> str:
    """The agent that writes the chain, or an empty string."""
    return owner_of_chain(chain)


def everywhere(state: NodeState, family: str | None = None) -> Iterator[tuple[str, Table, str, str]]:
    """Every rule of the state: backend and family, table, chain, text."""
    for rules in state.rulesets:
        if family in {None, rules.family}:
            for table in rules.tables.values():
                for chain, texts in table.chains.items():
                    for text in texts:
                        yield rules.backend, table, chain, text
