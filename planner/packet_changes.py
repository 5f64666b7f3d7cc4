"""Which packets an outlook treats differently, with witnesses that people of this cluster recognise."""

from collections.abc import Iterator

from planner.dataplane.symbolic.compare import Hint, compare
from planner.models.cluster import Cluster
from planner.models.comparison import Comparison
from planner.models.horizon import Horizon
from planner.models.proposal import Outlook
from planner.models.topology import Topology
from planner.topology.derive import derive_topology

OUTSIDE = "198.51.100.0/24"
"""Documentation addresses (RFC 5737), for somebody outside whose address is nobody's."""
DNS, TCP, UDP, HTTPS, SSH = 53, 6, 17, 443, 22


def packet_changes(outlook: Outlook, cluster: Cluster | None = None) -> Comparison:
    """The comparison at once; what of the proposal was not understood makes it incomplete."""
    before, after = outlook.before[Horizon.NOW], outlook.after[Horizon.NOW]
    found = compare(before, after, hints=tuple(hints_of(derive_topology(before, cluster))))
    return found.model_copy(update={"unknown": (*found.unknown, *(str(gap) for gap in outlook.gaps))})


def hints_of(topology: Topology) -> Iterator[Hint]:
    """What a witness should look like, the most telling first: a pod that asks DNS, a Service, another pod, the outside."""
    inner = next(iter((*topology.bridges, *topology.pod_links)), "")
    outer = next(iter(topology.uplinks), "")
    for source in topology.node_pod_ranges[:1]:
        for name_server in topology.dns_service[:1]:
            yield Hint(
                source=source, destination=f"{name_server}/32", protocol=UDP, destination_port=DNS, link=inner
            )
        for destination in (*topology.service_ranges[:1], *topology.pod_ranges[:1]):
            yield Hint(source=source, destination=destination, protocol=TCP, link=inner)
        yield Hint(source=source, destination=OUTSIDE, protocol=TCP, destination_port=HTTPS, link=inner)
    yield Hint(source=OUTSIDE, protocol=TCP, destination_port=SSH, link=outer)
    for port in topology.node_ports[:1]:
        yield Hint(source=OUTSIDE, protocol=TCP, destination_port=port, link=outer)
    yield Hint(source=OUTSIDE, link=outer)
    for source in topology.node_pod_ranges[:1]:
        yield Hint(source=source, link=inner)
