"""Which rules of a reordered list really moved: the fewest whose leaving makes the order of the rest irrelevant."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from planner.diff.commute import Commute

FEW = 48
"""A stretch this short is compared pair by pair."""
MANY = 4_000_000
"""Pairs above which order is taken to matter everywhere in a stretch: never wrong, only less kind."""
CONFLICTS = 300_000
"""Pairs in conflict above which the same is done."""


def moved(rules: Sequence[str], places: Sequence[int], *, commute: Commute) -> list[int]:
    """Positions in `rules` of those that moved; `places` are their places afterwards, all different."""
    gone: set[int] = set()
    for start, stop in _stretches(places):
        gone.update(_moved_in_stretch(range(start, stop), rules, places, commute))
    return sorted(gone)


def _stretches(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The shortest runs outside of which nothing is out of order."""
    sorted_places = sorted(places)
    rank = {place: at for at, place in enumerate(sorted_places)}
    start, highest = 0, -1
    for at, place in enumerate(places):
        highest = max(highest, rank[place])
        if highest == at:
            if at > start:
                yield start, at + 1
            start = at + 1


def _moved_in_stretch(
    members: range, rules: Sequence[str], places: Sequence[int], commute: Commute
) -> set[int]:
    """Those of one stretch that moved."""
    risen = _longest_rise(members, places)
    outside = set(members) - set(risen)
    conflicts: dict[int, set[int]] = defaultdict(set)
    total = 0
    try:
        for one, other in _conflicts(list(members), rules, places, commute):
            if other not in conflicts[one]:
                total += 1
                conflicts[one].add(other)
                conflicts[other].add(one)
            if total > CONFLICTS:
                return outside
    except _TooManyError:
        return outside
    # Of two rules in conflict at least one is outside of the longest rise, so those outside settle every conflict
    # too; those in no conflict need no mention.
    return min(_cover(conflicts, places), {one for one in outside if conflicts.get(one)}, key=len)


class _TooManyError(Exception):
    """The stretch has too many pairs that would have to be looked at."""


def _conflicts(
    members: list[int], rules: Sequence[str], places: Sequence[int], commute: Commute
) -> Iterator[tuple[int, int]]:
    """Pairs that changed order and may not. Members of different buckets of a pinned field need no look."""
    if len(members) > FEW:
        widest, at = 0, -1
        for field in range(6):
            pinned = {pin for member in members if (pin := commute.facts(rules[member]).pins()[field])}
            count = sum(1 for member in members if commute.facts(rules[member]).pins()[field])
            if len(pinned) > 1 and count > widest:
                widest, at = count, field
        if at >= 0:
            buckets: dict[str, list[int]] = defaultdict(list)
            for member in members:
                buckets[commute.facts(rules[member]).pins()[at]].append(member)
            free = buckets.pop("", [])
            for bucket in buckets.values():
                yield from _conflicts(bucket, rules, places, commute)
            yield from _conflicts(free, rules, places, commute)
            pinned_members = [member for bucket in buckets.values() for member in bucket]
            if len(free) * len(pinned_members) > MANY:
                raise _TooManyError
            for one in free:
                yield from _inverted(one, pinned_members, rules, places, commute)
            return
    # Rules of one verdict are alike to every packet, so only pairs of different ones need a look.
    alike: dict[str, list[int]] = defaultdict(list)
    for member in members:
        alike[commute.facts(rules[member]).verdict].append(member)
    open_ended = alike.pop("", [])
    groups = [[member] for member in open_ended] + list(alike.values())
    if len(members) ** 2 - sum(len(group) ** 2 for group in groups) > 2 * MANY:
        raise _TooManyError
    for at, group in enumerate(groups):
        others = [member for other in groups[at + 1 :] for member in other]
        for one in group:
            yield from _inverted(one, others, rules, places, commute)


def _inverted(
    one: int, others: list[int], rules: Sequence[str], places: Sequence[int], commute: Commute
) -> Iterator[tuple[int, int]]:
    """Pairs of `one` that changed order and may not."""
    place = places[one]
    for other in others:
        if (one < other) != (place < places[other]):
            first, second = (one, other) if one < other else (other, one)
            if not commute(rules[first], rules[second]):
                yield one, other


def _longest_rise(members: range, places: Sequence[int]) -> list[int]:
    """A longest part of the members that kept its order."""
    ends: list[int] = []
    end_places: list[int] = []
    previous: dict[int, int] = {}
    for member in members:
        at = bisect_left(end_places, places[member])
        if at:
            previous[member] = ends[at - 1]
        if at == len(ends):
            ends.append(member)
            end_places.append(places[member])
        else:
            ends[at] = member
            end_places[at] = places[member]
    rise = [ends[-1]]
    while rise[-1] in previous:
        rise.append(previous[rise[-1]])
    return rise[::-1]


def _cover(conflicts: dict[int, set[int]], places: Sequence[int]) -> set[int]:
    """Members whose leaving ends every conflict: those in most conflicts first, of equals the one that went farthest."""
    left = {member: set(others) for member, others in conflicts.items() if others}
    heap = [(-len(others), -abs(places[member] - member), member) for member, others in left.items()]
    heapify(heap)
    cover: set[int] = set()
    while heap:
        degree, distance, member = heappop(heap)
        others = left.get(member)
        if not others:
            continue
        if len(others) != -degree:
            heappush(heap, (-len(others), distance, member))
            continue
        cover.add(member)
        for other in left.pop(member):
            left[other].discard(member)
    return cover
