"""What somebody else may do to a node between a change and its way back, for every kind of thing that a change can touch."""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.models.change import Change, LinkChange, NativeObjectChange

Words = tuple[str, ...]
TABLE = "30777"
"""A table, a preference, a metric and an id that nobody uses."""
SOMEBODY = "198.51.100.77"
"""An address of documentation (RFC 5737)."""
COMMENT = "somebody else"


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something that somebody else does, and how they take it back."""

    words: str
    argv: Words
    back: Words = ()
    thing: str = ""
    """What a rollback must name when it stops for it: `Check.name`."""
    forced: bool = True
    """Whether `--force` takes it back; else whoever did it has to."""
    stdin: str = ""


@dataclass(frozen=True, slots=True)
class NotPlayed:
    """Why nothing of a kind is done to the plan's things."""

    kind: str
    reason: str


Offer = Foreign | NotPlayed

ELSEWHERE = (
    Foreign(
        "a route",
        ("ip", "route", "add", "blackhole", f"{SOMEBODY}/32", "table", TABLE),
        ("ip", "route", "del", "blackhole", f"{SOMEBODY}/32", "table", TABLE),
    ),
    Foreign(
        "a policy rule",
        ("ip", "rule", "add", "from", f"{SOMEBODY}/32", "lookup", TABLE, "pref", TABLE),
        ("ip", "rule", "del", "from", f"{SOMEBODY}/32", "lookup", TABLE, "pref", TABLE),
    ),
)
"""Beside every change."""


KINDS = {
    "rule": "rule",
    "chain": "rule",
    "chain-policy": "chain policy",
    "policy-rule": "policy rule",
    "nexthop": "nexthop object",
    "fdb": "forwarding entry",
    "document": "file",
    "nft-table": "nft table",
    "nft-rule": "nft rule",
    "passing": "",
}
"""What a report calls things of a kind of change, where it is not the kind's own name."""


def kind_of(change: Change) -> str:
    """The kind of thing that a change touches, as a report names it; empty for what is no thing of its own."""
    if isinstance(change, NativeObjectChange):
        return f"nft {change.what}"
    if isinstance(change, LinkChange) and change.field == "address":
        return "address"
    return KINDS.get(change.kind, change.kind)


def best(offers: Sequence[Offer], kind: str) -> tuple[Foreign, ...] | NotPlayed:
    """What can be done to things of a kind, in the order of the offers; else the first reason why not."""
    found = tuple(offer for offer in offers if isinstance(offer, Foreign))
    if found:
        return found
    reasons = [offer for offer in offers if isinstance(offer, NotPlayed)]
    return reasons[0] if reasons else NotPlayed(kind, "nothing is known that could be done to it")
