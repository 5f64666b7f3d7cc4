"""A part of a node's packets as people ask for it: from a pod, link or prefix, to a prefix and port."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from planner.dataplane.flow_text import PROTOCOLS, STATES, Words, make_flow
from planner.dataplane.packet import WITH_PORTS
from planner.dataplane.trace import by_port
from planner.dataplane.view import view_of
from planner.errors import NetchangeError
from planner.models.cluster import Pod
from planner.models.node import NodeState
from planner.models.traffic import PacketBox

RECEIVER = re.compile(
    r"^(?:\[(?P<wide>[^\]]+)\]|(?P<plain>[^:\s]*)|(?P<bare>[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:./]*))"
    r"(?::(?P<port>[^:/\s]*)(?:/(?P<protocol>\w+))?)?$"
)
listed = ", ".join
PORTED = (6, 17, 132)
"""tcp, udp, sctp: whose ports are meant where only a port is given."""
MOST = 65535


def read_box(
    state: NodeState,
    pods: Sequence[Pod] = (),
    *,
    sender: str | None = None,
    receiver: str | None = None,
    protocol: str = "",
    conntrack: str = "",
) -> tuple[PacketBox | None, tuple[str, ...]]:
    """The packets that are meant, None for all, and the families that they can be of; raises NetchangeError."""
    meant = PacketBox() if sender is None else _from(sender, state, pods)
    if receiver is not None:
        meant = _to(meant, receiver)
    if protocol:
        meant = _of(meant, _protocol(protocol))
    if conntrack:
        if conntrack.upper() not in STATES:
            raise _bad(f"`{conntrack}` is no state of conntrack", f"it is one of {listed(STATES)}")
        meant = meant.model_copy(update={"states": (conntrack.upper(),)})
    families = _families(meant.source) & _families(meant.destination)
    if not families:
        raise _bad(
            f"{meant.source[0]} and {meant.destination[0]} are of two families",
            "ask for one family at a time",
        )
    return meant if meant != PacketBox() else None, tuple(sorted(families))


def _families(prefixes: Sequence[str]) -> set[str]:
    return {"ip6" if ":" in prefix else "ip" for prefix in prefixes} or {"ip", "ip6"}


def _bad(message: str, hint: str) -> NetchangeError:
    return NetchangeError(reference="packets-not-understood", message=message, hint=hint)


def _from(text: str, state: NodeState, pods: Sequence[Pod]) -> PacketBox:
    """A link, the node itself, a pod by name or address, or a prefix."""
    names = [link.name for link in state.links]
    if text in {state.name, "lo"}:
        return PacketBox(links=("",))
    if text in names:
        return PacketBox(links=(_carrying(text, state),))
    net = _network(text)
    if net is None:
        return _from_pod(text, state, pods)
    if net.prefixlen < net.max_prefixlen:
        return PacketBox(source=(str(net),))
    return PacketBox(source=(str(net),), links=(_way_in(str(net.network_address), state),))


def _from_pod(text: str, state: NodeState, pods: Sequence[Pod]) -> PacketBox:
    found = [pod for pod in pods if text in {pod.name, f"{pod.namespace}/{pod.name}"} and pod.addresses]
    if not found:
        shown = listed(link.name for link in state.links[:8]) + (" …" if len(state.links) > 8 else "")
        raise _bad(
            f"`{text}` is no address, prefix, link or pod that `{state.name}` knows",
            f"give a pod's address, a prefix, `{state.name}` for the node's own packets, or a link: {shown}",
        )
    if len(found) > 1:
        held = listed(sorted(f"{pod.namespace}/{pod.name}" for pod in found)[:4])
        raise _bad(f"`{text}` is the name of {len(found)} pods", f"name one with its namespace: {held}")
    pod = found[0]
    if pod.host_network:
        return PacketBox(links=("",)) if pod.node in {state.name, ""} else _elsewhere(pod, state)
    return _elsewhere(pod, state)


def _elsewhere(pod: Pod, state: NodeState) -> PacketBox:
    """By the links that lead to a pod's addresses."""
    links = dict.fromkeys(_way_in(address, state) for address in pod.addresses)
    source = tuple(f"{address}/{128 if ':' in address else 32}" for address in pod.addresses)
    return PacketBox(source=source, links=tuple(links))


def _way_in(address: str, state: NodeState) -> str:
    """The link that a packet from there comes by, a bridge's where it is not known by which port; "" for the node's own."""
    flow = make_flow(Words(address, address, "icmp"), state)
    return by_port(view_of(state), flow).entry.link


def _carrying(name: str, state: NodeState) -> str:
    """The link, or the bond that it hands its packets to; raises NetchangeError where none can come by it."""
    links = view_of(state).links
    link = links[name]
    master = links.get(link.master)
    if not link.up or (master is not None and not master.up):
        down = link if not link.up else master or link
        raise _bad(
            f"`{down.name}` of `{state.name}` is down, so that no packets come by it",
            "name a link that is up",
        )
    if master is not None and master.kind in {"bond", "team"}:
        return master.name
    return name


def _to(meant: PacketBox, text: str) -> PacketBox:
    found = RECEIVER.match(text)
    hint = "write it as ADDRESS, PREFIX, `10.96.0.10:53/udp` or `[fd00::10]:53/udp`"
    if found is None:
        raise _bad(f"`{text}` is no address or prefix, with or without a port and a protocol", hint)
    where = found["wide"] or found["plain"] or found["bare"] or ""
    prefix, port, protocol = where, found["port"], found["protocol"]
    if not where and not port:
        raise _bad(f"`{text}` names no address, prefix or port", hint)
    if where:
        net = _network(prefix)
        if net is None:
            raise _bad(f"`{prefix}` in `{text}` is no address or prefix", hint)
        meant = meant.model_copy(update={"destination": (str(net),)})
    if port is None:
        return meant
    if not port.isdecimal() or int(port) > MOST:
        raise _bad(f"`{port}` in `{text}` is no port", f"it is a number from 0 to {MOST}")
    meant = meant.model_copy(update={"destination_ports": ((int(port), int(port)),), "protocols": PORTED})
    return _of(meant, _protocol(protocol)) if protocol else meant


def _of(meant: PacketBox, protocol: int) -> PacketBox:
    if meant.destination_ports and protocol not in WITH_PORTS:
        raise _bad(
            f"packets of protocol {protocol} have no ports", "leave the port away, or ask for tcp or udp"
        )
    if meant.destination_ports and meant.protocols not in {(), PORTED, (protocol,)}:
        raise _bad(
            f"the port is of protocol {meant.protocols[0]}, and `--proto` says {protocol}", "say it once"
        )
    return meant.model_copy(update={"protocols": (protocol,)})


def _protocol(text: str) -> int:
    known = PROTOCOLS.get(text.lower())
    if known is None and (not text.isdecimal() or int(text) > 255):
        raise _bad(f"`{text}` is no protocol", f"it is one of {listed(PROTOCOLS)}, or a number from 0 to 255")
    return int(text) if known is None else known


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
