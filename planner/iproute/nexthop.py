"""`ip nexthop add|replace|delete|flush`."""

from collections.abc import Sequence

from planner.iproute.events import refresh_routes, remove_nexthop
from planner.iproute.route import checked
from planner.iproute.world import NotModelledError, RefusedError, World
from planner.models.route import MAIN, NextHop, NextHopObject
from planner.parse.ip_names import address_text, protocol_name
from planner.parse.ip_words import Words


def run_nexthop(world: World, action: str, words: Sequence[str]) -> None:
    """One command; what it cannot do is raised."""
    if action == "flush":
        if words:
            raise NotModelledError(f"`{words[0]}` of `ip nexthop flush`")
        while world.nexthops:
            remove_nexthop(world, world.nexthops[0], "")
        return
    wanted = parse_nexthop_words(words)
    found = world.nexthop(wanted.id)
    if action == "delete":
        if found is None:
            raise RefusedError("RTNETLINK answers: No such file or directory")
        remove_nexthop(world, found, "")
        return
    if found is not None and action == "add":
        raise RefusedError("RTNETLINK answers: File exists")
    new = completed(world, wanted)
    if found is None:
        world.nexthops = sorted([*world.nexthops, new], key=lambda item: item.id)
    elif found == new:
        return
    elif bool(found.group) != bool(new.group):
        raise RefusedError("Error: Can not replace a nexthop group with a nexthop or the reverse.")
    else:
        world.nexthops = [new if item.id == new.id else item for item in world.nexthops]
    world.tell(f"nexthop/{new.id}")
    because = f"nexthop {new.id} is another one now"
    refresh_routes(world, new, because)
    for group in [item for item in world.nexthops if any(member == new.id for member, _ in item.group)]:
        refresh_routes(world, group, because)


def completed(world: World, wanted: NextHopObject) -> NextHopObject:
    """The object, checked as the kernel does (net/ipv4/nexthop.c)."""
    if wanted.group:
        if any(world.nexthop(member) is None for member, _ in wanted.group):
            raise RefusedError("Error: Invalid nexthop id.")
        return wanted
    if wanted.blackhole:
        return wanted
    hop = wanted.hop
    if not hop.link:
        raise RefusedError("Error: Nexthop attribute device is required")
    link = world.need_link(hop.link)
    if not link.up:
        raise RefusedError("Error: Nexthop device is not up")
    if not link.carrier:
        raise RefusedError("Error: Carrier for nexthop device is down.")
    return wanted.model_copy(update={"hop": checked(world, hop, wanted.family or "ip", MAIN, "global")})


def parse_nexthop_words(words: Sequence[str]) -> NextHopObject:
    """The words of one nexthop object."""
    cursor = Words(words)
    number, via, link, onlink, blackhole, encap = 0, "", "", False, False, ""
    group: tuple[tuple[int, int], ...] = ()
    protocol = "unspec"
    while cursor.more():
        word = cursor.take()
        match word:
            case "id":
                number = cursor.number(word)
            case "via":
                first = cursor.take(word)
                via = address_text(cursor.take(first) if first in {"inet", "inet6"} else first)
            case "dev":
                link = cursor.take(word)
            case "onlink":
                onlink = True
            case "blackhole":
                blackhole = True
            case "group":
                group = _group(cursor.take(word))
            case "proto" | "protocol":
                protocol = protocol_name(cursor.take(word))
            case "scope":
                cursor.take(word)
            case "encap":
                encap = cursor.take(word)
                while cursor.more() and cursor.peek() not in {"via", "dev", "proto", "protocol", "onlink"}:
                    encap += " " + cursor.take()
            case _:
                raise NotModelledError(f"`{word}` of `ip nexthop`")
    if not number:
        raise NotModelledError("a nexthop whose id the kernel chooses")
    return NextHopObject(
        id=number,
        family=("ip6" if ":" in via else "ip") if via else "",
        hop=NextHop(via=via, link=link, onlink=onlink, encap=encap),
        group=group,
        blackhole=blackhole,
        protocol=protocol,
    )


def _group(text: str) -> tuple[tuple[int, int], ...]:
    members: list[tuple[int, int]] = []
    for part in text.split("/"):
        member, comma, weight = part.partition(",")
        if not member.isdecimal() or (comma and not weight.isdecimal()):
            raise RefusedError(f'Error: argument "{text}" is wrong: "group" value is invalid')
        members.append((int(member), int(weight) if comma else 1))
    return tuple(members)
