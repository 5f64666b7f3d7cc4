"""Probes come from what the snapshot knows, and nothing is invented."""

from planner.models.cluster import Cluster, Endpoint, Pod, Service, ServicePort
from planner.models.horizon import Horizon
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.proposal import Outlook
from planner.models.route import NextHop, Route
from planner.models.topology import Topology
from planner.plan.probes import probes

STATE = NodeState(
    name="node-1",
    links=(Link(name="eth0", addresses=(Address(address="10.0.0.5", length=24),)),),
    routes=(Route(family="ip", prefix="0.0.0.0/0", nexthops=(NextHop(via="10.0.0.1", link="eth0"),)),),
)
OUTLOOK = Outlook(node="node-1", before={Horizon.NOW: STATE}, after={Horizon.NOW: STATE})
TOPOLOGY = Topology(
    node="node-1", dns_service=("10.96.0.10",), api_servers=("10.0.0.2", "fd00::2"), uplinks=("eth0",)
)
CLUSTER = Cluster(
    pods=(
        Pod(namespace="a", name="here", node="node-1", addresses=("10.244.0.7",)),
        Pod(namespace="a", name="there", node="node-2", addresses=("10.244.1.7",)),
    ),
    services=(
        Service(
            namespace="shop",
            name="web",
            type="NodePort",
            ports=(ServicePort(port=80, node_port=30080),),
            endpoints=(Endpoint(address="10.244.0.7"),),
        ),
    ),
)


def argvs(topology: Topology | None, cluster: Cluster | None) -> list[str]:
    return [" ".join(probe.argv) for probe in probes(OUTLOOK, topology, cluster)]


def test_the_paths_people_notice_first() -> None:
    """Gateway, DNS, API server, a pod elsewhere, a node port, and the way out of a pod."""
    found = argvs(TOPOLOGY, CLUSTER)

    for words in (
        "ping -c 1 -W 3 -I eth0 10.0.0.1",
        "nslookup -timeout=3 kubernetes.default.svc.cluster.local 10.96.0.10",
        "ping -c 1 -W 3 10.244.1.7",
        "nc -z -w 3 10.0.0.5 30080",
        "kubectl exec -n a here -- nslookup kubernetes.io",
    ):
        assert words in found
    assert any("https://10.0.0.2:6443/livez" in probe for probe in found)
    assert any("https://[fd00::2]:6443/livez" in probe for probe in found)


def test_without_knowledge_there_is_only_the_gateway() -> None:
    """A probe of something that may not exist would be believed to be broken by the change."""
    assert ["ping -c 1 -W 3 -I eth0 10.0.0.1"] == argvs(None, None)
