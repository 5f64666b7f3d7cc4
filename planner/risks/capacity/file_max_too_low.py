"""The machine may open fewer files than it has open, or hardly more.

## Why it matters

Sockets are files. At fs.file-max open(), socket() and accept() fail with ENFILE for every process without CAP_SYS_ADMIN:
pods, CoreDNS among them, can neither open nor accept a connection, while root's daemons go on.

## When it bites

At once when the limit is below the present number, else under load.

## How to undo

Write the former number back; programs that gave up have to be started again.

## How to check

The first number of `/proc/sys/fs/file-nr` against the third.
"""

from collections.abc import Iterator

from planner.models.change import SysctlChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.capacity.limits import Claim, from_to, present, weigh, whole
from planner.risks.people import pods
from planner.risks.risk import Review, Risk
from planner.topology.capacity import open_files

BREAKS = (
    TrafficClass.POD_TO_POD_SAME_NODE,
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.DNS,
)


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """Lowered, against the open files of the snapshot; raising is quiet."""
    before, after = whole(change.before), whole(change.after)
    if after is None or (before is not None and after >= before):
        return
    claim = Claim(
        risk=RISK.id,
        falls=f"On {change.node} the limit of open files falls {from_to(before, after)}",
        used="open",
        lost=f"{pods(review)} can open no socket",
        breaks=BREAKS,
        full=Extent.TOTAL,
        reversibility=Reversibility.WITH_LOSS,
        undo="Programs that gave up have to be started again.",
    )
    yield from weigh(change, review, open_files(present(review)), after, claim)


RISK = Risk[SysctlChange](
    id="file-max-too-low",
    title="Too few open files for the machine",
    on=(SysctlChange,),
    keys=("fs.file-max",),
    judge=judge,
    sources=(
        "Linux, fs/file_table.c alloc_empty_file()",
        "Linux, Documentation/admin-guide/sysctl/fs.rst, file-max",
    ),
    verify="cat /proc/sys/fs/file-nr",
)
