"""SNAT: another source for the flow."""

from dataclasses import dataclass

from planner.netfilter.condition import Interval
from planner.netfilter.effect import Effect, NatRange, Snat
from planner.netfilter.extension import Context, Kind, Option, Settings, Target, Use
from planner.netfilter.kinds import flag, number, port, read_address, show_address, show_interval
from planner.netfilter.names import service_ports
from planner.netfilter.problem import RuleError

WITH_PORTS = frozenset({1, 6, 17, 33, 58, 132})
"""icmp, tcp, udp, dccp, icmpv6, sctp (libxt_NAT.c, parse_to: `portok`)."""


@dataclass(frozen=True, slots=True)
class To:
    """`address[-address][:port[-port[/base]]]`."""

    addresses: Interval | None
    ports: Interval | None
    base: int | None = None


def need_ports(context: Context) -> None:
    """Ports make sense only for protocols that have them."""
    if context.protocol not in WITH_PORTS:
        raise RuleError("ports need `-p` tcp, udp, sctp or dccp")


def check_ports(to: To, context: Context) -> None:
    """As `need_ports`, when there are any."""
    if to.ports is not None:
        need_ports(context)


def split_ports(word: str, family: str) -> tuple[str, str]:
    """Addresses and ports; IPv6 puts addresses in brackets where ports follow."""
    if word.endswith(":") and not (family == "ip6" and word.endswith("::")):
        raise RuleError(f"`{word}` ends without a port")
    if family == "ip":
        addresses, _, ports = word.partition(":")
        return addresses, ports
    if word.startswith("["):
        addresses, closed, rest = word[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise RuleError(f"`{word}`: what follows the bracket is not a port")
        return addresses, rest[1:]
    if word.startswith(":") and not word.startswith("::"):
        return "", word[1:]
    return word, ""


def read_ports(word: str) -> tuple[Interval, int | None]:
    """`port`, `low-high` or `low-high/base`; names only alone."""
    span, shifted, base_word = word.partition("/")
    first, ranged, second = span.partition("-")
    if not ranged or span in service_ports():
        if shifted:
            raise RuleError("a base needs a range of ports")
        low = port(span)
        return (low, low), None
    low, high = number(first, 0, 0xFFFF), number(second, 0, 0xFFFF)
    if low > high:
        raise RuleError(f"ports `{word}` run backwards")
    return (low, high), port(base_word, 1) or None if shifted else None


def read(words: tuple[str, ...], family: str) -> To:
    """One range of addresses and one of ports."""
    address_word, port_word = split_ports(words[0], family)
    addresses: Interval | None = None
    if address_word:
        first, ranged, second = address_word.partition("-")
        low = read_address(first, family)
        addresses = (low, read_address(second, family) if ranged else low)
    if not port_word:
        if addresses is None:
            raise RuleError("neither an address nor a port is given")
        return To(addresses, None)
    ports, base = read_ports(port_word)
    return To(addresses, ports, base)


def show(value: To, family: str) -> str:
    """Equal ends are printed once."""
    text = ""
    if value.addresses is not None:
        low, high = (show_address(end, family) for end in value.addresses)
        text = low if low == high else f"{low}-{high}"
        if value.ports is not None and family == "ip6":
            text = f"[{text}]"
    if value.ports is not None:
        text += f":{show_interval(value.ports, '-')}"
        if value.base is not None:
            text += f"/{value.base}"
    return text


NAT_RANGE = Kind(read=read, show=show)
TO = Option("to-source", NAT_RANGE)


def nat_range(use: Use, option: Option[To]) -> NatRange:
    """For the effect."""
    to = option.of(use) or To(None, None)
    names = {setting.name for setting in use.settings}
    return NatRange(
        addresses=to.addresses,
        ports=to.ports,
        base_port=to.base,
        random=not names.isdisjoint({"random", "random-fully"}),
        persistent="persistent" in names,
    )


def settle(given: Settings, context: Context) -> Settings:
    """Ports need a protocol that has them."""
    for setting in given:
        if setting.name == TO.name:
            check_ports(setting.value, context)
            if setting.value.base is not None:
                raise RuleError("a base port belongs to DNAT")
    return given


def effect(use: Use, _context: Context) -> Effect:
    """Where from."""
    return Snat(nat_range(use, TO))


EXTENSION = Target(
    name="SNAT",
    options=(TO, Option("random", flag()), Option("random-fully", flag()), Option("persistent", flag())),
    required=("to-source",),
    settle=settle,
    effect=effect,
)
