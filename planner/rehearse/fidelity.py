"""What of a node is not on its stage, each fact with the reason, and states without these facts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from planner.diff.native import diff_native, native_tables
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.rehearsal import NotRehearsed
from planner.models.ruleset import Ruleset, Table
from planner.rehearse.facts import Fact, facts
from planner.rehearse.rebuild import Rebuilt
from planner.sysctls.catalogue import Scope, Takes, lookup
from planner.sysctls.names import link_key

UNKNOWN = "differs, and it is not known why"
LINK_FIELDS = (
    "kind",
    "mtu",
    "mac",
    "up",
    "master",
    "lower",
    "peer_elsewhere",
    "group",
    "alias",
    "txqueuelen",
    "altnames",
    "xdp",
)
NAMED = 3
"""Things of one reason that are named; of the rest the number is told."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """What stage and node have not in common."""

    reasons: Mapping[str, str] = field(default_factory=dict)
    """By fact, as `facts` names it: why it is not the same."""
    fields: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """By link: fields that are not the same, with what the stage has; options as `options/NAME`, None where it has none."""
    equal: int = 0
    """Facts that were rebuilt and found equal."""


def compare_with(node: NodeState, found: NodeState, rebuilt: Rebuilt) -> Unlike:
    """Every fact in which the stage, right after it was rebuilt, is not the node."""
    wanted, have = facts(node), facts(found)
    refused = {refusal.command: refusal.reason for refusal in rebuilt.refused}
    reasons: dict[str, str] = {}
    fields: dict[str, Mapping[str, object]] = {}
    for name in dict.fromkeys((*wanted, *have)):
        if wanted.get(name) == have.get(name):
            continue
        kind, _, rest = name.partition(" ")
        if kind == "sysctl":
            reasons[name] = _sysctl(rest, wanted.get(name), have.get(name), _Sides(node, found, rebuilt))
        elif kind == "link":
            fields[rest] = _fields(node.link(rest), found.link(rest))
            reasons[name] = _link(rest, fields[rest], rebuilt)
        else:
            reasons[name] = _refused(name, refused)
    for change in diff_native(node, found):
        name = f"nft table {change.table}"
        reasons[name] = _refused(name, refused)
    return Unlike(reasons, fields, sum(wanted[name] == have.get(name) for name in wanted))


@dataclass(frozen=True, slots=True)
class _Sides:
    node: NodeState
    found: NodeState
    rebuilt: Rebuilt


def _refused(name: str, refused: Mapping[str, str]) -> str:
    if name in refused:
        return f"the kernel refused it here: {refused[name]}"
    words = set(name.split()) - {"route", "table", "metric", "on", "ip", "ip6", "rules", "policy", "of"}
    for command, reason in refused.items():
        if words <= set(command.split()):
            return f"the kernel refused it here: {reason} (`{command}`)"
    return UNKNOWN


def _sysctl(key: str, wanted: Fact | None, have: Fact | None, sides: _Sides) -> str:
    fact = lookup(key)
    parts = link_key(key)
    if key in sides.rebuilt.unwritten:
        return f"the kernel refused the value here: {sides.rebuilt.unwritten[key]}"
    if parts is not None and parts.real and (wanted is None or have is None):
        return "belongs to a link that is made of something else here"
    if have is None or not key.startswith("net."):
        if not key.startswith("net.") or (
            fact is not None and fact.scope in {Scope.INIT_ONLY, Scope.GLOBAL, Scope.PER_USER}
        ):
            return "belongs to the whole machine, not to a network namespace"
        if fact is not None and fact.module:
            return f"the module {fact.module} is not loaded on this machine"
    if have is None or wanted is None:
        if sides.node.kernel != sides.found.kernel:
            lacks = "the stage's" if have is None else "the node's"
            return f"{lacks} kernel does not have it (node {sides.node.kernel or 'unknown'}, stage {sides.found.kernel})"
        if wanted is None and sides.node.gaps:
            gap = sides.node.gap(f"sysctl/{key}")
            return f"was not recorded: {gap.reason}" if gap else UNKNOWN
        return "belongs to the whole machine, not to a network namespace" if have is None else UNKNOWN
    if fact is not None and fact.takes_effect is Takes.READ_ONLY:
        return "can only be read"
    if fact is not None and fact.scope in {Scope.INIT_ONLY, Scope.GLOBAL}:
        return "belongs to the whole machine, not to a network namespace"
    return UNKNOWN


def _fields(wanted: Link | None, found: Link | None) -> dict[str, object]:
    if wanted is None or found is None:
        return {}
    differing: dict[str, object] = {
        name: getattr(found, name) for name in LINK_FIELDS if getattr(wanted, name) != getattr(found, name)
    }
    for name in sorted({*wanted.options, *found.options}):
        if wanted.options.get(name) != found.options.get(name):
            differing[f"options/{name}"] = found.options.get(name)
    return differing


BY_STAND_IN = frozenset({"kind", "peer_elsewhere", "lower", "xdp"})


def _link(name: str, differing: Mapping[str, object], rebuilt: Rebuilt) -> str:
    """A stand-in explains its kind and what only that kind has; nothing else."""
    reason = rebuilt.stand_ins.get(name, "")
    told = f"a link of this process {reason}" if reason else ""
    rest = [
        one for one in differing if one not in BY_STAND_IN and not (reason and one.startswith("options/"))
    ]
    if not rest and told:
        return told
    for refusal in rebuilt.refused:
        if name in refusal.command.split():
            return f"the kernel refused it here: {refusal.reason} (`{refusal.command}`)"
    return f"{', '.join(rest)} {UNKNOWN}" if rest else UNKNOWN


def told(unlike: Unlike, found: NodeState) -> tuple[NotRehearsed, ...]:
    """For people: things of one reason together, then what could not be looked at on the stage itself."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, reason in unlike.reasons.items():
        kind, _, rest = name.partition(" ")
        groups[kind, reason].append(rest)
    lines = [
        NotRehearsed(what=f"{kind}{'s' * (len(names) > 1)} {_listed(names)}", reason=reason)
        for (kind, reason), names in groups.items()
    ]
    lines += [
        NotRehearsed(what=gap.section, reason=f"cannot be read here: {gap.reason}") for gap in found.gaps
    ]
    return tuple(lines)


def _listed(names: Sequence[str]) -> str:
    if len(names) <= NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


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
    """Items whose fact is not among the names. One is looked at alone, so that the name is the one that `facts` gives."""
    items: Iterable[object] = getattr(state, attribute)
    for item in items:
        alone = facts(
            NodeState(name="", links=state.links if attribute == "fdb" else ()).model_copy(
                update={attribute: (item,)}
            )
        )
        if not any(name in names for name in alone if not name.startswith(("link ", "addresses ", "IPv6 "))):
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
