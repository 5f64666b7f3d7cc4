"""The model of `ip` does what the kernel does, command by command, for random sequences."""

import random
import shlex

import pytest
from ip_world import QUIET, comparable, differences, read_state, settled
from namespace import Namespace

from planner.models.proposal import Command
from planner.models.source import Source
from planner.proposal.ip import run_ip

START = (
    "ip link add v0 address 02:00:00:00:00:10 type veth peer name v1 address 02:00:00:00:00:11",
    "ip link add v2 address 02:00:00:00:00:12 type veth peer name v3 address 02:00:00:00:00:13",
    "ip link add br0 address 02:00:00:00:00:0b type bridge",
    "ip link add vx0 address 02:00:00:00:00:0c type vxlan id 1 dstport 8472 local 10.0.0.1 nolearning dev v0",
    "ip link set v0 up",
    "ip link set v1 up",
    "ip addr add 10.0.0.1/24 brd + dev v0",
    "ip -6 addr add fd00::1/64 dev v0",
)
LINKS = ("v0", "v1", "v2", "v3", "br0", "vx0")
ADDRESSES = (
    "10.0.0.1/24",
    "10.0.0.2/24",
    "10.0.0.3/24 brd +",
    "10.1.0.1/31",
    "10.2.0.1/32",
    "10.3.0.1 peer 10.3.0.9/30",
    "10.4.0.1/24 noprefixroute",
    "10.5.0.1/24 metric 77",
    "10.5.0.2/16",
    "fd00::1/64",
    "fd00::2/64",
    "fd01::1/128",
    "fd02::1/64 noprefixroute",
    "fd03::1/64 metric 99",
)
ROUTES4 = ("10.20.0.0/16", "10.21.0.0/24", "default", "10.0.0.128/25", "192.0.2.7")
ROUTES6 = ("fd20::/64", "fd21::/48", "default", "fd00::99/128")


def command(pick: random.Random) -> str:
    link = pick.choice(LINKS)
    match pick.randrange(17):
        case 0 | 1:
            return f"ip addr add {pick.choice(ADDRESSES)} dev {link}"
        case 2:
            return f"ip addr del {pick.choice(ADDRESSES).partition(' brd')[0].partition(' no')[0].partition(' met')[0]} dev {link}"
        case 3:
            return f"ip link set {link} {pick.choice(('up', 'down', 'up'))}"
        case 4:
            return f"ip link set {link} mtu {pick.choice((1200, 1280, 1400, 1500, 9000))}"
        case 5:
            return f"ip link set {pick.choice(LINKS[:4])} {pick.choice(('master br0', 'nomaster'))}"
        case 6 | 7 | 8:
            action = pick.choice(("add", "append", "replace", "change", "add"))
            via = pick.choice(
                (
                    "via 10.0.0.9",
                    "via 10.5.0.9",
                    f"dev {link}",
                    f"via 10.0.0.8 dev {link}",
                    f"via 10.66.0.1 dev {link} onlink",
                )
            )
            extra = pick.choice(
                (
                    "",
                    "",
                    " metric 5",
                    " table 100",
                    " src 10.0.0.2",
                    " mtu 1400",
                    " proto static",
                    " tos 0x10",
                )
            )
            kind = (
                pick.choice(("", "", "", "", "blackhole ", "unreachable "))
                if " " not in extra.strip()[:3]
                else ""
            )
            target = pick.choice(ROUTES4)
            if pick.random() < 0.25:
                return f"ip route {action} {target}{extra} nexthop via 10.0.0.7 weight 2 nexthop via 10.5.0.7"
            return (
                f"ip route {action} blackhole {target}{extra.partition(' src')[0]}"
                if kind
                else f"ip route {action} {target} {via}{extra}"
            )
        case 9 | 10:
            action = pick.choice(("add", "append", "replace", "change", "add"))
            via = pick.choice(("via fd00::9", f"via fe80::9 dev {link}", f"dev {link}", "via fd00::8"))
            last = pick.random() < 0.3
            extra = pick.choice(("", "", " metric 5", " table 100"))
            via, extra = (
                (extra, " nexthop via fd00::7 nexthop via fd00::6 weight 3") if last else (f" {via}", extra)
            )
            return f"ip -6 route {action} {pick.choice(ROUTES6)}{via}{extra}"
        case 11:
            return f"ip {pick.choice(('', '-6 '))}route del {pick.choice((*ROUTES4, 'default'))}".replace(
                "-6 route del 1", "route del 1"
            )
        case 12:
            selector = pick.choice(
                ("from 10.0.0.0/8", "fwmark 0x80/0x80", f"iif {link}", "to 10.20.0.0/16", "")
            )
            if pick.random() < 0.7:
                target = pick.choice(
                    ("table 100", "table main suppress_prefixlength 0", "blackhole", "table 254")
                )
                return f"ip rule add {selector} {target} {pick.choice(('', 'pref 100', 'pref 200'))}"
            return f"ip rule del {selector} {pick.choice(('pref 100', 'pref 200', 'table 100'))}"
        case 13:
            action = pick.choice(("add", "replace", "del"))
            mac = "" if action == "del" else " lladdr 02:00:00:00:00:99"
            return f"ip neigh {action} {pick.choice(('10.0.0.9', 'fd00::9'))}{mac} dev {link}"
        case 14:
            action = pick.choice(
                (
                    "add id 5 via 10.0.0.9 dev v0",
                    "add id 6 via 10.0.0.8 dev v0",
                    "add id 7 group 5/6,3",
                    "del id 5",
                    "del id 7",
                )
            )
            if pick.random() < 0.4:
                return f"ip route replace {pick.choice(ROUTES4)} nhid {pick.choice((5, 7))}"
            return f"ip nexthop {action}"
        case 15:
            return pick.choice(
                (
                    f"bridge fdb {pick.choice(('add', 'append', 'replace'))} 00:00:00:00:00:00 dev vx0 dst 10.0.0.{pick.randint(5, 7)}",
                    "bridge fdb del 00:00:00:00:00:00 dev vx0",
                    f"ip link set {link} txqueuelen 77",
                    f"ip link set {link} alias 'some words'",
                    f"ip link set {link} group 7",
                    f"ip addr flush dev {link}",
                    "ip route flush table 100",
                    "ip rule flush",
                )
            )
        case _:
            name = f"w{pick.randrange(3)}"
            return pick.choice(
                (
                    f"ip link add {name} address 02:00:00:00:01:0{name[1]} type bridge",
                    f"ip link add {name} address 02:00:00:00:01:0{name[1]} mtu 1400 type veth peer name {name}p address 02:00:00:00:02:0{name[1]}",
                    f"ip link del {name}",
                    f"ip link add link v2 name {name} address 02:00:00:00:03:0{name[1]} type macvlan mode bridge",
                    f"ip link set {name} name {name}n",
                    f"ip link set {name}n name {name}",
                    f"ip link set {name} up",
                )
            )


@pytest.mark.parametrize("seed", range(8))
def test_model_and_kernel_agree(node: Namespace, seed: int) -> None:
    """After each of 40 random commands the modelled state is the real one, and both fail on the same commands."""
    pick = random.Random(seed)
    node.sh(QUIET)
    commands = list(START) + [command(pick) for _ in range(40)]
    state = read_state(node)
    done: list[str] = []
    for line in commands:
        done.append(line)
        argv = shlex.split(line)
        real = node.run(argv, check=False)
        outcome = run_ip(Command(argv=tuple(argv), source=Source(name="test", line=len(done))), state)
        assert () == outcome.gaps, done
        if "table does not exist" in real.stderr:
            continue  # Whether an empty table was ever used, no snapshot tells.
        assert (real.returncode != 0) == bool(outcome.error), (done[-1], real.stderr, outcome.error, done)
        wanted = comparable(outcome.state)
        actual = settled(node, lambda read, wanted=wanted: comparable(read) == wanted)
        found = differences(comparable(actual), wanted)
        assert not found, "\n".join([*done, *found])
        # Goes on from the real state: what is random or unseen does not pile up.
        state = actual
