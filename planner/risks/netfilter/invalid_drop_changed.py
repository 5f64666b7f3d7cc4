"""The rule that drops packets of no known connection comes or goes.

## Why it matters

A node that sees only one direction of a connection (two uplinks, direct server return) takes its packets for invalid; the
drop then discards them for all. Without the rule a packet outside the window is not translated back, reaches the client
with the pod's address, and resets the connection.

## When it bites

At once where routing is asymmetric; otherwise only in busy long connections with loss.

## How to undo

Delete or restore the rule; or set nf_conntrack_tcp_be_liberal.

## How to check

`conntrack -S` for invalid, `iptables -vL KUBE-FORWARD` for the rule's counter.
"""

from collections.abc import Iterator

from planner.models.change import RuleChange, RuleEdit
from planner.models.finding import Confidence, Extent, Finding
from planner.models.route import MAIN
from planner.models.traffic import TrafficClass
from planner.netfilter.condition import CtStateIs
from planner.risks.netfilter.reading import read
from planner.risks.risk import Review, Risk

LIBERAL = "net.netfilter.nf_conntrack_tcp_be_liberal"


def judge(change: RuleChange, review: Review) -> Iterator[Finding]:
    """Whether packets of one connection can come and go by different links."""
    if change.table not in {"filter", "mangle", "raw"} or change.edit is RuleEdit.MOVED:
        return
    reading = read(change.rule, change.family)
    states = [condition.states for condition in reading.conditions if isinstance(condition, CtStateIs)]
    if not reading.drops or states != [("INVALID",)]:
        return
    base = Finding(risk=RISK.id, change=change, message="", onset=change.horizon)
    if change.edit is RuleEdit.REMOVED:
        yield base.model_copy(
            update={
                "message": f"Packets of no known connection pass {change.node} again: busy long connections may be reset now and then.",
                "breaks": (TrafficClass.POD_TO_SERVICE,),
                "capacity": True,
                "remedy": f"Set {LIBERAL}=1 instead.",
            }
        )
    elif review.never_acts(change):
        return  # an earlier rule drops them already
    elif asymmetric(review) and review.after.sysctls.get(LIBERAL) != "1":
        yield base.model_copy(
            update={
                "message": (
                    f"{change.node} has several ways out, so it may see one direction of a connection only: such packets count as "
                    "invalid and are now dropped."
                ),
                "breaks": (TrafficClass.POD_TO_EXTERNAL, TrafficClass.EXTERNAL_TO_NODEPORT_LB),
                "extent": Extent.PARTIAL,
                "confidence": Confidence.LIKELY,
                "remedy": f"Set {LIBERAL}=1, or leave the rule out on nodes with asymmetric routing.",
            }
        )
    else:
        yield base.model_copy(
            update={
                "message": f"{change.node} now drops packets of no known connection, which could not be translated anyway."
            }
        )


def asymmetric(review: Review) -> bool:
    """Whether answers may leave by another link than requests come by."""
    links = {
        hop.link
        for route in review.after.routes
        if route.is_default and route.type == "unicast"
        for hop in route.nexthops
    }
    own_tables = any(
        rule.table not in {MAIN, "255", "253", ""} and rule.action == "lookup"
        for rule in review.after.policy_rules
    )
    return len(links) > 1 or own_tables


RISK = Risk[RuleChange](
    id="invalid-drop-changed",
    title="The drop of invalid packets changes",
    on=(RuleChange,),
    judge=judge,
    sources=(
        "Kubernetes, pkg/proxy/iptables/proxier.go, KUBE-FORWARD ctstate INVALID",
        "Linux, Documentation/networking/nf_conntrack-sysctl.rst, nf_conntrack_tcp_be_liberal",
    ),
    verify="conntrack -S; iptables -vL KUBE-FORWARD",
)
