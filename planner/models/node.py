"""Everything recorded of one node."""

from planner.models.link import ForwardingEntry, Link, Neighbour
from planner.models.noun import Noun
from planner.models.route import NextHopObject, PolicyRule, Route
from planner.models.ruleset import IpSet, NativeRuleset, Ruleset
from planner.models.source import Gap

MASK = "<masked>"
"""What stands in a recorded text in the place of a secret."""


class ConfigFile(Noun):
    """One persisted file that matters to the network."""

    text: str = ""
    link_to: str = ""
    """Target when it is a symbolic link; `/dev/null` masks a sysctl.d file."""
    mode: str = ""
    """`0644`, empty when not known."""


class Conntrack(Noun):
    """Figures of connection tracking."""

    count: int | None = None
    maximum: int | None = None
    buckets: int | None = None
    insert_failed: int | None = None
    early_drop: int | None = None
    drop: int | None = None


class Listener(Noun):
    """A socket that waits for packets on the host."""

    protocol: str
    """tcp or udp."""
    address: str
    """`0.0.0.0`, `::`, `127.0.0.1`, `*`."""
    port: int
    process: str = ""


class Volatile(Noun):
    """Facts that move by themselves: kept for capacity and context, never compared."""

    conntrack: Conntrack = Conntrack()
    listeners: tuple[Listener, ...] = ()
    sockets: dict[str, int] = {}
    """Counts from /proc/net/sockstat: {"tcp_inuse": 310, "tcp_mem": 88, "udp_inuse": 12 …}."""
    neighbour_count: dict[str, int] = {}
    """Entries of all states by family, as the kernel counts them: {"ip": 120, "ip6": 14}."""
    cpus: int | None = None
    memory_kib: int | None = None
    boot_id: str = ""
    uptime_seconds: int | None = None
    extra: dict[str, str] = {}


_ByName = tuple[tuple[Link, ...], dict[str, Link]]


class NodeState(Noun):
    """One node at one time. `gaps` says what is not known; an empty field without a gap is really empty."""

    name: str
    kernel: str = ""
    """`uname -r`."""
    os: str = ""
    """PRETTY_NAME of os-release."""
    tools: dict[str, str] = {}
    """Versions of what printed the state and of kubelet and runtime: {"iptables-nft": "v1.8.9 (nf_tables)"}."""
    iptables_default: str = ""
    """Backend that plain `iptables` means here: nft, legacy or empty when unknown."""
    sysctls: dict[str, str] = {}
    """Running values. Keys as `sysctl -a` prints them (`net.ipv4.conf.eth0/100.rp_filter`); white space folded to one blank."""
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    policy_rules: tuple[PolicyRule, ...] = ()
    nexthop_objects: tuple[NextHopObject, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    fdb: tuple[ForwardingEntry, ...] = ()
    rulesets: tuple[Ruleset, ...] = ()
    native: NativeRuleset = NativeRuleset()
    ipsets: tuple[IpSet, ...] = ()
    files: dict[str, ConfigFile] = {}
    """Persisted files by absolute path, as the programs that read them act on them (see `Horizon`)."""
    modules: tuple[str, ...] = ()
    """Loaded kernel modules; empty with a gap `modules` when not known, empty without when the kernel has none."""
    volatile: Volatile = Volatile()
    gaps: tuple[Gap, ...] = ()

    def link(self, name: str) -> Link | None:
        """The link of that name."""
        # As a cached property of pydantic's: beside the fields, so that comparing and writing pass it by. A copy with other
        # links has it too, and is told by the links that it was made of.
        known: _ByName | None = self.__dict__.get("_links_by_name")
        if known is None or known[0] is not self.links:
            known = self.links, {link.name: link for link in reversed(self.links)}
            self.__dict__["_links_by_name"] = known
        return known[1].get(name)

    def ruleset(self, family: str, backend: str) -> Ruleset | None:
        """The rules of one family in one backend."""
        return next((r for r in self.rulesets if r.family == family and r.backend == backend), None)

    def gap(self, section: str) -> Gap | None:
        """Why `section`, or a part of it, or what it is a part of, is not known; None when it is known."""
        for gap in self.gaps:
            if (
                gap.section == section
                or gap.section.startswith(section + "/")
                or section.startswith(gap.section + "/")
            ):
                return gap
        return None
