"""A snapshot that may leave the house: secrets masked, and on request addresses replaced.

The key of the replacement is drawn from the content of the snapshot: the same snapshot always gives the same bytes, and
another snapshot other replacements. Who holds the snapshot itself can undo it; who holds only the result cannot.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from planner.collect.address_map import AddressMap
from planner.collect.mask import mask_secrets
from planner.emit.snapshot import dump_snapshot
from planner.models.snapshot import Snapshot

UNTOUCHED = frozenset(
    {"schema_version", "taken_at", "collector", "kernel", "os", "tools", "boot_id", "redacted"}
)
"""Fields that hold versions and times: a version may look like an address."""


def redact(snapshot: Snapshot, *, secrets: bool, addresses: bool) -> Snapshot:
    """The snapshot with secrets masked and, on request, addresses replaced in every text it holds, keys too."""
    changes: list[Callable[[str], str]] = []
    done = set(snapshot.redacted)
    if secrets:
        changes.append(mask_secrets)
        done.add("secrets")
    if addresses:
        key = hashlib.blake2b(dump_snapshot(snapshot), digest_size=32, person=b"netchange-addr").digest()
        changes.append(AddressMap(key).text)
        done.add("addresses")
    if not changes:
        return snapshot

    @lru_cache(maxsize=1 << 18)
    def change(text: str) -> str:
        for one in changes:
            text = one(text)
        return text

    document = _walk(snapshot.model_dump(mode="python"), change)
    document["redacted"] = tuple(sorted(done))
    return Snapshot.model_validate(document)


def _walk(value: Any, change: Callable[[str], str], name: str = "") -> Any:
    if name in UNTOUCHED:
        return value
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _walk(part, change, key) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_walk(part, change) for part in value)
    return value
