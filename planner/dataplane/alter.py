"""Effects after which a packet goes on: marks, header fields, tracking."""

from planner.dataplane.packet import UNKNOWN_MARK, with_tracking
from planner.dataplane.walk import Walk
from planner.netfilter.condition import Field
from planner.netfilter.effect import (
    Continue,
    Effect,
    Log,
    Notrack,
    RestoreMark,
    SaveMark,
    SetBits,
    SetConnectionMark,
    SetMark,
    Shift,
    Track,
    UpdateSet,
)


def alter(walk: Walk, effect: Effect) -> str:
    """Do it; what was done, in words."""
    packet = walk.packet
    tracking = packet.tracking
    match effect:
        case SetMark(value=value, mask=mask):
            walk.change(mark=packet.mark.changed(value, mask))
            return f"mark becomes {walk.packet.mark}"
        case SetConnectionMark(value=value, mask=mask, shift=shift):
            if tracking.entry:
                walk.packet = with_tracking(packet, mark=tracking.mark.changed(value, mask).shifted(shift))
            return (
                f"connection mark becomes {walk.packet.tracking.mark}"
                if tracking.entry
                else "no entry to mark"
            )
        case SaveMark(packet_mask=own, connection_mask=theirs):
            if tracking.entry:
                walk.packet = with_tracking(packet, mark=tracking.mark.merged(theirs, packet.mark, own))
            return (
                f"connection mark becomes {walk.packet.tracking.mark}"
                if tracking.entry
                else "no entry to mark"
            )
        case RestoreMark(packet_mask=own, connection_mask=theirs):
            if tracking.entry:
                walk.change(mark=packet.mark.merged(own, tracking.mark, theirs))
            return f"mark becomes {walk.packet.mark}"
        case Notrack():
            # Conntrack leaves alone what was decided before its hook (nf_conntrack_core.c, nf_conntrack_in); what has an
            # entry keeps it (xt_CT.c, notrack_tg(); nft_ct.c, nft_notrack_eval()).
            if not tracking.entry:
                walk.packet = with_tracking(packet, state="UNTRACKED", looked=True)
            return "is not tracked"
        case SetBits(field=Field.TOS, value=value, mask=mask):
            walk.change(tos=(packet.tos & ~mask & 0xFF) ^ value)
            return f"type of service becomes {walk.packet.tos:#x}"
        case SetBits(field=Field.HOP_LIMIT, value=value, mask=mask):
            walk.change(hop_limit=(packet.hop_limit & ~mask & 0xFF) ^ value)
            return f"hop limit becomes {walk.packet.hop_limit}"
        case Shift(field=Field.HOP_LIMIT, by=by):
            walk.change(hop_limit=min(255, max(0, packet.hop_limit + by)))
            return f"hop limit becomes {walk.packet.hop_limit}"
        case UpdateSet(text=text):
            if "--map-mark" in text:
                walk.change(mark=UNKNOWN_MARK)
            return "sets are changed"
        case Continue():
            return "counted"
        case Log():
            return "told"
        case Track():
            return "tracked by a template"
        case _:
            return "the packet's payload or class is changed"
