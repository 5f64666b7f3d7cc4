"""Pods on a bridge."""

from small_node import link, node, route

from planner.dataplane.trace import trace
from planner.models.flow import Disposition, Entry, Flow
from planner.models.link import ForwardingEntry, Link, Neighbour

BRIDGE = Link(name="cni0", index=10, kind="bridge", addresses=link("x", 1, "10.1.0.1/24").addresses)
PORTS = tuple(
    Link(
        name=f"veth{n}",
        index=10 + n,
        kind="veth",
        master="cni0",
        mac=f"02:00:00:00:01:0{n}",
        peer_elsewhere=True,
        options={"hairpin": "off"},
    )
    for n in (2, 3)
)
KNOWN = {
    "neighbours": tuple(
        Neighbour(address=f"10.1.0.{n}", link="cni0", mac=f"02:00:00:00:00:0{n}") for n in (2, 3)
    ),
    "fdb": tuple(ForwardingEntry(mac=f"02:00:00:00:00:0{n}", link=f"veth{n}", master="cni0") for n in (2, 3)),
}
OWN = tuple(
    f"net.ipv4.conf.cni0.{knob}"
    for knob in ("rp_filter", "accept_local", "send_redirects", "src_valid_mark", "route_localnet")
)
SERVICE = "nat PREROUTING -d 10.96.0.1/32 -j DNAT --to-destination 10.1.0.3"


def bridged(text: str = "", *, calls: str = "1", ports: tuple[Link, ...] = PORTS):
    values = dict.fromkeys(OWN, "0") | {
        "net.ipv4.conf.cni0.forwarding": "1",
        "net.bridge.bridge-nf-call-iptables": calls,
    }
    routes = (
        route("10.1.0.0/24", "cni0"),
        route("10.1.0.1/32", "cni0", table="255", type="local", protocol="kernel"),
    )
    return node(text, links=(BRIDGE, *ports), routes=routes, sysctls=values, **KNOWN)


def packet(destination: str, *, to_router: bool = True, **more: object) -> Flow:
    entry = Entry(link="cni0", bridge_port="veth2", to_router=to_router)
    return Flow(
        source="10.1.0.2",
        destination=destination,
        source_port=40000,
        destination_port=80,
        entry=entry,
        **more,
    )


def one(state, flow):
    traces = trace(state, flow)
    assert 1 == len(traces)
    return traces[0]


def test_frames_are_shown_to_forward_only_when_asked_for() -> None:
    """bridge-nf-call-iptables=1 brings FORWARD's rules to pods on one bridge; without it they do not exist for them."""
    drop = "filter FORWARD -j DROP"

    assert Disposition.DROPPED is one(bridged(drop), packet("10.1.0.3", to_router=False)).disposition
    found = one(bridged(drop, calls="0"), packet("10.1.0.3", to_router=False))
    assert (Disposition.BRIDGED, "veth3") == (found.disposition, found.link)


def test_rules_see_the_bridge_and_physdev_the_port() -> None:
    """`-i veth2` never fits a bridged frame."""
    text = "filter FORWARD -i veth2 -j DROP\nfilter FORWARD -i cni0 -o cni0 -m physdev --physdev-in veth2 --physdev-out veth3 -j REJECT"

    assert Disposition.REJECTED is one(bridged(text), packet("10.1.0.3", to_router=False)).disposition


def test_the_port_stays_visible_when_the_packet_is_routed() -> None:
    """physdev-in fits in FORWARD and POSTROUTING (measured)."""
    text = "filter FORWARD -i cni0 -m physdev --physdev-in veth2 -j DROP"

    assert Disposition.DROPPED is one(bridged(text), packet("192.0.2.9")).disposition
    assert Disposition.SENT is one(bridged(text, calls="0"), packet("192.0.2.9")).disposition


def test_a_service_whose_endpoint_is_on_the_same_bridge_is_bridged() -> None:
    """Translated before it is bridged: no hop is counted, and it leaves by the endpoint's port."""
    found = one(bridged(SERVICE), packet("10.96.0.1"))

    assert (Disposition.BRIDGED, "veth3", 64) == (found.disposition, found.link, found.after.hop_limit)


def test_without_the_call_it_is_routed() -> None:
    """The same service through the node: a hop less, out of the bridge itself."""
    found = one(bridged(SERVICE, calls="0"), packet("10.96.0.1"))

    assert (Disposition.SENT, "cni0", "veth3", 63) == (
        found.disposition,
        found.link,
        found.port,
        found.after.hop_limit,
    )


def test_a_pod_reaches_itself_only_by_hairpin() -> None:
    """A frame does not leave by the port that it came by."""
    itself = SERVICE.replace("10.1.0.3", "10.1.0.2")
    pinned = tuple(port.model_copy(update={"options": {"hairpin": "on"}}) for port in PORTS)

    assert "hairpin of veth2 is off" in one(bridged(itself), packet("10.96.0.1")).reason
    assert Disposition.BRIDGED is one(bridged(itself, ports=pinned), packet("10.96.0.1")).disposition


def test_a_port_named_as_link_is_the_bridges() -> None:
    """Who says `in veth2` means the pod behind it."""
    flow = packet("192.0.2.9").model_copy(update={"entry": Entry(link="veth2")})

    assert Entry(link="cni0", bridge_port="veth2") == one(bridged(), flow).flow.entry
