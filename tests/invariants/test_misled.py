"""Pods of another node, asked by way of a node that has not got them."""

import pytest
from small_world import FLANNEL, cluster, node

from planner.invariants.check import kept
from planner.models.horizon import Horizon
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose
from planner.topology.derive import derive_topology

EMPTY = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
NODES = cluster(
    {
        "nodes.json": """{"kind": "NodeList", "items": [
  {"kind": "Node", "metadata": {"name": "node-1"}, "spec": {"podCIDRs": ["10.244.1.0/24"]},
   "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.10"}]}},
  {"kind": "Node", "metadata": {"name": "node-2"}, "spec": {"podCIDRs": ["10.244.2.0/24"]},
   "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.11"}]}},
  {"kind": "Node", "metadata": {"name": "node-3"}, "spec": {"podCIDRs": ["10.244.3.0/24"]},
   "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.12"}]}}
]}"""
    }
)
ROUTES = (
    "default via 192.0.2.1 dev eth0 proto static",
    "192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.10",
    "10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1",
    "10.244.3.0/24 via 192.0.2.12 dev eth0",
)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("192.0.2.11", "192.0.2.12", "it leaves to 192.0.2.12, which is node-3, and 10.244.2.2 is on node-2"),
        ("192.0.2.12", "192.0.2.11", ""),
        ("192.0.2.11", "192.0.2.254", ""),
        (
            "192.0.2.254",
            "192.0.2.12",
            "it leaves to 192.0.2.12, which is node-3, and 10.244.2.2 is on node-2",
        ),
    ],
)
def test_another_next_hop_on_the_same_link(before: str, after: str, expected: str) -> None:
    """A node that has not got the pods does not deliver them; what a router does is not known, and their own node is right."""
    links = tuple(link for link in FLANNEL if link.name != "flannel.1")
    state = node(links=links, routes=(*ROUTES, f"10.244.2.0/24 via {before} dev eth0"), iptables=EMPTY)
    outlook = propose(
        state, [recognise("change.sh", f"ip route replace 10.244.2.0/24 via {after} dev eth0\n")]
    )
    found = kept(outlook, derive_topology(state, NODES), NODES)
    mine = [one for one in found if one.path.name == "pods-reach-pods-elsewhere/10.244.2.2"]

    assert {expected} == {one.after.reason for one in mine if one.horizon is Horizon.NOW}
    assert bool(expected) == any(one.newly_broken for one in mine)
