"""Packets of a node as kubernetes builds it, sent after changes of every sort: what the model says of each is what the kernel does."""

import pytest
from strategies import DEMO

from planner.cli.inputs import load_state
from planner.models.proposal import Fragment, FragmentKind
from planner.models.rehearsal import ARRIVES
from planner.plan.build import build_plan
from planner.proposal.propose import propose
from planner.rehearse.run import rehearse

CHANGES = {
    "translation-flushed": (
        "iptables -t nat -F",
        {"pods-reach-services", "pods-reach-dns"},
    ),
    "services-unhooked": (
        "iptables -t nat -D PREROUTING -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES",
        {"pods-reach-services", "pods-reach-dns", "outside-reaches-node-ports"},
    ),
    "forward-dropped": (
        "iptables -I FORWARD -j DROP",
        {"pods-reach-outside", "pods-reach-pods-elsewhere", "pods-elsewhere-reach-pods"},
    ),
    "input-dropped": (
        "iptables -I INPUT ! -i lo -j DROP",
        {"operator-reaches-node", "kubelet-probes-pods", "node-reaches-resolvers", "overlay-is-carried"},
    ),
    "output-dropped": ("iptables -I OUTPUT -o cni0 -j DROP", {"kubelet-probes-pods"}),
    "bridge-down": (
        "ip link set cni0 down",
        {"pods-reach-outside", "pods-reach-pods-elsewhere", "kubelet-probes-pods", "pods-reach-dns"},
    ),
    "overlay-down": (
        "ip link set flannel.1 down",
        {"pods-reach-pods-elsewhere", "pods-elsewhere-reach-pods"},
    ),
    "default-route-gone": ("ip route del default", {"pods-reach-outside", "node-reaches-outside"}),
    "overlay-route-gone": ("ip route del 10.244.2.0/24", {"pods-reach-pods-elsewhere"}),
    "overlay-route-moved": (
        "ip route replace 10.244.2.0/24 via 10.0.0.12 dev eth0",
        {"pods-reach-pods-elsewhere"},
    ),
    "bridge-address-gone": (
        "ip addr flush dev cni0",
        {"pods-reach-outside", "pods-reach-pods-elsewhere", "kubelet-probes-pods"},
    ),
    "forwarding-off": ("sysctl -w net.ipv4.ip_forward=0", {"pods-reach-outside", "pods-reach-services"}),
    "nothing-lost": ("iptables -I FORWARD -j ACCEPT\nsysctl -w net.core.somaxconn=1024", set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_packet_goes_as_predicted(name: str) -> None:
    """Those that no longer arrive as well as all the others."""
    script, lost = CHANGES[name]
    snapshot = load_state(DEMO)
    fragment = Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text=script)
    outlook = propose(snapshot.nodes[0], (fragment,))
    found = rehearse(outlook, build_plan(outlook), cluster=snapshot.cluster, trials=False)
    sent = [probe for turn in found.turns for probe in turn.probes]

    assert 25 <= len({probe.path for probe in sent})
    assert [] == [probe for probe in sent if not probe.agrees]
    shut = {probe.path.partition("/")[0] for probe in sent if probe.after != ARRIVES}
    assert set() == lost - shut
    assert bool(lost) == bool(shut)
