"""A rule file jumps to a chain that the file does not create.

## Why it matters

A restore that refers to a missing chain is refused, the whole table with it. A file that counts on a chain of kube-proxy or
the kubelet works while that chain happens to exist and fails at the next boot, or after an upgrade that gave it up.

## When it bites

When the file is loaded next: at a reboot or a restart of the firewall service.

## How to undo

Restore the former file, or create the chain in it.

## How to check

`iptables-restore --test < <file>` in an empty network namespace.
"""

from collections.abc import Iterator

from planner.models.change import FileChange
from planner.models.finding import Extent, Finding
from planner.models.horizon import Horizon
from planner.models.traffic import TrafficClass
from planner.netfilter.registry import target_names
from planner.risks.people import listed
from planner.risks.risk import Review, Risk

FILES = (
    "/etc/iptables/rules.v4",
    "/etc/iptables/rules.v6",
    "/etc/iptables/iptables.rules",
    "/etc/iptables.up.rules",
    "/etc/sysconfig/iptables",
    "/etc/sysconfig/ip6tables",
)
VERDICTS = frozenset({"ACCEPT", "DROP", "RETURN", "QUEUE"})


def judge(change: FileChange, review: Review) -> Iterator[Finding]:
    """Jumps to chains that neither the file nor the kernel has."""
    if change.path not in FILES or change.after is None:
        return
    missing = sorted(set(_missing(change.after)) - set(_missing(change.before or "")))
    if not missing:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{change.path} on {review.before.name} jumps to {listed(missing)} and does not create it: the table is refused when the "
            "file is loaded, and nothing of it protects the node."
        ),
        breaks=(TrafficClass.EXTERNAL_TO_NODEPORT_LB,),
        extent=Extent.PARTIAL,
        side_effects=("security-exposure",),
        onset=max(change.horizon, Horizon.SERVICE_RESTART),
        remedy="Create the chain in the same file, or do not depend on chains of others.",
    )


def _missing(text: str) -> Iterator[str]:
    chains: set[str] = set()
    wanted: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("*"):
            chains, wanted = set(), []
        elif line.startswith(":"):
            chains.add(line[1:].split()[0])
        elif line.startswith(("-N ", "--new-chain ")):
            chains.add(line.split()[1])
        elif line.startswith(("-A ", "-I ")):
            words = line.split()
            wanted += [
                words[i + 1] for i, word in enumerate(words[:-1]) if word in {"-j", "-g", "--jump", "--goto"}
            ]
        elif line == "COMMIT":
            yield from (name for name in wanted if name not in chains | VERDICTS | target_names())


RISK = Risk[FileChange](
    id="jump-to-missing-chain",
    title="A rule file jumps to a chain that it lacks",
    on=(FileChange,),
    judge=judge,
    sources=(
        "iptables-restore(8); measured: a jump to a missing chain is refused",
        "Kubernetes 1.28 release notes, KUBE-MARK-DROP",
    ),
    verify="iptables-restore --test < /etc/iptables/rules.v4",
)
