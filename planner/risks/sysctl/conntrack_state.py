"""Connections whose tracking state is lost, idle or out of window are no longer carried on.

## Why it matters

Services and masquerading live in the state of connection tracking. tcp_loose=0 refuses to pick up a connection whose
state was lost (reboot, flush, fail-over). A short timeout forgets idle connections, and the next packet goes out
untranslated or meets a reset. be_liberal=0 makes out-of-window segments invalid: they are not translated, and the peer
resets the connection.

## When it bites

tcp_loose: at the next loss of state. Timeouts: for each flow after its next packet, when it has been idle. be_liberal:
at once, now and then, under load.

## How to undo

Write the old value back; connections that broke are not brought back.

## How to check

`conntrack -S` (invalid), `sysctl -a -r 'nf_conntrack_(tcp_loose|tcp_be_liberal|.*timeout)'`.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import turned_off, value
from planner.sysctls.numbers import number

SERVICES = (TrafficClass.POD_TO_SERVICE, TrafficClass.POD_TO_EXTERNAL)
RESOLVER_RETRY = 5
"""Seconds that a resolver waits before it asks again (resolv.conf(5), timeout)."""
KEEPALIVE = 7200
"""The kernel's own net.ipv4.tcp_keepalive_time."""


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Each key has its own way to lose a connection."""
    match change.key.rsplit(".", 1)[-1]:
        case "nf_conntrack_tcp_loose" if turned_off(change):
            yield _finding(
                change,
                f"{change.node} no longer picks up TCP connections in the middle: the next loss of tracking state (reboot, "
                f"flush, fail-over) ends every established connection through it.",
                SERVICES,
                later=True,
            )
        case "nf_conntrack_tcp_be_liberal" if turned_off(change):
            yield _finding(
                change,
                f"Segments outside the expected window are invalid again on {change.node}: they leave untranslated, and now "
                f"and then a large transfer through a service is reset.",
                (TrafficClass.POD_TO_SERVICE,),
            )
        case "nf_conntrack_tcp_timeout_established":
            yield from _established(change, review)
        case "nf_conntrack_udp_timeout" if _below(change, RESOLVER_RETRY):
            yield _finding(
                change,
                f"UDP flows are forgotten after {change.after} s on {change.node}, before a resolver asks again: late DNS "
                f"answers do not find their way back.",
                (TrafficClass.DNS,),
            )
        case _:
            return


def _established(change: SysctlChange, review: Review) -> Iterator[Finding]:
    new, old = number(change.after), number(change.before)
    if new is None or old is None or new >= old:
        return
    if new <= 0:
        yield _finding(
            change,
            f"{change.after} is no way to say for ever: on {change.node} each TCP connection is forgotten at its next packet.",
            (*SERVICES, TrafficClass.EXTERNAL_TO_NODEPORT_LB),
            extent=Extent.INTERMITTENT,
        )
        return
    keepalive = value(review.after, "net.ipv4.tcp_keepalive_time") or KEEPALIVE
    if new < min(keepalive, KEEPALIVE) and old >= min(keepalive, KEEPALIVE):
        yield _finding(
            change,
            f"TCP connections that are silent for {new:,} s are forgotten on {change.node}, sooner than the kernel's keepalive "
            f"of {keepalive:,} s would speak: translated connections of databases, watches and ssh hang or are reset after a "
            f"pause.",
            SERVICES,
            later=True,
        )


def _below(change: SysctlChange, floor: int) -> bool:
    new, old = number(change.after), number(change.before)
    return new is not None and old is not None and new < floor <= old


def _finding(
    change: SysctlChange,
    message: str,
    breaks: tuple[TrafficClass, ...],
    *,
    extent: Extent = Extent.PARTIAL,
    later: bool = False,
) -> Finding:
    return Finding(
        risk=RISK.id,
        change=change,
        message=message,
        breaks=breaks,
        extent=extent,
        capacity=later,
        onset=change.horizon,
        confidence=Confidence.LIKELY if later or extent is Extent.PARTIAL else Confidence.PROVEN,
        reversibility=Reversibility.WITH_LOSS,
        undo="Connections that broke meanwhile have to be opened again.",
    )


RISK = Risk[SysctlChange](
    id="conntrack-state",
    title="Connections are forgotten or refused by tracking",
    on=(SysctlChange,),
    keys=(
        "net.netfilter.nf_conntrack_tcp_loose",
        "net.netfilter.nf_conntrack_tcp_be_liberal",
        "net.netfilter.nf_conntrack_tcp_timeout_established",
        "net.netfilter.nf_conntrack_udp_timeout",
    ),
    judge=judge,
    sources=(
        "Linux, net/netfilter/nf_conntrack_proto_tcp.c; Documentation/networking/nf_conntrack-sysctl.rst; measured",
        "Kubernetes, kube-proxy conntrack.tcpBeLiberal",
    ),
    verify="conntrack -S; sysctl -a -r 'nf_conntrack_(tcp|udp)'",
)
