"""What a rule of nft can look at: each key read from its words, with the data type of its values."""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.nft.problem import NotReadError
from planner.nft.tokens import Cursor, SyntaxMistakeError
from planner.nft.values import Json, read_constant

META = {
    "length": "integer", "protocol": "ether_type", "nfproto": "nf_proto", "l4proto": "inet_proto", "priority": "classid",
    "mark": "mark", "iif": "iface_index", "iifname": "ifname", "iiftype": "arphrd", "oif": "iface_index",
    "oifname": "ifname", "oiftype": "arphrd", "skuid": "uid", "skgid": "gid", "nftrace": "integer",
    "pkttype": "pkt_type", "cpu": "integer", "iifgroup": "devgroup", "oifgroup": "devgroup", "cgroup": "integer",
    "ipsec": "boolean", "iifkind": "ifname", "oifkind": "ifname",
}  # fmt: skip
BARE = frozenset({"iif", "iifname", "oif", "oifname", "iifgroup", "oifgroup"})
"""Printed without the word `meta`."""
WITHOUT_META = BARE | {
    "mark", "iiftype", "oiftype", "skuid", "skgid", "nftrace", "rtclassid", "pkttype", "cpu", "cgroup",
}  # fmt: skip
"""May be written without it."""
PORTS = {"sport": "inet_service", "dport": "inet_service"}
PAYLOAD: dict[str, dict[str, str]] = {
    "ether": {"saddr": "ether_addr", "daddr": "ether_addr", "type": "ether_type"},
    "ip": {
        "version": "integer", "hdrlength": "integer", "dscp": "dscp", "ecn": "ecn", "length": "integer", "id": "integer",
        "frag-off": "integer", "ttl": "integer", "protocol": "inet_proto", "checksum": "integer", "saddr": "ipv4_addr",
        "daddr": "ipv4_addr",
    },
    "ip6": {
        "version": "integer", "dscp": "dscp", "ecn": "ecn", "flowlabel": "integer", "length": "integer",
        "nexthdr": "inet_proto", "hoplimit": "integer", "saddr": "ipv6_addr", "daddr": "ipv6_addr",
    },
    "icmp": {"type": "icmp_type", "code": "icmp_code", "checksum": "integer"},
    "icmpv6": {"type": "icmpv6_type", "code": "icmpv6_code", "checksum": "integer"},
    "tcp": {
        **PORTS, "sequence": "integer", "ackseq": "integer", "doff": "integer", "flags": "tcp_flag", "window": "integer",
        "checksum": "integer", "urgptr": "integer",
    },
    "udp": {**PORTS, "length": "integer", "checksum": "integer"},
    "udplite": {**PORTS, "checksum": "integer"},
    "sctp": {**PORTS, "vtag": "integer", "checksum": "integer"},
    "dccp": PORTS,
    "th": PORTS,
    "esp": {"spi": "integer", "sequence": "integer"},
    "ah": {"spi": "integer", "sequence": "integer", "hdrlength": "integer", "reserved": "integer"},
    "comp": {"flags": "integer", "cpi": "integer"},
}  # fmt: skip
TRANSPORT = {
    "icmp": "icmp", "icmpv6": "ipv6-icmp", "tcp": "tcp", "udp": "udp", "udplite": "udplite", "sctp": "sctp", "dccp": "dccp",
    "esp": "esp", "ah": "ah", "comp": "ipcomp",
}  # fmt: skip
"""Headers that only packets of one protocol have, and the protocol as nft prints it."""
TRACKED = {
    "state": "ct_state", "status": "ct_status", "mark": "mark", "direction": "ct_dir", "helper": "string",
    "l3proto": "nf_proto", "protocol": "inet_proto", "zone": "integer",
}  # fmt: skip
COUNTED = frozenset({"bytes", "packets", "avgpkt"})
EXTENSIONS = frozenset({"hbh", "rt", "frag", "dst", "mh"})


@dataclass(frozen=True, slots=True)
class Key:
    """Something that packets have."""

    json: Json
    kind: tuple[str, ...]
    """One data type, or one for each part of a concatenation."""

    @property
    def one(self) -> str:
        """Its data type, when it is no concatenation."""
        if len(self.kind) != 1:
            raise NotReadError("a concatenation")
        return self.kind[0]


def begins_key(cursor: Cursor) -> bool:
    """Whether the next word can begin a key."""
    word, following = cursor.peek(), cursor.peek(1)
    return (
        word in {"meta", "fib", "numgen", "jhash", "symhash", "exthdr", "socket"}
        or word in WITHOUT_META
        or (word == "ct" and following in {*TRACKED, *COUNTED, "original", "reply"})
        or word in PAYLOAD
        or (word == "tcp" and following == "option")
        or (word == "@" and following in {"th", "nh", "ll"})
    )


def read_key(cursor: Cursor) -> Key:
    """A key, or several joined by dots."""
    parts = [_single(cursor)]
    while cursor.accept("."):
        parts.append(_single(cursor))
    if len(parts) == 1:
        return parts[0]
    return Key({"concat": [part.json for part in parts]}, tuple(part.one for part in parts))


def _single(cursor: Cursor) -> Key:
    try:
        word = cursor.take().text
        if word == "meta":
            return _meta(cursor.take().text)
        if word in WITHOUT_META:
            return _meta(word)
        if word == "ct":
            return _connection(cursor)
        if word == "fib":
            return _lookup(cursor)
        if word == "numgen":
            return _drawn(cursor)
        if word in {"jhash", "symhash"}:
            return _hashed(cursor, word)
        if word == "exthdr" and cursor.peek() in EXTENSIONS:
            return Key({"exthdr": {"name": cursor.take().text}}, ("boolean",))
        if word == "socket" and cursor.peek() in {"transparent", "wildcard", "mark"}:
            key = cursor.take().text
            return Key({"socket": {"key": key}}, ("mark" if key == "mark" else "integer",))
        if word == "tcp" and cursor.accept("option"):
            return _tcp_option(cursor)
        if word == "@" and cursor.peek() == "th":
            return _raw(cursor)
        fields = PAYLOAD.get(word, {})
        if cursor.peek() in fields:
            field = cursor.take().text
            return Key({"payload": {"protocol": word, "field": field}}, (fields[field],))
    except SyntaxMistakeError as error:
        raise NotReadError(error.message) from error
    raise NotReadError(f"{word} {cursor.peek()}")


def _meta(name: str) -> Key:
    name = {"secpath": "ipsec", "ibriport": "ibrname", "obriport": "obrname"}.get(name, name)
    if name not in META:
        raise NotReadError(f"meta {name}")
    return Key({"meta": {"key": name}}, (META[name],))


def _connection(cursor: Cursor) -> Key:
    direction = cursor.take().text if cursor.peek() in {"original", "reply"} else ""
    name = cursor.take().text
    if direction:
        told: dict[str, Json] = {"key": name, "dir": direction}
        if name in {"ip", "ip6"} and cursor.peek() in {"saddr", "daddr"}:
            told["key"] = f"{name} {cursor.take().text}"
            return Key({"ct": told}, ("ipv4_addr" if name == "ip" else "ipv6_addr",))
        if name in COUNTED:
            return Key({"ct": told}, ("integer",))
        kinds = {"l3proto": "nf_proto", "protocol": "inet_proto", "zone": "integer"}
        if name in kinds:
            return Key({"ct": told}, (kinds[name],))
        raise NotReadError(f"ct {direction} {name}")
    kind = "integer" if name in COUNTED else TRACKED.get(name)
    if kind is None:
        raise NotReadError(f"ct {name}")
    return Key({"ct": {"key": name}}, (kind,))


def _lookup(cursor: Cursor) -> Key:
    flags: list[Json] = [cursor.take().text]
    while cursor.accept("."):
        flags.append(cursor.take().text)
    result = cursor.take().text
    kinds = {"type": "fib_addrtype", "oif": "iface_index", "oifname": "ifname"}
    if result not in kinds or not set(map(str, flags)) <= {"saddr", "daddr", "mark", "iif", "oif"}:
        raise NotReadError(f"fib {result}")
    # The bits have an order of their own (include/uapi/linux/netfilter/nf_tables.h, nft_fib_flags).
    order = ["saddr", "daddr", "mark", "iif", "oif"]
    ordered: list[Json] = [flag for flag in order if flag in flags]
    return Key({"fib": {"result": result, "flags": ordered}}, (kinds[result],))


def _drawn(cursor: Cursor) -> Key:
    mode = cursor.take().text
    if mode not in {"random", "inc"} or not cursor.accept("mod"):
        raise NotReadError(f"numgen {mode}")
    modulus = _integer(cursor)
    offset = _integer(cursor) if cursor.accept("offset") else 0
    return Key({"numgen": {"mode": mode, "mod": modulus, "offset": offset}}, ("integer",))


def _hashed(cursor: Cursor, word: str) -> Key:
    told: dict[str, Json] = {}
    inner = read_key(cursor).json if word == "jhash" else None
    if not cursor.accept("mod"):
        raise NotReadError(word)
    told["mod"] = _integer(cursor)
    for name in ("seed", "offset"):
        if cursor.accept(name):
            told[name] = _integer(cursor)
    if word == "jhash":
        told["expr"] = inner
    return Key({word: told}, ("integer",))


def _tcp_option(cursor: Cursor) -> Key:
    name = cursor.take().text
    if cursor.peek() == "size" and name == "maxseg":
        cursor.take()
        return Key({"tcp option": {"name": name, "field": "size"}}, ("integer",))
    if cursor.peek() in {"exists", "missing"}:
        return Key({"tcp option": {"name": name}}, ("boolean",))
    raise NotReadError(f"tcp option {name}")


def _raw(cursor: Cursor) -> Key:
    """`@th,16,16` is a port; other octets are not read."""
    words = [cursor.take().text for _ in range(5)]
    field = {("0", "16"): "sport", ("16", "16"): "dport"}.get((words[2], words[4]))
    if field is None:
        raise NotReadError("@" + "".join(words))
    return Key({"payload": {"protocol": "th", "field": field}}, ("inet_service",))


def _integer(cursor: Cursor) -> int:
    number = read_constant(cursor.take().text, "integer")
    if not isinstance(number, int):
        raise NotReadError(str(number))
    return number


def key_text(json: Json) -> str:
    """As `nft list ruleset` prints it."""
    match json:
        case {"concat": [*parts]}:
            return " . ".join(key_text(part) for part in parts)
        case {"meta": {"key": str(name)}}:
            return name if name in BARE else f"meta {name}"
        case {"payload": {"protocol": protocol, "field": field}}:
            return f"{protocol} {field}"
        case {"ct": {"key": name, "dir": direction}}:
            return f"ct {direction} {name}"
        case {"ct": {"key": name}}:
            return f"ct {name}"
        case {"fib": {"result": result, "flags": [*flags]}}:
            return f"fib {' . '.join(map(str, flags))} {result}"
        case {"numgen": {"mode": mode, "mod": modulus, "offset": offset}}:
            return f"numgen {mode} mod {modulus}" + (f" offset {offset}" if offset else "")
        case {"jhash": {"expr": inner}}:
            return f"jhash {key_text(inner)}{_hash_words(json, 'jhash')}"
        case {"symhash": _}:
            return f"symhash{_hash_words(json, 'symhash')}"
        case {"exthdr": {"name": name}}:
            return f"exthdr {name}"
        case {"socket": {"key": name}}:
            return f"socket {name}"
        case {"tcp option": {"name": name, **told}}:
            return f"tcp option {name}" + (f" {told['field']}" if "field" in told else "")
        case {"&": [inner, mask]}:
            return f"{key_text(inner)} & {mask}"
        case {"rt": {"key": name}}:
            return f"rt {name}"
        case _:
            raise NotReadError(str(json))


def _hash_words(json: Json, name: str) -> str:
    told = json.get(name) if isinstance(json, dict) else None
    if not isinstance(told, dict):
        raise NotReadError(name)
    seed = told.get("seed")
    words = f" mod {told['mod']}" + (f" seed 0x{seed:x}" if isinstance(seed, int) else "")
    return words + (f" offset {told['offset']}" if "offset" in told else "")


def kinds_of(json: Json) -> Sequence[str]:
    """Data types of a key in the JSON form."""
    match json:
        case {"concat": [*parts]}:
            return tuple(kind for part in parts for kind in kinds_of(part))
        case {"meta": {"key": str(name)}}:
            return (META.get(name, "integer"),)
        case {"payload": {"protocol": str(protocol), "field": str(field)}}:
            return (PAYLOAD.get(protocol, {}).get(field, "integer"),)
        case {"ct": {"key": str(name)}} if name.startswith(("ip ", "ip6 ")):
            return ("ipv4_addr" if name.startswith("ip ") else "ipv6_addr",)
        case {"ct": {"key": str(name)}}:
            return (TRACKED.get(name, "integer"),)
        case {"fib": {"result": str(result)}}:
            return ({"type": "fib_addrtype", "oif": "iface_index", "oifname": "ifname"}[result],)
        case {"socket": {"key": "mark"}}:
            return ("mark",)
        case {"&": [inner, _]}:
            return kinds_of(inner)
        case _:
            return ("integer",)
