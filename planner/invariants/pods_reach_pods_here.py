"""Pods of a node reach each other.

On a bridge their frames meet netfilter only where bridge-nf-call-iptables says so, and then FORWARD sees them; with a link
for each pod the node routes between them.
"""

from collections.abc import Iterator

from planner.invariants.ground import Ground
from planner.invariants.invariant import POD_PORT, Invariant, opening
from planner.models.flow import Entry
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass


def _paths(ground: Ground) -> Iterator[Path]:
    if len(ground.pods) < 2:
        return
    one, other = ground.pods[0], ground.pods[1]
    entry = one.entry
    if one.entry.bridge_port and one.entry.link == other.entry.link:
        entry = Entry(
            link=entry.link,
            bridge_port=entry.bridge_port,
            to_router=False,
            out_port=other.entry.bridge_port,
        )
    yield INVARIANT.path(
        f"{one.address}/{other.address}",
        f"{one} to {other} on the same node",
        opening(ground, one, other.address, POD_PORT, entry=entry),
        everybody=ground.main,
    )


INVARIANT = Invariant(
    id="pods-reach-pods-here",
    title="Pods of the node reach each other",
    words="pods to pods of the same node",
    breaks=(TrafficClass.POD_TO_POD_SAME_NODE, TrafficClass.POD_TO_SERVICE),
    paths=_paths,
    sources=(
        "Linux, net/bridge/br_netfilter_hooks.c",
        "Documentation/networking/ip-sysctl.rst, bridge-nf-call-iptables",
    ),
)
