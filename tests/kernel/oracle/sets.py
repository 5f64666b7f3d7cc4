"""Random ipsets, as `ipset restore` reads them."""

from dataclasses import dataclass
from random import Random

from oracle.addresses import MAC, PORTS, Pool
from oracle.stage import mac_of


@dataclass(frozen=True, slots=True)
class SetSpec:
    """One set, with what a match must say to use it."""

    name: str
    kind: str
    lines: tuple[str, ...]

    @property
    def dimensions(self) -> int:
        return self.kind.count(",") + 1


# Without those that a kernel may lack (hash:mac, hash:ip,mark, hash:ip,mac, hash:net,net, hash:net,port,net).
FOUR = (
    "hash:ip",
    "hash:net",
    "hash:ip,port",
    "hash:net,port",
    "hash:net,iface",
    "hash:ip,port,ip",
    "hash:ip,port,net",
    "bitmap:port",
    "bitmap:ip",
    "bitmap:ip,mac",
)
SIX = tuple(kind for kind in FOUR if not kind.startswith("bitmap:ip"))


def random_sets(draw: Random, pool: Pool, links: list[str]) -> tuple[SetSpec, ...]:
    """Two to five sets; the last may be a set of the others."""
    sets = [
        _set(draw, pool, links, f"s{n}", draw.choice(SIX if pool.family == "ip6" else FOUR))
        for n in range(draw.randint(2, 4))
    ]
    if draw.random() < 0.5:
        first = sets[0]
        members = [s for s in sets if s.dimensions == first.dimensions][:2]
        lines = ["create all list:set size 8", *(f"add all {s.name}" for s in members)]
        # The kernel asks the members with as many directions as the match names.
        sets.append(SetSpec("all", "list:set" + ",x" * (first.dimensions - 1), tuple(lines)))
    return tuple(sets)


def _set(draw: Random, pool: Pool, links: list[str], name: str, kind: str) -> SetSpec:
    options = f" family inet{pool.family[2:]}" if kind.startswith("hash:") else ""
    if kind == "bitmap:port":
        options = " range 1-65535"
    if kind.startswith("bitmap:ip"):
        options = " range 10.1.0.0/16"
    elements: dict[str, str] = {}
    for _ in range(draw.randint(1, 6)):
        words = [_part(draw, pool, links, part, kind) for part in kind.partition(":")[2].split(",")]
        element = ",".join(words)
        nomatch = " nomatch" if "net" in kind and draw.random() < 0.2 else ""
        elements.setdefault(element, nomatch)
    lines = [f"create {name} {kind}{options}", *(f"add {name} {e}{n}" for e, n in elements.items())]
    return SetSpec(name, kind, tuple(lines))


def _part(draw: Random, pool: Pool, links: list[str], part: str, kind: str) -> str:
    match part:
        case "ip" if kind.startswith("bitmap:ip"):
            return draw.choice((*pool.hosts(1), *pool.own(1)))
        case "ip":
            return pool.any(draw)
        case "net":
            return pool.prefix(draw, shortest=1)
        case "port" if kind == "bitmap:port":
            return str(draw.choice(PORTS))
        case "port":
            icmp = "icmpv6:128/0" if pool.family == "ip6" else "icmp:8/0"
            port = draw.choice(PORTS)
            return draw.choice((f"tcp:{port}", f"tcp:{port}", f"udp:{port}", icmp))
        case "iface":
            return draw.choice(links)
        case "mac":
            return mac_of(draw.choice(pool.all_hosts())) if draw.random() < 0.7 else f"{MAC}99"
        case _:
            raise AssertionError(part)
