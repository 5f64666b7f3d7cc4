"""What `kubectl get -o json|yaml` wrote, to one Cluster: read object by object and cut down at once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.models.cluster import Cluster, ClusterNode, Endpoint, Pod, Service
from planner.models.source import Gap, Source
from planner.parse import cluster_objects as read
from planner.parse.cluster_objects import Item, RawPod, UnreadableError
from planner.parse.cluster_stream import MalformedError, Rest, Stranger, kind_by_name, objects

Key = tuple[str, str]

SECTIONS = {
    "Node": "cluster/nodes",
    "Pod": "cluster/pods",
    "Service": "cluster/services",
    "EndpointSlice": "cluster/endpoints",
    "Endpoints": "cluster/endpoints",
    "Namespace": "cluster/namespaces",
    "ConfigMap": "cluster/configmaps",
    "ReplicaSet": "cluster/replicasets",
    "Job": "cluster/jobs",
}
NEEDED = ("cluster/nodes", "cluster/pods", "cluster/services", "cluster/endpoints")
"""Sections without which the blast radius cannot be counted."""


@dataclass(slots=True)
class _Found:
    """What has been read so far, by identity: of two objects with one name the later counts."""

    nodes: dict[str, ClusterNode] = field(default_factory=dict)
    pods: dict[Key, RawPod] = field(default_factory=dict)
    services: dict[Key, Service] = field(default_factory=dict)
    slices: dict[Key, dict[str, tuple[Endpoint, ...]]] = field(default_factory=dict)
    endpoints: dict[Key, tuple[Endpoint, ...]] = field(default_factory=dict)
    namespaces: set[str] = field(default_factory=set)
    config_maps: dict[str, dict[str, str]] = field(default_factory=dict)
    owners: dict[tuple[str, str, str], Key] = field(default_factory=dict)
    """(namespace, kind, name) of a ReplicaSet or Job to kind and name of what owns it."""
    sections: set[str] = field(default_factory=set)
    label_sets: dict[tuple[tuple[str, str], ...], dict[str, str]] = field(default_factory=dict)


def parse_cluster(documents: Mapping[str, str], *, name: str = "") -> tuple[Cluster | None, tuple[Gap, ...]]:
    """The objects of a cluster from its files by name; None when no file holds any.

    Lists, single objects, mixed `List`s and several YAML documents in a file are all read. A file that breaks off
    gives what came before the break, and a gap.
    """
    found = _Found()
    gaps: list[Gap] = []
    for file, content in sorted(documents.items()):
        gaps += _read_file(file, content, found)
    if not found.sections:
        return None, (*gaps, Gap(section="cluster", reason="no file holds an object of the cluster's API"))
    gaps += [
        Gap(section=section, reason="no file holds such objects")
        for section in NEEDED
        if section not in found.sections
    ]
    cluster = Cluster(
        name=name,
        nodes=tuple(found.nodes[key] for key in sorted(found.nodes)),
        pods=tuple(_pod(found.pods[key], found) for key in sorted(found.pods)),
        services=tuple(_service(key, found) for key in sorted(found.services)),
        namespaces=tuple(sorted(found.namespaces)),
        config_maps={key: found.config_maps[key] for key in sorted(found.config_maps)},
    )
    return cluster, tuple(gaps)


def _read_file(file: str, content: str, found: _Found) -> list[Gap]:
    gaps: list[Gap] = []
    bad: Counter[tuple[str, str]] = Counter()
    source = Source(name=file)
    try:
        for piece in objects(file, content):
            match piece:
                case Rest(kind=kind, remaining=remaining):
                    more = f"{remaining:,} more" if remaining is not None else "more"
                    reason = f"the file holds the first page of a longer list; the server has {more}"
                    gaps.append(Gap(section=SECTIONS.get(kind, "cluster"), reason=reason, source=source))
                case Stranger(what=what):
                    bad["cluster", f"{what} where an API object was expected"] += 1
                case (kind, item):
                    section = SECTIONS.get(kind)
                    if section is None:
                        continue
                    found.sections.add(section)
                    try:
                        _keep(kind, item, found)
                    except UnreadableError as error:
                        bad[section, f"{kind}: {error}"] += 1
    except MalformedError as error:
        gaps.append(
            Gap(section="cluster", reason=f"the file could not be read to its end: {error}", source=source)
        )
    if not bad and not gaps and (section := _empty_list(file)):
        found.sections.add(section)
    return gaps + [
        Gap(section=section, reason=reason if times == 1 else f"{reason} ({times} times)", source=source)
        for (section, reason), times in sorted(bad.items())
    ]


def _empty_list(file: str) -> str:
    """An empty list says that there are none: the section is known by the file's name."""
    return SECTIONS.get(kind_by_name(file), "")


def _keep(kind: str, item: Item, found: _Found) -> None:
    match kind:
        case "Pod":
            pod = read.pod(item)
            found.pods[pod.namespace, pod.name] = pod
        case "Node":
            node = read.node(item)
            found.nodes[node.name] = node
        case "Service":
            service = read.service(item)
            found.services[service.namespace, service.name] = service
        case "EndpointSlice":
            owner, endpoints = read.slice_endpoints(item)
            found.slices.setdefault(owner, {})[read.identity(item)[1]] = endpoints
        case "Endpoints":
            owner, endpoints = read.endpoints(item)
            found.endpoints[owner] = endpoints
        case "Namespace":
            found.namespaces.add(read.identity(item)[1])
        case "ConfigMap":
            kept = read.config_map(item)
            if kept is not None:
                found.config_maps[kept[0]] = kept[1]
        case "ReplicaSet" | "Job":
            namespace, own = read.identity(item)
            found.owners[namespace, kind, own] = read.controller(item)
        case _:
            pass


def _pod(raw: RawPod, found: _Found) -> Pod:
    labels = found.label_sets.setdefault(tuple(raw.labels.items()), raw.labels)
    # Built without validation: every value was made a string or a number above, and the label sets stay shared.
    return Pod.model_construct(
        namespace=raw.namespace,
        name=raw.name,
        node=raw.node,
        addresses=raw.addresses,
        host_network=raw.host_network,
        host_ports=raw.host_ports,
        workload=_workload(raw, found),
        labels=labels,
        phase=raw.phase,
        priority_class=raw.priority_class,
    )


def _workload(raw: RawPod, found: _Found) -> str:
    """`Deployment/web`: by the ReplicaSet where it was read, else by its name, which ends with the template's hash."""
    kind, name = raw.owner
    if not kind:
        return ""
    above = found.owners.get((raw.namespace, kind, name))
    if above is not None and above[0]:
        return "/".join(above)
    suffix = f"-{raw.template_hash}"
    if above is None and kind == "ReplicaSet" and raw.template_hash and name.endswith(suffix):
        return f"Deployment/{name.removesuffix(suffix)}"
    return f"{kind}/{name}"


def _service(key: Key, found: _Found) -> Service:
    """With its endpoints: slices where there are any, else the older Endpoints object."""
    slices = found.slices.get(key)
    if slices is None:
        entries = set(found.endpoints.get(key, ()))
    else:
        entries = {endpoint for name in slices for endpoint in slices[name]}
    if not entries:
        return found.services[key]
    ordered = sorted(entries, key=lambda e: (e.address, e.node, e.ready))
    return found.services[key].model_copy(update={"endpoints": tuple(ordered)})
