"""What of a node is not on its stage, each fact with the reason."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planner.diff.native import diff_native
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.rehearsal import NotRehearsed
from planner.rehearse.facts import Fact, as_early, facts
from planner.rehearse.modules import Modules
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


def compare_with(node: NodeState, found: NodeState, rebuilt: Rebuilt, modules: Modules) -> Unlike:
    """Every fact in which the stage, right after it was rebuilt, is not the node."""
    wanted, have = facts(node), facts(as_early(node, found))
    refused = {refusal.command: refusal.reason for refusal in rebuilt.refused}
    reasons: dict[str, str] = {}
    fields: dict[str, Mapping[str, object]] = {}
    for name in dict.fromkeys((*wanted, *have)):
        if wanted.get(name) == have.get(name):
            continue
        kind, _, rest = name.partition(" ")
        if kind == "sysctl":
            reasons[name] = _sysctl(
                rest, wanted.get(name), have.get(name), _Sides(node, found, rebuilt, modules)
            )
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
    modules: Modules


def _refused(name: str, refused: Mapping[str, str]) -> str:
    if name in refused:
        return f"the kernel refused it here: {refused[name]}"
    words = set(name.split()) - {"route", "table", "metric", "on", "ip", "ip6", "rules", "policy", "of"}
    for command, reason in refused.items():
        if words <= set(command.split()):
            return f"the kernel refused it here: {reason} (`{command}`)"
    return UNKNOWN


MACHINE = "belongs to the whole machine, not to a network namespace"
HIDDEN = "is not shown in a user namespace by the kernel"
"""Keys that a network namespace has, but not one that a user without root may have made: xfrm_*, of net.ipv6.route, of
neighbours (net/xfrm/xfrm_sysctl.c, net/ipv6/route.c, net/core/neighbour.c: "Don't export sysctls to unprivileged users")."""
GROUPS = "net.ipv4.ping_group_range"
"""Holds numbers of groups, which are others in a user namespace."""


def _sysctl(key: str, wanted: Fact | None, have: Fact | None, sides: _Sides) -> str:
    fact = lookup(key)
    parts = link_key(key)
    scope = fact.scope if fact is not None else None
    if key in sides.rebuilt.unwritten:
        return f"the kernel refused the value here: {sides.rebuilt.unwritten[key]}"
    if not key.startswith("net.") or scope in {Scope.INIT_ONLY, Scope.GLOBAL, Scope.PER_USER}:
        return MACHINE
    if key == GROUPS:
        return "holds numbers of groups, and they are others in a user namespace"
    if wanted is None or have is None:
        gap = sides.node.gap(f"sysctl/{key}")
        if wanted is None and gap:
            return f"was not recorded: {gap.reason}"
        if parts is not None and parts.real:
            return "belongs to a link that is made of something else here"
        if sides.node.kernel != sides.found.kernel:
            lacks = "the stage's" if have is None else "the node's"
            releases = f"node {sides.node.kernel or 'unknown'}, stage {sides.found.kernel}"
            return f"may be one that {lacks} kernel does not have ({releases})"
        if have is None and fact is not None and fact.module and sides.modules.would_load(fact.module):
            return f"the module {fact.module} is not loaded on this machine"
        return HIDDEN if have is None and scope in {Scope.PER_NETNS, Scope.PER_INTERFACE} else UNKNOWN
    return "can only be read" if fact is not None and fact.takes_effect is Takes.READ_ONLY else UNKNOWN


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
    told = f"a link of this program {reason}" if reason else ""
    rest = [
        one for one in differing if one not in BY_STAND_IN and not (reason and one.startswith("options/"))
    ]
    if not rest and told:
        return told
    for refusal in rebuilt.refused:
        if name in refusal.command.split():
            return f"the kernel refused it here: {refusal.reason} (`{refusal.command}`)"
    return f"{', '.join(rest)} {UNKNOWN}" if rest else UNKNOWN


def told(unlike: Unlike, node: NodeState, found: NodeState) -> tuple[NotRehearsed, ...]:
    """For people: things of one reason together, then what was never recorded, then what cannot be looked at here."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, reason in unlike.reasons.items():
        kind, _, rest = name.partition(" ")
        groups[kind, reason].append(rest)
    lines = [
        NotRehearsed(what=f"{kind}{'s' * (len(names) > 1)} {_listed(names)}", reason=reason)
        for (kind, reason), names in groups.items()
    ]
    lines += [NotRehearsed(what=gap.section, reason=f"was not recorded: {gap.reason}") for gap in node.gaps]
    lines += [
        NotRehearsed(what=gap.section, reason=f"cannot be read here: {gap.reason}") for gap in found.gaps
    ]
    return tuple(lines)


def _listed(names: Sequence[str]) -> str:
    if len(names) <= NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
