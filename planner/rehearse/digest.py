"""A digest of what a stage's tools print: of what lasts, and of nothing that moves by itself.

It is only ever believed when it is equal to another one: then nothing has changed. What moves by itself and is not left out here
costs a proper comparison, no more.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from planner.models.section import Section
from planner.rehearse.inside.files import Found

MANAGED = re.compile(r"^table ip6? (filter|nat|mangle|raw|security) \{", re.MULTILINE)
"""Tables that iptables-nft-save prints; where it cannot print all of one, `nft` has to."""
TABLE = re.compile(r"^table ip6? (?:filter|nat|mangle|raw|security) \{\n.*?^\}\n?", re.MULTILINE | re.DOTALL)
MOVING = re.compile(r"^.*(?:nf_conntrack_count|/flush):.*$", re.MULTILINE)
TIMERS = re.compile(r'"[a-z_]*timer":[0-9.]+|"(?:valid|preferred)_life_time":\d+|"expires":\d+')
COUNTERS = {
    "iptables": re.compile(r"(?<=^:)(.*) \[\d+:\d+\]$", re.MULTILINE),
    "nft": re.compile(r"(counter packets )\d+ bytes \d+|( timeout \S+ expires )\w+"),
    "ipset": re.compile(r"(?<=^add )(.*?)(?: timeout \d+)?(?: packets \d+ bytes \d+)?$", re.MULTILINE),
}


def digest(sections: Iterable[Section], files: Mapping[str, Found], *, whole_nft: bool) -> str:
    """`whole_nft`: of nft's print also the tables that iptables prints, because it does not print all of them."""
    whole = hashlib.sha256(json.dumps(files, sort_keys=True).encode())
    for section in sections:
        if section.name == "sysctl":
            whole.update(b"\0" + _of_sysctls(section.text))
            continue
        lines = _lasting(section.name, section.text, whole_nft=whole_nft)
        whole.update(b"\0" + "\n".join(lines).encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


@lru_cache(maxsize=4)
def _of_sysctls(text: str) -> bytes:
    """Remembered: of a node with a thousand links there are 130,000, and most looks find none of them changed."""
    lines = sorted(MOVING.sub("", text).split("\n"))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).digest()


def _lasting(name: str, text: str, *, whole_nft: bool) -> Iterable[str]:
    """The lines of a print without what moves by itself; in an order of their own where the print has none."""
    match name.partition("/")[0]:
        case "ip" if "neigh" in name and "proxy" not in name:
            return sorted(
                json.dumps(one) for one in json.loads(text or "[]") if "PERMANENT" in one.get("state", ())
            )
        case "bridge":
            return sorted(
                json.dumps(one) for one in json.loads(text or "[]") if one.get("state") == "permanent"
            )
        case "ip":
            return (TIMERS.sub("", text),)
        case "ipset":
            return sorted(COUNTERS["ipset"].sub(r"\1", text).split("\n"))
        case "nft":
            # Of the two forms one; without the tables that iptables prints, whose chains have no order.
            shown = "" if name == "nft/json" else text if whole_nft else TABLE.sub("", text)
            return (COUNTERS["nft"].sub(r"\1\2", shown),)
        case _:
            return _rules(COUNTERS["iptables"].sub(r"\1", text).split("\n"))


def _rules(lines: Iterable[str]) -> list[str]:
    """Rules keep their order within their chain; that of chains and tables is nobody's."""
    table = ""
    keyed: list[tuple[str, str, str]] = []
    for line in lines:
        if line.startswith("*"):
            table = line
        if line and not line.startswith("#"):
            words = line.split(" ", 2)
            keyed.append((table, words[1] if line.startswith("-") and len(words) > 1 else "", line))
    keyed.sort(key=lambda one: (one[0], one[1], "" if one[1] else one[2]))
    return [f"{place} {line}" for place, _, line in keyed]
