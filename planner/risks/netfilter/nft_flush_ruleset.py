"""An nft file begins with `flush ruleset`, which takes every table of every owner.

## Why it matters

iptables-nft keeps its chains in nft tables. Flushing the rule set empties them all: Service translation is gone until
kube-proxy's next synchronisation, host ports until their pods restart. Tables of the legacy backend are not touched.

## When it bites

When the file is loaded: at a restart of nftables.service and at boot, before the agents have started.

## How to undo

Restart kube-proxy and the CNI agent; recreate pods with host ports.

## How to check

`grep -n 'flush ruleset' /etc/nftables.conf`; `iptables-nft-save | grep -c KUBE`.
"""

from collections.abc import Iterator
from re import MULTILINE
from re import compile as pattern

from planner.models.change import FileChange
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.traffic import TrafficClass
from planner.risks.netfilter.structure import owned
from planner.risks.risk import Review, Risk

FLUSH = pattern(r"^[ \t]*flush\s+ruleset(?:\s+(\w+))?", MULTILINE)


def judge(change: FileChange, review: Review) -> Iterator[Finding]:
    """Whether the statement is new, and whether agents keep rules where it reaches."""
    if not (
        change.path.endswith(".nft")
        or change.path == "/etc/nftables.conf"
        or change.path.startswith("/etc/sysconfig/nftables")
    ):
        return
    if not FLUSH.search(change.after or "") or FLUSH.search(change.before or ""):
        return
    agents = sorted(
        {
            agent
            for rules in review.before.rulesets
            if rules.backend == "nft"
            for table in rules.tables.values()
            for chain in table.chains
            if (agent := owned(chain))
        }
    )
    told = f"{change.path} on {change.node} flushes every nft table when it is loaded"
    if not agents:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"{told}; no agent of Kubernetes keeps rules in this backend there.",
            onset=max(change.horizon, Horizon.SERVICE_RESTART),
        )
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"{told}, those of {', '.join(agents)} among them: Services, DNS and host ports fail until each has written its own again.",
        breaks=(
            TrafficClass.POD_TO_SERVICE,
            TrafficClass.DNS,
            TrafficClass.EXTERNAL_TO_NODEPORT_LB,
            TrafficClass.HOSTPORT,
        ),
        extent=Extent.INTERMITTENT,
        onset=max(change.horizon, Horizon.SERVICE_RESTART),
        reversibility=Reversibility.WITH_LOSS,
        undo="Agents have to be restarted and pods with host ports recreated.",
        remedy="Create and delete only the file's own table: `table inet host_fw`, `delete table inet host_fw`, then its rules.",
    )


RISK = Risk[FileChange](
    id="nft-flush-ruleset",
    title="An nft file flushes everybody's tables",
    on=(FileChange,),
    judge=judge,
    sources=("nft(8), flush ruleset; measured: iptables-nft rules go, iptables-legacy rules stay",),
    verify="grep -n 'flush ruleset' /etc/nftables.conf",
)
