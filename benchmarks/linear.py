"""A packet filter as hosts and routers have it: one long FORWARD chain of plain rules; equal arguments give equal text.

The mix is that of the worst case for sets of packets: random prefixes, ports, ranges of ports, lists of ports, links of entry, hardly any rule
covered by another. Rules are written as `iptables-save` prints them.
"""

import argparse
import random
import sys

from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import NextHop, Route
from planner.parse.iptables_save import parse_iptables_save

LINKS = ("eth0", "eth1", "eth2", "eth3")
RANGES = ((10 << 24, 8), (172 << 24 | 16 << 16, 12), (192 << 24 | 168 << 16, 16), (0, 0))
"""The private ones, and all addresses."""
LENGTHS = (16, 20, 24, 24, 24, 28, 32, 32)
USUAL = (22, 25, 53, 80, 123, 443, 3306, 5432, 6443, 8080, 9100)
KNOBS = {
    "rp_filter": "0", "accept_local": "0", "src_valid_mark": "0", "route_localnet": "0", "forwarding": "1",
    "bc_forwarding": "0", "send_redirects": "1", "ignore_routes_with_linkdown": "0",
}  # fmt: skip


def rules(count: int, *, seed: int = 0) -> list[str]:
    """The rules of FORWARD."""
    drawn = random.Random(seed)
    return [_rule(drawn) for _ in range(count)]


def _rule(drawn: random.Random) -> str:
    options = drawn.choice((("-s",), *(("-d",),) * 3, *(("-s", "-d"),) * 6))
    words = [f"{option} {_prefix(drawn)}" for option in options]
    if drawn.random() < 0.2:
        words.append(f"-i {drawn.choice(LINKS)}")
    if drawn.random() < 0.85:
        protocol = drawn.choice(("tcp", "tcp", "tcp", "udp"))
        words.append(f"-p {protocol}")
        kind = drawn.random()
        if kind < 0.45:
            words.append(f"-m {protocol} --dport {_port(drawn)}")
        elif kind < 0.65:
            low = drawn.randrange(1, 60_000)
            words.append(f"-m {protocol} --dport {low}:{min(65_535, low + drawn.randrange(1, 5_000))}")
        elif kind < 0.85:
            ports = sorted({_port(drawn) for _ in range(drawn.randrange(2, 8))})
            words.append(f"-m multiport --dports {','.join(map(str, ports))}")
    words.append(f"-j {drawn.choice(('ACCEPT', 'ACCEPT', 'DROP'))}")
    return " ".join(words)


def _prefix(drawn: random.Random) -> str:
    base, held = drawn.choice(RANGES)
    length = max(drawn.choice(LENGTHS), held + 4)
    value = (base | drawn.getrandbits(32 - held)) >> (32 - length) << (32 - length)
    return f"{'.'.join(str(value >> shift & 255) for shift in (24, 16, 8, 0))}/{length}"


def _port(drawn: random.Random) -> int:
    return drawn.choice(USUAL) if drawn.random() < 0.5 else drawn.randrange(1, 65_536)


def moved(held: list[str], *, seed: int = 0) -> list[str]:
    """The same with one rule at another place."""
    drawn = random.Random(f"{seed} moved")
    left = list(held)
    rule = left.pop(drawn.randrange(len(left) // 4))
    left.insert(drawn.randrange(len(left) * 3 // 4, len(left)), rule)
    return left


def iptables_save(held: list[str], *, policy: str = "DROP") -> str:
    """A table with these rules in FORWARD."""
    lines = ["*filter", ":INPUT ACCEPT [0:0]", f":FORWARD {policy} [0:0]", ":OUTPUT ACCEPT [0:0]"]
    return "\n".join([*lines, *(f"-A FORWARD {rule}" for rule in held), "COMMIT"]) + "\n"


def node(text: str) -> NodeState:
    """A router with that packet filter."""
    found, gaps = parse_iptables_save(text, family="ip", backend="nft")
    if gaps:
        raise SystemExit(f"{gaps[0]}")
    nets = {name: number + 1 for number, name in enumerate(LINKS)}
    links = [Link(name="lo", addresses=(Address(address="127.0.0.1", length=8, scope="host"),))]
    links += [
        Link(name=name, addresses=(Address(address=f"10.{at}.0.1", length=16),)) for name, at in nets.items()
    ]
    routes = [Route(family="ip", prefix="0.0.0.0/0", nexthops=(NextHop(via="10.1.0.254", link="eth0"),))]
    routes += [
        Route(family="ip", prefix=f"10.{at}.0.0/16", nexthops=(NextHop(link=name),))
        for name, at in nets.items()
    ]
    return NodeState(
        name="router", rulesets=(found,), links=tuple(links), routes=tuple(routes),
        sysctls={
            f"net.ipv4.conf.{link}.{knob}": value for link in ("all", "lo", *LINKS) for knob, value in KNOBS.items()
        },
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rules", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--moved", action="store_true", help="with one rule at another place")
    chosen = parser.parse_args()
    held = rules(chosen.rules, seed=chosen.seed)
    sys.stdout.write(iptables_save(moved(held, seed=chosen.seed) if chosen.moved else held))


if __name__ == "__main__":
    main()
