"""Which rules of two versions of a chain count as changed: a packet that meets none of them is treated alike by both."""

import re
from bisect import bisect_left
from collections.abc import Sequence

KEYED = re.compile(
    r"(?:(?:! )?-s \S+ )?(?:-d (\S+)/(?:32|128) )?-p (tcp|udp|sctp) (?:-m comment --comment (?:\"[^\"\\]*\"|[^\"\\\s]+) )?"
    r"-m \2 --dport (\d+) "
)
"""A rule for one protocol, one port and perhaps one destination, as iptables-save prints it."""
Key = tuple[str | None, str, str]


def key_of(text: str) -> Key | None:
    """Destination, protocol and port, where a rule is for one of each."""
    found = KEYED.match(text)
    if found is None:
        return None
    address, protocol, port = found.groups()
    return address, protocol, port


def edited(before: Sequence[str], after: Sequence[str]) -> tuple[list[int], list[int]]:
    """Positions before and after that are not part of what both have in common, in the same order."""
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    tail = 0
    while tail < min(len(before), len(after)) - same and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old = _ordered(before[same : len(before) - tail])
    new = _ordered(after[same : len(after) - tail])
    gone, come = _uncommon([before[same + at] for at in old], [after[same + at] for at in new])
    return sorted(same + old[at] for at in gone), sorted(same + new[at] for at in come)


def _ordered(rules: Sequence[str]) -> list[int]:
    """Positions, with rules that no packet can meet two of in an order that hangs on their text alone."""
    found: list[int] = []
    block: list[int] = []
    keys: set[Key] = set()
    kind = False
    for at, text in enumerate(rules):
        key = key_of(text)
        if key is None or key in keys or (block and kind != (key[0] is None)):
            found += sorted(block, key=rules.__getitem__)
            block, keys = [], set()
        if key is None:
            found.append(at)
        else:
            block.append(at)
            keys.add(key)
            kind = key[0] is None
    return found + sorted(block, key=rules.__getitem__)


def _uncommon(old: Sequence[str], new: Sequence[str]) -> tuple[list[int], list[int]]:
    """What lies outside a common subsequence, as long as it can be had from pairing equal lines in order."""
    places: dict[str, list[int]] = {}
    for at, text in enumerate(new):
        places.setdefault(text, []).append(at)
    for held in places.values():
        held.reverse()
    pairs = [(at, places[text].pop()) for at, text in enumerate(old) if places.get(text)]
    # The longest rising run of positions (patience sorting).
    ends: list[int] = []
    holders: list[int] = []
    before: list[int] = []
    for number, (_, there) in enumerate(pairs):
        length = bisect_left(ends, there)
        before.append(holders[length - 1] if length else -1)
        if length == len(ends):
            ends.append(there)
            holders.append(number)
        else:
            ends[length] = there
            holders[length] = number
    kept_old: set[int] = set()
    kept_new: set[int] = set()
    number = holders[-1] if holders else -1
    while number >= 0:
        kept_old.add(pairs[number][0])
        kept_new.add(pairs[number][1])
        number = before[number]
    return [at for at in range(len(old)) if at not in kept_old], [
        at for at in range(len(new)) if at not in kept_new
    ]
