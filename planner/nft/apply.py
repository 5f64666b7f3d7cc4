"""Commands of nft carried out on recorded tables: one transaction, in which everything holds or nothing is done."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import assert_never

from planner.nft.blocks import elements_of
from planner.nft.commands import (
    AddChain,
    AddObject,
    AddRule,
    AddSet,
    AddTable,
    At,
    ChangeElements,
    Command,
    Delete,
    DeleteRule,
    Flush,
    NotUnderstood,
    RenameChain,
    TableKey,
)
from planner.nft.problem import NotReadError, RefusedError
from planner.nft.reader import tokens_in
from planner.nft.right import Element
from planner.nft.rules import Rule, named_sets, targets
from planner.nft.state import Recorded
from planner.nft.statements import Statement
from planner.nft.table import Chain, Set, Table, Thing, needs_intervals
from planner.nft.tokens import SyntaxMistakeError, joined
from planner.nft.values import Json, interval_of
from planner.nft.words import rule_text


@dataclass(slots=True)
class Carried:
    """What a file did, to explain it: tables by the first line that changes them, and what was not understood."""

    lines: dict[TableKey, At] = field(default_factory=dict)
    """The first command that touched a table."""
    rules: list[tuple[TableKey, str, str, At]] = field(default_factory=list)
    """Table, chain, text and place of each rule that was added."""
    objects: list[tuple[TableKey, str, str, At]] = field(default_factory=list)
    """Table, kind, name and place of each chain, set or other object that a command names."""
    unknown: list[tuple[At, str]] = field(default_factory=list)


class RefusalError(RefusedError):
    """A refused command, with where it stands."""

    def __init__(self, at: At, message: str) -> None:
        super().__init__(message, at.line)
        self.at = at


def carry_out(commands: Iterable[Command], tables: Recorded) -> Carried:
    """Changes the tables. Raises RefusalError; what was done until then is to be thrown away."""
    done = Carried()
    for command in commands:
        try:
            _one(command, tables, done)
        except RefusalError:
            raise
        except RefusedError as error:
            raise RefusalError(command.at, str(error)) from error
    for key, at in done.lines.items():
        table = tables.table(key)
        if table is not None:
            try:
                _check(table)
            except RefusedError as error:
                raise RefusalError(
                    at if not error.line else replace(at, line=error.line), str(error)
                ) from error
    return done


def _one(command: Command, tables: Recorded, done: Carried) -> None:
    if not isinstance(command, NotUnderstood | Flush | Delete):
        done.lines.setdefault(command.table, command.at)
    named = _named(command)
    if named:
        done.objects.append((command.table, *named, command.at))
    match command:
        case AddTable(table=key, create=create, flags=flags, comment=comment):
            if create and key in tables.names():
                raise RefusedError(f"table {key[0]} {key[1]} exists already")
            fresh = key not in tables.names()
            table = tables.add(key)
            if flags:
                table.flags = flags
            if comment and fresh:
                table.comment = comment
        case AddChain():
            _add_chain(_table(tables, command.table), command)
        case AddRule():
            _add_rule(_table(tables, command.table), command, done)
        case AddSet():
            if command.spec.unread:
                done.unknown.append((command.at, f"the elements of {command.name} are not modelled"))
            _add_set(_table(tables, command.table), command)
        case ChangeElements():
            _elements(_table(tables, command.table), command, done)
        case AddObject(kind=kind, name=name, create=create):
            table = _table(tables, command.table)
            if (kind, name) not in table.things:
                table.things[kind, name] = Thing(command.lines)
            elif create:
                raise RefusedError(f"{kind} {name} exists already")
        case Delete():
            _delete(tables, command, done)
        case DeleteRule(chain=chain, place=place):
            rules = _chain(_table(tables, command.table), chain).rules
            if place.index is None:
                done.unknown.append(
                    (command.at, f"which rule of chain {chain} has handle {place.handle} is not recorded")
                )
            elif place.index >= len(rules):
                raise RefusedError(f"chain {chain} has {len(rules)} rules, none at index {place.index}")
            else:
                del rules[place.index]
        case Flush():
            _flush(tables, command, done)
        case RenameChain(chain=chain, name=name):
            table = _table(tables, command.table)
            _chain(table, chain)
            if name in table.chains:
                raise RefusedError(f"chain {name} exists already")
            table.chains = {name if one == chain else one: held for one, held in table.chains.items()}
        case NotUnderstood(words=words):
            done.unknown.append((command.at, f"what `{words[:160]}` does is not modelled"))
        case _:
            assert_never(command)


def _named(command: Command) -> tuple[str, str] | None:
    """Kind and name of what the command is about."""
    match command:
        case AddChain(chain=name) | RenameChain(chain=name) | DeleteRule(chain=name):
            return "chain", name
        case AddSet(name=name, spec=spec):
            return spec.kind, name
        case AddObject(kind=kind, name=name):
            return kind, name
        case ChangeElements(name=name):
            return "", name
        case Delete(kind=kind, name=name) | Flush(kind=kind, name=name) if name:
            return kind, name
        case _:
            return None


def _table(tables: Recorded, key: TableKey) -> Table:
    found = tables.table(key)
    if found is None:
        raise RefusedError(f"table {key[0]} {key[1]} does not exist")
    return found


def _chain(table: Table, name: str) -> Chain:
    if name not in table.chains:
        raise RefusedError(f"chain {name} does not exist in table {' '.join(table.key)}")
    return table.chains[name]


def _add_chain(table: Table, command: AddChain) -> None:
    known = table.chains.get(command.chain)
    if known is None:
        table.chains[command.chain] = Chain(command.base, command.policy, command.comment)
        return
    if command.create:
        raise RefusedError(f"chain {command.chain} exists already")
    if command.base is not None and command.base != known.base:
        raise RefusedError(f"chain {command.chain} exists already, and on another hook or priority")
    if command.policy:
        known.policy = command.policy


def _add_rule(table: Table, command: AddRule, done: Carried) -> None:
    if command.rule.refused:
        raise RefusedError(command.rule.refused)
    chain = _chain(table, command.chain)
    _check_rule(table, command)
    rule = _with_family(command.rule, table)
    place = command.place
    rules = chain.rules
    done.rules.append((table.key, command.chain, rule.text, command.at))
    if command.rule.unread:
        done.unknown.append(
            (
                command.at,
                f"`{command.rule.unread[:160]}` in the rule is not modelled, or no word of nft (`nft -c -f` tells)",
            )
        )
    if place is not None and place.index is None:
        done.unknown.append(
            (command.at, f"which rule of chain {command.chain} has handle {place.handle} is not recorded")
        )
        place = None
        if command.how == "replace":
            return
    if place is not None and place.index is not None and place.index >= len(rules):
        raise RefusedError(f"chain {command.chain} has {len(rules)} rules, none at index {place.index}")
    if command.how == "insert":
        rules.insert(place.index if place and place.index is not None else 0, rule)
    elif command.how == "replace":
        raise RefusedError("`replace rule` needs `handle N`")
    elif place and place.index is not None:
        rules.insert(place.index + 1, rule)
    else:
        rules.append(rule)


def _with_family(rule: Rule, table: Table) -> Rule:
    """Where a map gives address and port together, nft keeps the family with it."""
    family = table.key[0]
    if family not in {"ip", "ip6"} or not rule.expr or rule.unread:
        return rule
    *before, last = rule.expr
    for kind in ("dnat", "snat"):
        told = last.get(kind)
        name = _map_of(told.get("addr")) if isinstance(told, dict) else ""
        if isinstance(told, dict) and name in table.sets and len(table.sets[name].spec.data) > 1:
            named: Statement = {kind: {"family": family, **told}}
            return replace(rule, expr=(*before, named), text=rule_text([*before, named], rule.comment))
    return rule


def _map_of(address: Json) -> str:
    match address:
        case {"map": {"data": str(name)}}:
            return name.removeprefix("@")
        case _:
            return ""


def _check_rule(table: Table, command: AddRule) -> None:
    expr = command.rule.expr
    for name in sorted(named_sets(expr)):
        if name not in table.sets and ("flowtable", name) not in table.things:
            raise RefusedError(f"set {name} does not exist in table {' '.join(table.key)}")
    base = table.chains[command.chain].base
    if base is not None and base.kind != "nat":
        for kind in ("dnat", "snat", "masquerade", "redirect"):
            if any(kind in one for one in expr):
                raise RefusedError(
                    f"{kind} belongs into a chain of type nat, and {command.chain} is of type {base.kind}"
                )


def _check(table: Table) -> None:
    """What the kernel checks at the end of the transaction: calls of chains that are there, and no way back to itself."""
    calls: dict[str, set[str]] = {}
    led = {name: _verdicts(held) for name, held in table.sets.items() if held.spec.data == ("verdict",)}
    for name, chain in table.chains.items():
        called: set[str] = set()
        for rule in chain.rules:
            found = targets(rule.expr)
            for one in sorted(named_sets(rule.expr)):
                found |= led.get(one, frozenset())
            for target in sorted(found):
                if target not in table.chains:
                    raise RefusedError(
                        f"chain {target} does not exist in table {' '.join(table.key)}", rule.line
                    )
                if table.chains[target].base is not None:
                    raise RefusedError(f"the base chain {target} cannot be called", rule.line)
            called |= found
        calls[name] = called
    for start, chain in table.chains.items():
        if chain.base is not None:
            _walk(start, calls, ())


def _verdicts(held: Set) -> frozenset[str]:
    return frozenset().union(*(targets([{"": one.data}]) for one in held.elements))


def _walk(chain: str, calls: dict[str, set[str]], above: tuple[str, ...]) -> None:
    if chain in above:
        raise RefusedError(f"chain {chain} would call itself")
    for callee in sorted(calls.get(chain, ())):
        _walk(callee, calls, (*above, chain))


def _add_set(table: Table, command: AddSet) -> None:
    known = table.sets.get(command.name)
    if known is None:
        if needs_intervals(command.elements) and "interval" not in command.spec.flags:
            raise RefusedError(f"set {command.name} holds ranges and has no `flags interval`")
        table.sets[command.name] = known = Set(command.spec)
    elif command.create:
        raise RefusedError(f"set {command.name} exists already")
    elif (known.spec.kinds, known.spec.data, set(known.spec.flags)) != (
        command.spec.kinds, command.spec.data, set(command.spec.flags),
    ):  # fmt: skip
        raise RefusedError(f"set {command.name} exists already, and of another type")
    _put(known, command.elements, command.name)


def _put(held: Set, elements: Iterable[Element], name: str, *, new: bool = False) -> None:
    known = {_same(one.value): one for one in held.elements}
    for one in elements:
        same = known.get(_same(one.value))
        if same is None:
            known[_same(one.value)] = one
            held.elements.append(one)
        elif new or same.data != one.data:
            raise RefusedError(f"an element of {name} exists already")
    if not held.spec.auto_merge and len(held.spec.kinds) == 1 and "interval" in held.spec.flags:
        _apart(held, name)
    held.printed, held.item = (), None


def _same(value: Json) -> str:
    return json.dumps(value)


def _apart(held: Set, name: str) -> None:
    """Intervals of a set that does not merge them may not overlap."""
    kind = held.spec.kinds[0]
    spans = sorted(
        interval_of(one.value, kind)
        for one in held.elements
        if not (isinstance(one.value, str) and one.value.endswith("*"))
    )
    for (_, last), (first, _) in pairwise(spans):
        if first <= last:
            raise RefusedError(
                f"an interval of {name} overlaps with another one, and the set has no `auto-merge`"
            )


def _elements(table: Table, command: ChangeElements, done: Carried) -> None:
    held = table.sets.get(command.name)
    if held is None:
        raise RefusedError(f"set {command.name} does not exist in table {' '.join(table.key)}")
    tokens = tokens_in(command.tokens)
    try:
        # What is deleted from a map is told by its key.
        wanted = elements_of(tokens, held.spec, keys=command.how in {"delete", "destroy"})
    except SyntaxMistakeError as error:
        raise RefusedError(error.message) from error
    except NotReadError:
        held.spec = replace(held.spec, unread=f"{held.spec.unread} {joined(tokens)}".strip())
        held.printed, held.item = (), None
        done.unknown.append((command.at, f"what is done to the elements of {command.name} is not modelled"))
        return
    if command.how in {"add", "create"}:
        if needs_intervals(wanted) and "interval" not in held.spec.flags:
            raise RefusedError(f"set {command.name} has no `flags interval`, and takes no ranges")
        _put(held, wanted, command.name, new=command.how == "create")
        return
    known = {_same(one.value): one for one in held.elements}
    for one in wanted:
        if known.pop(_same(one.value), None) is None and command.how == "delete":
            raise RefusedError(f"an element that is to be deleted is not in set {command.name}")
    held.elements = list(known.values())
    held.printed, held.item = (), None


def _delete(tables: Recorded, command: Delete, done: Carried) -> None:
    key, name, kind = command.table, command.name, command.kind
    if command.handle is not None:
        done.unknown.append((command.at, f"which {kind} has handle {command.handle} is not recorded"))
        return
    found = tables.table(key)
    if found is None:
        if command.lenient:
            return
        raise RefusedError(f"table {key[0]} {key[1]} does not exist")
    done.lines.setdefault(key, command.at)
    if kind == "table":
        tables.remove(key)
        return
    there = (
        name in found.chains
        if kind == "chain"
        else name in found.sets
        if kind in {"set", "map"}
        else (kind, name) in found.things
    )
    if not there:
        if command.lenient:
            return
        raise RefusedError(f"{kind} {name} does not exist in table {' '.join(key)}")
    users = [
        chain
        for chain, held in found.chains.items()
        for rule in held.rules
        if chain != name
        and (name in targets(rule.expr) if kind == "chain" else name in named_sets(rule.expr))
    ]
    if users:
        raise RefusedError(f"{kind} {name} is in use: chain {users[0]} names it")
    if kind == "chain":
        del found.chains[name]
    elif kind in {"set", "map"}:
        del found.sets[name]
    else:
        del found.things[kind, name]


def _flush(tables: Recorded, command: Flush, done: Carried) -> None:
    key = command.table
    if command.kind == "ruleset":
        for one in tables.names():
            if not key[0] or one[0] == key[0]:
                done.lines.setdefault(one, command.at)
                tables.remove(one)
        return
    table = _table(tables, key)
    done.lines.setdefault(key, command.at)
    if command.kind == "table":
        for chain in table.chains.values():
            chain.rules.clear()
    elif command.kind == "chain":
        _chain(table, command.name).rules.clear()
    elif command.name in table.sets:
        held = table.sets[command.name]
        held.elements.clear()
        held.printed, held.item = (), None
    else:
        raise RefusedError(f"{command.kind} {command.name} does not exist in table {' '.join(key)}")
