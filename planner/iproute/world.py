"""A node state under change: what a command and the kernel do to it, each difference told as an effect."""

from collections.abc import Callable, Iterable

from planner.models.change import Cause
from planner.models.link import ForwardingEntry, Link, Neighbour
from planner.models.node import NodeState
from planner.models.proposal import Effect
from planner.models.route import NextHopObject, PolicyRule, Route
from planner.models.source import Gap, Source


class RefusedError(Exception):
    """The real command would fail; the message is what it would say."""


class NotModelledError(Exception):
    """The command does something that is not modelled; the message says what."""


class World:
    """A working copy of a state. Methods that change it record an effect; `state` freezes it again."""

    def __init__(self, state: NodeState, source: Source) -> None:
        self.before = state
        self.source = source
        self.sysctls = dict(state.sysctls)
        self.links = list(state.links)
        self.routes = list(state.routes)
        self.rules = list(state.policy_rules)
        self.nexthops = list(state.nexthop_objects)
        self.neighbours = list(state.neighbours)
        self.fdb = list(state.fdb)
        self.effects: list[Effect] = []
        self.gaps: list[Gap] = []

    def state(self) -> NodeState:
        """The state as it is now."""
        return self.before.model_copy(
            update={
                "sysctls": self.sysctls,
                "links": tuple(self.links),
                "routes": tuple(self.routes),
                "policy_rules": tuple(self.rules),
                "nexthop_objects": tuple(self.nexthops),
                "neighbours": tuple(self.neighbours),
                "fdb": tuple(self.fdb),
            }
        )

    def tell(self, what: str, because: str = "", *, cause: Cause | None = None) -> None:
        """Record an effect: proposed when it needs no reason, of the kernel when it has one."""
        self.effects.append(
            Effect(
                what=what,
                cause=cause or (Cause.KERNEL if because else Cause.PROPOSED),
                source=self.source,
                because=because,
            )
        )

    def gap(self, section: str, reason: str) -> None:
        """Record what the state may differ in from the real one."""
        self.gaps.append(Gap(section=section, reason=reason, source=self.source))

    def link(self, name: str) -> Link | None:
        """The link of that name or alternative name."""
        for link in self.links:
            if name == link.name or name in link.altnames:
                return link
        return None

    def need_link(self, name: str) -> Link:
        """The link of that name; its absence is what `ip` says."""
        link = self.link(name)
        if link is None:
            raise RefusedError(f'Cannot find device "{name}"')
        return link

    def put_link(self, link: Link, field: str, because: str = "", *, cause: Cause | None = None) -> Link:
        """Replace the link of the same name, where one field differs."""
        at = next(at for at, other in enumerate(self.links) if other.name == link.name)
        if self.links[at] != link:
            self.links[at] = link
            if field:
                self.tell(f"link/{link.name}/{field}", because, cause=cause)
        return link

    def set_sysctl(self, key: str, value: str, because: str) -> None:
        """Set a running value."""
        if self.sysctls.get(key) != value:
            self.sysctls[key] = value
            self.tell(f"sysctl/{key}", because)

    def drop_sysctls(self, prefixes: Iterable[str], because: str) -> None:
        """Remove the keys below the prefixes."""
        starts = tuple(prefixes)
        for key in sorted(key for key in self.sysctls if key.startswith(starts)):
            del self.sysctls[key]
            self.tell(f"sysctl/{key}", because)

    def add_route(self, route: Route, because: str = "", *, at: int | None = None) -> None:
        """Add a route at its place."""
        self.routes.insert(len(self.routes) if at is None else at, route)
        self.tell(route_name(route), because)

    def drop_routes(self, wanted: Callable[[Route], bool], because: str = "") -> None:
        """Remove every route for which `wanted` holds."""
        kept: list[Route] = []
        for route in self.routes:
            if wanted(route):
                self.tell(route_name(route), because)
            else:
                kept.append(route)
        self.routes = kept

    def replace_route(self, old: Route, new: Route, because: str = "") -> None:
        """Put another route in the place of one."""
        at = next(at for at, route in enumerate(self.routes) if route is old)
        if old != new:
            self.routes[at] = new
            self.tell(route_name(new), because)

    def drop_neighbours(self, wanted: Callable[[Neighbour], bool], because: str = "") -> None:
        """Remove neighbour entries."""
        kept: list[Neighbour] = []
        for entry in self.neighbours:
            if wanted(entry):
                self.tell(f"neighbour/{entry.link}/{entry.address}", because)
            else:
                kept.append(entry)
        self.neighbours = kept

    def drop_fdb(self, wanted: Callable[[ForwardingEntry], bool], because: str = "") -> None:
        """Remove forwarding entries."""
        kept: list[ForwardingEntry] = []
        for entry in self.fdb:
            if wanted(entry):
                self.tell(f"fdb/{entry.link}/{entry.mac}", because)
            else:
                kept.append(entry)
        self.fdb = kept

    def nexthop(self, number: int) -> NextHopObject | None:
        """The nexthop object of that id."""
        return next((item for item in self.nexthops if item.id == number), None)


def route_name(route: Route) -> str:
    """As effects name a route: `route/ip/254/10.0.0.0/24`."""
    return f"route/{route.family}/{route.table}/{route.prefix}"


def rule_name(rule: PolicyRule) -> str:
    """As effects name a policy rule."""
    return f"policy-rule/{rule.family}/{rule.preference}"


def sysctl_name(link: str) -> str:
    """A link's name inside a sysctl key: `sysctl -a` prints a dot of the name as a slash."""
    return link.replace(".", "/")
