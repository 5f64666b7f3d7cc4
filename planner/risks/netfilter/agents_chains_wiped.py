"""Chains that an agent wrote go, and with them what they did.

## Why it matters

iptables-restore without --noflush replaces each table that the file names, also the parts that kube-proxy, the CNI
plugin or docker wrote there. Some agents write theirs again within a minute; portmap's host ports and docker's chains
come back only when a pod or the daemon starts.

## When it bites

At once.

## How to undo

Restore the saved tables; restart the agents; recreate pods with host ports.

## How to check

`iptables-save | grep -c '^:KUBE-'` before and after.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from planner.models.change import ChainChange, ChainEdit, RuleChange, RuleEdit
from planner.models.finding import Extent, Finding, Reversibility
from planner.models.ruleset import Table
from planner.models.traffic import TrafficClass
from planner.netfilter.effect import Goto, Jump, Reject
from planner.risks.netfilter.reading import read
from planner.risks.netfilter.structure import jumps, leads_to, owned, reached, table_of
from planner.risks.risk import Review, Risk

_CROSS, _SERVICE, _OUT, _NODEPORT, _HOSTPORT, _DNS = (
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.EXTERNAL_TO_NODEPORT_LB,
    TrafficClass.HOSTPORT,
    TrafficClass.DNS,
)


@dataclass(frozen=True, slots=True)
class Loss:
    """What goes with an agent's chains, and who brings it back."""

    breaks: tuple[TrafficClass, ...]
    back: str
    heals: bool
    """The agent writes its chains again without anybody's doing."""


_PERIODIC = "{agent} writes them again at its next synchronisation, within a minute or so"
_RESTART = "they come back when {agent} restarts"
_PODS = "they come back only when the pods behind them are recreated"
LOSSES: dict[tuple[str, str], Loss] = {
    ("kube-proxy", "nat"): Loss((_SERVICE, _DNS, _NODEPORT), _PERIODIC, True),
    ("kube-proxy", "filter"): Loss((_SERVICE, _NODEPORT), _PERIODIC, True),
    ("kubelet", "nat"): Loss((_NODEPORT,), "the kubelet writes them again within a minute or so", True),
    ("kubelet", "filter"): Loss((_NODEPORT,), "the kubelet writes them again within a minute or so", True),
    ("portmap", "nat"): Loss((_HOSTPORT,), _PODS, False),
    ("cni-bridge", "nat"): Loss((_OUT, _DNS), _PODS, False),
    ("cni-firewall", "filter"): Loss((_CROSS, _OUT), _PODS, False),
    ("docker", "nat"): Loss((_HOSTPORT,), _RESTART, False),
    ("docker", "filter"): Loss((_HOSTPORT,), _RESTART, False),
    ("flannel", "nat"): Loss((_OUT, _DNS), _PERIODIC, True),
    ("flannel", "filter"): Loss((_CROSS, _OUT), _PERIODIC, True),
    ("calico", "nat"): Loss((_OUT, _DNS), _PERIODIC, True),
    ("weave", "nat"): Loss((_OUT, _DNS), _RESTART, False),
    ("weave", "filter"): Loss((_CROSS, _OUT), _RESTART, False),
    ("aws-vpc-cni", "nat"): Loss((_OUT, _DNS), _PERIODIC, True),
    ("ip-masq-agent", "nat"): Loss((_OUT, _DNS), _PERIODIC, True),
}
_OTHER = Loss((_CROSS, _SERVICE), "they come back when {agent} writes them again", True)


def judge(change: ChainChange | RuleChange, review: Review) -> Iterator[Finding]:
    """Whose chains went, were emptied, or are no longer jumped to."""
    found = _gone(change, review)
    if not found:
        return
    agent = owned(found)
    loss = LOSSES.get((agent, change.table), _OTHER)
    if loss.breaks == (_HOSTPORT,) and not review.topology.host_ports and agent == "portmap":
        return
    before, after = table_of(review.before, change), table_of(review.after, change)
    if loss.heals and _stays(before, after, agent, change.family):
        own = [chain for chain in reached(before, change.family) if owned(chain) == agent]
        gone = len(set(own) - reached(after, change.family))
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"The {change.table} table of {change.node} loses {gone:,} of the {len(own):,} chains of {agent}, and "
                f"with them the Services or pods that only they know; {loss.back.format(agent=agent)}."
            ),
            breaks=loss.breaks[:1],
            extent=Extent.PARTIAL,
            onset=change.horizon,
            remedy="Take a fresh dump, or load only chains of your own with --noflush.",
        )
        return
    yield Finding(
        risk=RISK.id,
        change=change,
        message=f"The {change.table} table of {change.node} loses the chains of {agent}: {loss.back.format(agent=agent)}.",
        breaks=loss.breaks,
        extent=Extent.INTERMITTENT
        if loss.heals
        else Extent.TOTAL
        if loss.breaks == (_HOSTPORT,)
        else Extent.PARTIAL,
        onset=change.horizon,
        reversibility=Reversibility.FULL if loss.heals else Reversibility.WITH_LOSS,
        undo=""
        if loss.heals
        else f"Restoring the saved table brings them back; otherwise {loss.back.format(agent=agent)}.",
        remedy="Load the file with --noflush into chains of your own, or leave the table to its agents.",
    )


def _stays(before: Table, after: Table, agent: str, family: str) -> bool:
    """Whether packets still come to the agent from wherever they came to it, and only some chains behind that go."""
    ways = [
        (base, target)
        for base in before.policies
        for target in jumps(before, base, family)
        if owned(target) == agent and before.chains.get(target)
    ]
    return bool(ways) and all(
        after.chains.get(target) and target in jumps(after, base, family) for base, target in ways
    )


def _gone(change: ChainChange | RuleChange, review: Review) -> str:
    """The chain of an agent that no packet comes to any more; empty when none."""
    before, after = table_of(review.before, change), table_of(review.after, change)
    match change:
        case ChainChange():
            agent = owned(change.chain)
            if change.edit is not ChainEdit.REMOVED or not change.rules or not agent:
                return ""
            if change.chain not in reached(before, change.family):
                return ""
            callers = [base for base in before.policies if change.chain in jumps(before, base, change.family)]
            moved = bool(callers) and all(_led_elsewhere(change, base, agent, review) for base in callers)
            return "" if moved else change.chain
        case RuleChange():
            if change.edit is not RuleEdit.REMOVED:
                return ""
            if isinstance(read(change.rule, change.family).effect, Reject):
                return ""  # kube-proxy refuses for a Service without endpoints, and stops when one comes
            # Emptied where it stands, while packets still come to it.
            if owned(change.chain) and not after.chains.get(change.chain) and change.chain in after.chains:
                return change.chain if change.chain in reached(before, change.family) else ""
            effect = read(change.rule, change.family).effect
            if (
                not isinstance(effect, Jump | Goto)
                or not owned(effect.chain)
                or not before.chains.get(effect.chain)
            ):
                return ""
            if leads_to(after, change.chain, effect.chain, change.family):
                return ""
            return "" if _led_elsewhere(change, change.chain, owned(effect.chain), review) else effect.chain


def _led_elsewhere(change: ChainChange | RuleChange, chain: str, agent: str, review: Review) -> bool:
    """Whether the chain gains a jump to another chain of the agent, with rules: its new wiring, not its end."""
    after = table_of(review.after, change)
    place = (change.family, change.backend, change.table, chain, change.horizon)
    for other in review.changes:
        if not isinstance(other, RuleChange) or other.edit is not RuleEdit.ADDED:
            continue
        if (other.family, other.backend, other.table, other.chain, other.horizon) != place:
            continue
        effect = read(other.rule, other.family).effect
        if (
            isinstance(effect, Jump | Goto)
            and owned(effect.chain) == agent
            and after.chains.get(effect.chain)
        ):
            return True
    return False


RISK = Risk[ChainChange | RuleChange](
    id="agents-chains-wiped",
    title="Chains of an agent are removed",
    on=(ChainChange, RuleChange),
    judge=judge,
    sources=(
        "iptables-restore(8), --noflush; measured: tables named in the file are replaced, others stay",
        "Kubernetes, pkg/proxy/iptables; containernetworking/plugins, plugins/meta/portmap",
    ),
    verify="iptables-save | grep '^:' | cut -c2-6 | sort | uniq -c",
    once=True,
)
