"""What somebody else may do to a node between a change and its way back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from planner.models.change import Change, IpSetChange, RouteChange, RuleChange, SysctlChange
from planner.models.node import NodeState

ELSEWHERE = (
    ("ip", "route", "add", "blackhole", "198.51.100.77/32", "table", "30777"),
    ("ip", "rule", "add", "from", "198.51.100.77/32", "lookup", "30777", "pref", "30777"),
)
"""An address of documentation (RFC 5737), and a table that nobody uses: beside every change."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something that somebody else does to what the change has set."""

    words: str
    argv: tuple[str, ...]


def on_the_same(changes: Iterable[Change], found: NodeState) -> Foreign | None:
    """A change of something that the plan has set, to what it neither was before nor is now. None where no kind of it fits."""
    offers = [offer for change in changes for offer in _offers(change, found)]
    return min(offers, key=lambda offer: offer[0])[1] if offers else None


def _offers(change: Change, found: NodeState) -> Iterator[tuple[int, Foreign]]:
    """Ranked: what can be made foreign in most ways comes first."""
    match change:
        case RuleChange(chain=chain, table=table, family=family, backend=backend):
            program = f"{'ip6tables' if family == 'ip6' else 'iptables'}-{backend}"
            rules = found.ruleset(family, backend)
            if rules is not None and table in rules.tables and chain in rules.tables[table].chains:
                rule = ("-m", "comment", "--comment", "somebody else")
                yield (
                    0,
                    Foreign(
                        f"a rule more in {chain} of table {table}",
                        (program, "-w", "10", "-t", table, "-I", chain, *rule),
                    ),
                )
        case IpSetChange(name=name, before=before, after=after) if after == before and after is not None:
            if after.startswith("hash:ip ") and "inet6" not in after:
                yield 1, Foreign(f"an element more in ipset {name}", ("ipset", "add", name, "198.51.100.78"))
        case SysctlChange(key=key, before=before, after=after):
            for value in ("2", "1", "0", "3", "7", "64", "512"):
                if value not in {before, after} and (before or "").isdigit() and value != "0":
                    yield 3, Foreign(f"{key} written to {value}", ("sysctl", "-w", f"{key}={value}"))
        case RouteChange(before=former, after=route) if (
            route is not None
            and route.family == "ip"
            and route.protocol != "kernel"
            # Where only the nexthop object behind it has changed, the plan has not set the route.
            and (former is None or route.nexthop_id is None or former.nexthop_id != route.nexthop_id)
        ):
            words = ["ip", "route", "replace", "blackhole", route.prefix, "table", route.table]
            words += ["metric", str(route.metric)] if route.metric else []
            words += ["tos", route.tos] if route.tos != "0" else []
            yield 2, Foreign(f"the route to {route.prefix} replaced", tuple(words))
        case _:
            return
