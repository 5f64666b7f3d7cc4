"""Masqueraded packets get random source ports, or no longer do.

## Why it matters

On older kernels a vxlan packet whose UDP source was translated at random leaves with a wrong checksum, and calls through
Services to pods on other nodes hang for about a minute. Without random ports two flows to one destination can be given the
same one, and the second loses its first packet.

## When it bites

For new connections; the port race only under load.

## How to undo

Restore the rule; or turn the tunnel's transmit checksum offload off.

## How to check

`uname -r`, and `iptables -t nat -S | grep random-fully`.
"""

from collections.abc import Iterator
from re import compile as pattern

from planner.models.change import RuleChange, RuleEdit
from planner.models.finding import Extent, Finding
from planner.models.traffic import TrafficClass
from planner.risks.netfilter.structure import table_of
from planner.risks.risk import Review, Risk

FLAG = "--random-fully"
VERSION = pattern(r"(\d+)\.(\d+)(?:\.(\d+))?")
# Commit "udp_tunnel/vxlan: fix tx checksum of translated packets" reached these stable releases.
FIXED = {(4, 14): 181, (4, 19): 123, (5, 4): 41, (5, 6): 13}


def judge(change: RuleChange, review: Review) -> Iterator[Finding]:
    """Whether the flag came or went, on which kernel, under which overlay."""
    if change.table != "nat" or "-j MASQUERADE" not in change.rule:
        return
    chain = change.chain
    had = any(FLAG in rule for rule in table_of(review.before, change).chains.get(chain, ()))
    has = any(FLAG in rule for rule in table_of(review.after, change).chains.get(chain, ()))
    if had == has or (FLAG in change.rule) != (
        change.edit is RuleEdit.ADDED if has else change.edit is RuleEdit.REMOVED
    ):
        return
    if not any("-j MASQUERADE" in rule for rule in table_of(review.after, change).chains.get(chain, ())):
        return
    vxlan = any(
        link.kind == "vxlan" and link.name in review.topology.overlay_links for link in review.before.links
    )
    if has and vxlan and not is_fixed(review.before.kernel):
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"{change.node} runs kernel {review.before.kernel}, which sends vxlan packets with a wrong checksum when their "
                "source port is translated at random: Services with endpoints on other nodes hang for about a minute."
            ),
            breaks=(TrafficClass.POD_TO_SERVICE, TrafficClass.EXTERNAL_TO_NODEPORT_LB, TrafficClass.DNS),
            extent=Extent.PARTIAL,
            onset=change.horizon,
            remedy="Update the kernel, or `ethtool -K flannel.1 tx-checksum-ip-generic off`.",
        )
    elif has:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=f"New masqueraded connections of {change.node} get random source ports; live ones keep theirs.",
            onset=change.horizon,
        )
    else:
        yield Finding(
            risk=RISK.id,
            change=change,
            message=(
                f"Masqueraded connections of {change.node} no longer get random source ports: under load some lose their "
                "first packet and start a second later."
            ),
            breaks=(TrafficClass.POD_TO_EXTERNAL, TrafficClass.DNS),
            extent=Extent.NONE,
            capacity=True,
            onset=change.horizon,
            remedy=f"Keep {FLAG}.",
        )


def is_fixed(release: str) -> bool:
    """Whether the kernel has the fix; an unreadable release counts as one that has not."""
    found = VERSION.match(release)
    if not found:
        return False
    major, minor, patch = int(found[1]), int(found[2]), int(found[3] or 0)
    if (major, minor) in FIXED:
        return patch >= FIXED[major, minor]
    return (major, minor) > (5, 6)


RISK = Risk[RuleChange](
    id="random-fully-vxlan",
    title="Masquerade with random ports changes",
    on=(RuleChange,),
    judge=judge,
    sources=(
        "Kubernetes and flannel threads on the vxlan checksum bug; fixed in Linux 5.6.13, 5.4.41, 4.19.123, 4.14.181",
        "iptables-extensions(8), MASQUERADE --random-fully",
    ),
    verify="uname -r; iptables -t nat -S | grep MASQUERADE",
)
