"""The way back of nft tables that iptables does not manage: one transaction, and what it does not bring back."""

import re
from collections.abc import Iterator

from planner.emit.nft import differing_objects, rebuilt, transaction, unusable
from planner.emit.script import quote
from planner.models.node import NodeState
from planner.models.plan import Action, Residue
from planner.parse.nft_tables import CHAIN, MAP, SET, NftObject, NftTable, own_tables

_NAMED = re.compile(
    r"^(?:delete table|flush \w+|delete [a-z ]+|add element|table) (ip|ip6|inet|arp|bridge|netdev) (\S+)",
    re.MULTILINE,
)
COUNTING = frozenset({"counter", "quota", "limit"})
"""Kinds of objects that have one."""
AGENTS = {
    "kube-proxy": "kube-proxy",
    "calico": "calico",
    "kindnet": "kindnet",
    "kube-network-policies": "kube-network-policies",
}
"""Tables that an agent writes by itself."""


def native_undo(before: NodeState, after: NodeState) -> tuple[Action, ...]:
    """Actions that lead back, a transaction for each table: what comes back before what goes.

    A table that the step made is emptied at once, and deleted if nobody else has put anything in it.
    """
    if after.native.text == before.native.text:
        return ()
    have, want = own_tables(after), own_tables(before)
    actions: list[Action] = []
    for title in sorted({*have, *want}, key=lambda title: (title not in want, title)):
        former, latter = have.get(title), want.get(title)
        if why_not(former, latter):
            continue
        sides = ({title: table} if table else {} for table in (former, latter))
        text = transaction(*sides, keep_tables=True)
        actions += [Action(argv=("nft", "-f", "-"), stdin=text)] if text else []
        actions += [_drop_table(title)] if latter is None else []
    return tuple(actions)


def undone_tables(text: str) -> frozenset[str]:
    """The tables that a transaction names."""
    return frozenset(" ".join(found) for found in _NAMED.findall(text))


def why_not(have: NftTable | None, want: NftTable | None) -> str:
    """Why nobody here can turn one table into the other; empty when it can be done, or need not be."""
    if have == want or (have and want and have.head == want.head and not differing_objects(have, want)):
        return ""
    return next((reason for table in (have, want) if table and (reason := unusable(table))), "")


def _drop_table(title: str) -> Action:
    name = " ".join(quote(word) for word in title.split(" "))
    return Action(
        argv=("sh", "-c", f"nft list table {name} | grep -q '^\t[a-z].* {{$' || nft delete table {name}")
    )


def native_residues(before: NodeState, after: NodeState) -> Iterator[Residue]:
    """What the way back of nft tables does not bring back."""
    if after.native.text == before.native.text:
        return
    have, want = own_tables(before), own_tables(after)
    for title in sorted({*have, *want}):
        old, new = have.get(title), want.get(title)
        reason = why_not(old, new)
        if reason:
            yield Residue(what=f"nft table {title}", reason=f"nothing here changes it: {reason}")
        elif old is None or new is None or old.head != new.head or differing_objects(old, new):
            yield from _table(title, old, new)


def _table(title: str, old: NftTable | None, new: NftTable | None) -> Iterator[Residue]:
    keys = differing_objects(old, new)
    chains = [name for kind, name in keys if kind == CHAIN]
    table = new or old
    if table is not None and table.name in AGENTS:
        agent = AGENTS[table.name]
        yield Residue(
            what=f"nft table {title}",
            reason=f"{agent} writes it by itself at any time: if it has, former rules are not put among its new ones",
        )
    if old is not None and new is not None and old.dormant != new.dormant:
        yield Residue(
            what="connections",
            reason="those that are accepted, or cut, meanwhile are not undone; established ones may go on",
        )
    if chains:
        yield Residue(
            what=f"counters of nft table {title}",
            reason="the rules of restored chains count from zero again, and their limits and quotas start anew",
        )
        hooked = [
            line
            for side in (old, new)
            if side
            for name in chains
            if (CHAIN, name) in side.objects
            for line in side.objects[CHAIN, name].head
        ]
        if any(line.startswith("type nat ") for line in hooked):
            yield Residue(
                what="conntrack entries",
                reason="connections that begin meanwhile keep the translation they got until their entry ends "
                "(`conntrack -D` ends it at once, and the connection with it)",
            )
        else:
            yield Residue(
                what="connections",
                reason="those that are accepted, or cut, meanwhile are not undone; established ones may go on",
            )
    for what, reason in _lost(old, new):
        yield Residue(what=f"{what} of nft table {title}", reason=reason)


def _lost(old: NftTable | None, new: NftTable | None) -> Iterator[tuple[str, str]]:
    """Things that are made anew on the way back, and had something that no text brings back."""
    if old is None:
        return
    whole = new is None or rebuilt(old, new)
    made = [
        one
        for key, one in old.objects.items()
        if whole or _is_made(one, new.objects.get(key) if new else None)
    ]
    counting = [f"{one.kind} {one.name}" for one in made if one.kind in COUNTING]
    if counting:
        yield ", ".join(counting), "made anew: it begins at zero again"
    learnt = [f"{one.kind} {one.name}" for one in made if one.kind in {SET, MAP} and _moves(one)]
    if learnt:
        yield (
            ", ".join(learnt),
            "made anew: elements that packets added, or that have a time, do not come back",
        )


def _is_made(old: NftObject, new: NftObject | None) -> bool:
    return new is None or (old.kind != CHAIN and old.head != new.head)


def _moves(one: NftObject) -> bool:
    return one.dynamic or len(one.lasting) < len(one.body)
