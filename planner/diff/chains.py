"""Chains that only got another name.

kube-proxy and the portmap plugin name chains by a hash of what they serve, so a new name says nothing by itself. A
chain that went and a chain that came are one chain when their rules are the same, comments aside, up to the names of
chains of which this holds as well.
"""

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from planner.diff.rule_text import jump, without_comment

Rules = tuple[str, ...]
_DEPTH = 64
"""Jumps followed downwards; the kernel refuses loops, a hostile text may hold one."""


def find_renamed(
    before: Mapping[str, Rules], after: Mapping[str, Rules], *, gone: AbstractSet[str], come: AbstractSet[str]
) -> dict[str, str]:
    """Former name to new name, of chains that went and that came. An empty chain is nobody's successor."""
    former_rules = {name: before[name] for name in gone if before[name]}
    latter_rules = {name: after[name] for name in come if after[name]}
    if not former_rules or not latter_rules:
        return {}
    numbers: dict[tuple[object, ...], int] = {}
    old, new = _Shapes(former_rules, numbers), _Shapes(latter_rules, numbers)
    old_by_shape, new_by_shape = old.grouped(), new.grouped()
    names: dict[str, str] = {}
    alike: list[tuple[list[str], list[str]]] = []
    for shape, former in old_by_shape.items():
        latter = new_by_shape.get(shape)
        if latter is None:
            continue
        if len(former) == len(latter) == 1:
            names[former[0]] = latter[0]
        else:
            alike.append((former, latter))
    if alike:
        # Several chains of one content: those that are called alike belong together, the rest in alphabetical order.
        wanted = {name for former, _ in alike for name in former}
        targets = {name for _, latter in alike for name in latter}
        old_calls = _calls(
            before, {name for name, rules in before.items() if after.get(name) != rules}, wanted, old
        )
        new_calls = _calls(
            after, {name for name, rules in after.items() if before.get(name) != rules}, targets, new
        )
        for former, latter in alike:
            names.update(_matched(former, latter, old_calls, new_calls))
    return names


class _Shapes:
    """A number for each chain that stands for what it does, whatever it and the chains it calls are named."""

    def __init__(self, chains: Mapping[str, Rules], numbers: dict[tuple[object, ...], int]) -> None:
        self._chains = chains
        self._numbers = numbers
        self._known: dict[str, int | None] = {}

    def of(self, name: str, depth: int = 0) -> int | None:
        """The shape of one of the chains; None when it is not one of them, in a loop or too deep."""
        if name not in self._chains or depth > _DEPTH:
            return None
        if name not in self._known:
            self._known[name] = None
            parts: list[object] = []
            for rule in self._chains[name]:
                head, chain = jump(without_comment(rule))
                inner = self.of(chain, depth + 1) if chain else None
                parts.append(head + chain if inner is None else (head, inner))
            self._known[name] = self._numbers.setdefault(tuple(parts), len(self._numbers))
        return self._known[name]

    def grouped(self) -> dict[int, list[str]]:
        """Names by shape, in alphabetical order."""
        groups: dict[int, list[str]] = defaultdict(list)
        for name in sorted(self._chains):
            shape = self.of(name)
            if shape is not None:
                groups[shape].append(name)
        return groups


def _calls(
    chains: Mapping[str, Rules], callers: set[str], wanted: set[str], shapes: _Shapes
) -> dict[str, tuple[str, ...]]:
    """For each wanted chain the rules that jump to it, without its name, with who calls."""
    calls: dict[str, list[str]] = defaultdict(list)
    for caller in callers:
        shape = shapes.of(caller)
        who = caller if shape is None else f"#{shape}"
        for rule in chains[caller]:
            head, chain = jump(without_comment(rule))
            if chain in wanted:
                calls[chain].append(f"{who} {head}")
    return {name: tuple(sorted(found)) for name, found in calls.items()}


def _matched(
    former: list[str],
    latter: list[str],
    old_calls: Mapping[str, tuple[str, ...]],
    new_calls: Mapping[str, tuple[str, ...]],
) -> dict[str, str]:
    """Pairs of one group: first those that are called by the same rules."""
    waiting: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in latter:
        waiting[new_calls.get(name, ())].append(name)
    names: dict[str, str] = {}
    for name in former:
        same = waiting.get(old_calls.get(name, ()))
        if same:
            names[name] = same.pop(0)
    spare = sorted(name for group in waiting.values() for name in group)
    names.update(zip((name for name in former if name not in names), spare, strict=False))
    return names
