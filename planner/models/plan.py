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
