"""What was seen when a plan and its way back were run in a namespace, for people and for programs."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from planner.models.rehearsal import Difference, Outage, Proof, Rehearsal, Trial, Turn, packets_told
from planner.report.escape import code, markdown, visible
from planner.report.words import count

SHOWN = 12
"""Differences of one step, and things not rehearsed, that are listed; the rest is counted."""
SHUT = 3
LONG = 160
VERDICTS = {
    Proof.PROVEN: "PROVEN",
    Proof.PROVEN_EXCEPT: "PROVEN, except for what could not be rehearsed",
    Proof.MODEL_WRONG: "THE PREDICTION WAS WRONG",
    Proof.NOT_UNDONE: "THE WAY BACK DOES NOT LEAD BACK",
    Proof.NOT_RUN: "not rehearsed",
}


class DifferenceV1(BaseModel):
    """One fact that is not as it should be."""

    model_config = ConfigDict(extra="forbid")
    what: str
    wanted: str
    found: str


class RehearsedStepV1(BaseModel):
    """One step, and the way back from after it."""

    model_config = ConfigDict(extra="forbid")
    step: int
    applied: bool
    not_run: str
    shown: bool
    undone: bool
    unpredicted: tuple[DifferenceV1, ...]
    left_behind: tuple[DifferenceV1, ...]
    seconds: float
    undo_seconds: float
    output: str


class OutageV1(BaseModel):
    """A path that a step shuts. `seconds` and `undo_seconds` are of the rehearsal: on the node it may take longer."""

    model_config = ConfigDict(extra="forbid")
    path: str
    words: str
    since_step: int
    until_step: int | None
    seconds: float
    undo_seconds: float


class TrialV1(BaseModel):
    """A mishap that was tried."""

    model_config = ConfigDict(extra="forbid")
    name: str
    words: str
    held: bool
    detail: str


class RehearsalV1(BaseModel):
    """The rehearsal of one node's plan."""

    model_config = ConfigDict(extra="forbid")
    node: str
    proof: str
    sentence: str
    reason: str
    kernel: str
    isolation: str
    steps: tuple[RehearsedStepV1, ...]
    outages: tuple[OutageV1, ...]
    trials: tuple[TrialV1, ...]
    packets_sent: int
    packets_as_predicted: int
    packets_without_prediction: int
    not_rehearsed: tuple[str, ...]


class EvidenceV1(BaseModel):
    """What `netchange rehearse --format json` prints."""

    model_config = ConfigDict(extra="forbid")
    format: Literal["netchange.rehearsal"] = "netchange.rehearsal"
    version: Literal["1"] = "1"
    rehearsals: tuple[RehearsalV1, ...]


def published(rehearsal: Rehearsal) -> RehearsalV1:
    """The form that programs read."""
    probes = [probe for turn in rehearsal.turns for probe in turn.probes]
    return RehearsalV1(
        node=rehearsal.node,
        proof=rehearsal.proof.value,
        sentence=rehearsal.sentence,
        reason=rehearsal.reason,
        kernel=rehearsal.kernel,
        isolation=rehearsal.isolation,
        steps=tuple(
            RehearsedStepV1(
                step=turn.step,
                applied=turn.applied,
                not_run=turn.not_run,
                shown=turn.shown,
                undone=turn.undone,
                unpredicted=_published(turn.unpredicted),
                left_behind=_published(turn.left_behind),
                seconds=turn.seconds,
                undo_seconds=turn.undo_seconds,
                output=turn.output,
            )
            for turn in rehearsal.turns
        ),
        trials=tuple(
            TrialV1(name=trial.name, words=trial.words, held=trial.held, detail=trial.detail)
            for trial in rehearsal.trials
        ),
        outages=tuple(
            OutageV1(
                path=one.path,
                words=one.words,
                since_step=one.since,
                until_step=one.until,
                seconds=one.seconds,
                undo_seconds=one.undo_seconds,
            )
            for one in rehearsal.outages
        ),
        packets_sent=len(probes),
        packets_as_predicted=sum(probe.decided and probe.agrees for probe in probes),
        packets_without_prediction=sum(not probe.decided for probe in probes),
        not_rehearsed=tuple(f"{one.what}: {one.reason}" for one in rehearsal.not_rehearsed),
    )


def _published(differences: tuple[Difference, ...]) -> tuple[DifferenceV1, ...]:
    return tuple(DifferenceV1(what=one.what, wanted=one.wanted, found=one.found) for one in differences)


def in_short(rehearsals: tuple[Rehearsal, ...]) -> str:
    """One line for all nodes: the worst is told."""
    if not rehearsals:
        return "not rehearsed"
    order = (Proof.MODEL_WRONG, Proof.NOT_UNDONE, Proof.NOT_RUN, Proof.PROVEN_EXCEPT, Proof.PROVEN)
    worst = min(rehearsals, key=lambda one: order.index(one.proof))
    told = f"{VERDICTS[worst.proof]}: {worst.sentence.removeprefix('not rehearsed: ')}"
    return told if len(rehearsals) == 1 else f"{told} ({worst.node}, the worst of {len(rehearsals)} nodes)"


def describe_rehearsals(rehearsals: tuple[Rehearsal, ...], *, width: int = 80, full: bool = False) -> str:
    """For people at a terminal."""
    lines = [line for rehearsal in rehearsals for line in (*terminal_lines(rehearsal, width, full=full), "")]
    return "\n".join(lines[:-1]) + "\n"


def markdown_page(rehearsals: tuple[Rehearsal, ...]) -> str:
    """For a comment or a change record."""
    return "".join(
        "\n".join((f"### Rehearsal of {markdown(rehearsal.node)}", "", *markdown_lines(rehearsal), "", ""))
        for rehearsal in rehearsals
    )


def render_json(rehearsals: tuple[Rehearsal, ...]) -> str:
    """For programs."""
    return EvidenceV1(rehearsals=tuple(map(published, rehearsals))).model_dump_json(indent=2) + "\n"


def terminal_lines(rehearsal: Rehearsal, width: int, *, full: bool) -> Iterator[str]:
    """The verdict, each step, each mishap, and what was not rehearsed."""
    yield from _wrapped("", f"{visible(rehearsal.node)}: {VERDICTS[rehearsal.proof]}", width)
    yield from _wrapped("  ", visible(rehearsal.sentence), width)
    if rehearsal.proof is Proof.NOT_RUN:
        return
    if rehearsal.reason:
        yield from _wrapped("  ", visible(rehearsal.reason), width)
    where = f"{count(rehearsal.facts, 'fact')} of the node rebuilt on Linux {rehearsal.kernel}, {rehearsal.isolation}"
    yield from _wrapped("  ", f"{visible(where)}; {rehearsal.seconds:.1f} s", width)
    yield ""
    for turn in rehearsal.turns:
        yield from _wrapped(f"  {turn.step:>3}  ", visible(f"{turn.title}: {turn_words(turn)}"), width)
        for line in turn_troubles(turn, rehearsal.outages, full=full):
            yield from _wrapped("         ", visible(line), width)
    if rehearsal.trials:
        yield ""
    for trial in rehearsal.trials:
        yield from _wrapped(f"  {_mark(trial)}  ", visible(trial.words), width)
        for text in trial.detail.splitlines():
            yield from _wrapped("         ", visible(text), width)
    if rehearsal.not_rehearsed:
        yield ""
        yield "  Not rehearsed"
    limit = len(rehearsal.not_rehearsed) if full else SHOWN
    for one in rehearsal.not_rehearsed[:limit]:
        yield from _wrapped("  - ", visible(f"{one.what}: {one.reason}"), width)
    if len(rehearsal.not_rehearsed) > limit:
        yield f"  and {len(rehearsal.not_rehearsed) - limit} more (--full)"


def markdown_lines(rehearsal: Rehearsal) -> Iterator[str]:
    """The same as the lines of a comment."""
    yield f"**{markdown(VERDICTS[rehearsal.proof])}**: {markdown(rehearsal.sentence)}"
    yield ""
    if rehearsal.proof is Proof.NOT_RUN:
        return
    if rehearsal.reason:
        yield from (markdown(rehearsal.reason), "")
    outages = rehearsal.outages
    for turn in rehearsal.turns:
        yield f"{turn.step}. {code(turn.title)}: {markdown(turn_words(turn))}"
        yield from (f"   - {code(line)}" for line in turn_troubles(turn, outages, full=False))
    yield ""
    for trial in rehearsal.trials:
        told = f" — {markdown(_cut(trial.detail))}" if trial.detail else ""
        yield f"- {_mark(trial)}: {markdown(trial.words)}{told}"
    if rehearsal.not_rehearsed:
        yield from ("", "Not rehearsed:", "")
    for one in rehearsal.not_rehearsed[: 4 * SHOWN]:
        yield f"- {markdown(one.what)}: {markdown(one.reason)}"
    if len(rehearsal.not_rehearsed) > 4 * SHOWN:
        yield f"- and {len(rehearsal.not_rehearsed) - 4 * SHOWN} more"


def turn_words(turn: Turn) -> str:
    """`as predicted in 0.2 s, taken back in 0.2 s`."""
    if turn.not_run and turn.applied and not turn.unpredicted:
        return turn.not_run
    did = "as predicted" if turn.applied and not turn.unpredicted else "NOT as predicted"
    if not turn.shown:
        did = "nothing predicted, done"
    if not turn.applied:
        did = "FAILED"
    back = "taken back" if turn.undone and not turn.left_behind else "NOT taken back"
    words = f"{did} within {turn.seconds:.2f} s, {back} in {turn.undo_seconds:.2f} s"
    if turn.probes:
        words += f", {packets_told(turn.probes)}"
    return words


def turn_troubles(turn: Turn, outages: Sequence[Outage], *, full: bool) -> Iterator[str]:
    """Both states where they differ, what the scripts said, paths that are shut and for how long, packets that went otherwise."""
    yield from turn.output.splitlines()
    for title, differences in (("predicted", turn.unpredicted), ("before", turn.left_behind)):
        limit = len(differences) if full else SHOWN
        for one in differences[:limit]:
            yield f"{one.what}: {title} {_value(one.wanted)}, found {_value(one.found)}"
        if len(differences) > limit:
            yield f"and {len(differences) - limit} more differences"
    here = [one for one in outages if one.since == turn.step]
    for bound in dict.fromkeys(map(_bound, here)):
        shut = [one.words for one in here if _bound(one) == bound]
        yield f"{bound}:"
        yield from (f"- {words}" for words in (shut if full else shut[:SHUT]))
        if len(shut) > SHUT and not full:
            yield f"- and {len(shut) - SHUT} more"
    for probe in turn.probes:
        if not probe.agrees:
            yield f"{probe.words}: predicted `{probe.predicted}`, the kernel says `{probe.after}`"


def _bound(outage: Outage) -> str:
    """How long paths are shut, at most, when the steps are run without a pause."""
    if outage.until is None:
        return f"shut from here on, and no later step opens it; taking back from the last step took {outage.undo_seconds:.2f} s"
    return f"shut from here on until step {outage.until} has run: at most {outage.seconds:.2f} s in the rehearsal, without a pause between"


def _value(text: str) -> str:
    return f"`{_cut(text)}`" if text else "nothing"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONG else f"{line[:LONG]}… ({len(line)} characters)"


def _mark(trial: Trial) -> str:
    return "held" if trial.held else "FAILED"


def _wrapped(label: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, len(label) + 20),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
    ) or [label.rstrip()]
