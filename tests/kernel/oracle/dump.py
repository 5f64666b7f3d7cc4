"""Rule sets of strangers: links, sets and routes that suit them are made up, and packets that meet their rules.

What a dump says is read here by its words alone, without the project's own reader of rules.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address, ip_network

from oracle.probe import tracked
from oracle.stage import Stage, mac_of
from planner.models.flow import Entry, Flow

OPTIONS = {
    "-s": "source", "--source": "source", "-d": "destination", "--destination": "destination", "-i": "in", "-o": "out",
    "--in-interface": "in", "--out-interface": "out", "-p": "protocol", "--protocol": "protocol", "--dport": "port",
    "--dports": "port", "--destination-port": "port", "--ports": "port", "--sport": "source port",
    "--sports": "source port", "--source-port": "source port", "--ctstate": "state", "--state": "state",
    "--icmp-type": "icmp", "--icmpv6-type": "icmp", "--src-range": "source", "--dst-range": "destination",
    "--mac-source": "mac", "-j": "target", "-g": "target", "--match-set": "set", "--tcp-flags": "flags",
}  # fmt: skip
TWO = frozenset({"--match-set", "--tcp-flags"})
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "ipv6-icmp": 58, "sctp": 132}
ICMP = {"echo-request": 8, "echo-reply": 0, "any": 8, "destination-unreachable": 8, "source-quench": 8}
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}
BASE = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
SECTION = re.compile(r"^\*(\S+)")
SET = re.compile(r"--match-set (\S+) (\S+)")
STATES = ("NEW", "ESTABLISHED", "INVALID")
MEMBER = {"ip": "198.51.100.10", "ip6": "2001:db8:51::10"}
"""What the sets hold, of which a dump shows the names only."""
Want = dict[str, tuple[str, bool]]
"""What a rule asks for, by what is looked at: the value, and whether it is negated."""


@dataclass(frozen=True, slots=True)
class Line:
    """One rule."""

    table: str
    chain: str
    text: str
    wants: Want = field(hash=False, default_factory=dict)

    @property
    def target(self) -> str:
        return self.wants.get("target", ("", False))[0]


def _line(table: str, text: str) -> Line:
    words = shlex.split(text)
    wants: Want = {}
    no = False
    place = 2
    while place < len(words):
        word = words[place]
        place += 1
        if word == "!":
            no = True
            continue
        if word == "--syn":
            wants["flags"] = ("FIN,SYN,RST,ACK SYN", no)
        elif word in OPTIONS and place < len(words):
            value = " ".join(words[place : place + 2]) if word in TWO else words[place]
            wants.setdefault(OPTIONS[word], (value, no))
            place += 2 if word in TWO else 1
        no = False
    return Line(table, words[1], text, wants)


@dataclass(frozen=True)
class Dump:
    """What `iptables-save` or `ip6tables-save` printed somewhere."""

    text: str
    family: str = "ip"

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        found: list[Line] = []
        table = ""
        for text in self.text.splitlines():
            section = SECTION.match(text)
            if section:
                table = section[1]
            elif text.startswith("-A "):
                found.append(_line(table, text))
        return tuple(found)

    @cached_property
    def chains(self) -> Mapping[tuple[str, str], tuple[Line, ...]]:
        found: dict[tuple[str, str], list[Line]] = {}
        for line in self.lines:
            found.setdefault((line.table, line.chain), []).append(line)
        return {key: tuple(lines) for key, lines in found.items()}

    @cached_property
    def ways(self) -> Mapping[tuple[str, str], tuple[str, tuple[Line, ...]]]:
        """For each chain that packets reach: the base chain, and the jumps from there."""
        found = {(t, c): (c, ()) for t, c in self.chains if c in BASE}
        todo = list(found)
        while todo:
            here = todo.pop(0)
            base, way = found[here]
            for line in self.chains[here]:
                to = (line.table, line.target)
                if to in self.chains and to not in found:
                    found[to] = (base, (*way, line))
                    todo.append(to)
        return found

    @cached_property
    def links(self) -> tuple[str, ...]:
        """Every link that a rule names, with one for each wildcard; at least two."""
        named = [line.wants[side][0] for line in self.lines for side in ("in", "out") if side in line.wants]
        fitted = dict.fromkeys(_link(name) for name in named)
        fitted.pop("lo", None)
        return tuple(
            [*fitted, *(name for name in ("eth0", "eth1") if name not in fitted)][: max(2, len(fitted))]
        )

    @cached_property
    def sets(self) -> Mapping[str, int]:
        """Sets by name, with the number of things that they are asked for."""
        asked = SET.findall(self.text)
        return {name: directions.count(",") + 1 for name, directions in sorted(asked)}

    def on(self, number: int, host: int) -> str:
        """An address of ours, on a link counted from 1."""
        return f"198.18.{number}.{host}" if self.family == "ip" else f"fd00:{number:x}::{host:x}"

    @cached_property
    def own(self) -> tuple[str, ...]:
        """Addresses that rules of INPUT ask for as destination: the node has them."""
        found = dict.fromkeys(
            line.wants["destination"][0].partition("/")[0]
            for key, (base, _) in self.ways.items()
            if base == "INPUT"
            for line in self.chains[key]
            if "destination" in line.wants
            and not line.wants["destination"][1]
            and _narrow(line.wants["destination"][0])
        )
        return tuple(address for address in found if _usable(address))[:12]

    @cached_property
    def routes(self) -> Mapping[str, int]:
        """Prefixes behind the links by which rules want packets for them to leave."""
        found: dict[str, int] = {}
        for line in self.lines:
            to, out = line.wants.get("destination"), line.wants.get("out")
            if not to or not out or to[1] or out[1] or "-" in to[0] or _link(out[0]) not in self.links:
                continue
            network = ip_network(to[0], strict=False)
            if network.prefixlen and _usable(str(network[0])) and str(network[0]) not in self.own:
                found.setdefault(str(network), self.links.index(_link(out[0])) + 1)
        return found

    def sample(self, most: int) -> Sequence[Line]:
        """Rules that packets can reach, evenly over the whole set."""
        met = [line for line in self.lines if (line.table, line.chain) in self.ways]
        step = max(1, -(-len(met) // most))
        return met[::step]

    def flows(self, most: int) -> Iterator[tuple[Line, Flow]]:
        """For rules of the sample a packet that should meet it, and one that misses it by one thing."""
        for number, line in enumerate(self.sample(most)):
            base, way = self.ways[line.table, line.chain]
            wants: Want = {}
            for one in (*way, line):
                for what, (value, no) in one.wants.items():
                    # The narrower of two, as a chain asks for a part of what led to it.
                    if what not in wants or (wants[what][1] and not no) or not no:
                        wants[what] = (value, no)
            yield line, Writer(self, wants, base, number).flow()
            asked = [what for what in line.wants if what in {"source", "destination", "port", "in", "state"}]
            if asked:
                what = asked[number % len(asked)]
                value, no = wants[what]
                yield line, Writer(self, {**wants, what: (value, not no)}, base, number + 1).flow()


def _link(name: str) -> str:
    return name.replace("+", "0")[:15] or "eth0"


def _narrow(text: str) -> bool:
    return "-" not in text and ip_network(text, strict=False).num_addresses == 1


def _usable(text: str) -> bool:
    """An address that a host may have and a packet may go to."""
    address = ip_address(text)
    return (
        not (address.is_multicast or address.is_loopback or address.is_unspecified or address.is_link_local)
        and int(address) >> (address.max_prefixlen - 4) != 15
    )


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes the packet that fits what is wanted."""

    dump: Dump
    wants: Want
    base: str
    number: int

    def flow(self) -> Flow:
        six = self.dump.family == "ip6"
        protocol = self._protocol()
        local = self.base == "OUTPUT" or (self.base == "POSTROUTING" and self.number % 3 == 0)
        link = "" if local else self._incoming()
        values: dict[str, object] = {"family": self.dump.family, "protocol": protocol, "length": 60}
        state = self._state(protocol, local=local)
        if protocol in {6, 17, 132}:
            values["source_port"] = self._port("source port", 1024 + self.number % 40000)
            values["destination_port"] = self._port("port", 80)
        if six:
            values["icmp_type"] = 128
        if protocol in {1, 58}:
            values["icmp_type"] = self._icmp(six=six)
        if protocol == 6:
            values["tcp_flags"] = {"NEW": self._flags(), "ESTABLISHED": 16, "INVALID": 16}[state]
            if local:
                values |= {"tcp_flags": 2, "length": 80 if six else 60}
        source = self._source(link)
        flow = Flow.model_validate(
            {
                **values,
                "source": source,
                "destination": self._destination(link),
                "source_mac": "" if local else self._mac(source),
                "state": state,
                "entry": Entry(link=link, user=0 if local else None),
            }
        )
        return tracked(flow)

    def _protocol(self) -> int:
        text, no = self.wants.get("protocol", ("", False))
        found = PROTOCOLS.get(text.lower(), int(text) if text.isdecimal() else 0)
        ported = "port" in self.wants or "source port" in self.wants or "flags" in self.wants
        if found and not no and found in {1, 6, 17, 58, 132}:
            return found
        icmp = 58 if self.dump.family == "ip6" else 1
        usual = (6, 17, 6) if ported else (6, 17, icmp)
        chosen = usual[self.number % 3]
        return {6: 17, 17: 6}.get(chosen, chosen) if no and chosen == found else chosen

    def _incoming(self) -> str:
        text, no = self.wants.get("in", ("", False))
        links = self.dump.links
        if text and not no:
            return _link(text) if _link(text) in links else links[0]
        others = [name for name in links if name != _link(text)] or links
        return others[self.number % len(others)]

    def _number(self, link: str) -> int:
        return self.dump.links.index(link) + 1 if link in self.dump.links else 1

    def _within(self, text: str, no: bool) -> str:
        """An address of a prefix or range; one of nowhere when it is to be outside, or when no host can have it."""
        somewhere = f"203.0.113.{1 + self.number % 250}"
        if self.dump.family == "ip6":
            somewhere = f"2001:db8:cb::{1 + self.number % 250:x}"
        if no:
            return somewhere
        if "-" in text:
            return text.partition("-")[0]
        network = ip_network(text, strict=False)
        some = network.num_addresses
        place = 0 if some == 1 else 1 + self.number % min(some - 1, 250) if some > 2 else self.number % 2
        address = str(network[min(place, some - 1)])
        return address if _usable(address) else somewhere

    def _of_set(self, side: str) -> str:
        """A member of the set that is asked for with this side first."""
        name, _, directions = self.wants.get("set", ("", False))[0].partition(" ")
        return MEMBER[self.dump.family] if name and directions.split(",")[0] == side else ""

    def _source(self, link: str) -> str:
        if not link:
            # Of the node itself: an address that it has.
            text, no = self.wants.get("source", ("", False))
            wanted = "" if no else text.partition("/")[0]
            return (
                wanted if wanted in self.dump.own else self.dump.on(1 + self.number % len(self.dump.links), 1)
            )
        if "source" in self.wants:
            return self._within(*self.wants["source"])
        return self._of_set("src") or self.dump.on(self._number(link), 5 + self.number % 240)

    def _destination(self, link: str) -> str:
        if "destination" in self.wants:
            return self._within(*self.wants["destination"])
        if self.base == "INPUT":
            return self.dump.on(self._number(link), 1)
        out, no = self.wants.get("out", ("", False))
        member = self._of_set("dst")
        if member and not out:
            return member
        names = self.dump.links
        if out and not no and _link(out) in names:
            return self.dump.on(self._number(_link(out)), 5 + self.number % 240)
        others = [name for name in names if name not in {_link(out), link}] or list(names)
        if self.number % 4 == 0:
            return self._within(self.dump.on(1, 1), True)
        return self.dump.on(self._number(others[self.number % len(others)]), 5 + self.number % 240)

    def _port(self, what: str, usual: int) -> int:
        text, no = self.wants.get(what, ("", False))
        if not text:
            return usual
        first = re.split(r"[,:]", text)
        numbers = [int(one) for one in first if one.isdecimal()]
        return (max(numbers, default=usual) + 7) % 65000 if no else max(1, min(numbers, default=usual))

    def _icmp(self, *, six: bool) -> int:
        if six:
            return 128
        text, no = self.wants.get("icmp", ("8", False))
        kind = ICMP.get(text, int(text.partition("/")[0]) if text.partition("/")[0].isdecimal() else 8)
        return 8 if no or kind not in {0, 8} else kind

    def _flags(self) -> int:
        mask, _, given = self.wants.get("flags", ("FIN,SYN,RST,ACK SYN", False))[0].partition(" ")
        value = sum(FLAGS.get(name, 0) for name in given.split(","))
        return value if mask and value in {2, 0, 1, 16, 63, 41} else 2

    def _state(self, protocol: int, *, local: bool) -> str:
        text, no = self.wants.get("state", ("", False))
        named = text.split(",")
        fit = [one for one in STATES if (one in named) != no] if text else ["NEW"]
        state = fit[self.number % len(fit)] if fit else "NEW"
        if protocol == 1 and not local and self._icmp(six=False) == 0:
            # An answer to no question.
            return "INVALID"
        if local or (state == "INVALID" and protocol != 6) or (state == "ESTABLISHED" and protocol == 132):
            return "NEW"
        return state

    def _mac(self, source: str) -> str:
        text, no = self.wants.get("mac", ("", False))
        return text.lower() if text and not no else mac_of(source)


def load(stage: Stage, dump: Dump, backend: str, flows: Sequence[Flow]) -> None:
    """The node that such rules may have stood on. What the kernel does not take is an AssertionError."""
    six = dump.family == "ip6"
    length = 64 if six else 24
    nodad = " nodad" if six else ""
    lines = []
    for number, name in enumerate(dump.links, 1):
        mac = f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"
        stage.link(name, mac=mac)
        lines += [
            f"link set {name} address {mac} group 77 up",
            f"addr add {dump.on(number, 1)}/{length} dev {name}{nodad}",
        ]
    lines += [f"addr add {address}/{128 if six else 32} dev {dump.links[0]}{nodad}" for address in dump.own]
    lines.append(f"route add default via {dump.on(1, 254)} dev {dump.links[0]}")
    lines += [
        f"route add {prefix} via {dump.on(number, 254)} dev {dump.links[number - 1]}"
        for prefix, number in dump.routes.items()
    ]
    if six:
        ours = {dump.on(number, 1) for number in range(1, len(dump.links) + 1)} | set(dump.own)
        named = {address for flow in flows for address in (flow.source, flow.destination)} - ours
        gateways = {dump.on(number, 254) for number in range(1, len(dump.links) + 1)}
        for address in sorted(named | gateways):
            stage.knows(address)
            lines += [f"neigh add {address} lladdr {mac_of(address)} dev {name}" for name in dump.links]
    stage.ip(lines, dump.family, try_each=True)
    stage.sysctls({"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"})
    member = MEMBER[dump.family]
    kinds = {
        1: ("hash:net", member),
        2: ("hash:ip,port", f"{member},tcp:80"),
        3: ("hash:ip,port,ip", f"{member},tcp:80,{member}"),
    }
    for name, dimensions in dump.sets.items():
        kind, element = kinds[dimensions]
        made = f"create {name} {kind} family inet{'6' if six else ''}\nadd {name} {element}\n"
        stage.node.run(["ipset", "-exist", "restore"], stdin=made)
    stage.node.run([f"ip{'6' if six else ''}tables-{backend}-restore"], stdin=dump.text)
