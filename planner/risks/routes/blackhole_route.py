"""A route that discards covers addresses that are in use.

## Why it matters

Host processes, host-network pods among them, ask the routing table before kube-proxy's rules can translate a Service
address, so a blackhole on the service range cuts them off from the API Service while ordinary pods go on working. On
other nodes' pods, on nodes or on the API server it simply discards. A node's own pod block is no harm: its live pods
have routes of their own that are longer.

## When it bites

At once. A probe that runs in a pod does not see it.

## How to undo

`ip route del blackhole <prefix>`; name the protocol that installed it.

## How to check

`ip route get <service address>` on the node.
"""

from collections.abc import Iterator

from planner.dataplane.lookup import DISCARDS
from planner.models.change import RouteChange
from planner.models.finding import Extent, Finding
from planner.models.route import MAIN, Route
from planner.models.traffic import TrafficClass
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.risks.routes.prefixes import first_address, is_own, overlaps, prefix, within
from planner.risks.routes.senders import HOST, Sender, pod_senders


def judge(change: RouteChange, review: Review) -> Iterator[Finding]:
    """What the prefix covers that no longer or better route takes away from it again."""
    after = change.after
    if after is None or after.table != MAIN or after.type not in DISCARDS:
        return
    if change.before is not None and change.before.type in DISCARDS:
        return
    services = [item for item in review.topology.service_ranges if _covered(item, after, review)]
    base = Finding(risk=RISK.id, change=change, message="", extent=Extent.TOTAL, onset=change.horizon)
    told = f"{after.type} {after.prefix} on {change.node}"
    servers = [server for server in review.topology.api_servers if _discarded(server, after, review, HOST)]
    if servers:
        yield base.model_copy(
            update={
                "message": f"{told} discards packets to the API server at {servers[0]}.",
                "breaks": (TrafficClass.NODE_TO_APISERVER,),
            }
        )
    if services:
        yield base.model_copy(
            update={
                "message": (
                    f"{told} covers the service range {services[0]}: the host, its host-network pods and the CNI agent lose "
                    "the API Service and cluster DNS, while a probe in an ordinary pod stays green."
                ),
                "breaks": (TrafficClass.NODE_TO_APISERVER, TrafficClass.DNS),
                "remedy": "Do not let the BGP daemon install its own advertisement of the service range.",
            }
        )
    senders = pod_senders(review, after.family)
    elsewhere = [
        item
        for item in sorted(_pod_targets(review))
        if not is_own(item, review)
        and any(_discarded(first_address(item), after, review, sender) for sender in senders)
    ]
    if elsewhere:
        yield base.model_copy(
            update={
                "message": f"{told} discards packets of {pods(review)} to the pods in {elsewhere[0]}.",
                "breaks": (TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE),
                "extent": Extent.PARTIAL if len(elsewhere) == 1 else Extent.TOTAL,
            }
        )


def _covered(services: str, route: Route, review: Review) -> bool:
    """Whether programs of the node that ask for a Service are answered by this route."""
    if not overlaps(services, route.prefix):
        return False
    shared = services if within(services, route.prefix) else route.prefix
    wanted = [*review.topology.dns_service, str(prefix(services)[1]), first_address(shared)]
    return any(within(item, route.prefix) and _discarded(item, route, review, HOST) for item in wanted)


def _discarded(address: str, route: Route, review: Review, sender: Sender) -> bool:
    """Whether this very route takes the sender's packets now, and they had a way before."""
    try:
        return sender.way(review.after, address).route == route and sender.way(review.before, address).leads
    except ValueError:
        return False


def _pod_targets(review: Review) -> set[str]:
    """Subnets where other nodes' pods live: from the cluster, else from the routes before."""
    known = {item for node in (review.cluster.nodes if review.cluster else ()) for item in node.pod_cidrs}
    if known:
        return known
    return {
        route.prefix
        for route in review.before.routes
        if route.table == MAIN
        and route.type == "unicast"
        and any(within(route.prefix, item) for item in review.topology.pod_ranges)
    }


RISK = Risk[RouteChange](
    id="blackhole-route",
    title="A discarding route covers addresses in use",
    on=(RouteChange,),
    judge=judge,
    sources=(
        "Linux, net/ipv4/fib_rules.c, fib4_rule_action; measured: the lookup comes before OUTPUT translates",
        "BIRD user's guide, static protocol; Calico documentation, advertising Service addresses",
    ),
    verify="ip route show type blackhole; ip route show type unreachable",
)
