"""No plugin of the chain handles host ports any more.

## Why it matters

A pod's hostPort works because the chain's portmap plugin writes a translation when the pod starts. Without a plugin that
declares the capability the request is dropped silently: the pod runs, its port is closed. Ingress controllers often
depend on it.

## When it bites

For pods that start after the change. Running pods keep their rules until they restart, so a test right after passes.

## How to undo

Put the plugin back and recreate the pods that started without it.

## How to check

`iptables -t nat -S CNI-HOSTPORT-DNAT` lists the ports that are served.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange, FileChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.cni.network import Network, network, tells
from planner.risks.people import counted, listed
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange | FileChange, review: Review) -> Iterator[Finding]:
    """Who loses a host port: pods here, pods that may come here, nobody, or not known."""
    if not tells(change, review, "portMappings"):
        return
    before, after = network(review.before), network(review.after)
    if before is None or after is None or not _maps(before) or _maps(after):
        return
    yield _finding(change, review)


def _maps(network: Network) -> bool:
    return any(plugin.port_mappings for plugin in network.plugins)


def _finding(change: DocumentChange | FileChange, review: Review) -> Finding:
    base = Finding(
        risk=RISK.id,
        change=change,
        message="",
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="Pods that started without it stay without host ports until they are recreated.",
        remedy="Keep portmap in the chain.",
    )
    ports = review.topology.host_ports
    if review.cluster is None and not ports:
        return base.model_copy(
            update={
                "message": f"New pods on {change.node} that ask for a hostPort start without it.",
                "breaks": (TrafficClass.HOSTPORT,),
                "extent": Extent.PARTIAL,
                "confidence": Confidence.UNKNOWN,
                "unknown_because": "the snapshot holds no pods, so who asks for a hostPort is not known",
            }
        )
    claimants = [
        pod
        for pod in (review.cluster.pods if review.cluster else ())
        if pod.host_ports and not pod.host_network
    ]
    here = [pod for pod in claimants if pod.node == change.node]
    if here or ports:
        wanted = sorted({port.host_port for pod in here for port in pod.host_ports} | set(ports))
        who = listed([f"{pod.namespace}/{pod.workload or pod.name}" for pod in here])
        return base.model_copy(
            update={
                "message": (
                    f"Host {'ports' if len(wanted) > 1 else 'port'} {', '.join(map(str, wanted))} on {change.node}"
                    f"{f' ({who})' if who else ''} will be closed as soon as the pods behind restart."
                ),
                "breaks": (TrafficClass.HOSTPORT,),
                "extent": Extent.TOTAL,
                "pods": len(here) or None,
            }
        )
    if claimants:
        return base.model_copy(
            update={
                "message": (
                    f"{counted(len(claimants), 'pod')} elsewhere ask for a hostPort; any that starts on {change.node} has none."
                ),
                "breaks": (TrafficClass.HOSTPORT,),
                "extent": Extent.PARTIAL,
                "capacity": True,
            }
        )
    return base.model_copy(
        update={
            "message": "Host ports are no longer served; no pod of the cluster asks for one today.",
            "undo": "",
        }
    )


RISK = Risk[DocumentChange | FileChange](
    id="cni-portmap-removed",
    title="Host ports are no longer served",
    on=(DocumentChange, FileChange),
    judge=judge,
    sources=(
        "containernetworking/cni, CONVENTIONS.md: capability portMappings",
        "containernetworking/plugins, plugins/meta/portmap",
    ),
    verify="iptables -t nat -S CNI-HOSTPORT-DNAT",
    once=True,
)
