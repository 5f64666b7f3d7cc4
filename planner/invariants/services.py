"""Which Services of a node are walked: a bounded, deterministic choice, from the API's objects or from kube-proxy's rules."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest

from planner.invariants.ground import Ground
from planner.models.cluster import Service
from planner.models.ruleset import Table
from planner.netfilter.differing import differing
from planner.topology.owners import after, comment_of
from planner.topology.services import DNS_COMMENTS

MOST = 4
"""Services beside DNS and the API server's."""
TOUCHED = 6
"""Services beside them whose own rules change."""
ENDPOINTS = 16
"""Each endpoint is a way of its own; Services with more are only walked when there is nothing smaller."""
PROTOCOLS = {"tcp": 6, "udp": 17}
API = "default/kubernetes"
DNS = tuple(name.rstrip(":") for name in DNS_COMMENTS)
DESTINATION = re.compile(r"(?:^| )-d ([0-9a-fA-F.:]+)/(?:32|128) ")
CHAINS = ("KUBE-SVC-", "KUBE-EXT-", "KUBE-XLB-", "KUBE-FW-", "KUBE-SVL-")


@dataclass(frozen=True, slots=True)
class Target:
    """One port of one Service, at one address."""

    name: str
    """`shop/web`."""
    address: str
    """Empty for a NodePort: any of the node's own."""
    port: int
    protocol: int
    local: tuple[str, ...] = ()
    """Endpoints known to be pods of this node."""
    endpoints: int = 0

    @property
    def of(self) -> str:
        """Behind its port, whose it is."""
        return "" if self.name.startswith("port ") else f" of {self.name}"

    @property
    def id(self) -> str:
        """`shop/web/80/tcp`."""
        return f"{self.name}/{self.port}/{'udp' if self.protocol == 17 else 'tcp'}"


def services(ground: Ground) -> tuple[Target, ...]:
    """The API server's Service, and a few others: with endpoints here, elsewhere, one, several."""
    found = tuple(_from_cluster(ground)) or _from_rules(ground)
    usual = [target for target in found if not is_dns(target.name)]
    chosen: dict[tuple[object, ...], Target] = {}
    for target in sorted(usual, key=lambda t: (t.name != API, t.endpoints > ENDPOINTS, t.id)):
        kind = (
            target.name == API,
            bool(target.local),
            len(target.local) == target.endpoints,
            target.endpoints > 1,
            target.protocol,
        )
        chosen.setdefault(kind, target)
    picked = list(chosen.values())
    # Where no kind tells them apart, two witnesses are better than one.
    picked += [target for target in sorted(usual, key=lambda t: t.id) if target not in picked]
    touched = [target for target in _touched(ground) if not is_dns(target.name)]
    return tuple(dict.fromkeys((*picked[: MOST + 1], *(t for t in touched if _new(t, picked[: MOST + 1])))))


def _new(target: Target, known: list[Target]) -> bool:
    """Whether none of them is at that address and port."""
    places = {(other.address, other.port, other.protocol) for other in known}
    return (target.address, target.port, target.protocol) not in places


def dns(ground: Ground) -> tuple[tuple[str, str], ...]:
    """Addresses that pods ask, with the name of the Service behind."""
    names = {
        target.address: target.name
        for target in (*_from_cluster(ground), *_from_rules(ground))
        if is_dns(target.name)
    }
    return tuple(
        (address, names.get(address, "the cluster's DNS"))
        for address in ground.mine(ground.topology.dns_service)
    )


def node_ports(ground: Ground) -> tuple[Target, ...]:
    """A few NodePorts that something answers behind."""
    found = {
        (port.node_port, PROTOCOLS[port.protocol.lower()]): Target(
            f"{service.namespace}/{service.name}", "", port.node_port, PROTOCOLS[port.protocol.lower()],
            _local(service, ground), len(_ready(service, ground)),
        )
        for service in (ground.cluster.services if ground.cluster is not None else ())
        for port in service.ports
        if port.node_port is not None and port.protocol.lower() in PROTOCOLS and _answers_here(service, ground)
    }  # fmt: skip
    targets = list(found.values()) or list(_ports_of(ground, "KUBE-NODEPORTS"))
    return tuple(sorted(targets, key=lambda t: (t.endpoints > ENDPOINTS, t.port))[:3])


def balancers(ground: Ground) -> tuple[Target, ...]:
    """Addresses of load balancers and external addresses that kube-proxy translates here."""
    found = [
        target
        for text in _dispatch(ground)
        if comment_of(text).endswith((" loadbalancer IP", " external IP"))
        and (target := _target(text, ground)) is not None
    ]
    return tuple(sorted(found, key=lambda t: t.id)[:2])


def host_ports(ground: Ground) -> tuple[Target, ...]:
    """Ports of the node that its pods claim: of the API's objects, else of portmap's and the kubelet's chains."""
    found = [
        Target(f"{pod.namespace}/{pod.name}", port.host_ip, port.host_port, PROTOCOLS[port.protocol.lower()])
        for pod in (ground.cluster.pods if ground.cluster is not None else ())
        if pod.node == ground.state.name and pod.phase == "Running" and not pod.host_network
        for port in pod.host_ports
        if port.protocol.lower() in PROTOCOLS
        and port.host_ip in {"", "0.0.0.0", "::"} | ground.addresses  # noqa: S104 - compared
        and ground.mine(pod.addresses)
    ]
    if not found:
        found = [*_ports_of(ground, "CNI-HOSTPORT-DNAT"), *_ports_of(ground, "KUBE-HOSTPORTS")]
    return tuple(sorted(found, key=lambda t: (t.port, t.protocol, t.name))[:3])


def is_dns(name: str) -> bool:
    """Whether it is the cluster's DNS."""
    return name in DNS


def _from_cluster(ground: Ground) -> Iterator[Target]:
    # A Service whose endpoints are not known would be walked as well, but tell nothing.
    for service in ground.cluster.services if ground.cluster is not None else ():
        ready = _ready(service, ground)
        for address in ground.mine(service.cluster_ips) if ready else ():
            for port in service.ports:
                if port.protocol.lower() in PROTOCOLS:
                    yield Target(
                        f"{service.namespace}/{service.name}",
                        address,
                        port.port,
                        PROTOCOLS[port.protocol.lower()],
                        _local(service, ground),
                        len(ready),
                    )


def _ready(service: Service, ground: Ground) -> tuple[str, ...]:
    return ground.mine(tuple(endpoint.address for endpoint in service.endpoints if endpoint.ready))


def _local(service: Service, ground: Ground) -> tuple[str, ...]:
    here = tuple(e.address for e in service.endpoints if e.ready and e.node == ground.state.name)
    return tuple(address for address in ground.mine(here) if address not in ground.addresses)


def _answers_here(service: Service, ground: Ground) -> bool:
    if service.external_traffic_policy == "Local":
        return bool(_local(service, ground))
    return bool(_ready(service, ground))


def _tables(ground: Ground) -> Iterator[Table]:
    for ruleset in ground.state.rulesets:
        if ruleset.family == ground.family and "nat" in ruleset.tables:
            yield ruleset.tables["nat"]


def _dispatch(ground: Ground) -> Iterator[str]:
    for table in _tables(ground):
        yield from table.chains.get("KUBE-SERVICES", ())


@lru_cache(maxsize=2)
def _from_rules(ground: Ground) -> tuple[Target, ...]:
    """Asked by several invariants in a row, and a long chain to read."""
    return tuple(_read(ground))


def _read(ground: Ground) -> Iterator[Target]:
    """Named ones, and the first by text: kube-proxy writes them in random order."""
    wanted = (f'"{API}:', *(f'"{name}' for name in DNS_COMMENTS))
    plain: list[str] = []
    for text in _dispatch(ground):
        if any(name in text for name in wanted):
            if (target := _target(text, ground)) is not None:
                yield target
        elif ' cluster IP"' in text:
            plain.append(text)
    for text in nsmallest(4 * MOST, plain):
        if (target := _target(text, ground)) is not None:
            yield target


@lru_cache(maxsize=2)
def _touched(ground: Ground) -> tuple[Target, ...]:
    """The first few Services whose own rules will not be the same: those must be asked, whatever else is chosen."""
    dispatch: dict[str, None] = {}
    chains: set[str] = set()
    for table in _tables(ground):
        for later in ground.later:
            for ruleset in later.rulesets:
                other = ruleset.tables.get("nat") if ruleset.family == ground.family else None
                if other is None or other is table:
                    continue
                differ = differing(table.chains, other.chains)
                if "KUBE-SERVICES" in differ:
                    gone = set(table.chains.get("KUBE-SERVICES", ())) - set(
                        other.chains.get("KUBE-SERVICES", ())
                    )
                    dispatch.update(dict.fromkeys(nsmallest(4 * MOST, gone)))
                chains |= {name for name in differ if name.startswith((*CHAINS, "KUBE-SEP-"))}
        ends = {name for name in chains if name.startswith("KUBE-SEP-")}
        if ends:
            chains |= {
                name
                for name, rules in table.chains.items()
                if name.startswith("KUBE-SVC-") and any(text.rpartition(" ")[2] in ends for text in rules)
            }
        if chains:
            led = (t for t in table.chains.get("KUBE-SERVICES", ()) if after(t, " -j ") in chains)
            dispatch.update(dict.fromkeys(nsmallest(4 * MOST, led)))
    found = [
        target for text in dispatch if "cluster IP" in text and (target := _target(text, ground)) is not None
    ]
    return tuple(found[:TOUCHED])


def _target(text: str, ground: Ground) -> Target | None:
    place = DESTINATION.search(text)
    protocol = PROTOCOLS.get(after(text, " -p "))
    port = after(text, " --dport ")
    if place is None or protocol is None or not port.isdigit():
        return None
    name = comment_of(text).partition(" ")[0].rpartition(":")[0] if ":" in comment_of(text) else ""
    chain = after(text, " -j ")
    ends = tuple(_ends(chain, ground))
    return Target(name or f"{place[1]}", place[1], int(port), protocol, (), len(ends))


def _ends(chain: str, ground: Ground) -> Iterable[str]:
    for table in _tables(ground):
        for text in table.chains.get(chain, ()):
            target = after(text, " -j ")
            if target.startswith("KUBE-SEP-"):
                yield target


def _ports_of(ground: Ground, chain: str) -> Iterator[Target]:
    """Ports that rules of a chain send on."""
    for table in _tables(ground):
        rules = [text for text in table.chains.get(chain, ()) if "port" in text and " -j " in text]
        for text in nsmallest(6, rules):
            protocol = PROTOCOLS.get(after(text, " -p "))
            port = (after(text, " --dport ") or after(text, " --dports ")).partition(",")[0]
            target = after(text, " -j ")
            if protocol is None or not port.isdigit() or target == "KUBE-MARK-MASQ":
                continue
            if not target.startswith((*CHAINS, "CNI-DN-", "KUBE-HP-", "DNAT")):
                continue
            name = comment_of(text).partition(" ")[0].rpartition(":")[0]
            yield Target(name or f"port {port}", "", int(port), protocol, (), 1)
