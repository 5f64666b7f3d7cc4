"""The few addresses, ports and marks that random states and random flows both draw from, so that they meet."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from random import Random

PORTS = (22, 53, 80, 443, 8080, 30080)
MARKS = (0x1, 0x2, 0x3, 0x10, 0x4000)
MASKS = (0xFFFFFFFF, 0xF, 0x1, 0x4000, 0xFF00)
TABLES = ("100", "101")
USERS = (0, 1000, 1001)
TOS = (0x10, 0x08, 0xB8)
MAC = "52:54:00:00:01:"


@dataclass(frozen=True, slots=True)
class Pool:
    """Addresses of one family around a node with some links."""

    family: str
    links: int

    @property
    def bits(self) -> int:
        return 128 if self.family == "ip6" else 32

    def on(self, link: int, host: int, net: int = 0) -> str:
        """An address on a link, counted from 1."""
        return (
            str(ip_address(f"fd00:{link}:{net}::{host:x}"))
            if self.family == "ip6"
            else f"10.{link}.{net}.{host}"
        )

    def own(self, link: int) -> tuple[str, str, str]:
        """Primary, secondary of the same prefix, and one of another prefix."""
        return self.on(link, 1), self.on(link, 2), self.on(link, 1, 9)

    def length(self) -> int:
        return 64 if self.family == "ip6" else 24

    def network(self, link: int, net: int = 0) -> str:
        """The prefix on a link."""
        return str(ip_interface(f"{self.on(link, 1, net)}/{self.length()}").network)

    def gateway(self, link: int, number: int = 0) -> str:
        return self.on(link, 254 - number)

    def hosts(self, link: int) -> tuple[str, ...]:
        return tuple(self.on(link, host) for host in (5, 6, 7, 20))

    @property
    def remotes(self) -> tuple[str, ...]:
        if self.family == "ip6":
            return "2001:db8:1::5", "2001:db8:2::5", "2001:db8:2:1::7", "2001:db8:100::9", "2001:db8:f::77"
        return "172.16.1.5", "172.16.2.5", "192.0.2.7", "198.51.100.9", "203.0.113.77"

    @property
    def virtual(self) -> tuple[str, ...]:
        return tuple(self.on(96, host) for host in (1, 2))

    @property
    def loopback(self) -> str:
        return "::1" if self.family == "ip6" else "127.0.0.1"

    def all_own(self) -> tuple[str, ...]:
        return tuple(a for link in range(1, self.links + 1) for a in self.own(link))

    def all_hosts(self) -> tuple[str, ...]:
        return tuple(a for link in range(1, self.links + 1) for a in self.hosts(link))

    def any(self, draw: Random) -> str:
        """Any address that something may be about."""
        groups = self.remotes, self.all_hosts(), self.all_own(), self.virtual
        return draw.choice(draw.choices(groups, (4, 4, 2, 2))[0])

    def prefix(self, draw: Random, *, shortest: int = 0) -> str:
        """A prefix around such an address."""
        whole = self.bits
        lengths = [
            n for n in (whole, whole, whole - 2, whole - 4, whole * 3 // 4, whole // 2, 0) if n >= shortest
        ]
        return str(ip_interface(f"{self.any(draw)}/{draw.choice(lengths)}").network)

    def span(self, draw: Random) -> tuple[str, str]:
        """First and last address of a range."""
        network = ip_network(self.prefix(draw, shortest=self.bits // 2))
        first = network[0] + draw.randrange(4)
        return str(first), str(max(first, network[-1] - draw.randrange(4)))
