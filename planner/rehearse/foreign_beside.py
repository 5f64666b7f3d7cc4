"""What somebody else may do right beside what a change has set: it must stay, and be no reason to stop."""

from collections.abc import Iterator

from planner.emit.ip_words import fdb_command
from planner.models.change import (
    ChainPolicyChange,
    Change,
    DocumentChange,
    FileChange,
    ForwardingChange,
    IpSetChange,
    LinkChange,
    NeighbourChange,
    NextHopChange,
    PolicyRuleChange,
    RouteChange,
    RuleChange,
    SysctlChange,
)
from planner.models.node import NodeState
from planner.models.plan import ChainBack, Plan
from planner.plan.checks_rules import save_tool
from planner.rehearse.foreign import COMMENT, SOMEBODY, TABLE, Foreign, NotPlayed, Offer, kind_of
from planner.rehearse.foreign_native import native_beside

QUIET = ("arp_announce", "arp_ignore", "medium_id")
"""Values of a link that nothing follows."""
MAC = "02:00:5e:10:00:77"


def beside(change: Change, start: NodeState, found: NodeState, plan: Plan) -> Iterator[Offer]:
    """Things of the same kind, in the same place, that the plan does not touch; `start` is before it, `found` after."""
    made = _made(change, start)
    if made:
        yield NotPlayed(
            kind_of(change), f"{made} is made by the change, and what others lay on it goes with it"
        )
        return
    match change:
        case RuleChange() | ChainPolicyChange():
            yield _rule(change, start, found, plan)
        case IpSetChange():
            yield _element(change, found)
        case SysctlChange():
            yield from _sysctl(found, plan)
        case RouteChange() if change.route.family == "ip" and change.route.metric != int(TABLE):
            place = ("table", change.route.table, "metric", TABLE)
            argv = ("ip", "route", "{}", "blackhole", change.route.prefix, *place)
            yield _pair(f"a route to {change.route.prefix} with another metric", argv, "add")
        case PolicyRuleChange(before=before, after=after):
            rule = after or before
            if rule is not None and rule.family == "ip":
                words = ("pref", str(rule.preference), "from", f"{SOMEBODY}/32", "lookup", TABLE)
                yield _pair(
                    f"another policy rule of preference {rule.preference}",
                    ("ip", "rule", "{}", *words),
                    "add",
                )
        case NextHopChange():
            yield _pair("another nexthop object", ("ip", "nexthop", "{}", "id", TABLE, "blackhole"), "add")
        case LinkChange(link=name):
            yield from _link(change, name, found)
        case NeighbourChange(before=before, after=after):
            entry = after or before
            if entry is not None and ":" not in entry.address and not entry.proxy:
                theirs = (SOMEBODY, "lladdr", MAC, "dev", entry.link, "nud", "permanent")
                yield Foreign(
                    f"another neighbour on {entry.link}",
                    ("ip", "neigh", "replace", *theirs),
                    ("ip", "neigh", "del", SOMEBODY, "dev", entry.link),
                )
        case ForwardingChange(before=before, after=after):
            known = after or before
            if known is not None:
                destination = SOMEBODY if known.destination else ""
                entry_of_theirs = known.model_copy(update={"mac": MAC, "destination": destination})
                yield Foreign(
                    f"another forwarding entry on {known.link}",
                    fdb_command("add", entry_of_theirs),
                    fdb_command("del", entry_of_theirs),
                )
        case FileChange(path=path) | DocumentChange(path=path):
            other = f"{path}.netchange-foreign"
            yield Foreign(
                f"another file beside {path}", ("sh", "-c", 'echo theirs >"$1"', "sh", other), ("rm", other)
            )
        case _:
            if change.kind.startswith("nft"):
                yield from native_beside(change, start, found, plan)


def _made(change: Change, start: NodeState) -> str:
    """The link that a change is about, where there was none of that name before."""
    match change:
        case LinkChange(link=name):
            names = {name}
        case NeighbourChange(before=old, after=new) | ForwardingChange(before=old, after=new):
            names = {entry.link for entry in (old, new) if entry is not None}
        case _:
            return ""
    return next((name for name in sorted(names) if start.link(name) is None), "")


def _pair(words: str, template: tuple[str, ...], do: str, back: str = "del") -> Foreign:
    argv, undone = (tuple(action if word == "{}" else word for word in template) for action in (do, back))
    return Foreign(words, argv, undone)


def _rule(change: RuleChange | ChainPolicyChange, start: NodeState, found: NodeState, plan: Plan) -> Offer:
    rulesets = [state.ruleset(change.family, change.backend) for state in (start, found)]
    former, table = (ruleset.tables.get(change.table) if ruleset else None for ruleset in rulesets)
    kind = kind_of(change)
    if former is None:
        return NotPlayed(
            kind, f"table {change.table} is made by the change, and stays while others have rules in it"
        )
    if table is None or change.chain not in {*table.chains, *table.policies}:
        return NotPlayed(kind, f"chain {change.chain} is not there after the change")
    tool = save_tool(found, change.family, change.backend)
    backs = [
        back
        for step in plan.steps
        for back in step.chains
        if (back.tool, back.table, back.chain) == (tool, change.table, change.chain)
    ]
    if not backs or not all(map(_takes_more, backs)):
        return NotPlayed(
            kind,
            f"the order of a rule at the end of chain {change.chain} and those that come back is not plain there",
        )
    program = f"{'ip6tables' if change.family == 'ip6' else 'iptables'}-{change.backend}"
    words = ("-m", "comment", "--comment", COMMENT)
    call = (program, "-w", "10", "-t", change.table)
    return Foreign(
        f"a rule more at the end of chain {change.chain} of table {change.table}",
        (*call, "-A", change.chain, *words),
        (*call, "-D", change.chain, *words),
    )


def _takes_more(back: ChainBack) -> bool:
    """Whether a rule at the end is no matter for what comes back to the chain."""
    return not back.made and all(
        not hunk.removed or bool(hunk.added) or not hunk.last or (bool(hunk.above) and not hunk.bound)
        for hunk in back.hunks
    )


def _element(change: IpSetChange, found: NodeState) -> Offer:
    name = change.name
    if change.after is None or not any(ipset.name == name for ipset in found.ipsets):
        return NotPlayed("ipset", f"{name} is not there after the change")
    if not change.after.startswith(("hash:ip ", "hash:net ")) or "inet6" in change.after:
        return NotPlayed("ipset", f"no element is known that {name} ({change.after.split(' ')[0]}) takes")
    if change.before is None:
        return NotPlayed("ipset", f"{name} is made by the change, and stays while others have elements in it")
    return _pair(f"an element more in ipset {name}", ("ipset", "{}", name, SOMEBODY), "add")


def _sysctl(found: NodeState, plan: Plan) -> Iterator[Offer]:
    touched = {check.name for step in plan.steps for check in (*step.precondition, *step.expected)}
    for last in QUIET:
        key = f"net.ipv4.conf.lo.{last}"
        value = found.sysctls.get(key)
        if value is not None and value != "2" and key not in touched:
            yield _write(key, "2", value)
    yield NotPlayed("sysctl", "every other value that nothing follows is touched by the plan, or not there")


def _write(key: str, value: str, former: str) -> Foreign:
    return Foreign(f"{key} written", ("sysctl", "-w", f"{key}={value}"), ("sysctl", "-w", f"{key}={former}"))


def _link(change: LinkChange, name: str, found: NodeState) -> Iterator[Offer]:
    link = found.link(name)
    if link is None:
        yield NotPlayed(kind_of(change), f"{name} is not there after the change")
    elif change.field == "address":
        words = ("ip", "address", "{}", f"{SOMEBODY}/32", "dev", name)
        yield _pair(f"an address more on {name}", words, "add")
    else:
        length = link.txqueuelen or 1000
        start = ("ip", "link", "set", "dev", name, "txqueuelen")
        yield Foreign(f"the length of {name}'s queue", (*start, str(length + 7)), (*start, str(length)))
