"""The model's traces held against what the kernel did."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from oracle.classify import Answer, Kind
from oracle.frames import TCP, UDP
from planner.models.flow import Disposition, Flow, Trace

FOUR = {
    "net-unreachable": (3, 0),
    "host-unreachable": (3, 1),
    "proto-unreachable": (3, 2),
    "port-unreachable": (3, 3),
    "net-prohibited": (3, 9),
    "host-prohibited": (3, 10),
    "admin-prohibited": (3, 13),
}
"""Type and code of the names that iptables has for them (iptables-extensions(8), REJECT)."""
SIX = {
    "no-route": (1, 0),
    "adm-prohibited": (1, 1),
    "addr-unreachable": (1, 3),
    "port-unreachable": (1, 4),
    "policy-fail": (1, 5),
    "reject-route": (1, 6),
}
D = Disposition
# What each silence may be called. From outside, a drop by a rule, a martian and a blackhole are one and the same.
QUIET = frozenset({D.DROPPED, D.MARTIAN, D.BLACKHOLE})
SUPPRESSED = frozenset({D.REJECTED, D.UNREACHABLE, D.TOO_BIG, D.EXPIRED})
"""Endings with an ICMP error, which may itself be dropped or find no way back."""


class Verdict(StrEnum):
    """How model and kernel stand to each other on one flow."""

    AGREE = "agree"
    CLASS = "agree as far as can be told"
    """An error that the model expects was not seen, and nothing says that it was not meant."""
    UNKNOWN = "the model does not know"
    DISAGREE = "disagree"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One flow, judged."""

    flow: Flow
    answer: Answer
    traces: tuple[Trace, ...]
    verdict: Verdict
    first: Flow | None = None
    """The packet upon which this one follows in a connection."""

    def __str__(self) -> str:
        lines = [f"after: {self.first!r}"] if self.first else []
        lines += [f"flow: {self.flow!r}", f"kernel: {self.answer}"]
        for trace in self.traces:
            after = trace.after
            header = (
                f" as {after.source}:{after.source_port} → {after.destination}:{after.destination_port} ttl {after.hop_limit} tos {after.tos:#x} mark {after.mark:#x}"
                if after
                else ""
            )
            lines.append(
                f"model: {trace.disposition} {trace.link} {trace.next_hop} {trace.reject_kind} ({trace.reason}){header} {trace.draws}"
            )
            lines += [f"    {hop.stage}: {hop.what} {hop.rule}" for hop in trace.hops]
        return "\n".join(lines)


def compare(flow: Flow, answer: Answer, traces: Sequence[Trace]) -> Comparison:
    """The kernel did one thing; the model names all that may happen, and that one must be among them."""
    verdicts = [_agrees(flow, answer, trace) for trace in traces]
    for wanted in (Verdict.AGREE, Verdict.UNKNOWN, Verdict.CLASS):
        if wanted in verdicts:
            return Comparison(flow, answer, tuple(traces), wanted)
    return Comparison(flow, answer, tuple(traces), Verdict.DISAGREE)


def _agrees(flow: Flow, answer: Answer, trace: Trace) -> Verdict:
    found = trace.disposition
    if found is D.UNKNOWN:
        # What it could be is told, and one of these it must be.
        could = {_agrees(flow, answer, one) for one in trace.alternatives}
        return Verdict.DISAGREE if could == {Verdict.DISAGREE} else Verdict.UNKNOWN
    match answer.kind:
        case Kind.SENT:
            same = found is D.SENT and (trace.link, trace.next_hop) == (answer.link, answer.next_hop)
            return _verdict(same and _same_header(answer, trace))
        case Kind.BRIDGED:
            same = found is D.BRIDGED and trace.link in {answer.link, flow.entry.link, ""}
            return _verdict(same and _same_header(answer, trace))
        case Kind.DELIVERED:
            same = found is D.DELIVERED and _same_header(answer, trace)
            return _verdict(same and trace.after is not None and trace.after.mark == answer.mark)
        case Kind.REJECTED:
            return _verdict(_expected_error(flow, answer, trace))
        case Kind.REFUSED:
            if answer.error == "ENETUNREACH" and found is D.UNREACHABLE:
                return _verdict(trace.reject_kind in {"net-unreachable", "no-route"})
            return _verdict(found in _REFUSALS.get(answer.error, frozenset()))
        case Kind.ASKED:
            same = found is D.SENT and (trace.link, trace.next_hop) == (answer.link, answer.next_hop)
            # What waits for the neighbour may be the error about the packet, on its way back.
            return Verdict.CLASS if same or found in SUPPRESSED | {D.NO_ROUTE} else Verdict.DISAGREE
        case _:
            return _quiet(flow, answer, trace)


_REFUSALS = {
    "ENETUNREACH": frozenset({D.NO_ROUTE}),
    "EHOSTUNREACH": frozenset({D.UNREACHABLE, D.NO_ROUTE}),
    "EACCES": frozenset({D.UNREACHABLE}),
    "EINVAL": frozenset({D.BLACKHOLE, D.MARTIAN}),
    "EMSGSIZE": frozenset({D.TOO_BIG}),
}
"""Errors that routing gives to a program (kernel, net/ipv4/fib_semantics.c, fib_props)."""


def _verdict(same: bool) -> Verdict:
    return Verdict.AGREE if same else Verdict.DISAGREE


def _same_header(answer: Answer, trace: Trace) -> bool:
    packet, after = answer.packet, trace.after
    if packet is None or after is None:
        return False
    if (packet.source, packet.destination) != (after.source, after.destination):
        return False
    if (packet.hop_limit, packet.tos) != (after.hop_limit, after.tos):
        return False
    if packet.protocol not in {TCP, UDP}:
        return True
    # A port that the kernel picks from a range is 0 in the model.
    return packet.destination_port == after.destination_port and after.source_port in {0, packet.source_port}


def _expected_error(flow: Flow, answer: Answer, trace: Trace) -> bool:
    name = trace.reject_kind.removeprefix("icmp6-").removeprefix("icmp-").removeprefix("icmpv6-")
    if answer.reset:
        return trace.disposition is D.REJECTED and name == "tcp-reset"
    six = flow.family == "ip6"
    match trace.disposition:
        case D.REJECTED:
            return answer.icmp == (SIX if six else FOUR).get(name)
        case D.EXPIRED:
            return answer.icmp == ((3, 0) if six else (11, 0))
        case D.TOO_BIG:
            return answer.icmp == ((2, 0) if six else (3, 4))
        case D.NO_ROUTE:
            return answer.icmp == ((1, 0) if six else (3, 0))
        case D.UNREACHABLE:
            # prohibit, unreachable by a rule, unreachable by a route
            known = {(1, 0), (1, 1), (1, 3), (1, 6)} if six else {(3, 0), (3, 1), (3, 13)}
            named = (SIX if six else FOUR).get(name)
            return answer.icmp == named if named else answer.icmp in known
        case _:
            return False


def _quiet(flow: Flow, answer: Answer, trace: Trace) -> Verdict:
    found, counted = trace.disposition, answer.counted
    if answer.chance:
        return _verdict(found in QUIET | SUPPRESSED | {D.RP_FILTER, D.NO_ROUTE, D.NO_FORWARDING, D.LOOP})
    if "rp_filter" in counted:
        return _verdict(found is D.RP_FILTER)
    if "no route" in counted:
        # A policy rule `unreachable` counts as a missing route does: both are ENETUNREACH. IPv6 counts every refusal.
        named = found is D.UNREACHABLE and (
            flow.family == "ip6" or trace.reject_kind in {"net-unreachable", ""}
        )
        return _verdict(named or found in {D.NO_ROUTE, D.NO_FORWARDING})
    if "not forwarded" in counted:
        # Where the link does not forward, a missing route is counted as the same (ip_route_input_slow).
        if found in {D.NO_ROUTE, D.UNREACHABLE, D.BLACKHOLE}:
            return Verdict.CLASS
        return _verdict(found is D.NO_FORWARDING)
    if found is D.RP_FILTER:
        # A bridge that translated a destination routes by itself, and counts nothing (br_netfilter_hooks.c).
        return Verdict.CLASS if flow.entry.bridge_port else Verdict.DISAGREE
    if "error written" in counted or "reset written" in counted:
        return _verdict(found in SUPPRESSED or (found is D.NO_ROUTE and flow.family == "ip"))
    if found in QUIET:
        return Verdict.AGREE
    if found in {D.NO_ROUTE, D.UNREACHABLE} and (not flow.entry.link or flow.entry.bridge_port):
        # Routed anew in OUTPUT, or by a bridge that translated: the packet is gone, and nobody is told.
        return Verdict.CLASS
    if found is D.NO_FORWARDING:
        # IPv6 counts nothing where the route itself is a refusal.
        return Verdict.CLASS
    if found in SUPPRESSED:
        # No error for an error, none when no route leads back: the kernel does not even write it.
        return Verdict.CLASS
    return Verdict.DISAGREE


@dataclass(slots=True)
class Tally:
    """What came of many comparisons."""

    probes: int = 0
    states: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, found: Comparison) -> None:
        self.probes += 1
        self.verdicts[found.verdict] += 1
        for trace in found.traces[:1]:
            self.pairs[trace.disposition.value, found.answer.kind.value] += 1
        if found.verdict is Verdict.UNKNOWN:
            reason = next(t.reason for t in found.traces if t.disposition is D.UNKNOWN)
            self.unknown[reason] += 1

    def merge(self, other: "Tally") -> None:
        self.probes += other.probes
        self.states += other.states
        self.verdicts += other.verdicts
        self.pairs += other.pairs
        self.unknown += other.unknown

    def __str__(self) -> str:
        lines = [f"{self.probes} probes over {self.states} states"]
        lines += [
            f"{name.value}: {self.verdicts[name]} ({self.verdicts[name] / max(1, self.probes):.2%})"
            for name in Verdict
        ]
        lines += [f"  {model} | {kernel}: {count}" for (model, kernel), count in sorted(self.pairs.items())]
        lines += [f"  unknown: {reason}: {count}" for reason, count in self.unknown.most_common(12)]
        return "\n".join(lines)


Judge = Callable[[Flow], Sequence[Trace]]
