"""Kinds of option values that many extensions share."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from planner.netfilter.condition import Interval
from planner.netfilter.extension import Kind
from planner.netfilter.names import protocol_numbers, service_ports
from planner.netfilter.problem import NodeDependentError, RuleError
from planner.netfilter.words import in_quotes, save_string

NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
HOST = re.compile(r"(?=.*[a-zA-Z])[a-zA-Z0-9][a-zA-Z0-9.-]*")
OCTETS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}")
Masked = tuple[int, int]
"""Value and mask."""


def number(word: str, low: int, high: int) -> int:
    """A number as strtoul reads it with base 0: decimal, 0x hexadecimal, 0 octal."""
    if not NUMBER.fullmatch(word) or not word.isascii():
        raise RuleError(f"`{word}` is not a number")
    if len(word) > 40:
        raise RuleError(f"`{word[:20]}…` is too large")
    try:
        value = int(word, 16 if word[:2] in {"0x", "0X"} else 8 if word[0] == "0" and len(word) > 1 else 10)
    except ValueError:
        raise RuleError(f"`{word}` is not a number") from None
    if not low <= value <= high:
        raise RuleError(f"`{word}` is not between {low} and {high}")
    return value


def flag() -> Kind[bool]:
    """An option without a value."""
    return Kind(read=lambda _words, _family: True, show=lambda _value, _family: "", words=0)


def integer(low: int = 0, high: int = 0xFFFFFFFF, form: str = "d") -> Kind[int]:
    """A number, printed in a format such as `d`, `#x` or `#04x`."""
    return Kind(
        read=lambda words, _family: number(words[0], low, high),
        show=lambda value, _family: format(value, form),
    )


def read_interval(
    word: str,
    low: int,
    high: int,
    separator: str,
    read: Callable[[str, int, int], int],
    *,
    backward: bool = False,
) -> Interval:
    """`a`, `a:b`, `a:`, `:b` or `:`. With `backward` also one that no value lies in, where iptables 1.8.9 takes it (measured)."""
    first, found, second = word.partition(separator)
    if not found:
        value = read(first, low, high)
        return value, value
    start = read(first, low, high) if first else low
    end = read(second, low, high) if second else high
    if start > end and not backward:
        raise RuleError(f"`{word}` runs backwards")
    return start, end


def show_interval(value: Interval, separator: str = ":") -> str:
    """One number when both ends are the same."""
    return str(value[0]) if value[0] == value[1] else f"{value[0]}{separator}{value[1]}"


def interval(
    low: int = 0, high: int = 0xFFFFFFFF, separator: str = ":", *, backward: bool = False
) -> Kind[Interval]:
    """A range of numbers."""
    return Kind(
        read=lambda words, _family: read_interval(words[0], low, high, separator, number, backward=backward),
        show=lambda value, _family: show_interval(value, separator),
    )


def port(word: str, low: int = 0, high: int = 0xFFFF) -> int:
    """A port by number or well-known name."""
    if word[:1].isdigit():
        return number(word, low, high)
    found = service_ports().get(word)
    if found is None:
        raise NodeDependentError(f"`{word}` is neither a port nor a well-known service; write the number")
    return found


def port_interval(*, backward: bool = False) -> Kind[Interval]:
    """A port or a range of ports."""
    return Kind(
        read=lambda words, _family: read_interval(words[0], 0, 0xFFFF, ":", port, backward=backward),
        show=lambda value, _family: show_interval(value),
    )


def is_any_port(value: Interval) -> bool:
    """Every port."""
    return value == (0, 0xFFFF)


def is_any_32(value: Interval) -> bool:
    """Every 32-bit number."""
    return value == (0, 0xFFFFFFFF)


def read_masked(word: str, high: int = 0xFFFFFFFF) -> Masked:
    """`value[/mask]`; without a mask every bit counts."""
    value, found, mask = word.partition("/")
    return number(value, 0, high), number(mask, 0, high) if found else high


def show_masked(value: Masked, _family: str = "", high: int = 0xFFFFFFFF) -> str:
    """Hexadecimal; a full mask is not printed."""
    return f"{value[0]:#x}" if value[1] == high else f"{value[0]:#x}/{value[1]:#x}"


def masked_mark() -> Kind[Masked]:
    """A mark, its mask printed only when it matters."""
    return Kind(read=lambda words, _family: read_masked(words[0]), show=show_masked)


def full_mark() -> Kind[Masked]:
    """A mark with its mask, always both printed."""
    return Kind(
        read=lambda words, _family: read_masked(words[0]),
        show=lambda value, _family: f"{value[0]:#x}/{value[1]:#x}",
    )


def string(
    low: int = 0, high: int = 0xFFFF, quote: Callable[[str], str] = save_string, cut: int = 0
) -> Kind[str]:
    """Free text; `high` octets at most, or cut to `cut` octets as iptables does with a prefix."""

    def read(words: tuple[str, ...], _family: str) -> str:
        octets = len(words[0].encode(errors="surrogateescape"))
        if octets < low:
            raise RuleError("an empty text is refused")
        if octets > high:
            raise RuleError(f"the text has {octets} octets, more than {high}")
        if cut and octets > cut:
            return words[0].encode(errors="surrogateescape")[:cut].decode(errors="surrogateescape")
        return words[0]

    return Kind(read=read, show=lambda value, _family: quote(value))


def bare(low: int = 1, high: int = 0xFFFF) -> Kind[str]:
    """A name, printed without quotes whatever it holds."""
    return string(low, high, quote=str)


def always_quoted(low: int = 0, high: int = 0xFFFF) -> Kind[str]:
    """Text, printed with quotes whatever it holds."""
    return string(low, high, quote=in_quotes)


def choice(names: Iterable[str], *, fold: bool = True) -> Kind[str]:
    """One of some words, printed as they stand here."""
    known = {(name.lower() if fold else name): name for name in names}

    def read(words: tuple[str, ...], _family: str) -> str:
        word = words[0].lower() if fold else words[0]
        if word not in known:
            raise RuleError(f"`{words[0]}` is none of {', '.join(known.values())}")
        return known[word]

    return Kind(read=read, show=lambda value, _family: value)


def some_of(names: Iterable[str]) -> Kind[tuple[str, ...]]:
    """A comma-separated choice of names or their beginnings, printed in the order they have here."""
    order = tuple(names)

    def read(words: tuple[str, ...], _family: str) -> tuple[str, ...]:
        given = set()
        for word in words[0].split(","):
            fitting = [name for name in order if name == word.upper()]
            fitting = fitting or [name for name in order if word and name.upper().startswith(word.upper())]
            if len(fitting) != 1:
                raise RuleError(f"`{word}` is not one of {', '.join(order)}")
            given.add(fitting[0])
        return tuple(name for name in order if name in given)

    return Kind(read=read, show=lambda value, _family: ",".join(value))


def named(names: Mapping[str, int], low: int, high: int, *, fold: bool = True) -> Kind[int]:
    """A number or one of its names, printed as a number."""

    def read(words: tuple[str, ...], _family: str) -> int:
        known = names.get(words[0].lower() if fold else words[0])
        return number(words[0], low, high) if known is None else known

    return Kind(read=read, show=lambda value, _family: str(value))


def protocol(word: str, low: int = 0, high: int = 255) -> int:
    """A protocol by number or name."""
    if word[:1].isdigit():
        return number(word, low, high)
    found = protocol_numbers().get(word.lower())
    if found is None:
        raise RuleError(f"unknown protocol `{word}`")
    return found


def bits(family: str) -> int:
    """Bits of an address."""
    return 32 if family == "ip" else 128


@cache
def whole(family: str) -> int:
    """The mask of one address."""
    return (1 << bits(family)) - 1


def read_address(word: str, family: str, *, short: bool = False) -> int:
    """One address. `short`: missing octets are zeros on the right, as in `10/8`."""
    if family == "ip":
        if OCTETS.fullmatch(word) and (short or word.count(".") == 3):
            parts = [int(part) for part in word.split(".")]
            if max(parts) > 255:
                raise RuleError(f"`{word}` is not an address")
            parts += [0] * (4 - len(parts))
            return parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3]
        if short and word[:2] in {"0x", "0X"}:
            return number(word, 0, 0xFFFFFFFF)
        if word == "localhost":
            return 0x7F000001
    else:
        if word == "localhost":
            return 1
        try:
            if "%" not in word:
                return int(ipaddress.IPv6Address(word))
        except ValueError:
            pass
    if HOST.fullmatch(word) and not OCTETS.fullmatch(word):
        raise NodeDependentError(f"`{word}` is a host name, which the node that loads the rule looks up")
    raise RuleError(f"`{word}` is not an address of this family")


def read_mask(word: str, family: str) -> int:
    """A prefix length or a mask."""
    most = bits(family)
    if word.isdecimal() and word.isascii():
        length = int(word) if len(word) < 5 else most + 1
        if length > most:
            raise RuleError(f"`/{word}` is longer than an address")
        return whole(family) ^ (whole(family) >> length)
    if family == "ip":
        if word.count(".") != 3:
            raise RuleError(f"`/{word}` is not a mask")
        return read_address(word, family)
    return read_address(word, family)


def show_address(value: int, family: str) -> str:
    """As inet_ntop prints it: mapped and compatible IPv4 addresses keep their dots."""
    if family == "ip":
        return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
    if value >> 32 == 0xFFFF:
        return f"::ffff:{show_address(value & 0xFFFFFFFF, 'ip')}"
    if value >> 32 == 0 and value >> 16:
        return f"::{show_address(value, 'ip')}"
    return str(ipaddress.IPv6Address(value))


def prefix_length(mask: int, family: str) -> int | None:
    """Length, when the mask is a prefix."""
    host = whole(family) ^ mask
    return bits(family) - host.bit_length() if host & (host + 1) == 0 else None


def read_prefix(word: str, family: str, *, keep_host: bool = False) -> Masked:
    """`address[/length or mask]`, host bits cleared unless the kernel is given them too."""
    base, found, mask_word = word.partition("/")
    mask = read_mask(mask_word, family) if found else whole(family)
    value = read_address(base, family, short=True)
    return value if keep_host else value & mask, mask


def show_prefix(value: Masked, family: str) -> str:
    """With the length, or the mask when it is none."""
    length = prefix_length(value[1], family)
    return f"{show_address(value[0], family)}/{show_address(value[1], family) if length is None else length}"


def prefix(*, bare_host: bool = False, keep_host: bool = False) -> Kind[Masked]:
    """An address with mask; `bare_host`: a single address is printed without `/32`."""

    def show(value: Masked, family: str) -> str:
        if bare_host and value[1] == whole(family):
            return show_address(value[0], family)
        return show_prefix(value, family)

    return Kind(read=lambda words, family: read_prefix(words[0], family, keep_host=keep_host), show=show)


def address() -> Kind[int]:
    """One address."""
    return Kind(read=lambda words, family: read_address(words[0], family), show=show_address)


def address_interval() -> Kind[Interval]:
    """`from-to`, always printed with both ends."""

    def read(words: tuple[str, ...], family: str) -> Interval:
        first, found, second = words[0].partition("-")
        low = read_address(first, family)
        return low, read_address(second, family) if found else low

    return Kind(
        read=read,
        show=lambda value, family: f"{show_address(value[0], family)}-{show_address(value[1], family)}",
    )


def interface(word: str) -> str:
    """A link's name or the beginning of one with `+`; 15 octets fit the kernel (IFNAMSIZ)."""
    if not word:
        raise RuleError("an empty interface name is refused")
    if len(word.encode(errors="surrogateescape")) > 15:
        raise RuleError(f"interface name `{word}` has more than 15 characters")
    return word


def link() -> Kind[str]:
    """A link's name."""
    return Kind(read=lambda words, _family: interface(words[0]), show=lambda value, _family: value)
