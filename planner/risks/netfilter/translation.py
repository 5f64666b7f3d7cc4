"""Whether the nat tables rewrite the source of a packet that leaves: certain, not, or not known."""

from planner.models.node import NodeState
from planner.models.ruleset import Table
from planner.netfilter.effect import (
    Accept,
    Drop,
    Goto,
    Jump,
    OpaqueTarget,
    Reject,
    RestoreMark,
    Return,
    SetMark,
)
from planner.risks.netfilter.probe import DEEPEST, Packet, Walk, all_hold
from planner.risks.netfilter.reading import read


def rewritten(state: NodeState, packet: Packet) -> bool | None:
    """POSTROUTING of both backends: the first that translates binds the flow (nf_nat_core.c, nf_nat_inet_fn)."""
    open_ = False
    for rules in state.rulesets:
        table = rules.tables.get("nat")
        if rules.family != packet.family or table is None or "POSTROUTING" not in table.chains:
            continue
        walk = Walk(packet, packet.mark)
        ends, _ = _through(table, "POSTROUTING", walk, 0)
        if ends == {True} and not walk.doubt:
            return True
        if True in ends or None in ends:
            open_ = True
    return None if open_ else False


def _through(table: Table, chain: str, walk: Walk, depth: int) -> tuple[set[bool | None], bool]:
    """Possible ends (translated, kept, not known), and whether the packet comes back."""
    ends: set[bool | None] = set()
    walk.passed.append(("", table.name, chain))
    if depth > DEEPEST or chain not in table.chains:
        return {None}, True
    returned = False
    for text in table.chains[chain]:
        reading = read(text, walk.packet.family)
        met = None if reading.problem else all_hold(reading.conditions, walk)
        if met is False:
            continue
        sure = met is True
        match reading.effect:
            case _ if reading.rewrites_source:
                ends.add(True)
            case Accept() | Drop() | Reject():
                ends.add(False)
            case Return():
                returned = True
            case OpaqueTarget():
                ends.add(None)
                sure = False
            case Jump(chain=target) | Goto(chain=target):
                inner, back = _through(table, target, walk, depth + 1)
                ends |= inner
                if isinstance(reading.effect, Goto):
                    returned = returned or back
                else:
                    sure = sure and not back
            case SetMark(value=value, mask=mask):
                walk.mark = (walk.mark & ~mask) ^ value if sure and walk.mark is not None else None
                continue
            case RestoreMark():
                walk.mark = None
                continue
            case _:
                continue
        if sure:
            return ends, returned
        if met is None:
            walk.doubt = walk.doubt or text
    return ends if depth else ends | {False}, True
