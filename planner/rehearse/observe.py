"""Parts of a stage's state, read with the collector's commands and readers: for rebuilding, where all of it would take too long."""

from collections.abc import Iterable

from planner.collect.sections import SECTIONS
from planner.models.link import Link
from planner.models.route import PolicyRule, Route
from planner.models.section import Section
from planner.parse.node_routing import read_links, read_policy_rules, read_routes
from planner.parse.sections import Sections
from planner.parse.sysctl import parse_sysctl_values
from planner.rehearse.namespaces import Namespaces

DEADLINE = 120.0
TREE = "/proc/sys/net"
FAMILIES = (("ip", "4"), ("ip6", "6"))


def _sections(namespaces: Namespaces, names: Iterable[str]) -> Sections:
    """The sections of these names, each by the first command that the collector would try."""
    commands = {one.name: one.command for one in reversed(SECTIONS)}
    found: list[Section] = []
    for name in names:
        done = namespaces.run(commands[name].split(), b"", {}, DEADLINE)
        found.append(Section(name=name, argv=commands[name], text=done.stdout, status=done.status))
    return Sections(found)


def links(namespaces: Namespaces) -> tuple[Link, ...]:
    """Links with their addresses."""
    return read_links(_sections(namespaces, ["ip/addr"]))


def addresses(namespaces: Namespaces) -> str:
    """What `ip` prints of links and addresses, in JSON."""
    return _sections(namespaces, ["ip/addr"]).text("ip/addr", "links") or ""


def routes(namespaces: Namespaces) -> tuple[Route, ...]:
    """Routes of all tables."""
    names = [f"ip/route{digit}{kind}" for _, digit in FAMILIES for kind in ("", "-text")]
    found = _sections(namespaces, names)
    return tuple(route for family, digit in FAMILIES for route in read_routes(found, family, digit))


def policy_rules(namespaces: Namespaces) -> tuple[PolicyRule, ...]:
    """Policy rules of both families."""
    found = _sections(namespaces, ["ip/rule4", "ip/rule6"])
    return tuple(rule for family, digit in FAMILIES for rule in read_policy_rules(found, family, digit))


def sysctls(namespaces: Namespaces) -> dict[str, str]:
    """Running values of the network."""
    values, _ = parse_sysctl_values(namespaces.values([TREE]))
    return values
