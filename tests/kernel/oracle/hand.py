"""Nodes made by hand, for tests that state one rule each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from plan_node import observe

from oracle.changes import marked
from oracle.classify import Answer
from oracle.compare import Verdict, compare
from oracle.converse import converse
from oracle.members import cube, traced
from oracle.probe import probe, tracked
from oracle.stage import Stage, mac_of
from planner.models.flow import Entry, Flow, Trace
from planner.models.node import NodeState

LINKS = ("eth0", "eth1")


class Hand(Stage):
    """A node with a few links, `10.N.0.1/24` and `fd00:N::1/64` on the Nth, that forwards."""

    state: NodeState | None = None

    def build(self, links: Sequence[str], setup: str) -> None:
        lines, six = [], []
        for number, name in enumerate(links, 1):
            mac = f"52:54:00:00:00:{number:02x}"
            self.link(name, mac=mac)
            lines += [f"link set {name} address {mac} group 77 up", f"addr add 10.{number}.0.1/24 dev {name}"]
            six.append(f"addr add fd00:{number}::1/64 dev {name} nodad")
            for host in ("5", "6", "9", "fe"):
                six.append(
                    f"neigh add fd00:{number}::{host} lladdr {mac_of(f'fd00:{number}::{host}')} dev {name}"
                )
                self.knows(f"fd00:{number}::{host}")
        self.ip(lines)
        self.ip(six, "ip6")
        self.sysctls({"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"})
        if setup:
            self.node.sh(setup)

    def rules(self, text: str, tool: str = "iptables-nft") -> None:
        """Load rules in the words of `iptables-restore`, the tables that they name."""
        self.node.run([f"{tool}-restore"], stdin=text.strip() + "\n")
        self.state = None

    def outcome(self, flow: Flow) -> str:
        """What the kernel does, in words; the model must say the same."""
        answer = self.kernel(flow)
        if self.state is None:
            self.state = observe(self.node)
        found = compare(flow, answer, model(self.state, flow))
        assert found.verdict in {Verdict.AGREE, Verdict.CLASS}, f"{found.verdict}\n{found}"
        return describe(answer)

    def grouped(self, flow: Flow) -> str:
        """What the kernel does, in words; what is said of all packets at once must leave no other way open."""
        answer = self.kernel(flow)
        if self.state is None:
            self.state = observe(self.node)
        from planner.dataplane.symbolic.reach import Reached

        reached = Reached(self.state, family=flow.family)
        one = cube(reached.analysis, flow)
        assert one is not None
        held = [
            traced(flow, end)
            for end, where in reached.followed(reached.space.all).items()
            if (one & where).satisfiable()
        ]
        found = compare(flow, answer, marked(answer, tuple(held)))
        assert found.verdict in {Verdict.AGREE, Verdict.CLASS}, f"{found.verdict}\n{found}"
        return describe(answer)

    def talk(self, flow: Flow) -> list[str]:
        """What the kernel does with the answer to a first packet and with the packet after it; the model must say the same."""
        if self.state is None:
            self.state = observe(self.node)
        told = []
        for later, answer in converse(self, flow):
            found = compare(later, answer, model(self.state, later))
            assert found.verdict in {Verdict.AGREE, Verdict.CLASS}, f"{found.verdict}\n{found}"
            told.append(describe(answer))
        return told

    def kernel(self, flow: Flow) -> Answer:
        """What the kernel does."""
        return probe(self, flow)


def model(state: NodeState, flow: Flow) -> tuple[Trace, ...]:
    """What the model says."""
    from planner.dataplane.trace import trace

    return trace(state, flow)


@contextmanager
def by_hand(*links: str, setup: str = "", rules: str = "", tool: str = "iptables-nft") -> Iterator[Hand]:
    """A node with these links (eth0 and eth1 when none is named)."""
    with Hand() as node:
        node.build(links or LINKS, setup)
        if rules:
            node.rules(rules, tool)
        yield node


def describe(answer: Answer) -> str:
    """The answer in few words: the same for the same ending."""
    packet = answer.packet
    ends = ""
    if packet is not None:
        left, right = packet.source, packet.destination
        if packet.protocol in {6, 17}:
            left, right = f"{left}.{packet.source_port}", f"{right}.{packet.destination_port}"
        ends = f": {left} > {right}"
    if answer.kind == "sent":
        return f"sent by {answer.link} to {answer.next_hop}{ends}"
    if answer.kind == "bridged":
        return f"bridged to {answer.link}{ends}"
    if answer.kind == "delivered":
        return f"delivered{ends}"
    if answer.kind == "rejected":
        return "reset" if answer.reset else f"icmp {answer.icmp[0]}/{answer.icmp[1]}" if answer.icmp else ""
    if answer.kind == "refused":
        return answer.error
    if answer.kind == "asked":
        return f"asked on {answer.link} for {answer.next_hop}"
    named = sorted(answer.counted & {"rp_filter", "no route", "not forwarded"})
    return f"silence ({named[0]})" if named else "silence"


def tcp(source: str, destination: str, via: str = "eth0", **more: object) -> Flow:
    """A first segment, `10.1.0.5.1000` to `10.2.0.9.80`; by `via`, or of the node itself when that is empty."""
    return _flow(6, source, destination, via, more)


def udp(source: str, destination: str, via: str = "eth0", **more: object) -> Flow:
    """A datagram."""
    return _flow(17, source, destination, via, more)


def ping(source: str, destination: str, via: str = "eth0", **more: object) -> Flow:
    """An echo request."""
    six = ":" in source
    return _flow(58 if six else 1, source, destination, via, {"icmp_type": 128 if six else 8, **more})


def _flow(protocol: int, source: str, destination: str, via: str, more: dict[str, object]) -> Flow:
    values: dict[str, object] = {"protocol": protocol, "family": "ip6" if ":" in source else "ip"}
    if protocol in {6, 17}:
        source, _, values["source_port"] = source.rpartition(".")
        destination, _, values["destination_port"] = destination.rpartition(".")
    if protocol == 6 and not via and values["family"] == "ip6":
        values["length"] = 80
    entry = more.pop("entry", None) or Entry(link=via)
    values |= {
        "source": source,
        "destination": destination,
        "entry": entry,
        "source_mac": mac_of(source) if via else "",
    }
    return tracked(Flow.model_validate(values | more))
