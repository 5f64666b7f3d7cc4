"""The way of a packet in words: how it ends first, then each step that decided or changed something."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from planner.models.flow import Disposition, Flow, Hop, Trace
from planner.report.escape import visible

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"
STAGE = 19
"""Columns of the stage's name."""
MOST = 12
"""Outcomes that are told whole; the others only by how they end."""
CHANCE = re.compile(r"\(([0-9.]+)\): (hit|missed)$")
JUMPS = ("jumps to ", "goes to ")


def describe_traces(
    flow: Flow, traces: Sequence[Trace], *, node: str, note: str = "", width: int = 80, color: bool = False
) -> str:
    """One flow and all of its outcomes; `note` is what the answer takes for granted."""
    lines = [_bold(f"{visible(str(flow))}, on {visible(node)}", color=color)]
    if note:
        lines.extend(_wrapped(note, width, indent=0, hang=2))
    if len(traces) > 1:
        lines.append(f"{len(traces)} outcomes are possible")
    for place, trace in enumerate(traces, 1):
        share = _share(trace)
        head = f"{place}. {share:.3g}%: " if share is not None else f"{place}. " if len(traces) > 1 else ""
        lines.append("")
        lines.extend(_wrapped(head + ending(trace), width, indent=2, hang=4, first_bold=color))
        if place <= MOST:
            lines.extend(told_steps(trace, width))
        for other in trace.alternatives:
            lines.extend(_wrapped(f"perhaps {ending(other)}", width, indent=4, hang=6))
    return "\n".join(lines) + "\n"


def told_steps(trace: Trace, width: int) -> Iterator[str]:
    """Each step of one way that decided or changed something."""
    for step in steps(trace.hops):
        yield from _told(step, width)


def _bold(text: str, *, color: bool) -> str:
    return f"{BOLD}{text}{PLAIN}" if color else text


def _wrapped(text: str, width: int, *, indent: int, hang: int, first_bold: bool = False) -> Iterator[str]:
    shown = wrap(
        visible(text),
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * hang,
        break_on_hyphens=False,
        break_long_words=False,
    )
    for line in shown:
        yield _bold(line, color=first_bold)


def _share(trace: Trace) -> float | None:
    """In percent, how often the draws fall like this; None when nothing was drawn."""
    found = [CHANCE.search(draw) for draw in trace.draws]
    if not found:
        return None
    share = 100.0
    for match in found:
        if match is not None:
            hit = float(match.group(1))
            share *= hit if match.group(2) == "hit" else 1 - hit
    return share


def ending(trace: Trace) -> str:
    """How it ends, in one sentence."""
    reason = f": {trace.reason}" if trace.reason else ""
    told = f"; the sender is told {trace.reject_kind}" if trace.reject_kind else ""
    match trace.disposition:
        case Disposition.SENT:
            port = f" by port {trace.port}" if trace.port else ""
            return f"sent by {trace.link} to {trace.next_hop}{port}{_header(trace)}{reason}"
        case Disposition.BRIDGED:
            port = f" to port {trace.link}" if trace.link else ", to a port that the snapshot does not tell"
            return f"bridged{port}{_header(trace)}{reason}"
        case Disposition.DELIVERED:
            listens = {"": "", "nobody": "; nobody listens there"}.get(
                trace.listens, f"; {trace.listens} listens"
            )
            return f"accepted locally{_header(trace)}{listens}{reason}"
        case Disposition.UNKNOWN:
            return f"unknown{reason}"
        case _:
            silent = "" if told or trace.disposition is Disposition.DROPPED else "; the sender is not told"
            return f"{trace.disposition.value}{reason}{told}{silent}"


def _header(trace: Trace) -> str:
    """The header where it differs from what entered."""
    before, after = trace.flow, trace.after
    if after is None:
        return ""
    mark = f" with mark {after.mark:#x}" if after.mark != before.mark else ""
    same = (before.source, before.destination, before.source_port, before.destination_port) == (
        after.source, after.destination, after.source_port, after.destination_port,
    )  # fmt: skip
    if same:
        return mark
    drawn = after.source_port == 0 and before.source_port != 0
    shown = str(after).partition(" in ")[0].partition(" from the")[0].rpartition(" ")[0]
    if drawn:
        shown = shown.replace(":0 →", ":(drawn) →")
    return f" as {shown}{mark}"


@dataclass(frozen=True, slots=True)
class Step:
    """One hop that is no jump, with the jumps that led to it."""

    hop: Hop
    path: tuple[Hop, ...]


def steps(hops: Sequence[Hop]) -> Iterator[Step]:
    """Without jumps into chains in which nothing happened."""
    path: list[Hop] = []
    for hop in hops:
        while path and (path[-1].stage != hop.stage or path[-1].what.partition(" to ")[2] != hop.chain):
            path.pop()
        if hop.what.startswith(JUMPS):
            path.append(hop)
        else:
            yield Step(hop, tuple(path))


def _told(step: Step, width: int) -> Iterator[str]:
    """What happened, by which rule, and how the packet got there."""
    hop = step.hop
    for place, line in enumerate(_wrapped(hop.what, width - STAGE - 4, indent=0, hang=2)):
        stage = visible(hop.stage) if place == 0 else ""
        yield f"    {stage:<{STAGE}}{line}"
    if hop.position:
        way = " > ".join(f"{one.chain} {one.position}" for one in (*step.path, hop))
        backend = f" ({hop.backend})" if hop.backend else ""
        for text in (f"{way}{backend}", hop.rule):
            for line in _wrapped(text, width - STAGE - 6, indent=0, hang=4):
                yield f"    {'':<{STAGE}}  {line}"
