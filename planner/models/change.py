"""One difference of one thing, typed. The union `Change` is closed: handle it with `match` and `assert_never`."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from planner.models.horizon import Horizon
from planner.models.link import ForwardingEntry, Link, Neighbour
from planner.models.noun import Noun
from planner.models.route import NextHopObject, PolicyRule, Route
from planner.models.source import Source


class Cause(StrEnum):
    """Why a value differs."""

    PROPOSED = "proposed"
    """The proposal says so."""
    KERNEL = "kernel"
    """The kernel changes it by itself when something else is written."""
    MAYBE = "maybe"
    """The kernel may change it; a snapshot cannot tell (an unseen bit)."""
    OWNER = "owner"
    """An agent (kube-proxy, the CNI, docker) re-creates it."""


class BaseChange(Noun):
    """What every change carries."""

    node: str
    horizon: Horizon = Horizon.NOW
    """The first horizon where it shows."""
    cause: Cause = Cause.PROPOSED
    source: Source | None = None
    """The line of the proposal that makes it, where it can be told."""


class SysctlChange(BaseChange):
    """A running value. `None` means that the key does not exist."""

    kind: Literal["sysctl"] = "sysctl"
    key: str
    before: str | None
    after: str | None


class RuleEdit(StrEnum):
    """What happened to a rule."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"


class RuleChange(BaseChange):
    """One rule of one chain."""

    kind: Literal["rule"] = "rule"
    family: str
    backend: str
    table: str
    chain: str
    edit: RuleEdit
    rule: str
    """Canonical text after `-A CHAIN `."""
    before: int | None
    """1-based position in the chain; None when it was not there."""
    after: int | None


class ChainEdit(StrEnum):
    """What happened to a chain."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"


class ChainChange(BaseChange):
    """A whole user chain came, went or got another name with the same rules."""

    kind: Literal["chain"] = "chain"
    family: str
    backend: str
    table: str
    chain: str
    edit: ChainEdit
    rules: tuple[str, ...] = ()
    """Its rules (of the new chain when added, of the old one when removed)."""
    renamed_from: str = ""


class ChainPolicyChange(BaseChange):
    """The policy of a base chain. `None`: the table did not exist."""

    kind: Literal["chain-policy"] = "chain-policy"
    family: str
    backend: str
    table: str
    chain: str
    before: str | None
    after: str | None


class NativeTableChange(BaseChange):
    """An nft table that iptables does not manage came, went or has other flags, as text."""

    kind: Literal["nft-table"] = "nft-table"
    table: str
    """`inet host_fw`."""
    before: str | None
    after: str | None


class NativeRuleChange(BaseChange):
    """One rule of a chain of such a table."""

    kind: Literal["nft-rule"] = "nft-rule"
    table: str
    """`inet host_fw`."""
    chain: str
    edit: RuleEdit
    rule: str
    """As nft prints it, with counters at zero."""
    before: int | None
    """1-based position in the chain; None when it was not there."""
    after: int | None


class NativeObjectChange(BaseChange):
    """What such a table declares: a chain (its hook and policy), a set or map with its elements, a counter, a flowtable …"""

    kind: Literal["nft-object"] = "nft-object"
    table: str
    what: str
    """`chain`, `set`, `map`, `counter`, `ct helper` …"""
    name: str
    before: str | None
    """What is said of it, on one line: `type filter hook input priority filter; policy accept;`. None when it is not there."""
    after: str | None
    added: tuple[str, ...] = ()
    """Elements that came, or the rules of a chain that did."""
    removed: tuple[str, ...] = ()


NativeChange = NativeTableChange | NativeRuleChange | NativeObjectChange


class IpSetChange(BaseChange):
    """An ipset: created, destroyed, or with other elements."""

    kind: Literal["ipset"] = "ipset"
    name: str
    before: str | None
    """Type and options; None when it does not exist."""
    after: str | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class RouteChange(BaseChange):
    """A route of one table, compared by what it decides."""

    kind: Literal["route"] = "route"
    before: Route | None
    after: Route | None

    @property
    def route(self) -> Route:
        """Whichever exists, the after one first."""
        route = self.after or self.before
        if route is None:  # pragma: no cover
            raise AssertionError("a route change without a route")
        return route


class PolicyRuleChange(BaseChange):
    """A policy rule."""

    kind: Literal["policy-rule"] = "policy-rule"
    before: PolicyRule | None
    after: PolicyRule | None


class NextHopChange(BaseChange):
    """A nexthop object."""

    kind: Literal["nexthop"] = "nexthop"
    before: NextHopObject | None
    after: NextHopObject | None


class LinkChange(BaseChange):
    """One field of a link, or the whole link when `field` is empty."""

    kind: Literal["link"] = "link"
    link: str
    field: str = ""
    """mtu, mac, up, master, kind, `options/port` …; `address` for one address; empty for the link itself."""
    before: str | None
    after: str | None
    removed: Link | None = None
    """The link that went, when the whole went."""


class NeighbourChange(BaseChange):
    """A permanent neighbour or proxy entry."""

    kind: Literal["neighbour"] = "neighbour"
    before: Neighbour | None
    after: Neighbour | None


class ForwardingChange(BaseChange):
    """A permanent FDB entry."""

    kind: Literal["fdb"] = "fdb"
    before: ForwardingEntry | None
    after: ForwardingEntry | None


class DocumentChange(BaseChange):
    """One value of a structured file, compared as a document: equal things in another notation are equal."""

    kind: Literal["document"] = "document"
    path: str
    """Of the file on the node."""
    format: str
    """cni, kubelet, resolv, subnet-env, manifest …"""
    pointer: str
    """JSON pointer into the document: `/plugins/0/mtu`; empty for the whole file."""
    before: str | None
    """Compact JSON of the value; None when absent."""
    after: str | None


class FileChange(BaseChange):
    """A persisted file whose text differs, where no finer comparison exists or nothing acts on the difference."""

    kind: Literal["file"] = "file"
    path: str
    before: str | None
    """Text; None when absent."""
    after: str | None
    equivalent: bool = False
    """Read by its program, both mean the same (comments, order, notation)."""


class PassingChange(BaseChange):
    """What the steps do on the way although nothing that packets can meet differs at the end."""

    kind: Literal["passing"] = "passing"
    steps: tuple[int, ...]
    """After which packets meet neither the old state nor the new one; counted from 1 in the order of the proposal."""


StateChange = (
    SysctlChange
    | RuleChange
    | ChainChange
    | ChainPolicyChange
    | NativeTableChange
    | NativeRuleChange
    | NativeObjectChange
    | IpSetChange
    | RouteChange
    | PolicyRuleChange
    | NextHopChange
    | LinkChange
    | NeighbourChange
    | ForwardingChange
    | DocumentChange
    | FileChange
)
"""What two states of a node can differ in."""

Change = Annotated[StateChange | PassingChange, Field(discriminator="kind")]
