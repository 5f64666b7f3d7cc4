"""Writing sysctls: what the kernel accepts, what it then holds, and what a reboot or a new pod makes of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from planner.models.change import Cause
from planner.models.node import ConfigFile, NodeState
from planner.models.source import Gap, Source
from planner.parse.sysctl_d import Assignment, Reader, effective_assignments, unknown_key
from planner.proposal.effects import Draft, cascade, ticks_per_second
from planner.proposal.late_modules import late_module
from planner.proposal.outcome import Outcome
from planner.sysctls.catalogue import SysctlFact, Takes, Template, lookup, suggest
from planner.sysctls.names import ALL, DEFAULT, conf, link_key, normalise_key
from planner.sysctls.numbers import (
    normalise_value,
    number,
    numbers,
    ports,
    print_ports,
    read_number,
    same_value,
)

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
INVALID = "Invalid argument"
READ_ONLY = frozenset(
    {
        "net.netfilter.nf_conntrack_count",
        "net.ipv4.tcp_available_congestion_control",
        "net.ipv4.tcp_available_ulp",
        "net.mptcp.available_path_managers",
        "net.mptcp.available_schedulers",
    }
)
BOUNDS = (
    ("net.ipv4.ipfrag_low_thresh", "net.ipv4.ipfrag_high_thresh"),
    ("net.ipv6.ip6frag_low_thresh", "net.ipv6.ip6frag_high_thresh"),
    ("net.netfilter.nf_conntrack_frag6_low_thresh", "net.netfilter.nf_conntrack_frag6_high_thresh"),
)
"""Each pair bounds the other: low may not exceed high."""
PORT_RANGE, UNPRIVILEGED = "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"
TICKS = frozenset({"locktime", "proxy_delay", "anycast_delay"})
"""Neighbour times in hundredths of a second, kept in timer ticks."""
MILLIS = frozenset(
    {
        "base_reachable_time_ms",
        "retrans_time_ms",
        "interval_probe_time_ms",
        "gc_min_interval_ms",
        "icmp_ratelimit",
        "tcp_invalid_ratelimit",
        "mldv1_unsolicited_report_interval",
        "mldv2_unsolicited_report_interval",
    }
)
"""Times in milliseconds, kept in timer ticks."""
LISTS = {"net.ipv4.ip_local_reserved_ports": 65535, "net.ipv6.icmp.ratemask": 255}
"""Lists such as `1,7-9`, with their largest member."""
CLOSED = {
    "net.ipv4.tcp_congestion_control": "net.ipv4.tcp_available_congestion_control",
    "net.mptcp.path_manager": "net.mptcp.available_path_managers",
    "net.mptcp.scheduler": "net.mptcp.available_schedulers",
}
"""Names that another key lists."""
TEXTS = frozenset(
    {
        "net.ipv4.tcp_congestion_control",
        "net.ipv4.tcp_fastopen_key",
        "net.core.default_qdisc",
        "net.core.rps_default_mask",
        "net.core.flow_limit_cpu_bitmap",
        "net.mptcp.path_manager",
        "net.mptcp.scheduler",
    }
)


def write_sysctl(
    state: NodeState, key: str, value: str, *, source: Source, tolerate: bool = False
) -> Outcome:
    """The node after one write, with everything that the kernel changes by itself.

    With `tolerate` a failure is not an error of the command (`-key = value`, `sysctl -e`).
    """
    draft = Draft.of(state)
    _write(draft, normalise_key(key), value, source=source)
    return Outcome(
        state=draft.finished(),
        effects=tuple(draft.effects),
        gaps=tuple(draft.gaps),
        error="" if tolerate else "; ".join(draft.errors),
    )


def apply_sysctl_file(
    state: NodeState, assignments: Iterable[Assignment], *, skip_equal: bool = False
) -> Outcome:
    """The node after these writes, in order; one that fails does not stop the others.

    With `skip_equal` a value that is there already is not written, as systemd-sysctl does.
    """
    draft = Draft.of(state)
    errors: list[str] = []
    for assignment in assignments:
        if skip_equal and draft.sysctls.get(assignment.key) == normalise_value(assignment.value):
            continue
        _write(draft, assignment.key, assignment.value, source=assignment.source)
        if not assignment.ignore_errors:
            errors += [f"{assignment.source}: {error}" for error in draft.errors]
        draft.errors.clear()
    return Outcome(draft.finished(), tuple(draft.effects), tuple(draft.gaps), "; ".join(errors))


def _write(draft: Draft, key: str, value: str, *, source: Source) -> None:
    before = draft.sysctls.get(key)
    if before is None:
        _absent(draft, key, value, source)
        return
    fact = lookup(key)
    if key in READ_ONLY or (fact is not None and fact.takes_effect is Takes.READ_ONLY):
        draft.errors.append(f"{key} is read only")
        return
    after, error = accepted(draft.sysctls, key, before, value, fact)
    if error:
        draft.errors.append(f'setting key "{key}": {error}')
    if after == before and error:
        return
    draft.set(key, after, source=source, cause=Cause.PROPOSED, because="written")
    cascade(draft, key, before, source)


def _absent(draft: Draft, key: str, value: str, source: Source) -> None:
    """A key the snapshot does not hold: an error below net., where it holds everything, or a trigger, or a gap."""
    parts = link_key(key)
    if key in {"net.ipv4.route.flush", "net.ipv6.route.flush"}:
        return
    if parts is not None and parts.knob == "stable_secret" and parts.link != ALL:
        draft.sysctls[key] = _secret(value)
        cascade(draft, key, "", source)
        return
    gap = draft.state.gap("sysctl")
    if gap is not None:
        draft.gaps.append(
            Gap(section=f"sysctl/{key}", reason=f"its value is not known: {gap.reason}", source=source)
        )
        return
    if not key.startswith("net.") and "." in key and suggest(key) is None:
        # Keys outside net. are recorded by an allow-list only: this one may well exist, with a value not known.
        draft.sysctls[key] = normalise_value(value)
        return
    draft.errors.append(f"cannot stat {key}: No such file or directory ({unknown_key(key, source).message})")


def _secret(value: str) -> str:
    from ipaddress import IPv6Address

    try:
        return IPv6Address(value.strip()).exploded
    except ValueError:
        return value.strip()


def accepted(
    sysctls: Mapping[str, str], key: str, before: str, text: str, fact: SysctlFact | None
) -> tuple[str, str]:
    """What the key holds after this text was written, and why the kernel refuses it; empty when it does not."""
    words = text.split()
    parts = link_key(key)
    if parts is not None and parts.knob == "stable_secret":
        return (_secret(text), "") if parts.link != ALL else (before, "Input/output error")
    if key in LISTS:
        members = ports(text)
        if (words and not members) or any(member > LISTS[key] for member in members):
            return before, INVALID
        return print_ports(members), ""
    if key in TEXTS or (fact is not None and fact.type == "string") or not _is_numeric(before):
        return _accepted_text(sysctls, key, before, text)
    if not words:
        return before, INVALID
    if key == PORT_RANGE:
        return _port_range(sysctls, before, words)
    return _accepted_numbers(sysctls, key, before, words, fact)


def _is_numeric(value: str) -> bool:
    return bool(value) and all(read_number(word) is not None for word in value.split())


def _accepted_text(sysctls: Mapping[str, str], key: str, before: str, text: str) -> tuple[str, str]:
    value = normalise_value(text)
    known = sysctls.get(CLOSED.get(key, ""), "").split()
    if known and value not in known:
        # For congestion control the kernel first asks for the module tcp_NAME.
        return before, "No such file or directory (unless a module of that name can be loaded)"
    return value, ""


def _port_range(sysctls: Mapping[str, str], before: str, words: list[str]) -> tuple[str, str]:
    """net/ipv4/sysctl_net_ipv4.c ipv4_local_port_range(): both or nothing."""
    held = list(numbers(before)) or [32768, 60999]
    for position, word in enumerate(words[:2]):
        read = read_number(word)
        if read is None:
            return before, INVALID
        held[position] = read
    low, high = held[0], held[1]
    floor = number(sysctls.get(UNPRIVILEGED)) or 0
    if not 1 <= low <= high <= 65535 or low < floor:
        return before, INVALID
    return f"{low} {high}", ""


def _accepted_numbers(
    sysctls: Mapping[str, str], key: str, before: str, words: list[str], fact: SysctlFact | None
) -> tuple[str, str]:
    """A vector is taken element by element: a refused one keeps those before it (kernel/sysctl.c)."""
    held = before.split()
    low, high = _limits(sysctls, key, fact)
    for position, word in enumerate(words[: len(held)]):
        read = read_number(word)
        if read is None:
            # An integer may be followed by a blank and anything.
            return " ".join(held), INVALID
        if (low is not None and read < low) or (high is not None and read > high):
            return " ".join(held), INVALID
        held[position] = str(_rounded(sysctls, key, read))
    if key == "net.ipv4.ping_group_range" and int(held[0]) > int(held[-1]):
        return "1 0", ""
    return " ".join(held), ""


def _limits(sysctls: Mapping[str, str], key: str, fact: SysctlFact | None) -> tuple[int | None, int | None]:
    low: int | None = INT_MIN
    high: int | None = INT_MAX
    if fact is not None:
        low = fact.low if fact.low is not None else low
        if fact.high is not None:
            high = fact.high
    for lower, upper in BOUNDS:
        if key == lower:
            return 0, number(sysctls.get(upper))
        if key == upper:
            return number(sysctls.get(lower)) or 0, None
    if key == "net.ipv4.tcp_reordering":
        return 1, number(sysctls.get("net.ipv4.tcp_max_reordering"))
    if key == "net.mptcp.pm_type":
        return 0, 1
    if key == UNPRIVILEGED:
        range_low = numbers(sysctls.get(PORT_RANGE))
        return 0, range_low[0] if range_low else 65535
    if key in {"net.ipv4.tcp_mem", "net.ipv4.udp_mem"}:
        return 0, None
    if key.startswith("net.netfilter.") and "timeout" in key:
        return INT_MIN, INT_MAX // ticks_per_second(sysctls)
    return low, high


def _rounded(sysctls: Mapping[str, str], key: str, value: int) -> int:
    """What is read back where it is not what was written: times in timer ticks, flags of bridges."""
    name = key.rsplit(".", 1)[-1]
    if key.startswith("net.bridge."):
        return int(bool(value))  # net/bridge/br_netfilter_hooks.c brnf_sysctl_call_tables()
    if name == "retrans_time" and key.startswith("net.ipv4.neigh."):
        hertz = ticks_per_second(sysctls)
        return value * hertz // 100 * 100 // hertz
    if name in MILLIS or key == "net.ipv6.icmp.ratelimit":
        tick = 1000 // ticks_per_second(sysctls)
        return -(-value // tick) * tick
    if name in TICKS and ".neigh." in key:
        ticks = value * ticks_per_second(sysctls) // 100
        return ticks * 100 // ticks_per_second(sysctls)
    return value


class AfterReboot(NamedTuple):
    """What the keys of a node hold after a reboot, before any agent writes to them."""

    values: dict[str, str]
    unknown: frozenset[str]
    """Keys in no file whose default depends on the machine, or that something else than files and kernel has set."""


def at_reboot(state: NodeState, files: Mapping[str, ConfigFile]) -> AfterReboot:
    """Kernel defaults, then the files as systemd-sysctl writes them at boot; nothing that runs later.

    A link's own value follows `conf.default` where it does so now; where it differs and no file says so, somebody
    else (a network manager, a CNI plugin, a hand) has set it, and whether they do it again is not known here.
    """
    fresh: dict[str, str] = {}
    unknown: set[str] = set()
    followers: dict[str, str] = {}
    for key in sorted(state.sysctls):
        fact, parts = lookup(key), link_key(key)
        default = fact.default(key) if fact is not None else None
        if parts is not None and parts.real:
            source = parts.default
            base = state.sysctls.get(source)
            if base is not None and same_value(base, state.sysctls[key]) and parts.link != "lo":
                followers[key] = source
        if default is None:
            unknown.add(key)
            fresh[key] = state.sysctls[key]
        else:
            fresh[key] = default
    for key, source in followers.items():
        if source not in unknown:
            fresh[key] = fresh[source]
            unknown.discard(key)
    found = effective_assignments(files, Reader.SYSTEMD, list(state.sysctls))
    late = {assignment.key for assignment in found if late_module(assignment.key, state, files)}
    assignments = tuple(assignment for assignment in found if assignment.key not in late)
    written = {assignment.key for assignment in assignments}
    for key in sorted(state.sysctls):
        parts = link_key(key)
        if parts is not None and parts.real and key not in followers and key not in written:
            unknown.add(key)
    booted = state.model_copy(update={"sysctls": fresh, "links": (), "routes": ()})
    after = apply_sysctl_file(booted, assignments).state.sysctls
    for key, source in followers.items():
        if key not in written:
            after[key] = after[source]
    for assignment in assignments:
        parts = link_key(assignment.key)
        if parts is not None and parts.real and assignment.key in after:
            # udev applies the lines of a link when the link appears: after everything else.
            value, error = accepted(
                after, assignment.key, after[assignment.key], assignment.value, lookup(assignment.key)
            )
            after[assignment.key] = after[assignment.key] if error else value
    unknown -= written
    unknown -= {key for key in unknown if written and _follows_written(key, written)}
    unknown |= late  # skipped at boot; whoever loads the module later may set them or not
    return AfterReboot(dict(sorted(after.items())), frozenset(unknown))


def _follows_written(key: str, written: set[str]) -> bool:
    """Whether a key takes its value from one that a file writes."""
    parts = link_key(key)
    if parts is None:
        return False
    if parts.knob == "forwarding" and parts.family == "ipv4":
        return bool(written & {"net.ipv4.ip_forward", conf("ipv4", ALL, "forwarding")}) and not parts.real
    fact = lookup(key)
    if fact is not None and fact.template is Template.IPV6_ALL_COPIED:
        return conf("ipv6", ALL, parts.knob) in written
    return False


@dataclass(frozen=True, slots=True)
class NewPod:
    """What the next pod gets."""

    inside: dict[str, str]
    """Values in its own network namespace that come from the node; everything else starts at kernel defaults."""
    host_link: dict[str, str]
    """`conf.default` of the node, by knob with family (`ipv4.rp_filter`): what the node's side of its link starts with."""


INHERITED = ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_congestion_control")


def at_new_pods(state: NodeState) -> NewPod:
    """What a pod that starts now inherits (net/ipv4/devinet.c devinet_init_net(), net/ipv6/addrconf.c)."""
    inherit = number(state.sysctls.get("net.core.devconf_inherit_init_net")) or 0
    families = {0: ("ipv4",), 1: ("ipv4", "ipv6"), 2: (), 3: ("ipv4", "ipv6")}.get(inherit, ("ipv4",))
    inside = {key: state.sysctls[key] for key in INHERITED if key in state.sysctls}
    host_link: dict[str, str] = {}
    for key, value in sorted(state.sysctls.items()):
        parts = link_key(key)
        if parts is None or parts.group != "conf" or parts.real:
            continue
        if parts.family in families:
            inside[key] = value
        if parts.link == DEFAULT:
            host_link[f"{parts.family}.{parts.knob}"] = value
    return NewPod(inside, host_link)
