"""The algebra of packet sets against plain Python sets, on fields small enough to write them out."""

import operator
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.dataplane.packets.layout import Part
from planner.dataplane.packets.space import OutOfNodes, PacketSet, Space
from planner.dataplane.packets.witness import boxes, members, witness

WIDTHS = {Part.PROTOCOL: 2, Part.DESTINATION: 4, Part.SOURCE_PORT: 3}
PARTS = tuple(WIDTHS)
Plain = frozenset[tuple[int, int, int]]
EVERY: Plain = frozenset((one, two, three) for one in range(4) for two in range(16) for three in range(8))


def where(test: Callable[[dict[Part, int]], bool]) -> Plain:
    return frozenset(each for each in EVERY if test(dict(zip(PARTS, each, strict=True))))


def values(part: Part) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << WIDTHS[part]) - 1)


@st.composite
def pairs(draw: st.DrawFn, space: Space, depth: int = 3) -> tuple[PacketSet, Plain]:
    """The same set, twice."""
    if depth and draw(st.booleans()):
        one, mine = draw(pairs(space, depth - 1))
        other, theirs = draw(pairs(space, depth - 1))
        act = draw(st.sampled_from([operator.and_, operator.or_, operator.xor]))
        if draw(st.booleans()):
            one, mine = ~one, EVERY - mine
        return act(one, other), act(mine, theirs)
    part = draw(st.sampled_from(PARTS))
    low, high = sorted((draw(values(part)), draw(values(part))))
    match draw(st.sampled_from(("interval", "prefix", "bits", "inside"))):
        case "interval":
            return space.interval(part, low, high), where(lambda p: low <= p[part] <= high)
        case "prefix":
            length = draw(st.integers(0, WIDTHS[part]))
            shift = WIDTHS[part] - length
            return space.prefix(part, low, length), where(lambda p: p[part] >> shift == low >> shift)
        case "bits":
            return space.bits(part, low, high), where(lambda p: p[part] & high == low)
        case _:
            return space.inside(part, [(low, low), (high, high)]), where(lambda p: p[part] in {low, high})


def plain(space: Space, made: PacketSet) -> Plain:
    """A set written out."""
    found = set()
    for each in EVERY:
        one = space.all
        for part, value in zip(PARTS, each, strict=True):
            one = one & space.equals(part, value)
        if (one & made).satisfiable():
            found.add(each)
    return frozenset(found)


def fresh() -> Space:
    return Space(WIDTHS, nodes=1 << 16)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_sets_hold_what_they_should(data: st.DataObject) -> None:
    """Every way to make a set, and every way to join two, gives the same members as Python's sets."""
    space = fresh()
    made, expected = data.draw(pairs(space))

    assert expected == plain(space, made)
    assert bool(expected) == made.satisfiable()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_projection_counts_and_members(data: st.DataObject) -> None:
    """Fields that are forgotten do not count; those that are asked for are counted and listed."""
    space = fresh()
    made, expected = data.draw(pairs(space))
    destinations = sorted({each[1] for each in expected})

    assert destinations == space.members(made, Part.DESTINATION, range(16))
    assert len(destinations) == space.count(made, Part.DESTINATION)
    assert len(expected) == space.count(made, *PARTS)
    assert frozenset(e for e in EVERY if e[1] in destinations) == plain(
        space, space.forget(made, Part.PROTOCOL, Part.SOURCE_PORT)
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_boxes_are_the_set(data: st.DataObject) -> None:
    """All boxes together are the set, neither more nor less; a box is never outside of it."""
    space = fresh()
    made, _ = data.draw(pairs(space))
    shown = list(boxes(space, made, 1000))

    assert made == space.union([members(space, box) for box in shown])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_witness_is_a_member_and_takes_the_first_wish(data: st.DataObject) -> None:
    """What is picked belongs to the set, and to the first wish that it can fulfil."""
    space = fresh()
    made, expected = data.draw(pairs(space))
    wish, wanted = data.draw(pairs(space))
    if not expected:
        return
    picked = witness(space, made, [wish])
    one = tuple(picked[part] for part in PARTS)

    assert one in expected
    assert not (expected & wanted) or one in wanted


def test_oracles_are_possible_or_certain() -> None:
    """What hangs on an open question is possible; what holds either way is certain."""
    space = fresh()
    tcp, low = space.equals(Part.PROTOCOL, 1), space.interval(Part.DESTINATION, 0, 3)
    asked = space.oracle("limit", text="-m limit")
    made = (tcp & asked) | (tcp & low)

    assert tcp == space.possible(made)
    assert tcp & low == space.certain(made, space.oracles_of(made))
    assert ["-m limit"] == [oracle.text for oracle in space.oracles_of(made)]
    assert asked == space.oracle("limit", text="-m limit")


def test_a_full_space_says_so() -> None:
    """Running out of nodes is an error that callers see, never a wrong set."""
    space = Space({Part.DESTINATION: 32, Part.SOURCE: 32}, nodes=2000)

    with pytest.raises(OutOfNodes):
        space.union(
            [
                space.equals(Part.DESTINATION, n * 7919) & space.equals(Part.SOURCE, n * 104729)
                for n in range(500)
            ]
        )


@pytest.mark.parametrize("family", ["ip", "ip6"])
@pytest.mark.parametrize("part", [Part.PROTOCOL, Part.DESTINATION, Part.SOURCE, Part.DESTINATION_PORT])
def test_a_value_laid_on_a_set(family: str, part: Part) -> None:
    """As both sets together, whatever the set asks of the same field."""
    space = Space.of(family)
    value = 0x0A60_0017 & (1 << len(space.variables[part])) - 1
    for among in (space.all, space.equals(Part.DESTINATION_PORT, 23), ~space.equals(part, value)):
        assert space.equals(part, value) & among == space.having(part, value, among)
