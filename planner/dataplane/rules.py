"""Tables of rules as a walk needs them: lowered when first met, and large chains ordered by destination."""

import re
from collections.abc import Iterator
from functools import lru_cache
from heapq import merge
from ipaddress import ip_address

from planner.models.ruleset import Ruleset, Table
from planner.netfilter.condition import (
    AllOf,
    Condition,
    ConnectionMarkIs,
    CtStateIs,
    FieldBits,
    FieldIn,
    Not,
    OneOf,
)
from planner.netfilter.effect import (
    Dnat,
    Masquerade,
    Netmap,
    Redirect,
    RestoreMark,
    SaveMark,
    SetConnectionMark,
    Snat,
    Track,
)
from planner.netfilter.lower import lower_text

LARGE = 32
"""A chain with more rules is indexed."""
ONE_DESTINATION = re.compile(r"^(?:(?:! )?-s \S+ )?-d ([0-9a-fA-F.:]+)/(32|128)(?= |$)")
ONE_PORT = re.compile(
    r'^-p (tcp|udp) (?:-m comment --comment (?:"(?:[^"\\]|\\.)*"|[^" ]+) )?-m \1 --dport (\d+)(?= |$)'
)
"""Anchored, because a comment may hold anything."""
TRACKED = re.compile(
    r"-m (?:conntrack|state|connmark|connlabel|connbytes|connlimit|helper|cluster)\b"
    r"|-j (?:SNAT|DNAT|MASQUERADE|REDIRECT|NETMAP|CONNMARK|CT|CONNSECMARK|SYNPROXY|CLUSTERIP)\b"
)
"""Extensions that make the kernel track flows (`nf_ct_netns_get` in their checkentry)."""
OTHER_USERS = re.compile(
    r"-m (?:connlabel|connbytes|connlimit|helper|cluster) |-j (?:CONNSECMARK|SYNPROXY|CLUSTERIP)( |$)"
)

Rule = tuple[int, str]
"""1-based position, and text."""


class Chain:
    """One chain."""

    def __init__(self, rules: tuple[str, ...]) -> None:
        self.rules = rules
        self._addresses: dict[int, list[Rule]] | None = None
        self._ports: dict[int, list[Rule]] | None = None
        self._others: list[Rule] = []

    def candidates(self, destination: int, port: int | None) -> Iterator[Rule]:
        """The rules, in order, without those that ask for another single destination, or for another port."""
        if len(self.rules) <= LARGE:
            return enumerate(self.rules, 1)
        if self._addresses is None or self._ports is None:
            self._addresses, self._ports = self._index()
        if port is None:
            return enumerate(self.rules, 1)
        mine = [found for found in (self._addresses.get(destination), self._ports.get(port)) if found]
        return merge(self._others, *mine) if mine else iter(self._others)

    def _index(self) -> tuple[dict[int, list[Rule]], dict[int, list[Rule]]]:
        addresses: dict[int, list[Rule]] = {}
        ports: dict[int, list[Rule]] = {}
        for place, text in enumerate(self.rules, 1):
            single = ONE_DESTINATION.match(text)
            if single and (single.group(2) == "128") == (":" in single.group(1)):
                addresses.setdefault(_number(single.group(1)), []).append((place, text))
            elif (asked := ONE_PORT.match(text)) is not None:
                ports.setdefault(int(asked.group(2)), []).append((place, text))
            else:
                self._others.append((place, text))
        return addresses, ports


def _number(address: str) -> int:
    """An address of a canonical rule; far faster than ipaddress for tens of thousands."""
    if ":" in address:
        return int(ip_address(address))
    value = 0
    for part in address.split("."):
        value = value << 8 | int(part)
    return value


class _SameRules:
    """The rules of a chain by identity: states share what does not differ."""

    def __init__(self, rules: tuple[str, ...]) -> None:
        self.rules = rules

    def __hash__(self) -> int:
        return id(self.rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameRules) and other.rules is self.rules


@lru_cache(maxsize=64)
def _large(same: _SameRules) -> Chain:
    """The index of a large chain is made once, however many states have it."""
    return Chain(same.rules)


class RuleTable:
    """One table of one backend."""

    def __init__(self, family: str, backend: str, table: Table) -> None:
        self.family = family
        self.backend = backend
        self.name = table.name
        self.policies = table.policies
        self._texts = table.chains
        self._chains: dict[str, Chain] = {}

    def chain(self, name: str) -> Chain | None:
        """The chain of that name."""
        if name not in self._chains:
            if name not in self._texts:
                return None
            rules = self._texts[name]
            self._chains[name] = _large(_SameRules(rules)) if len(rules) > LARGE else Chain(rules)
        return self._chains[name]

    def is_idle(self, base: str) -> bool:
        """Whether the base chain lets everything pass untouched because it is not there or has no rule."""
        return not self._texts.get(base) and self.policies.get(base, "ACCEPT") == "ACCEPT"


def uses_conntrack(ruleset: Ruleset) -> bool:
    """Whether a rule of it makes the kernel track flows. Also one that no packet reaches: it counts when it is loaded."""
    for table in ruleset.tables.values():
        for rules in table.chains.values():
            for text in rules:
                if TRACKED.search(text) and _tracks(text, ruleset.family):
                    return True
    return False


@lru_cache(maxsize=4096)
def _tracks(text: str, family: str) -> bool:
    """The words may have stood in a comment."""
    lowered = lower_text(text, family)
    match lowered.effect:
        # `CT --notrack` alone asks for no tracking (net/netfilter/xt_CT.c, xt_ct_tg_check).
        case Dnat() | Snat() | Masquerade() | Redirect() | Netmap() | Track():
            return True
        case SetConnectionMark() | SaveMark() | RestoreMark():
            return True
        case _:
            without = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
            return any(map(_asks_conntrack, lowered.conditions)) or bool(OTHER_USERS.search(without))


def _asks_conntrack(condition: Condition) -> bool:
    match condition:
        case CtStateIs() | ConnectionMarkIs():
            return True
        case FieldIn(field=name) | FieldBits(field=name):
            return name.name.startswith("CT_")
        case Not(condition=inner):
            return _asks_conntrack(inner)
        case OneOf(conditions=parts) | AllOf(conditions=parts):
            return any(map(_asks_conntrack, parts))
        case _:
            return False
