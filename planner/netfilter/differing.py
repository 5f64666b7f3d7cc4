"""Which chains of two tables are not the same: asked often of the same two tables, which may hold a hundred thousand chains."""

from collections.abc import Mapping

Chains = Mapping[str, tuple[str, ...]]
MOST = 8
"""Pairs that are remembered."""
_KNOWN: list[tuple[Chains, Chains, tuple[str, ...]]] = []


def differing(one: Chains, other: Chains) -> tuple[str, ...]:
    """Names of the chains whose rules differ or that only one has, in the order of the first and then of the second."""
    if one is other:
        return ()
    for first, second, known in _KNOWN:
        if first is one and second is other:
            return known
    found = _turned(one, other)
    if found is None:
        # Most chains are the same objects, so that their rules need not be looked at.
        found = [
            name for name, rules in one.items() if (held := other.get(name)) is not rules and held != rules
        ]
        found += [name for name in other if name not in one]
    # Both are held, so that no others can get their identity.
    _KNOWN.append((one, other, tuple(found)))
    del _KNOWN[:-MOST]
    return tuple(found)


def _turned(one: Chains, other: Chains) -> list[str] | None:
    """The answer where it is known for the second and the first."""
    for first, second, known in _KNOWN:
        if first is other and second is one:
            names = set(known)
            return [name for name in one if name in names] + [name for name in known if name not in one]
    return None
