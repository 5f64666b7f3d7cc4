"""Source ports against NodePorts, listeners and reservations, in both directions."""

from hypothesis import given
from hypothesis import strategies as st

from planner.models.change import SysctlChange
from planner.models.cluster import Cluster, Service, ServicePort
from planner.models.finding import Confidence, Extent
from planner.models.horizon import Horizon
from planner.models.node import Listener, NodeState, Volatile
from planner.models.proposal import Outlook
from planner.models.ruleset import Ruleset, Table
from planner.risks.catalogue import entries, find
from planner.risks.risk import Review
from planner.topology.derive import derive_topology
from planner.topology.ports import PortPool, newly_offered, port_list, spans

RANGE, RESERVED = "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"
OURS = {entry.risk.id for entry in entries() if ".capacity." in entry.module}
DEFAULT = "32768 60999"
KUBELET = Listener(protocol="tcp", address="*", port=10250, process="kubelet")


def services(*ports):
    rules = tuple(
        f'-p tcp -m comment --comment "a/b:c" -m tcp --dport {port} -j KUBE-EXT-A' for port in ports
    )
    chains = {"KUBE-SERVICES": ("-j KUBE-NODEPORTS",), "KUBE-NODEPORTS": rules}
    return Ruleset(family="ip", backend="nft", tables={"nat": Table(name="nat", chains=chains)})


def node(*, ports=(), listeners=(KUBELET,), sockets=None, rulesets=None):
    return NodeState(
        name="n1",
        rulesets=(services(*ports),) if rulesets is None else rulesets,
        volatile=Volatile(listeners=listeners, sockets={"tcp_inuse": 300} if sockets is None else sockets),
    )


def judged(before, after, state=None, *, cluster=None):
    """Findings by risk, for a step from one (range, reserved list) to another."""
    state = state or node()
    former = state.model_copy(update={"sysctls": dict(zip((RANGE, RESERVED), before, strict=True))})
    later = state.model_copy(update={"sysctls": dict(zip((RANGE, RESERVED), after, strict=True))})
    topology = derive_topology(former, cluster)
    changes = tuple(
        SysctlChange(node="n1", key=key, before=one, after=other)
        for key, one, other in zip((RANGE, RESERVED), before, after, strict=True)
        if one != other
    )
    review = Review(
        before=former,
        after=later,
        topology=topology,
        topology_after=topology,
        outlook=Outlook(
            node="n1", before=dict.fromkeys(Horizon, former), after=dict.fromkeys(Horizon, later)
        ),
        changes=changes,
        cluster=cluster,
    )
    return {finding.risk: finding for finding in find(changes, lambda _: review) if finding.risk in OURS}


class TestNodePorts:
    def test_a_range_over_node_ports_in_use(self):
        """The NodePorts that Services really have are named, and the harm comes by chance."""
        found = judged((DEFAULT, ""), ("10240 65535", ""), node(ports=(30080, 31000), listeners=()))

        finding = found["port-range-over-nodeports"]
        assert (Extent.PARTIAL, True, Confidence.PROVEN) == (
            finding.extent,
            finding.capacity,
            finding.confidence,
        )
        assert "30080 and 31000" in finding.message

    def test_a_range_over_node_ports_that_nobody_uses(self):
        """Without a Service in the overlap nothing breaks now."""
        found = judged((DEFAULT, ""), ("10240 65535", ""))

        assert Extent.NONE is found["port-range-over-nodeports"].extent

    def test_reserved_node_ports_are_safe(self):
        """The kernel skips reserved ports when it chooses: nothing is lost."""
        found = judged((DEFAULT, ""), ("10240 65535", "10250,30000-32767"), node(ports=(30080,)))

        assert {Extent.NONE} == {finding.extent for finding in found.values()}

    def test_a_range_that_misses_them_is_quiet(self):
        """The default NodePorts end at 32767."""
        assert {} == judged((DEFAULT, ""), ("32768 65535", ""), node(ports=(30080,)))

    def test_unread_rules_leave_the_answer_open(self):
        """Whether NodePorts are in use is not known without rules and without a cluster."""
        found = judged((DEFAULT, ""), ("10240 65535", ""), node(rulesets=()))["port-range-over-nodeports"]

        assert (Confidence.UNKNOWN, Extent.PARTIAL) == (found.confidence, found.extent)
        assert found.unknown_because

    def test_the_cluster_knows_them_too(self):
        """A node without kube-proxy's rules learns its NodePorts from the API."""
        cluster = Cluster(
            services=(Service(namespace="a", name="b", ports=(ServicePort(port=80, node_port=30080),)),)
        )
        found = judged((DEFAULT, ""), ("10240 65535", ""), node(rulesets=()), cluster=cluster)

        assert "30080" in found["port-range-over-nodeports"].message

    def test_an_overlap_that_was_there_before_is_not_new(self):
        """Only ports that the change adds are reported."""
        assert {} == judged(("10240 60999", ""), ("10240 65535", ""), node(ports=(30080,)))


class TestReservations:
    def test_a_list_that_replaces_the_other(self):
        """Writing ports for one application ends the reservation of NodePorts in use."""
        before, after = ("10240 65535", "30000-32767"), ("10240 65535", "8080,9148")
        found = judged(before, after, node(ports=(30080,)))

        assert ["reserved-ports-lost"] == list(found)
        assert Extent.PARTIAL is found["reserved-ports-lost"].extent

    def test_a_reservation_outside_the_range_protects_nothing(self):
        """A port that the kernel never hands out needs no reservation."""
        assert {} == judged((DEFAULT, "30000-32767"), (DEFAULT, ""), node(ports=(30080,)))

    def test_a_daemons_port_loses_its_reservation(self):
        """Ports of listeners count like NodePorts."""
        found = judged(("10240 65535", "10250"), ("10240 65535", ""), node(ports=()))

        assert "kubelet (10250)" in found["reserved-ports-lost"].message
        assert Extent.PARTIAL is found["reserved-ports-lost"].extent

    def test_more_reservations_are_quiet(self):
        """Adding to the list takes a few ports from the pool, no more."""
        assert {} == judged(("10240 65535", ""), ("10240 65535", "10250,30000-32767"), node(ports=(30080,)))

    def test_one_port_is_told_once(self):
        """When range and list change together, a port belongs to one finding."""
        before, after = (DEFAULT, "40000"), ("10240 65535", "")
        claims = node(
            ports=(30080,),
            listeners=(KUBELET, Listener(protocol="tcp", address="*", port=40000, process="x")),
        )
        found = judged(before, after, claims)

        assert "30080" in found["port-range-over-nodeports"].message
        assert "40000" in found["reserved-ports-lost"].message
        assert "40000" not in found["port-range-over-listeners"].message


class TestListeners:
    def test_a_range_over_daemons_bites_when_they_restart(self):
        """While a daemon listens its port is safe; while it restarts a connection may take it."""
        found = judged((DEFAULT, ""), ("1024 65535", ""))["port-range-over-listeners"]

        assert (Extent.PARTIAL, Horizon.SERVICE_RESTART) == (found.extent, found.onset)
        assert "kubelet bind (10250)" in found.message

    def test_sockets_that_were_not_read_are_taken_from_the_components(self):
        """The kubelet listens on 10250 also where nobody looked: a remark, not an alarm."""
        found = judged((DEFAULT, ""), ("1024 65535", ""), node(listeners=()))["port-range-over-listeners"]

        assert (Extent.NONE, Confidence.LIKELY) == (found.extent, found.confidence)

    def test_listeners_below_the_range_are_quiet(self):
        """A range that stays above them does not concern them."""
        assert {} == judged((DEFAULT, ""), ("32768 65535", ""))


class TestSizeOfThePool:
    def test_all_ports_reserved_ends_every_connection_of_the_host(self):
        """Measured: with the whole range reserved, connect() finds no port."""
        found = judged((DEFAULT, ""), ("32768 33000", "32768-33000"))["port-range-too-narrow"]

        assert Extent.TOTAL is found.extent

    def test_fewer_ports_than_sockets(self):
        """A pool below five times the sockets of the host may end under load."""
        found = judged((DEFAULT, ""), ("32768 33767", ""))["port-range-too-narrow"]

        assert (Extent.INTERMITTENT, True) == (found.extent, found.capacity)

    def test_room_enough_is_a_remark(self):
        """Half the range with few sockets breaks nothing."""
        found = judged((DEFAULT, ""), ("32768 45000", ""))["port-range-too-narrow"]

        assert Extent.NONE is found.extent

    def test_unknown_sockets_are_unknown(self):
        """Without a count a pool of a third is an open question."""
        found = judged((DEFAULT, ""), ("32768 40000", ""), node(sockets={}))["port-range-too-narrow"]

        assert (Confidence.UNKNOWN, Extent.INTERMITTENT) == (found.confidence, found.extent)


ports = st.integers(1, 65535)
pools = st.builds(
    lambda low, high, reserved: PortPool(min(low, high), max(low, high), frozenset(reserved)),
    ports,
    ports,
    st.sets(ports),
)


class TestArithmetic:
    @given(pool=pools)
    def test_the_size_counts_what_the_pool_holds(self, pool):
        """The size is the number of ports that are in the pool."""
        assert sum(port in pool for port in range(pool.low, pool.high + 1)) == pool.size

    @given(before=pools, after=pools, wanted=st.sets(ports))
    def test_newly_offered_ports_are_in_the_one_pool_and_not_in_the_other(self, before, after, wanted):
        """No port is blamed on a change that did not bring it."""
        found = set(newly_offered(before, after, wanted))

        assert {port for port in wanted if port in after and port not in before} == found
        assert () == newly_offered(after, after, wanted)

    @given(numbers=st.sets(ports, min_size=1, max_size=20))
    def test_spans_can_be_read_back(self, numbers):
        """What people read names exactly these ports."""
        text = spans(numbers, most=100).replace(" and ", ",")

        assert numbers == set(port_list(text))
