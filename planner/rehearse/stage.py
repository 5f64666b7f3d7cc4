"""A recorded node, rebuilt in namespaces that die with this process."""

from collections.abc import Mapping, Sequence
from socket import socket
from types import TracebackType
from typing import Self

from planner.models.change import Change
from planner.models.node import NodeState
from planner.models.rehearsal import NotRehearsed
from planner.rehearse.isolation import Isolation
from planner.rehearse.process import Completed, Running


def available() -> str:
    """Why nothing can be rehearsed here; empty when it can."""
    raise NotImplementedError


class Stage:
    """One node. Whatever is started here is in its network, its files and its process numbers, and ends with it."""

    kernel: str
    """`uname -r` of the machine."""
    tools: dict[str, str]
    """Versions of the programs that are used here."""
    isolation: str
    """A sentence."""
    original: NodeState
    """What was found right after `rebuild`: what every way back must lead to."""
    not_rebuilt: tuple[NotRehearsed, ...]
    """What `original` lacks of the node, grouped by reason."""
    taps: Mapping[str, int]
    """Descriptors of the links that end in this process: a frame that was written has crossed the whole kernel when `write`
    returns, and what it caused can be read. Links with a hardware address take Ethernet frames, the others packets."""

    def __init__(self, node: NodeState, *, isolation: Isolation | None = None) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def rebuild(self) -> None:
        """Put the node there, look at it, and note what is not as it was."""
        raise NotImplementedError

    def snapshot(self) -> NodeState:
        """The stage as the project's own collector sees it."""
        raise NotImplementedError

    def place(self, state: NodeState) -> NodeState:
        """The state without what `not_rebuilt` lists, and without nothing else.

        For both sides of a comparison: `diff_nodes(stage.place(predicted), stage.place(stage.snapshot()))`.
        """
        raise NotImplementedError

    def why_not(self, change: Change) -> str:
        """Why a change of that thing cannot be shown here; empty when it can."""
        raise NotImplementedError

    def run(
        self, argv: Sequence[str], stdin: str = "", *, timeout: float = 120.0, env: Mapping[str, str] = {}
    ) -> Completed:
        """Run a command to its end. It is not said whether it started: exit status 127 and a sentence on stderr."""
        raise NotImplementedError

    def spawn(self, argv: Sequence[str], stdin: str = "", *, env: Mapping[str, str] = {}) -> Running:
        """Start a command in a session of its own and go on."""
        raise NotImplementedError

    def write(self, path: str, text: str | None, *, mode: int = 0o644) -> None:
        """A file of the stage, with the directories above it; None deletes it."""
        raise NotImplementedError

    def read(self, path: str) -> str | None:
        """A file of the stage; None when it is not there."""
        raise NotImplementedError

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket:
        """A socket that was opened on the stage: raw ones see what is delivered to the node itself."""
        raise NotImplementedError
