"""Whole snapshots: of this host, of a bundle, with the cluster's objects when files of them are given."""

from datetime import UTC, datetime
from pathlib import Path

from planner import __version__
from planner.collect.bundle import read_bundles
from planner.collect.host import collect_host
from planner.collect.runner import Runner
from planner.collect.store import read_text
from planner.errors import NetchangeError
from planner.models.cluster import Cluster
from planner.models.node import NodeState
from planner.models.snapshot import Snapshot
from planner.models.source import Gap
from planner.parse.cluster import parse_cluster
from planner.parse.node import parse_node

CLUSTER_FILES = (".json", ".yaml", ".yml")


def snapshot_host(
    runner: Runner, *, deadline: float, root: str = "/", cluster: Path | None = None
) -> Snapshot:
    """The state of this machine now. `root` is where its files lie, `cluster` a directory of kubectl's output."""
    node = parse_node(collect_host(runner, deadline=deadline, root=root))
    return _snapshot((node,), _utc(datetime.now(tz=UTC)), "host", cluster)


def snapshot_bundle(path: Path, *, cluster: Path | None = None) -> Snapshot:
    """What a bundle holds. Its time is that of the file or directory; `PATH/cluster` is read when it is there."""
    bundles = read_bundles(path)
    nodes = tuple(parse_node(bundle.sections, name=bundle.name) for bundle in bundles)
    beside = path / "cluster"
    taken = _utc(datetime.fromtimestamp(path.stat().st_mtime, tz=UTC))
    kinds = sorted({bundle.kind for bundle in bundles})
    return _snapshot(nodes, taken, "+".join(kinds), cluster or (beside if beside.is_dir() else None))


def _utc(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _snapshot(nodes: tuple[NodeState, ...], taken_at: str, kind: str, where: Path | None) -> Snapshot:
    found: Cluster | None = None
    gaps: tuple[Gap, ...] = ()
    if where is not None:
        found, gaps = read_cluster(where)
    if gaps:
        nodes = tuple(node.model_copy(update={"gaps": (*node.gaps, *gaps)}) for node in nodes)
    return Snapshot(
        taken_at=taken_at, collector=f"{kind} netchange {__version__}", nodes=nodes, cluster=found
    )


def read_cluster(where: Path) -> tuple[Cluster | None, tuple[Gap, ...]]:
    """The objects in a directory of files that `kubectl get -o json` or `-o yaml` wrote."""
    if not where.is_dir():
        raise NetchangeError(
            reference="cluster-not-directory",
            message=f"`{where}` is not a directory",
            hint="give the directory with nodes.json, pods.json, services.json … from `kubectl get -A -o json`",
        )
    files = sorted(path for path in where.iterdir() if path.suffix in CLUSTER_FILES and path.is_file())
    if not files:
        raise NetchangeError(
            reference="cluster-directory-empty",
            message=f"`{where}` holds no .json or .yaml file",
            hint="write nodes.json, pods.json, services.json … there with `kubectl get -A -o json`",
        )
    return parse_cluster({path.name: read_text(path) for path in files})
