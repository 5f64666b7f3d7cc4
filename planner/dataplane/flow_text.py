"""A flow as people write it: `10.244.1.5:40000 -> 10.96.0.10:53 udp in veth1`."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address

from planner.dataplane.bridge import port_of
from planner.dataplane.packet import WITH_PORTS, number
from planner.dataplane.query import Query
from planner.dataplane.view import View, view_of
from planner.errors import NetchangeError
from planner.models.flow import Entry, Flow
from planner.models.node import NodeState

PROTOCOLS = {
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "icmpv6": 58,
    "icmp6": 58,
    "ipv6-icmp": 58,
    "sctp": 132,
    "esp": 50,
}
STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32}
ARROW = re.compile(r"\s*(?:->|→)\s*")
END = re.compile(
    r"^(?:\[([^\]]+)\](?::(\d{1,5}))?|([^:\s]+)(?::(\d{1,5}))?|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*))$"
)
PORT = 40000
"""Of the sender where none is given."""
HINT = (
    "write it as `10.244.1.5:40000 -> 10.96.0.10:53 udp in veth1`; `netchange trace --help` tells the words"
)


@dataclass(slots=True)
class Words:
    """What was said of a flow."""

    source: str = ""
    destination: str = ""
    protocol: str = ""
    link: str = ""
    out_port: str = ""
    values: dict[str, int] = field(default_factory=dict)
    state: str = "NEW"


def _bad(message: str) -> NetchangeError:
    return NetchangeError(reference="flow-not-understood", message=message, hint=HINT)


def read_flow(text: str, state: NodeState) -> Flow:
    """The flow; raises NetchangeError. Without `in LINK` it comes by the link that leads to its source."""
    sides = ARROW.split(text.strip(), maxsplit=1)
    if len(sides) != 2 or not sides[0] or not sides[1].split():
        raise _bad(f"`{text}` has no sender and receiver with an arrow between them")
    words = Words(source=sides[0])
    words.destination, *rest = sides[1].replace(",", " ").split()
    _options(words, rest, text)
    return make_flow(words, state)


def _options(words: Words, rest: list[str], text: str) -> None:
    if rest[-4:] == ["from", "the", "node", "itself"]:
        rest = rest[:-4]
        words.link = "-"
    place = 0
    while place < len(rest):
        word = rest[place]
        following = rest[place + 1] if place + 1 < len(rest) else ""
        place += 2
        match word:
            case "in" if following:
                words.link = following
            case "out" if following:
                words.out_port = following
            case "state" if following.upper() in STATES:
                words.state = following.upper()
            case "flags" if following:
                words.values["tcp_flags"] = _flags(following)
            case "type" if following:
                kind, _, code = following.partition("/")
                words.values |= {
                    "icmp_type": _count("type", kind, 255),
                    "icmp_code": _count("code", code or "0", 255),
                }
            case "mark" | "ttl" | "tos" | "length" | "user" if following:
                name = {"ttl": "hop_limit"}.get(word, word)
                most = {"mark": 0xFFFFFFFF, "user": 0xFFFFFFFE, "length": 65535}.get(word, 255)
                words.values[name] = _count(word, following, most)
            case "state":
                raise _bad(f"`{following}` is no state of conntrack: say one of {', '.join(STATES)}")
            case _ if word.upper() in STATES:
                words.state = word.upper()
                place -= 1
            case _ if not words.protocol and (word.lower() in PROTOCOLS or word.isdecimal()):
                words.protocol = word.lower()
                place -= 1
            case _:
                raise _bad(f"`{word}` in `{text}` is not understood")


def _count(what: str, text: str, most: int) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= most:
        raise _bad(f"`{text}` is no {what}: it should be a number from 0 to {most}")
    return value


def _flags(text: str) -> int:
    value = 0
    for name in text.lower().replace("+", ",").replace("|", ",").split(","):
        if name not in FLAGS:
            raise _bad(f"`{name}` is no TCP flag")
        value |= FLAGS[name]
    return value


def _end(text: str) -> tuple[str, int | None]:
    """Address and port."""
    found = END.match(text)
    address, port = "", None
    if found:
        address = found.group(1) or found.group(3) or found.group(5) or ""
        port = found.group(2) or found.group(4)
    try:
        shown = str(ip_address(address))
    except ValueError:
        raise _bad(f"`{text}` is no address, with or without a port") from None
    return shown, None if port is None else _count("port", port, 65535)


def make_flow(words: Words, state: NodeState) -> Flow:
    """The flow of words; raises NetchangeError."""
    source, source_port = _end(words.source)
    destination, destination_port = _end(words.destination)
    if (":" in source) != (":" in destination):
        raise _bad(f"{source} and {destination} are of two families")
    family = "ip6" if ":" in source else "ip"
    ported = source_port is not None or destination_port is not None
    name = words.protocol or ("tcp" if ported else "icmp")
    protocol = PROTOCOLS.get(name) or _count("protocol", name, 255)
    if family == "ip6" and protocol == 1:
        protocol = 58
    if protocol in WITH_PORTS and destination_port is None:
        raise _bad(f"a flow of {name} needs the port of its receiver")
    if ported and protocol not in WITH_PORTS:
        raise _bad(f"a flow of {name} has no ports")
    values = dict(words.values)
    user = values.pop("user", None)
    if protocol == 58:
        values.setdefault("icmp_type", 128)
    if words.state == "ESTABLISHED":
        values.setdefault("tcp_flags", FLAGS["ack"])
    view = view_of(state)
    link = words.link or _way_back(view, source, family)
    if link not in {"-", ""} and link not in view.links and view.links:
        shown = ", ".join(sorted(view.links)[:8])
        raise _bad(f"{state.name} has no link `{link}`; it has {shown}{' …' if len(view.links) > 8 else ''}")
    entry = Entry(link="" if link == "-" else link, user=user)
    if words.out_port:
        entry = entry.model_copy(update={"to_router": False, "out_port": words.out_port})
    return Flow(
        family=family,
        protocol=protocol,
        source=source,
        destination=destination,
        source_port=PORT if source_port is None and protocol in WITH_PORTS else source_port or 0,
        destination_port=destination_port or 0,
        state=words.state,
        entry=entry,
        **values,
    )


def _way_back(view: View, source: str, family: str) -> str:
    """The link that a packet from there should come by; `-` for the node's own."""
    found = view.fib(family).lookup(Query(number(source)), lambda _key, _reason: True)
    if found.type == "local":
        return "-"
    if found.type != "unicast" or not found.legs:
        raise _bad(
            f"no route of {view.state.name} leads to {source}, so that the link it comes by must be named"
        )
    link = view.links.get(found.legs[0].link)
    if link is not None and link.kind == "bridge":
        # Who is on a bridge comes by a port of it, where the tables of neighbours and addresses tell which.
        return port_of(view, link.name, source) or link.name
    return found.legs[0].link
