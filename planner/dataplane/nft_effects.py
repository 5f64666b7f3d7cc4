"""What a statement of nft does, in the core that targets of iptables are lowered to."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from planner.dataplane.nft_conditions import FULL, TRACKED
from planner.netfilter.condition import ALWAYS, Condition, Field
from planner.netfilter.effect import (
    Accept,
    Alter,
    Continue,
    Dnat,
    Drop,
    Effect,
    Goto,
    Jump,
    Masquerade,
    NatRange,
    Notrack,
    OpaqueTarget,
    Queue,
    Redirect,
    Reject,
    RestoreMark,
    Return,
    SaveMark,
    SetBits,
    SetConnectionMark,
    SetMark,
    Snat,
    Track,
)

SILENT = frozenset({"counter", "log", "comment", "last", "continue", "set", "map"})
"""Statements after which everything is as before; a set that is added to is not one that is asked (`dynamic`)."""
TEMPLATES = frozenset({"ct helper", "ct timeout", "ct expectation"})
KINDS = {
    "ip": {
        "net-unreachable": "icmp-net-unreachable", "host-unreachable": "icmp-host-unreachable",
        "prot-unreachable": "icmp-proto-unreachable", "port-unreachable": "icmp-port-unreachable",
        "net-prohibited": "icmp-net-prohibited", "host-prohibited": "icmp-host-prohibited",
        "admin-prohibited": "icmp-admin-prohibited",
    },
    "ip6": {
        "no-route": "icmp6-no-route", "admin-prohibited": "icmp6-adm-prohibited", "addr-unreachable": "icmp6-addr-unreachable",
        "port-unreachable": "icmp6-port-unreachable", "policy-fail": "icmp6-policy-fail",
    },
}  # fmt: skip
EITHER = {
    "no-route": ("net-unreachable", "no-route"), "port-unreachable": ("port-unreachable", "port-unreachable"),
    "host-unreachable": ("host-unreachable", "addr-unreachable"), "admin-prohibited": ("admin-prohibited", "admin-prohibited"),
}  # fmt: skip
"""What `icmpx` stands for (net/netfilter/nft_reject.c)."""
TOS = {("ip", "dscp"), ("ip6", "dscp")}
HOPS = {("ip", "ttl"), ("ip6", "hoplimit")}


def verdict_of(kind: str, body: object) -> Effect | None:
    """A verdict; None for a statement that is none."""
    match kind, body:
        case "accept", _:
            return Accept()
        case "drop", _:
            return Drop()
        case "return", _:
            return Return()
        case "continue", _:
            return Continue()
        case "jump", {"target": str(target)}:
            return Jump(target)
        case "goto", {"target": str(target)}:
            return Goto(target)
        case _:
            return None


def effect_of(kind: str, body: object, family: str, text: str) -> tuple[Condition, Effect]:
    """What a packet must have for the statement, and what it does; what is not modelled may do anything."""
    verdict = verdict_of(kind, body)
    if verdict is not None:
        return ALWAYS, verdict
    try:
        return _effect(kind, body, family) or (ALWAYS, OpaqueTarget(text))
    except (ValueError, KeyError, TypeError):
        return ALWAYS, OpaqueTarget(text)


def _effect(kind: str, body: object, family: str) -> tuple[Condition, Effect] | None:
    match kind, body:
        case "notrack", _:
            return ALWAYS, Notrack()
        case "queue", _:
            bypass = isinstance(body, dict) and "bypass" in str(body.get("flags", ""))
            return ALWAYS, Queue(bypass=bypass, text="queue")
        case "reject", _:
            return ALWAYS, Reject(_reject(body, family))
        case "mangle", {"key": key, "value": value}:
            return _mangle(key, value)
        case "masquerade", _:
            return ALWAYS, Masquerade(_range(body, family))
        case "redirect", _:
            return ALWAYS, Redirect(_range(body, family))
        case (("dnat" | "snat"), {**given}):
            # nft_nat_inet_eval(): packets of the other family go on.
            if given.get("family", family) != family:
                return ALWAYS, Continue()
            to = _range(body, family)
            return ALWAYS, Dnat(to) if kind == "dnat" else Snat(to)
        case _ if kind in TEMPLATES:
            return ALWAYS, Track(kind)
        case _:
            return None


def _reject(body: object, family: str) -> str:
    match body:
        case {"type": "tcp reset"}:
            return "tcp-reset"
        case {"type": "icmpx", "expr": str(name)}:
            return KINDS[family][EITHER[name][family == "ip6"]]
        case {"type": ("icmp" | "icmpv6"), "expr": str(name)}:
            return KINDS[family][name]
        case _:
            return KINDS[family]["port-unreachable"]


def _mangle(key: object, value: object) -> tuple[Condition, Effect] | None:
    match key, value:
        case {"meta": {"key": "mark"}}, {"ct": {"key": "mark"}}:
            # Without an entry the rule ends there (nft_ct.c, nft_ct_get_eval()).
            return TRACKED, RestoreMark(FULL, FULL)
        case {"meta": {"key": "mark"}}, _:
            kept, made = _computed(value, "meta")
            return ALWAYS, SetMark(made, FULL & ~kept)
        case {"ct": {"key": "mark"}}, {"meta": {"key": "mark"}}:
            return ALWAYS, SaveMark(FULL, FULL)
        case {"ct": {"key": "mark"}}, _:
            kept, made = _computed(value, "ct")
            return (TRACKED if kept else ALWAYS), SetConnectionMark(made, FULL & ~kept)
        case {"meta": {"key": ("nftrace" | "priority")}}, _:
            return ALWAYS, Alter("class")
        case {"payload": {"protocol": str(protocol), "field": str(name)}}, int(number):
            if (protocol, name) in TOS:
                return ALWAYS, SetBits(Field.TOS, number << 2, 0xFC)
            if (protocol, name) in HOPS:
                return ALWAYS, SetBits(Field.HOP_LIMIT, number, 0xFF)
            return None
        case _:
            return None


def _computed(value: object, whose: str) -> tuple[int, int]:
    """`(mark & kept) ^ made`."""
    match value:
        case bool():
            raise TypeError
        case int():
            return 0, value
        case {**one} if one == {whose: {"key": "mark"}}:
            return FULL, 0
        case {"&": [inner, int(mask)]}:
            kept, made = _computed(inner, whose)
            return kept & mask, made & mask
        case {"|": [inner, int(bits)]}:
            kept, made = _computed(inner, whose)
            return kept & ~bits, made | bits
        case {"^": [inner, int(bits)]}:
            kept, made = _computed(inner, whose)
            return kept, made ^ bits
        case _:
            raise TypeError


def _range(body: object, family: str) -> NatRange:
    given: Mapping[object, object] = body if isinstance(body, dict) else {}
    flags = given.get("flags", [])
    names = {str(one) for one in (flags if isinstance(flags, list) else [flags])}
    if names - {"random", "fully-random", "persistent"} or given.keys() - {"family", "addr", "port", "flags"}:
        raise ValueError(names)
    return NatRange(
        addresses=_addresses(given["addr"], family) if "addr" in given else None,
        ports=_ports(given["port"]) if "port" in given else None,
        random=bool(names & {"random", "fully-random"}),
        persistent="persistent" in names,
    )


def _addresses(value: object, family: str) -> tuple[int, int]:
    match value:
        case str():
            low = high = ip_address(value)
        case {"range": [str(first), str(last)]}:
            low, high = ip_address(first), ip_address(last)
        case {"prefix": {"addr": str(addr), "len": int(length)}}:
            net = ip_network(f"{addr}/{length}", strict=False)
            low, high = net.network_address, net.broadcast_address
        case _:
            raise TypeError
    if {low.version, high.version} != {4 if family == "ip" else 6}:
        raise ValueError(value)
    return int(low), int(high)


def _ports(value: object) -> tuple[int, int]:
    match value:
        case bool():
            raise TypeError
        case int():
            return value, value
        case {"range": [int(low), int(high)]}:
            return low, high
        case _:
            raise TypeError
