"""A setting that harms speed, diagnosis or a later start, and no flow now.

## Why it matters

Small accept queues, TCP without scaling, timestamps or selective acknowledgements, unanswered echo requests and the
like are noticed under load, in monitoring, or when a program starts again. They take effect in the node's own network
namespace: pods have their own values, host-network pods have the node's.

## When it bites

For new sockets or connections, or when the program that listens starts again.

## How to undo

Write the old value back; listeners that started meanwhile keep what they took.

## How to check

`nstat -az TcpExtListenOverflows TcpExtListenDrops TcpRetransSegs`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from planner.models.change import Cause, SysctlChange
from planner.models.finding import Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.topology import Overlay
from planner.risks.risk import Review, Risk
from planner.risks.sysctl.context import TUNNELS
from planner.sysctls.numbers import number, numbers


@dataclass(frozen=True, slots=True)
class Latent:
    """One row: the key, when it is worth a word, and the word."""

    key: str
    when: Callable[[int, int], bool]
    says: str
    onset: Horizon = Horizon.NOW
    effect: str = "performance"
    back: Reversibility = Reversibility.FULL
    applies: Callable[[Review], bool] = lambda _: True


def _off(old: int, new: int) -> bool:
    return bool(old) and not new


def _on(old: int, new: int) -> bool:
    return not old and bool(new)


def _far_down(old: int, new: int) -> bool:
    return new * 4 <= old


def _down(old: int, new: int) -> bool:
    return new < old


def _tunnels(review: Review) -> bool:
    return review.topology.overlay in TUNNELS


def _cilium(review: Review) -> bool:
    return review.topology.overlay is Overlay.CILIUM


AGAIN = Horizon.SERVICE_RESTART
ROWS = (
    Latent(
        "net.core.somaxconn",
        _down,
        "host-network programs that listen from now on get an accept queue of at most {after} and drop bursts; "
        "running listeners and pods are not touched",
        AGAIN,
        back=Reversibility.WITH_LOSS,
    ),
    Latent(
        "net.ipv4.tcp_window_scaling", _off, "new TCP connections move at most 64 KiB for each round trip"
    ),
    Latent("net.ipv4.tcp_sack", _off, "new TCP connections recover slowly from loss"),
    Latent(
        "net.ipv4.tcp_timestamps",
        _off,
        "new TCP connections lose wrap protection, and SYN cookies their options",
    ),
    Latent("net.ipv4.tcp_moderate_rcvbuf", _off, "receive windows of TCP no longer grow"),
    Latent(
        "net.ipv4.tcp_syncookies",
        _off,
        "a burst of SYNs fills the queue and new connections to the host fail",
    ),
    Latent("net.ipv4.tcp_abort_on_overflow", _on, "bursts that fill an accept queue become resets"),
    Latent(
        "net.ipv4.tcp_retries2",
        lambda old, new: new < 6 <= old,
        "connections of the host die during outages of a few seconds, such as a switch or plugin restart",
    ),
    Latent(
        "net.ipv4.tcp_syn_retries",
        lambda old, new: new < 3 <= old,
        "connection attempts of the host give up after {after} retries",
    ),
    Latent(
        "net.core.netdev_max_backlog",
        _far_down,
        "bursts between pods and the node are dropped at {after} packets",
    ),
    Latent(
        "net.core.rmem_max", _far_down, "UDP and QUIC servers get smaller buffers at their next start", AGAIN
    ),
    Latent(
        "net.ipv4.icmp_echo_ignore_all",
        _on,
        "no ping is answered; monitoring and some load balancers take the node for dead",
        effect="observability",
    ),
    Latent(
        "net.ipv4.icmp_msgs_per_sec",
        lambda old, new: new < 50 <= old,
        "path MTU messages are held back: large packets may vanish",
    ),
    Latent(
        "net.ipv4.ip_no_pmtu_disc",
        lambda old, new: not old and new > 0,
        "path MTU is no longer learned as usual while packets go through a tunnel",
        applies=_tunnels,
    ),
    Latent(
        "net.ipv4.ip_nonlocal_bind",
        _off,
        "programs that bind an address that is elsewhere now (keepalived, haproxy) fail at their next start",
        AGAIN,
    ),
    Latent(
        "net.ipv6.bindv6only",
        _on,
        "servers that open [::] without saying more refuse IPv4 after their next start",
        AGAIN,
    ),
    Latent(
        "net.ipv4.ip_unprivileged_port_start",
        lambda old, new: new > old,
        "host programs without privileges no longer bind ports below {after} at their next start",
        AGAIN,
    ),
    Latent(
        "net.ipv4.conf.*.promote_secondaries",
        _off,
        "removing a primary address also removes its secondaries, virtual addresses among them",
    ),
    Latent(
        "net.netfilter.nf_conntrack_events",
        _off,
        "flow exporters and conntrackd see no events",
        effect="observability",
    ),
    Latent(
        "net.netfilter.nf_conntrack_log_invalid",
        _on,
        "every invalid packet is logged, which floods the journal on a busy node",
        effect="observability",
    ),
    Latent(
        "net.netfilter.nf_hooks_lwtunnel",
        _on,
        "it cannot be switched off again without a reboot",
        back=Reversibility.NONE,
    ),
    Latent(
        "kernel.unprivileged_bpf_disabled",
        lambda old, new: new == 1 and old != 1,
        "1 cannot be left without a reboot; 2 can",
        back=Reversibility.NONE,
    ),
    Latent(
        "net.core.bpf_jit_enable",
        _off,
        "programs of the data path that are loaded from now on run slowly",
        applies=_cilium,
    ),
    Latent(
        "net.core.devconf_inherit_init_net",
        lambda old, new: old != new,
        "new pods copy other values of conf.all and conf.default than pods before",
        Horizon.NEW_PODS,
    ),
    Latent(
        "fs.inotify.max_user_watches",
        _far_down,
        "programs that watch many files fail at their next start",
        AGAIN,
    ),
)


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """The row of the key, when its direction is the one that is worth a word."""
    if change.cause is Cause.MAYBE:
        return
    yield from _buffers(change)
    old, new = number(change.before), number(change.after)
    if old is None or new is None:
        return
    for row in ROWS:
        if fnmatchcase(change.key, row.key) and row.when(old, new) and row.applies(review):
            yield Finding(
                risk=RISK.id,
                change=change,
                message=f"On {change.node} {row.says.format(after=change.after)}.",
                side_effects=(row.effect,),
                onset=max(change.horizon, row.onset),
                reversibility=row.back,
            )


def _buffers(change: SysctlChange) -> Iterator[Finding]:
    """The third number of tcp_rmem and tcp_wmem; new pods copy these."""
    if change.key not in {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}:
        return
    old, new = numbers(change.before), numbers(change.after)
    if len(old) == len(new) == 3 and _far_down(old[2], new[2]):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"TCP buffers on {change.node}, and in pods that start from now on, grow to {new[2]:,} octets instead of "
                f"{old[2]:,}: transfers over long paths get slow."
            ),
            side_effects=("performance",),
            onset=change.horizon,
        )


RISK = Risk[SysctlChange](
    id="latent-setting",
    title="A setting that harms speed, diagnosis or a later start",
    on=(SysctlChange,),
    keys=(*sorted(row.key for row in ROWS), "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
    judge=judge,
    sources=(
        "Linux, Documentation/networking/ip-sysctl.rst and Documentation/admin-guide/sysctl/net.rst; partly measured",
    ),
    verify="nstat -az TcpExtListenOverflows TcpExtListenDrops TcpRetransSegs",
)
