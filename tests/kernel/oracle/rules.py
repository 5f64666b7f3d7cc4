"""Random rules of iptables: the words after `-A CHAIN`, valid where they are put."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from oracle.addresses import MARKS, MASKS, PORTS, TOS, USERS, Pool
from oracle.sets import SetSpec
from oracle.stage import mac_of

INPUT_SIDE = frozenset({"PREROUTING", "INPUT", "FORWARD"})
HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
SIDES = {
    "raw": {"in": ("PREROUTING",), "out": ("OUTPUT",)},
    "mangle": {"in": ("PREROUTING",), "through": ("FORWARD", "INPUT"), "out": ("OUTPUT", "POSTROUTING")},
    "nat": {"in": ("PREROUTING", "OUTPUT"), "out": ("POSTROUTING",)},
    "filter": {"in": ("INPUT", "FORWARD"), "out": ("OUTPUT",)},
}
"""Base chains that may jump to the same user chains: whatever such a chain holds must be valid under each of them."""
MATCHES = {
    "source": 6, "destination": 7, "in": 3, "out": 3, "multiport": 2, "iprange": 1.5, "mark": 3, "connmark": 1,
    "ctstate": 4, "ctrest": 1, "set": 4, "addrtype": 2.5, "mac": 1, "statistic": 0.5, "tos": 1, "hops": 1, "length": 1,
    "owner": 1.5, "physdev": 1, "pkttype": 0.4, "comment": 0.2,
}  # fmt: skip
"""How often."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a rule is put."""

    table: str
    hooks: frozenset[str]
    base: bool
    """In a base chain itself."""
    chains: tuple[str, ...] = ()
    """User chains that it may jump to."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes rules for one family."""

    draw: Random
    pool: Pool
    links: tuple[str, ...]
    ports: tuple[str, ...]
    sets: tuple[SetSpec, ...]
    more: Mapping[str, float] = field(default_factory=dict)
    """Matches that are held more often than usual: a factor for each."""

    @property
    def six(self) -> bool:
        return self.pool.family == "ip6"

    def rule(self, where: Where) -> str:
        """One rule."""
        draw = self.draw
        protocol = draw.choices(("", "tcp", "udp", "icmp", "253"), (4, 5, 3, 2, 0.3))[0]
        words = self._protocol(protocol)
        wanted = draw.choices((0, 1, 2, 3), (2, 5, 3, 1))[0]
        matches = [m for m in (self._match(where, protocol) for _ in range(wanted)) if m]
        kinds: set[str] = set()
        for match in matches:
            # One of a kind: `-s` twice is refused, and the tools merge what is said twice.
            kind = match.split()[match.split()[0] == "!"] + (
                match.split()[1] if match.startswith("-m") else ""
            )
            if kind not in kinds:
                kinds.add(kind)
                words.append(match)
        words.append(self._target(where, protocol, words))
        return " ".join(word for word in words if word)

    def _not(self, chance: float = 0.15) -> str:
        return "! " if self.draw.random() < chance else ""

    def _protocol(self, protocol: str) -> list[str]:
        draw = self.draw
        if not protocol:
            return [f"! -p {draw.choice(('tcp', 'udp'))}"] if draw.random() < 0.05 else []
        if protocol == "icmp":
            name = "ipv6-icmp" if self.six else "icmp"
            words = [f"-p {name}"]
            if draw.random() < 0.5:
                kinds = ("128", "1", "echo-reply") if self.six else ("8", "3", "3/1", "echo-reply")
                option = "icmp6 {}--icmpv6-type" if self.six else "icmp {}--icmp-type"
                words.append(f"-m {option.format(self._not())} {draw.choice(kinds)}")
            return words
        words = [f"-p {protocol}"]
        if protocol in {"tcp", "udp"} and draw.random() < 0.6:
            words.append(f"-m {protocol} {self._not()}--dport {self._port()}")
        if protocol in {"tcp", "udp"} and draw.random() < 0.1:
            words.append(f"-m {protocol} {self._not()}--sport {self._port()}")
        if protocol == "tcp" and draw.random() < 0.2:
            flags = draw.choice(
                ("--syn", "--tcp-flags SYN,ACK,FIN,RST SYN", "--tcp-flags ALL NONE", "--tcp-flags ACK ACK")
            )
            words.append(f"-m tcp {self._not()}{flags}")
        return words

    def _port(self) -> str:
        port = self.draw.choice(PORTS)
        return f"{port}:{port + self.draw.choice((1, 40, 1000))}" if self.draw.random() < 0.2 else str(port)

    def _mark(self) -> str:
        mark, mask = self.draw.choice(MARKS), self.draw.choice(MASKS)
        return f"{mark & mask:#x}/{mask:#x}" if self.draw.random() < 0.6 else hex(mark)

    def _match(self, where: Where, protocol: str) -> str:
        draw, pool, no = self.draw, self.pool, self._not
        weights = [weight * self.more.get(name, 1) for name, weight in MATCHES.items()]
        name = draw.choices(tuple(MATCHES), weights)[0]
        match name:
            case "source":
                return f"{no()}-s {pool.prefix(draw, shortest=1)}"
            case "destination":
                return f"{no()}-d {pool.prefix(draw, shortest=1)}"
            case "in" if not where.base or where.hooks <= INPUT_SIDE:
                return f"{no()}-i {self._link()}"
            case "out" if not where.base or where.hooks <= {"FORWARD", "OUTPUT", "POSTROUTING"}:
                return f"{no()}-o {self._link()}"
            case "multiport" if protocol in {"tcp", "udp"}:
                ports = ",".join(self._port() for _ in range(draw.randint(1, 3)))
                return f"-m multiport {no()}--{draw.choice(('dports', 'sports', 'ports'))} {ports}"
            case "iprange":
                first, last = pool.span(draw)
                return f"-m iprange {no()}--{draw.choice(('src', 'dst'))}-range {first}-{last}"
            case "mark":
                return f"-m mark {no()}--mark {self._mark()}"
            case "connmark" if where.table != "raw":
                return f"-m connmark {no()}--mark {self._mark()}"
            case "ctstate" if where.table != "raw":
                states = draw.sample(
                    ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "DNAT", "SNAT"),
                    draw.randint(1, 3),
                )
                return f"-m conntrack {no()}--ctstate {','.join(states)}"
            case "ctrest" if where.table != "raw":
                return "-m conntrack " + draw.choice(
                    (
                        f"{no()}--ctorigdst {pool.prefix(draw, shortest=1)}",
                        f"{no()}--ctorigsrc {pool.prefix(draw, shortest=1)}",
                        f"--ctproto {draw.choice((6, 17))}",
                        f"--ctdir {draw.choice(('ORIGINAL', 'REPLY'))}",
                        f"{no()}--ctorigdstport {draw.choice(PORTS)}",
                        f"{no()}--ctstatus {draw.choice(('NONE', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED'))}",
                    )
                )
            case "set" if self.sets:
                return self._set(where)
            case "addrtype":
                kind = draw.choice(("LOCAL", "LOCAL", "UNICAST", "MULTICAST", "UNREACHABLE", "BLACKHOLE"))
                if self.six and kind == "BLACKHOLE":
                    kind = "LOCAL"
                limit = ""
                if where.base and not self.six and draw.random() < 0.2:
                    limit = "--limit-iface-in" if where.hooks <= INPUT_SIDE else "--limit-iface-out"
                return f"-m addrtype {no()}--{draw.choice(('src', 'dst', 'dst'))}-type {kind} {limit}".strip()
            case "mac" if where.hooks <= INPUT_SIDE:
                return f"-m mac {no()}--mac-source {mac_of(draw.choice(pool.all_hosts()))}"
            case "statistic":
                return (
                    f"-m statistic --mode random {no()}--probability {draw.choice(('0.5', '0.33333333349'))}"
                )
            case "tos" if draw.random() < 0.5:
                return f"-m dscp {no()}--dscp {draw.choice((0x04, 0x02, 0x2E)):#04x}"
            case "tos":
                return f"-m tos {no()}--tos {draw.choice(TOS):#04x}/{draw.choice((0xFF, 0x3F)):#04x}"
            case "hops":
                option = "hl {}--hl" if self.six else "ttl {}--ttl"
                how = draw.choice(("-eq 64", "-lt 60", "-gt 2", "-eq 63"))
                return f"-m {option.format(no() if how.startswith('-eq') else '')}{how}"
            case "length":
                return f"-m length {no()}--length {draw.choice(('60', '0:100', '84:1500', '1001:'))}"
            case "owner" if where.hooks <= {"OUTPUT", "POSTROUTING"}:
                return (
                    f"-m owner {no()}{draw.choice((f'--uid-owner {draw.choice(USERS)}', '--socket-exists'))}"
                )
            case "physdev" if self.ports:
                if where.hooks <= INPUT_SIDE:
                    return f"-m physdev {no()}{draw.choice((f'--physdev-in {draw.choice(self.ports)}', '--physdev-is-in'))}"
                return ""
            case "pkttype":
                return f"-m pkttype {no()}--pkt-type unicast"
            case "comment":
                return '-m comment --comment "a \\"word\\" of it"'
            case _:
                return ""

    def _link(self) -> str:
        return self.draw.choice((*self.links, *self.links, self.links[0][:2] + "+", "lo"))

    def _set(self, where: Where) -> str:
        chosen = self.draw.choice(self.sets)
        sides = ("src", "dst")
        if "mac" in chosen.kind or "x" in chosen.kind:
            # A set of sets may hold one of MACs: those are asked for the source, on the way in.
            if not where.hooks <= INPUT_SIDE:
                return ""
            directions = (
                ["src"] * chosen.dimensions
                if "mac" in chosen.kind
                else self.draw.choices(sides, k=chosen.dimensions)
            )
        else:
            directions = self.draw.choices(sides, k=chosen.dimensions)
        return f"-m set {self._not()}--match-set {chosen.name} {','.join(directions)}"

    def _target(self, where: Where, protocol: str, words: list[str]) -> str:
        draw = self.draw
        if where.chains and draw.random() < 0.35:
            return f"-{draw.choice('jjjg')} {draw.choice(where.chains)}"
        if draw.random() < 0.07:
            return "-j RETURN"
        match where.table:
            case "raw":
                return draw.choice(("-j CT --notrack", "-j ACCEPT", "-j DROP", self._set_mark()))
            case "mangle":
                return self._mangle(protocol)
            case "nat":
                return self._nat(where, protocol)
            case _:
                return self._filter(protocol)

    def _filter(self, protocol: str) -> str:
        draw = self.draw
        kind = draw.choices(("ACCEPT", "DROP", "REJECT", "LOG", ""), (5, 4, 4, 0.3, 0.3))[0]
        if kind != "REJECT":
            return f"-j {kind}" if kind else ""
        if protocol == "tcp" and draw.random() < 0.4:
            return "-j REJECT --reject-with tcp-reset"
        if self.six:
            names = (
                "no-route",
                "adm-prohibited",
                "addr-unreachable",
                "port-unreachable",
                "policy-fail",
                "reject-route",
            )
            return f"-j REJECT --reject-with icmp6-{draw.choice(names)}"
        names = (
            "net-unreachable",
            "host-unreachable",
            "port-unreachable",
            "proto-unreachable",
            "net-prohibited",
            "host-prohibited",
            "admin-prohibited",
        )
        return f"-j REJECT --reject-with icmp-{draw.choice(names)}"

    def _set_mark(self) -> str:
        mark, mask = self.draw.choice(MARKS), self.draw.choice(MASKS)
        return self.draw.choice(
            (
                f"-j MARK --set-xmark {mark:#x}/{mask:#x}",
                f"-j MARK --set-mark {mark & mask:#x}/{mask:#x}",
                f"-j MARK --or-mark {mark:#x}",
                f"-j MARK --and-mark {mask:#x}",
                f"-j MARK --xor-mark {mark:#x}",
            )
        )

    def _mangle(self, protocol: str) -> str:
        draw = self.draw
        hops = "HL --hl" if self.six else "TTL --ttl"
        choices = [
            *[self._set_mark() for _ in range(6)],
            f"-j CONNMARK --set-xmark {self.draw.choice(MARKS):#x}/{self.draw.choice(MASKS):#x}",
            f"-j CONNMARK --save-mark --nfmask {draw.choice(MASKS):#x} --ctmask {draw.choice(MASKS):#x}",
            f"-j CONNMARK --restore-mark --nfmask {draw.choice(MASKS):#x} --ctmask {draw.choice(MASKS):#x}",
            f"-j TOS --set-tos {draw.choice(TOS):#04x}/0xff",
            f"-j DSCP --set-dscp {draw.choice((0x04, 0x2E)):#04x}",
            f"-j {hops}-{draw.choice(('set 2', 'dec 1', 'inc 1', 'set 64'))}",
            "-j DROP",
            "-j ACCEPT",
            "-j ACCEPT",
        ]
        return draw.choice(choices)

    def _nat(self, where: Where, protocol: str) -> str:
        draw, pool = self.draw, self.pool
        ported = protocol in {"tcp", "udp"}
        port = f":{draw.choice(PORTS)}" if ported and draw.random() < 0.5 else ""
        if where.hooks <= {"PREROUTING", "OUTPUT"}:
            match draw.choices(("DNAT", "REDIRECT", "NETMAP", "ACCEPT"), (8, 2, 1, 2))[0]:
                case "DNAT":
                    groups = pool.all_hosts(), pool.remotes, pool.all_own(), (pool.loopback,)
                    to = draw.choice(draw.choices(groups, (7, 2, 2, 0.5))[0])
                    return f"-j DNAT --to-destination {self._with(to, port)}"
                case "REDIRECT":
                    return "-j REDIRECT" + (f" --to-ports {port[1:]}" if port else "")
                case "NETMAP":
                    return f"-j NETMAP --to {pool.on(draw.randint(1, pool.links), 0)}/{pool.bits - 2}"
                case _:
                    return "-j ACCEPT"
        groups = pool.all_own(), pool.virtual
        to = self._with(
            draw.choice(draw.choices(groups, (3, 1))[0]), f":{draw.choice(PORTS)}" if port else ""
        )
        if where.hooks <= {"INPUT"}:
            return draw.choice((f"-j SNAT --to-source {to}", "-j ACCEPT"))
        masquerade = "-j MASQUERADE" + (f" --to-ports {draw.choice(PORTS)}" if port else "")
        netmap = f"-j NETMAP --to {pool.on(96, 0)}/{pool.bits - 2}"
        return draw.choices((f"-j SNAT --to-source {to}", masquerade, netmap, "-j ACCEPT"), (4, 5, 1, 2))[0]

    def _with(self, address: str, port: str) -> str:
        return f"[{address}]{port}" if self.six and port else f"{address}{port}"
