"""The check of a packet's source when it is routed in (net/ipv4/fib_frontend.c, fib_validate_source)."""

from planner.dataplane.packet import Mark, Packet, number
from planner.dataplane.query import LOOPBACK, Found, Query
from planner.dataplane.walk import End, Walk
from planner.models.flow import Disposition
from planner.sysctls.names import ALL, conf

STRICT = 1
LOOSE = 2


def check_source(walk: Walk, out_link: str) -> End | None:
    """Whether the kernel takes such a source on the link it came by; None when it does. `out_link` is empty for the node itself."""
    link = walk.packet.in_link
    ends = {mode: _verdict(walk, out_link, mode) for mode in sorted(_modes(walk, link))}
    if len(set(ends.values())) == 1:
        end = ends[min(ends)]
    else:
        key = conf("ipv4", link, "rp_filter")
        reason = f"{key} is not in the snapshot, and it decides"
        refused = [end for end in ends.values() if end is not None]
        end = None if walk.choices.undecided(("rp_filter", link), reason) else refused[0]
    if end is not None:
        walk.tell(end.reason, stage="rp_filter")
    return end


def _verdict(walk: Walk, out_link: str, mode: int) -> End | None:
    """fib_validate_source: without a filter, without rules of somebody's own, only own addresses are refused."""
    packet = walk.packet
    link = packet.in_link
    fib = walk.view.fib(packet.family)
    if mode or fib.has_realms:
        return _full(walk, out_link, mode)
    back_out = "decides whether sources are looked up where packets leave by the link they came by"
    if out_link == link and walk.setting("send_redirects", link, back_out):
        return _full(walk, out_link, mode)
    custom = fib.has_custom_local_routes or fib.has_custom_rules
    own = _is_own(walk, packet.source)
    if not custom and not own:
        return None
    if walk.setting("accept_local", link, "decides whether own addresses are taken as source"):
        return None
    return _full(walk, out_link, mode) if custom else _martian(walk, "an address of the node itself")


def _modes(walk: Walk, link: str) -> set[int]:
    """The larger of all and the link's own counts; several when one of them is not known."""
    everywhere, own = walk.view.both("rp_filter", link)
    if everywhere is not None and own is not None:
        return {max(everywhere, own)}
    known = everywhere if everywhere is not None else own
    return {mode for mode in (0, STRICT, LOOSE) if mode >= (known or 0)}


def _full(walk: Walk, out_link: str, mode: int) -> End | None:
    """__fib_validate_source."""
    packet, view = walk.packet, walk.view
    link = packet.in_link
    fib = view.fib(packet.family)
    marked = packet.mark != Mark() and walk.setting(
        "src_valid_mark", link, "decides whether the way back is looked up with the mark"
    )
    query = Query(
        destination=packet.source,
        source=0 if packet.broadcast else packet.destination,
        # The link it leaves by, not the one it came by.
        iif=out_link or LOOPBACK,
        mark=packet.mark if marked else Mark(),
        tos=packet.tos,
        protocol=packet.protocol if fib.takes_apart else 0,
        source_port=packet.destination_port if fib.takes_apart else 0,
        destination_port=packet.source_port if fib.takes_apart else 0,
    )
    found = fib.lookup(query, walk.choices.undecided)
    if found.type not in {"unicast", "local", "broadcast", "multicast", "anycast"}:
        return _refused(walk, "there is no route back", mode) if mode else None
    if found.type == "local":
        if not walk.setting("accept_local", link, "decides whether own addresses are taken as source"):
            return _martian(walk, "an address of the node itself")
    elif found.type != "unicast":
        return _martian(walk, f"a {found.type} address")
    legs = fib.hops(found.route) if found.route is not None else None
    if any(leg.link == link for leg in legs or ()) or (found.type == "local" and link == LOOPBACK):
        return None
    held = view.links.get(link)
    if held is not None and not any(address.family == "ip" for address in held.addresses):
        return _refused(walk, _back(found), mode) if mode else None
    return _refused(walk, _back(found), mode) if mode == STRICT else None


def _back(found: Found) -> str:
    return f"the way back is {found}"


def _refused(walk: Walk, why: str, mode: int) -> End:
    packet: Packet = walk.packet
    everywhere, own = walk.view.both("rp_filter", packet.in_link)
    which = conf("ipv4", ALL if (everywhere or 0) >= (own or 0) else packet.in_link, "rp_filter")
    reason = f"{which}={mode}: for {packet.address(packet.source)} on {packet.in_link} {why}"
    return End(Disposition.RP_FILTER, reason)


def _martian(walk: Walk, what: str) -> End:
    packet = walk.packet
    source = packet.address(packet.source)
    return End(Disposition.MARTIAN, f"the source {source} is {what}, which {packet.in_link} does not take")


def _is_own(walk: Walk, address: int) -> bool:
    return any(
        number(item.address) == address
        for link in walk.view.links.values()
        for item in link.addresses
        if item.family == "ip"
    )
