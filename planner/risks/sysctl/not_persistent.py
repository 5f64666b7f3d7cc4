"""A value that is written now is another one after a reboot.

## Why it matters

A value that is in no file, or that a stronger or later file sets differently, lasts until the next reboot: the node
then behaves as before the change, at a time when nobody thinks of it. A key of a module that is loaded only later, such
as nf_conntrack, is skipped at boot although a file sets it.

## When it bites

At the next reboot.

## How to undo

Nothing to undo; write the file.

## How to check

`systemd-analyze cat-config sysctl.d | grep KEY`.
"""

from collections.abc import Iterator, Mapping

from planner.models.change import Cause, SysctlChange
from planner.models.finding import Confidence, Finding
from planner.models.horizon import Horizon
from planner.models.node import ConfigFile, NodeState
from planner.parse.sysctl_d import Assignment, Reader, effective_assignments
from planner.proposal.late_modules import late_module
from planner.risks.risk import Review, Risk
from planner.sysctls.catalogue import lookup
from planner.sysctls.names import link_key
from planner.sysctls.numbers import same_value


def judge(change: SysctlChange, review: Review) -> Iterator[Finding]:
    """A proposed running value that the files of the node do not bring back at boot."""
    if change.horizon is not Horizon.NOW or change.cause is not Cause.PROPOSED or change.after is None:
        return
    boot = review.outlook.after.get(Horizon.REBOOT)
    if boot is None or not any(path.startswith(("/etc/", "/usr/", "/run/")) for path in boot.files):
        return  # without any file of the node nothing can be said
    parts = link_key(change.key)
    if parts is not None and parts.real and parts.link in {*review.topology.pod_links}:
        return  # pod links do not survive a reboot
    last = _last(boot.files, change.key)
    if last is not None and same_value(last.value, change.after):
        yield from _too_early(change, boot, last)
        return
    value = boot.sysctls.get(change.key)
    if value is not None and same_value(value, change.after):
        return
    if last is not None:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{change.key} is {change.after} on {change.node} until the next reboot: at boot {last.source} sets it to "
                f"{last.value}."
            ),
            onset=Horizon.REBOOT,
            remedy=f"Change that line, or put yours into a file of a later name than {last.source.name}.",
        )
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.key}={change.after} is in no file of {change.node} that is read at boot"
            + (f": after a reboot it is {value}" if value is not None else "")
            + ", unless an agent sets it."
        ),
        onset=Horizon.REBOOT,
        confidence=Confidence.LIKELY,
        remedy="Put it into a file below /etc/sysctl.d as well.",
    )


def _too_early(change: SysctlChange, boot: NodeState, last: Assignment) -> Iterator[Finding]:
    """The file says it, and is read before the module that brings the key; silent for the module's own default."""
    module, fact = late_module(change.key, boot, boot.files), lookup(change.key)
    default = fact.default(change.key) if fact is not None else None
    if not module or (default is not None and same_value(default, change.after or "")):
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"At boot {last.source} is read while {module} is not loaded, as far as the files of {change.node} tell, and is "
            f"skipped: after a reboot {change.key} is {default or 'what the module brings'} unless an agent sets it."
        ),
        onset=Horizon.REBOOT,
        confidence=Confidence.UNKNOWN,
        unknown_because=f"initial ramdisk, kernel command line and udev rules may load {module} too",
        remedy=f"Name {module} in a file below /etc/modules-load.d.",
    )


def _last(files: Mapping[str, ConfigFile], key: str) -> Assignment | None:
    """The line that decides at boot."""
    writes = [write for write in effective_assignments(files, Reader.SYSTEMD, (key,)) if write.key == key]
    return writes[-1] if writes else None


RISK = Risk[SysctlChange](
    id="sysctl-not-persistent",
    title="A running value that a reboot takes back",
    on=(SysctlChange,),
    judge=judge,
    sources=("sysctl.d(5); systemd, src/sysctl/sysctl.c", "modules-load.d(5); systemd-sysctl.service(8)"),
    verify="systemd-analyze cat-config sysctl.d",
)
