"""What connection tracking says about a packet at its hook, and what the answer to a packet looks like."""

from dataclasses import replace

from planner.dataplane.packet import UNKNOWN_MARK, Ends, Mark, Tracking, number
from planner.dataplane.walk import Walk
from planner.models.flow import Binding, Disposition, Entry, Flow, Trace

NEIGHBOUR_MESSAGES = frozenset({*range(130, 138), 143})
"""Never tracked (nf_conntrack_proto_icmpv6.c, noct_valid_new)."""
ECHO = {8: 0, 128: 129}
SYN_ACK = 0x12


def look(walk: Walk, state: str) -> None:
    """The hook of conntrack: gives the packet its entry."""
    packet = walk.packet
    tracking = packet.tracking
    if tracking.looked or not walk.view.tracked(packet.family):
        # Told not to look; seen before, on its way through lo; or nobody in the namespace asks for tracking.
        return
    if packet.protocol == 58 and packet.icmp_type in NEIGHBOUR_MESSAGES:
        state = "UNTRACKED"
    if state in {"INVALID", "UNTRACKED"}:
        walk.change(tracking=Tracking(state=state, looked=True))
        return
    if state == "NEW":
        walk.change(tracking=Tracking(state="NEW", entry=True, looked=True, original=packet.ends))
        return
    if state == "RELATED" and packet.is_error:
        walk.change(tracking=_told(tracking.binding))
        return
    binding = tracking.binding
    if binding is None:
        walk.change(
            tracking=Tracking(state=state, entry=True, looked=True, mark=UNKNOWN_MARK, dnat=None, snat=None)
        )
        walk.tell(
            "conntrack knows the flow; its translation is not known here, and the header is left as it is"
        )
        return
    forth = Ends(
        number(binding.source), number(binding.destination), binding.source_port, binding.destination_port
    )
    source_changes = (forth.source, forth.source_port) != (packet.source, packet.source_port)
    destination_changes = (forth.destination, forth.destination_port) != (
        packet.destination,
        packet.destination_port,
    )
    back = Ends(forth.destination, forth.source, forth.destination_port, forth.source_port)
    walk.change(
        tracking=Tracking(
            state=state,
            entry=True,
            looked=True,
            mark=UNKNOWN_MARK if binding.mark is None else Mark(binding.mark),
            original=back if binding.reply else packet.ends,
            answer=packet.ends if binding.reply else back,
            dnat=source_changes if binding.reply else destination_changes,
            snat=destination_changes if binding.reply else source_changes,
            binding=binding,
        )
    )


def _told(binding: Binding | None) -> Tracking:
    """Of an error: the connection of the packet that it tells about (nf_conntrack_proto_icmp.c, nf_conntrack_inet_error)."""
    told = binding.told if binding is not None else None
    mark = UNKNOWN_MARK if binding is None or binding.mark is None else Mark(binding.mark)
    bare = Tracking("RELATED", entry=True, looked=True, mark=mark, dnat=None, snat=None, binding=binding)
    if told is None:
        return bare
    source, destination = number(told.source), number(told.destination)
    original = Ends(source, destination, told.source_port, told.destination_port)
    answer = Ends(
        number(told.answer_source),
        number(told.answer_destination),
        told.answer_source_port,
        told.answer_destination_port,
    )
    return replace(
        bare,
        original=original,
        answer=answer,
        dnat=(answer.source, answer.source_port) != (destination, told.destination_port),
        snat=(answer.destination, answer.destination_port) != (source, told.source_port),
        protocol=told.protocol,
    )


def reply(trace: Trace) -> Flow | None:
    """The first packet of the answer to one that was sent or delivered; None when there is none.

    It comes by the link that the packet left by, or from the node itself.
    """
    sent, after = trace.flow, trace.after
    if after is None or trace.disposition not in {
        Disposition.SENT,
        Disposition.DELIVERED,
        Disposition.BRIDGED,
    }:
        return None
    return Flow(
        family=sent.family,
        protocol=sent.protocol,
        source=after.destination,
        destination=after.source,
        source_port=after.destination_port,
        destination_port=after.source_port,
        icmp_type=ECHO.get(sent.icmp_type, sent.icmp_type),
        tcp_flags=SYN_ACK,
        tos=sent.tos,
        length=sent.length,
        state="ESTABLISHED",
        binding=Binding(
            source=sent.destination,
            destination=sent.source,
            source_port=sent.destination_port,
            destination_port=sent.source_port,
            reply=True,
        ),
        entry=Entry(link=trace.link) if trace.disposition is Disposition.SENT else Entry(),
    )
