"""The witness of a class of packets, followed step by step through both states; a second opinion on the class."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from planner.dataplane.symbolic.effects import SPREAD
from planner.dataplane.trace import trace
from planner.models.comparison import Ending, Exactness, PacketClass
from planner.models.flow import Disposition, Trace
from planner.models.node import NodeState

Address = IPv4Address | IPv6Address
MOVED_ON = frozenset({Disposition.SENT, Disposition.DELIVERED})


def walked(before: NodeState, after: NodeState, one: PacketClass) -> PacketClass:
    """The class with its witness's traces. Where they do not end as the class says, the class is not known."""
    old, new = trace(before, one.witness), trace(after, one.witness)
    left, right = _fitting(one.before, old, one), _fitting(one.after, new, one)
    drawn = [(mine, theirs) for mine in left for theirs in right if mine.draws == theirs.draws]
    mine, theirs = drawn[0] if drawn else (next(iter(left or old)), next(iter(right or new)))
    update: dict[str, object] = {"walked_before": mine, "walked_after": theirs}
    doubts = [
        _doubt(side, ending, found)
        for side, ending, fitting, found in (
            ("before", one.before, left, old),
            ("after", one.after, right, new),
        )
        if not fitting and ending.disposition is not Disposition.UNKNOWN
    ]
    if doubts:
        update |= {"exactness": Exactness.UNKNOWN, "because": _once((*doubts, *one.because))}
    return one.model_copy(update=update)


def _once(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Each reason once: a match is not told beside the rule that has it."""
    every = tuple(dict.fromkeys(texts))
    return tuple(text for text in every if not any(text != other and text in other for other in every))


def _fitting(ending: Ending, traces: tuple[Trace, ...], told: PacketClass) -> tuple[Trace, ...]:
    spread = tuple(
        (ip_address(low), ip_address(high))
        for text in told.chances
        if text.startswith(SPREAD)
        for low, _, high in [text.removeprefix(SPREAD).partition("-")]
    )
    return tuple(one for one in traces if _fits(ending, one, spread))


def _fits(ending: Ending, one: Trace, spread: tuple[tuple[Address, Address], ...]) -> bool:
    """Which address of a range is told by a hash that a single packet has, and all at once may be any."""
    if ending.disposition is not one.disposition:
        return False
    if one.disposition not in MOVED_ON:
        return ending.reject_kind == one.reject_kind
    if one.after is None or ending.link != one.link:
        return False
    address, _, port = ending.destination.removeprefix("[").partition(
        "]:" if one.after.family == "ip6" else ":"
    )
    if any(_within(address, pair) and _within(one.after.destination, pair) for pair in spread):
        return not port or not one.after.destination_port or port == str(one.after.destination_port)
    if ending.next_hop and ending.next_hop != one.next_hop:
        return False
    if address and address != one.after.destination:
        return False
    # A port that the kernel draws is 0 in a trace.
    if port and one.after.destination_port and port != str(one.after.destination_port):
        return False
    low, _, high = ending.source.partition("-")
    if not low:
        return one.after.source == one.flow.source
    return ip_address(low) <= ip_address(one.after.source) <= ip_address(high or low)  # type: ignore[operator]


def _within(address: str, pair: tuple[Address, Address]) -> bool:
    return bool(address) and int(pair[0]) <= int(ip_address(address)) <= int(pair[1])


def _doubt(side: str, ending: Ending, traces: tuple[Trace, ...]) -> str:
    unknown = next((one for one in traces if one.disposition is Disposition.UNKNOWN), None)
    if unknown is not None:
        return unknown.reason
    told = " or ".join(dict.fromkeys(f"{one.disposition} {one.link}".strip() for one in traces))
    return f"two ways of computing disagree about {traces[0].flow} {side}: all at once it is {ending}, step by step {told}"
