"""Routes, next hops and policy rules."""

from planner.models.noun import Noun

MAIN, LOCAL, DEFAULT = "254", "255", "253"


class NextHop(Noun):
    """One way a route may take."""

    via: str = ""
    """Gateway address, or empty when the destination is on the link."""
    via_family: str = ""
    """`ip` or `ip6` where it differs from the route's."""
    link: str = ""
    weight: int = 1
    onlink: bool = False
    encap: str = ""
    """Encapsulation as iproute2 prints it, empty for none."""


class Route(Noun):
    """One route of one table."""

    family: str
    """`ip` or `ip6`."""
    table: str = MAIN
    """Number as text: names come from the host's files and mean nothing elsewhere."""
    prefix: str
    """`10.244.1.0/24`, `0.0.0.0/0`, `::/0`: always address and length."""
    type: str = "unicast"
    tos: str = "0"
    metric: int = 0
    protocol: str = ""
    scope: str = ""
    source: str = ""
    """Preferred source address."""
    nexthops: tuple[NextHop, ...] = ()
    nexthop_id: int | None = None
    mtu: int | None = None
    advmss: int | None = None
    expires: bool = False
    """Has a lifetime (router advertisement): volatile, and gone if nobody renews it."""
    options: dict[str, str] = {}
    """Other attributes as iproute2 prints them."""

    @property
    def is_default(self) -> bool:
        """Matches every destination."""
        return self.prefix in {"0.0.0.0/0", "::/0"}


class NextHopObject(Noun):
    """A nexthop object (`ip nexthop`)."""

    id: int
    family: str = ""
    hop: NextHop = NextHop()
    group: tuple[tuple[int, int], ...] = ()
    """Members as (id, weight)."""
    blackhole: bool = False
    protocol: str = ""


class PolicyRule(Noun):
    """One rule of the routing policy database (`ip rule`)."""

    family: str
    preference: int
    source: str = ""
    """`from` prefix; empty for all."""
    destination: str = ""
    iif: str = ""
    oif: str = ""
    fwmark: str = ""
    """`0x80` or `0x80/0x80`."""
    tos: str = ""
    ipproto: str = ""
    sport: str = ""
    dport: str = ""
    uidrange: str = ""
    inverted: bool = False
    action: str = "lookup"
    """lookup, blackhole, unreachable, prohibit, goto, nop."""
    table: str = ""
    """Number as text, when the action is lookup."""
    goto: int | None = None
    suppress_prefixlength: int | None = None
    suppress_ifgroup: str = ""
    protocol: str = ""
    options: dict[str, str] = {}
