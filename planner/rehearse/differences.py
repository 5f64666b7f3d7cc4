"""A change between the predicted and the found state, as a difference that a report can show."""

from collections.abc import Callable
from typing import TypeVar, assert_never

from planner.changes import names_of
from planner.emit.ip_words import (
    fdb_command,
    neighbour_command,
    nexthop_command,
    route_command,
    rule_command,
)
from planner.models.change import (
    ChainChange,
    ChainPolicyChange,
    DocumentChange,
    FileChange,
    ForwardingChange,
    IpSetChange,
    LinkChange,
    NativeObjectChange,
    NativeRuleChange,
    NativeTableChange,
    NeighbourChange,
    NextHopChange,
    PolicyRuleChange,
    RouteChange,
    RuleChange,
    StateChange,
    SysctlChange,
)
from planner.models.rehearsal import Difference

Item = TypeVar("Item")


def difference(change: StateChange) -> Difference:
    """`before` of the change is what was wanted, `after` what was found."""
    names = names_of(change)
    native = isinstance(change, NativeRuleChange | NativeObjectChange)
    what = names[-2] if native else names[-1] if names else change.kind
    match change:
        case SysctlChange():
            return Difference(
                what=f"sysctl {change.key}", wanted=_text(change.before), found=_text(change.after)
            )
        case ChainPolicyChange() | NativeTableChange() | LinkChange() | DocumentChange() | FileChange():
            return Difference(
                what=_named(change, what), wanted=_text(change.before), found=_text(change.after)
            )
        case RuleChange():
            return Difference(
                what=what,
                wanted=_rule(change, change.before),
                found=_rule(change, change.after),
            )
        case NativeRuleChange(rule=rule, before=before, after=after):
            return Difference(
                what=what,
                wanted="" if before is None else f"rule {before}: {rule}",
                found="" if after is None else f"rule {after}: {rule}",
            )
        case NativeObjectChange():
            return Difference(
                what=what,
                wanted=_declared(change.before, change.removed),
                found=_declared(change.after, change.added),
            )
        case ChainChange():
            text = "\n".join((f"chain {change.chain}, {change.edit}", *change.rules[:20]))
            gone = change.edit == "removed"
            return Difference(what=what, wanted=text if gone else "", found="" if gone else text)
        case IpSetChange():
            return Difference(
                what=what,
                wanted=" ".join((change.before or "", *change.removed)).strip(),
                found=" ".join((change.after or "", *change.added)).strip(),
            )
        case RouteChange():
            return _pair(what, change.before, change.after, lambda item: route_command("add", item)[3:])
        case PolicyRuleChange():
            return _pair(what, change.before, change.after, lambda item: rule_command("add", item)[4:])
        case NextHopChange():
            return _pair(what, change.before, change.after, lambda item: nexthop_command("add", item)[3:])
        case NeighbourChange():
            return _pair(what, change.before, change.after, lambda item: neighbour_command("add", item)[3:])
        case ForwardingChange():
            return _pair(what, change.before, change.after, lambda item: fdb_command("add", item)[3:])
        case _:
            assert_never(change)


def _named(change: StateChange, what: str) -> str:
    if isinstance(change, LinkChange):
        return f"link {change.link} {change.field}".rstrip()
    return f"policy of {what}" if isinstance(change, ChainPolicyChange) else what


def _rule(change: RuleChange, position: int | None) -> str:
    return "" if position is None else f"rule {position}: -A {change.chain} {change.rule}"


def _declared(head: str | None, items: tuple[str, ...]) -> str:
    return "" if head is None else "\n".join((head or "(declared)", *items[:20]))


def _text(value: str | None) -> str:
    return "" if value is None else value or "(empty)"


def _pair(
    what: str, wanted: Item | None, found: Item | None, words: Callable[[Item], tuple[str, ...]]
) -> Difference:
    return Difference(
        what=what,
        wanted=" ".join(words(wanted)) if wanted is not None else "",
        found=" ".join(words(found)) if found is not None else "",
    )
