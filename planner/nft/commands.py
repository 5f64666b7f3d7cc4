"""What a file of nft asks for, command by command."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from planner.nft.right import Element
from planner.nft.rules import Rule

How = Literal["add", "create", "insert", "replace"]
TableKey = tuple[str, str]
"""Family and name."""


@dataclass(frozen=True, slots=True)
class Base:
    """How a base chain hangs on its hook."""

    kind: str
    hook: str
    priority: int
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetSpec:
    """What a set or a map is declared to be."""

    kind: Literal["set", "map"]
    typed: str
    """`type ipv4_addr . inet_service : verdict`, as printed."""
    kinds: tuple[str, ...]
    data: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    timeout: int = 0
    gc_interval: int = 0
    size: int = 0
    policy: str = ""
    auto_merge: bool = False
    counter: bool = False
    comment: str = ""
    unread: str = ""
    """Why it is not known what it holds: its elements as they are written."""


@dataclass(frozen=True, slots=True)
class Place:
    """Beside which rule: by handle, or by index from 0."""

    handle: int | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class At:
    """Where a command stands in the text."""

    line: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class AddTable:
    """`table FAMILY NAME { … }` and `add table`."""

    at: At
    table: TableKey
    create: bool = False
    flags: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class AddChain:
    """`chain NAME { type … }` and `add chain`."""

    at: At
    table: TableKey
    chain: str
    base: Base | None = None
    policy: str = ""
    comment: str = ""
    create: bool = False


@dataclass(frozen=True, slots=True)
class AddRule:
    """A rule of a chain block, `add rule`, `insert rule`, `replace rule`."""

    at: At
    table: TableKey
    chain: str
    rule: Rule
    how: How = "add"
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class AddSet:
    """`set NAME { … }`, `map NAME { … }` and their commands."""

    at: At
    table: TableKey
    name: str
    spec: SetSpec
    elements: tuple[Element, ...] = ()
    create: bool = False


@dataclass(frozen=True, slots=True)
class ChangeElements:
    """`add element`, `delete element`: what the elements are is read once the set is known."""

    at: At
    table: TableKey
    name: str
    tokens: Sequence[object] = field(repr=False)
    how: Literal["add", "create", "delete", "destroy"] = "add"


@dataclass(frozen=True, slots=True)
class AddObject:
    """A flow table, a named counter, quota, limit or helper: kept as it is written."""

    at: At
    table: TableKey
    kind: str
    name: str
    lines: tuple[str, ...]
    """What stands between its braces."""
    create: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """`delete table | chain | set | …`, and `destroy`, which does not mind when there is none."""

    at: At
    kind: str
    table: TableKey
    name: str = ""
    lenient: bool = False
    handle: int | None = None


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """`delete rule FAMILY TABLE CHAIN handle N`."""

    at: At
    table: TableKey
    chain: str
    place: Place


@dataclass(frozen=True, slots=True)
class Flush:
    """`flush table | chain | set`: without a family of rule sets `flush ruleset` is all of them."""

    at: At
    kind: str
    table: TableKey
    name: str = ""


@dataclass(frozen=True, slots=True)
class RenameChain:
    """`rename chain FAMILY TABLE OLD NEW`."""

    at: At
    table: TableKey
    chain: str
    name: str


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A command of nft that is not modelled."""

    at: At
    words: str
    table: TableKey = ("", "")


Command = (
    AddTable
    | AddChain
    | AddRule
    | AddSet
    | ChangeElements
    | AddObject
    | Delete
    | DeleteRule
    | Flush
    | RenameChain
    | NotUnderstood
)
