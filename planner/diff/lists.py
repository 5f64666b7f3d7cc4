"""Two lists of rules: what was added, what was removed, and what moved where order can matter.

Rules that provably do not touch the same packet are free to stand in any order, as kube-proxy writes its dispatch
chains. The result reads: take the removed and the moved rules out of `before`; what remains stands in `after` in an
order that no packet can tell from the former; put the added and the moved rules in at their positions.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planner.diff.commute import Commute
from planner.diff.order import moved
from planner.diff.rule_text import without_comment

Normal = Callable[[str, str], str]
"""`canonical(rule, family)`."""
CONTEXT_LIMIT = 64
"""Copies of one rule above which they are paired first to first."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One rule that differs; positions are 1-based. Both positions: it moved."""

    rule: str
    before: int | None
    after: int | None


def diff_lists(
    before: Sequence[str], after: Sequence[str], *, commute: Commute, normal: Normal
) -> list[Edit]:
    """Edits in order of their place: removed and moved by position before, added by position after."""
    start, stop_before, stop_after = _trim(before, after)
    if start == stop_before == stop_after:
        return []
    old = range(start, stop_before)
    new = range(start, stop_after)
    pairs, gone, come = _pair(
        [without_comment(before[i]) for i in old],
        [without_comment(after[j]) for j in new],
        normal=lambda rule: without_comment(normal(rule, commute.family)),
    )
    displaced = moved([before[start + i] for i, _ in pairs], [j for _, j in pairs], commute=commute)
    edits = [Edit(before[start + i], start + i + 1, None) for i in gone]
    edits += [Edit(after[start + j], None, start + j + 1) for j in come]
    for place in displaced:
        i, j = pairs[place]
        edits.append(Edit(after[start + j], start + i + 1, start + j + 1))
    edits.sort(key=lambda edit: (edit.after or edit.before or 0, edit.after is not None, edit.rule))
    return edits


def _trim(before: Sequence[str], after: Sequence[str]) -> tuple[int, int, int]:
    """Where the part begins that is not the same from either end, and where it ends in each."""
    shorter = min(len(before), len(after))
    start = 0
    while start < shorter and before[start] == after[start]:
        start += 1
    tail = 0
    while tail < shorter - start and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return start, len(before) - tail, len(after) - tail


def _pair(
    before: list[str], after: list[str], *, normal: Callable[[str], str]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Equal rules paired (in order of `before`), then the positions that are left in each."""
    pairs = _pair_equal(dict(enumerate(before)), dict(enumerate(after)))
    gone = sorted(set(range(len(before))) - {i for i, _ in pairs})
    come = sorted(set(range(len(after))) - {j for _, j in pairs})
    if gone and come:
        # Only lines that were not found word for word are worth a parser: a hand-written `0.3333333333` and the
        # kernel's `0.33333333349` are one rule.
        more = _pair_equal({i: normal(before[i]) for i in gone}, {j: normal(after[j]) for j in come})
        pairs = sorted(pairs + more)
        gone = sorted(set(gone) - {i for i, _ in more})
        come = sorted(set(come) - {j for _, j in more})
    return pairs, gone, come


def _pair_equal(before: dict[int, str], after: dict[int, str]) -> list[tuple[int, int]]:
    """Positions of equal rules. Of a rule that stands more often in one list, the copies with like neighbours are paired."""
    old: dict[str, list[int]] = defaultdict(list)
    new: dict[str, list[int]] = defaultdict(list)
    for i, rule in before.items():
        old[rule].append(i)
    for j, rule in after.items():
        new[rule].append(j)
    pairs: list[tuple[int, int]] = []
    uneven: list[str] = []
    for rule, places in old.items():
        others = new.get(rule)
        if others is None:
            continue
        if len(places) == len(others):
            pairs.extend(zip(places, others, strict=True))
        else:
            uneven.append(rule)
    pairs.sort()
    if uneven:
        anchors = sorted((j, i) for i, j in pairs)
        for rule in uneven:
            pairs.extend(_pair_copies(old[rule], new[rule], anchors))
        pairs.sort()
    return pairs


def _pair_copies(old: list[int], new: list[int], anchors: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pair as many copies as the shorter list has, in order, so that the distances to their neighbours are least."""
    if max(len(old), len(new)) > CONTEXT_LIMIT:
        return list(zip(old, new, strict=False))
    # The place of a copy in `after`, told as a place in `before`: just behind the paired rule that precedes it.
    expected = []
    for j in new:
        at = bisect_left(anchors, (j, -1))
        expected.append(anchors[at - 1][1] + 0.5 if at else -0.5)
    swap = len(old) > len(new)
    short: Sequence[float] = expected if swap else old
    long: Sequence[float] = old if swap else expected
    chosen = _closest(short, long)
    if swap:
        return [(old[at], new[k]) for k, at in enumerate(chosen)]
    return [(old[k], new[at]) for k, at in enumerate(chosen)]


def _closest(short: Sequence[float], long: Sequence[float]) -> list[int]:
    """For each of `short` a place in `long`, rising, with the least sum of distances."""
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())] * (len(long) + 1)
    for k, value in enumerate(short):
        row: list[tuple[float, tuple[int, ...]]] = [(float("inf"), ())] * (len(long) + 1)
        for at in range(k, len(long)):
            cost, chosen = best[at]
            row[at + 1] = min(row[at], (cost + abs(value - long[at]), (*chosen, at)))
        best = row
    return list(best[-1][1])


def same_rules(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether both hold the same rules as often, in whatever order, comments aside."""
    return Counter(map(without_comment, before)) == Counter(map(without_comment, after))
