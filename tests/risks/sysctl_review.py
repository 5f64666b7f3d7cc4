"""Small nodes, and what the catalogue says about writes to their sysctls."""

from collections.abc import Mapping, Sequence

from planner.diff.sysctls import diff_sysctls
from planner.models.change import FileChange, SysctlChange
from planner.models.cluster import Cluster
from planner.models.finding import Finding, Level
from planner.models.horizon import Horizon
from planner.models.link import Address, Link
from planner.models.node import ConfigFile, NodeState
from planner.models.proposal import Outlook
from planner.models.route import NextHop, PolicyRule, Route
from planner.models.source import Source
from planner.models.topology import Overlay, PodAttachment, Topology
from planner.proposal.sysctl import write_sysctl
from planner.risks.catalogue import find
from planner.risks.risk import Review
from planner.scoring.score import score_finding
from planner.sysctls.names import conf

FLANNEL = Topology(
    node="node-1",
    overlay=Overlay.FLANNEL_VXLAN,
    attachment=PodAttachment.BRIDGE,
    pod_ranges=("10.244.0.0/16",),
    node_pod_ranges=("10.244.1.0/24",),
    uplinks=("eth0",),
    overlay_links=("flannel.1",),
    bridges=("cni0",),
    pod_links=("veth1", "veth2"),
    kube_proxy_mode="iptables",
    node_ports=(30080,),
    pods=40,
)
CALICO = FLANNEL.model_copy(
    update={
        "overlay": Overlay.CALICO_BGP,
        "attachment": PodAttachment.ROUTED,
        "overlay_links": (),
        "bridges": (),
        "pod_links": ("cali1", "cali2"),
        "pods": 2,
    }
)
CILIUM = CALICO.model_copy(
    update={"overlay": Overlay.CILIUM, "pod_links": ("lxc1", "lxc2"), "kube_proxy_mode": "none"}
)


def link(name: str, *addresses: str, kind: str = "", master: str = "") -> Link:
    """A link with addresses such as `10.0.0.5/24`."""
    return Link(
        name=name,
        kind=kind,
        master=master,
        mac="02:00:00:00:00:01",
        addresses=tuple(
            Address(
                address=a.split("/")[0],
                length=int(a.split("/")[1]),
                scope="link" if a.startswith("fe80") else "global",
            )
            for a in addresses
        ),
    )


def route(prefix: str, dev: str, via: str = "", *, protocol: str = "", table: str = "254") -> Route:
    """A route through one link."""
    return Route(
        family="ip6" if ":" in prefix else "ip",
        prefix=prefix,
        table=table,
        protocol=protocol,
        nexthops=(NextHop(link=dev, via=via),),
    )


DEFAULT_ROUTE = route("0.0.0.0/0", "eth0", "10.0.0.1")
FLANNEL_LINKS = (
    link("lo", "127.0.0.1/8"),
    link("eth0", "10.0.0.5/24", "fe80::1/64"),
    link("cni0", "10.244.1.1/24", kind="bridge"),
    link("flannel.1", "10.244.1.0/32", kind="vxlan"),
    link("veth1", kind="veth", master="cni0"),
    link("veth2", kind="veth", master="cni0"),
)
CALICO_LINKS = (
    link("lo", "127.0.0.1/8"),
    link("eth0", "10.0.0.5/24"),
    link("cali1", kind="veth"),
    link("cali2", kind="veth"),
)
CALICO_ROUTES = (DEFAULT_ROUTE, route("10.244.1.7/32", "cali1"), route("10.244.1.8/32", "cali2"))
CILIUM_LINKS = (
    link("lo", "127.0.0.1/8"),
    link("eth0", "10.0.0.5/24"),
    link("lxc1", kind="veth"),
    link("lxc2", kind="veth"),
    link("cilium_host", "10.244.1.1/32"),
)
KNOBS4 = {
    "forwarding": "1",
    "rp_filter": "0",
    "arp_ignore": "0",
    "arp_announce": "0",
    "arp_filter": "0",
    "proxy_arp": "0",
    "accept_local": "0",
    "accept_redirects": "0",
    "accept_source_route": "0",
    "route_localnet": "0",
    "send_redirects": "1",
    "log_martians": "0",
    "src_valid_mark": "0",
    "disable_xfrm": "0",
}
KNOBS6 = {
    "forwarding": "0",
    "accept_ra": "1",
    "disable_ipv6": "0",
    "addr_gen_mode": "0",
    "accept_redirects": "1",
}
PLAIN = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.core.somaxconn": "4096",
    "net.core.rmem_max": "212992",
    "net.core.wmem_max": "212992",
    "net.ipv4.tcp_syncookies": "1",
    "net.ipv4.tcp_mtu_probing": "0",
    "net.ipv4.tcp_mem": "88000 118000 177000",
    "net.ipv4.udp_mem": "180000 240000 360000",
    "net.ipv4.tcp_rmem": "4096 131072 33554432",
    "net.ipv4.tcp_keepalive_time": "7200",
    "net.ipv4.ip_local_port_range": "32768 60999",
    "net.ipv4.ip_local_reserved_ports": "",
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    "net.ipv4.fib_multipath_hash_policy": "0",
    "net.ipv4.ipfrag_high_thresh": "4194304",
    "net.ipv4.ipfrag_low_thresh": "0",
    "net.ipv4.vs.conntrack": "1",
    "net.netfilter.nf_conntrack_tcp_loose": "1",
    "net.netfilter.nf_conntrack_tcp_be_liberal": "0",
    "net.netfilter.nf_conntrack_tcp_timeout_established": "86400",
    "net.netfilter.nf_conntrack_udp_timeout": "30",
    "fs.file-max": "9000000",
    "fs.nr_open": "1048576",
    "fs.inotify.max_user_instances": "8192",
    "fs.inotify.max_user_watches": "8192",
    "user.max_net_namespaces": "96365",
    "vm.swappiness": "60",
    "vm.overcommit_memory": "1",
    "kernel.panic": "10",
}


def node(links: Sequence[Link] = FLANNEL_LINKS, routes: Sequence[Route] = (DEFAULT_ROUTE,)) -> NodeState:
    """A node that forwards, with every knob of every link."""
    sysctls = dict(PLAIN)
    for name in ("all", "default", *(own.name for own in links)):
        sysctls |= {conf("ipv4", name, knob): value for knob, value in KNOBS4.items()}
        sysctls |= {conf("ipv6", name, knob): value for knob, value in KNOBS6.items()}
    return NodeState(name="node-1", links=tuple(links), routes=tuple(routes), sysctls=sysctls)


def with_values(state: NodeState, values: Mapping[str, str]) -> NodeState:
    """The node with other values from the start."""
    return state.model_copy(update={"sysctls": {**state.sysctls, **values}})


def with_rules(state: NodeState, *rules: PolicyRule) -> NodeState:
    """The node with policy rules."""
    return state.model_copy(update={"policy_rules": rules})


def said(
    before: NodeState,
    writes: Sequence[tuple[str, str]],
    *,
    topology: Topology = FLANNEL,
    cluster: Cluster | None = None,
    files: Mapping[str, ConfigFile] | None = None,
) -> list[tuple[Level, Finding]]:
    """Level and finding of everything said about these writes, loudest first."""
    state, causes = before, {}
    for position, (key, value) in enumerate(writes, start=1):
        outcome = write_sysctl(state, key, value, source=Source(name="90-x.conf", line=position))
        assert not outcome.error, outcome.error
        state = outcome.state
        causes.update({effect.what: effect for effect in outcome.effects})
    after = state if files is None else state.model_copy(update={"files": dict(files)})
    changes = [
        change.model_copy(update={"cause": causes[name].cause, "source": causes[name].source})
        if (name := f"sysctl/{change.key}") in causes
        else change
        for change in diff_sysctls(before, after)
    ]
    return judged(before, after, changes, topology=topology, cluster=cluster)


def judged(
    before: NodeState,
    after: NodeState,
    changes: Sequence[SysctlChange | FileChange],
    *,
    topology: Topology = FLANNEL,
    cluster: Cluster | None = None,
    reboot: NodeState | None = None,
) -> list[tuple[Level, Finding]]:
    """What the catalogue says about given changes."""
    horizons = dict.fromkeys(Horizon, after)
    if reboot is not None:
        horizons[Horizon.REBOOT] = reboot
    outlook = Outlook(node=before.name, before=dict.fromkeys(Horizon, before), after=horizons)
    review = Review(
        before=before,
        after=after,
        topology=topology,
        topology_after=topology,
        outlook=outlook,
        changes=tuple(changes),
        cluster=cluster,
    )
    found = find(changes, lambda _: review)
    scored = [
        (
            score_finding(finding, node=before, cluster=cluster, topology=topology, nodes_total=1).level,
            finding,
        )
        for finding in found
    ]
    return sorted(scored, key=lambda pair: (-pair[0], pair[1].risk, pair[1].message))


def loudest(found: Sequence[tuple[Level, Finding]]) -> Level:
    """The highest level; none when nothing was said."""
    return found[0][0] if found else Level.NONE
