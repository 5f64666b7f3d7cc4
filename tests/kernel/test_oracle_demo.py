"""A Kubernetes node with the rules of kube-proxy, flannel and portmap: what becomes of its traffic, by the kernel and by the model."""

from collections.abc import Iterator

import pytest
from demo_stage import CLIENT, PORTS, demo_node, of_pod
from oracle.hand import Hand, tcp, udp

from planner.models.flow import Flow


@pytest.fixture(scope="module")
def node() -> Iterator[Hand]:
    """The node of the demo."""
    with demo_node() as node:
        yield node


def outcomes(node: Hand, flow: Flow, times: int = 40) -> set[str]:
    """What happens when it is sent again and again: kube-proxy's rules choose by chance."""
    return {node.outcome(flow) for _ in range(times)}


def test_a_pod_reaches_a_service_by_all_its_endpoints(node: Hand) -> None:
    """Six endpoints on three nodes: two behind the bridge, four behind the overlay; the pod's own address stays."""
    found = outcomes(node, of_pod(tcp, f"{CLIENT}.40000", "10.96.44.1.80"), 80)
    here = {f"bridged to {PORTS[pod]}: {CLIENT}.40000 > {pod}.8080" for pod in ("10.244.1.10", "10.244.1.11")}
    away = {
        f"sent by flannel.1 to 10.244.{n}.0: {CLIENT}.40000 > 10.244.{n}.{host}.8080"
        for n in (2, 3)
        for host in (10, 11)
    }
    assert here | away == found


def test_a_pod_reaches_dns(node: Hand) -> None:
    """By UDP and by TCP."""
    for make in (udp, tcp):
        found = outcomes(node, of_pod(make, f"{CLIENT}.40000", "10.96.0.10.53"))
        assert {
            f"bridged to veth0: {CLIENT}.40000 > 10.244.1.2.53",
            f"sent by flannel.1 to 10.244.2.0: {CLIENT}.40000 > 10.244.2.2.53",
        } == found


def test_a_pod_reaches_the_api_server(node: Hand) -> None:
    """The endpoint is no pod: flannel hides the pod behind the node's address."""
    found = node.outcome(of_pod(tcp, f"{CLIENT}.40000", "10.96.0.1.443"))
    assert found.startswith("sent by eth0 to 10.0.0.10: 10.0.0.11.")
    assert found.endswith(" > 10.0.0.10.6443")


def test_a_pod_reaches_a_pod_of_another_node_as_itself(node: Hand) -> None:
    """By the overlay, without masquerade."""
    assert f"sent by flannel.1 to 10.244.2.0: {CLIENT}.40000 > 10.244.2.7.8080" == node.outcome(
        of_pod(tcp, f"{CLIENT}.40000", "10.244.2.7.8080")
    )


def test_a_pod_of_another_node_reaches_a_pod_here(node: Hand) -> None:
    """What comes by the overlay goes to the bridge as it is."""
    flow = tcp("10.244.2.7.40000", "10.244.1.10.8080", "flannel.1")
    assert "sent by cni0 to 10.244.1.10: 10.244.2.7.40000 > 10.244.1.10.8080" == node.outcome(flow)


def test_a_pod_reaches_the_outside_behind_the_node(node: Hand) -> None:
    """Masqueraded by flannel."""
    found = node.outcome(of_pod(tcp, f"{CLIENT}.40000", "198.51.100.9.443"))
    assert found.startswith("sent by eth0 to 10.0.0.1: 10.0.0.11.")
    assert found.endswith(" > 198.51.100.9.443")


def test_a_node_port_hides_the_client(node: Hand) -> None:
    """From outside to the node's address: any endpoint, masqueraded with the address of the link towards it."""
    found = outcomes(node, tcp("192.0.2.9.40000", "10.0.0.11.30080"))
    assert {"cni0 to 10.244.1.3", "flannel.1 to 10.244.3.0"} == {
        one.partition("sent by ")[2].partition(":")[0] for one in found
    }
    assert {"10.244.1.1", "10.244.1.0"} == {
        one.split(": ")[1].rpartition(" > ")[0].rpartition(".")[0] for one in found
    }


def test_a_host_port_keeps_the_client(node: Hand) -> None:
    """portmap translates the destination only; for a pod of the node's own range it masquerades too."""
    assert "sent by cni0 to 10.244.1.3: 192.0.2.9.40000 > 10.244.1.3.80" == node.outcome(
        tcp("192.0.2.9.40000", "10.0.0.11.80")
    )
    found = node.outcome(of_pod(tcp, f"{CLIENT}.40000", "10.0.0.11.80"))
    assert found.endswith(" > 10.244.1.3.80")


def test_a_pod_reaches_itself_by_its_service(node: Hand) -> None:
    """The one endpoint that is itself is masqueraded, so that the answer comes back."""
    found = outcomes(node, of_pod(tcp, "10.244.1.3.40000", "10.96.12.7.80"))
    assert any("> 10.244.1.3.80" in one and "10.244.1.3.40000" not in one for one in found)


def test_the_node_reaches_a_service_and_its_pods(node: Hand) -> None:
    """As the kubelet does: with the address that faces the pod."""
    probe = tcp("10.244.1.1.40000", "10.244.1.10.8080", "")
    assert "sent by cni0 to 10.244.1.10: 10.244.1.1.40000 > 10.244.1.10.8080" == node.outcome(probe)
    found = node.outcome(tcp("10.0.0.11.40000", "10.96.0.1.443", ""))
    assert found.endswith(" > 10.0.0.10.6443")


def test_loopback_is_not_open_to_the_neighbourhood(node: Hand) -> None:
    """A martian to the kernel, whatever kube-proxy's rule for it would say."""
    assert "silence" == node.outcome(tcp("10.0.0.9.40000", "127.0.0.1.10249"))
