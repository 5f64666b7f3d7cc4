"""Running a command: the only module of this package that starts processes."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left behind."""

    status: int | None
    """Exit status; None when it had to be ended at the deadline or could not be started."""
    stdout: bytes = b""
    stderr: bytes = b""
    timed_out: bool = False
    failure: str = ""
    """Why it could not be started; empty when it was."""


class Runner(Protocol):
    """What runs commands: the machine, or a recording of one in tests."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", deadline: float) -> Finished:
        """Run to the end or for `deadline` seconds. Never raises for what the command does."""
        ...


class LocalRunner:
    """Runs commands on this machine, each in a process group of its own that ends at the deadline."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", deadline: float) -> Finished:
        """Run `argv`, without a shell of ours in between."""
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return Finished(status=None, failure=f"{argv[0]}: {error.strerror or error}")
        try:
            stdout, stderr = process.communicate(stdin, timeout=deadline)
        except subprocess.TimeoutExpired:
            stdout, stderr = _end_group(process)
            return Finished(status=None, stdout=stdout, stderr=stderr, timed_out=True)
        except BaseException:
            _end_group(process)
            raise
        return Finished(status=process.returncode, stdout=stdout, stderr=stderr)


def _end_group(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """End a process with its descendants, and keep what it had printed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.communicate(timeout=2)
    except subprocess.TimeoutExpired as error:
        # A descendant that left the group, or sits in the kernel, still holds the pipe.
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return error.stdout or b"", error.stderr or b""
