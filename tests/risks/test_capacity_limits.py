"""Limits lowered against what is used: conntrack, neighbours, memory, files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models.change import Cause, SysctlChange
from planner.models.cluster import Cluster, ClusterNode
from planner.models.finding import Confidence, Extent
from planner.models.horizon import Horizon
from planner.models.link import Address, Link, Neighbour
from planner.models.node import Conntrack, NodeState, Volatile
from planner.models.proposal import Outlook
from planner.models.ruleset import Ruleset, Table
from planner.risks.catalogue import entries, find
from planner.risks.risk import Review
from planner.topology.derive import derive_topology

OURS = {entry.risk.id for entry in entries() if ".capacity." in entry.module}
CONNTRACK = "net.netfilter.nf_conntrack_max"
NEIGHBOURS = "net.ipv4.neigh.default.gc_thresh3"
SERVICES = Ruleset(
    family="ip",
    backend="nft",
    tables={"nat": Table(name="nat", chains={"KUBE-SERVICES": ("-j KUBE-NODEPORTS",), "KUBE-NODEPORTS": ()})},
)


def judged(
    key, before, after, *, node=None, cluster=None, growth=5.0, horizon=Horizon.NOW, cause=Cause.PROPOSED
):
    """Findings of one changed key on a node."""
    node = node or NodeState(name="n1")
    values = {k: v for k, v in node.sysctls.items() if k != key}
    former = node.model_copy(update={"sysctls": values if before is None else {**values, key: before}})
    later = node.model_copy(update={"sysctls": values if after is None else {**values, key: after}})
    topology = derive_topology(former, cluster)
    change = SysctlChange(node="n1", key=key, before=before, after=after, horizon=horizon, cause=cause)
    review = Review(
        before=former,
        after=later,
        topology=topology,
        topology_after=topology,
        outlook=Outlook(
            node="n1", before=dict.fromkeys(Horizon, former), after=dict.fromkeys(Horizon, later)
        ),
        changes=(change,),
        cluster=cluster,
        growth=growth,
    )
    return tuple(finding for finding in find((change,), lambda _: review) if finding.risk in OURS)


def tracking(count, **more):
    return NodeState(name="n1", volatile=Volatile(conntrack=Conntrack(count=count), **more))


class TestConntrack:
    def test_below_the_count_every_new_flow_is_lost(self):
        """At or below what is tracked now the table is full at once, for all pods and the node itself."""
        (found,) = judged(CONNTRACK, "262144", "65536", node=tracking(65536))

        assert ("conntrack-max-too-low", Extent.TOTAL, False) == (found.risk, found.extent, found.capacity)
        assert "65,536" in found.message

    def test_near_the_count_it_is_a_matter_of_load(self):
        """Room for the present use but not for five times of it is a capacity finding."""
        (found,) = judged(CONNTRACK, "262144", "65536", node=tracking(20000))

        assert (Extent.INTERMITTENT, True) == (found.extent, found.capacity)
        assert "3.3 times" in found.message

    def test_enough_room_is_told_without_alarm(self):
        """A lowered limit that still holds five times the use breaks nothing."""
        (found,) = judged(CONNTRACK, "262144", "131072", node=tracking(1000))

        assert (Extent.NONE, ()) == (found.extent, found.breaks)

    def test_without_a_count_the_answer_is_unknown(self):
        """A lowered limit against an unknown use is neither safe nor broken."""
        (found,) = judged(CONNTRACK, "262144", "65536")

        assert Confidence.UNKNOWN is found.confidence
        assert "not in the snapshot" in found.unknown_because

    @given(count=st.integers(0, 10**7), before=st.integers(1, 10**7), more=st.integers(0, 10**7))
    def test_raising_is_quiet(self, count, before, more):
        """Whatever is tracked, a limit that rises or stays is no finding."""
        assert () == judged(CONNTRACK, str(before), str(before + more), node=tracking(count))

    @given(count=st.integers(1, 10**6), after=st.integers(1, 10**6), growth=st.floats(1, 20))
    def test_total_exactly_when_the_limit_is_reached(self, count, after, growth):
        """The kernel drops when the count reaches the limit, and only then is the loss total."""
        (found,) = judged(CONNTRACK, str(10**7), str(after), node=tracking(count), growth=growth)

        assert (count >= after) == (found.extent is Extent.TOTAL)
        assert (after > count and count * growth > after) == (found.extent is Extent.INTERMITTENT)

    def test_both_names_of_the_limit_are_one_finding(self):
        """The kernel has two names for one number; the report says it once."""
        keys = (CONNTRACK, "net.nf_conntrack_max")
        messages = {judged(key, "262144", "65536", node=tracking(70000))[0].message for key in keys}

        assert 1 == len(messages)

    def test_the_figures_of_now_count_at_a_later_horizon(self):
        """A file that counts from the next reboot on is held against today's use."""
        (found,) = judged(CONNTRACK, "262144", "65536", node=tracking(70000), horizon=Horizon.REBOOT)

        assert (Extent.TOTAL, Horizon.REBOOT) == (found.extent, found.onset)


class TestKubeProxyWritesItsOwn:
    def node(self, cpus=4, count=100, kubelet="v1.30.4"):
        state = tracking(count, cpus=cpus)
        return state.model_copy(update={"rulesets": (SERVICES,), "tools": {"kubelet": kubelet}})

    def test_a_number_that_kube_proxy_will_replace(self):
        """32,768 for each processor, at least 131,072, come back when kube-proxy starts."""
        (found,) = judged(CONNTRACK, "131072", "1048576", node=self.node(cpus=8))

        assert ("conntrack-max-overwritten", Extent.NONE) == (found.risk, found.extent)
        assert Horizon.SERVICE_RESTART is found.onset
        assert "262,144" in found.message

    def test_a_restart_that_cuts_below_the_use_is_more_than_a_remark(self):
        """When kube-proxy's number is too small for the growth asked for, flows are at stake."""
        found = judged(CONNTRACK, "131072", "1048576", node=self.node(count=100_000))

        assert [("conntrack-max-overwritten", Extent.INTERMITTENT)] == [(f.risk, f.extent) for f in found]

    @pytest.mark.parametrize(("kubelet", "told"), [("v1.25.3", False), ("v1.30.4", True), ("v1.20.2", True)])
    def test_versions_that_only_raise_leave_a_larger_number(self, kubelet, told):
        """From 1.22 to 1.28 kube-proxy did not lower what it found."""
        assert told == bool(judged(CONNTRACK, "131072", "1048576", node=self.node(kubelet=kubelet)))

    def test_a_configuration_that_leaves_the_limit_alone(self):
        """`maxPerCore: 0` means that the file counts."""
        data = {"kube-system/kube-proxy": {"config.conf": "conntrack:\n  maxPerCore: 0\n"}}
        cluster = Cluster(config_maps=data)

        assert () == judged(CONNTRACK, "131072", "1048576", node=self.node(), cluster=cluster)

    @pytest.mark.parametrize(("after", "told"), [("65536", True), ("1048576", False)])
    def test_without_the_processors_only_the_minimum_is_known(self, after, told):
        """Below 131,072 kube-proxy raises whatever the machine is; above it the number of processors decides."""
        assert told == bool(judged(CONNTRACK, "32768", after, node=self.node(cpus=None)))

    def test_the_number_that_kube_proxy_wants_is_quiet(self):
        """Writing what kube-proxy computes changes nothing at its start."""
        assert () == judged(CONNTRACK, "65536", "131072", node=self.node())

    def test_without_kube_proxy_nobody_rewrites(self):
        """On a node without kube-proxy the number stays."""
        assert () == judged(CONNTRACK, "65536", "1048576", node=tracking(10, cpus=4))

    def test_kube_proxys_own_write_is_not_reported_against_itself(self):
        """A change that the model of kube-proxy made is not a proposal of somebody."""
        assert () == judged(CONNTRACK, "65536", "200000", node=self.node(), cause=Cause.OWNER)


class TestBuckets:
    def test_few_buckets_for_many_entries(self):
        """Below a quarter of the limit each look-up gets long: slow, not broken."""
        node = NodeState(name="n1", sysctls={CONNTRACK: "262144"})
        (found,) = judged("net.netfilter.nf_conntrack_buckets", "65536", "1024", node=node)

        assert (Extent.NONE, ("performance",)) == (found.extent, found.side_effects)

    def test_enough_buckets_are_quiet(self):
        """A quarter of the limit is what kube-proxy itself sets."""
        node = NodeState(name="n1", sysctls={CONNTRACK: "262144"})

        assert () == judged("net.netfilter.nf_conntrack_buckets", "262144", "65536", node=node)


class TestNeighbours:
    def counted(self, count, **more):
        return NodeState(name="n1", volatile=Volatile(neighbour_count={"ip": count}), **more)

    def test_below_the_count_peers_are_lost_by_turns(self):
        """1,900 entries do not fit into 1,024: packets to some peers are lost, for every class."""
        (found,) = judged(NEIGHBOURS, "16384", "1024", node=self.counted(1900))

        assert (Extent.INTERMITTENT, False, Confidence.PROVEN) == (
            found.extent,
            found.capacity,
            found.confidence,
        )

    def test_a_small_node_keeps_its_room(self):
        """The same numbers on a node with 40 neighbours break nothing."""
        (found,) = judged(NEIGHBOURS, "16384", "1024", node=self.counted(40))

        assert (Extent.NONE, ()) == (found.extent, found.breaks)

    def test_growth_is_asked_for(self):
        """500 entries in a table of 1,024 do not leave five times the room."""
        (found,) = judged(NEIGHBOURS, "16384", "1024", node=self.counted(500))

        assert (Extent.INTERMITTENT, True) == (found.extent, found.capacity)

    @pytest.mark.parametrize("count", [0, 40])
    def test_peers_that_will_come_count_as_well(self, count):
        """A quiet node beside 3,000 others needs an entry for each as soon as it speaks to them."""
        link = Link(name="eth0", addresses=(Address(address="10.0.0.1", length=16),))
        peers = tuple(
            ClusterNode(name=f"p{i}", addresses=(f"10.0.{1 + i // 250}.{1 + i % 250}",)) for i in range(3000)
        )
        (found,) = judged(
            NEIGHBOURS, "16384", "1024", node=self.counted(count, links=(link,)), cluster=Cluster(nodes=peers)
        )

        assert (Extent.INTERMITTENT, True) == (found.extent, found.capacity)
        assert "3,000 peers" in found.message

    def test_permanent_entries_do_not_count(self):
        """flannel's permanent entries are not collectable, so the limit does not hold for them."""
        fixed = tuple(
            Neighbour(address=f"10.244.{i}.0", link="flannel.1", permanent=True) for i in range(200)
        )
        (found,) = judged(NEIGHBOURS, "16384", "1100", node=self.counted(400, neighbours=fixed))

        assert Extent.NONE is found.extent

    def test_without_the_kernels_count_the_listing_is_a_lower_bound(self):
        """Pods' namespaces are not in the listing: room is then not proven."""
        seen = tuple(Neighbour(address=f"10.0.0.{i}", link="eth0") for i in range(1, 41))
        (found,) = judged(NEIGHBOURS, "16384", "1024", node=NodeState(name="n1", neighbours=seen))

        assert (Extent.NONE, Confidence.UNKNOWN) == (found.extent, found.confidence)

    def test_each_family_has_its_table(self):
        """IPv6 entries count against the IPv6 limit only."""
        node = NodeState(name="n1", volatile=Volatile(neighbour_count={"ip": 10, "ip6": 2000}))
        (six,) = judged("net.ipv6.neigh.default.gc_thresh3", "16384", "1024", node=node)
        (four,) = judged(NEIGHBOURS, "16384", "1024", node=node)

        assert (Extent.INTERMITTENT, Extent.NONE) == (six.extent, four.extent)

    def test_the_soft_limit_only_costs_time(self):
        """Below the count gc_thresh2 makes the kernel collect every five seconds; nothing is refused."""
        (found,) = judged("net.ipv4.neigh.default.gc_thresh2", "8192", "512", node=self.counted(1900))

        assert (Extent.NONE, ("performance",)) == (found.extent, found.side_effects)

    @given(before=st.integers(1, 10**6), more=st.integers(0, 10**6), used=st.integers(0, 10**6))
    def test_raising_is_quiet(self, before, more, used):
        """A ceiling that rises takes nothing away."""
        assert () == judged(NEIGHBOURS, str(before), str(before + more), node=self.counted(used))


class TestMemoryAndFiles:
    @pytest.mark.parametrize(
        ("used", "extent", "capacity"),
        [(60000, Extent.INTERMITTENT, False), (20000, Extent.INTERMITTENT, True), (100, Extent.NONE, True)],
    )
    def test_tcp_memory_against_its_use(self, used, extent, capacity):
        """The third number against the pages of sockstat."""
        node = NodeState(name="n1", volatile=Volatile(sockets={"tcp_mem": used}))
        (found,) = judged("net.ipv4.tcp_mem", "287898 383867 575796", "20000 40000 60000", node=node)

        assert (extent, capacity) == (found.extent, found.capacity)

    def test_a_write_of_one_number_leaves_the_limit(self):
        """The kernel keeps the last numbers of a vector that is written too short."""
        node = NodeState(name="n1", volatile=Volatile(sockets={"tcp_mem": 60000}))

        assert () == judged("net.ipv4.tcp_mem", "287898 383867 575796", "100", node=node)

    def test_bytes_written_for_pages_protect_nothing(self):
        """More pages than twice the memory are bytes: a remark, because nothing breaks until the memory ends."""
        node = NodeState(name="n1", volatile=Volatile(memory_kib=8 << 20))
        (found,) = judged(
            "net.ipv4.tcp_mem", "100000 200000 300000", "409600000 819200000 1228800000", node=node
        )

        assert (Extent.NONE, Confidence.LIKELY) == (found.extent, found.confidence)

    def test_udp_memory_hits_dns(self):
        """Datagrams that do not fit are dropped, questions to DNS among them."""
        node = NodeState(name="n1", volatile=Volatile(sockets={"udp_mem": 500}))
        (found,) = judged("net.ipv4.udp_mem", "1000 2000 3000", "100 200 300", node=node)

        assert ["dns"] == [traffic.value for traffic in found.breaks]

    @pytest.mark.parametrize(
        ("after", "extent"), [("9000", Extent.TOTAL), ("30000", Extent.INTERMITTENT), ("90000", Extent.NONE)]
    )
    def test_open_files_against_the_limit(self, after, extent):
        """Sockets are files: below their number pods open none."""
        node = NodeState(name="n1", sysctls={"fs.file-nr": "10000 0 1000000"})
        (found,) = judged("fs.file-max", "1000000", after, node=node)

        assert extent is found.extent

    @pytest.mark.parametrize(
        ("key", "before", "after"),
        [
            ("fs.file-max", "1000000", "50000"),
            ("net.ipv4.tcp_mem", "1 2 300000", "1 2 1000"),
            (NEIGHBOURS, "16384", "128"),
        ],
    )
    def test_an_unknown_use_is_unknown(self, key, before, after):
        """Without the counter the finding says which counter is missing."""
        (found,) = judged(key, before, after)

        assert Confidence.UNKNOWN is found.confidence
        assert found.unknown_because
