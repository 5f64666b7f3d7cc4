"""A predicted state, as it must look on a stage where not everything of the node could be rebuilt.

What the prediction changes is laid on the rebuilt state. Where a thing could not be rebuilt as it was, nothing is known of what
becomes of it: it stays as it is on the stage, and its name is told.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from planner.diff.native import native_tables, same_table
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.ruleset import Ruleset, Table
from planner.sysctls.numbers import same_value

Item = TypeVar("Item", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Translated:
    """A state of the stage, and what is predicted but cannot be seen there."""

    state: NodeState
    unseen: tuple[str, ...]


def on_stage(
    predicted: NodeState, original: NodeState, rebuilt: NodeState, *, fixed: frozenset[str] = frozenset()
) -> Translated:
    """`predicted` follows from `original`, which became `rebuilt` on the stage, where `fixed` sysctls stay as they are."""
    sysctls, unseen = _values(predicted.sysctls, original.sysctls, rebuilt.sysctls, same=same_value)
    kept = {key for key in fixed if predicted.sysctls.get(key) != original.sysctls.get(key)} - set(unseen)
    sysctls.update({key: rebuilt.sysctls[key] for key in kept if key in rebuilt.sysctls})
    unseen = (*unseen, *sorted(kept))
    files, lost = _values(predicted.files, original.files, rebuilt.files)
    ipsets, gone = _values(
        {each.name: each for each in predicted.ipsets},
        {each.name: each for each in original.ipsets},
        {each.name: each for each in rebuilt.ipsets},
        same=lambda left, right: left.type == right.type and set(left.elements) == set(right.elements),
    )
    native, missed = _values(
        *(native_tables(state.native.text) for state in (predicted, original, rebuilt)), same=same_table
    )
    state = rebuilt.model_copy(
        update={
            "sysctls": sysctls,
            "files": files,
            "ipsets": tuple(ipsets[name] for name in sorted(ipsets)),
            "links": _links(predicted, original, rebuilt),
            "routes": _items(predicted.routes, original.routes, rebuilt.routes),
            "policy_rules": _items(predicted.policy_rules, original.policy_rules, rebuilt.policy_rules),
            "nexthop_objects": _items(
                predicted.nexthop_objects, original.nexthop_objects, rebuilt.nexthop_objects
            ),
            "neighbours": _items(predicted.neighbours, original.neighbours, rebuilt.neighbours),
            "fdb": _items(predicted.fdb, original.fdb, rebuilt.fdb),
            "rulesets": _rulesets(predicted, original, rebuilt),
            "native": predicted.native.model_copy(update={"text": "\n".join([*native.values(), ""])}),
        }
    )
    names = (
        *(f"sysctl {key}" for key in unseen),
        *(f"file {path}" for path in lost),
        *(f"ipset {name}" for name in gone),
        *(f"nft table {name}" for name in missed),
    )
    return Translated(state, names)


def _values(
    predicted: Mapping[str, Value],
    original: Mapping[str, Value],
    rebuilt: Mapping[str, Value],
    *,
    same: Callable[[Value, Value], bool] = lambda left, right: left == right,
) -> tuple[dict[str, Value], tuple[str, ...]]:
    found = dict(rebuilt)
    unseen: list[str] = []
    for key in sorted(predicted.keys() | original.keys()):
        was, becomes = original.get(key), predicted.get(key)
        if was == becomes:
            continue
        here = rebuilt.get(key)
        if was != here and (was is None or here is None or not same(was, here)):
            unseen.append(key)
        elif becomes is None:
            found.pop(key, None)
        else:
            found[key] = becomes
    return found, tuple(unseen)


def _items(
    predicted: tuple[Item, ...], original: tuple[Item, ...], rebuilt: tuple[Item, ...]
) -> tuple[Item, ...]:
    """The rebuilt list without what the prediction takes away, and with what it adds."""
    if predicted == original:
        return rebuilt
    if rebuilt == original:
        return predicted
    return _edited(predicted, original, rebuilt)


def _edited(
    predicted: tuple[Item, ...], original: tuple[Item, ...], rebuilt: tuple[Item, ...]
) -> tuple[Item, ...]:
    """In the order of the prediction; what only the stage has stays at the end."""
    lost = _counted(original) - _counted(rebuilt)
    added = _counted(rebuilt) - _counted(original)
    found: list[Item] = []
    for item in predicted:
        if lost[repr(item)] > 0:
            lost[repr(item)] -= 1
        else:
            found.append(item)
    for item in rebuilt:
        if added[repr(item)] > 0:
            added[repr(item)] -= 1
            found.append(item)
    return tuple(found)


def _counted(items: Iterable[object]) -> Counter[str]:
    return Counter(map(repr, items))


def _links(predicted: NodeState, original: NodeState, rebuilt: NodeState) -> tuple[Link, ...]:
    """Field by field: a stand-in keeps what it is where the prediction changes nothing."""
    if predicted.links == original.links:
        return rebuilt.links
    old = {link.name: link for link in original.links}
    new = {link.name: link for link in predicted.links}
    here = {link.name: link for link in rebuilt.links}
    found: list[Link] = []
    for link in rebuilt.links:
        was, becomes = old.get(link.name), new.get(link.name)
        if was is None:
            found.append(becomes or link)
        elif becomes is not None:
            update = {
                field: getattr(becomes, field)
                for field in Link.model_fields
                if getattr(was, field) != getattr(becomes, field)
            }
            found.append(link.model_copy(update=update))
    found += [link for link in predicted.links if link.name not in old and link.name not in here]
    return tuple(found)


def _rulesets(predicted: NodeState, original: NodeState, rebuilt: NodeState) -> tuple[Ruleset, ...]:
    keys = [(ruleset.family, ruleset.backend) for ruleset in rebuilt.rulesets]
    keys += [key for ruleset in predicted.rulesets if (key := (ruleset.family, ruleset.backend)) not in keys]
    found: list[Ruleset] = []
    for family, backend in keys:
        becomes, was, here = (
            state.ruleset(family, backend) or Ruleset(family=family, backend=backend)
            for state in (predicted, original, rebuilt)
        )
        if becomes.tables == was.tables:
            found.append(here)
            continue
        tables = dict(here.tables)
        for name in sorted(becomes.tables.keys() | was.tables.keys()):
            now, before = becomes.tables.get(name), was.tables.get(name)
            if now == before:
                continue
            if now is None:
                tables.pop(name, None)
            else:
                tables[name] = _table(
                    now, before or Table(name=name), here.tables.get(name, Table(name=name))
                )
        found.append(here.model_copy(update={"tables": tables}))
    return tuple(found)


def _table(predicted: Table, original: Table, rebuilt: Table) -> Table:
    if rebuilt == original:
        return predicted
    policies = {**rebuilt.policies, **predicted.policies}
    chains = dict(rebuilt.chains)
    for name in sorted(predicted.chains.keys() | original.chains.keys()):
        if name not in predicted.chains:
            chains.pop(name, None)
        elif predicted.chains[name] != original.chains.get(name):
            chains[name] = _items(
                predicted.chains[name], original.chains.get(name, ()), rebuilt.chains.get(name, ())
            )
    return Table(name=predicted.name, policies=policies, chains=chains)
