"""All changes of one node, each at the first horizon where it shows, with the line that makes it."""

from collections.abc import Iterator, Mapping
from typing import assert_never

from planner.diff.nodes import diff_nodes
from planner.invariants.check import same_packets
from planner.models.change import (
    Cause,
    ChainChange,
    ChainPolicyChange,
    Change,
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
    PassingChange,
    PolicyRuleChange,
    RouteChange,
    RuleChange,
    SysctlChange,
)
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.proposal import Effect, Fragment, Outlook
from planner.models.source import Source
from planner.risks.blame import MOVING


def changes_of(outlook: Outlook, fragments: Mapping[str, Fragment]) -> tuple[Change, ...]:
    """Changes at every horizon; one that shows already at an earlier horizon is not told again.

    `fragments` by their target path: they give the lines of document changes.
    """
    effects: dict[str, Effect] = {}
    for effect in outlook.effects:
        effects.setdefault(effect.what, effect)
    seen: set[str] = set()
    found: list[Change] = []
    previous: tuple[NodeState, NodeState] | None = None
    for horizon in Horizon:
        pair = (outlook.before[horizon], outlook.after[horizon])
        if previous is not None and pair[0] == previous[0] and pair[1] == previous[1]:
            continue
        previous = pair
        for change in diff_nodes(*pair):
            placed = change.model_copy(update={"horizon": horizon})
            key = _same(change)
            if key in seen:
                continue
            seen.add(key)
            found.append(_explained(placed, effects, fragments))
    if not any(isinstance(change, MOVING) and change.horizon is Horizon.NOW for change in found):
        found.extend(_passing(outlook))
    return tuple(found)


def _passing(outlook: Outlook) -> Iterator[PassingChange]:
    """Steps that lead through other states to where they began, as far as packets can tell."""
    end = outlook.after[Horizon.NOW]
    steps = tuple(
        number for number, stage in enumerate(outlook.stages, start=1) if not same_packets(stage.after, end)
    )
    if steps:
        source = outlook.stages[steps[0] - 1].operation.source
        yield PassingChange(node=outlook.node, steps=steps, source=source)


def _same(change: Change) -> str:
    """Equal for changes that are one and the same at two horizons: a sysctl's former value may be another one there."""
    update: dict[str, object] = {"horizon": Horizon.NOW, "source": None}
    if isinstance(change, SysctlChange):
        update["before"] = None
    return change.model_copy(update=update).model_dump_json()


def names_of(change: Change) -> tuple[str, ...]:
    """How effects may name what changed, the most specific first."""
    match change:
        case SysctlChange(key=key):
            return (f"sysctl/{key}",)
        case RuleChange(family=family, backend=backend, table=table, chain=chain, rule=rule):
            where = f"{family}/{backend}/{table}/{chain}"
            return (f"rule/{where}/{rule}", f"chain/{where}")
        case ChainChange() | ChainPolicyChange():
            return (f"chain/{change.family}/{change.backend}/{change.table}/{change.chain}",)
        case RouteChange():
            route = change.route
            return (f"route/{route.family}/{route.table}/{route.prefix}",)
        case PolicyRuleChange(before=before, after=after):
            policy_rule = after or before
            return (f"policy-rule/{policy_rule.family}/{policy_rule.preference}",) if policy_rule else ()
        case LinkChange(link=link, field="address"):
            return (
                f"link/{link}/address/{(change.after or change.before or '').split(' ')[0]}",
                f"link/{link}",
            )
        case LinkChange(link=link, field=field):
            return (f"link/{link}/{field}", f"link/{link}")
        case NeighbourChange(before=before, after=after):
            neighbour = after or before
            return (f"neighbour/{neighbour.link}/{neighbour.address}",) if neighbour else ()
        case ForwardingChange(before=before, after=after):
            entry = after or before
            return (f"fdb/{entry.link}/{entry.mac}",) if entry else ()
        case NextHopChange(before=before, after=after):
            hop = after or before
            return (f"nexthop/{hop.id}",) if hop else ()
        case IpSetChange(name=name):
            return (f"ipset/{name}",)
        case NativeTableChange(table=table):
            return (f"nft/{table}",)
        case NativeRuleChange(table=table, chain=chain, rule=rule):
            return (f"nft/{table}/chain/{chain}/{rule}", f"nft/{table}/chain/{chain}", f"nft/{table}")
        case NativeObjectChange(table=table, what=what, name=name):
            return (f"nft/{table}/{what}/{name}", f"nft/{table}")
        case DocumentChange(path=path) | FileChange(path=path):
            return (f"file{path}",)
        case PassingChange():
            return ()
        case _:
            assert_never(change)


def _explained(change: Change, effects: Mapping[str, Effect], fragments: Mapping[str, Fragment]) -> Change:
    update: dict[str, object] = {}
    for name in names_of(change):
        effect = effects.get(name)
        if effect is not None:
            update = {"cause": effect.cause, "source": effect.source}
            break
    if isinstance(change, DocumentChange | FileChange) and change.path in fragments:
        fragment = fragments[change.path]
        pointer = change.pointer if isinstance(change, DocumentChange) else ""
        line = line_of(fragment.text or "", pointer)
        update = {"cause": Cause.PROPOSED, "source": Source(name=fragment.path, line=line)}
    return change.model_copy(update=update) if update else change


def line_of(text: str, pointer: str) -> int:
    """The line where a value of a JSON or YAML text stands: each key is looked for after the one that holds it."""
    position = 0
    found = False
    for key in pointer.split("/")[1:]:
        name = key.replace("~1", "/").replace("~0", "~")
        if name.isdigit():
            continue
        hit = text.find(name, position)
        if hit < 0:
            break
        position, found = hit, True
    return text.count("\n", 0, position) + 1 if found else 0


def drift_of(node: NodeState, outlook: Outlook) -> tuple[Change, ...]:
    """Running state against persisted state before the change: what a reboot would alter without anybody's doing."""
    reboot = outlook.before[Horizon.REBOOT]
    return tuple(
        change.model_copy(update={"horizon": Horizon.REBOOT})
        for change in diff_nodes(node, reboot)
        if isinstance(change, SysctlChange)
        and change.before is not None  # keys outside net.* are recorded by a list
    )
