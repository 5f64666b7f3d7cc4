"""Who calls which chain of a table, what its rules translate to, and which of them may do anything."""

import re
from ipaddress import IPv6Address

from planner.dataplane.symbolic.shapes import packed
from planner.models.ruleset import Table
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
    r"-j DNAT --to-destination (\d+\.\d+\.\d+\.\d+|\[?[0-9a-f:]+\]?)(?::(\d+))?(?: --persistent| --random)*$"
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
Site = tuple[str, int]
"""A chain, and a position in it."""
Targets = dict[tuple[int, int | None], list[Site]]


class Jumps:
    """One pass over a table: who calls which chain, what is translated to what, and what may do anything."""

    def __init__(self, table: Table, family: str) -> None:
        self._family = family
        self.callers: dict[str, list[Site]] = {}
        self.wild: list[Site] = []
        """Rules that may do anything to addresses and ports."""
        found: dict[tuple[str, int | None], list[Site]] = {}
        chains = table.chains
        callers = self.callers
        for chain, rules in chains.items():
            for at, text in enumerate(rules):
                cut = text.rfind("-j ")
                if cut < 0:
                    cut = text.rfind("-g ")
                    if cut < 0:
                        continue
                name = text[cut + 3 :]
                # Words within quotes may look like a target.
                if text.count('"', 0, cut) & 1 or "\\" in text:
                    self._slowly(text, chain, at)
                elif name in chains:
                    callers.setdefault(name, []).append((chain, at))
                elif name.split(" ", 1)[0] not in TAME:
                    single = SINGLE.match(text, cut)
                    if single is None:
                        self.wild.append((chain, at))
                    else:
                        port = int(single.group(2)) if single.group(2) else None
                        found.setdefault((single.group(1), port), []).append((chain, at))
        self.targets: Targets = {
            (int(IPv6Address(address.strip("[]"))) if ":" in address else packed(address), port): sites
            for (address, port), sites in found.items()
        }

    def _slowly(self, text: str, chain: str, at: int) -> None:
        match lower_text(text, self._family).effect:
            case Jump(chain=target) | Goto(chain=target):
                self.callers.setdefault(target, []).append((chain, at))
            case effect if not isinstance(effect, TAME_EFFECTS):
                self.wild.append((chain, at))
            case _:
                pass

    def bases(self, chain: str) -> frozenset[str]:
        """The base chains from which packets may come into a chain."""
        found: set[str] = set()
        seen = {chain}
        todo = [chain]
        while todo:
            name = todo.pop()
            if name in BASE:
                found.add(name)
            for caller, _ in self.callers.get(name, ()):
                if caller not in seen:
                    seen.add(caller)
                    todo.append(caller)
        return frozenset(found)


class Calls:
    """Every table is read once."""

    def __init__(self, family: str) -> None:
        self._family = family
        self._read: dict[int, tuple[Table, Jumps]] = {}

    def of(self, table: Table) -> Jumps:
        """What is called in a table."""
        held = self._read.get(id(table))
        if held is None:
            held = self._read[id(table)] = (table, Jumps(table, self._family))
        return held[1]
