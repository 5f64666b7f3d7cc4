"""What risks ask about changes of native nft tables: where a packet meets one, which links its rules ask for, what nobody sees of it."""

import re
from collections.abc import Iterator

from planner.dataplane.native import Native
from planner.dataplane.order import NATIVE
from planner.models.change import (
    NativeChange,
    NativeObjectChange,
    NativeRuleChange,
    NativeTableChange,
)
from planner.models.flow import Hop
from planner.models.node import NodeState

ASKED = re.compile(r'\b[io]if(?:name)? "([^"]+)"')
PASSES = re.compile(r'\b(?:accept|return|continue)(?: comment "[^"]*")?$')
"""How a rule ends that takes nothing away where it comes."""
ACTS_ON = {"arp": "ARP", "bridge": "frames that cross a bridge"}
LINK_HOOKS = frozenset({"ingress", "egress"})


def native_stands(change: NativeChange, hop: Hop, *, former: bool) -> bool:
    """Whether a change is what a hop shows, on the way before (`former`) or on that after."""
    # Of a rule the table is told (planner/dataplane/chain.py, Place.line); of a policy only the chain is.
    if hop.backend != NATIVE or not f"{hop.rule} ".startswith((f"{change.table} {hop.chain}: ", " ")):
        return False
    # What follows the first statement of a rule stands in a chain of its own (planner/dataplane/nft_rules.py).
    chain = hop.chain.partition(" rule ")[0]
    match change:
        case NativeRuleChange(before=before, after=after):
            return bool(hop.rule) and chain == change.chain and hop.position == (before if former else after)
        case NativeObjectChange(what="chain", name=name):
            return chain == name or hop.what.rpartition(" to ")[2].partition(" rule ")[0] == name
        case NativeObjectChange(name=name):
            return re.search(rf"[@\"]{re.escape(name)}(?![\w/.-])", hop.rule) is not None
        case NativeTableChange():
            return bool(hop.rule) or f"chain {chain} {{" in f"{change.before}{change.after}"


def native_links(change: NativeChange) -> Iterator[str]:
    """Links that rules of the change ask for, as patterns of iptables, where more than accepting hangs on them."""
    match change:
        case NativeRuleChange(rule=rule):
            rules: tuple[str, ...] = (rule,)
        case NativeObjectChange(what="chain", added=added, removed=removed):
            rules = (*added, *removed)
        case NativeTableChange(before=before, after=after):
            rules = tuple(line for text in (before, after) for line in (text or "").split("\n"))
        case NativeObjectChange():
            rules = ()
    for rule in rules:
        if not PASSES.search(rule):
            for name in ASKED.findall(rule):
                yield f"{name[:-1]}+" if name.endswith("*") else name


def unseen(change: NativeChange, before: NodeState, after: NodeState) -> str:
    """Why the comparison of packets sees nothing of the change; empty where it does, or where no packet can meet it."""
    sides = [Native(state.native) for state in (before, after)]
    family = change.table.partition(" ")[0]
    if any(side.unread for side in sides):
        return f"the nft table {change.table} is not analysed: `nft -j list ruleset` could not be read"
    hooks = [base for side in sides for base in side.bases if f"{base.family} {base.table}" == change.table]
    if not hooks:
        return ""
    if family not in {"ip", "ip6", "inet"}:
        return f"the nft table {change.table} is not analysed: it acts on {ACTS_ON.get(family, 'links')}"
    beside = next((base for base in hooks if base.hook in LINK_HOOKS), None)
    return f"{beside} is not analysed: it acts on links" if beside is not None else ""
