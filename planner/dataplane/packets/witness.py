"""One readable packet of a set, and a set as boxes that people can read."""

from collections.abc import Iterator, Mapping, Sequence

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import PacketSet, Space

Box = dict[Part, tuple[int, int]]
"""For each field that is asked for: value and mask of the bits that count."""


def witness(space: Space, among: PacketSet, wishes: Sequence[PacketSet] = ()) -> dict[Part, int]:
    """A member that fulfils as many wishes as it can, the first ones first."""
    for wish in wishes:
        closer = among & wish
        if closer.satisfiable():
            among = closer
    return space.pick(among)


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
