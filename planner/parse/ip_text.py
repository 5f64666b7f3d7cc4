"""What `ip` prints as text, as found in support archives: routes, policy rules, neighbours; links are in `ip_text_links`."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from planner.models.link import Neighbour
from planner.models.route import MAIN, PolicyRule, Route
from planner.models.source import Gap
from planner.parse.ip_names import NotUnderstoodError, address_text
from planner.parse.ip_text_links import parse_links
from planner.parse.ip_words import parse_route_words, parse_rule_words

__all__ = [
    "lost_in_json",
    "parse_links",
    "parse_neighbours",
    "parse_policy_rules",
    "parse_route_words",
    "parse_routes",
    "parse_rule_words",
]

NEIGHBOUR_STATES = frozenset(
    {"PERMANENT", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "INCOMPLETE", "NOARP", "NONE"}
)


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """A route with several next hops goes on in indented lines; with `-o` they follow a backslash."""
    held = ""
    for line in lines:
        line = line.replace("\\", " ")  # noqa: PLW2901
        if line.lstrip().startswith("nh_info"):
            continue  # `-d` explains the nexthop object; the next hops follow anyway.
        if line[:1].isspace() and held and line.strip().startswith("nexthop"):
            held = f"{held} {line.strip()}"
            continue
        if held:
            yield held
        held = line.strip()
    if held:
        yield held


def _gap(section: str, line: str, error: Exception) -> Gap:
    return Gap(section=section, reason=f"a line could not be read ({error}): {line[:160]}")


def parse_routes(
    text: str, family: str, *, table: str = MAIN, tables: Mapping[str, str] | None = None
) -> tuple[tuple[Route, ...], tuple[Gap, ...]]:
    """`ip [-6] route show [table all]`; `table` is that of lines that name none, `tables` the host's own names."""
    section = f"routes/{family}"
    routes: list[Route] = []
    gaps: list[Gap] = []
    named: set[str] = set()
    for line in _joined(text.splitlines()):
        words = line.split()
        if not words or "cache" in words:
            continue
        try:
            route = parse_route_words(words, family, tables=tables)
        except (NotUnderstoodError, ValueError) as error:
            if not _of_other_family(words, family):
                gaps.append(_gap(section, line, error))
            continue
        routes.append(route.model_copy(update=_unsaid(route, words, table)))
        if not route.table.isdecimal() and route.table not in named:
            named.add(route.table)
            gaps.append(
                Gap(
                    section=section,
                    reason=f"table `{route.table}` is a name of the host's own, its number is not known",
                )
            )
    return tuple(routes), tuple(gaps)


def _of_other_family(words: list[str], family: str) -> bool:
    """`ip route show table all` without a family prints IPv6 tables after the IPv4 ones."""
    try:
        parse_route_words(words, "ip" if family == "ip6" else "ip6")
    except ValueError:
        return False
    return True


def _unsaid(route: Route, words: list[str], table: str) -> dict[str, str]:
    """What iproute2 leaves out without `-d`: scope global, protocol boot (ip/iproute.c, print_route)."""
    update: dict[str, str] = {}
    if not route.scope and route.family == "ip":
        update["scope"] = "global"
    if not route.protocol:
        update["protocol"] = "boot"
    if "table" not in words:
        update["table"] = table
    return update


def parse_policy_rules(
    text: str, family: str, *, tables: Mapping[str, str] | None = None
) -> tuple[tuple[PolicyRule, ...], tuple[Gap, ...]]:
    """`ip [-6] rule`."""
    section = f"policy_rules/{family}"
    rules: list[PolicyRule] = []
    gaps: list[Gap] = []
    for line in text.splitlines():
        number, colon, rest = line.strip().partition(":")
        if not line.strip():
            continue
        try:
            if not colon or not number.isdecimal():
                raise NotUnderstoodError("no preference")
            rules.append(parse_rule_words(rest.split(), family, preference=int(number), tables=tables))
        except ValueError as error:
            gaps.append(_gap(section, line.strip(), error))
    return tuple(rules), tuple(gaps)


def parse_neighbours(text: str, *, proxy_text: str = "") -> tuple[tuple[Neighbour, ...], tuple[Gap, ...]]:
    """`ip neigh` and, apart, `ip neigh show proxy`."""
    entries: list[Neighbour] = []
    gaps: list[Gap] = []
    for line, proxy in [(line, False) for line in text.splitlines()] + [
        (line, True) for line in proxy_text.splitlines()
    ]:
        words = line.split()
        if not words:
            continue
        try:
            entries.append(_neighbour(words, proxy=proxy))
        except ValueError as error:
            gaps.append(_gap("neighbours", line.strip(), error))
    return tuple(entries), tuple(gaps)


def _neighbour(words: list[str], *, proxy: bool) -> Neighbour:
    address = address_text(words[0])
    after = dict(pairwise(words))
    states = [word for word in words[1:] if word in NEIGHBOUR_STATES]
    if "dev" not in after:
        raise NotUnderstoodError("no link")
    return Neighbour(
        address=address,
        link=after["dev"],
        mac=after.get("lladdr", ""),
        permanent="PERMANENT" in states,
        state=",".join(states),
        proxy=proxy or "proxy" in words[3:],
    )


def lost_in_json(routes_text: str, routes: tuple[Route, ...]) -> tuple[tuple[Route, ...], tuple[Gap, ...]]:
    """The routes read from JSON, with what only the text shows of them: locked metrics.

    `mtu lock` and its like are missing in the JSON of iproute2 5.10, 6.1 and 6.15 (measured). A route that the text
    alone has is a gap: the two were not printed of the same state.
    """
    if not routes:
        return routes, ()
    family = routes[0].family
    shown, gaps = parse_routes(routes_text, family)
    locks = {_key(route): route.options["lock"] for route in shown if "lock" in route.options}
    fixed = tuple(
        route.model_copy(update={"options": {**route.options, "lock": locks[_key(route)]}})
        if _key(route) in locks
        else route
        for route in routes
    )
    known = {_key(route) for route in routes}
    missing = sorted(route.prefix for route in shown if _key(route) not in known)
    if missing:
        gaps = (
            *gaps,
            Gap(
                section=f"routes/{family}",
                reason=f"only the text names the routes to {', '.join(missing[:5])}",
            ),
        )
    return fixed, gaps


def _key(route: Route) -> tuple[str, str, str, str, int, tuple[str, ...]]:
    hops = tuple(f"{hop.via} {hop.link}" for hop in route.nexthops)
    return route.table, route.prefix, route.type, route.tos, route.metric, hops
