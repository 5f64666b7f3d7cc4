"""ipsets: created, destroyed, of another kind, or with other elements."""

import re
from collections.abc import Iterator

from planner.diff.unread import unread
from planner.models.change import IpSetChange
from planner.models.node import NodeState
from planner.models.ruleset import IpSet

# The kernel doubles the hash by itself when it fills, and draws the start value at random (ipset(8), hashsize and
# initval): neither says what the set holds.
_BY_ITSELF = re.compile(r" ?\b(?:hashsize|initval|bucketsize) \S+")


def diff_ipsets(before: NodeState, after: NodeState) -> Iterator[IpSetChange]:
    """Changes by name. A set that changed its kind is one change, with the elements that differ."""
    old = {each.name: each for each in before.ipsets}
    new = {each.name: each for each in after.ipsets}
    for name in sorted({*old, *new}):
        former, latter = old.get(name), new.get(name)
        if former == latter:
            continue
        if (former is None and unread(before, after, "ipset")) or (
            latter is None and unread(after, before, "ipset")
        ):
            continue
        was, elements = _shown(former)
        now, elements_now = _shown(latter)
        if was != now or elements != elements_now:
            yield IpSetChange(
                node=after.name,
                name=name,
                before=was,
                after=now,
                added=tuple(sorted(elements_now - elements)),
                removed=tuple(sorted(elements - elements_now)),
            )


def _shown(ipset: IpSet | None) -> tuple[str | None, set[str]]:
    """Type and options, and the elements."""
    if ipset is None:
        return None, set()
    return f"{ipset.type} {_BY_ITSELF.sub('', ipset.options).strip()}".rstrip(), set(ipset.elements)
