"""A snapshot as bytes: JSON, one line for each node, the same for equal snapshots."""

import gzip
import json
from typing import Any

from planner.models.node import NodeState
from planner.models.snapshot import Snapshot

PRINTED_ORDER = frozenset({"chains", "policies"})
"""Mappings whose order is that of the tool's print; in all others it means nothing, and they are sorted."""


def dump_snapshot(snapshot: Snapshot, *, gz: bool = False) -> bytes:
    """Values that equal their default are left out: an absent field has the default of its schema version."""
    head = snapshot.model_dump(mode="json", exclude={"nodes"}, exclude_defaults=True)
    head["schema_version"] = snapshot.schema_version
    parts = [f"{_text(key)}:{_text(head[key])}" for key in sorted(head)]
    nodes = ",\n".join(_text(_node(node)) for node in snapshot.nodes)
    parts.append(f'"nodes":[\n{nodes}\n]' if snapshot.nodes else '"nodes":[]')
    data = ("{" + ",\n".join(parts) + "}\n").encode()
    # No name and no time in the gzip header: equal content gives equal bytes.
    return gzip.compress(data, compresslevel=6, mtime=0) if gz else data


def _node(node: NodeState) -> Any:
    return node.model_dump(mode="json", exclude_defaults=True)


def _text(value: Any) -> str:
    return json.dumps(_sorted(value), separators=(",", ":"), ensure_ascii=False)


def _sorted(value: Any, *, keep: bool = False) -> Any:
    if isinstance(value, dict):
        keys = value if keep else sorted(value)
        return {key: _sorted(value[key], keep=key in PRINTED_ORDER) for key in keys}
    if isinstance(value, list):
        return [_sorted(part) for part in value]
    return value
