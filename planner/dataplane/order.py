"""In which order chains of iptables and of nft see a packet at one hook.

Chains of nft may hang anywhere: each belongs to one table of iptables, before it, beside it or after it. Chains for translations
are asked when conntrack's own hook comes, in the order of their priorities (net/netfilter/nf_nat_core.c, nf_nat_inet_fn()).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from planner.dataplane.hooks import (
    CONNTRACK,
    DSTNAT,
    MANGLE,
    SRCNAT,
    STATIONS,
    TRACK,
    TRANSLATES_SOURCE,
    Hook,
)
from planner.dataplane.native import Attached, BaseChain
from planner.models.ruleset import Table

NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Player:
    """A base chain that looks at packets."""

    backend: str
    table: Table
    chain: str
    translates: bool = False
    """Of type nat: only the first packet of a flow is shown to it."""
    reroutes: bool = False
    """Its changes count for a second routing (ipt_mangle_out(), nf_route_table_hook4())."""
    after: bool = False
    """Comes when the table's own turn is over."""
    unplaced: bool = False
    """When it is asked hangs on what no snapshot shows."""

    @property
    def idle(self) -> bool:
        """It lets everything pass untouched."""
        return (
            not self.table.chains.get(self.chain)
            and self.table.policies.get(self.chain, "ACCEPT") == "ACCEPT"
        )

    def __str__(self) -> str:
        if self.backend == NATIVE:
            return f"nft chain {self.table.name} {self.chain}"
        return f"{self.backend} {self.table.name} {self.chain}"


Group = tuple[Player, ...]
"""Of one priority: the one loaded later runs first, which no snapshot shows (measured)."""


def groups(
    hook: Hook,
    table: str,
    iptables: Sequence[tuple[str, Table]],
    native: Sequence[Attached],
    idle: Callable[[Player], bool] = attrgetter("idle"),
) -> tuple[Group, ...]:
    """What is asked when a table's turn comes, in order. Chains that do nothing are left out."""
    own = [
        Player(
            backend,
            held,
            hook.value,
            translates=table == "nat",
            reroutes=(hook, table) == (Hook.OUTPUT, "mangle"),
        )
        for backend, held in iptables
    ]
    priority = next(one.priority for one in STATIONS[hook] if one.table == table)
    keyed = [((0, priority), one) for one in own]
    for one in native:
        if one.base.hook != hook.lower():
            continue
        place = _place(hook, one)
        if place is not None and place[0] == table:
            keyed.append(((place[1], one.base.priority), _player(one, after=place[1] > 0)))
    found: dict[tuple[int, int], list[Player]] = {}
    for key, player in sorted(keyed, key=lambda pair: pair[0]):
        if not idle(player):
            found.setdefault(key, []).append(player)
    return tuple(tuple(players) for players in found.values())


def _player(one: Attached, *, after: bool) -> Player:
    base = one.base
    return Player(
        NATIVE, one.table, base.name, translates=base.kind == "nat", reroutes=_reroutes(base), after=after,
        unplaced=out_of_turn(base),
    )  # fmt: skip


def _reroutes(base: BaseChain) -> bool:
    return base.kind == "route" and base.hook == Hook.OUTPUT.lower()


def out_of_turn(base: BaseChain) -> bool:
    """Whether it hangs on what no snapshot shows when it is asked, or what it does."""
    if _reroutes(base):
        return base.priority != MANGLE
    hook = Hook(base.hook.upper())
    clash = {SRCNAT if hook in TRANSLATES_SOURCE else DSTNAT, TRACK} if hook is not Hook.FORWARD else set()
    return base.kind != "nat" and base.priority in clash


def _place(hook: Hook, one: Attached) -> tuple[str, int] | None:
    """The table that the chain belongs to, and whether it comes before (-1), beside (0) or after it (1)."""
    stations = [station for station in STATIONS[hook] if station.table != CONNTRACK]
    priority = one.base.priority
    if one.base.kind == "nat":
        return "nat", 0
    before: str = ""
    for station in stations:
        if before == "raw" and priority < TRACK:
            return "raw", 1
        if priority < station.priority:
            return station.table, -1
        if priority == station.priority:
            return station.table, -1 if station.table == "nat" else 0
        before = station.table
    return before, 1
