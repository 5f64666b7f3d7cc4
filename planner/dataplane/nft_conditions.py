"""What a match of nft means, in the core that matches of iptables are lowered to.

A comparison is never met by a packet that has not got what is compared, also when it is negated (NFT_BREAK, net/netfilter/nft_*.c).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from planner.dataplane.nft_words import value_words
from planner.netfilter.condition import (
    ALWAYS,
    NEVER,
    AddressType,
    AllOf,
    Chance,
    Condition,
    ConnectionMarkIs,
    CtStateIs,
    Field,
    FieldBits,
    FieldIn,
    InInterface,
    Interval,
    MarkIs,
    Not,
    OneOf,
    Opaque,
    OutInterface,
    field_in,
    width,
)
from planner.nft.values import FLAGS, SYMBOLS

FULL = 0xFFFFFFFF
TRACKED = ConnectionMarkIs(0, 0)
"""The packet has a conntrack entry."""
PROTOCOLS = {
    "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ipv6-icmp": 58,
    "comp": 108, "sctp": 132, "udplite": 136,
}  # fmt: skip
PORTED = frozenset({6, 17, 33, 132, 136})
ICMP, ICMP6 = SYMBOLS["icmp_type"], SYMBOLS["icmpv6_type"]
CODES, CODES6 = SYMBOLS["icmp_code"], SYMBOLS["icmpv6_code"]
TCP_FLAGS = FLAGS["tcp_flag"]
CODE_POINTS = SYMBOLS["dscp"]
PACKET_TYPES = {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2}
FAMILIES = {"ipv4": "ip", "ipv6": "ip6", "ip": "ip", "ip6": "ip6"}
META = {
    "l4proto": (Field.PROTOCOL, PROTOCOLS), "length": (Field.LENGTH, {}), "skuid": (Field.USER, {}), "skgid": (Field.GROUP, {}),
    "pkttype": (Field.PACKET_TYPE, PACKET_TYPES), "iifgroup": (Field.IN_GROUP, {"default": 0}),
    "oifgroup": (Field.OUT_GROUP, {"default": 0}),
}  # fmt: skip
HEADER = {
    ("ip", "saddr"): Field.SOURCE, ("ip", "daddr"): Field.DESTINATION, ("ip6", "saddr"): Field.SOURCE,
    ("ip6", "daddr"): Field.DESTINATION, ("ip", "protocol"): Field.PROTOCOL, ("ip6", "nexthdr"): Field.PROTOCOL,
    ("ip", "ttl"): Field.HOP_LIMIT, ("ip6", "hoplimit"): Field.HOP_LIMIT, ("ip", "length"): Field.LENGTH,
}  # fmt: skip
CONNECTION = {
    "saddr": Field.CT_ORIGINAL_SOURCE, "daddr": Field.CT_ORIGINAL_DESTINATION, "proto-src": Field.CT_ORIGINAL_SOURCE_PORT,
    "proto-dst": Field.CT_ORIGINAL_DESTINATION_PORT,
}  # fmt: skip
Names = Mapping[str, int]
Sets = Callable[[str], "Sequence[object] | None"]
"""The elements of a named set; None where they are not known, or change with every packet."""
Test = Callable[[object], Condition]
"""What it means that the key has a value."""


class UnreadableError(Exception):
    """The expression is not modelled."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is compared."""

    test: Test
    has: Condition = ALWAYS
    """Packets that may have it."""
    whole: Condition = ALWAYS
    """Any value of it: a comparison that is negated asks for one, too."""


class Reading:
    """Matches of the rules of one table, as packets of one family meet them."""

    def __init__(self, family: str, sets: Sets, *, sending: bool = True) -> None:
        self.family = family
        self.sets = sets
        self.sending = sending
        """Only packets on their way out are shown to the table: one that came in may be shown with the socket that it is for."""

    def condition(self, body: object, protocols: frozenset[int] | None) -> Condition:
        """One match; what is not modelled is `Opaque`. `protocols`: those that earlier matches of the rule leave."""
        match body:
            case {"left": left, "right": right, "op": str(op)}:
                try:
                    return self._compare(left, op, right, protocols)
                except (UnreadableError, ValueError, KeyError, TypeError):
                    return Opaque(
                        f"{value_words(left)} {op} {value_words(right)}",
                        stateful="fib" not in value_words(left),
                    )
            case _:
                return Opaque(value_words(body))

    def element(self, key: object, value: object, protocols: frozenset[int] | None) -> Condition:
        """A key of a map has one of its values."""
        found = self._key(key, protocols)
        return AllOf((found.has, self._among(found, [value])))

    def _compare(self, left: object, op: str, right: object, protocols: frozenset[int] | None) -> Condition:
        bits = self._bits(left, op, right)
        if bits is not None:
            return bits
        key = self._key(left, protocols)
        found = self._among(key, self._values(right))
        match op:
            case "==" | "in":
                return AllOf((key.has, found))
            case "!=":
                return AllOf((key.has, key.whole, Not(found)))
            case "<" | ">" | "<=" | ">=" if isinstance(right, int):
                low = {"<": 0, "<=": 0, ">": right + 1, ">=": right}[op]
                high = {"<": right - 1, "<=": right, ">": FULL, ">=": FULL}[op]
                return AllOf((key.has, key.test({"range": [low, high]}) if low <= high else NEVER))
            case _:
                raise UnreadableError

    def _values(self, right: object) -> Sequence[object]:
        match right:
            case str(name) if name.startswith("@"):
                held = self.sets(name[1:])
                if held is None:
                    raise UnreadableError
                return held
            case {"set": [*parts]}:
                return parts
            case [*parts]:
                return parts
            case _:
                return [right]

    def _among(self, key: Key, values: Sequence[object]) -> Condition:
        """One of them: intervals of one field become one condition."""
        parts = [key.test(plain(value)) for value in values]
        fields = [one for one in parts if isinstance(one, FieldIn)]
        if len(parts) > 1 and len(fields) == len(parts) and len({one.field for one in fields}) == 1:
            every = [pair for one in fields for pair in one.intervals]
            return field_in(fields[0].field, every, family=self.family)
        return parts[0] if len(parts) == 1 else OneOf(tuple(parts))

    # --- keys -----------------------------------------------------------------------------------------------------

    def _key(self, left: object, protocols: frozenset[int] | None) -> Key:
        match left:
            case {"concat": [*parts]}:
                return self._joined([self._key(part, protocols) for part in parts])
            case {"meta": {"key": str(name)}}:
                return self._meta(name)
            case {"payload": {"protocol": str(protocol), "field": str(name)}}:
                return self._payload(protocol, name, protocols)
            case {"ct": {"key": str(name), **rest}}:
                return self._connection(name, rest)
            case {"fib": {"result": "type", "flags": flags}}:
                return self._address_type(flags if isinstance(flags, list) else [flags])
            case {"numgen": {"mode": "random", "mod": int(modulus), "offset": 0}}:
                return Key(lambda value: Chance(1, modulus) if isinstance(value, int) else unreadable())
            case _:
                raise UnreadableError

    def _joined(self, keys: Sequence[Key]) -> Key:
        def test(value: object) -> Condition:
            match value:
                case {"concat": [*parts]} if len(parts) == len(keys):
                    return AllOf(tuple(key.test(plain(one)) for key, one in zip(keys, parts, strict=True)))
                case _:
                    raise UnreadableError

        has, whole = (tuple(getattr(key, name) for key in keys) for name in ("has", "whole"))
        return Key(test, AllOf(has), AllOf(whole))

    def _field(self, field: Field, names: Names, has: Condition = ALWAYS) -> Key:
        whole = FieldIn(field, ((0, (1 << width(field, self.family)) - 1),))
        return Key(lambda value: field_in(field, [_interval(value, names)], family=self.family), has, whole)

    def _meta(self, name: str) -> Key:
        match name:
            case "nfproto" | "protocol":
                return Key(lambda value: ALWAYS if FAMILIES[str(value)] == self.family else NEVER)
            case "iifname" | "iif":
                return Key(lambda value: InInterface(_pattern(value, exact=name == "iif")))
            case "oifname" | "oif":
                return Key(lambda value: OutInterface(_pattern(value, exact=name == "oif")))
            case "mark":
                return Key(lambda value: MarkIs(_number(value, {}), FULL))
            case "skuid" | "skgid" if not self.sending:
                raise UnreadableError
            case _:
                field, names = META[name]
                return self._field(field, names)

    def _payload(self, protocol: str, name: str, protocols: frozenset[int] | None) -> Key:
        if protocol in {"ip", "ip6"}:
            here = ALWAYS if protocol == self.family else NEVER
            if here is NEVER:
                return Key(lambda _value: NEVER, NEVER)
            if name == "dscp":
                return Key(lambda value: FieldBits(Field.TOS, 0xFC, _number(value, CODE_POINTS) << 2), here)
            return self._field(HEADER[protocol, name], PROTOCOLS, here)
        if protocol == "ether" and name == "saddr":
            return self._field(Field.SOURCE_MAC, {})
        if name in {"sport", "dport"}:
            field = Field.SOURCE_PORT if name == "sport" else Field.DESTINATION_PORT
            if protocol == "th":
                # Of others these are some octets of what the packet carries.
                if protocols is None or not protocols <= PORTED:
                    raise UnreadableError
                return self._field(field, {})
            return self._field(field, {}, self.protocol(PROTOCOLS[protocol]))
        if protocol in {"icmp", "icmpv6"}:
            if (protocol == "icmp") != (self.family == "ip"):
                return Key(lambda _value: NEVER, NEVER)
            fields = {"type": Field.ICMP_TYPE, "code": Field.ICMP_CODE}
            names = {"type": (ICMP, ICMP6), "code": (CODES, CODES6)}[name][protocol == "icmpv6"]
            return self._field(fields[name], names, self.protocol(PROTOCOLS[protocol]))
        if (protocol, name) == ("tcp", "flags"):
            return self._field(Field.TCP_FLAGS, TCP_FLAGS, self.protocol(6))
        raise UnreadableError

    def protocol(self, number: int) -> Condition:
        """Packets of one protocol."""
        return field_in(Field.PROTOCOL, ((number, number),), family=self.family)

    def _connection(self, name: str, rest: Mapping[object, object]) -> Key:
        match name:
            case "state":
                return Key(lambda value: CtStateIs((str(value).upper(),)))
            case "status":
                return Key(lambda value: CtStateIs((_status(value),)), TRACKED)
            case "mark":
                return Key(lambda value: ConnectionMarkIs(_number(value, {}), FULL), TRACKED)
            case "direction":
                return self._field(Field.CT_REPLY_DIRECTION, {"original": 0, "reply": 1})
            case "l3proto":
                return Key(lambda value: ALWAYS if FAMILIES[str(value)] == self.family else NEVER, TRACKED)
            case "protocol":
                return self._field(Field.CT_PROTOCOL, PROTOCOLS)
            case _ if rest.get("dir") == "original":
                family, _, plain_name = name.rpartition(" ")
                if family not in {"", self.family}:
                    return Key(lambda _value: NEVER, NEVER)
                return self._field(CONNECTION[plain_name], {})
            case _:
                raise UnreadableError

    def _address_type(self, flags: Sequence[object]) -> Key:
        side, *limits = flags
        limit = {(): "", ("iif",): "in", ("oif",): "out"}[tuple(str(one) for one in limits)]
        where = {"saddr": "source", "daddr": "destination"}[str(side)]

        def test(value: object) -> Condition:
            if self.family == "ip6" and (value != "local" or limit):
                raise UnreadableError
            return AddressType(where, (str(value).upper(),), limit)  # type: ignore[arg-type]

        return Key(test)

    def _bits(self, left: object, op: str, right: object) -> Condition | None:
        """`key & mask == value`, and flags of which any may be set."""
        match left, op, right:
            case ({"&": [inner, mask]}, ("==" | "!="), _):
                pass
            case ({"payload": {"protocol": "tcp", "field": "flags"}}, ("in" | "!"), _):
                inner, mask = left, right
            case ({"ct": {"key": "state"}}, "!", _):
                # The bits of a set that the packet's state is none of.
                states = right if isinstance(right, list) else [right]
                return Not(CtStateIs(tuple(str(one).upper() for one in states)))
            case _:
                return None
        has: Condition
        found: Condition
        match inner:
            case {"meta": {"key": "mark"}}:
                has, found = ALWAYS, _masked(MarkIs, mask, right)
            case {"ct": {"key": "mark"}}:
                has, found = TRACKED, _masked(ConnectionMarkIs, mask, right)
            case {"payload": {"protocol": "tcp", "field": "flags"}} if op == "in":
                has, found = self.protocol(6), Not(FieldBits(Field.TCP_FLAGS, _flags(mask), 0))
            case {"payload": {"protocol": "tcp", "field": "flags"}} if op == "!":
                has, found = self.protocol(6), FieldBits(Field.TCP_FLAGS, _flags(mask), 0)
            case {"payload": {"protocol": "tcp", "field": "flags"}}:
                has, found = self.protocol(6), FieldBits(Field.TCP_FLAGS, _flags(mask), _flags(right))
            case {"payload": {"protocol": ("ip" | "ip6") as family, "field": ("saddr" | "daddr") as name}}:
                if family != self.family:
                    return NEVER
                field = Field.SOURCE if name == "saddr" else Field.DESTINATION
                has, found = ALWAYS, FieldBits(field, int(ip_address(str(mask))), int(ip_address(str(right))))
            case _:
                raise UnreadableError
        return AllOf((has, Not(found) if op == "!=" else found))


def unreadable() -> Condition:
    """Raises: where an expression must stand."""
    raise UnreadableError


def plain(value: object) -> object:
    """An element without its comment and time."""
    match value:
        case {"elem": {"val": inner}}:
            return inner
        case _:
            return value


def _masked(kind: Callable[[int, int], Condition], mask: object, right: object) -> Condition:
    return kind(_number(right, {}), _number(mask, {}))


def _flags(value: object) -> int:
    match value:
        case int():
            return value
        case str():
            return TCP_FLAGS[value]
        case {"|": [left, right]}:
            return _flags(left) | _flags(right)
        case [*parts]:
            return sum({_flags(part) for part in parts})
        case _:
            raise UnreadableError


def _number(value: object, names: Names) -> int:
    match value:
        case bool():
            raise UnreadableError
        case int():
            return value
        case str() if value in names:
            return names[value]
        case str() if value.count(":") == 5 and "." not in value and "::" not in value:
            return int(value.replace(":", ""), 16)
        case str():
            return int(value, 0) if value.isdigit() or value.startswith("0x") else int(ip_address(value))
        case _:
            raise UnreadableError


def _interval(value: object, names: Names) -> Interval:
    match value:
        case {"range": [low, high]}:
            return _number(low, names), _number(high, names)
        case {"prefix": {"addr": str(addr), "len": int(length)}}:
            net = ip_network(f"{addr}/{length}", strict=False)
            return int(net.network_address), int(net.broadcast_address)
        case _:
            number = _number(value, names)
            return number, number


def _pattern(value: object, *, exact: bool) -> str:
    if not isinstance(value, str):
        raise UnreadableError
    if value.endswith("+"):
        # Such a name would be a pattern in the words of iptables.
        raise UnreadableError
    return f"{value[:-1]}+" if value.endswith("*") and not exact else value


def _status(value: object) -> str:
    if value not in {"dnat", "snat"}:
        raise UnreadableError
    return str(value).upper()
