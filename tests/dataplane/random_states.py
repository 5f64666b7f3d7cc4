"""Small nodes at random: links, routes, policy rules, rules with jumps, marks and translations. And one change to them."""

import random
import re
from collections.abc import Callable

from planner.models.flow import Entry, Flow
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import NextHop, PolicyRule, Route
from planner.models.ruleset import IpSet, Ruleset, Table

ADDRESSES = (
    "10.0.0.1",
    "10.0.0.2",
    "10.0.1.1",
    "10.0.1.7",
    "10.1.0.9",
    "192.168.0.10",
    "127.0.0.1",
    "8.8.8.8",
    "10.0.2.3",
)
PREFIXES = (
    "10.0.0.0/24",
    "10.0.1.0/24",
    "10.0.0.0/16",
    "10.1.0.0/16",
    "0.0.0.0/0",
    "8.0.0.0/8",
    "10.0.1.7/32",
    "10.0.2.0/25",
)
LINKS = ("eth0", "eth1", "cni0")
OWN = {
    "eth0": ("192.168.0.10/24",),
    "eth1": ("10.0.1.1/24", "10.1.0.1/16"),
    "cni0": ("10.0.0.1/24",),
    "lo": ("127.0.0.1/8",),
}
PORTS = (22, 53, 80, 443, 8080)
MARKS = ("0x1", "0x2", "0x4000/0x4000", "0x3/0x3")
USER_CHAINS = ("A", "B", "C")
ASKED_SETS = (
    "hosts src", "hosts dst", "services dst,dst", "holes dst", "holes src", "ports dst", "ways src,dst", "every src",
    "every dst", "marks src", "asked src,src,dst", "asked dst,dst", "macs src", "pairs src,src", "known src,src",
    "lanes src,src", "lanes dst,dst", "lanes dst,src",
)  # fmt: skip
RPFILTER = re.compile(r"-m rpfilter(?: --[a-z-]+)*")
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
NETMAPS = ("10.0.1.0/24", "192.168.0.8/29", "10.0.0.0/16", "0.0.0.0/0", "10.0.2.3/32")
BASES = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


def matches(rng: random.Random, table: str) -> str:
    """Some conditions, in the order in which they are printed."""
    words: list[str] = []
    if rng.random() < 0.3:
        words.append(f"{rng.choice(('', '! '))}-s {rng.choice(PREFIXES)}")
    if rng.random() < 0.4:
        words.append(f"{rng.choice(('', '', '! '))}-d {rng.choice((*PREFIXES, '10.0.0.2/32', '8.8.8.8/32'))}")
    if rng.random() < 0.15 and table != "none":
        words.append(f"{rng.choice(('', '! '))}-i {rng.choice(('eth0', 'eth+', 'cni0', 'lo'))}")
    protocol = ""
    if rng.random() < 0.5:
        protocol = rng.choice(("tcp", "tcp", "udp", "icmp"))
        words.append(f"-p {protocol}")
    if protocol in {"tcp", "udp"} and rng.random() < 0.6:
        words.append(rng.choice((
            f"-m {protocol} --dport {rng.choice(PORTS)}", f"-m {protocol} ! --dport 53:90",
            "-m multiport --dports 22,80,1000:2000", f"-m {protocol} --sport 1024:65535",
        )))  # fmt: skip
    if protocol == "icmp" and rng.random() < 0.5:
        words.append("-m icmp --icmp-type 8")
    if rng.random() < 0.15:
        words.append(f"-m mark {rng.choice(('', '! '))}--mark {rng.choice(MARKS)}")
    if rng.random() < 0.2:
        words.append(
            f"-m conntrack --ctstate {rng.choice(('NEW', 'RELATED,ESTABLISHED', 'INVALID', 'NEW,DNAT', 'UNTRACKED'))}"
        )
    if rng.random() < 0.1:
        words.append(f"-m addrtype --dst-type {rng.choice(('LOCAL', 'UNICAST'))}")
    if rng.random() < 0.1:
        words.append(f"-m set {rng.choice(('', '! '))}--match-set {rng.choice(ASKED_SETS)}")
    if rng.random() < 0.1:
        words.append(
            f"-m statistic --mode random --probability {rng.choice(('0.50000000000', '0.25000000000'))}"
        )
    if rng.random() < 0.05:
        words.append("-m tos --tos 0x10/0x3f")
    if rng.random() < 0.03:
        words.append("-m ttl --ttl-lt 3")
    if rng.random() < 0.05 and table in {"raw", "mangle"}:
        words.append(
            f"-m rpfilter{rng.choice(('', ' --loose'))}{rng.choice(('', ' --validmark'))}{rng.choice(('', ' --accept-local'))}"
            f"{rng.choice(('', ' --invert'))}"
        )
    return " ".join(words)


def target(rng: random.Random, table: str, chain: str, conditions: str, below: tuple[str, ...]) -> str:
    """What the rule does; a user chain only calls chains after it."""
    some: list[str] = ["-j ACCEPT", "-j RETURN"]
    if below:
        some += [f"-j {rng.choice(below)}"] * 3 + [f"-g {rng.choice(below)}"]
    if table in {"filter", "mangle", "raw"}:
        some += ["-j DROP", "-j DROP"]
    if table == "filter":
        some += ["-j REJECT --reject-with icmp-port-unreachable"]
    if table == "mangle":
        some += [
            "-j MARK --set-xmark 0x1/0xffffffff",
            "-j MARK --set-xmark 0x4000/0x4000",
            "-j TOS --set-tos 0x10/0x3f",
        ]
        some += ["-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"]
        some += ["-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff"]
    if table == "raw":
        some += ["-j CT --notrack"]
    if table == "nat":
        some += ["-j MARK --set-xmark 0x2/0x2"]
        ported = "-p tcp" in conditions and "!" not in conditions.split("-p tcp", maxsplit=1)[0][-2:]
        port = f":{rng.choice(PORTS)}" if ported and rng.random() < 0.5 else ""
        dnat = f"-j DNAT --to-destination {rng.choice(ADDRESSES)}{port}"
        if rng.random() < 0.3:
            dnat = wide_dnat(rng, ported=ported)
        if chain in {"PREROUTING", "OUTPUT"}:
            some += [dnat] * 5 + ["-j REDIRECT" + (" --to-ports 8080" if ported else "")]
        elif chain == "POSTROUTING":
            some += ["-j MASQUERADE"] * 3 + [f"-j SNAT --to-source {rng.choice(ADDRESSES)}"] * 2
            some += [f"-j NETMAP --to {rng.choice(NETMAPS)}"]
        elif chain == "A":
            some += [dnat] * 4
    return rng.choice(some)


def wide_dnat(rng: random.Random, *, ported: bool) -> str:
    """A translation to one of several addresses, or ports, or from one network to another."""
    if ported and rng.random() < 0.6:
        kind = rng.choice(("80-90", "8080-8083", "1000-1019/1490", "8000-8002"))
        end = " --random" if kind == "8000-8002" else ""
        return f"-j DNAT --to-destination {rng.choice(ADDRESSES)}:{kind}{end}"
    return rng.choice((
        "-j DNAT --to-destination 10.0.0.2-10.0.0.4", "-j DNAT --to-destination 10.0.0.255-10.0.1.1 --persistent",
        *(f"-j NETMAP --to {net}" for net in NETMAPS),
    ))  # fmt: skip


def fitting(conditions: str, chain: str) -> str:
    """Without what the kernel takes in PREROUTING only (net/ipv4/netfilter/ipt_rpfilter.c, rpfilter_check())."""
    return conditions if chain == "PREROUTING" else RPFILTER.sub("", conditions).strip()


def rules(rng: random.Random, table: str, chain: str, below: tuple[str, ...], most: int) -> tuple[str, ...]:
    """Rules of one chain."""
    made = []
    for _ in range(rng.randrange(most + 1)):
        conditions = fitting(matches(rng, table), chain)
        made.append(f"{conditions} {target(rng, table, chain, conditions, below)}".strip())
    return tuple(made)


def make_table(rng: random.Random, name: str) -> Table:
    # In nat, chain A is called before routing only, and B and C hold no translation.
    chains: dict[str, tuple[str, ...]] = {}
    policies = {}
    for base in BASES[name]:
        below = USER_CHAINS if name != "nat" or base in {"PREROUTING", "OUTPUT"} else ("B", "C")
        chains[base] = rules(rng, name, base, below, 4)
        policies[base] = "DROP" if name == "filter" and rng.random() < 0.15 else "ACCEPT"
    for at, user in enumerate(USER_CHAINS):
        chains[user] = rules(rng, name, user, USER_CHAINS[at + 1 :], 3)
    return Table(name=name, policies=policies, chains=chains)


def make_routes(rng: random.Random) -> tuple[Route, ...]:
    found = [
        Route(family="ip", prefix="192.168.0.0/24", nexthops=(NextHop(link="eth0"),)),
        Route(family="ip", prefix="10.0.1.0/24", nexthops=(NextHop(link="eth1"),)),
        Route(family="ip", prefix="10.0.0.0/24", nexthops=(NextHop(link="cni0"),)),
    ]
    found.extend(make_route(rng) for _ in range(rng.randrange(6)))
    unique = {(r.prefix, r.table, r.metric, r.tos): r for r in reversed(found)}
    return tuple(reversed(unique.values()))


def make_route(rng: random.Random) -> Route:
    prefix, table = rng.choice(PREFIXES), rng.choice(("254", "254", "254", "100"))
    metric = rng.choice((0, 0, 100))
    kind = rng.choice(("unicast",) * 8 + ("blackhole", "unreachable", "prohibit", "throw"))
    hops: tuple[NextHop, ...] = ()
    if kind == "unicast":
        hops = (NextHop(via=rng.choice(("", "192.168.0.1")), link=rng.choice(LINKS)),)
        if rng.random() < 0.2:
            hops = (NextHop(via="192.168.0.1", link="eth0"), NextHop(via="10.0.1.254", link="eth1", weight=2))
    tos = "0x10" if rng.random() < 0.05 else "0"
    mtu = 1200 if rng.random() < 0.2 else None
    return Route(
        family="ip", table=table, prefix=prefix, type=kind, metric=metric, nexthops=hops, tos=tos, mtu=mtu
    )  # fmt: skip


def make_rules(rng: random.Random) -> tuple[PolicyRule, ...]:
    found = [
        PolicyRule(family="ip", preference=0, table="255"),
        PolicyRule(family="ip", preference=32766, table="254"),
        PolicyRule(family="ip", preference=32767, table="253"),
    ]
    found.extend(make_rule(rng, preference) for preference in range(100, 100 + rng.choice((0, 0, 1, 3))))
    return tuple(found)


def make_rule(rng: random.Random, preference: int) -> PolicyRule:
    which = rng.choice((
        {"fwmark": "0x1"}, {"fwmark": "0x4000/0x4000"}, {"iif": "eth0"}, {"source": "10.0.0.0/16"}, {"destination": "8.8.8.8/32"},
        {"ipproto": "tcp", "dport": "80"}, {"source": "10.0.1.7/32", "inverted": True}, {"iif": "lo"},
        {"iif": "lo", "ipproto": "tcp", "dport": "80"}, {"uidrange": "1000-2000"},
    ))  # fmt: skip
    how: dict[str, object] = rng.choice((
        {"table": "100"}, {"table": "100"}, {"table": "254", "suppress_prefixlength": 0}, {"action": "unreachable"},
        {"action": "prohibit"}, {"action": "goto", "goto": 32766},
    ))  # fmt: skip
    return PolicyRule.model_validate({"family": "ip", "preference": preference, **which, **how})


def make_sysctls(rng: random.Random) -> dict[str, str]:
    found = {}
    for link in ("all", "default", "lo", *LINKS):
        for knob, values in (
            ("rp_filter", "00012"), ("accept_local", "0001"), ("src_valid_mark", "01"), ("route_localnet", "0001"),
            ("forwarding", "11110"), ("bc_forwarding", "0"), ("send_redirects", "01"), ("ignore_routes_with_linkdown", "0"),
        ):  # fmt: skip
            value = rng.choice(values)
            found[f"net.ipv4.conf.{link}.{knob}"] = "0" if link == "all" and knob != "rp_filter" else value
    return found


def make_sets(rng: random.Random) -> tuple[IpSet, ...]:
    hosts = tuple(sorted(rng.sample(("10.0.0.0/25", "10.0.1.7", "8.8.0.0/16", "192.168.0.0/24"), 2)))
    ports = tuple(sorted(rng.sample(("10.0.0.2,tcp:80", "10.0.1.1,udp:53", "8.8.8.8,tcp:443"), 2)))
    nets = [f"{net}{rng.choice(('', '', ' nomatch'))}" for net in rng.sample(PREFIXES[:4] + PREFIXES[5:], 4)]
    two = tuple(
        sorted(
            rng.sample(
                ("10.0.0.0/24,10.0.1.0/24", "10.0.0.0/16,8.8.8.8", "10.0.0.0/25,10.0.0.0/16 nomatch"), 2
            )
        )
    )
    inet = "family inet hashsize 1024 maxelem 65536"
    three = tuple(
        sorted(
            rng.sample(
                ("10.0.0.0/24,tcp:80,10.0.1.7", "8.8.8.8,udp:53,10.0.0.0/16", "10.1.0.0/16,tcp:80,8.0.0.0/8"),
                2,
            )
        )
    )
    return (
        IpSet(name="holes", type="hash:net", options=inet, elements=tuple(sorted(nets))),
        IpSet(
            name="ports",
            type="bitmap:port",
            options="range 0-65535",
            elements=tuple(map(str, rng.sample(PORTS, 2))),
        ),
        IpSet(name="ways", type="hash:net,net", options=inet, elements=two),
        IpSet(
            name="marks",
            type="hash:ip,mark",
            options=inet,
            elements=("10.0.1.7,0x00000001", "8.8.8.8,0x00000000"),
        ),
        IpSet(name="asked", type="hash:net,port,net", options=inet, elements=three),
        IpSet(name="macs", type="hash:mac", options="hashsize 1024 maxelem 65536", elements=MACS[:1]),
        IpSet(
            name="pairs",
            type="hash:ip,mac",
            options=inet,
            elements=(f"10.0.1.7,{MACS[0]}", f"10.0.0.9,{rng.choice(MACS)}"),
        ),
        IpSet(
            name="known",
            type="bitmap:ip,mac",
            options="range 10.0.0.0-10.0.1.255",
            elements=(f"10.0.1.7,{rng.choice(MACS)}", "10.0.0.9"),
        ),
        IpSet(
            name="lanes",
            type="hash:net,iface",
            options=inet,
            elements=tuple(
                sorted(
                    rng.sample(
                        (
                            "10.0.0.0/16,eth0",
                            "10.0.0.0/24,cni0",
                            "10.0.1.0/24,eth wildcard",
                            "0.0.0.0/1,eth1 nomatch",
                        ),
                        3,
                    )
                )
            ),
        ),
        IpSet(
            name="every",
            type="list:set",
            options="size 8",
            elements=tuple(rng.sample(("holes", "hosts", "services", "ports"), 2)),
        ),
        IpSet(
            name="hosts", type="hash:net", options="family inet hashsize 1024 maxelem 65536", elements=hosts
        ),
        IpSet(
            name="services",
            type="hash:ip,port",
            options="family inet hashsize 1024 maxelem 65536",
            elements=ports,
        ),
    )


def make_links(rng: random.Random) -> tuple[Link, ...]:
    links = []
    bare, down = rng.random() < 0.2, rng.random() < 0.1
    small = random.Random(rng.random()).choice(("", "", "eth0", "eth1", "cni0"))
    for at, name in enumerate(("lo", *LINKS), 1):
        addresses = tuple(
            Address(
                address=one.split("/")[0],
                length=int(one.split("/")[1]),
                scope="host" if name == "lo" else "global",
            )
            for one in OWN[name]
        )
        if name == "cni0" and bare:
            addresses = ()
        links.append(
            Link(
                name=name,
                index=at,
                up=not (name == "eth1" and down),
                kind="loopback" if name == "lo" else "",
                mtu=1400 if name == small else 1500,
                addresses=addresses,
            )
        )
    return tuple(links)


VIPS = (
    "-d 99.9.9.9/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2:8080",
    "-d 99.9.9.9/32 -p udp -m udp --dport 53 -j DNAT --to-destination 192.168.0.10",
    "-d 10.0.2.3/32 -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.0.1.7",
    "-d 10.0.2.3/32 -j DNAT --to-destination 8.8.8.8",
    "-d 10.0.0.2/32 -p tcp -j DNAT --to-destination 10.0.0.2",
    "-d 10.0.2.130/32 -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 8080",
)


def make_services(seed: int) -> NodeState:
    """A node on which most packets arrive somewhere: addresses of services, few rules, no filter of sources."""
    rng = random.Random(seed)
    state = make_state(seed * 2)
    vips = tuple(rng.sample(VIPS, len(VIPS)))
    masked = ("-s 10.0.0.0/16 -j MASQUERADE", "-d 192.168.0.10/32 -j SNAT --to-source 10.1.0.1")
    nat = {
        "PREROUTING": vips, "OUTPUT": vips, "INPUT": (), "POSTROUTING": masked, "A": (), "B": (), "C": (),
    }  # fmt: skip
    held = state.rulesets[0].tables["filter"]
    chains = {
        name: tuple(rule for rule in rules if rng.random() < 0.5) for name, rules in held.chains.items()
    }
    tables = {
        "nat": Table(name="nat", policies=dict.fromkeys(BASES["nat"], "ACCEPT"), chains=nat),
        "filter": Table(name="filter", policies=dict.fromkeys(BASES["filter"], "ACCEPT"), chains=chains),
    }
    sysctls = {key: "1" if key.endswith("forwarding") else "0" for key in state.sysctls}
    default = Route(family="ip", prefix="0.0.0.0/0", nexthops=(NextHop(via="192.168.0.1", link="eth0"),))
    return state.model_copy(
        update={
            "rulesets": (Ruleset(family="ip", backend="nft", tables=tables),), "sysctls": sysctls,
            "routes": (*state.routes[:3], default), "policy_rules": (), "links": make_links(random.Random(0)),
        }
    )  # fmt: skip


def change_services(seed: int, state: NodeState) -> NodeState:
    """One rule for packets whose destination, or source, is another one by then."""
    rng = random.Random(seed)
    table, chain = rng.choice(
        (
            ("filter", "FORWARD"),
            ("filter", "INPUT"),
            ("filter", "OUTPUT"),
            ("nat", "POSTROUTING"),
            ("nat", "PREROUTING"),
        )
    )
    where = rng.choice((
        "-d 10.0.0.2/32 -p tcp -m tcp --dport 8080", "-d 10.0.1.7/32", "-d 8.8.8.8/32", "-d 192.168.0.10/32 -p udp",
        "-p tcp -m tcp --dport 8080", "-s 10.1.0.1/32", "-d 10.0.0.2/32 -m conntrack ! --ctstate DNAT", "-i lo -p tcp",
    ))  # fmt: skip
    act = {
        "filter": rng.choice(("-j DROP", "-j REJECT --reject-with icmp-port-unreachable")),
        "nat": "-j ACCEPT" if chain == "PREROUTING" else "-j SNAT --to-source 10.0.1.1",
    }[table]
    if chain == "OUTPUT":
        where = where.replace("-i lo ", "")
    held = state.rulesets[0].tables[table]
    rules = (f"{where} {act}", *held.chains[chain])
    return _edited(state, table, held.model_copy(update={"chains": {**held.chains, chain: rules}}))


def make_state(seed: int) -> NodeState:
    rng = random.Random(seed)
    tables = {name: make_table(rng, name) for name in BASES if name == "filter" or rng.random() < 0.75}
    return NodeState(
        name="node", kernel="6.1.0", links=make_links(random.Random(seed + 1)), routes=make_routes(rng), policy_rules=make_rules(rng),
        sysctls=make_sysctls(rng), ipsets=make_sets(rng),
        rulesets=(Ruleset(family="ip", backend="nft", tables=tables),),
    )  # fmt: skip


def with_both(seed: int, state: NodeState) -> NodeState:
    """The other back end of iptables holds some rules, too."""
    rng = random.Random(f"both {seed}")
    tables = {name: make_table(rng, name) for name in rng.sample(sorted(BASES), rng.choice((1, 1, 2)))}
    legacy = Ruleset(family="ip", backend="legacy", tables=tables)
    return state.model_copy(update={"rulesets": (*state.rulesets, legacy)})


def change(seed: int, state: NodeState) -> NodeState:
    """One small change."""
    rng = random.Random(seed)
    kinds: tuple[Callable[[random.Random, NodeState], NodeState], ...] = (
        _rule, _rule, _rule, _rule, _policy, _route, _route, _policy_rule, _sysctl, _set, _swap, _mtu,
    )  # fmt: skip
    return rng.choice(kinds)(rng, state)


def _edited(state: NodeState, name: str, table: Table) -> NodeState:
    held = state.rulesets[0]
    changed = held.model_copy(update={"tables": {**held.tables, name: table}})
    return state.model_copy(update={"rulesets": (changed, *state.rulesets[1:])})


def _rule(rng: random.Random, state: NodeState) -> NodeState:
    name = rng.choice(sorted(state.rulesets[0].tables))
    table = state.rulesets[0].tables[name]
    chain = rng.choice(sorted(table.chains))
    held = list(table.chains[chain])
    below = USER_CHAINS[USER_CHAINS.index(chain) + 1 :] if chain in USER_CHAINS else ("B", "C")
    conditions = fitting(matches(rng, name), chain)
    new = f"{conditions} {target(rng, name, chain, conditions, below)}".strip()
    at = rng.randrange(len(held) + 1)
    if held and rng.random() < 0.5:
        at = rng.randrange(len(held))
        held.pop(at)
    if rng.random() < 0.7:
        held.insert(at, new)
    return _edited(state, name, table.model_copy(update={"chains": {**table.chains, chain: tuple(held)}}))


def _swap(rng: random.Random, state: NodeState) -> NodeState:
    name = rng.choice(sorted(state.rulesets[0].tables))
    table = state.rulesets[0].tables[name]
    chain = rng.choice(sorted(table.chains))
    held = list(table.chains[chain])
    rng.shuffle(held)
    return _edited(state, name, table.model_copy(update={"chains": {**table.chains, chain: tuple(held)}}))


def _policy(rng: random.Random, state: NodeState) -> NodeState:
    table = state.rulesets[0].tables["filter"]
    base = rng.choice(sorted(table.policies))
    other = "DROP" if table.policies[base] == "ACCEPT" else "ACCEPT"
    return _edited(state, "filter", table.model_copy(update={"policies": {**table.policies, base: other}}))


def _route(rng: random.Random, state: NodeState) -> NodeState:
    routes = list(state.routes)
    if len(routes) > 3 and rng.random() < 0.5:
        routes.pop(rng.randrange(3, len(routes)))
    else:
        routes.insert(rng.randrange(len(routes) + 1), make_route(rng))
    return state.model_copy(update={"routes": tuple(routes)})


def _policy_rule(rng: random.Random, state: NodeState) -> NodeState:
    held = [rule for rule in state.policy_rules if rule.preference != 99]
    return state.model_copy(update={"policy_rules": (make_rule(rng, 99), *held)})


def _sysctl(rng: random.Random, state: NodeState) -> NodeState:
    key = f"net.ipv4.conf.{rng.choice(LINKS)}.{rng.choice(('rp_filter', 'forwarding', 'accept_local', 'route_localnet'))}"
    return state.model_copy(
        update={"sysctls": {**state.sysctls, key: "0" if state.sysctls[key] != "0" else "1"}}
    )


def _mtu(rng: random.Random, state: NodeState) -> NodeState:
    name = rng.choice(LINKS)
    links = tuple(
        link.model_copy(update={"mtu": 1300 if link.mtu != 1300 else 1500}) if link.name == name else link
        for link in state.links
    )
    return state.model_copy(update={"links": links})


def _set(rng: random.Random, state: NodeState) -> NodeState:
    return state.model_copy(update={"ipsets": make_sets(rng)})


def make_flow(rng: random.Random) -> Flow:
    """A packet that such a node may see."""
    local = rng.random() < 0.3
    protocol = rng.choice((6, 6, 6, 17, 1, 47))
    own = ("192.168.0.10", "10.0.1.1", "10.1.0.1", "10.0.0.1", "127.0.0.1")
    return Flow(
        protocol=protocol,
        source=rng.choice(own if local else (*ADDRESSES, "10.0.0.9", "10.1.3.4", "0.0.0.0", "192.168.0.77")),
        destination=rng.choice(
            (*ADDRESSES, "10.0.0.77", "10.1.255.255", "99.9.9.9", "99.9.9.9", "10.0.2.3", "10.0.2.130")
        ),
        source_port=rng.choice((1000, 40000)) if protocol in {6, 17} else 0,
        destination_port=rng.choice((*PORTS, 1500)) if protocol in {6, 17} else 0,
        icmp_type=rng.choice((8, 0, 3)),
        hop_limit=rng.choice((64, 64, 64, 2, 1)),
        source_mac="" if local else rng.choice((*MACS, "00:00:00:00:00:00")),
        tos=rng.choice((0, 0, 0x10)),
        length=rng.choice((60, 60, 60, 1300, 1301, 1401, 1500, 9000)),
        state=rng.choice(("NEW", "NEW", "NEW", "ESTABLISHED", "RELATED", "INVALID")),
        entry=Entry(link="" if local else rng.choice(LINKS), user=rng.choice((0, 1000)) if local else None),
    )
