"""Which parts of a state decide about packets, by the names under which readers say that a part is not known."""

from collections.abc import Iterable

from planner.models.source import Gap

BRIDGE = "sysctl/net.bridge"
LINKS, NEXTHOPS, SETS, NATIVE, SYSCTLS = "links", "nexthop_objects", "ipset", "nft", "sysctl"


def routes(family: str) -> str:
    """Routes of one family (parse/node_routing.py)."""
    return f"routes/{family}"


def policy_rules(family: str) -> str:
    """Policy rules of one family (parse/node_routing.py)."""
    return f"policy_rules/{family}"


def rules(backend: str, family: str, table: str = "", chain: str = "") -> str:
    """iptables, or one table or chain of it (parse/iptables_save.py, parse/agreement.py)."""
    return "/".join(part for part in ("iptables", backend, family, table, chain) if part)


def deciding(family: str) -> tuple[str, ...]:
    """Everything that decides about packets of a family."""
    return (
        LINKS, routes(family), policy_rules(family), NEXTHOPS, SETS, f"sysctl/net.ipv{4 if family == 'ip' else 6}.conf",
        BRIDGE, rules("nft", family), rules("legacy", family), NATIVE,
    )  # fmt: skip


class Known:
    """The gaps of a state, by section."""

    def __init__(self, gaps: Iterable[Gap]) -> None:
        self._gaps: dict[str, Gap] = {}
        for gap in gaps:
            self._gaps.setdefault(gap.section, gap)

    def missing(self, section: str) -> str:
        """Why a section, or what it is a part of, is not known; empty when it is."""
        if not self._gaps:
            return ""
        whole = ""
        for part in section.split("/"):
            whole = f"{whole}/{part}" if whole else part
            if whole in self._gaps:
                return str(self._gaps[whole])
        return ""
