"""`bridge fdb` as text, where its JSON was not printed."""

import re

from planner.models.link import ForwardingEntry
from planner.models.source import Gap

_MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")
_VALUED = frozenset(
    {"dev", "dst", "vlan", "master", "port", "vni", "via", "src_vni", "nhid", "used", "updated"}
)


def parse_fdb(text: str) -> tuple[tuple[ForwardingEntry, ...], tuple[Gap, ...]]:
    """One line an entry. The multicast filter that every link keeps of itself is left out."""
    entries: list[ForwardingEntry] = []
    gaps: list[Gap] = []
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if not _MAC.match(words[0]):
            gaps.append(Gap(section="fdb", reason=f"a line could not be read: {line[:160]}"))
            continue
        values: dict[str, str] = {}
        flags: set[str] = set()
        position = 1
        while position < len(words):
            if words[position] in _VALUED and position + 1 < len(words):
                values[words[position]] = words[position + 1]
                position += 1
            else:
                flags.add(words[position])
            position += 1
        if int(words[0][:2], 16) & 1 and "dst" not in values and "self" in flags:
            continue
        vlan = values.get("vlan", "")
        entries.append(
            ForwardingEntry(
                mac=words[0],
                link=values.get("dev", ""),
                destination=values.get("dst", ""),
                permanent=bool(flags & {"permanent", "static"}),
                master=values.get("master", ""),
                vlan=int(vlan) if vlan.isdecimal() else None,
            )
        )
    return tuple(entries), tuple(gaps)
