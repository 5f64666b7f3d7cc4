"""States without the facts in which a stage is not the node, and changes as the facts that they are about."""

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from planner.diff.native import native_tables
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
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.ruleset import Ruleset, Table
from planner.rehearse.facts import facts
from planner.rehearse.fidelity import Unlike


def why_not(change: StateChange, unlike: Unlike) -> str:
    """Why a change of that thing cannot be shown on the stage; empty when it can."""
    if isinstance(change, LinkChange) and change.field not in {"", "address"}:
        # A stand-in is not what it stands for, but its MTU is its MTU.
        differs = change.field in unlike.fields.get(change.link, {})
        return unlike.reasons.get(f"link {change.link}", "") if differs else ""
    return next((unlike.reasons[name] for name in names_of(change) if name in unlike.reasons), "")


def names_of(change: StateChange) -> Iterator[str]:
    """The facts that a change is about, as `facts` names them."""
    match change:
        case SysctlChange(key=key):
            yield f"sysctl {key}"
        case LinkChange(link=link, field="address"):
            words = f"{change.before or ''}{change.after or ''}"
            yield f"{'IPv6 addresses' if ':' in words else 'addresses'} of {link}"
        case LinkChange(link=link):
            yield f"link {link}"
        case RuleChange() | ChainChange() | ChainPolicyChange():
            place = f"table {change.table} ({change.family}, {change.backend})"
            yield f"chain {change.chain} of {place}"
            yield place
        case NativeTableChange(table=table) | NativeRuleChange(table=table) | NativeObjectChange(table=table):
            yield f"nft table {table}"
        case IpSetChange(name=name):
            yield f"ipset {name}"
        case FileChange(path=path) | DocumentChange(path=path):
            yield f"file {path}"
        case RouteChange():
            yield from _names("routes", change.before, change.after)
        case PolicyRuleChange():
            yield from _names("policy_rules", change.before, change.after)
        case NextHopChange():
            yield from _names("nexthop_objects", change.before, change.after)
        case NeighbourChange():
            yield from _names("neighbours", change.before, change.after)
        case ForwardingChange():
            yield from _names("fdb", change.before, change.after)
        case _:
            assert_never(change)


def _names(attribute: str, *items: object) -> Iterator[str]:
    """One thing is looked at alone, so that its name is the one that `facts` gives."""
    for item in items:
        if item is not None:
            yield from facts(NodeState(name="").model_copy(update={attribute: (item,)}))


def without(state: NodeState, unlike: Unlike) -> NodeState:
    """The state without the facts that differ from the start; those of links are set to what the stage has."""
    names = unlike.reasons
    if not names:
        return state
    kinds = {name.partition(" ")[0] for name in names}
    update: dict[str, object] = {}
    if "sysctl" in kinds:
        update["sysctls"] = {k: v for k, v in state.sysctls.items() if f"sysctl {k}" not in names}
    if kinds & {"link", "addresses", "IPv6"}:
        update["links"] = tuple(_as_here(link, unlike) for link in state.links)
    for attribute, kind in (
        ("routes", "route"),
        ("policy_rules", "policy"),
        ("nexthop_objects", "nexthop"),
        ("neighbours", "neighbour"),
        ("fdb", "FDB"),
    ):
        if kind in kinds:
            update[attribute] = tuple(_kept(state, attribute, names))
    if kinds & {"chain", "table"}:
        update["rulesets"] = tuple(_ruleset(ruleset, names) for ruleset in state.rulesets)
    if "ipset" in kinds:
        update["ipsets"] = tuple(one for one in state.ipsets if f"ipset {one.name}" not in names)
    if "file" in kinds:
        update["files"] = {path: file for path, file in state.files.items() if f"file {path}" not in names}
    if "nft" in kinds:
        tables = native_tables(state.native.text)
        text = "\n".join(text for name, text in tables.items() if f"nft table {name}" not in names)
        update["native"] = state.native.model_copy(update={"text": text})
    return state.model_copy(update=update)


def _kept(state: NodeState, attribute: str, names: Mapping[str, str]) -> Iterator[object]:
    items: Iterable[object] = getattr(state, attribute)
    for item in items:
        if not any(name in names for name in _names(attribute, item)):
            yield item


def _as_here(link: Link, unlike: Unlike) -> Link:
    update: dict[str, object] = {}
    options = dict(link.options)
    for name, value in unlike.fields.get(link.name, {}).items():
        if not name.startswith("options/"):
            update[name] = value
        elif value is None:
            options.pop(name.removeprefix("options/"), None)
        else:
            options[name.removeprefix("options/")] = str(value)
    update["options"] = options
    update["addresses"] = tuple(
        address
        for address in link.addresses
        if f"{'addresses' if address.family == 'ip' else 'IPv6 addresses'} of {link.name}"
        not in unlike.reasons
    )
    return link.model_copy(update=update)


def _ruleset(ruleset: Ruleset, names: Mapping[str, str]) -> Ruleset:
    tables: dict[str, Table] = {}
    for name, table in ruleset.tables.items():
        place = f"table {name} ({ruleset.family}, {ruleset.backend})"
        if place in names:
            continue
        chains = {
            chain: rules for chain, rules in table.chains.items() if f"chain {chain} of {place}" not in names
        }
        policies = {chain: policy for chain, policy in table.policies.items() if chain in chains}
        tables[name] = (
            table
            if len(chains) == len(table.chains)
            else table.model_copy(update={"chains": chains, "policies": policies})
        )
    return ruleset.model_copy(update={"tables": tables})
