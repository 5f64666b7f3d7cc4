"""What becomes of packets on a node, in words. Texts of others are made visible."""

import textwrap
from collections.abc import Iterator, Sequence

from planner.models.comparison import PASSES, Exactness
from planner.models.flow import Disposition, Flow
from planner.models.reach import PacketGroup, Reach
from planner.report.escape import visible
from planner.report.words import count

SHOWN = 20
"""Groups of one heading that are drawn; the rest is counted."""
BOXES = 2
"""More boxes than these are not listed one by one."""
FAMILIES = {"ip": "IPv4", "ip6": "IPv6"}


def describe_reach(found: Sequence[Reach], *, node: str, width: int = 80, full: bool = False) -> str:
    """For people: for each family one line, then the groups: what arrives, what is not known, what does not."""
    lines: list[str] = []
    for one in found:
        lines += [*([""] if lines else []), f"{visible(node)}, {FAMILIES[one.family]}: {verdict(one)}"]
        for heading, groups in _headed(one.groups):
            lines += ["", heading]
            shown = groups if full else groups[:SHOWN]
            for group in shown:
                lines.extend(_group(group, width))
            if len(groups) > len(shown):
                lines.append(f"  and {count(len(groups) - len(shown), 'group')} more (--full)")
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
        f"{count(len(groups), 'group')} {words}"
        for words, groups in (
            ("that arrive", [one for one in found.groups if one.ending.passes]),
            ("of which it is not known", [one for one in found.groups if _lost(one)]),
            ("that do not", [one for one in found.groups if not one.ending.passes and not _lost(one)]),
        )
        if groups
    ]
    return f"{', '.join(told)}{'; the analysis took more than it may' if found.unfinished else ''}"


def _lost(one: PacketGroup) -> bool:
    return one.ending.disposition is Disposition.UNKNOWN


def _headed(groups: Sequence[PacketGroup]) -> Iterator[tuple[str, list[PacketGroup]]]:
    """What arrives by what this node really has, the rest of it, and what does not arrive."""
    arriving = [one for one in groups if one.ending.disposition in PASSES]
    usual = [one for one in arriving if one.usual]
    yield from (
        (heading, held)
        for heading, held in (
            ("SENT OR DELIVERED", usual or arriving),
            ("SENT OR DELIVERED, of which this node is not known to have any", [
                one for one in arriving if usual and not one.usual
            ]),
            ("NOT KNOWN", [one for one in groups if _lost(one)]),
            ("DROPPED OR REFUSED", [
                one for one in groups if one.ending.disposition not in PASSES and not _lost(one)
            ]),
        )
        if held
    )  # fmt: skip


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
