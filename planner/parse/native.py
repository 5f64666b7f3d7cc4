"""`nft list ruleset`, cut down to what iptables does not manage and freed of what moves by itself."""

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from planner.parse.large_json import read_large_json
from planner.parse.nft_tables import still

_BLOCK = re.compile(r"^table (\S+) (\S+) \{")
_MOVING = re.compile(r"packets \d| expires | used | # handle \d")
"""Of a line that may hold something that moves by itself."""

TableName = tuple[str, str]
"""Family and name."""


def native_text(text: str, managed: Collection[TableName]) -> str:
    """The text without managed tables, counts, remaining times, handles and the tool's warnings."""
    kept: list[str] = []
    within = False
    for line in text.split("\n"):
        opening = _BLOCK.match(line)
        if opening:
            within = (opening.group(1), opening.group(2)) in managed
        if not within and not line.startswith("# Warning:"):
            kept.append(still(line) if _MOVING.search(line) else line)
        if line == "}":
            within = False
    rest = "\n".join(kept).strip("\n")
    return f"{rest}\n" if rest else ""


def read_items(text: str) -> tuple[dict[str, Any], ...]:
    """The objects of `nft -j list ruleset`. Raises ValueError when it is no such document."""
    document = read_large_json(text)
    items = document.get("nftables") if isinstance(document, dict) else None
    if not isinstance(items, list) or not all(_is_item(item) for item in items):
        raise ValueError("no list `nftables` of objects")
    return tuple(items)


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and all(isinstance(body, dict) for body in item.values())


def native_json(items: Iterable[dict[str, Any]], managed: Collection[TableName]) -> str:
    """The objects without managed tables, counts, remaining times and handles, compact; empty when none is left."""
    kept = [_still(item) for item in items if _wanted(item, managed)]
    return json.dumps({"nftables": kept}, separators=(",", ":"), ensure_ascii=False) if kept else ""


def table_names(items: Iterable[dict[str, Any]]) -> frozenset[TableName]:
    """Tables that the objects name."""
    tables = (item["table"] for item in items if "table" in item)
    return frozenset((str(table.get("family")), str(table.get("name"))) for table in tables)


def _wanted(item: dict[str, Any], managed: Collection[TableName]) -> bool:
    for kind, body in item.items():
        name = body.get("name") if kind == "table" else body.get("table")
        if kind == "metainfo" or (body.get("family"), name) in managed:
            return False
    return True


def _still(value: Any, *, inside: str = "") -> Any:
    """Without handles, remaining times, counts and what quotas have used."""
    if isinstance(value, dict):
        moving = {"handle", "expires", *(("used", "used_unit") if inside == "quota" else ())}
        kept = {key: _still(part, inside=key) for key, part in value.items() if key not in moving}
        return {**kept, "packets": 0, "bytes": 0} if inside == "counter" and "packets" in kept else kept
    if isinstance(value, list):
        return [_still(part) for part in value]
    return value
