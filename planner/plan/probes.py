"""Runnable checks of the paths that must stay open: those that work before the change, with what to expect after it."""

from collections.abc import Iterator

from planner.invariants.check import kept
from planner.invariants.ground import OUTSIDE
from planner.models.cluster import Cluster, Pod
from planner.models.flow import Flow
from planner.models.horizon import Horizon
from planner.models.invariant import Holding, Kept, Walked
from planner.models.node import NodeState
from planner.models.plan import Probe
from planner.models.proposal import Outlook
from planner.models.topology import Topology

WAIT = "3"
"""Seconds: a path that needs longer is broken for people."""
DNS, TCP, UDP = 53, 6, 17
PING = frozenset({1, 58})
OUTSIDE_NAME = "example.com"
NAME = "kubernetes.default.svc.cluster.local"
MEANT = {
    Holding.HOLDS: "works",
    Holding.BROKEN: "fails",
    Holding.UNKNOWN: "not known",
}


def probes(outlook: Outlook, topology: Topology | None, cluster: Cluster | None) -> tuple[Probe, ...]:
    """The same commands before and after. A path that is broken already proves nothing and is left out."""
    state = outlook.before[Horizon.NOW]
    found = [*_gateways(state, outlook.after[Horizon.NOW])]
    if topology is not None:
        pods = {address: pod for pod in (cluster.pods if cluster else ()) for address in pod.addresses}
        for one in kept(outlook, topology, cluster):
            if one.horizon is Horizon.NOW and one.step is None and one.before.holding is Holding.HOLDS:
                found += _probe(one, pods)
    return tuple(dict.fromkeys(found))


def _probe(one: Kept, pods: dict[str, Pod]) -> Iterator[Probe]:
    """Nothing for what no command can send: packets of a connection that is open already, an overlay's own."""
    flow = one.path.flow
    command = _command(flow)
    if not command or flow.state != "NEW" or _unheard(one):
        return
    where, prefix = _where(one, pods)
    yield Probe(
        about=one.path.words,
        argv=(*prefix, *command),
        expect=expected(one.after),
        where=where,
        path=one.path.name,
        after=MEANT[one.after.holding],
    )


def _unheard(one: Kept) -> bool:
    """Whether it leads from the node to itself and no program is known that would answer."""
    heard = {trace.listens for trace in one.before.traces} - {"", "nobody"}
    return one.path.flow.source == one.path.flow.destination and not heard


def expected(after: Walked) -> str:
    """A sentence about the result after the change."""
    match after.holding:
        case Holding.HOLDS:
            return "exit status 0, as before"
        case Holding.BROKEN:
            return f"it fails: {after.reason}"
        case _:
            return f"not known: {after.reason}"


def _command(flow: Flow) -> tuple[str, ...]:
    # The model's somebody outside is an address; whoever checks asks a name that anybody may ask (RFC 2606).
    there = OUTSIDE_NAME if flow.destination in OUTSIDE.values() else flow.destination
    if flow.protocol == TCP:
        return ("nc", "-z", "-w", WAIT, there, str(flow.destination_port))
    if flow.protocol == UDP and flow.destination_port == DNS:
        return ("nslookup", f"-timeout={WAIT}", NAME, there)
    if flow.protocol in PING:
        return ("ping", "-c", "1", "-W", WAIT, there)
    return ()


def _where(one: Kept, pods: dict[str, Pod]) -> tuple[str, tuple[str, ...]]:
    """Whose command it is, and what runs it there."""
    flow = one.path.flow
    if not flow.entry.link:
        return f"on {one.node}", ()
    pod = pods.get(flow.source)
    if pod is not None and not pod.host_network:
        return "where kubectl works", ("kubectl", "exec", "-n", pod.namespace, pod.name, "--")
    if flow.source in OUTSIDE.values():
        return "on a machine outside the cluster", ()
    return f"on the machine that has the address {flow.source}", ()


def _gateways(state: NodeState, after: NodeState) -> Iterator[Probe]:
    """Neighbours on the way out: whether they answer is no matter of this node's rules alone."""
    there = {
        (hop.via, hop.link) for route in after.routes if route.is_default for hop in route.nexthops if hop.via
    }
    for route in state.routes:
        if route.is_default and route.table == "254":
            for hop in route.nexthops:
                if hop.via:
                    stays = (hop.via, hop.link) in there
                    yield Probe(
                        about=f"the gateway {hop.via} on {hop.link} answers",
                        argv=("ping", "-c", "1", "-W", WAIT, "-I", hop.link, hop.via),
                        expect="exit status 0, if it was so before: some gateways never answer"
                        if stays
                        else "it is no longer the gateway",
                        where=f"on {state.name}",
                        after=MEANT[Holding.HOLDS if stays else Holding.UNKNOWN],
                    )
