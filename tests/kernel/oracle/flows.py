"""Random flows for a state: drawn from the addresses and ports that its rules speak of, and from around them."""

from collections.abc import Iterator
from random import Random

from oracle.addresses import MARKS, PORTS, TOS, USERS
from oracle.probe import tracked
from oracle.stage import mac_of
from oracle.states import BRIDGE, State
from planner.models.flow import Entry, Flow

SYN, ACK, PSH_ACK, FIN_ACK, ODD = 0x02, 0x10, 0x18, 0x11, (0x00, 0x29, 0x12, 0x04)


def random_flows(state: State, draw: Random, count: int) -> Iterator[Flow]:
    """That many flows, all of which the kernel can be asked about."""
    for _ in range(count):
        own = draw.random() < state.theme.own
        yield _host(state, draw) if own else _arriving(state, draw)


def _destination(state: State, draw: Random) -> str:
    pool = state.pool
    groups = pool.remotes, pool.all_hosts(), pool.all_own(), pool.virtual, (pool.loopback,)
    return draw.choice(draw.choices(groups, (5, 4, 3, 2, 0.2))[0])


def _source(state: State, draw: Random, number: int, *, bridged: bool) -> str:
    """Mostly a host that lives there; sometimes another's, or the node's own address."""
    pool = state.pool
    # Many different ones: errors to one source are limited (net/ipv4/route.c, ip_error).
    many = pool.on(number, draw.randrange(5, 25 if state.family == "ip6" else 250))
    here = draw.choice((*pool.hosts(number), *[many] * (0 if bridged else 6)))
    groups = (here,), pool.remotes, pool.all_hosts(), pool.all_own(), pool.virtual, (pool.loopback,)
    return draw.choice(draw.choices(groups, (14, 2.5, 1, 0.5, 0.3, 0.15))[0])


def _header(state: State, draw: Random) -> dict[str, object]:
    six = state.family == "ip6"
    protocol = draw.choices((6, 17, 58 if six else 1, 253), (9, 6, 4, 0.5))[0]
    found: dict[str, object] = {"family": state.family, "protocol": protocol}
    found["length"] = draw.choices((60, 84, 1400), (14, 2, 2))[0]
    found["hop_limit"] = draw.choices((64, 63, 2, 1), (20, 2, 1, 1))[0]
    found["tos"] = draw.choice((0, 0, 0, 0, 0, 0, 0, *TOS))
    if protocol in {6, 17}:
        found["source_port"] = draw.choices((draw.randrange(30000, 60000), draw.choice(PORTS)), (8, 1))[0]
        found["destination_port"] = draw.choices((draw.choice(PORTS), draw.randrange(1, 65535)), (8, 1))[0]
    if six:
        found["icmp_type"] = 128
    return found


def _arriving(state: State, draw: Random) -> Flow:
    six = state.family == "ip6"
    number = draw.randint(1, state.links)
    name = state.names[number - 1]
    header = _header(state, draw)
    protocol = header["protocol"]
    # The smaller, the rather it belongs to something known.
    roll = draw.random() / state.theme.known
    mark = 0
    if protocol == 6:
        if roll < 0.12:
            header |= {"state": "ESTABLISHED", "tcp_flags": draw.choice((ACK, PSH_ACK, FIN_ACK))}
        elif roll < 0.25:
            header |= {"state": "INVALID", "tcp_flags": draw.choice((ACK, *ODD))}
    elif protocol == 17 and roll < 0.15:
        header["state"] = "ESTABLISHED"
    elif protocol in {1, 58}:
        if roll < 0.12:
            header["state"] = "ESTABLISHED"
        elif roll < 0.24:
            header |= {"state": "RELATED", "icmp_type": 1 if six else 3, "icmp_code": 3 if six else 1}
            # Not shorter than what it is about, with both headers.
            header["length"] = max(int(str(header["length"])), 100)
        elif roll < 0.34:
            header |= {"state": "INVALID", "icmp_type": 129 if six else 0}
    bridged = name == BRIDGE
    source = _source(state, draw, number, bridged=bridged)
    entry = Entry(link=name)
    destination = _destination(state, draw)
    if bridged:
        entry, destination = _by_port(state, draw, number, source, destination)
    ends = {"source": source, "destination": destination, "source_mac": mac_of(source), "entry": entry}
    if header.get("state") == "ESTABLISHED" and draw.random() < 0.4:
        mark = draw.choice(MARKS)
    return tracked(Flow.model_validate(header | ends), mark=mark)


def _by_port(state: State, draw: Random, number: int, source: str, destination: str) -> tuple[Entry, str]:
    """By a port of the bridge: that of the pod whose address it is, or any."""
    pods = state.pool.hosts(number)
    homes = {pod: state.ports[n % len(state.ports)] for n, pod in enumerate(pods)}
    port = homes.get(source) or draw.choice(state.ports)
    others = [pod for pod in pods if homes[pod] != port]
    if draw.random() < 0.3:
        to = draw.choice(others)
        return Entry(link=BRIDGE, bridge_port=port, to_router=False, out_port=homes[to]), to
    return Entry(link=BRIDGE, bridge_port=port), destination


def _host(state: State, draw: Random) -> Flow:
    """Of the node's own programs, by real sockets: a first segment, a datagram or an echo."""
    header = _header(state, draw)
    if header["protocol"] == 253:
        header["protocol"] = 17
        header |= {"source_port": 33333, "destination_port": draw.choice(PORTS)}
    if header["protocol"] == 6:
        # The options of a SYN: maximum segment size, selective acknowledgements, time stamps, window scale.
        header["length"] = 80 if state.family == "ip6" else 60
    header["mark"] = draw.choice((0, 0, 0, *MARKS))
    configured = {address.partition("/")[0] for _, address in state.secondaries}
    first = [state.pool.own(n)[0] for n in range(1, state.links + 1)]
    source = draw.choice((*first, *first, *sorted(configured), state.pool.loopback))
    if source == state.pool.loopback:
        destination = draw.choice((source, *first))
    else:
        destination = _destination(state, draw)
    user = draw.choice(USERS)
    return Flow.model_validate(
        header | {"source": source, "destination": destination, "entry": Entry(user=user)}
    )
