"""What a node's packet filter holds, as the text its own tools print."""

from typing import Literal

from planner.models.noun import Noun

Family = Literal["ip", "ip6"]
Backend = Literal["nft", "legacy"]
TABLES = ("raw", "mangle", "nat", "filter", "security")


class Table(Noun):
    """One table: every chain with its rules as canonical lines. A rule is kept as text; meaning is derived."""

    name: str
    policies: dict[str, str] = {}
    """Chain policy of each base chain, in printed order: {"INPUT": "ACCEPT"}."""
    chains: dict[str, tuple[str, ...]] = {}
    """Every chain, base chains too, in printed order. A rule is what follows `-A CHAIN `, without counters."""


class Ruleset(Noun):
    """All tables of one family in one backend."""

    family: Family
    backend: Backend
    tables: dict[str, Table] = {}
    tool: str = ""
    """The program and version that printed it: `iptables-nft-save v1.8.9 (nf_tables)`."""

    @property
    def size(self) -> int:
        """Number of rules."""
        return sum(len(rules) for table in self.tables.values() for rules in table.chains.values())


class NativeRuleset(Noun):
    """nft tables that no rule set above tells: native ones, and those of which iptables-nft does not print everything.

    A table that iptables-nft prints exactly, as nft confirms, is kept as a `Ruleset` only.
    """

    json_text: str = ""
    """`nft -j list ruleset`, to analyse."""
    text: str = ""
    """`nft list ruleset`, to replay: the JSON form cannot be loaded again in every case."""
    tool: str = ""


class IpSet(Noun):
    """One ipset, as `ipset save` prints it."""

    name: str
    type: str
    """`hash:ip`, `bitmap:port`, `list:set` …"""
    options: str = ""
    """The rest of the create line: `family inet hashsize 1024 maxelem 65536`, without volatile values."""
    elements: tuple[str, ...] = ()
    """What follows `add NAME `, sorted, without counters and remaining times."""
