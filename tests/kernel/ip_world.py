"""Reads the state of a namespace into the nouns, for the tests of `ip`."""

from collections.abc import Callable

from namespace import Namespace

from planner.models.node import NodeState
from planner.parse import ip_json

QUIET = """
for f in all default; do
  echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/$f/dad_transmits
  echo 0 > /proc/sys/net/ipv6/conf/$f/router_solicitations; echo 0 > /proc/sys/net/ipv6/conf/$f/autoconf
done
"""
COMMANDS = (
    "ip -j -d addr show",
    "ip -4 -N -j -d route show table all",
    "ip -6 -N -j -d route show table all",
    "ip -4 -N -j -d rule",
    "ip -6 -N -j -d rule",
    "ip -N -j -d nexthop",
    "ip -j neigh",
    "ip -j neigh show proxy",
    "ip -6 -j neigh show proxy",
    "bridge -j fdb",
    "sysctl -a -r 'net.ipv[46].(conf|neigh)' 2>/dev/null",
)


def read_state(node: Namespace) -> NodeState:
    """Everything `ip` can change, and the sysctls of links."""
    parts = node.sh("; echo '~~~'; ".join(COMMANDS) + "; true").split("~~~\n")
    links, gaps = ip_json.parse_links(parts[0])
    routes4, gaps4 = ip_json.parse_routes(parts[1], "ip")
    routes6, gaps6 = ip_json.parse_routes(parts[2], "ip6")
    rules4, rule_gaps4 = ip_json.parse_policy_rules(parts[3], "ip")
    rules6, rule_gaps6 = ip_json.parse_policy_rules(parts[4], "ip6")
    nexthops, nexthop_gaps = ip_json.parse_nexthops(parts[5])
    neighbours, neighbour_gaps = ip_json.parse_neighbours(parts[6], proxy_text=parts[7])
    more, _ = ip_json.parse_neighbours("", proxy_text=parts[8])
    fdb, fdb_gaps = ip_json.parse_fdb(parts[9])
    lines = (line.partition(" = ") for line in parts[10].splitlines())
    sysctls = {key: " ".join(value.split()) for key, _, value in lines if "stable_secret" not in key}
    read = (*gaps, *gaps4, *gaps6, *rule_gaps4, *rule_gaps6, *nexthop_gaps, *neighbour_gaps, *fdb_gaps)
    assert () == read
    return NodeState(
        name="node",
        kernel="6.18.0",
        links=links,
        routes=(*routes4, *routes6),
        policy_rules=(*rules4, *rules6),
        nexthop_objects=nexthops,
        neighbours=(*neighbours, *more),
        fdb=fdb,
        sysctls=sysctls,
    )


def comparable(state: NodeState, *, options: bool = False) -> dict[str, object]:
    """The facts of a state that are configuration, one key each; volatile ones are left out."""
    facts: dict[str, object] = {}
    own = {link.mac for link in state.links}
    for link in state.links:
        prefix = f"link/{link.name}"
        facts[prefix] = (
            link.kind,
            link.mtu,
            link.mac,
            link.up,
            link.master,
            link.group,
            link.alias,
            link.txqueuelen,
        )
        facts[f"{prefix}/addresses4"] = [a for a in link.addresses if a.family == "ip"]
        facts[f"{prefix}/addresses6"] = [a for a in link.addresses if a.family == "ip6"]
        if options:
            facts[f"{prefix}/options"] = link.options
    for route in state.routes:
        key = f"route/{route.family}/{route.table}/{route.prefix}/{route.tos}/{route.metric}"
        if route.family == "ip6":
            # IPv6 keeps routes of one metric over several links beside each other, in no order that matters.
            key += "/" + ",".join(sorted(f"{hop.link}" for hop in route.nexthops))
        listed = facts.setdefault(key, [])
        assert isinstance(listed, list)
        listed.append(route)
    facts["rules"] = list(state.policy_rules)
    facts["nexthops"] = list(state.nexthop_objects)
    permanent = (entry for entry in state.neighbours if entry.permanent or entry.proxy)
    facts["neighbours"] = sorted(
        (entry.model_copy(update={"state": ""}) for entry in permanent),
        key=lambda entry: (entry.link, entry.address),
    )
    facts["fdb"] = sorted(
        (entry for entry in state.fdb if entry.permanent and entry.mac not in own),
        key=lambda entry: (entry.link, entry.mac, entry.destination),
    )
    facts |= {f"sysctl/{key}": value for key, value in state.sysctls.items()}
    return facts


def settled(node: Namespace, wanted: Callable[[NodeState], bool]) -> NodeState:
    """The state once it is as wanted, or the last one seen: the kernel lets a bridge's carrier follow its
    ports, and starts IPv6 addresses, in the background.
    """
    for _ in range(25):
        state = read_state(node)
        if wanted(state):
            break
    return state


def at_rest(node: Namespace) -> NodeState:
    """The state once every link-local address has its local route, which comes in the background."""
    return settled(node, _has_local_routes)


def _has_local_routes(state: NodeState) -> bool:
    there = {
        (hop.link, route.prefix) for route in state.routes if route.table == "255" for hop in route.nexthops
    }
    own = {
        (link.name, f"{one.address}/128")
        for link in state.links
        for one in link.addresses
        if one.address.startswith("fe80:") and link.up and link.carrier
    }
    return own <= there


def differences(left: dict[str, object], right: dict[str, object]) -> list[str]:
    """What differs, one line each."""
    return [
        f"{key}\n   expected {left.get(key)!r}\n   got      {right.get(key)!r}"
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    ]
