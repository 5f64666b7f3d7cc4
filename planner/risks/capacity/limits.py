"""What every judge of a limit needs: numbers out of sysctls, and the classes that a full table hits."""

from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.traffic import TrafficClass
from planner.risks.risk import Review

TRACKED = (
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.POD_TO_EXTERNAL,
    TrafficClass.EXTERNAL_TO_NODEPORT_LB,
    TrafficClass.HOSTPORT,
    TrafficClass.DNS,
    TrafficClass.NODE_TO_APISERVER,
    TrafficClass.KUBELET_PROBES,
    TrafficClass.HOST_EGRESS,
)
"""Classes whose new flows need an entry of connection tracking."""

RESOLVED = (
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.DNS,
    TrafficClass.KUBELET_PROBES,
    TrafficClass.HOST_EGRESS,
)
"""Classes that meet next hops which nobody has spoken to for a while."""

HOST_SOCKETS = (TrafficClass.HOST_EGRESS, TrafficClass.NODE_TO_APISERVER, TrafficClass.KUBELET_PROBES)
"""Classes in which the host opens the connection."""


def present(review: Review) -> NodeState:
    """The node as it is: its figures of use are those of now, whenever the change shows."""
    return review.outlook.before.get(Horizon.NOW, review.before)


def whole(text: str | None) -> int | None:
    """A sysctl's single number; None when absent or not one."""
    word = text.strip() if text is not None else ""
    return int(word) if word.isascii() and word.isdigit() else None


def vector(text: str | None, former: str | None) -> tuple[int, ...]:
    """Several numbers; too few of them leave the last ones as they were (kernel/sysctl.c proc_doulongvec_minmax)."""
    numbers = tuple(int(word) for word in (text or "").split() if word.isascii() and word.isdigit())
    before = tuple(int(word) for word in (former or "").split() if word.isascii() and word.isdigit())
    return numbers + before[len(numbers) :]


def times(used: int, limit: int) -> str:
    """`2.6 times`: by how much the use may grow until the limit is reached."""
    return f"{limit / used:.1f} times" if used else "any"
