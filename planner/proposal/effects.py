"""What the kernel changes by itself when a sysctl is written: copies, twins, addresses and routes that go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from planner.models.change import Cause
from planner.models.link import Address, Link, Neighbour
from planner.models.node import NodeState
from planner.models.proposal import Effect
from planner.models.route import LOCAL, MAIN, NextHop, Route
from planner.models.source import Gap, Source
from planner.parse.ip_names import DISCARDING
from planner.sysctls.names import ALL, DEFAULT, LinkKey, conf, link_key
from planner.sysctls.numbers import number, same_value
from planner.sysctls.reach import may_be_reached

FORWARDING_COPIED = "a write that changes net.ipv4.ip_forward is copied to every link and to conf.default"
V6_COPIED = frozenset({"forwarding", "disable_ipv6", "addr_gen_mode", "ignore_routes_with_linkdown"})
"""`conf.all` of these is copied to `conf.default` and every link; `force_forwarding` to links only."""


@dataclass(slots=True)
class Draft:
    """A node state being written to: the parts that sysctls can change, and what was said on the way."""

    state: NodeState
    sysctls: dict[str, str]
    links: list[Link]
    routes: list[Route]
    neighbours: list[Neighbour]
    effects: list[Effect] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, state: NodeState) -> "Draft":
        """A draft that starts at this state."""
        return cls(state, dict(state.sysctls), list(state.links), list(state.routes), list(state.neighbours))

    def finished(self) -> NodeState:
        """The state afterwards."""
        return self.state.model_copy(
            update={
                "sysctls": self.sysctls,
                "links": tuple(self.links),
                "routes": tuple(self.routes),
                "neighbours": tuple(self.neighbours),
            }
        )

    def set(self, key: str, value: str, *, source: Source, cause: Cause, because: str) -> bool:
        """Take a value, and say so when it is another one. Keys that the node does not have stay absent."""
        former = self.sysctls.get(key)
        if former is None or former == value:
            return False
        self.sysctls[key] = value
        self.effects.append(Effect(what=f"sysctl/{key}", cause=cause, source=source, because=because))
        return True

    def of_links(self, family: str, knob: str) -> list[str]:
        """The keys of this knob of every link, without `all` and `default`."""
        head, tail = f"net.{family}.conf.", f".{knob}"
        keys = sorted(key for key in self.sysctls if key.startswith(head) and key.endswith(tail))
        return [key for key in keys if (parts := link_key(key)) is not None and parts.real]


def cascade(draft: Draft, key: str, before: str, source: Source) -> None:
    """Everything that follows from a write to `key`, whose value is already the new one."""
    after = draft.sysctls[key]
    if key in {"net.ipv4.ip_forward", conf("ipv4", ALL, "forwarding")}:
        _ip_forward(draft, key, before, after, source)
    elif key == "net.nf_conntrack_max":
        _kernel(draft, "net.netfilter.nf_conntrack_max", after, source, "one variable behind two names")
    elif key == "net.netfilter.nf_conntrack_max":
        _kernel(draft, "net.nf_conntrack_max", after, source, "one variable behind two names")
    elif key in {"net.mptcp.pm_type", "net.mptcp.path_manager"}:
        _path_manager(draft, key, after, source)
    elif key.startswith("net.ipv6.route.gc_min_interval"):
        _seconds_and_ms(draft, key, "net.ipv6.route.gc_min_interval", after, source)
    parts = link_key(key)
    if parts is None:
        return
    if parts.group == "neigh":
        _neighbour_twin(draft, parts, after, source)
    if parts.link == DEFAULT:
        _reach_unaddressed(draft, parts, before, after, source)
    if parts.family == "ipv6" and parts.group == "conf":
        _ipv6(draft, parts, before, after, source)


def _kernel(draft: Draft, key: str, value: str, source: Source, because: str) -> bool:
    return draft.set(key, value, source=source, cause=Cause.KERNEL, because=because)


def _ip_forward(draft: Draft, key: str, before: str, after: str, source: Source) -> None:
    """net/ipv4/devinet.c devinet_sysctl_forward() and inet_forward_change(); nothing when the number is the same."""
    for twin in ("net.ipv4.ip_forward", conf("ipv4", ALL, "forwarding")):
        if twin != key:
            _kernel(
                draft, twin, after, source, "net.ipv4.ip_forward and conf.all.forwarding are one variable"
            )
    if same_value(before, after):
        return
    flipped = "0" if number(after) else "1"
    _kernel(
        draft,
        conf("ipv4", ALL, "accept_redirects"),
        flipped,
        source,
        "a write that changes net.ipv4.ip_forward sets conf.all.accept_redirects to its opposite",
    )
    for copy in (conf("ipv4", DEFAULT, "forwarding"), *draft.of_links("ipv4", "forwarding")):
        _kernel(draft, copy, after, source, FORWARDING_COPIED)


def _reach_unaddressed(draft: Draft, parts: LinkKey, before: str, after: str, source: Source) -> None:
    state = draft.state.model_copy(update={"sysctls": draft.sysctls, "links": tuple(draft.links)})
    for key, _ in may_be_reached(state, parts, before, after):
        draft.effects.append(
            Effect(
                what=f"sysctl/{key}",
                cause=Cause.MAYBE,
                source=source,
                because=f"a write to {parts} may reach this link: it has no IPv4 address and holds the default",
            )
        )


def _path_manager(draft: Draft, key: str, after: str, source: Source) -> None:
    """net/mptcp/ctrl.c: the number and the name of the path manager follow each other."""
    names = {"0": "kernel", "1": "userspace"}
    because = "the number and the name of the path manager follow each other"
    if key == "net.mptcp.pm_type":
        if after in names:
            _kernel(draft, "net.mptcp.path_manager", names[after], source, because)
        return
    for kind, name in names.items():
        if name == after:
            _kernel(draft, "net.mptcp.pm_type", kind, source, because)


def _seconds_and_ms(draft: Draft, key: str, seconds: str, after: str, source: Source) -> None:
    value = number(after)
    if value is None:
        return
    because = "the same time in seconds and in milliseconds"
    if key == seconds:
        _kernel(draft, f"{seconds}_ms", str(value * 1000), source, because)
    else:
        _kernel(draft, seconds, str(value // 1000), source, because)


# One full Ethernet frame as the kernel accounts it: SKB_TRUESIZE(ETH_FRAME_LEN) on 64 bit
# (net/core/neighbour.c proc_unres_qlen(); 2090 measured on 6.18).
_FRAME = 2090


def _neighbour_twin(draft: Draft, parts: LinkKey, after: str, source: Source) -> None:
    value = number(after)
    if value is None:
        return

    def twin(knob: str, amount: int) -> None:
        key = str(LinkKey(parts.family, parts.group, parts.link, knob))
        _kernel(draft, key, str(amount), source, f"{parts.knob} and {knob} are one variable in two units")

    # IPv4 counts retrans_time in hundredths of a second, IPv6 in timer ticks (net/ipv6/ndisc.c).
    hertz = ticks_per_second(draft.sysctls)
    match parts.knob:
        case "base_reachable_time":
            twin("base_reachable_time_ms", value * 1000)
        case "base_reachable_time_ms":
            twin("base_reachable_time", value // 1000)
        case "retrans_time":
            ticks = value if parts.family == "ipv6" else -(-value * hertz // 100)
            twin("retrans_time_ms", ticks * 1000 // hertz)
        case "retrans_time_ms":
            ticks = value * hertz // 1000
            twin("retrans_time", ticks if parts.family == "ipv6" else ticks * 100 // hertz)
        case "unres_qlen":
            twin("unres_qlen_bytes", value * _FRAME)
        case "unres_qlen_bytes":
            twin("unres_qlen", value // _FRAME)
        case _:
            pass


def ticks_per_second(sysctls: Mapping[str, str]) -> int:
    """The kernel's HZ, read off two keys that show one time in ticks and in milliseconds; 250 when neither is there."""
    ticks = number(sysctls.get("net.ipv6.neigh.lo.retrans_time"))
    millis = number(sysctls.get("net.ipv6.neigh.lo.retrans_time_ms"))
    if ticks and millis and ticks * 1000 % millis == 0 and ticks * 1000 // millis in {100, 250, 300, 1000}:
        return ticks * 1000 // millis
    return 250


def _ipv6(draft: Draft, parts: LinkKey, before: str, after: str, source: Source) -> None:
    if parts.link == ALL and parts.knob in V6_COPIED:
        targets = [conf("ipv6", DEFAULT, parts.knob), *draft.of_links("ipv6", parts.knob)]
    elif parts.link == ALL and parts.knob == "force_forwarding" and not same_value(before, after):
        targets = draft.of_links("ipv6", parts.knob)
    else:
        targets = []
    turned: list[str] = [parts.link] if parts.real and bool(number(before)) != bool(number(after)) else []
    for target in targets:
        former = number(draft.sysctls.get(target))
        because = f"a write to net.ipv6.conf.all.{parts.knob} is copied to every link"
        own = link_key(target)
        if _kernel(draft, target, after, source, because) and own is not None and own.real:
            turned += [own.link] if bool(former) != bool(number(after)) else []
    match parts.knob:
        case "disable_ipv6":
            for link in turned:
                _disable(draft, link, source, off=bool(number(after)))
        case "forwarding":
            _v6_forwarding(draft, parts, after, source)
        case "stable_secret":
            _stable_secret(draft, parts, source)
        case "addr_gen_mode" if turned and parts.real:
            draft.gaps.append(
                Gap(
                    section=f"links/{parts.link}",
                    reason="another addr_gen_mode may add a link-local address; which one is not computed",
                    source=source,
                )
            )
        case _:
            pass


def _stable_secret(draft: Draft, parts: LinkKey, source: Source) -> None:
    """net/ipv6/addrconf.c addrconf_sysctl_stable_secret(): the mode follows, for `default` that of every link."""
    because = "setting stable_secret selects stable private addresses"
    own = conf("ipv6", parts.link, "addr_gen_mode")
    for key in [own] if parts.real else draft.of_links("ipv6", "addr_gen_mode"):
        _kernel(draft, key, "2", source, because)


def _v6_forwarding(draft: Draft, parts: LinkKey, after: str, source: Source) -> None:
    """net/ipv6/addrconf.c addrconf_fixup_forwarding()."""
    if parts.link == DEFAULT:
        return
    if not number(after):
        if parts.link == ALL:
            for key in draft.of_links("ipv6", "force_forwarding"):
                _kernel(
                    draft,
                    key,
                    "0",
                    source,
                    "switching IPv6 forwarding off clears force_forwarding of every link",
                )
        return
    # rt6_purge_dflt_routers() (net/ipv6/route.c): called by every non-zero write, also of the same value.
    kept: list[Route] = []
    for route in draft.routes:
        if route.family == "ip6" and route.prefix == "::/0" and route.protocol == "ra":
            hops = tuple(hop for hop in route.nexthops if _believes_always(draft, hop.link))
            if hops != route.nexthops:
                links = ", ".join(sorted({hop.link for hop in route.nexthops if hop not in hops}))
                draft.effects.append(
                    Effect(
                        what=f"route/ip6/{route.table}/::/0",
                        cause=Cause.KERNEL,
                        source=source,
                        because=f"switching IPv6 forwarding on removes the default route that was learned from router "
                        f"advertisements on {links}, where accept_ra is not 2",
                    )
                )
                if not hops:
                    continue
                route = route.model_copy(update={"nexthops": hops})  # noqa: PLW2901
        kept.append(route)
    draft.routes = kept


def _believes_always(draft: Draft, link: str) -> bool:
    return number(draft.sysctls.get(conf("ipv6", link, "accept_ra"))) == 2


def _disable(draft: Draft, name: str, source: Source, *, off: bool) -> None:
    """net/ipv6/addrconf.c dev_disable_change(): as link down and link up, for IPv6 only."""
    position = next((i for i, link in enumerate(draft.links) if link.name == name), None)
    if position is None:
        return
    link = draft.links[position]
    if not off:
        _enable(draft, position, source)
        return
    gone = [address for address in link.addresses if address.family == "ip6"]
    draft.links[position] = link.model_copy(
        update={"addresses": tuple(a for a in link.addresses if a.family != "ip6")}
    )
    because = f"IPv6 was switched off on {name}: its addresses and routes are deleted, and 0 does not bring them back"
    for address in gone:
        draft.effects.append(
            Effect(
                what=f"link/{name}/address/{address.prefix}",
                cause=Cause.KERNEL,
                source=source,
                because=because,
            )
        )
    kept: list[Route] = []
    for route in draft.routes:
        # What discards packets lies on lo, whatever is printed (net/ipv6/route.c, fib6_nh_init; measured).
        on_lo = name == "lo" and route.type in DISCARDING
        if route.family == "ip6" and (on_lo or any(hop.link == name for hop in route.nexthops)):
            draft.effects.append(
                Effect(
                    what=f"route/ip6/{route.table}/{route.prefix}",
                    cause=Cause.KERNEL,
                    source=source,
                    because=because,
                )
            )
            hops = tuple(hop for hop in route.nexthops if hop.link != name)
            if hops:
                kept.append(route.model_copy(update={"nexthops": hops}))
            continue
        kept.append(route)
    draft.routes = kept
    # neigh_ifdown() (net/core/neighbour.c) by way of addrconf_ifdown(): permanent and proxy entries too.
    lost = [entry for entry in draft.neighbours if entry.link == name and ":" in entry.address]
    draft.neighbours = [entry for entry in draft.neighbours if entry not in lost]
    draft.effects += [
        Effect(what=f"neighbour/{name}/{entry.address}", cause=Cause.KERNEL, source=source, because=because)
        for entry in lost
        if entry.permanent or entry.proxy
    ]


def _enable(draft: Draft, position: int, source: Source) -> None:
    """Only what the kernel makes by itself returns: ::1 on lo, the link-local address elsewhere."""
    link = draft.links[position]
    if not link.up or any(address.family == "ip6" for address in link.addresses):
        return
    if link.name == "lo":
        address = Address(address="::1", length=128, scope="host")
    else:
        mode = number(draft.sysctls.get(conf("ipv6", link.name, "addr_gen_mode")))
        if mode != 0 or not link.mac or not link.carrier:
            draft.gaps.append(
                Gap(
                    section=f"links/{link.name}",
                    reason="which link-local address returns when IPv6 is switched on is not computed",
                    source=source,
                )
            )
            return
        address = Address(address=eui64(link.mac), length=64, scope="link")
    draft.links[position] = link.model_copy(update={"addresses": (*link.addresses, address)})
    draft.effects.append(
        Effect(
            what=f"link/{link.name}/address/{address.prefix}",
            cause=Cause.KERNEL,
            source=source,
            because="IPv6 was switched on: only the link's own address returns, no configured one",
        )
    )
    knows_local = any(route.table == LOCAL and route.family == "ip6" for route in draft.routes)
    hop = (NextHop(link=link.name),)
    if link.name != "lo":
        draft.routes.append(
            Route(family="ip6", table=MAIN, prefix="fe80::/64", metric=256, protocol="kernel", nexthops=hop)
        )
    if knows_local:
        draft.routes.append(
            Route(
                family="ip6",
                table=LOCAL,
                prefix=f"{address.address}/128",
                type="local",
                protocol="kernel",
                nexthops=hop,
            )
        )


def eui64(mac: str) -> str:
    """The link-local address that a MAC address makes (RFC 4291, appendix A)."""
    octets = bytes(int(part, 16) for part in mac.split(":"))
    if len(octets) != 6:
        return "fe80::"
    tail = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + tail))
