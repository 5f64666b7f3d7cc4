"""The parts of a rule, as read: addresses, links, protocol, extensions, where it leads."""

from dataclasses import dataclass

from planner.netfilter.extension import Use, Verbatim


@dataclass(frozen=True, slots=True)
class Prefix:
    """`-s` or `-d`."""

    value: int
    mask: int
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """`-i` or `-o`: a name, or the beginning of one with `+`."""

    pattern: str
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Protocol:
    """`-p`, by number."""

    number: int
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Jump:
    """`-j` to a verdict or a chain, or `-g`."""

    chain: str
    """ACCEPT, DROP, RETURN, QUEUE or a user chain."""
    goto: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in canonical form. What is None was not asked for."""

    family: str
    source: Prefix | None = None
    destination: Prefix | None = None
    in_interface: Interface | None = None
    out_interface: Interface | None = None
    protocol: Protocol | None = None
    fragment: bool | None = None
    """True for `-f`, False for `! -f`."""
    matches: tuple[Use | Verbatim, ...] = ()
    target: Jump | Use | Verbatim | None = None
