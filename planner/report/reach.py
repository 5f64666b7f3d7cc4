"""What becomes of packets on a node, in words. Texts of others are made visible."""

import textwrap
from collections.abc import Iterator, Sequence

from planner.models.comparison import Exactness
from planner.models.flow import Disposition, Flow
from planner.models.reach import Heading, PacketGroup, Reach
from planner.report.escape import visible
from planner.report.words import count

SHOWN = 20
"""Groups of one heading that a reader is shown; the rest is counted."""
HEADINGS = {
    Heading.ARRIVING: "SENT OR DELIVERED",
    Heading.ARRIVING_OTHERS: "SENT OR DELIVERED, of which this node is not known to have any",
    Heading.UNKNOWN: "NOT KNOWN",
    Heading.REFUSED: "DROPPED OR REFUSED",
}
ALONE = {Heading.ARRIVING_OTHERS: HEADINGS[Heading.ARRIVING]}
"""Where nothing is known of what the node has, nothing is said about it."""
BOXES = 2
"""More boxes than these are not listed one by one."""
FAMILIES = {"ip": "IPv4", "ip6": "IPv6"}


def describe_reach(found: Sequence[Reach], *, node: str, width: int = 80) -> str:
    """For people: for each family one line, then the groups: what arrives, what is not known, what does not."""
    lines: list[str] = []
    for one in found:
        lines += [*([""] if lines else []), f"{visible(node)}, {FAMILIES[one.family]}: {verdict(one)}"]
        for heading in Heading:
            if not one.count(heading):
                continue
            lines += [
                "",
                HEADINGS[heading] if one.count(Heading.ARRIVING) else ALONE.get(heading, HEADINGS[heading]),
            ]
            for group in one.groups:
                if group.heading is heading:
                    lines.extend(_group(group, width))
            if one.more.get(heading):
                lines.append(f"  and {count(one.more[heading], 'group')} more (--full)")
        if one.unknown:
            lines += ["", "Not known, so that packets may fare otherwise"]
            lines.extend(_listed(one.unknown, width))
    if found:
        lines += ["", "Looked at"]
        lines.extend(_listed(found[0].scope, width))
    return "\n".join(lines) + "\n"


def verdict(found: Reach) -> str:
    """How many groups there are of what."""
    if not found.groups and found.unfinished:
        return "not known, the analysis took more than it may"
    if not found.groups:
        return "no such packet can enter the node"
    told = [
        f"{count(found.count(*headings), 'group')} {words}"
        for words, headings in (
            ("that arrive", (Heading.ARRIVING, Heading.ARRIVING_OTHERS)),
            ("of which it is not known", (Heading.UNKNOWN,)),
            ("that do not", (Heading.REFUSED,)),
        )
        if found.count(*headings)
    ]
    return f"{', '.join(told)}{'; the analysis took more than it may' if found.unfinished else ''}"


def _lost(one: PacketGroup) -> bool:
    return one.ending.disposition is Disposition.UNKNOWN


def _group(one: PacketGroup, width: int) -> Iterator[str]:
    sure = "" if one.exactness is Exactness.EXACT or _lost(one) else f" ({one.exactness.value})"
    yield from _wrapped("  ", visible(f"{one.ending}{sure}"), width)
    rows = [("by", one.ending.reason)] if one.ending.reason else []
    rows.append(("such as", _flow(one.witness, one.ending.disposition)))
    shown = one.packets if len(one.packets) <= BOXES else (f"{one.packets[0]}, and others",)
    rows += [("packets", text) for text in shown]
    if one.words:
        more = f" and {count(len(one.words) - 3, 'other part')} of the traffic" if len(one.words) > 3 else ""
        rows.append(("of", f"{'; '.join(one.words[:3])}{more}"))
    known = [text for text in one.because if text != one.ending.reason]
    rows += [("hangs on", text) for text in known[:2]]
    rows += [("drawn by", text) for text in one.chances[:2]]
    for label, text in rows:
        yield from _wrapped(f"    {label:<9}", visible(text), width)


def _flow(flow: Flow, disposition: Disposition) -> str:
    words = [str(flow)]
    if flow.state != "NEW":
        words.append(flow.state)
    if disposition is Disposition.TOO_BIG:
        words.append(f"{flow.length} octets")
    if disposition is Disposition.EXPIRED:
        words.append(f"hop limit {flow.hop_limit}")
    if flow.entry.out_port:
        words.append(f"to port {flow.entry.out_port}")
    return ", ".join(words)


def _listed(texts: Sequence[str], width: int) -> Iterator[str]:
    for text in texts:
        yield from _wrapped("  - ", visible(text), width)


def _wrapped(label: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, len(label) + 20),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
    ) or [label.rstrip()]
