"""Ordered actions, and the way back."""

from enum import StrEnum

from planner.models.noun import Noun
from planner.models.proposal import Operation
from planner.models.source import Gap, Source


class UndoKind(StrEnum):
    """How a step is taken back."""

    RESTORE = "restore"
    """The saved former state is put back."""
    INVERSE = "inverse"
    """What was added is removed, what was removed is added at its place."""
    REAPPLY = "re-apply"
    """An owner has to write its part again."""
    NONE = "none"


class Action(Noun):
    """One command of a script."""

    argv: tuple[str, ...]
    stdin: str = ""


class Check(Noun):
    """A command and what it must print (white space folded) or, when `output` is None, that it exits with `status`."""

    argv: tuple[str, ...]
    output: str | None = None
    status: int = 0
    about: str = ""
    """`net.ipv4.ip_forward is 1`."""
    name: str = ""
    """The thing that is read: `net.ipv4.ip_forward`. All checks of a thing have the same command."""


class Part(Noun):
    """What a step has changed of a thing to which others may add: read without what is theirs."""

    thing: str
    """`Check.name`."""
    argv: tuple[str, ...]
    before: str
    after: str


class Hunk(Noun):
    """Rules that stand together in a chain and that a step has replaced by others."""

    above: tuple[str, ...] = ()
    """Unchanged rules before it that stand in the chain only once, the nearest first."""
    below: tuple[str, ...] = ()
    """The same behind it."""
    first: bool = False
    """Nothing of the chain stands before it."""
    last: bool = False
    """Nothing of the chain stands behind it."""
    added: tuple[str, ...] = ()
    """Rules that the step has put there."""
    removed: tuple[str, ...] = ()
    """Rules that the step has taken away."""
    bound: bool = False
    """Some of these rules stand in the chain elsewhere too: only between the very neighbours they are meant."""


class ChainBack(Noun):
    """The way back of one chain, rule by rule: for a chain in which others have written since."""

    thing: str
    """`Check.name`."""
    tool: str
    """The program that prints the rules: `iptables-nft-save`."""
    table: str
    chain: str
    base: bool = False
    made: bool = False
    """The step has made the chain."""
    deleted: bool = False
    """The step has deleted the chain."""
    policy: str = ""
    """The chain policy before, where the step has set another one."""
    owner: str = ""
    """The agent that writes the whole chain again when it likes."""
    digest: str = ""
    """SHA-256 of the rules after the step, a line each, where an agent owns the chain."""
    hunks: tuple[Hunk, ...] = ()


class SetBack(Noun):
    """The way back of one ipset, element by element."""

    thing: str
    """`Check.name`."""
    name: str
    create: str
    """Type and options."""
    made: bool = False
    deleted: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class NativeBack(Noun):
    """The way back of one thing that an nft table declares: rule by rule, element by element."""

    things: tuple[str, ...]
    """`Check.name` of all that is read of it: the thing, or the table and the elements of its sets."""
    table: str
    """`inet host_fw`."""
    kind: str
    """`chain`, `set`, `counter`; `table` for its flags and comment."""
    name: str = ""
    made: bool = False
    deleted: bool = False
    again: bool = False
    """Nothing less than making it anew leads back."""
    before: tuple[str, ...] = ()
    """What it says of itself before the step, a line each: hook and priority without the policy, type and flags."""
    after: tuple[str, ...] = ()
    policy: str = ""
    """The chain policy before, where the step has set another one."""
    owner: str = ""
    """The agent that writes the whole chain again when it likes."""
    digest: str = ""
    """SHA-256 of the rules after the step, a line each, where an agent owns the chain."""
    hunks: tuple[Hunk, ...] = ()
    """Of a chain; a rule with a block of rules in it is told on one line."""
    added: tuple[str, ...] = ()
    """Elements that the step has put in, as nft prints them."""
    removed: tuple[str, ...] = ()
    """Elements that the step has taken out."""
    moving: bool = False
    """Packets fill the set: nobody's elements are told apart."""


class Residue(Noun):
    """What taking a step back does not restore."""

    what: str
    reason: str


class Step(Noun):
    """One action on one node with the way back."""

    number: int
    node: str
    title: str
    operation: Operation
    source: Source
    precondition: tuple[Check, ...] = ()
    """The state this step was made for; the script refuses when it is another one."""
    apply: tuple[Action, ...] = ()
    expected: tuple[Check, ...] = ()
    """What must hold afterwards, read back from the kernel."""
    undo: tuple[Action, ...] = ()
    undo_kind: UndoKind = UndoKind.INVERSE
    restored: tuple[Check, ...] = ()
    """What must hold after the undo."""
    parts: tuple[Part, ...] = ()
    """What of the things above is the step's own, where others may have added something."""
    chains: tuple[ChainBack, ...] = ()
    """The way back by rule, for chains in which others have written."""
    sets: tuple[SetBack, ...] = ()
    """The way back by element."""
    natives: tuple[NativeBack, ...] = ()
    """The way back of nft tables by rule and by element."""
    residue: tuple[Residue, ...] = ()
    safe_to_stop: bool = True
    """Whether the node may be left in the state after this step."""
    stop_reason: str = ""
    remark: str = ""
    """What the step alone does not do: which service has to act, and when; why it is not run."""


class Probe(Noun):
    """A runnable check of a traffic path that works before the change."""

    about: str
    argv: tuple[str, ...]
    expect: str
    """A sentence about its result after the change."""
    where: str = ""
    """`on worker-1`, `where kubectl works`, `on the machine that has the address 10.0.0.10`."""
    path: str = ""
    """Name of the `Path` that it checks; empty where it is none of the invariants'."""
    after: str = ""
    """`works`, `fails` or `not known`, by the model."""


class Plan(Noun):
    """All steps of one node, in order."""

    node: str
    steps: tuple[Step, ...] = ()
    probes: tuple[Probe, ...] = ()
    not_undoable: tuple[Residue, ...] = ()
    """Over all steps: conntrack entries, existing pods that inherited values, leases, restarts."""
    notes: tuple[str, ...] = ()
    not_planned: tuple[Gap, ...] = ()
    """Parts of the proposal that no step runs, because nobody here reads them."""
