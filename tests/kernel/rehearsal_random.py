"""Random proposals on one stage that stays: taken back from after every step, it is the node again and ready for the next."""

from collections.abc import Iterator
from random import Random

from rehearsal_node import recorded

from planner.models.node import NodeState
from planner.models.proposal import Fragment, FragmentKind, Outlook
from planner.models.rehearsal import Difference, Turn
from planner.plan.build import build_plan
from planner.proposal.propose import propose
from planner.rehearse.facts import compare
from planner.rehearse.stage import Stage
from planner.rehearse.turns import Ground, run_turns

SYSCTLS = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.forwarding",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.conf.eth0.rp_filter",
    "net.ipv4.conf.eth1.forwarding",
    "net.ipv4.conf.all.send_redirects",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.conf.default.forwarding",
    "net.ipv6.conf.eth0.forwarding",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.eth0.disable_ipv6",
    "net.core.somaxconn",
    "net.ipv4.conf.eth0.accept_local",
)
CHAINS = ("INPUT", "FORWARD", "OUTPUT", "KUBE-X", "NEW")
RULES = (
    "-s 10.9.0.0/16 -j DROP",
    "-p tcp --dport 80 -j ACCEPT",
    "-j KUBE-X",
    "-j NEW",
    "-m conntrack --ctstate INVALID -j DROP",
    "-m set --match-set web src -j RETURN",
    "-m statistic --mode random --probability 0.3 -j ACCEPT",
)
TABLE_RULES = (
    "-t nat -A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE",
    "-t nat -I PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.244.1.9:8080",
    "-t mangle -A PREROUTING -j MARK --set-xmark 0x1/0x1",
    "-t raw -A PREROUTING -p udp --dport 53 -j NOTRACK",
    "-t nat -N MINE",
    "-t nat -F POSTROUTING",
    "-P FORWARD ACCEPT",
    "-P INPUT DROP",
    "-N NEW",
    "-X NEW",
    "-E KUBE-X OLD",
    "-F",
)
ROUTES = (
    "route add 10.99.0.0/16 via 10.0.0.9 table 100",
    "route replace 10.244.2.0/24 via 10.0.0.8",
    "route del 10.244.2.0/24",
    "route add 10.88.0.0/16 nexthop via 10.0.0.2 weight 2 nexthop via 192.0.2.2",
    "route replace default via 192.0.2.1",
    "route del default",
    "route add blackhole 10.66.0.0/16",
    "route append 10.244.2.0/24 via 10.0.0.3 metric 7 mtu 1300",
    "-6 route del fd01::/64",
    "-6 route add unreachable fd02::/64",
    "rule add from 10.9.0.0/16 lookup 100 pref 50",
    "rule add fwmark 0x1/0xff blackhole pref 51",
    "-6 rule add not from fd00::/8 lookup main suppress_prefixlength 0 pref 52",
    "rule del pref 32767",
    "addr add 10.0.9.5/24 dev eth0",
    "addr add 10.0.0.7/24 dev eth0",
    "addr del 10.0.0.5/24 dev eth0",
    "addr del 10.0.0.6/24 dev eth0",
    "-6 addr del fd00::5/64 dev eth0",
    "addr flush dev eth1",
    "link set eth1 mtu 1400",
    "link set eth0 mtu 1200",
    "link set eth1 down",
    "link set eth0 down",
    "link set vx1 down",
    "link set peer1 nomaster",
    "link set eth0 txqueuelen 500",
    "link set eth1 address 02:00:00:00:00:99",
    "link del vx1",
    "neigh add 10.0.0.44 lladdr 02:00:00:00:00:44 dev eth0 nud permanent",
    "neigh del 10.0.0.7 dev eth0",
    "nexthop del id 7",
    "nexthop del id 9",
    "nexthop add id 10 via 10.0.0.12 dev eth0",
)
SETS = (
    "ipset add web 10.0.0.10",
    "ipset del web 10.0.0.9",
    "ipset flush web",
    "ipset create more hash:net",
    "ipset create web2 hash:ip,port timeout 600",
    "ipset destroy web",
)


def command(random: Random) -> str:
    """One command of an operator; many of them refer to what an earlier one has made or taken away."""
    kind = random.randrange(10)
    backend = random.choice(("nft", "legacy"))
    if kind < 3:
        return f"sysctl -w {random.choice(SYSCTLS)}={random.choice('0011127')}"
    if kind < 5:
        place = random.choice(("-A {}", "-I {}", "-I {} 2"))
        return f"iptables-{backend} {place.format(random.choice(CHAINS))} {random.choice(RULES)}"
    if kind == 5:
        last = random.choice(("-D {} 1", "-F {}"))
        return f"iptables-{backend} {last.format(random.choice(CHAINS))}"
    if kind == 6:
        return f"iptables-{backend} {random.choice(TABLE_RULES)}"
    if kind < 9:
        return f"ip {random.choice(ROUTES)}"
    return random.choice(SETS)


def script(seed: int, most: int = 5) -> str:
    """A few commands; what fails on the node is left out by the plan."""
    random = Random(seed)
    return "".join(f"{command(random)}\n" for _ in range(random.randint(1, most)))


class Player:
    """Plays proposals on a stage; a new one takes its place when something was left behind."""

    def __init__(self, node: NodeState | None = None) -> None:
        self.node = node or recorded()
        self._stage: Stage | None = None

    def _open(self) -> Stage:
        stage, self._stage = self._stage, None
        if stage is not None:
            return stage
        stage = Stage(self.node).__enter__()
        stage.rebuild()
        return stage

    def play(self, text: str) -> tuple[Turn, ...]:
        """All steps and the way back from each."""
        fragment = Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text=text)
        return self.played(propose(self.node, (fragment,)))

    def played(self, outlook: Outlook) -> tuple[Turn, ...]:
        """The same for what was proposed otherwise."""
        # What nobody can predict is no matter of this test: such steps are told as unknown.
        if not outlook.stages or any(stage.gaps for stage in outlook.stages):
            return ()
        ground = Ground(self._open, build_plan(outlook))
        found = tuple(run_turns(ground, outlook).turns)
        self._stage = ground.stage
        return found

    def last_look(self) -> tuple[Difference, ...]:
        """What the collector itself finds otherwise, when all is done: the looks between were quick ones."""
        return compare(self._stage.original, self._stage.snapshot()) if self._stage is not None else ()

    def close(self) -> None:
        """End the stage."""
        if self._stage is not None:
            self._stage.__exit__(None, None, None)


def troubles(turns: tuple[Turn, ...]) -> Iterator[str]:
    """What was not as it should be, in lines."""
    for turn in turns:
        for kind, differences in (("unpredicted", turn.unpredicted), ("left", turn.left_behind)):
            for one in differences:
                yield f"{kind} {turn.step} `{turn.title}`: {one.what}: wanted `{one.wanted}`, found `{one.found}`"
        if not turn.applied or not turn.undone:
            yield f"step {turn.step} `{turn.title}`: {turn.output}"
