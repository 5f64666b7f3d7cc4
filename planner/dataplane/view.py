"""A node's state as a packet meets it: links, values, tables, routes and sets, each built when first asked for."""

from functools import cached_property, lru_cache

from planner.dataplane.fib import Fib
from planner.dataplane.gaps import Known, rules
from planner.dataplane.hooks import Hook
from planner.dataplane.ipset import Compiled, compile_set
from planner.dataplane.native import Native
from planner.dataplane.order import NATIVE, Group, Player, groups
from planner.dataplane.rules import RuleTable, uses_conntrack
from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.route import NextHopObject
from planner.models.ruleset import Table
from planner.sysctls.names import ALL, conf
from planner.sysctls.numbers import number

BACKENDS = ("nft", "legacy")


class View:
    """One node."""

    def __init__(self, state: NodeState) -> None:
        self.state = state
        self._fibs: dict[str, Fib] = {}
        self._tables: dict[tuple[str, str, str], RuleTable | None] = {}
        self._tracked: dict[str, bool] = {}
        self._groups: dict[tuple[str, Hook, str], tuple[Group, ...]] = {}

    @cached_property
    def links(self) -> dict[str, Link]:
        """By name."""
        return {link.name: link for link in self.state.links}

    @cached_property
    def sets(self) -> dict[str, Compiled]:
        """Ipsets by name."""
        return {item.name: compile_set(item) for item in self.state.ipsets}

    @cached_property
    def nexthops(self) -> dict[int, NextHopObject]:
        """Nexthop objects by number."""
        return {item.id: item for item in self.state.nexthop_objects}

    @cached_property
    def native(self) -> Native:
        """Chains of nft that iptables does not manage."""
        return Native(self.state.native)

    def fib(self, family: str) -> Fib:
        """Policy rules and routes of one family."""
        if family not in self._fibs:
            self._fibs[family] = Fib(self.state, family)
        return self._fibs[family]

    def table(self, family: str, backend: str, name: str) -> RuleTable | None:
        """One table; None when it does not exist."""
        key = family, backend, name
        if key not in self._tables:
            ruleset = self.state.ruleset(family, backend)
            found = ruleset.tables.get(name) if ruleset else None
            self._tables[key] = RuleTable(family, backend, found) if found else None
        return self._tables[key]

    def groups(self, family: str, hook: Hook, name: str) -> tuple[Group, ...]:
        """The chains that are asked when a table's turn comes at a hook."""
        key = family, hook, name
        if key not in self._groups:
            held = [
                (backend, ruleset.tables[name])
                for backend in BACKENDS
                if (ruleset := self.state.ruleset(family, backend)) is not None and name in ruleset.tables
            ]

            def idle(player: Player) -> bool:
                hole = rules(player.backend, family, name, player.chain)
                return player.idle and not self.missing(hole)

            self._groups[key] = groups(hook, name, held, self.native.attached(family), idle)
        return self._groups[key]

    def native_table(self, family: str, table: Table) -> RuleTable:
        """A table of nft, ready for a walk."""
        key = family, NATIVE, table.name
        found = self._tables.get(key)
        if found is None:
            found = self._tables[key] = RuleTable(family, NATIVE, table)
        return found

    def tracked(self, family: str) -> bool:
        """Whether conntrack is in use for the family: without anybody who asks for it, nat is inert."""
        # nf_conntrack_proto.c, nf_ct_netns_do_get: hooks are registered for a family with its first user.
        if family not in self._tracked:
            self._tracked[family] = self.native.tracks(family) or any(
                uses_conntrack(ruleset) for ruleset in self.state.rulesets if ruleset.family == family
            )
        return self._tracked[family]

    def value(self, key: str) -> int | None:
        """A sysctl's number; None when the state does not hold it."""
        return number(self.state.sysctls.get(key))

    def both(self, knob: str, link: str, *, family: str = "ipv4") -> tuple[int | None, int | None]:
        """The value for all links, and the link's own: (include/linux/inetdevice.h, IN_DEV_MAXCONF, IN_DEV_ORCONF)."""
        return self.value(conf(family, ALL, knob)), self.value(conf(family, link, knob))

    def forwards_broadcasts(self, link: str) -> bool:
        """Whether broadcasts of its networks may be forwarded: for all and for the link (inetdevice.h, IN_DEV_BFORWARD).

        A kernel before 5.0 has no such key, and the key is 0 where nobody wrote it: where it is absent they are not.
        """
        return all(self.both("bc_forwarding", link))

    def missing(self, section: str) -> str:
        """Why a section, or what it is a part of, is not known; empty when it is."""
        return self._known.missing(section)

    @cached_property
    def _known(self) -> Known:
        return Known(self.state.gaps)

    @cached_property
    def kernel(self) -> tuple[int, int]:
        """Major and minor number; those of a new kernel when not known."""
        words = self.state.kernel.split(".")
        try:
            return int(words[0]), int(words[1].split("-")[0])
        except (ValueError, IndexError):
            return 99, 0

    @cached_property
    def zero_network(self) -> int:
        """Length of the prefix of 0 that is no host's: since Linux 5.3 the address alone (include/linux/in.h, ipv4_is_zeronet)."""
        return 32 if self.kernel >= (5, 3) else 8


class _Same:
    """A state by identity: it is frozen, and too large to compare."""

    def __init__(self, state: NodeState) -> None:
        self.state = state

    def __hash__(self) -> int:
        return id(self.state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.state is self.state


def view_of(state: NodeState) -> View:
    """The view of a state; the last few are kept."""
    return _view(_Same(state))


@lru_cache(maxsize=16)
def _view(same: _Same) -> View:
    return View(same.state)
