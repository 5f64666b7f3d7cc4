"""Classes of packets that two states treat differently, in words. Texts of others are made visible."""

import textwrap
from collections.abc import Iterator, Sequence

from planner.models.comparison import Comparison, DeadRule, Ending, Exactness, Idleness, PacketClass
from planner.report.escape import visible
from planner.report.packets import deciding_rule
from planner.report.trace import told_steps

SHOWN = 20
"""Classes that are drawn; the rest is counted."""


def describe_comparison(
    comparison: Comparison, *, node: str, places: Sequence[str] = (), width: int = 80, full: bool = False
) -> str:
    """For people: the verdict in one line, then each class with its witness, before and after.

    `places` name for each class the line of the proposal that decides it. `full`: every class, and the whole way of its witness
    before and after.
    """
    lines = [f"{visible(node)}: {verdict(comparison)}"]
    decided = {id(one): place for one, place in zip(comparison.classes, places, strict=False)}
    ordered = sorted(comparison.classes, key=_rank)
    shown = ordered if full else ordered[:SHOWN]
    for number, one in enumerate(shown, 1):
        lines.append("")
        lines.extend(_class(number, one, decided.get(id(one), ""), width))
        if full:
            lines.extend(_ways(one, width))
    if left := len(comparison.classes) - len(shown):
        lines += ["", f"and {left} class{'' if left == 1 else 'es'} more (--full)"]
    if comparison.dead:
        lines += ["", "Rules that never act, because of the change"]
        lines.extend(
            _listed(tuple(idle_rule(one) for one in comparison.dead[: None if full else SHOWN]), width)
        )
        if not full and (hidden := len(comparison.dead) - SHOWN) > 0:
            lines.append(f"  and {hidden} more (--full)")
    if comparison.unknown:
        lines += ["", "Not known, so that the classes may not be all"]
        lines.extend(_listed(comparison.unknown, width))
    lines += ["", "Looked at"]
    lines.extend(_listed(comparison.scope, width))
    return "\n".join(lines) + "\n"


def verdict(comparison: Comparison) -> str:
    """One line: a proof is said only where nothing is unknown."""
    if not comparison.classes:
        if comparison.unknown:
            return "no packet found that is treated differently; not proven, because not everything is known"
        return "equivalent: proven. No packet in scope is treated differently"
    blocked = sum(one.newly_blocked for one in comparison.classes)
    allowed = sum(one.newly_allowed for one in comparison.classes)
    other = len(comparison.classes) - blocked - allowed
    parts = [
        f"{number} {words}"
        for number, words in (
            (blocked, "newly blocked"),
            (allowed, "newly let through"),
            (other, "treated otherwise"),
        )
        if number
    ]
    classes = "class" if len(comparison.classes) == 1 else "classes"
    return f"{', '.join(parts)} ({classes} of packets)"


def idle_rule(one: DeadRule) -> str:
    """`filter FORWARD, rule 14 (-s …): rule 9 (…) takes all its packets`."""
    if one.why is Idleness.UNCALLED:
        number = "its rule" if one.rules == 1 else f"its {one.rules} rules"
        return f"{one.table} {one.chain}: nothing leads to the chain, {number} never act{'s' if one.rules == 1 else ''}"
    place = f"{one.table} {one.chain}, rule {one.position} ({one.rule})"
    if one.why is Idleness.UNREACHED:
        return f"{place}: what leads to the chain lets none of its packets in"
    takers = ", ".join(f"rule {by.position} ({by.rule})" for by in one.by)
    return f"{place}: {takers} take{'s' if len(one.by) == 1 else ''} all its packets"


def _rank(one: PacketClass) -> tuple[int, bool]:
    """What is taken away first, then what is let in; new connections before known ones."""
    kind = 0 if one.newly_blocked else 1 if one.newly_allowed else 2
    return (kind if one.traffic is not None else kind + 3), one.witness.state != "NEW"


def _ways(one: PacketClass, width: int) -> Iterator[str]:
    """What `netchange trace` tells of the witness, in both states."""
    for name, trace in (("before", one.walked_before), ("after", one.walked_after)):
        if trace is not None:
            yield f"   its way {name}"
            yield from told_steps(trace, width)


def _rule(one: PacketClass) -> str:
    """`forward filter, FORWARD 3 (legacy): -s 10.244.1.2/32 -j DROP`."""
    hop = deciding_rule(one)
    if hop is None:
        return ""
    backend = f" ({hop.backend})" if hop.backend else ""
    return f"{hop.stage}, {hop.chain} {hop.position}{backend}: {hop.rule}"


def _class(number: int, one: PacketClass, place: str, width: int) -> list[str]:
    kind = "NEWLY BLOCKED" if one.newly_blocked else "NEWLY LET THROUGH" if one.newly_allowed else "OTHERWISE"
    sure = "" if one.exactness is Exactness.EXACT else f" ({one.exactness.value})"
    head = f"{number}. {kind}{sure}" + (f": {visible(one.words)}" if one.words else "")
    state = "" if one.witness.state == "NEW" else f", {one.witness.state}"
    rows = [("whose", one.words)] if one.words else []
    rule = _rule(one)
    rows += [
        ("packet", f"{one.witness}{state}"),
        ("before", _ending(one.before, rule)),
        ("after", _ending(one.after, rule)),
    ]
    if rule:
        rows.append(("rule", rule))
    if place:
        rows.append(("where", place))
    rows += [("packets", text) for text in one.packets[:2]]
    rows += [("hangs on", text) for text in (*one.because, *one.chances)[:2]]
    lines = [head]
    for label, text in rows:
        lines.extend(_wrapped(f"   {label:<9}", visible(text), width))
    return lines


def _ending(ending: Ending, rule: str) -> str:
    """Without the rule, where that has a line of its own."""
    return f"{ending}: {ending.reason}" if ending.reason and not rule.endswith(ending.reason) else str(ending)


def _listed(texts: tuple[str, ...], width: int) -> list[str]:
    return [line for text in texts for line in _wrapped("  - ", visible(text), width)]


def _wrapped(label: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, len(label) + 20),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
        break_long_words=False,
    ) or [label.rstrip()]
