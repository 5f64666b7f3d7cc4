"""Commands that run on a stage, seen from outside."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command left behind."""

    status: int | None
    """Exit status, negative for the signal that ended it; None when it was ended at the deadline."""
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0


class Running(Protocol):
    """A command that was started and is not waited for."""

    pid: int
    """As the stage counts: for messages, not for signals from outside."""

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        ...

    def wait(self, timeout: float) -> int | None:
        """Wait for its end; None when it did not come in time."""
        ...

    def kill(self, signal: int = 9) -> None:
        """Send a signal to it and to all that it started and that did not leave its session."""
        ...

    def output(self) -> Completed:
        """What it printed so far."""
        ...
