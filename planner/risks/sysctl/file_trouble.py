"""A line of a sysctl.d file is not applied, or not as it looks.

## Why it matters

A key that does not exist is skipped silently by `sysctl --system` and with a line in the journal by systemd-sysctl. A
file of the same name in a stronger directory replaces another completely; of equal keys the last line wins; and the two
programs that read these files disagree on some of them.

## When it bites

When the files are read: at the next boot, or at `sysctl --system`.

## How to undo

Nothing was applied; correct the line.

## How to check

`/lib/systemd/systemd-sysctl --strict; echo $?`.
"""

from collections.abc import Iterator
from posixpath import dirname

from planner.models.change import FileChange
from planner.models.finding import Finding
from planner.models.horizon import Horizon
from planner.models.proposal import Command
from planner.models.source import Source
from planner.parse.sysctl_d import DIRECTORIES, LAST, Diagnostic, Trouble, diagnose
from planner.risks.risk import Review, Risk


def judge(change: FileChange, review: Review) -> Iterator[Finding]:
    """What is to be said about the files after the change and was not before it."""
    if change.path != LAST and dirname(change.path) not in DIRECTORIES:
        return
    before, after = review.at(Horizon.REBOOT)
    running = {**review.outlook.before[Horizon.NOW].sysctls}
    old = {_key(found) for found in diagnose(before.files, running)}
    told: set[Source] = set()
    for found in diagnose(after.files, running):
        if found.source.name != change.path or _key(found) in old:
            continue
        if found.trouble is Trouble.OVERRIDDEN and not found.message.startswith(change.path + ":"):
            continue  # `sysctl-not-persistent` tells it where it makes a difference
        source = _source(change, found)
        told.add(source)
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"On {change.node}: {found.message}.".replace("?.", "?"),
            onset=max(change.horizon, Horizon.REBOOT),
            source=source,
            remedy=f"Write {found.suggestion}." if found.suggestion else "",
        )
    former = before.files.get(change.path)
    lines = frozenset(former.text.splitlines() if former is not None else ())
    yield from _refused(change, review, told, lines)


def _refused(
    change: FileChange, review: Review, told: set[Source], former: frozenset[str]
) -> Iterator[Finding]:
    """Lines of this file that the kernel refuses with the values that the node has, such as a low mark above a high one."""
    written = (change.after or "").splitlines()
    for stage in review.outlook.stages:
        operation, source = stage.operation, stage.operation.source
        if not isinstance(operation, Command) or not stage.error or source in told:
            continue
        if change.source is None or source.name != change.source.name or not source.line:
            continue
        if len(written) >= source.line and written[source.line - 1] in former:
            continue
        key = operation.argv[-1].partition("=")[0]
        value = stage.after.sysctls.get(key)
        if value is None:
            continue
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{change.node} refuses {operation.argv[-1]} ({stage.error.rpartition(': ')[2]}), and it stays {value}.",
            onset=Horizon.NOW,
            source=source,
        )


def _key(found: Diagnostic) -> tuple[str, str, str]:
    return (found.trouble.value, found.source.name, found.message)


def _source(change: FileChange, found: Diagnostic) -> Source:
    return found.source.model_copy(update={"name": change.source.name}) if change.source else found.source


RISK = Risk[FileChange](
    id="sysctl-file-trouble",
    title="A line of a sysctl file is not applied as it looks",
    on=(FileChange,),
    judge=judge,
    sources=("sysctl.d(5); procps, sysctl.conf(5); both programs measured on the same files",),
    verify="systemd-analyze cat-config sysctl.d",
)
