"""Who calls which chain of a table, what its rules translate to, and which of them may do anything."""

import re
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Mapping
from functools import cached_property
from ipaddress import IPv6Address
from itertools import accumulate
from itertools import chain as joined
from typing import Protocol

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
Targets = dict[tuple[int, int | None], list[Site]]


class Callers(Protocol):
    """Who calls which chain."""

    def get(self, name: str, default: Iterable[Site] = ()) -> list[Site]:
        """The rules that call a chain."""
        ...


class Tails:
    """Callers of a table: every rule is known by its last word, and looked for when its chain is asked for."""

    def __init__(self, tails: list[str], more: Mapping[str, list[int]], site: Callable[[int], Site]) -> None:
        self._tails = tails
        self._more = more
        self._site = site

    @cached_property
    def _ends(self) -> tuple[dict[str, int], dict[str, int]]:
        """Where each last word stands for the first time, and for the last."""
        every = range(len(self._tails))
        return dict(zip(reversed(self._tails), reversed(every), strict=True)), dict(
            zip(self._tails, every, strict=True)
        )

    def get(self, name: str, default: Iterable[Site] = ()) -> list[Site]:
        """The rules that call a chain."""
        first, last = self._ends
        found: list[int] = []
        at = first.get(name, -1)
        while at >= 0:
            found.append(at)
            at = self._tails.index(name, at + 1) if at < last[name] else -1
        found += self._more.get(name, ())
        return [self._site(at) for at in sorted(found)] or [*default]


class Both:
    """Callers of a table that differs from another in some of its chains."""

    def __init__(self, own: Callers, base: Callers, differing: Container[str]) -> None:
        self._own = own
        self._base = base
        self._differing = differing

    def get(self, name: str, default: Iterable[Site] = ()) -> list[Site]:
        """The rules that call a chain."""
        kept = [site for site in self._base.get(name) if site[0] not in self._differing]
        return [*kept, *self._own.get(name)] or [*default]


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
        tails = [text[text.rfind("-j ") + 3 :] for text in texts]
        named = table.chains
        # Words within quotes may look like a target: such a text, or one with the last quote behind it, is read as a whole.
        plain = not any('"' in name or "\\" in name for name in named)
        self._odd: dict[str, list[int]] = {}
        self._called: dict[str, list[int]] = {}
        self._wild: list[int] = []
        for at, tail in enumerate(tails):
            if not plain or tail not in named:
                self._other(texts[at], tail, at, named)
        self._tails = tails if plain else []

    @cached_property
    def callers(self) -> Callers:
        """Who calls which chain."""
        return Tails(self._tails, self._called, self.site)

    def _other(self, text: str, tail: str, at: int, named: Mapping[str, tuple[str, ...]]) -> None:
        """A rule that does not plainly jump to a chain."""
        if tail.startswith(FIRST) and '"' not in tail and "\n" not in tail and "\\" not in text:
            self._odd.setdefault(tail, []).append(at)
            return
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

    def targets(self, begins: str = "") -> Targets:
        """What is translated to what, for addresses whose text begins so."""
        found: Targets = {}
        wanted = FIRST + begins
        for tail, held in self._odd.items():
            if not tail.startswith(wanted):
                continue
            address, _, port = tail[len(FIRST) :].partition(":")
            if tail in self._unusual:
                single = self._unusual[tail]
                if single is None:
                    continue
                address, port = single.group(1), single.group(2) or ""
            number = int(IPv6Address(address.strip("[]"))) if ":" in address else packed(address)
            key = number, int(port) if port else None
            found.setdefault(key, []).extend(map(self.site, held))
        return found

    def bases(self, chain: str) -> frozenset[str]:
        """The base chains from which packets may come into a chain."""
        found: set[str] = set()
        seen = {chain}
        todo = [chain]
        while todo:
            name = todo.pop()
            if name in BASE:
                found.add(name)
            for caller in {site[0] for site in self.callers.get(name)} - seen:
                seen.add(caller)
                todo.append(caller)
        return frozenset(found)


class Patched(Jumps):
    """A table that differs from one that was read in some of its chains."""

    def __init__(
        self, table: Table, family: str, base: Jumps, differing: Mapping[str, tuple[str, ...]]
    ) -> None:
        super().__init__(table, family, differing)
        self._base = base
        self._differing = differing

    @cached_property
    def callers(self) -> Callers:
        """Who calls which chain."""
        return Both(super().callers, self._base.callers, self._differing)

    @cached_property
    def wild(self) -> list[Site]:
        """Rules that may do anything to addresses and ports."""
        return [*(site for site in self._base.wild if site[0] not in self._differing), *super().wild]

    def targets(self, begins: str = "") -> Targets:
        """What is translated to what, for addresses whose text begins so."""
        found = {
            key: kept
            for key, held in self._base.targets(begins).items()
            if (kept := [site for site in held if site[0] not in self._differing])
        }
        for key, held in super().targets(begins).items():
            found[key] = [*found.get(key, ()), *held]
        return found


class Calls:
    """Every table is read once."""

    def __init__(self, family: str) -> None:
        self._family = family
        self._read: dict[int, tuple[Table, Jumps]] = {}

    def of(self, table: Table) -> Jumps:
        """What is called in a table."""
        held = self._read.get(id(table))
        if held is None:
            held = self._read[id(table)] = (table, self._jumps(table))
        return held[1]

    def _jumps(self, table: Table) -> Jumps:
        """Of a table like another one only what differs is read."""
        for other, jumps in self._read.values():
            if other.name == table.name and other.chains.keys() == table.chains.keys():
                changed = {name: table.chains[name] for name in differing(other.chains, table.chains)}
                return Patched(table, self._family, jumps, changed)
        return Jumps(table, self._family)
