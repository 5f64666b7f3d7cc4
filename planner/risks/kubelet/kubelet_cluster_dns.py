"""New pods are told another DNS address than the cluster's DNS Service has.

## Why it matters

The kubelet writes `clusterDNS` into every pod's resolv.conf. An address that no Service holds answers nobody, and pods
start without name resolution while older ones beside them work.

## When it bites

For pods that start after the kubelet has restarted.

## How to undo

Set the former address, restart the kubelet, recreate the pods that started in between.

## How to check

`kubectl -n kube-system get svc kube-dns` beside `clusterDNS` in the configuration.
"""

from collections.abc import Iterator

from planner.models.change import DocumentChange
from planner.models.finding import Confidence, Extent, Finding, Reversibility
from planner.models.traffic import TrafficClass
from planner.risks.kubelet.settings import setting
from planner.risks.risk import Review, Risk


def judge(change: DocumentChange, review: Review) -> Iterator[Finding]:
    """Each new address against the DNS Service, or an address of the node itself (a node-local cache)."""
    values = setting(change, "clusterDNS")
    if values is None:
        values = _item(change)
    if values is None:
        return
    new = [address for address in _addresses(values[1]) if address not in _addresses(values[0])]
    kept = [address for address in _addresses(values[1]) if address in _addresses(values[0])]
    local = {address.address for link in review.after.links for address in link.addresses}
    known = set(review.topology.dns_service)
    wrong = [address for address in new if address not in known | local]
    told = (
        f"New pods on {change.node} are told to ask {', '.join(_addresses(values[1])) or 'nobody'} for names"
    )
    base = Finding(
        risk=RISK.id,
        change=change,
        message=f"{told}.",
        onset=change.horizon,
        reversibility=Reversibility.WITH_LOSS,
        undo="Pods that started in between keep the address until they are recreated.",
        remedy="Use the cluster IP of the DNS Service.",
    )
    if not _addresses(values[1]):
        yield base.model_copy(
            update={
                "message": f"{told}: they fall back to the node's resolvers and find no Service by name.",
                "breaks": (TrafficClass.DNS,),
                "extent": Extent.TOTAL,
            }
        )
    elif not known and new:
        yield base.model_copy(
            update={
                "extent": Extent.PARTIAL,
                "confidence": Confidence.UNKNOWN,
                "unknown_because": "the snapshot does not show the DNS Service",
            }
        )
    elif wrong:
        yield base.model_copy(
            update={
                "message": f"{told}. {', '.join(wrong)} is not the DNS Service ({', '.join(sorted(known))}) and not of this node.",
                "breaks": (TrafficClass.DNS,),
                "extent": Extent.PARTIAL if kept else Extent.TOTAL,
            }
        )


def _item(change: DocumentChange) -> tuple[object, object] | None:
    """A change of one element of the list, when the differ looks that deep."""
    if change.format != "kubelet" or not change.pointer.startswith("/clusterDNS/"):
        return None
    return _list(change.before), _list(change.after)


def _list(text: str | None) -> list[str]:
    return [] if text is None else [text.strip('"')]


def _addresses(value: object) -> list[str]:
    if isinstance(value, str):
        return [item for item in value.split(",") if item]
    return [str(item) for item in value] if isinstance(value, list) else []


RISK = Risk[DocumentChange](
    id="kubelet-cluster-dns",
    title="Pods are told another DNS address",
    on=(DocumentChange,),
    judge=judge,
    sources=("Kubernetes, KubeletConfiguration v1beta1, clusterDNS",),
    verify="grep -A2 clusterDNS /var/lib/kubelet/config.yaml; kubectl -n kube-system get svc kube-dns",
)
