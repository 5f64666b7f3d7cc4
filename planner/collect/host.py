"""The state of this machine, as the collector's script prints it."""

import secrets
from importlib import resources

from planner.collect.runner import Runner
from planner.errors import NetchangeError
from planner.models.section import Section
from planner.parse.stream import STREAM, parse_stream

TOKEN_BYTES = 16


def collector_script() -> str:
    """The one script that every way of collecting runs."""
    return resources.files("planner.collect").joinpath("collector.sh").read_text(encoding="utf-8")


AT_LEAST = 20
"""Seconds that every command may take, as in the script itself."""


def collect_host(runner: Runner, *, deadline: float = 120.0, root: str = "/") -> tuple[Section, ...]:
    """Run the script here. What may not be read without root comes back as sections that say so.

    The script goes as an argument (`sh -c`), so that an audit log holds what was run. At the deadline it is ended, and
    what it had printed is kept: the rest is lost sections. One command may take a sixth of the time, `AT_LEAST` seconds at least.
    """
    command_deadline = max(AT_LEAST, int(deadline / 6))
    token = secrets.token_hex(TOKEN_BYTES)
    argv = ("sh", "-c", collector_script(), "netchange", token, root, str(command_deadline))
    finished = runner.run(argv, deadline=deadline)
    if finished.failure:
        raise NetchangeError(
            reference="collector-not-started",
            message=f"The collector could not be started: {finished.failure}",
            hint="it needs nothing but `sh` in the PATH",
        )
    text = finished.stdout.decode("utf-8", "backslashreplace")
    sections, _ = parse_stream(text, token=token)
    if finished.timed_out:
        return _with_reason(sections, f"ended after {deadline:g} seconds, the deadline")
    if finished.status != 0:
        said = finished.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        why = f": {said[-1]}" if said else ""
        return _with_reason(sections, f"the script ended with status {finished.status}{why}")
    return sections


def _with_reason(sections: tuple[Section, ...], reason: str) -> tuple[Section, ...]:
    *others, whole = sections
    stderr = f"{reason}; {whole.stderr}" if whole.stderr else reason
    return (*others, Section(name=STREAM, status=1, stderr=stderr))
