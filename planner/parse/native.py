"""`nft list ruleset`, cut down to what iptables does not manage and freed of what moves by itself."""

import json
import re
from collections.abc import Collection
from typing import Any

_BLOCK = re.compile(r"^table (\S+) (\S+) \{")
_COUNTED = re.compile(r"\bcounter packets \d+ bytes \d+")
_REMAINING = re.compile(r" expires [0-9a-z]+")
_HANDLE = re.compile(r" # handle \d+$")

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
            shown = _HANDLE.sub("", line)
            shown = _COUNTED.sub("counter packets 0 bytes 0", shown)
            kept.append(_REMAINING.sub("", shown) if "elements" in shown or "expires" in shown else shown)
        if line == "}":
            within = False
    return "\n".join(kept)


def native_json(text: str, managed: Collection[TableName]) -> str:
    """The same of `nft -j list ruleset`, compact. Raises ValueError when it is no such document."""
    document = json.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("nftables"), list):
        raise ValueError("no list `nftables`")  # noqa: TRY004
    kept = [_still(item) for item in document["nftables"] if _wanted(item, managed)]
    return json.dumps({"nftables": kept}, separators=(",", ":"), ensure_ascii=False) if kept else ""


def table_names(text: str) -> frozenset[TableName]:
    """Tables that the JSON names."""
    items = json.loads(text)["nftables"]
    return frozenset((i["table"]["family"], i["table"]["name"]) for i in items if "table" in i)


def _wanted(item: Any, managed: Collection[TableName]) -> bool:
    if not isinstance(item, dict) or "metainfo" in item:
        return False
    for kind, body in item.items():
        if isinstance(body, dict):
            name = body.get("name") if kind == "table" else body.get("table")
            return (body.get("family"), name) not in managed
    return True


def _still(value: Any, *, inside: str = "") -> Any:
    """Without handles, remaining times and counts."""
    if isinstance(value, dict):
        still = {
            key: _still(part, inside=key) for key, part in value.items() if key not in {"handle", "expires"}
        }
        return {**still, "packets": 0, "bytes": 0} if inside == "counter" and "packets" in still else still
    if isinstance(value, list):
        return [_still(part) for part in value]
    return value
