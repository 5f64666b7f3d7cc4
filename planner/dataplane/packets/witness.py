"""One readable packet of a set, and a set as boxes that people can read."""

from collections.abc import Iterator, Mapping, Sequence

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space

Box = dict[Part, tuple[int, int]]
"""For each field that is asked for: value and mask of the bits that count."""


def witness(space: Space, among: PacketSet, wishes: Sequence[PacketSet] = ()) -> dict[Part, int]:
    """A member that fulfils as many wishes as it can, the first ones first."""
    # What is laid on a large set should leave little of it: so all that do not exclude each other are laid on it at once, and if that leaves
    # nothing, the first ones up to the one that cannot be had.
    held = space.all
    while wishes:
        fitting, together = _fitting(held, wishes)
        closer = among & together[-1]
        if closer.satisfiable():
            return space.pick(closer)
        had, missed, further = 0, len(fitting), 1
        while missed - had > 1:
            further = min(further, missed - 1 - had)
            closer = among & together[had + further]
            if closer.satisfiable():
                among, had, further = closer, had + further, 2 * further
            else:
                missed, further = had + further, max(1, further // 2)
        held, wishes = together[had], wishes[fitting[had] + 1 :]
    return space.pick(among)


def _fitting(held: PacketSet, wishes: Sequence[PacketSet]) -> tuple[list[int], list[PacketSet]]:
    """Wishes that can be had together with all before them; and what is left of `held` without any, with the first, with the first two …"""
    found: list[int] = []
    left = [held]
    for at, wish in enumerate(wishes):
        closer = left[-1] & wish
        if closer.satisfiable():
            found.append(at)
            left.append(closer)
    return found, left


def boxes(
    space: Space,
    among: PacketSet,
    limit: int,
    parts: Sequence[Part] = (),
    *,
    around: dict[Part, int] | None = None,
) -> Iterator[Box]:
    """Boxes that together are the set, at most `limit` of them: large ones first, and they may overlap.

    Where a member is given, the first box is one around it.
    """
    shown = space.only(among, *parts) if parts else space.possible(among)
    rest = shown
    for _ in range(limit):
        if not rest.satisfiable():
            return
        box = _widest(space, shown, around or space.pick(rest), parts or tuple(space.variables))
        around = None
        yield box
        rest = rest & ~members(space, box)


def members(space: Space, box: Mapping[Part, tuple[int, int]]) -> PacketSet:
    """The packets of a box."""
    found = space.all
    for part, (value, mask) in box.items():
        found = found & space.bits(part, value, mask)
    return found


def _widest(space: Space, among: PacketSet, one: dict[Part, int], parts: Sequence[Part]) -> Box:
    """A box around one member that still lies within the set: whole fields are freed first, then shorter prefixes."""
    box: Box = {part: (one[part], (1 << len(space.variables[part])) - 1) for part in parts}
    for part in reversed(parts):
        others = {name: bits for name, bits in box.items() if name is not part}
        if _within(space, others, among):
            box = others
    for part in tuple(box):
        width = len(space.variables[part])
        value = one[part]
        # A prefix that lies within is within every longer one: the shortest is found by halving.
        low, high = 0, width
        while low < high:
            length = (low + high) // 2
            mask = ((1 << length) - 1) << (width - length)
            if _within(space, {**box, part: (value & mask, mask)}, among):
                high = length
            else:
                low = length + 1
        mask = ((1 << low) - 1) << (width - low)
        box[part] = (value & mask, mask)
    return box


def _within(space: Space, box: Mapping[Part, tuple[int, int]], among: PacketSet) -> bool:
    return not (members(space, box) & ~among).satisfiable()
