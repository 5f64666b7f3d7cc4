"""Constants of nft by their data type: read from a word, in the JSON form, as nft prints them, and as numbers that sort."""

from ipaddress import IPv4Address, IPv6Address, ip_network

from planner.netfilter.names import GROUPS, PROTOCOL_NAMES, USERS, protocol_numbers, service_ports
from planner.nft.problem import NotReadError, RefusedError

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]
"""What `nft -j` is made of."""

ICMP_TYPES = {
    "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
    "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16, "address-mask-request": 17,
    "address-mask-reply": 18,
}  # fmt: skip
ICMP6_TYPES = {
    "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128,
    "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132,
    "mld-listener-reduction": 132, "nd-router-solicit": 133, "nd-router-advert": 134, "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136, "nd-redirect": 137, "router-renumbering": 138, "ind-neighbor-solicit": 141,
    "ind-neighbor-advert": 142, "mld2-listener-report": 143,
}  # fmt: skip
CODE_POINTS = {
    **{f"cs{one}": one * 8 for one in range(8)}, "df": 0, "be": 0, "lephb": 1, "ef": 46, "va": 44,
    **{f"af{one}{other}": one * 8 + other * 2 for one in range(1, 5) for other in range(1, 4)},
}  # fmt: skip
SYMBOLS: dict[str, dict[str, int]] = {
    "icmp_type": ICMP_TYPES,
    "icmpv6_type": ICMP6_TYPES,
    "icmp_code": {
        "net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3, "frag-needed": 4,
        "net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13,
    },
    "icmpv6_code": {
        "no-route": 0, "admin-prohibited": 1, "addr-unreachable": 3, "port-unreachable": 4, "policy-fail": 5,
        "reject-route": 6,
    },
    "dscp": CODE_POINTS,
    "ecn": {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3},
    "pkt_type": {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3},
    "nf_proto": {"ipv4": 2, "ipv6": 10},
    "ether_type": {"ip": 0x0800, "arp": 0x0806, "ip6": 0x86DD, "8021q": 0x8100, "vlan": 0x8100, "8021ad": 0x88A8},
    "ct_dir": {"original": 0, "reply": 1},
    "fib_addrtype": {
        "unspec": 0, "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5, "blackhole": 6,
        "unreachable": 7, "prohibit": 8,
    },
    "devgroup": {"default": 0},
}  # fmt: skip
FLAGS: dict[str, dict[str, int]] = {
    "ct_state": {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64},
    "ct_status": {"expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32, "dying": 512},
    "tcp_flag": {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128},
}  # fmt: skip
"""Data types of single bits: a list of them asks for any, an address of the set for exactly those."""
ADDRESSES = {"ipv4_addr": 32, "ipv6_addr": 128}
WIDTHS = {
    **ADDRESSES, "inet_service": 16, "inet_proto": 8, "mark": 32, "icmp_type": 8, "icmpv6_type": 8, "icmp_code": 8,
    "icmpv6_code": 8, "icmpx_code": 8, "dscp": 6, "ecn": 2, "ether_addr": 48, "uid": 32, "gid": 32,
}  # fmt: skip
NAMES = frozenset({"ifname", "string", "iface_index"})
LONGEST_NAME = 15


def name_of(kind: str, number: int) -> str:
    """The symbol that nft prints for a number; empty when there is none."""
    if kind == "inet_proto":
        return PROTOCOL_NAMES.get(number, "")
    return next((name for name, value in SYMBOLS.get(kind, {}).items() if value == number), "")


def read_constant(word: str, kind: str) -> Json:
    """One constant in the JSON form, a prefix too. Raises NotReadError or RefusedError."""
    if kind in ADDRESSES:
        return _address(word, kind)
    if kind in NAMES:
        if kind != "string" and len(word.replace("\\", "")) > LONGEST_NAME:
            raise RefusedError(f"`{word}` is longer than the name of a link can be")
        return word
    if kind == "ether_addr":
        parts = word.lower().split(":")
        if len(parts) != 6:
            raise NotReadError(word)
        return ":".join(part.zfill(2) for part in parts)
    if kind in FLAGS:
        if word in FLAGS[kind]:
            return word
        number = _number(word)
        single = [name for name, bit in FLAGS[kind].items() if bit == number]
        if not single:
            raise NotReadError(word)
        return single[0]
    if kind == "boolean":
        if word in {"exists", "1"}:
            return True
        if word in {"missing", "0"}:
            return False
        raise NotReadError(word)
    number = _numeric(word, kind)
    width = WIDTHS.get(kind, 64)
    if number >= 1 << width:
        raise RefusedError(f"`{word}` does not fit: the largest value is {(1 << width) - 1}")
    return name_of(kind, number) or number


def _numeric(word: str, kind: str) -> int:
    if kind == "inet_service":
        return service_ports()[word] if word in service_ports() else _number(word)
    if kind == "inet_proto":
        return protocol_numbers()[word] if word in protocol_numbers() else _number(word)
    if kind in {"uid", "gid"}:
        known = USERS if kind == "uid" else GROUPS
        return known[word] if word in known else _number(word)
    symbols = SYMBOLS.get(kind, {})
    return symbols[word] if word in symbols else _number(word)


def _number(word: str) -> int:
    try:
        return int(word, 16) if word.lower().startswith("0x") else int(word)
    except ValueError as error:
        raise NotReadError(word) from error


def _address(word: str, kind: str) -> Json:
    width = ADDRESSES[kind]
    host, slash, length = word.partition("/")
    if (":" in host) != (width == 128) or (width == 32 and host.count(".") != 3):
        raise NotReadError(word)
    if slash and not length.isdigit():
        raise NotReadError(word)
    try:
        if slash and int(length) < width:
            net = ip_network(word, strict=False)
            return {"prefix": {"addr": shown_address(int(net.network_address), kind), "len": net.prefixlen}}
        address = IPv4Address(host) if width == 32 else IPv6Address(host)
    except ValueError as error:
        raise NotReadError(word) from error
    if slash and int(length) > width:
        raise RefusedError(f"`{word}`: a prefix is at most {width} bits long")
    return shown_address(int(address), kind)


def shown_address(number: int, kind: str) -> str:
    """As inet_ntop(3) writes it: the last four octets in dots where an IPv4 address is within."""
    if kind == "ipv4_addr":
        return str(IPv4Address(number))
    words = [number >> (112 - 16 * at) & 0xFFFF for at in range(8)]
    if not any(words[:6]) and words[6]:
        return f"::{IPv4Address(number & 0xFFFFFFFF)}"
    if not any(words[:5]) and words[5] == 0xFFFF:
        return f"::ffff:{IPv4Address(number & 0xFFFFFFFF)}"
    return str(IPv6Address(number))


def number_of(value: Json, kind: str, *, within_intervals: bool = False) -> int:
    """What it sorts by. Names of links are numbers of the machine's order, or the network's among intervals (measured)."""
    match value:
        case bool():
            return int(value)
        case int():
            return value
        case str() if kind in ADDRESSES:
            return int(IPv4Address(value) if kind == "ipv4_addr" else IPv6Address(value))
        case str() if kind in NAMES:
            return _name_number(value, within_intervals=within_intervals)
        case str() if kind == "ether_addr":
            return int(value.replace(":", ""), 16)
        case str() if kind in FLAGS and value in FLAGS[kind]:
            return FLAGS[kind][value]
        case str():
            return _numeric(value, kind)
        case _:
            raise NotReadError(str(value))


def _name_number(name: str, *, within_intervals: bool) -> int:
    octets = name.removesuffix("*").encode()
    if within_intervals:
        return int.from_bytes(octets.ljust(16, b"\0"), "big")
    return int.from_bytes(octets, "little")


def interval_of(value: Json, kind: str) -> tuple[int, int]:
    """The first and the last number."""
    match value:
        case {"prefix": {"addr": str(addr), "len": int(length)}}:
            low = number_of(addr, kind)
            return low, low + (1 << (ADDRESSES[kind] - length)) - 1
        case {"range": [low_value, high_value]}:
            return number_of(low_value, kind), number_of(high_value, kind)
        case _:
            number = number_of(value, kind)
            return number, number


def interval_value(low: int, high: int, kind: str) -> Json:
    """An interval in the JSON form: one value, a prefix where addresses make one, or a range."""
    if low == high:
        return _value(low, kind)
    size = high - low + 1
    if kind in ADDRESSES and not size & (size - 1) and not low & (size - 1):
        return {"prefix": {"addr": shown_address(low, kind), "len": ADDRESSES[kind] - size.bit_length() + 1}}
    return {"range": [_value(low, kind), _value(high, kind)]}


def _value(number: int, kind: str) -> Json:
    if kind in ADDRESSES:
        return shown_address(number, kind)
    if kind == "ether_addr":
        return ":".join(f"{octet:02x}" for octet in number.to_bytes(6, "big"))
    return name_of(kind, number) or number


def constant_text(value: Json, kind: str) -> str:
    """As `nft list ruleset` prints it."""
    match value:
        case True:
            return "exists"
        case False:
            return "missing"
        case int() if kind in {"mark", "realm"}:
            return f"0x{value:08x}"
        case int() if kind == "dscp":
            return f"0x{value:02x}"
        case str() if kind in NAMES:
            return f'"{value}"' if value != "*" else value
        case int() | str():
            return str(value)
        case {"range": [low, high]}:
            # In a range codes and types are printed as numbers (expression.c, range_expr_print).
            parts = [
                str(number_of(one, kind)) if kind not in ADDRESSES and isinstance(one, str) and kind in SYMBOLS
                else constant_text(one, kind)
                for one in (low, high)
            ]  # fmt: skip
            return "-".join(parts)
        case {"prefix": {"addr": addr, "len": length}}:
            return f"{addr}/{length}"
        case _:
            raise NotReadError(str(value))
