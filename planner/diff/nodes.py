"""Two states of one node: every change, in a fixed order of kinds, each kind in its own order."""

from collections.abc import Iterator
from itertools import chain
from typing import assert_never

from planner.diff.documents import diff_documents, document_kind, unreadable_documents
from planner.diff.files import diff_files
from planner.diff.ipsets import diff_ipsets
from planner.diff.links import diff_links
from planner.diff.native import diff_native
from planner.diff.routes import diff_routes
from planner.diff.rules import diff_rulesets
from planner.diff.sysctls import diff_sysctls
from planner.diff.unread import unread
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
from planner.models.node import NodeState
from planner.models.source import Gap


def diff_nodes(before: NodeState, after: NodeState) -> tuple[StateChange, ...]:
    """What differs. What is not known on one side is no change: `comparison_gaps` says what that is."""
    if before is after:
        return ()
    changes: Iterator[StateChange] = chain(
        diff_sysctls(before, after),
        diff_rulesets(before, after),
        diff_native(before, after),
        diff_ipsets(before, after),
        diff_routes(before, after),
        diff_links(before, after),
        diff_documents(before, after),
        diff_files(before, after, kind=document_kind),
    )
    if before.gaps == after.gaps:
        return tuple(changes)
    return tuple(change for change in changes if _is_known(change, before, after))


def _is_known(change: StateChange, before: NodeState, after: NodeState) -> bool:
    """Whether the side on which nothing is there was really read. Kinds compared as text see to it themselves."""
    match change:
        case SysctlChange():
            section = f"sysctl/{change.key}"
        case RouteChange():
            section = f"routes/{change.route.family}/{change.route.table}"
        case PolicyRuleChange():
            rule = change.after or change.before
            section = f"policy_rules/{rule.family if rule else ''}"
        case NextHopChange():
            section = "nexthop_objects"
        case LinkChange():
            section = f"links/{change.link}"
        case NeighbourChange():
            entry = change.after or change.before
            section = "neighbours/proxy" if entry and entry.proxy else "neighbours"
        case ForwardingChange():
            section = "fdb"
        case (
            RuleChange()
            | ChainChange()
            | ChainPolicyChange()
            | NativeTableChange()
            | NativeRuleChange()
            | NativeObjectChange()
            | IpSetChange()
            | DocumentChange()
            | FileChange()
        ):
            return True
        case _:
            assert_never(change)
    # A field that the older tool does not print is empty, not None.
    if not change.before and unread(before, after, section):
        return False
    return not (not change.after and unread(after, before, section))


def comparison_gaps(before: NodeState, after: NodeState) -> tuple[Gap, ...]:
    """Why the changes may not be all: the gaps of both states, each once, and documents that cannot be read."""
    gaps: dict[Gap, None] = {}
    for state, other, side in ((before, after, "before"), (after, before, "after")):
        for gap in state.gaps:
            one_sided = gap not in other.gaps
            reason = f"not compared, unknown {side}: {gap.reason}" if one_sided else gap.reason
            gaps[gap.model_copy(update={"reason": reason})] = None
    gaps.update(dict.fromkeys(unreadable_documents(before, after)))
    return tuple(sorted(gaps, key=lambda gap: (gap.section, gap.reason)))
