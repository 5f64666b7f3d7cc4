"""The packets that a node lives by, as far as its topology tells them, and what is lost with each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network

from planner.models.finding import Extent
from planner.models.node import NodeState
from planner.models.topology import Overlay, PodAttachment, Topology
from planner.models.traffic import TrafficClass
from planner.netfilter.condition import Field
from planner.risks.netfilter.probe import Answer, Fate, Packet, fate
from planner.risks.risk import Review

TCP, UDP, IPIP = 6, 17, 4
SSH, KUBELET, API, BGP = 22, 10250, 6443, 179
NEW, OPEN = frozenset({"NEW"}), frozenset({"ESTABLISHED"})
REMOTE_PORT, POD_PORT = 40000, 8080
"""Some port out of the usual ephemeral range, and one that a pod might serve."""
OUTSIDE = {"ip": 0xC6120001, "ip6": 0x20010DB8 << 96}
"""An address that is nobody's: 198.18.0.1 and 2001:db8:: (RFC 2544, RFC 3849)."""


@dataclass(frozen=True, slots=True)
class Lifeline:
    """One packet and what its loss means."""

    name: str
    group: str
    """control, overlay or pods."""
    words: str
    """Continues `… on node-1 no longer accepts`."""
    packet: Packet
    breaks: tuple[TrafficClass, ...]
    extent: Extent = Extent.TOTAL
    cuts_undo: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A lifeline before and after."""

    line: Lifeline
    before: Answer
    after: Answer

    @property
    def lost(self) -> bool:
        """It passed, or may have passed, and is now dropped for certain."""
        return self.before.fate is not Fate.DROPPED and self.after.fate is Fate.DROPPED

    @property
    def doubtful(self) -> bool:
        """It passed for certain, and now it may be dropped."""
        return self.before.fate is Fate.PASSES and self.after.fate is Fate.UNKNOWN


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two states and their topology, compared by identity."""

    before: NodeState
    after: NodeState
    topology: Topology

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Pair)
            and other.before is self.before
            and other.after is self.after
            and other.topology is self.topology
        )

    def __hash__(self) -> int:
        return hash((id(self.before), id(self.after), id(self.topology)))


def verdicts(review: Review) -> tuple[Verdict, ...]:
    """Every lifeline whose fate differs between before and after."""
    return _verdicts(_Pair(review.before, review.after, review.topology))


@lru_cache(maxsize=8)
def _verdicts(pair: _Pair) -> tuple[Verdict, ...]:
    found = []
    for line in lifelines(pair.before, pair.topology):
        verdict = Verdict(line, fate(pair.before, line.packet), fate(pair.after, line.packet))
        if verdict.lost or verdict.doubtful:
            found.append(verdict)
    return tuple(found)


def lifelines(state: NodeState, topology: Topology) -> Iterator[Lifeline]:
    """In both families, for those that the node has an address of."""
    for family in ("ip", "ip6"):
        uplink = _uplink(state, topology, family)
        if uplink:
            yield from _control(state, topology, family, uplink)
            yield from _overlay(state, topology, family, uplink)
            yield from _pods(state, topology, family, uplink)


def _control(state: NodeState, topology: Topology, family: str, uplink: str) -> Iterator[Lifeline]:
    def incoming(port: int, states: frozenset[str]) -> Packet:
        return Packet("INPUT", family, {**_to(port), Field.SOURCE_PORT: REMOTE_PORT}, uplink, "", states)

    ssh = next((item.port for item in state.volatile.listeners if "sshd" in item.process), SSH)
    also = "" if family == "ip" else " over IPv6"
    main = family == "ip" or not _uplink(state, topology, "ip")
    lost = Extent.TOTAL if main else Extent.PARTIAL
    yield Lifeline(
        "ssh-open",
        "control",
        f"the packets of open ssh sessions{also}, the one that applies this among them",
        incoming(ssh, OPEN),
        (TrafficClass.NODE_MANAGEMENT,),
        lost,
        cuts_undo=main,
    )
    yield Lifeline(
        "ssh-new",
        "control",
        f"new ssh connections{also} (tcp {ssh})",
        incoming(ssh, NEW),
        (TrafficClass.NODE_MANAGEMENT,),
        lost,
        cuts_undo=main,
    )
    yield Lifeline(
        "ssh-answer",
        "control",
        f"its own answers to ssh sessions{also}",
        Packet("OUTPUT", family, {**_from(ssh), Field.DESTINATION_PORT: REMOTE_PORT}, "", uplink, OPEN),
        (TrafficClass.NODE_MANAGEMENT,),
        lost,
        cuts_undo=main,
    )
    yield Lifeline(
        "api-answer",
        "control",
        f"the API server's answers to the kubelet{also}",
        Packet(
            "INPUT",
            family,
            {**_from(API), **_api(topology, family, Field.SOURCE), Field.DESTINATION_PORT: REMOTE_PORT},
            uplink,
            "",
            OPEN,
        ),
        (TrafficClass.NODE_TO_APISERVER, TrafficClass.HOST_EGRESS),
        lost,
    )
    yield Lifeline(
        "api-call",
        "control",
        f"the kubelet's connections to the API server{also} (tcp {API})",
        Packet(
            "OUTPUT",
            family,
            {**_to(API), **_api(topology, family, Field.DESTINATION), Field.SOURCE_PORT: REMOTE_PORT},
            "",
            uplink,
            NEW,
        ),
        (TrafficClass.NODE_TO_APISERVER,),
        lost,
    )
    yield Lifeline(
        "kubelet-new",
        "control",
        f"the API server's connections to the kubelet{also} (tcp {KUBELET}: logs, exec, metrics)",
        incoming(KUBELET, NEW),
        (TrafficClass.NODE_TO_APISERVER,),
        Extent.PARTIAL,
    )
    if any(item.port == API and item.protocol == "tcp" for item in state.volatile.listeners):
        yield Lifeline(
            "apiserver-new",
            "control",
            f"connections to the API server that runs on it{also} (tcp {API})",
            incoming(API, NEW),
            (TrafficClass.NODE_TO_APISERVER,),
            lost,
        )


def _overlay(state: NodeState, topology: Topology, family: str, uplink: str) -> Iterator[Lifeline]:
    lost = (TrafficClass.POD_TO_POD_CROSS_NODE, TrafficClass.POD_TO_SERVICE, TrafficClass.DNS)
    for link in state.links:
        port = link.options.get("port", link.options.get("dstport", ""))
        if link.name in topology.overlay_links and link.kind in {"vxlan", "geneve"} and port.isdigit():
            for hook, inside, outside in (("INPUT", uplink, ""), ("OUTPUT", "", uplink)):
                yield Lifeline(
                    f"{link.name}-{hook.lower()}",
                    "overlay",
                    f"the overlay's packets {'from' if hook == 'INPUT' else 'to'} other nodes (udp {port}, {link.name})",
                    Packet(hook, family, _udp(int(port)), inside, outside, NEW),
                    lost,
                )
        if link.name in topology.overlay_links and link.kind == "ipip" and family == "ip":
            for hook, inside, outside in (("INPUT", uplink, ""), ("OUTPUT", "", uplink)):
                yield Lifeline(
                    f"{link.name}-{hook.lower()}",
                    "overlay",
                    f"the overlay's packets {'from' if hook == 'INPUT' else 'to'} other nodes (protocol 4, {link.name})",
                    Packet(hook, family, {Field.PROTOCOL: IPIP}, inside, outside, NEW),
                    lost,
                )
    if topology.overlay in {Overlay.CALICO_BGP, Overlay.CALICO_IPIP, Overlay.KUBE_ROUTER}:
        yield Lifeline(
            "bgp",
            "overlay",
            f"the BGP sessions that bring its routes (tcp {BGP})",
            Packet("INPUT", family, {**_to(BGP), Field.SOURCE_PORT: REMOTE_PORT}, uplink, "", NEW),
            lost,
            Extent.PARTIAL,
        )


def _pods(state: NodeState, topology: Topology, family: str, uplink: str) -> Iterator[Lifeline]:
    inside = pod_link(topology)
    mine = middle(topology.node_pod_ranges, family)
    if not inside or mine is None or topology.pods == 0:
        return
    other = elsewhere(state, topology, family)
    outside = OUTSIDE[family]
    pod_in, pod_out = {Field.SOURCE: mine}, {Field.DESTINATION: mine}
    tunnel = topology.overlay_links[0] if topology.overlay_links else uplink
    tcp = {Field.PROTOCOL: TCP, Field.SOURCE_PORT: REMOTE_PORT, Field.DESTINATION_PORT: POD_PORT}
    answer = {Field.PROTOCOL: TCP, Field.SOURCE_PORT: POD_PORT, Field.DESTINATION_PORT: REMOTE_PORT}

    def forwarded(name: str, words: str, packet: Packet, *breaks: TrafficClass) -> Lifeline:
        return Lifeline(name, "pods", words, packet, breaks)

    yield forwarded(
        "pod-out",
        "packets of pods to the outside",
        Packet("FORWARD", family, {**tcp, **pod_in, Field.DESTINATION: outside}, inside, uplink, NEW),
        TrafficClass.POD_TO_EXTERNAL,
        TrafficClass.DNS,
    )
    yield forwarded(
        "pod-out-answer",
        "answers from the outside to pods",
        Packet("FORWARD", family, {**answer, **pod_out, Field.SOURCE: outside}, uplink, inside, OPEN),
        TrafficClass.POD_TO_EXTERNAL,
        TrafficClass.DNS,
    )
    if other is not None:
        yield forwarded(
            "pod-cross-out",
            "packets of its pods to pods on other nodes",
            Packet("FORWARD", family, {**tcp, **pod_in, Field.DESTINATION: other}, inside, tunnel, NEW),
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.POD_TO_SERVICE,
            TrafficClass.DNS,
        )
        yield forwarded(
            "pod-cross-in",
            "packets of pods on other nodes to its pods",
            Packet("FORWARD", family, {**tcp, **pod_out, Field.SOURCE: other}, tunnel, inside, NEW),
            TrafficClass.POD_TO_POD_CROSS_NODE,
            TrafficClass.POD_TO_SERVICE,
        )
    yield forwarded(
        "nodeport-in",
        "what comes from outside through NodePorts and load balancers to its pods",
        Packet(
            "FORWARD",
            family,
            {**tcp, **pod_out, Field.SOURCE: outside},
            uplink,
            inside,
            frozenset({"NEW", "DNAT"}),
            None,
        ),
        TrafficClass.EXTERNAL_TO_NODEPORT_LB,
    )
    yield forwarded(
        "probe-out",
        "its own connections to pods, health probes among them",
        Packet("OUTPUT", family, {**tcp, **pod_out}, "", inside, NEW),
        TrafficClass.KUBELET_PROBES,
    )
    yield forwarded(
        "probe-answer",
        "pods' answers to health probes",
        Packet("INPUT", family, {**answer, **pod_in}, inside, "", OPEN),
        TrafficClass.KUBELET_PROBES,
    )
    # bridge-nf-call-iptables hands bridged frames to FORWARD (Documentation/networking/ip-sysctl.rst).
    key = f"net.bridge.bridge-nf-call-ip{'6' if family == 'ip6' else ''}tables"
    if topology.attachment is PodAttachment.BRIDGE and state.sysctls.get(key) == "1":
        yield forwarded(
            "pod-same",
            "packets between its own pods",
            Packet(
                "FORWARD",
                family,
                {**tcp, Field.SOURCE: mine, Field.DESTINATION: mine + 1},
                inside,
                inside,
                NEW,
            ),
            TrafficClass.POD_TO_POD_SAME_NODE,
            TrafficClass.POD_TO_SERVICE,
        )


def _uplink(state: NodeState, topology: Topology, family: str) -> str:
    """The first uplink with an address of the family; the first at all when no address is known."""
    links = [link for name in topology.uplinks if (link := state.link(name)) is not None]
    for link in links:
        if any(address.family == family and address.scope == "global" for address in link.addresses):
            return link.name
    if family == "ip" and not any(link.addresses for link in links):
        return topology.uplinks[0] if topology.uplinks else ("eth0" if not state.links else "")
    return ""


def pod_link(topology: Topology) -> str:
    """The node's link that pods' packets come by: their bridge, or one of their own links."""
    if topology.attachment is PodAttachment.BRIDGE and topology.bridges:
        return topology.bridges[0]
    return topology.pod_links[0] if topology.pod_links else ""


def middle(ranges: tuple[str, ...], family: str) -> int | None:
    """An address in the middle of the first range of the family."""
    for item in ranges:
        net = ip_network(item, strict=False)
        if (net.version == 6) == (family == "ip6"):
            return int(net[net.num_addresses // 2])
    return None


def elsewhere(state: NodeState, topology: Topology, family: str) -> int | None:
    """An address of the cluster's pod range outside this node's own, or of a subnet that the overlay is routed to."""
    own = [ip_network(item, strict=False) for item in topology.node_pod_ranges]
    routed = [
        route.prefix
        for route in state.routes
        if route.type == "unicast"
        and any(hop.via and hop.link in topology.overlay_links for hop in route.nexthops)
    ]
    for item in (*topology.pod_ranges, *routed):
        net = ip_network(item, strict=False)
        if (net.version == 6) != (family == "ip6"):
            continue
        for address in (net[1], net[-2], net[net.num_addresses // 2]):
            if not any(ip_address(address).version == mine.version and address in mine for mine in own):
                return int(address)
    return None


def _to(port: int) -> dict[Field, int]:
    return {Field.PROTOCOL: TCP, Field.DESTINATION_PORT: port}


def _from(port: int) -> dict[Field, int]:
    return {Field.PROTOCOL: TCP, Field.SOURCE_PORT: port}


def _udp(port: int) -> dict[Field, int]:
    return {Field.PROTOCOL: UDP, Field.DESTINATION_PORT: port, Field.SOURCE_PORT: REMOTE_PORT}


def _api(topology: Topology, family: str, side: Field) -> dict[Field, int]:
    """The first API server's address on that side, where the topology tells one of the family."""
    for server in topology.api_servers:
        host = server if server.count(":") > 1 else server.split(":")[0]
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            continue
        if (address.version == 6) == (family == "ip6"):
            return {side: int(address)}
    return {}
