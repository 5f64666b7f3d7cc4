"""The way back of a chain rule by rule: what a step has put in and taken out, and between which neighbours."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from planner.emit.iptables_restore import BASE_CHAINS, touched_chains
from planner.models.node import NodeState
from planner.models.plan import ChainBack, Hunk
from planner.models.ruleset import Table
from planner.plan.checks_rules import chain_name, ruleset_keys, save_tool, table_name, table_names
from planner.plan.facet import digest
from planner.plan.scope import Scope
from planner.topology.owners import OTHERS, owner_of_chain

MOST = 5000
"""Rules of a table that are told one by one; a table of which a step changes more is taken back as a whole only."""
CHAINS = 300
"""The same for its chains: each takes some ten programs, three times."""
WIDE = 3000
"""Rules that are lined up with each other at once: between two that stand in both only once, where there are more."""
NEIGHBOURS = 3
"""Unchanged rules that are remembered on either side."""

Rules = tuple[str, ...]


def chains_back(before: NodeState, after: NodeState, how: Scope) -> Iterator[ChainBack]:
    """Every chain that a step has changed, of tables of which all can be told rule by rule."""
    for family, backend in ruleset_keys(before, after):
        have, want = after.ruleset(family, backend), before.ruleset(family, backend)
        tool = save_tool(before, family, backend)
        for name in table_names(have, want):
            old, new = (ruleset.tables.get(name) if ruleset else None for ruleset in (want, have))
            whole = (family, backend, name) in how.whole
            place = table_name(name, family, backend)
            found: list[ChainBack] = []
            room = MOST
            for chain in touched_chains(old, new):
                back = _chain(old, new, chain, name, tool=tool)
                room -= sum(len(hunk.added) + len(hunk.removed) for hunk in back.hunks) if back else MOST + 1
                if back is None or room < 0 or len(found) >= CHAINS:
                    found.clear()
                    break
                thing = place if whole else chain_name(chain, place)
                found.append(back.model_copy(update={"thing": thing}))
            yield from found


def _chain(old: Table | None, new: Table | None, chain: str, table: str, *, tool: str) -> ChainBack | None:
    base = chain in BASE_CHAINS.get(table, ()) or any(
        t is not None and chain in t.policies for t in (old, new)
    )
    former, latter = (t.chains.get(chain) if t else None for t in (old, new))
    policies = [t.policies.get(chain, "ACCEPT") if t else "ACCEPT" for t in (old, new)]
    lined = hunks(former or (), latter or ())
    if lined is None:
        return None
    owner = owner_of_chain(chain)
    owned = bool(owner) and owner != OTHERS
    return ChainBack(
        thing="",
        tool=tool,
        table=table,
        chain=chain,
        base=base,
        made=former is None and not base,
        deleted=latter is None and not base,
        policy=policies[0] if base and policies[0] != policies[1] else "",
        owner=owner if owned else "",
        digest=digest("".join(f"{rule}\n" for rule in latter or ())) if owned else "",
        hunks=lined,
    )


def hunks(before: Rules, after: Rules) -> tuple[Hunk, ...] | None:
    """Where two chains differ; None where lining them up would take too long."""
    if before == after:
        return ()
    most = min(len(before), len(after))
    start = next((n for n in range(most) if before[n] != after[n]), most)
    end = next((n for n in range(most - start) if before[-1 - n] != after[-1 - n]), most - start)
    middle = before[start : len(before) - end], after[start : len(after) - end]
    counts = Counter(before), Counter(after)
    once = {rule for rule, count in counts[1].items() if count == 1 and counts[0][rule] == 1}
    codes: list[tuple[int, int, int, int]] = []
    for first, last, top, low in _gaps(*middle, once):
        if first < last and top < low and max(last - first, low - top) > WIDE:
            return None
        matcher = SequenceMatcher(None, middle[0][first:last], middle[1][top:low], autojunk=False)
        codes += [
            (start + first + code[1], start + first + code[2], start + top + code[3], start + top + code[4])
            for code in matcher.get_opcodes()
            if code[0] != "equal"
        ]
    changed = {place for _, _, top, low in codes for place in range(top, low)}
    kept = [(place, rule) for place, rule in enumerate(after) if place not in changed and rule in once]
    return tuple(
        Hunk(
            above=tuple(_nearest(reversed([rule for place, rule in kept if place < top]))),
            below=tuple(_nearest(rule for place, rule in kept if place >= low)),
            first=top == 0,
            last=low == len(after),
            added=after[top:low],
            removed=before[first:last],
            bound=_elsewhere(after[top:low], counts[1], counts[0])
            or _elsewhere(before[first:last], counts[0], counts[1]),
        )
        for first, last, top, low in codes
    )


def _gaps(old: Rules, new: Rules, once: set[str]) -> Iterator[tuple[int, int, int, int]]:
    """What lies between the rules that stand in both only once and in the same order; all, where it is little."""
    if not old or not new or max(len(old), len(new)) <= WIDE:
        yield 0, len(old), 0, len(new)
        return
    places = {rule: place for place, rule in enumerate(new) if rule in once}
    pairs = [(place, places[rule]) for place, rule in enumerate(old) if rule in places]
    first = top = 0
    for last, low in (*_rising(pairs), (len(old), len(new))):
        yield first, last, top, low
        first, top = last + 1, low + 1


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """As many of the pairs as possible whose second numbers rise as well (patience sorting)."""
    ends: list[int] = []
    piles: list[int] = []
    below: list[int] = []
    for number, (_, place) in enumerate(pairs):
        at = bisect_left(ends, place)
        below.append(piles[at - 1] if at else -1)
        if at == len(ends):
            ends.append(place)
            piles.append(number)
        else:
            ends[at], piles[at] = place, number
    found: list[tuple[int, int]] = []
    number = piles[-1] if piles else -1
    while number >= 0:
        found.append(pairs[number])
        number = below[number]
    return found[::-1]


def _nearest(rules: "Iterator[str]") -> Iterator[str]:
    for _, rule in zip(range(NEIGHBOURS), rules, strict=False):
        yield rule


def _elsewhere(rules: Sequence[str], own: Counter[str], other: Counter[str]) -> bool:
    here = Counter(rules)
    return any(other[rule] or own[rule] != count for rule, count in here.items())
