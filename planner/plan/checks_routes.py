"""Facets of routing: routes of one prefix and table, policy rules of one preference, nexthop objects."""

import re
from collections.abc import Iterable

from planner.emit.script import quote
from planner.models.node import NodeState
from planner.models.route import LOCAL, NextHop, NextHopObject, PolicyRule, Route
from planner.parse import ip_names
from planner.plan.checks_rules import sed_literal
from planner.plan.facet import Facet, fold, shell, value_facet
from planner.plan.scope import SIMPLE_METRICS, Scope

VOLATILE = ("linkdown", "dead", "offload", "rt_offload", "rt_trap", "trap", "pervasive")
"""Flags that iproute2 prints and nobody sets."""
PROTOCOLS = {name: str(number) for number, name in ip_names.PROTOCOLS.items()}
TYPES = {name: str(number) for number, name in ip_names.TYPES.items()}
"""With `-N` iproute2 prints numbers, some versions not for all of them."""
SCOPES = {name: str(number) for number, name in ip_names.SCOPES.items()}
ACTIONS = {"blackhole": "6", "unreachable": "7", "prohibit": "8"}
"""Numbers of FR_ACT_* (linux/fib_rules.h), as `ip -N` prints them."""
IP_PROTOCOLS = {"icmp": "1", "tcp": "6", "udp": "17", "ipv6-icmp": "58", "sctp": "132"}
"""With `-N` some versions print `ipproto-6`, others the name (iproute2, lib/inet_proto.c)."""
EVERY = frozenset({"0.0.0.0/0", "::/0"})

UNPRINTED = "unicast"
METRICS = (*SIMPLE_METRICS[:2], "advmss", *SIMPLE_METRICS[2:])
COUNTED = "number of"
"""How the name of a facet begins whose things are counted: it cannot tell one of them from another."""


def route_facets(before: NodeState, after: NodeState, how: Scope) -> tuple[Facet, ...]:
    """Routes, policy rules and nexthop objects that differ."""
    return (*_routes(before, after, how), *_policy_rules(before, after, how), *_nexthops(before, after))


def _routes(before: NodeState, after: NodeState, how: Scope) -> list[Facet]:
    have, want = _by_prefix(before), _by_prefix(after)
    found = []
    for family, table, prefix in sorted(have.keys() | want.keys()):
        old, new = have.get((family, table, prefix), ()), want.get((family, table, prefix), ())
        if old == new or list(map(_own, old)) == list(map(_own, new)):
            continue
        if table == LOCAL and all(route.protocol == "kernel" for route in (*old, *new)):
            continue  # they follow the addresses, which are compared
        option = "-6" if family == "ip6" else "-4"
        show = f"ip -N -o {option} route show table {quote(table)} exact {quote(prefix)} 2>/dev/null"
        name = f"route {prefix}" + (f" of table {table}" if table != "254" else "")
        if (family, table, prefix) in how.counted_routes:
            found.append(
                value_facet(
                    f"{COUNTED} routes to {name[6:]}", shell(f"{show} | grep -c ."), *_counts(old, new)
                )
            )
            continue
        program = "\n".join(
            [
                *(rf"s/ {word} / /g; s/ {word}$//" for word in VOLATILE),
                # What several next hops follow stands right behind it (measured, iproute2 6.1).
                r"s/ pref [a-z]*\\/ \\/; s/ pref [a-z]*//",
                r"s/ error -[0-9]*//",
                # What the nexthop object leads to is the object's.
                r"s/\( nhid [0-9]*\) .*/\1/",
                *(rf"s/^{word} /{number} /" for word, number in TYPES.items()),
                *(rf"s/^\({TYPES[word]} .*\) dev lo /\1 /" for word in sorted(ip_names.DISCARDING)),
            ]
        )
        argv = shell(f"{show} | sed -e {quote(program)} | sort")
        facet = value_facet(name, argv, *(_joined(map(route_text, side)) for side in (old, new)))
        changed = [route for route in (*old, *new) if (route in old) != (route in new)]
        keys = sorted({(route.tos, route.metric) for route in changed})
        own = ([route for route in side if (route.tos, route.metric) in keys] for side in (old, new))
        # Others may have routes to the same prefix: with another metric they are other routes. The text does not tell it
        # where a nexthop object does the rest: asked is what `ip` prints.
        theirs = "\n".join(_of_key(*key) for key in keys)
        found.append(
            facet.with_own(
                shell(f"{show} | sed -n {quote(theirs)} | sed -e {quote(program)} | sort"),
                *(_joined(map(route_text, side)) for side in own),
            )
        )
    return found


def _of_key(tos: str, metric: int) -> str:
    """Prints the route of that key, in the language of sed."""
    same_tos = f"/ tos {tos} /" if tos not in {"", "0", "0x0"} else "/ tos /!"
    same_metric = rf"/ metric {metric}\( .*\)*$/" if metric else "/ metric /!"
    return f"{same_tos}{{\n{same_metric}p\n}}"


def _own(route: Route) -> Route:
    """The route without what its nexthop object says: that is compared as the object's."""
    return route if route.nexthop_id is None else route.model_copy(update={"nexthops": ()})


def _by_prefix(state: NodeState) -> dict[tuple[str, str, str], tuple[Route, ...]]:
    grouped: dict[tuple[str, str, str], list[Route]] = {}
    for route in state.routes:
        grouped.setdefault((route.family, route.table, route.prefix), []).append(route)
    return {
        key: tuple(sorted(routes, key=lambda route: (route.metric, repr(route))) if routes[1:] else routes)
        for key, routes in grouped.items()
    }


def _counts(old: tuple[Route, ...], new: tuple[Route, ...]) -> tuple[str, str]:
    return str(len(old)), str(len(new))


def _joined(texts: Iterable[str]) -> str | None:
    lines = sorted(texts)
    return fold("\n".join(lines)) if lines else None


def route_text(route: Route) -> str:
    """The route as `ip -N -o route show table N` prints it (iproute2, ip/iproute.c, print_route), folded."""
    length = "/128" if route.family == "ip6" else "/32"
    words = [] if route.type == UNPRINTED else [TYPES.get(route.type, route.type)]
    words.append("default" if route.is_default else route.prefix.removesuffix(length))
    if route.nexthop_id is not None:
        return " ".join((*words, "nhid", str(route.nexthop_id)))
    if route.tos not in {"", "0", "0x0"}:
        words += ["tos", route.tos]
    single = route.nexthops[0] if len(route.nexthops) == 1 else None
    if single and route.type not in ip_names.DISCARDING:
        words += _hop(single)
    if route.protocol not in {"", "boot"}:
        words += ["proto", PROTOCOLS.get(route.protocol, route.protocol)]
    if route.scope not in {"", "global", "universe"}:
        words += ["scope", SCOPES.get(route.scope, route.scope)]
    if route.source:
        words += ["src", route.source]
    if route.metric:
        words += ["metric", str(route.metric)]
    if single and single.onlink:
        words.append("onlink")
    metrics = {name: route.options[name] for name in SIMPLE_METRICS if name in route.options}
    if route.advmss is not None:
        metrics["advmss"] = str(route.advmss)
    words += ["mtu", str(route.mtu)] if route.mtu is not None else []
    words += [word for name in METRICS if name in metrics for word in (name, metrics[name])]
    if len(route.nexthops) > 1:
        for hop in route.nexthops:
            words += [
                "\\",
                "nexthop",
                *_hop(hop),
                "weight",
                str(hop.weight),
                *(["onlink"] if hop.onlink else []),
            ]
    return " ".join(words)


def _hop(hop: NextHop) -> list[str]:
    via = ["via", *(["inet6"] if hop.via_family == "ip6" else []), hop.via] if hop.via else []
    return [*via, *(["dev", hop.link] if hop.link else [])]


def _policy_rules(before: NodeState, after: NodeState, how: Scope) -> list[Facet]:
    keys = {(rule.family, rule.preference) for state in (before, after) for rule in state.policy_rules}
    found = []
    for family, preference in sorted(keys):
        old, new = (
            tuple(r for r in state.policy_rules if (r.family, r.preference) == (family, preference))
            for state in (before, after)
        )
        if old == new:
            continue
        option = "-6" if family == "ip6" else "-4"
        show = f"ip -N {option} rule show pref {preference} 2>/dev/null"
        name = f"policy rule {preference} ({family})"
        if (family, preference) in how.counted_rules:
            found.append(
                value_facet(
                    f"{COUNTED} policy rules {preference} ({family})",
                    shell(f"{show} | grep -c ."),
                    str(len(old)),
                    str(len(new)),
                )
            )
            continue
        texts = (_joined(map(_policy_rule_text, side)) for side in (old, new))
        program = "; ".join(
            (
                "s/ ipproto ipproto-/ ipproto /",
                *(rf"s/ ipproto {word} / ipproto {number} /" for word, number in IP_PROTOCOLS.items()),
            )
        )
        named = any(rule.ipproto for rule in (*old, *new))
        read = f"{show} | sed -e {quote(program)}" if named else show
        facet = value_facet(name, shell(f"{read} | sort"), *texts)
        changed = [rule for rule in (*old, *new) if (rule in old) != (rule in new)]
        own = ([rule for rule in side if rule in changed] for side in (old, new))
        theirs = "\n".join(dict.fromkeys(map(_same_selector, changed)))
        found.append(
            facet.with_own(
                shell(f"{read} | sed -n {quote(theirs)} | sort"),
                *(_joined(map(_policy_rule_text, side)) for side in own),
            )
        )
    return found


def _same_selector(rule: PolicyRule) -> str:
    """Prints rules that ask for the same packets, whatever they do with them, in the language of sed."""
    text = re.sub(r" (lookup |[678]( |$)).*", "", _policy_rule_text(rule))
    # Behind the preference stands a tab.
    selector = sed_literal(text).replace(": ", ":[[:space:]]*", 1)
    return f"/^{selector} lookup /p\n/^{selector} [678]$/p\n/^{selector} [678] /p"


def _policy_rule_text(rule: PolicyRule) -> str:
    """The rule as `ip -N rule show` prints it (iproute2, ip/iprule.c, print_rule)."""
    whole = "/128" if rule.family == "ip6" else "/32"
    source, destination = (
        "" if text in EVERY else text.removesuffix(whole) for text in (rule.source, rule.destination)
    )
    words = [f"{rule.preference}:", *(["not"] if rule.inverted else []), "from", source or "all"]
    for word, value in (
        ("to", destination),
        ("tos", rule.tos if rule.tos not in {"0", "0x0"} else ""),
        ("fwmark", rule.fwmark),
        ("iif", rule.iif),
        ("oif", rule.oif),
        ("uidrange", rule.uidrange),
        ("ipproto", IP_PROTOCOLS.get(rule.ipproto, rule.ipproto)),
        ("sport", rule.sport),
        ("dport", rule.dport),
    ):
        words += [word, value] if value else []
    words += ["lookup", rule.table] if rule.action == "lookup" else [ACTIONS[rule.action]]
    if rule.suppress_prefixlength is not None:
        words += ["suppress_prefixlength", str(rule.suppress_prefixlength)]
    if rule.protocol not in {"", "unspec", "kernel"}:
        words += ["proto", PROTOCOLS.get(rule.protocol, rule.protocol)]
    return " ".join(words)


def _nexthops(before: NodeState, after: NodeState) -> list[Facet]:
    have: dict[int, NextHopObject] = {item.id: item for item in before.nexthop_objects}
    want: dict[int, NextHopObject] = {item.id: item for item in after.nexthop_objects}
    return [
        _nexthop(key, have.get(key), want.get(key))
        for key in sorted(have.keys() | want.keys())
        if have.get(key) != want.get(key)
    ]


def _nexthop(key: int, old: NextHopObject | None, new: NextHopObject | None) -> Facet:
    show = f"ip -N -o nexthop show id {key} 2>/dev/null"
    if any(item is not None and item.hop.encap for item in (old, new)):
        name = f"{COUNTED} nexthop objects with id {key}"
        return value_facet(name, shell(f"{show} | grep -c ."), *(str(int(bool(item))) for item in (old, new)))
    program = "\n".join([*(rf"s/ {word} / /g; s/ {word}$//" for word in VOLATILE), NEXTHOP_TAIL])
    texts = (nexthop_text(item) if item is not None else None for item in (old, new))
    return value_facet(f"nexthop object {key}", shell(f"{show} | sed -e {quote(program)}"), *texts)


NEXTHOP_TAIL = "s/ scope [^ ]*//; s/ proto [^ ]*//; s/ type [a-z]* .*//"
"""Takes away what follows from the rest, what no packet notices, and the kind of a group, which the collector does not read."""


def nexthop_text(item: NextHopObject) -> str:
    """The object as `ip -o nexthop show id ID` prints it (iproute2, ip/ipnexthop.c, print_nexthop), without scope and protocol."""
    words = ["id", str(item.id)]
    if item.group:
        members = (f"{member},{weight}" if weight != 1 else str(member) for member, weight in item.group)
        words += ["group", "/".join(members)]
    if item.blackhole:
        words.append("blackhole")
    if not item.group and not item.blackhole:
        words += _hop(NextHop(via=item.hop.via, link=item.hop.link))
    if item.hop.onlink:
        words.append("onlink")
    return " ".join(words)
