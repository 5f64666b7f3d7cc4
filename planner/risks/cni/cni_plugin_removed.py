"""A plugin that works on the link of every new pod leaves the chain.

## Why it matters

Plugins behind the first one add what somebody relies on: firewall accepts the pod's packets where forwarding is dropped
by default, tuning sets its sysctls, bandwidth shapes it, a mesh plugin redirects it. Without the plugin pods start and
lack it silently.

## When it bites

For pods that start after the change.

## How to undo

Put the plugin back at its place and recreate the pods that started in between.

## How to check

The `type` lines of the active configuration, in order.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import STANDARD, concerns_cni, network, tells
from planner.risks.risk import Review, Risk

LOST = {
    "bandwidth": "are no longer shaped, whatever their annotations ask for",
    "tuning": "no longer get the sysctls and link attributes that it set",
    "sbr": "lose the routing table of their own that it made",
    "vrf": "are no longer put into their VRF",
}


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """What each plugin that left did; portmap has a risk of its own."""
    if not concerns_cni(change):
        return
    before, after = network(review.before), network(review.after)
    if before is None or after is None or before.base.type != after.base.type:
        return
    kept = {plugin.type for plugin in after.plugins}
    for plugin in before.plugins[1:]:
        if plugin.type in kept or plugin.port_mappings or not tells(change, review, plugin.type):
            continue
        base = Finding(
            risk=RISK.id,
            change=change,
            message=f"New pods on {change.node} {LOST.get(plugin.type, f'lack what the plugin {plugin.type} did for them')}.",
            onset=change.horizon,
            reversibility=Reversibility.WITH_LOSS,
            undo="Pods that started in between have to be recreated.",
        )
        if plugin.type == "firewall" and _forward_drops(review):
            yield base.model_copy(
                update={
                    "message": f"New pods on {change.node} are not accepted by the firewall plugin any more, and the policy of FORWARD is DROP.",
                    "breaks": (
                        TrafficClass.POD_TO_POD_CROSS_NODE,
                        TrafficClass.POD_TO_EXTERNAL,
                        TrafficClass.POD_TO_SERVICE,
                    ),
                    "extent": Extent.PARTIAL,
                    "confidence": Confidence.LIKELY,
                }
            )
        elif plugin.type not in STANDARD:
            yield base.model_copy(
                update={
                    "extent": Extent.PARTIAL,
                    "confidence": Confidence.UNKNOWN,
                    "unknown_because": f"what {plugin.type} does is not known",
                }
            )
        else:
            yield base.model_copy(
                update={"side_effects": ("performance",) if plugin.type == "bandwidth" else ()}
            )


def _forward_drops(review: Review) -> bool:
    return any(
        rules.tables["filter"].policies.get("FORWARD") == "DROP"
        for rules in review.after.rulesets
        if rules.family == "ip" and "filter" in rules.tables
    )


RISK = Risk[DocumentChange | FileChange](
    id="cni-plugin-removed",
    title="A plugin leaves the chain",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=("containernetworking/plugins, plugins/meta",),
    verify="grep -h type /etc/cni/net.d/*",
    once=True,
)
