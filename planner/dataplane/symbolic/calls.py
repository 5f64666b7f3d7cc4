"""Who calls which chain of a table, what its rules translate to, and which of them may do anything."""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from functools import cached_property
from ipaddress import IPv6Address
from itertools import accumulate
from itertools import chain as joined
from typing import Protocol

from planner.dataplane.symbolic.native_region import NativeCalls
from planner.dataplane.symbolic.shapes import packed
from planner.models.ruleset import Table
from planner.netfilter.differing import differing
from planner.netfilter.effect import (
    Accept,
    Alter,
    Continue,
    Drop,
    Goto,
    Jump,
    Log,
    Masquerade,
    Notrack,
    Reject,
    RestoreMark,
    Return,
    SaveMark,
    SetBits,
    SetConnectionMark,
    SetMark,
    Shift,
    Snat,
    Track,
    UpdateSet,
)
from planner.netfilter.lower import lower_text

BASE = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})
SINGLE = re.compile(
    r"DNAT --to-destination (\d+\.\d+\.\d+\.\d+|\[?[0-9a-f:]+\]?)(?::(\d+))?(?: --persistent| --random)*$"
)
TAME = frozenset(
    {
        "ACCEPT", "DROP", "RETURN", "REJECT", "MARK", "CONNMARK", "LOG", "NFLOG", "SNAT", "MASQUERADE", "CT", "NOTRACK",
        "TCPMSS", "CHECKSUM", "CLASSIFY", "SET", "TRACE", "AUDIT", "TTL", "TOS", "DSCP", "ECN", "SECMARK", "CONNSECMARK",
    }
)  # fmt: skip
"""Targets that leave addresses and ports alone before a packet is routed."""

TAME_EFFECTS = (
    Accept, Drop, Return, Continue, Jump, Goto, Reject, SetMark, SetConnectionMark, SaveMark, RestoreMark, Snat,
    Masquerade, Log, Notrack, Track, UpdateSet, Alter, SetBits, Shift,
)  # fmt: skip
FIRST = "DNAT --to-destination "
UNUSUAL = re.compile(rf"^(?!{FIRST}\d+\.\d+\.\d+\.\d+(?::\d+)?$).+$", re.MULTILINE)
"""Among texts that begin with `FIRST`: all but those of IPv4 without options."""
Site = tuple[str, int]
"""A chain, and a position in it."""
NO_PORT = ""
"""Of translations that leave the port as it is."""


class Callers(Protocol):
    """Who calls which chain."""

    def get(self, name: str) -> list[Site]:
        """The rules that call a chain."""
        ...

    def within(self, name: str, most: int) -> list[Site] | None:
        """The same, or None where they are more than so many."""
        ...


class Tails:
    """Callers of a table: every rule is known by its last word, and looked for when its chain is asked for."""

    def __init__(
        self, tails: list[str], more: Mapping[str, list[int]], site: Callable[[int], Site], *, plain: bool
    ) -> None:
        self._tails = tails
        self._more = more
        self._site = site
        self._plain = plain
        """Whether a last word that is a chain's name is a call; otherwise only `more` tells."""
        self.first = dict(zip(reversed(tails), range(len(tails) - 1, -1, -1), strict=True))
        """Where each last word stands for the first time."""

    @cached_property
    def _again(self) -> dict[str, list[int]]:
        """Where those that stand there several times stand again."""
        first = self.first
        found: dict[str, list[int]] = {}
        for at in [at for at, tail in enumerate(self._tails) if first[tail] != at]:
            found.setdefault(self._tails[at], []).append(at)
        return found

    def ending(self, tail: str) -> list[int]:
        """The rules with a last word, in order."""
        first = self.first.get(tail)
        return [] if first is None else [first, *self._again.get(tail, ())]

    def _places(self, name: str) -> list[int]:
        plainly = self.ending(name) if self._plain else ()
        return sorted([*plainly, *self._more.get(name, ())])

    def get(self, name: str) -> list[Site]:
        """The rules that call a chain."""
        return [self._site(at) for at in self._places(name)]

    def within(self, name: str, most: int) -> list[Site] | None:
        """The same, or None where they are more than so many."""
        places = self._places(name)
        return [self._site(at) for at in places] if len(places) <= most else None


class Both:
    """Callers of a table that differs from another in some of its chains."""

    def __init__(self, own: Callers, base: Callers, differing: Container[str], rules: int) -> None:
        self._own = own
        self._base = base
        self._differing = differing
        self._rules = rules
        """Of the other's chains that differ."""

    def get(self, name: str) -> list[Site]:
        """The rules that call a chain."""
        kept = [site for site in self._base.get(name) if site[0] not in self._differing]
        return [*kept, *self._own.get(name)]

    def within(self, name: str, most: int) -> list[Site] | None:
        """The same, or None where they are more than so many."""
        # Of more than these there are too many, even without all that differ.
        if self._base.within(name, most + self._rules) is None:
            return None
        found = self.get(name)
        return found if len(found) <= most else None


class Jumps:
    """One pass over a table: who calls which chain, what is translated to what, and what may do anything."""

    def __init__(
        self, table: Table, family: str, chains: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self._family = family
        held = table.chains if chains is None else chains
        self._names = list(held)
        self._starts = [0, *accumulate(map(len, held.values()))]
        texts = [*joined.from_iterable(held.values())]
        # A rule ends with its target and what belongs to it. A text without one begins with an option, and no chain is called so.
        tails = [text.rpartition("-j ")[2] for text in texts]
        named = table.chains
        # Words within quotes may look like a target: such a text, or one with the last quote behind it, is read as a whole.
        plain = not any('"' in name or "\\" in name for name in named)
        self._odd: dict[str, list[int]] = {}
        """Translations, by the target's text."""
        self._called: dict[str, list[int]] = {}
        self._wild: list[int] = []
        self._above: dict[str, frozenset[str]] = {}
        self._led: dict[tuple[str, str], dict[int, list[int]]] = {}
        self._words = Tails(tails, self._called, self.site, plain=plain)
        for tail in self._words.first:
            if plain and tail in named:
                continue
            places = self._words.ending(tail)
            if tail.startswith(FIRST) and '"' not in tail and "\n" not in tail:
                translating = [at for at in places if "\\" not in texts[at]]
                if translating:
                    self._odd[tail] = translating
                if len(translating) == len(places):
                    continue
                places = [at for at in places if "\\" in texts[at]]
            for at in places:
                self._other(texts[at], tail, at, named)

    @property
    def callers(self) -> Callers:
        """Who calls which chain."""
        return self._words

    def _other(self, text: str, tail: str, at: int, named: Mapping[str, tuple[str, ...]]) -> None:
        """A rule that does not plainly jump to a chain, and is no plain translation."""
        cut = text.rfind("-j ")
        if cut < 0:
            cut = text.rfind("-g ")
            if cut < 0:
                return
            tail = text[cut + 3 :]
        if '"' in tail or "\\" in text or tail.startswith("-") or text.count('"', 0, cut) & 1:
            self._slowly(text, at)
        elif tail in named:
            self._called.setdefault(tail, []).append(at)
        elif tail.split(" ", 1)[0] not in TAME:
            self._wild.append(at)

    def _slowly(self, text: str, at: int) -> None:
        match lower_text(text, self._family).effect:
            case Jump(chain=target) | Goto(chain=target):
                self._called.setdefault(target, []).append(at)
            case effect if not isinstance(effect, TAME_EFFECTS):
                self._wild.append(at)
            case _:
                pass

    def site(self, at: int) -> Site:
        """Chain and position of a rule, of all rules in order."""
        which = bisect_right(self._starts, at) - 1
        return self._names[which], at - self._starts[which]

    @cached_property
    def _unusual(self) -> dict[str, re.Match[str] | None]:
        """Translations of another form than nearly all have, read one by one."""
        return {tail: SINGLE.match(tail) for tail in UNUSUAL.findall("\n".join(self._odd))}

    @cached_property
    def wild(self) -> list[Site]:
        """Rules that may do anything to addresses and ports."""
        more = [at for tail, single in self._unusual.items() if single is None for at in self._odd[tail]]
        return [self.site(at) for at in sorted([*self._wild, *more])]

    @cached_property
    def _by_port(self) -> dict[str, list[tuple[str, str]]]:
        """Translations by the text of the port: text of the address, and the target's text."""
        found: dict[str, list[tuple[str, str]]] = {}
        usual = self._odd
        if self._unusual:
            usual = {tail: held for tail, held in self._odd.items() if tail not in self._unusual}
            for tail, single in self._unusual.items():
                if single is not None:
                    address, port = single.groups()
                    found.setdefault(port or NO_PORT, []).append((address.strip("[]"), tail))
        start = len(FIRST)
        for tail in usual:
            address, _, port = tail[start:].partition(":")
            found.setdefault(port, []).append((address, tail))
        return found

    @property
    def ports(self) -> frozenset[str]:
        """Ports that something is translated to; an empty text where the packet's own is left."""
        return frozenset(self._by_port)

    def led(self, port: str, begins: str = "") -> Collection[int]:
        """Addresses that something is translated to, with a port; all of those whose text begins so, and perhaps others."""
        return self._targets(port, begins)

    def _targets(self, port: str, begins: str) -> dict[int, list[int]]:
        found = self._led.get((port, begins))
        if found is None:
            found = self._led[port, begins] = {}
            for address, tail in self._by_port.get(port, ()):
                if address.startswith(begins):
                    number = int(IPv6Address(address)) if ":" in address else packed(address)
                    found.setdefault(number, []).extend(self._odd[tail])
        return found

    def leading(self, port: str, begins: str, address: int) -> list[Site]:
        """The rules that translate to an address and a port."""
        return [self.site(at) for at in self._targets(port, begins).get(address, ())]

    def bases(self, chain: str) -> frozenset[str]:
        """The base chains from which packets may come into a chain."""
        found: set[str] = set()
        seen = {chain}
        todo = [chain]
        while todo:
            name = todo.pop()
            if name in BASE:
                found.add(name)
            above = self._above.get(name)
            if above is None:
                above = self._above[name] = frozenset(site[0] for site in self.callers.get(name))
            todo += above - seen
            seen |= above
        return frozenset(found)


class Patched(Jumps):
    """A table that differs from one that was read in some of its chains."""

    def __init__(
        self, table: Table, family: str, base: Jumps, former: Table, differing: Iterable[str]
    ) -> None:
        changed = {name: table.chains[name] for name in differing}
        super().__init__(table, family, changed)
        self._base = base
        self._differing = changed
        self._former = sum(len(former.chains[name]) for name in changed)

    @property
    def callers(self) -> Callers:
        """Who calls which chain."""
        return Both(super().callers, self._base.callers, self._differing, self._former)

    @cached_property
    def wild(self) -> list[Site]:
        """Rules that may do anything to addresses and ports."""
        return [*(site for site in self._base.wild if site[0] not in self._differing), *super().wild]

    @property
    def ports(self) -> frozenset[str]:
        """Ports that something is translated to, in either table; an empty text where the packet's own is left."""
        return self._base.ports | super().ports

    def led(self, port: str, begins: str = "") -> Collection[int]:
        """Addresses that something is translated to, in either table."""
        own, base = super().led(port, begins), self._base.led(port, begins)
        return {*own, *base} if own else base

    def leading(self, port: str, begins: str, address: int) -> list[Site]:
        """The rules that translate to an address and a port."""
        kept = (site for site in self._base.leading(port, begins, address) if site[0] not in self._differing)
        return [*kept, *super().leading(port, begins, address)]


class Calls:
    """Every table is read once."""

    def __init__(self, family: str) -> None:
        self._family = family
        self._read: dict[int, tuple[Table, Jumps]] = {}
        self._native: dict[int, NativeCalls] = {}

    def of(self, table: Table) -> Jumps:
        """What is called in a table."""
        held = self._read.get(id(table))
        if held is None:
            held = self._read[id(table)] = (table, self._jumps(table))
        return held[1]

    def native(self, table: Table) -> NativeCalls:
        """What is called in a table of nft."""
        held = self._native.get(id(table))
        if held is None:
            # It holds the table, so that no other one can get its identity.
            held = self._native[id(table)] = NativeCalls(table, self._family)
        return held

    def _jumps(self, table: Table) -> Jumps:
        """Of a table like another one only what differs is read."""
        for other, jumps in self._read.values():
            if other.name == table.name and other.chains.keys() == table.chains.keys():
                changed = differing(other.chains, table.chains)
                return Patched(table, self._family, jumps, other, changed)
        return Jumps(table, self._family)
