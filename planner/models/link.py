"""Links as iproute2 names them, with what hangs on them: addresses, neighbours, forwarding entries."""

from planner.models.noun import Noun


class Address(Noun):
    """One address of a link."""

    address: str
    """Without length: `10.0.0.5`."""
    length: int
    scope: str = "global"
    secondary: bool = False
    peer: str = ""
    broadcast: str = ""
    """Broadcast address where one was given (`brd`); the kernel keeps a route for it."""
    label: str = ""
    """IPv4 only, and empty where it is the link's own name."""
    dynamic: bool = False
    """Leased or from router advertisement: comes back by itself or not at all."""
    noprefixroute: bool = False
    metric: int | None = None
    deprecated: bool = False

    @property
    def family(self) -> str:
        """`ip` or `ip6`."""
        return "ip6" if ":" in self.address else "ip"

    @property
    def prefix(self) -> str:
        """`10.0.0.5/24`."""
        return f"{self.address}/{self.length}"


class Link(Noun):
    """One network interface."""

    name: str
    index: int = 0
    kind: str = ""
    """`info_kind` of iproute2: veth, bridge, vxlan, ipip, wireguard; empty for a physical device; `loopback` for lo."""
    mtu: int = 1500
    mac: str = ""
    up: bool = True
    """Administratively up (flag UP)."""
    carrier: bool = True
    operstate: str = "UNKNOWN"
    """Volatile; never compared."""
    master: str = ""
    """Bridge, bond or VRF that it belongs to."""
    lower: str = ""
    """The link below it (vlan, vxlan, macvlan), or empty."""
    peer_elsewhere: bool = False
    """A veth whose other end is in another network namespace: a pod's."""
    group: str = "default"
    alias: str = ""
    txqueuelen: int | None = None
    altnames: tuple[str, ...] = ()
    options: dict[str, str] = {}
    """What its kind adds, as iproute2 prints it: vxlan `id`, `port`, `local`; bridge `stp_state`; port `hairpin`."""
    addresses: tuple[Address, ...] = ()
    """In the kernel's order: the first of an IPv4 subnet is the primary."""
    xdp: bool = False
    """An XDP program is attached: packets may never reach the stack."""


class Neighbour(Noun):
    """One entry of the neighbour table."""

    address: str
    link: str
    mac: str = ""
    permanent: bool = False
    state: str = ""
    """Volatile; never compared."""
    proxy: bool = False


class ForwardingEntry(Noun):
    """One entry of a bridge's or vxlan device's forwarding database (FDB)."""

    mac: str
    link: str
    destination: str = ""
    """Remote VTEP of a vxlan entry."""
    permanent: bool = False
    master: str = ""
    vlan: int | None = None
