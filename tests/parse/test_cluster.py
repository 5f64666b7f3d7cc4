"""Objects of the API, as kubectl writes them, to one Cluster."""

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from planner.models.cluster import Cluster, Endpoint, HostPort
from planner.parse.cluster import parse_cluster

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
RECORDED = DATA / "kube-proxy-recorded"


def pod(name, **changes):
    spec = {"nodeName": "n1", "containers": [{"name": "c", "env": [{"name": "KEY", "value": "hush-hush"}]}]}
    item = {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "web"}},
        "spec": {**spec, **changes.pop("spec", {})},
        "status": {
            "phase": "Running",
            "podIP": "10.244.1.5",
            "podIPs": [{"ip": "10.244.1.5"}, {"ip": "fd00::5"}],
        },
    }
    item["metadata"].update(changes)
    return item


def listed(*items, kind="List"):
    return json.dumps({"apiVersion": "v1", "kind": kind, "items": list(items)})


def parsed(**documents):
    cluster, gaps = parse_cluster({name.replace("_", "."): text for name, text in documents.items()})
    assert cluster is not None
    return cluster, gaps


class TestPods:
    def test_a_pod_keeps_what_packets_need(self):
        """Node, addresses of both families, host ports and the network it uses are kept."""
        ports = {"containers": [{"ports": [{"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}]}]}
        cluster, _ = parsed(pods_json=listed(pod("a", spec={**ports, "hostNetwork": True})))

        (found,) = cluster.pods
        assert ("shop", "a", "n1", True) == (found.namespace, found.name, found.node, found.host_network)
        assert ("10.244.1.5", "fd00::5") == found.addresses
        assert (HostPort(protocol="UDP", host_port=8080, container_port=80),) == found.host_ports

    def test_environment_and_arguments_are_left_behind(self):
        """Values of a pod's environment never reach the snapshot."""
        cluster, _ = parsed(pods_json=listed(pod("a")))

        assert "hush-hush" not in cluster.model_dump_json()

    def test_the_deployment_is_named_through_its_replica_set(self):
        """A pod's workload is what owns its ReplicaSet, whichever of the two is read first."""
        owner = [{"kind": "ReplicaSet", "name": "web-1", "controller": True}]
        replica_set = {
            "kind": "ReplicaSet",
            "metadata": {
                "name": "web-1",
                "namespace": "shop",
                "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": True}],
            },
        }
        for items in (
            [pod("a", ownerReferences=owner), replica_set],
            [replica_set, pod("a", ownerReferences=owner)],
        ):
            cluster, _ = parsed(all_json=listed(*items))

            assert "Deployment/web" == cluster.pods[0].workload

    def test_without_replica_sets_the_template_hash_tells_the_deployment(self):
        """A ReplicaSet is named after its Deployment and the hash that its pods carry as a label."""
        owner = [{"kind": "ReplicaSet", "name": "web-5d4f8c", "controller": True}]
        cluster, _ = parsed(
            pods_json=listed(pod("a", ownerReferences=owner, labels={"pod-template-hash": "5d4f8c"}))
        )

        assert "Deployment/web" == cluster.pods[0].workload

    def test_a_bare_replica_set_is_not_called_a_deployment(self):
        """Without the hash in its name the ReplicaSet itself is the workload."""
        owner = [{"kind": "ReplicaSet", "name": "by-hand", "controller": True}]
        cluster, _ = parsed(pods_json=listed(pod("a", ownerReferences=owner)))

        assert "ReplicaSet/by-hand" == cluster.pods[0].workload

    def test_a_cluster_can_be_written_and_read_again(self):
        """A pod built without validation is the same noun as one that was read from a snapshot."""
        cluster, _ = parsed(pods_json=listed(pod("a"), pod("b", labels={"n": 1})))

        assert cluster == Cluster.model_validate_json(cluster.model_dump_json())


class TestServices:
    SERVICE = {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "type": "NodePort",
            "clusterIP": "10.96.0.7",
            "ports": [{"port": 80, "targetPort": "http", "nodePort": 30080}],
        },
    }

    @pytest.mark.parametrize(
        ("version", "endpoint"),
        [
            ("v1", {"addresses": ["10.244.1.5"], "nodeName": "n1"}),
            ("v1beta1", {"addresses": ["10.244.1.5"], "topology": {"kubernetes.io/hostname": "n1"}}),
        ],
    )
    def test_slices_of_both_versions_give_endpoints(self, version, endpoint):
        """The node stands in another place in v1beta1; an absent `ready` means ready."""
        piece = {
            "apiVersion": f"discovery.k8s.io/{version}",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "web-x",
                "namespace": "shop",
                "labels": {"kubernetes.io/service-name": "web"},
            },
            "endpoints": [endpoint, {"addresses": ["10.244.2.5"], "conditions": {"ready": False}}],
        }
        cluster, _ = parsed(services_json=listed(self.SERVICE), endpointslices_json=listed(piece))

        (service,) = cluster.services
        expected = (Endpoint(address="10.244.1.5", node="n1"), Endpoint(address="10.244.2.5", ready=False))
        assert expected == service.endpoints
        assert 30080 == service.ports[0].node_port

    def test_slices_win_over_the_older_endpoints(self):
        """A cluster that prints both does not count an endpoint twice."""
        piece = {
            "kind": "EndpointSlice",
            "metadata": {"name": "x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [{"addresses": ["10.244.1.5"], "nodeName": "n1"}],
        }
        older = {
            "kind": "Endpoints",
            "metadata": {"name": "web", "namespace": "shop"},
            "subsets": [{"addresses": [{"ip": "10.244.9.9"}]}],
        }
        cluster, _ = parsed(all_json=listed(self.SERVICE, older, piece))

        assert ["10.244.1.5"] == [endpoint.address for endpoint in cluster.services[0].endpoints]

    def test_endpoints_alone_are_read_too(self):
        """Without slices the Endpoints objects say who is behind a Service."""
        older = {
            "kind": "Endpoints",
            "metadata": {"name": "web", "namespace": "shop"},
            "subsets": [{"addresses": [{"ip": "10.244.9.9"}], "notReadyAddresses": [{"ip": "10.244.9.8"}]}],
        }
        cluster, _ = parsed(all_json=listed(self.SERVICE, older))

        assert [("10.244.9.8", False), ("10.244.9.9", True)] == [
            (endpoint.address, endpoint.ready) for endpoint in cluster.services[0].endpoints
        ]

    def test_a_headless_service_has_no_address(self):
        """`None` is kubectl's word for headless, not an address."""
        headless = {
            "kind": "Service",
            "metadata": {"name": "db", "namespace": "x"},
            "spec": {"clusterIP": "None"},
        }
        cluster, _ = parsed(services_json=listed(headless))

        assert () == cluster.services[0].cluster_ips


class TestNodesAndConfigMaps:
    def test_only_annotations_of_networks_are_kept(self):
        """flannel's, Calico's and Cilium's annotations stay, all others go."""
        annotations = {
            "flannel.alpha.coreos.com/public-ip": "10.0.0.5",
            "projectcalico.org/IPv4Address": "10.0.0.5/24",
            "network.cilium.io/ipv4-pod-cidr": "10.244.1.0/24",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        }
        node = {
            "kind": "Node",
            "metadata": {"name": "n1", "annotations": annotations},
            "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00:1::/64"]},
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": "10.0.0.5"},
                    {"type": "Hostname", "address": "n1"},
                ],
                "conditions": [{"type": "Ready", "status": "Unknown"}],
            },
        }
        cluster, _ = parsed(nodes_json=listed(node))

        (found,) = cluster.nodes
        assert set(annotations) - {"kubectl.kubernetes.io/last-applied-configuration"} == set(
            found.annotations
        )
        assert ("10.0.0.5",) == found.addresses
        assert ("10.244.1.0/24", "fd00:1::/64") == found.pod_cidrs
        assert not found.ready

    def test_credentials_beside_the_configuration_stay_out(self):
        """kube-proxy's config map holds a kubeconfig, cilium's may name secrets: neither is kept."""
        proxy = {
            "kind": "ConfigMap",
            "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
            "data": {"config.conf": "mode: ipvs", "kubeconfig.conf": "token: hush-hush"},
        }
        cilium = {
            "kind": "ConfigMap",
            "metadata": {"name": "cilium-config", "namespace": "kube-system"},
            "data": {"tunnel": "vxlan", "kvstore-password": "hush-hush"},
        }
        other = {
            "kind": "ConfigMap",
            "metadata": {"name": "app", "namespace": "x"},
            "data": {"a": "hush-hush"},
        }
        cluster, _ = parsed(configmaps_json=listed(proxy, cilium, other))

        assert {
            "kube-system/cilium-config": {"tunnel": "vxlan"},
            "kube-system/kube-proxy": {"config.conf": "mode: ipvs"},
        } == cluster.config_maps


class TestForms:
    def test_json_and_yaml_say_the_same(self):
        """The same objects as one JSON list, YAML documents or single JSON documents give the same cluster."""
        items = [pod("a"), TestServices.SERVICE]
        as_json, _ = parsed(all_json=listed(*items))
        as_yaml, _ = parsed(all_yaml=yaml.safe_dump_all([items[0], {"kind": "List", "items": items[1:]}]))
        in_row, _ = parsed(all_json="\n".join(map(json.dumps, items)))

        assert as_json == as_yaml == in_row

    def test_a_page_of_a_longer_list_is_a_gap(self):
        """A list with a continue token is not the whole, and the gap says how much is missing."""
        text = json.dumps(
            {"kind": "PodList", "metadata": {"continue": "x", "remainingItemCount": 7}, "items": [pod("a")]}
        )
        _, gaps = parsed(pods_json=text)

        assert [
            "cluster/pods: the file holds the first page of a longer list; the server has 7 more (pods.json)"
        ] == [str(gap) for gap in gaps if gap.source]

    def test_an_empty_list_is_not_a_missing_one(self):
        """A cluster without Services is known to have none."""
        _, gaps = parsed(pods_json=listed(pod("a")), services_json=listed(), nodes_json=listed())

        assert ["cluster/endpoints"] == [gap.section for gap in gaps]

    def test_what_came_before_a_break_is_kept(self):
        """A file that ends in the middle gives its objects so far, and a gap that names the file."""
        whole = listed(pod("a"), pod("b"))
        cluster, gaps = parsed(pods_json=whole[: whole.index('"name": "b"')])

        assert ["a"] == [found.name for found in cluster.pods]
        assert "pods.json" in [gap.source.name for gap in gaps if gap.source]

    @pytest.mark.parametrize(
        "text", ["", "{", "[1, 2]", "just words", "{{ .Values.x }}", "\x00", '{"items": 3}']
    )
    def test_nothing_readable_is_no_cluster(self, text):
        """Files without an object give no cluster and say so."""
        cluster, gaps = parse_cluster({"x.json": text})

        assert cluster is None
        assert gaps

    def test_an_object_without_a_name_is_a_gap(self):
        """One damaged object costs itself, not its neighbours."""
        cluster, gaps = parsed(pods_json=listed({"kind": "Pod", "metadata": {}}, pod("a")))

        assert 1 == len(cluster.pods)
        assert any("metadata.name is missing" in gap.reason for gap in gaps)

    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )

    @given(
        spec=values,
        status=values,
        metadata=values,
        kind=st.sampled_from(["Pod", "Node", "Service", "EndpointSlice"]),
    )
    def test_no_shape_of_an_object_stops_the_reader(self, spec, status, metadata, kind):
        """Whatever stands where an object was expected, the next object is read."""
        odd = {"kind": kind, "metadata": metadata, "spec": spec, "status": status, "endpoints": spec}
        cluster, _ = parsed(all_json=listed(odd, pod("after")))

        assert "after" in [found.name for found in cluster.pods]


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded cluster is not here")
class TestRecorded:
    def test_every_recorded_object_is_counted(self):
        """What the API server printed is there, object by object."""
        documents = {file.name: file.read_text() for file in sorted(RECORDED.glob("*.json"))}
        cluster, gaps = parse_cluster(documents, name="recorded")

        assert cluster is not None
        raw = {name: json.loads(text)["items"] for name, text in documents.items()}
        assert len(raw["nodes.json"]) == len(cluster.nodes)
        assert len(raw["pods.json"]) == len(cluster.pods)
        assert len(raw["services.json"]) == len(cluster.services)
        ports = [
            p["nodePort"] for s in raw["services.json"] for p in s["spec"].get("ports", []) if "nodePort" in p
        ]
        assert sorted(ports) == sorted(p.node_port for s in cluster.services for p in s.ports if p.node_port)
        behind = {a for s in raw["endpointslices.json"] for e in s["endpoints"] or () for a in e["addresses"]}
        assert behind == {endpoint.address for service in cluster.services for endpoint in service.endpoints}
        assert {"cluster/nodes", "cluster/pods", "cluster/services", "cluster/endpoints"} == {
            g.section for g in gaps
        }

    def test_real_manifests_are_read_without_a_crash(self):
        """Manifests and their Go templates give objects or gaps, never a traceback."""
        files = [f for f in (DATA / "real" / "k8s-config").rglob("*") if f.is_file()]
        assert files
        for file in files:
            parse_cluster({file.name: file.read_text(errors="replace")})


@pytest.mark.crater
def test_150_000_pods_take_seconds():
    """A list of 150,000 pods is read in a minute and gives as many pods."""
    one = json.dumps(pod("NAME"))
    text = (
        '{"kind": "PodList", "items": ['
        + ",".join(one.replace("NAME", f"p{i}") for i in range(150_000))
        + "]}"
    )
    cluster, _ = parse_cluster({"pods.json": text})

    assert cluster is not None
    assert 150_000 == len(cluster.pods)
