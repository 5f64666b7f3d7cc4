"""The table of levels, printed whole and asked with the smallest finding that each row is about."""

from planner.models.change import FileChange, LinkChange, SysctlChange
from planner.models.cluster import Cluster, Endpoint, HostPort, Pod, Service, ServicePort
from planner.models.finding import Confidence, Extent, Finding, Level, Reversibility
from planner.models.node import Conntrack, NodeState, Volatile
from planner.models.topology import Topology
from planner.models.traffic import TrafficClass
from planner.scoring.blast import blast_radius, spread
from planner.scoring.score import score_change, score_finding
from planner.scoring.table import BANDS, TABLE, printed

NODE = NodeState(name="node-1")
CHANGE = LinkChange(node="node-1", link="eth0", field="mtu", before="1500", after="1400")
CROSS, SERVICE, DNS = (
    TrafficClass.POD_TO_POD_CROSS_NODE,
    TrafficClass.POD_TO_SERVICE,
    TrafficClass.DNS,
)

EXPECTED = """\
| level | statement | what makes it so |
| --- | --- | --- |
| critical | `undo-out-of-reach` | The operator or the undo may not reach the node afterwards. |
| critical | `control-path-lost` | The node loses its API server or its management access. |
| critical | `class-lost-node-wide` | A traffic class is lost for practically all pods of the node. |
| high | `newly-let-in` | Something outside is newly let in. |
| high | `class-lost-for-some` | A traffic class is lost for the pods, ports or entries that use it, not for the whole node. |
| high | `control-path-disturbed` | The path to the API server or to the operator works only for some flows or some of the time. |
| high | `now-and-then-for-all` | A class that every pod uses fails now and then, without any load. |
| high | `essential-path-lost` | DNS or health probes that worked fail for some pods. |
| high | `several-classes` | Several traffic classes are lost for some flows, pods or ports. |
| high | `new-pods-fail` | New pods do not start on the node. |
| high | `no-way-back` | Flows are lost, and undoing does not bring them all back. |
| high | `rehearsal-refutes` | Run on a real kernel, the plan does something else than it says, or its way back leaves something behind. |
| medium | `some-flows` | Some flows, pods or ports of one class are lost, or only under load or on a node event. |
| medium | `source-or-path-changes` | The source address that others see, or what guards a path, changes. |
| medium | `path-closed` | A listening port of the node, or a network behind it, no longer answers senders that it answered. |
| medium | `path-changes` | Packets take another way, or go to another destination. |
| medium | `live-connections-break` | Open connections break once; new ones work. |
| medium | `may-take-away` | Not decided, and it can take something away that worked. |
| low | `latent` | Latent, cosmetic, or a matter of capacity and timing. |
| none | `proven-equal` | It is proven that no packet changes its fate. |
"""


def finding(*breaks: TrafficClass, **facts: object) -> Finding:
    return Finding(risk="r", change=CHANGE, message="m", breaks=breaks, **facts)


def level(item: Finding, *, pods: int | None = 10) -> Level:
    score = score_finding(
        item, node=NODE, cluster=None, topology=Topology(node="node-1", pods=pods), nodes_total=1
    )
    return score.level


def test_the_whole_table() -> None:
    """The printed table is the judgement; whoever changes it changes this text."""
    print(printed())

    assert printed() == EXPECTED


def test_each_row_decides_its_own_smallest_finding() -> None:
    """No statement is shadowed by a louder one: each is the first to hold for some finding."""
    total, partial, now_and_then = Extent.TOTAL, Extent.PARTIAL, Extent.INTERMITTENT
    smallest = {
        "undo-out-of-reach": finding(cuts_undo=True),
        "control-path-lost": finding(TrafficClass.NODE_TO_APISERVER, extent=total),
        "class-lost-node-wide": finding(CROSS, extent=total),
        "newly-let-in": finding(exposes=True),
        "class-lost-for-some": finding(TrafficClass.HOSTPORT, extent=total),
        "control-path-disturbed": finding(TrafficClass.NODE_MANAGEMENT, extent=partial),
        "now-and-then-for-all": finding(SERVICE, extent=now_and_then),
        "essential-path-lost": finding(DNS, extent=partial),
        "several-classes": finding(CROSS, SERVICE, extent=partial),
        "new-pods-fail": finding(side_effects=("pod-lifecycle",)),
        "no-way-back": finding(CROSS, extent=partial, reversibility=Reversibility.NONE),
        "some-flows": finding(CROSS, extent=partial),
        "rehearsal-refutes": finding(side_effects=("rehearsal-refutes",)),
        "source-or-path-changes": finding(side_effects=("source-ip-lost",)),
        "path-closed": finding(side_effects=("path-closed",)),
        "path-changes": finding(side_effects=("path-changed",)),
        "live-connections-break": finding(CROSS, reversibility=Reversibility.WITH_LOSS),
        "may-take-away": finding(extent=partial, confidence=Confidence.UNKNOWN, unknown_because="x"),
        "latent": finding(),
    }

    for row in TABLE:
        score = score_finding(
            smallest[row.id],
            node=NODE,
            cluster=None,
            topology=Topology(node="node-1", pods=10),
            nodes_total=1,
        )
        assert (row.level, row.words) == (score.level, score.why["level"]), row.id


def test_load_alone_is_medium() -> None:
    """What needs load or growth to bite is at most medium, even for DNS."""
    assert Level.MEDIUM == level(finding(DNS, extent=Extent.INTERMITTENT, capacity=True))


def test_a_class_lost_for_few_pods_is_high_not_critical() -> None:
    """A count that says `one of ten` keeps a total loss out of the critical rows."""
    assert Level.HIGH == level(finding(CROSS, extent=Extent.TOTAL, pods=1))
    assert Level.CRITICAL == level(finding(CROSS, extent=Extent.TOTAL, pods=9))


def test_an_unknown_never_lowers() -> None:
    """The same facts, less sure: the level stays or rises."""
    for facts in ({"extent": Extent.TOTAL}, {"extent": Extent.PARTIAL}, {"extent": Extent.INTERMITTENT}):
        for breaks in ((CROSS,), (DNS,), (TrafficClass.HOSTPORT,), (TrafficClass.NODE_MANAGEMENT,)):
            sure = finding(*breaks, **facts)
            unsure = finding(*breaks, **facts, confidence=Confidence.UNKNOWN, unknown_because="x")

            assert level(sure) <= level(unsure)


def test_numbers_stay_in_their_bands_and_follow_the_count() -> None:
    """The number sorts inside a level: more pods, larger number; never into another band."""
    for row in (finding(CROSS, extent=Extent.TOTAL), finding(CROSS, extent=Extent.PARTIAL), finding()):
        numbers = []
        for pods in (0, 1, 10, 110, 1000, 100_000):
            score = score_finding(
                row.model_copy(update={"pods": pods if row.breaks else None}),
                node=NODE,
                cluster=None,
                topology=Topology(node="node-1", pods=pods),
                nodes_total=1,
            )
            low, high = BANDS[score.level]
            assert low <= score.number <= high
            numbers.append(score.number)

        assert numbers == sorted(numbers)


def test_the_blast_radius_is_counted_from_the_cluster() -> None:
    """Pods of this node that have addresses of their own, their workloads and namespaces, and Services with endpoints here."""
    pods = (
        Pod(
            namespace="shop", name="web-1", node="node-1", workload="Deployment/web", addresses=("10.0.0.1",)
        ),
        Pod(
            namespace="shop", name="web-2", node="node-1", workload="Deployment/web", addresses=("10.0.0.2",)
        ),
        Pod(namespace="kube-system", name="proxy", node="node-1", host_network=True),
        Pod(namespace="shop", name="web-3", node="node-2", workload="Deployment/web"),
        Pod(namespace="shop", name="done", node="node-1", phase="Succeeded"),
    )
    services = (
        Service(namespace="shop", name="web", endpoints=(Endpoint(address="10.0.0.1", node="node-1"),)),
        Service(namespace="shop", name="far", endpoints=(Endpoint(address="10.0.9.1", node="node-2"),)),
    )
    node = NodeState(name="node-1", volatile=Volatile(conntrack=Conntrack(count=321)))

    radius = blast_radius(
        finding(CROSS, extent=Extent.TOTAL),
        node=node,
        cluster=Cluster(pods=pods, services=services),
        topology=Topology(node="node-1"),
        nodes_total=7,
    )

    assert 2 == radius.pods
    assert ("shop/Deployment/web",) == radius.workloads
    assert ("shop",) == radius.namespaces
    assert ("shop/web",) == radius.services
    assert 321 == radius.live_flows
    assert (
        "pod-to-pod-cross-node on node-1 (1 of 7 nodes): 2 pods, 1 workload in 1 namespace, 1 Service, "
        "321 tracked connections now open." == radius.sentence
    )


def test_host_ports_count_the_pods_that_claim_them() -> None:
    """A lost hostPort reaches the pods with one, also those that use the host's network."""
    port = HostPort(protocol="TCP", host_port=80, container_port=80)
    pods = (
        Pod(namespace="edge", name="ingress", node="node-1", host_ports=(port,)),
        Pod(namespace="shop", name="web", node="node-1"),
    )

    radius = blast_radius(
        finding(TrafficClass.HOSTPORT, extent=Extent.TOTAL),
        node=NODE,
        cluster=Cluster(pods=pods),
        topology=Topology(node="node-1"),
        nodes_total=1,
    )

    assert 1 == radius.pods


def test_pods_that_nobody_counted_are_not_zero() -> None:
    """Without a cluster and without pod links the number is unknown, and the number is that of a full node."""
    score = score_finding(
        finding(CROSS, extent=Extent.TOTAL),
        node=NODE,
        cluster=None,
        topology=Topology(node="node-1", pods=None),
        nodes_total=1,
    )

    assert score.blast.pods is None
    assert "an unknown number of pods" in score.blast.sentence
    assert score.number > BANDS[Level.CRITICAL][0]


def test_nodeports_reach_services_with_a_node_port() -> None:
    """Clients outside reach a Service through any node."""
    services = (
        Service(namespace="a", name="open", type="NodePort", ports=(ServicePort(port=80, node_port=30080),)),
        Service(namespace="a", name="inner", ports=(ServicePort(port=80),)),
    )

    radius = blast_radius(
        finding(TrafficClass.EXTERNAL_TO_NODEPORT_LB, extent=Extent.PARTIAL),
        node=NODE,
        cluster=Cluster(services=services),
        topology=Topology(node="node-1"),
        nodes_total=1,
    )

    assert ("a/open",) == radius.services


def test_a_change_takes_the_loudest_score() -> None:
    """Several findings about one change: the highest level, then the highest number."""
    scores = [
        score_finding(item, node=NODE, cluster=None, topology=Topology(node="node-1"), nodes_total=1)
        for item in (finding(), finding(CROSS, extent=Extent.TOTAL), finding(CROSS, extent=Extent.PARTIAL))
    ]

    assert scores[1] == score_change(CHANGE, scores)


def test_silence_about_a_link_is_not_a_proof() -> None:
    """Only where the catalogue is complete does no finding mean none; elsewhere it is low, and says so."""
    score = score_change(CHANGE, ())

    assert Level.LOW == score.level
    assert "not a proof" in score.why["level"]


def test_a_cohort_is_told_as_one() -> None:
    """The counts are those of one node; the sentence names how many are like it."""
    radius = blast_radius(
        finding(CROSS, extent=Extent.TOTAL),
        node=NODE,
        cluster=None,
        topology=Topology(node="node-1", pods=12),
        nodes_total=40,
    )

    assert (
        "pod-to-pod-cross-node on 3 nodes like node-1 (3 of 40 nodes): 12 pods each."
        == spread(radius, ("node-1", "node-2", "node-3")).sentence
    )


def test_a_raised_limit_takes_nothing() -> None:
    """Silence about a limit that grows is a proof; about one that shrinks, or about another key, it is none."""
    grown = SysctlChange(node="node-1", key="net.core.somaxconn", before="128", after="4096")
    shrunk = grown.model_copy(update={"before": "4096", "after": "128"})
    other = grown.model_copy(update={"key": "net.ipv4.tcp_mtu_probing", "before": "0", "after": "1"})

    assert (Level.NONE, Level.LOW, Level.LOW) == tuple(
        score_change(item, ()).level for item in (grown, shrunk, other)
    )


def test_a_sysctl_file_is_judged_by_its_keys() -> None:
    """Its own line says nothing more, unless a pattern in it waits for links to come; other files are not known so well."""

    def told(path: str, after: str) -> Level:
        change = FileChange(node="node-1", path=path, before="vm.swappiness = 1\n", after=after)
        return score_change(change, ()).level

    assert Level.NONE is told("/etc/sysctl.d/90.conf", "vm.swappiness = 2\n")
    assert Level.LOW is told("/etc/sysctl.d/90.conf", "net.ipv4.conf.*.rp_filter = 1\n")
    assert Level.LOW is told("/etc/netplan/90.conf", "vm.swappiness = 2\n")
