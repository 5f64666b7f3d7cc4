"""What somebody else may do to the very things that a change has set: a rollback must stop, name it and touch nothing."""

from collections.abc import Iterator
from ipaddress import ip_interface

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
    RuleEdit,
    SysctlChange,
)
from planner.models.node import NodeState
from planner.models.plan import Plan
from planner.models.route import NextHopObject
from planner.plan.checks_rules import chain_name, save_tool, set_name, table_name
from planner.rehearse.foreign import COMMENT, SOMEBODY, TABLE, Foreign, NotPlayed, Offer
from planner.rehearse.foreign_native import native_same
from planner.sysctls.names import link_key

MAC = "02:00:5e:10:00:78"
FOLLOWED = (
    "forwarding",
    "disable_ipv6",
    "ip_forward",
    "accept_redirects",
    "mtu",
    "addr_gen_mode",
    "proxy_arp",
)
"""Last words of keys that others follow."""
LARGEST = 65535
LONGEST = 30
"""Of an IPv4 prefix in which there is room for another address."""


def on_the_same(change: Change, found: NodeState, plan: Plan) -> Iterator[Offer]:
    """To what it neither was before the change nor is after it."""
    match change:
        case RuleChange():
            yield _rule(change, found, plan)
        case ChainChange(chain=chain):
            yield NotPlayed("rule", f"chain {chain} is there or is not: what others do is done to its rules")
        case ChainPolicyChange():
            yield NotPlayed(
                "chain policy",
                "it has two values: whoever changes the one that the plan has set puts the former back",
            )
        case IpSetChange(name=name):
            yield _element(change, name)
        case SysctlChange():
            yield from _sysctl(change, plan)
        case RouteChange():
            yield _route(change)
        case PolicyRuleChange():
            yield _policy_rule(change)
        case NextHopChange(before=before, after=after):
            yield _nexthop(before, after)
        case LinkChange(field="address"):
            yield _address(change, found)
        case LinkChange():
            yield from _link(change, found)
        case NeighbourChange(before=before, after=after):
            entry = after or before
            if entry is None or entry.proxy:
                yield NotPlayed("neighbour", "a proxy entry is there or is not")
            else:
                other = entry.model_copy(update={"mac": MAC})
                yield Foreign(
                    f"the neighbour {entry.address} on {entry.link} written",
                    neighbour_command("replace", other),
                    thing=f"permanent neighbour {entry.address} on {entry.link}",
                )
        case ForwardingChange(before=old, after=new):
            known = new or old
            if (
                known is None
                or not known.destination
                or int(known.mac[:2], 16) & 1
                or not known.mac.strip("0:")
            ):
                yield NotPlayed("forwarding entry", "it is there or is not: it leads nowhere else")
            else:
                yield Foreign(
                    f"the forwarding entry for {known.mac} on {known.link} written",
                    fdb_command("replace", known.model_copy(update={"destination": SOMEBODY})),
                    thing=f"forwarding entry {known.mac} on {known.link}",
                )
        case FileChange(path=path) | DocumentChange(path=path):
            yield Foreign(
                f"{path} written",
                ("sh", "-c", 'echo "# somebody else" >>"$1"', "sh", path),
                thing=path,
            )
        case _:
            if change.kind.startswith("nft"):
                yield from native_same(change, found, plan)


def _rule(change: RuleChange, found: NodeState, plan: Plan) -> Offer:
    if change.edit is not RuleEdit.ADDED:
        return NotPlayed(
            "rule",
            "the plan adds none: who writes one again that it has taken away, or moved, has put it back",
        )
    tool = save_tool(found, change.family, change.backend)
    place = table_name(change.table, change.family, change.backend)
    things = [
        back.thing
        for step in plan.steps
        for back in step.chains
        if (back.tool, back.table, back.chain) == (tool, change.table, change.chain)
    ]
    if not things:
        return NotPlayed("rule", f"too much of {place} is changed for a way back by rule")
    thing = things[-1] if things[-1] == place else chain_name(change.chain, place)
    return Foreign(
        f"a rule of the plan written a second time, beside it, in chain {change.chain} of table {change.table}",
        (tool.removesuffix("-save") + "-restore", "-w", "10", "--noflush"),
        thing=thing,
        stdin=f"*{change.table}\n-I {change.chain} {change.after} {change.rule}\nCOMMIT\n",
    )


def _element(change: IpSetChange, name: str) -> Offer:
    if change.after is None or "comment" not in change.after.split(" ") or not change.added:
        return NotPlayed(
            "ipset", "an element is there or is not: whoever changes it does what the rollback would"
        )
    key = change.added[0].split(" ")[0]
    return Foreign(
        f"the element {key} of ipset {name} with another comment",
        ("ipset", "-exist", "add", name, key, "comment", COMMENT),
        thing=set_name(name),
    )


def _sysctl(change: SysctlChange, plan: Plan) -> Iterator[Offer]:
    key = change.key
    # A value that an earlier step has set looks as if the later ones had been taken back.
    held = {
        (check.output or "").strip()
        for step in plan.steps
        for check in (*step.precondition, *step.expected)
        if check.name == key
    }
    parts = link_key(key)
    if key.rpartition(".")[2] in FOLLOWED or (parts is not None and parts.link in {"all", "default"}):
        yield NotPlayed("sysctl", f"other values follow {key}")
        return
    for value in ("2", "1", "3", "7", "64", "512"):
        if value not in {*held, change.before, change.after} and (change.before or "").isdigit():
            yield Foreign(f"{key} written to {value}", ("sysctl", "-w", f"{key}={value}"), thing=key)
    yield NotPlayed("sysctl", f"no other value of {key} is known to be allowed")


def _route(change: RouteChange) -> Offer:
    route = change.route
    if (
        route.family != "ip"
        or route.protocol == "kernel"
        or route.nexthop_id is not None
        or route.table == "255"
    ):
        return NotPlayed("route", "those of this change belong to an address, a nexthop object or IPv6")
    words = ["ip", "route", "replace", "blackhole", route.prefix, "table", route.table]
    words += ["metric", str(route.metric)] if route.metric else []
    words += ["tos", route.tos] if route.tos not in {"", "0"} else []
    name = f"route {route.prefix}" + (f" of table {route.table}" if route.table != "254" else "")
    # The route that the plan has added is deleted by what it says: with other words it is not found.
    back = route_command("replace", change.after) if change.before is None and change.after else ()
    return Foreign(f"the route to {route.prefix} replaced", tuple(words), back, thing=name, forced=not back)


def _policy_rule(change: PolicyRuleChange) -> Offer:
    rule = change.after or change.before
    if rule is None or rule.action != "lookup" or rule.options:
        return NotPlayed(
            "policy rule", "the plan's lead to no table, or have words that not every `ip` prints"
        )
    other = rule.model_copy(update={"table": TABLE, "protocol": ""})
    take, put = (" ".join(rule_command(word, one)) for word, one in (("del", rule), ("add", other)))
    gone, again = (" ".join(rule_command(word, one)) for word, one in (("del", other), ("add", rule)))
    there = change.after is not None
    return Foreign(
        f"the policy rule {rule.preference} led to another table",
        ("sh", "-c", f"{take}; {put}" if there else put),
        ("sh", "-c", f"{gone}; {again}" if there else gone),
        thing=f"policy rule {rule.preference} ({rule.family})",
        forced=False,
    )


def _nexthop(before: NextHopObject | None, after: NextHopObject | None) -> Offer:
    item = after or before
    if item is None or item.group or item.blackhole or (before is not None and before.blackhole):
        return NotPlayed("nexthop object", "a group, or one that discards, is not written to anything else")
    other = item.model_copy(update={"blackhole": True})
    return Foreign(
        f"nexthop object {item.id} made to discard",
        nexthop_command("replace", other),
        thing=f"nexthop object {item.id}",
    )


def _address(change: LinkChange, found: NodeState) -> Offer:
    link = found.link(change.link)
    texts = {change.after, (change.after or "").split(" ")[0]}
    for address in link.addresses if link else ():
        if address.prefix not in texts or address.family != "ip" or address.secondary or address.peer:
            continue
        if address.length <= LONGEST:
            network = ip_interface(address.prefix).network
            other = next(str(host) for host in network.hosts() if str(host) != address.address)
            words = (f"{other}/{address.length}", "dev", change.link)
            return Foreign(
                f"an address more on {change.link} that goes with {address.prefix}",
                ("ip", "address", "add", *words),
                ("ip", "address", "del", *words),
                thing=f"addresses of {change.link}",
                forced=False,
            )
    return NotPlayed("address", "an address is there or is not, and none of the plan's takes others along")


def _link(change: LinkChange, found: NodeState) -> Iterator[Offer]:
    link = found.link(change.link)
    if link is None or change.field not in {"mtu", "mac"}:
        yield NotPlayed(
            "link",
            f"a {change.field or 'link'} is so or is not: whoever changes it does what the rollback would",
        )
    elif change.field == "mac":
        yield Foreign(
            f"the hardware address of {link.name} written",
            ("ip", "link", "set", "dev", link.name, "address", MAC),
            thing=f"hardware address of {link.name}",
        )
    else:
        values = [int(text) for text in (change.before, change.after) if text and text.isdigit()]
        for value in (max([*values, link.mtu]) + 4, min([*values, link.mtu]) - 4):
            if 1280 <= value <= LARGEST:
                yield Foreign(
                    f"the MTU of {link.name} set to {value}",
                    ("ip", "link", "set", "dev", link.name, "mtu", str(value)),
                    thing=f"MTU of {link.name}",
                )
        yield NotPlayed("link", f"no other MTU of {link.name} is taken")
