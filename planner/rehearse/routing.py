"""Addresses, routes, policy rules and entries of a stage: what the kernel made by itself is told from what is to be there."""

from collections.abc import Iterable, Iterator

from planner.diff.routes import lasting, written
from planner.emit.ip_words import (
    address_command,
    fdb_command,
    neighbour_command,
    nexthop_command,
    route_command,
    rule_command,
)
from planner.iproute.connected import joined
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import PolicyRule, Route
from planner.parse.ip_names import DISCARDING
from planner.rehearse.batch import Words

LOCAL_RANK, NEXTHOP_RANK = 1, 2


def address_commands(node: NodeState, have: Iterable[Link]) -> Iterator[Words]:
    """Addresses that lack, and away with those that the kernel invented."""
    present = {link.name: link for link in have}
    for want in node.links:
        now = present.get(want.name)
        if now is None:
            continue
        held, wanted = [[_facts(one) for one in link.addresses] for link in (now, want)]
        if held == wanted:
            continue
        four, held_four = ([one for one in each if one.family == "ip"] for each in (wanted, held))
        if held_four != four and held_four[: len(four)] != four[: len(held_four)]:
            # Their order decides which is primary: all of them anew.
            yield from (address_command("del", one, want.name) for one in reversed(held_four))
            held_four = []
        yield from (address_command("del", one, want.name) for one in held_four[len(four) :])
        yield from (address_command("add", one, want.name) for one in four[len(held_four) :])
        six, held_six = ([one for one in each if one.family == "ip6"] for each in (wanted, held))
        yield from (address_command("del", one, want.name) for one in held_six if one not in six)
        # The kernel puts the newest first.
        yield from (address_command("add", one, want.name) for one in reversed(six) if one not in held_six)


def _facts(address: Address) -> Address:
    return address.model_copy(update={"secondary": False, "dynamic": False})


def _content(route: Route) -> Route:
    options = {name: value for name, value in route.options.items() if name != "pervasive"}
    return route.model_copy(update={"expires": False, "options": options})


def _rank(route: Route) -> int:
    """On-link routes, then those by nexthop objects, IPv6 gateways before IPv4 ones, gateways of the other family last."""
    if route.nexthop_id is not None:
        return NEXTHOP_RANK
    if any(hop.via_family for hop in route.nexthops):
        return 5
    if any(hop.via for hop in route.nexthops):
        return 3 if route.family == "ip6" else 4
    return 0 if route.type not in DISCARDING else LOCAL_RANK


def route_commands(node: NodeState, have: Iterable[Route]) -> Iterator[Words]:
    """Routes and nexthop objects: extra ones go first, missing ones come in an order that the kernel accepts."""
    wanted = [_content(route) for route in node.routes if not joined(route)]
    held = [_content(route) for route in have if not joined(route)]
    listed, known = set(map(_key, wanted)), set(map(_key, held))
    for route in sorted(held, key=_rank, reverse=True):
        if _key(route) not in listed:
            yield route_command("del", route)
    missing = sorted((route for route in wanted if _key(route) not in known), key=_rank)
    places = {_place(route) for route in held if _key(route) in listed}
    nexthops = False
    for route in missing:
        if not nexthops and _rank(route) >= NEXTHOP_RANK:
            nexthops = True
            yield from nexthop_commands(node)
        # Next hops of one IPv6 prefix that were not written together are separate routes.
        again = _place(route) in places
        yield route_command("append" if again else "add", route)
        places.add(_place(route))
    if not nexthops:
        yield from nexthop_commands(node)


def _place(route: Route) -> tuple[str, str, str, str, int]:
    return route.family, route.table, route.prefix, route.tos, route.metric


def _key(route: Route) -> str:
    return repr(route)


def nexthop_commands(node: NodeState) -> Iterator[Words]:
    """Plain ones before groups."""
    for item in sorted(node.nexthop_objects, key=lambda item: (bool(item.group), item.id)):
        yield nexthop_command("replace", item)


def rule_commands(node: NodeState, have: Iterable[PolicyRule]) -> Iterator[Words]:
    """All anew where they are not the same: among equals the order decides, and nothing passes here yet."""
    for family in ("ip", "ip6"):
        wanted = [rule for rule in node.policy_rules if rule.family == family]
        held = [rule for rule in have if rule.family == family]
        if not wanted or held == wanted:
            continue
        yield from (rule_command("del", rule) for rule in held)
        # A rule that jumps may only name one that is there, or that comes.
        yield from (rule_command("add", rule) for rule in wanted)


def entry_commands(node: NodeState) -> Iterator[Words]:
    """Permanent neighbours, addresses answered for, forwarding entries."""
    yield from (neighbour_command("replace", entry) for entry in lasting(node.neighbours))
    for entry in written(node):
        yield fdb_command("append" if entry.destination else "replace", entry)
