"""The program as a user meets it: in this process where that tells the same, else in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from strategies import DEMO, PULL_REQUEST

from planner.cli.main import run

COMMAND = (sys.executable, "-c", "from planner.cli.main import main; main()")
SYSCTLS = PULL_REQUEST / "etc/sysctl.d/90-hardening.conf"
RULES = PULL_REQUEST / "firewall.rules"
NOBODY = 65534
__all__ = ["DEMO", "PULL_REQUEST", "RULES", "SYSCTLS", "Shown", "called", "launched", "refused"]


@dataclass(frozen=True)
class Shown:
    """What a run left behind."""

    code: int
    out: bytes
    err: str

    @property
    def sentence(self) -> str:
        """What is on stderr, for a run that must say one thing only."""
        return self.err.removeprefix("netchange: ").rstrip("\n")


def called(capsysbinary: pytest.CaptureFixture[bytes], *words: object) -> Shown:
    """A run in this process."""
    code = run([str(word) for word in words])
    out, err = capsysbinary.readouterr()
    return Shown(code, out, err.decode())


def refused(capsysbinary: pytest.CaptureFixture[bytes], *words: object) -> str:
    """The sentence of a run that must fail: exit code 1, nothing on stdout, one line on stderr that says what to do."""
    shown = called(capsysbinary, *words)

    assert (1, b"") == (shown.code, shown.out), shown.err
    assert shown.err.startswith("netchange: ")
    assert 1 == shown.err.count("\n"), shown.err
    assert "; " in shown.sentence
    return shown.sentence


def launched(
    *words: object,
    stdin: bytes = b"",
    stdout: int = subprocess.PIPE,
    env: dict[str, str] | None = None,
    before: Sequence[str] = (),
    user: int | None = None,
    cwd: Path | None = None,
) -> Shown:
    """A run in a process of its own."""
    done = subprocess.run(
        [
            *before,
            *COMMAND,
            *(os.fspath(word) if isinstance(word, os.PathLike) else str(word) for word in words),
        ],
        input=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        user=user,
        cwd=cwd,
        check=False,
        timeout=120,
    )
    return Shown(done.returncode, done.stdout or b"", done.stderr.decode("utf-8", "backslashreplace"))
