"""A host firewall takes over tables that Kubernetes' agents use.

## Why it matters

ufw and firewalld believe that the tables are theirs. Each reload rewrites or flushes them: kube-proxy and the CNI agent
come back within a minute, host ports do not. A job that only reloads the firewall is enough.

## When it bites

At the next reload or restart of the firewall.

## How to undo

Disable the firewall, restart the agents, recreate pods with host ports.

## How to check

`systemctl is-active firewalld ufw`; `grep FlushAllOnReload /etc/firewalld/firewalld.conf`.
"""

from collections.abc import Iterator

from planner.models.change import ChainChange, ChainEdit
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.horizon import Horizon
from planner.models.traffic import TrafficClass
from planner.risks.netfilter.backend_mix import KUBERNETES
from planner.risks.netfilter.structure import owned
from planner.risks.risk import Review, Risk

FIREWALLS = frozenset({"ufw", "firewalld"})


def judge(change: ChainChange, review: Review) -> Iterator[Finding]:
    """Whether a firewall's chains come to a node whose agents keep theirs in the same backend."""
    firewall = owned(change.chain)
    if change.edit is not ChainEdit.ADDED or firewall not in FIREWALLS:
        return
    if any(
        owned(chain) == firewall
        for rules in review.before.rulesets
        for table in rules.tables.values()
        for chain in table.chains
    ):
        return
    agents = {
        owned(chain)
        for rules in review.before.rulesets
        for table in rules.tables.values()
        for chain in table.chains
    } & (KUBERNETES | {"docker"})
    if not agents:
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=(
            f"{firewall} now writes into the tables that {', '.join(sorted(agents))} use on {change.node}: a reload of the firewall "
            "takes their rules away, and host ports stay away until pods restart."
        ),
        breaks=(TrafficClass.POD_TO_SERVICE, TrafficClass.HOSTPORT) if firewall == "firewalld" else (),
        extent=Extent.INTERMITTENT if firewall == "firewalld" else Extent.NONE,
        capacity=True,
        onset=max(change.horizon, Horizon.SERVICE_RESTART),
        confidence=Confidence.LIKELY,
        reversibility=Reversibility.WITH_LOSS,
        remedy="Leave the node's filter to one manager; for firewalld set FlushAllOnReload=no.",
    )


RISK = Risk[ChainChange](
    id="firewall-takeover",
    title="A host firewall takes over",
    on=(ChainChange,),
    judge=judge,
    sources=("firewalld.conf(5), FlushAllOnReload", "ufw(8)"),
    verify="systemctl is-active firewalld ufw",
    once=True,
)
