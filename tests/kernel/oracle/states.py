"""Random node states from a seed: the same seed gives the same state, on any machine, for ever."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

from oracle.addresses import MARKS, MASKS, PORTS, TABLES, Pool
from oracle.rules import HOOKS, SIDES, Maker, Where
from oracle.sets import random_sets
from oracle.stage import Stage, mac_of

NAMES = ("eth0", "eth1", "cali7", "cali8", "wan5")
BRIDGE, PORTS_OF_BRIDGE = "br0", ("veth1", "veth2", "veth3")
TABLE_ORDER = ("raw", "mangle", "nat", "filter")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of iptables, or the chain policy of a base chain (`text` is the policy then)."""

    backend: str
    table: str
    chain: str
    text: str
    policy: bool = False


@dataclass(frozen=True, slots=True)
class Theme:
    """What random nodes are mostly about: chances and weights."""

    name: str = "any"
    six: float = 0.25
    bridge: float = 0.25
    backends: tuple[float, float, float] = (5, 5, 1)
    """Weights of nft, legacy, and both at once in either order."""
    sets: float = 0.6
    policy_rules: float = 0.7
    several_hops: float = 1
    """Weight of a route with several next hops, against 12 for one with a single hop."""
    still_links: float = 0.06
    """Chance that a link does not forward where the others do."""
    nat: float = 0.7
    own: float = 0.15
    """Share of packets that are of the node's own programs."""
    known: float = 1
    """How much more than usual packets belong to connections that conntrack knows."""
    matches: tuple[tuple[str, float], ...] = ()
    """Matches that rules hold more often than usual: a factor for each."""
    talks: float = 0.15
    """Of first packets that are sent on, how many are answered, and go on."""


ANY = Theme()
THEMES = (
    Theme("IPv6", six=1),
    Theme("both backends", backends=(0, 0, 1)),
    Theme("sets", sets=1, matches=(("set", 5),)),
    Theme("marks", policy_rules=1, matches=(("mark", 4), ("connmark", 6)), known=2),
    Theme("chance", nat=1, matches=(("statistic", 14),)),
    Theme("known connections", nat=1, known=2.5, talks=0.8, matches=(("ctstate", 3), ("ctrest", 3))),
    Theme("own programs", own=0.8, matches=(("owner", 4),)),
    Theme("bridged pods", bridge=1, matches=(("physdev", 4),)),
    Theme("links that do not forward", still_links=0.4),
    Theme("several next hops", several_hops=12),
    Theme("policy rules", policy_rules=1, own=0.3),
)


@dataclass(frozen=True, slots=True)
class State:
    """What a node is loaded with. Every tuple may lose a member and still be a state: so it is shrunk."""

    family: str
    links: int
    bridge: bool = False
    """The last link is a bridge with ports."""
    mtus: tuple[tuple[str, int], ...] = ()
    secondaries: tuple[tuple[str, str], ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    routes: tuple[str, ...] = ()
    policy_rules: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    backends: tuple[str, ...] = ()
    """In the order of loading."""
    seed: int = field(default=0, compare=False)
    theme: Theme = ANY

    @property
    def pool(self) -> Pool:
        return Pool(self.family, self.links)

    @property
    def names(self) -> tuple[str, ...]:
        names = NAMES[: self.links]
        return (*names[:-1], BRIDGE) if self.bridge else names

    @property
    def ports(self) -> tuple[str, ...]:
        return PORTS_OF_BRIDGE if self.bridge else ()

    def __str__(self) -> str:
        lines = [f"seed {self.seed} ({self.theme.name}): {self.family}, links {' '.join(self.names)}"]
        lines += [f"mtu {name} {mtu}" for name, mtu in self.mtus]
        lines += [f"ip addr add {address} dev {name}" for name, address in self.secondaries]
        lines += [f"sysctl {key}={value}" for key, value in self.sysctls]
        lines += [f"ip route {text}" for text in self.routes]
        lines += [f"ip rule {text}" for text in self.policy_rules]
        lines += [f"ipset {text}" for text in self.sets]
        lines += [
            f"{r.backend}: -t {r.table} {'-P' if r.policy else '-A'} {r.chain} {r.text}" for r in self.rules
        ]
        return "\n".join(lines)


def random_state(seed: int, theme: Theme = ANY) -> State:
    """The state of a seed."""
    draw = Random(seed)
    family = "ip6" if draw.random() < theme.six else "ip"
    state = State(family, draw.randint(3, 5), bridge=draw.random() < theme.bridge, seed=seed, theme=theme)
    pool, names = state.pool, state.names
    sets = random_sets(draw, pool, list(names)) if draw.random() < theme.sets else ()
    nft, legacy, both = theme.backends
    weights = (nft, legacy, both / 2, both / 2)
    backends = draw.choices((("nft",), ("legacy",), ("legacy", "nft"), ("nft", "legacy")), weights)[0]
    maker = Maker(draw, pool, names, state.ports, sets, dict(theme.matches))
    rules: list[Rule] = []
    for backend in backends:
        rules += _rules(draw, maker, backend, theme)
    return replace(
        state,
        mtus=tuple((name, 1300) for name in names if name != BRIDGE and draw.random() < 0.1),
        secondaries=tuple(_secondaries(draw, pool, names)),
        sysctls=tuple(_sysctls(draw, state)),
        routes=tuple(_routes(draw, pool, names, theme)),
        policy_rules=tuple(_policy_rules(draw, pool, names, theme)),
        sets=tuple(line for one in sets for line in one.lines),
        rules=tuple(rules),
        backends=backends,
    )


def _secondaries(draw: Random, pool: Pool, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for number, name in enumerate(names, 1):
        for address in pool.own(number)[1:]:
            if draw.random() < 0.4:
                yield name, f"{address}/{pool.length()}"


def _sysctls(draw: Random, state: State) -> Iterator[tuple[str, str]]:
    names, chance = state.names, draw.random
    if state.bridge:
        key = "bridge-nf-call-ip6tables" if state.family == "ip6" else "bridge-nf-call-iptables"
        yield f"net/bridge/{key}", draw.choice("01")
    if state.family == "ip6":
        if chance() < 0.93:
            yield "net/ipv6/conf/all/forwarding", "1"
            yield from (
                (f"net/ipv6/conf/{name}/forwarding", "0")
                for name in names
                if chance() < state.theme.still_links
            )
        return
    if chance() < 0.93:
        yield "net/ipv4/ip_forward", "1"
    yield "net/ipv4/conf/all/rp_filter", draw.choices("012", (6, 2, 2))[0]
    for name in names:
        conf = f"net/ipv4/conf/{name}"
        yield f"{conf}/rp_filter", draw.choices("012", (6, 2, 2))[0]
        yield from (
            (f"{conf}/{key}", value)
            for key, value, rarely in (
                ("forwarding", "0", state.theme.still_links),
                ("accept_local", "1", 0.15),
                ("route_localnet", "1", 0.2),
                ("src_valid_mark", "1", 0.2),
            )
            if chance() < rarely
        )
    if chance() < 0.1:
        yield "net/ipv4/conf/all/src_valid_mark", "1"


def _routes(draw: Random, pool: Pool, names: tuple[str, ...], theme: Theme) -> Iterator[str]:
    default = "::/0" if pool.family == "ip6" else "0.0.0.0/0"
    seen: set[tuple[str, str, str, str]] = set()
    wanted = [(default, "main")] if draw.random() < 0.8 else []
    wanted += [(pool.prefix(draw, shortest=1), "main") for _ in range(draw.randint(2, 6))]
    wanted += [
        (draw.choice((default, pool.prefix(draw))), table)
        for table in TABLES
        for _ in range(draw.randint(0, 3))
    ]
    for prefix, table in wanted:
        metric = draw.choice(("", "", "", " metric 50", " metric 200"))
        tos = " tos 0x10" if pool.family == "ip" and draw.random() < 0.06 else ""
        # Between default routes of one metric the state of neighbours decides (fib_select_default), which nobody records.
        key = (prefix, table, metric, "" if prefix == default else tos)
        connected = table == "main" and prefix in {
            pool.network(n, net) for n in range(1, pool.links + 1) for net in (0, 9)
        }
        if key in seen or connected:
            continue
        seen.add(key)
        link = draw.randrange(pool.links) + 1
        kind = draw.choices(
            ("via", "dev", "blackhole", "unreachable", "prohibit", "throw", "ecmp"),
            (12, 2, 1, 1, 1, 1, theme.several_hops),
        )[0]
        if kind in {"blackhole", "unreachable", "prohibit", "throw"}:
            yield f"add {kind} {prefix}{tos} table {table}{metric}"
            continue
        source = f" src {draw.choice(pool.own(link)[:1])}" if draw.random() < 0.15 else ""
        if kind == "ecmp":
            other = link % pool.links + 1
            onlink = " onlink" if pool.family == "ip6" else ""
            weights = draw.choice(((1, 1), (1, 1), (3, 1), (1, 20)))
            hops = [
                f"nexthop via {pool.gateway(n)} dev {names[n - 1]} weight {weight}{onlink}"
                for n, weight in zip((link, other), weights, strict=True)
            ]
            yield f"add {prefix}{tos} table {table}{metric} {' '.join(hops)}"
            continue
        via = f"via {pool.gateway(link, draw.randrange(2))} " if kind == "via" else ""
        onlink = " onlink" if via and pool.family == "ip6" else ""
        yield f"add {prefix}{tos} {via}dev {names[link - 1]} table {table}{metric}{source}{onlink}"


def _policy_rules(draw: Random, pool: Pool, names: tuple[str, ...], theme: Theme) -> Iterator[str]:
    if draw.random() < 0.1:
        yield "add pref 500 lookup local"
        yield "del pref 0"
    if draw.random() >= theme.policy_rules:
        return
    preferences = sorted(draw.sample(range(10, 30000), draw.randint(1, 5)))
    if draw.random() < 0.1:
        preferences.append(32800)
    for position, preference in enumerate(preferences):
        words = [f"add pref {preference}"]
        if draw.random() < 0.12:
            words.append("not")
        if draw.random() < 0.35:
            words.append(f"from {pool.prefix(draw, shortest=1)}")
        if draw.random() < 0.35:
            words.append(f"to {pool.prefix(draw, shortest=1)}")
        if draw.random() < 0.25:
            words.append(f"iif {draw.choice((*names, 'lo'))}")
        if draw.random() < 0.05:
            words.append(f"oif {draw.choice(names)}")
        if draw.random() < 0.3:
            mark, mask = draw.choice(MARKS), draw.choice(MASKS)
            words.append(f"fwmark {mark & mask:#x}/{mask:#x}")
        if draw.random() < 0.08:
            words.append("tos 0x10")
        if draw.random() < 0.15:
            words.append(f"ipproto {draw.choice(('tcp', 'udp'))}")
            if draw.random() < 0.6:
                port = draw.choice(PORTS)
                words.append(f"dport {port}" + (f"-{port + 50}" if draw.random() < 0.3 else ""))
            if draw.random() < 0.1:
                words.append("sport 1000-40000")
        if draw.random() < 0.08:
            words.append("uidrange 1000-1000")
        later = preferences[position + 1 :]
        kind = draw.choices(
            ("table", "main", "prohibit", "unreachable", "blackhole", "goto", "nop"),
            (10, 2, 0.7, 0.7, 0.7, 1, 0.3),
        )[0]
        if kind in {"table", "main"}:
            words.append(f"lookup {draw.choice(TABLES) if kind == 'table' else 'main'}")
            if draw.random() < 0.2:
                words.append(f"suppress_prefixlength {draw.choice((0, 0, 16))}")
        elif kind == "goto" and preference < 32766:
            words.append(f"goto {draw.choice((*later, 32766))}")
        else:
            words.append("nop" if kind == "goto" else kind)
        yield " ".join(words)


def _rules(draw: Random, maker: Maker, backend: str, theme: Theme) -> Iterator[Rule]:
    held = {"raw": 0.3, "mangle": 0.6, "nat": theme.nat, "filter": 0.9}
    for table in TABLE_ORDER:
        if draw.random() >= held[table]:
            continue
        for side, hooks in SIDES[table].items():
            chains = tuple(f"{side.upper()}-{letter}" for letter in "ABC"[: draw.choice((0, 0, 1, 2, 3))])
            # Each may jump to later ones only: a loop is refused.
            for position, chain in enumerate(chains):
                where = Where(table, frozenset(hooks), False, chains[position + 1 :])
                for _ in range(draw.randint(0, 4)):
                    yield Rule(backend, table, chain, maker.rule(where))
            for hook in hooks:
                where = Where(table, frozenset({hook}), True, chains)
                many = (0, 1, 2, 4) if table == "filter" else (0, 1, 1, 2, 3)
                for _ in range(draw.choice(many)):
                    yield Rule(backend, table, hook, maker.rule(where))
        if table == "nat" and draw.random() < 0.3:
            yield Rule(backend, table, "INPUT", maker.rule(Where(table, frozenset({"INPUT"}), True)))
        for hook in HOOKS[table]:
            if table != "nat" and draw.random() < (0.1 if table == "filter" else 0.02):
                yield Rule(backend, table, hook, "DROP", policy=True)


def restore_text(state: State, backend: str) -> str:
    """The rules of one backend as `iptables-restore` reads them."""
    lines: list[str] = []
    for table in TABLE_ORDER:
        rules = [r for r in state.rules if (r.backend, r.table) == (backend, table)]
        if not rules:
            continue
        users = {name for r in rules if not r.policy for name in (r.chain, *_jumps(r.text)) if "-" in name}
        lines.append(f"*{table}")
        lines += [f":{name} - [0:0]" for name in sorted(users)]
        lines += [f":{r.chain} {r.text} [0:0]" for r in rules if r.policy]
        lines += [f"-A {r.chain} {r.text}" for r in rules if not r.policy]
        lines.append("COMMIT")
    return "\n".join([*lines, ""])


def _jumps(text: str) -> list[str]:
    words = text.split()
    return [to for how, to in pairwise(words) if how in {"-j", "-g"}]


def load(stage: Stage, state: State) -> None:
    """Make the node so, with the tools that an operator has."""
    pool, names = state.pool, state.names
    six = state.family == "ip6"
    macs = {name: f"52:54:00:00:00:{n:02x}" for n, name in enumerate((*names, *state.ports), 1)}
    devices = [name for name in (*names, *state.ports) if name != BRIDGE]
    for name in devices:
        stage.link(name, mac=macs[name])
    stage.macs[BRIDGE] = macs.get(BRIDGE, "")
    lines = [f"link set {name} address {macs[name]} group 77" for name in devices]
    if state.bridge:
        lines.append(f"link add {BRIDGE} address {macs[BRIDGE]} type bridge")
        lines += [f"link set {port} master {BRIDGE} up" for port in state.ports]
        stage.masters.update(dict.fromkeys(state.ports, BRIDGE))
        for number, host in enumerate(pool.hosts(state.links)):
            stage.ports[host] = state.ports[number % 3]
    lines += [f"link set {name} mtu {mtu}" for name, mtu in state.mtus]
    lines += [f"link set {name} up" for name in names]
    nodad = " nodad" if six else ""
    lines += [
        f"addr add {pool.own(n)[0]}/{pool.length()} dev {name}{nodad}" for n, name in enumerate(names, 1)
    ]
    lines += [f"addr add {address} dev {name}{nodad}" for name, address in state.secondaries]
    forwarding = [(k, v) for k, v in state.sysctls if k.endswith(("ip_forward", "all/forwarding"))]
    stage.ip(lines, state.family)
    stage.sysctls(dict(forwarding))
    stage.sysctls(dict(item for item in state.sysctls if item not in forwarding))
    # IPv6 asks its tables, as they are by then, whether a gateway is there: such a route may be refused.
    stage.ip([f"route {text}" for text in state.routes], state.family, try_each=six)
    # A jump forward needs its target: the last rule comes first.
    lines = [f"rule {text}" for text in reversed(state.policy_rules)]
    if six:
        # Everybody is known on every link: a question for a neighbour would pass OUTPUT, its answer INPUT, and rules
        # may drop either. Who was asked for in vain is not asked for again at once, and a packet to it just waits.
        hosts = (0, *range(3, 25), 253, 254)
        everybody = dict.fromkeys(
            (
                *(pool.on(n, host) for n in range(1, len(names) + 1) for host in hosts),
                *pool.remotes,
                *pool.virtual,
                *pool.all_hosts(),
                *pool.all_own(),
                *(pool.on(96, host) for host in (0, 3)),
            )
        )
        for address in everybody:
            stage.knows(address)
            lines += [f"neigh replace {address} lladdr {mac_of(address)} dev {name}" for name in names]
    stage.ip(lines, state.family)
    if state.bridge:
        stage.ports.update(dict.fromkeys((pool.gateway(state.links, n) for n in (0, 1)), state.ports[1]))
        fdb = [f"fdb add {mac_of(host)} dev {port} master static" for host, port in stage.ports.items()]
        neighbours = [f"neigh replace {host} lladdr {mac_of(host)} dev {BRIDGE}" for host in stage.ports]
        stage.ip(neighbours, state.family)
        for host in stage.ports:
            stage.knows(host)
        stage.node.run(["bridge", "-batch", "-"], stdin="\n".join([*fdb, ""]))
    if state.sets:
        stage.node.run(["ipset", "-exist", "restore"], stdin="\n".join([*state.sets, ""]))
    for backend in state.backends:
        text = restore_text(state, backend)
        if text.strip():
            stage.node.run([f"ip{'6' if six else ''}tables-{backend}-restore"], stdin=text)


PARTS = ("rules", "sets", "policy_rules", "routes", "sysctls", "secondaries", "mtus", "backends")


def shrink(state: State, fails: Callable[[State], bool]) -> State:
    """The smallest state that still fails: whole parts are taken away first, then one thing after the other."""
    again = True
    while again:
        again = False
        for name in PARTS:
            # In ever smaller pieces, from the end.
            size = len(getattr(state, name))
            while size:
                for end in range(len(getattr(state, name)), 0, -size):
                    items = getattr(state, name)
                    smaller = replace(state, **{name: (*items[: max(0, end - size)], *items[end:])})
                    if fails(smaller):
                        state, again = smaller, True
                size //= 2
    return state
