"""An assessment as Markdown for a pull request: the first screen answers *may I approve?*, the rest is folded."""

import hashlib
from collections.abc import Callable, Iterable

from planner.models.assessment import Assessment
from planner.models.plan import Plan, Step
from planner.models.proposal import Command
from planner.report.escape import code, fence, html, markdown, remark
from planner.report.packets import SCOPE, PacketBlock
from planner.report.rehearsal import markdown_lines
from planner.report.view import Group, Item, View, view
from planner.report.words import command_line, count

BUDGET = 60_000
"""Characters. GitHub refuses a comment over 65,536; whole items are left out, and their number is told."""
SHOWN_ITEMS = 5
SHOWN_PACKETS = 20


def render(assessment: Assessment, *, budget: int = BUDGET) -> str:
    """The comment; the longer of code points and UTF-16 units stays under `budget` as long as the head alone does."""
    page = view(assessment)
    digest = hashlib.sha256(assessment.model_dump_json().encode()).hexdigest()[:16]
    head = [
        f"<!-- netchange:v1 findings=sha256:{digest} valid-at={remark(page.taken_at)} -->",
        f"### netchange: **{page.level.name}** · {markdown(page.headline)}",
        "",
        markdown(page.scope),
        "",
        "| | |",
        "|---|---|",
        *(f"| {markdown(name)} | {markdown(value)} |" for name, value in page.facts),
        "",
        "",
    ]
    text = "\n".join(head)
    foot = f"<sub>snapshot {markdown(page.taken_at)} · netchange {markdown(page.netchange)}</sub>\n"
    dropped = 0
    for block in _blocks(page):
        if size(text) + size(block) + size(foot) + 200 > budget:
            dropped += 1
            continue
        text += block
    if dropped:
        text += f"*{count(dropped, 'part')} left out to fit the comment; the saved assessment has everything.*\n\n"
    return text + foot


def size(text: str) -> int:
    """Characters as the stricter of two counters sees them."""
    return max(len(text), len(text.encode("utf-16-le")) // 2)


def _blocks(page: View) -> Iterable[str]:
    if page.fails:
        shown = page.fails[:SHOWN_ITEMS]
        lines = [f"- {markdown(line)}" for line in shown]
        lines += [f"- and {len(page.fails) - len(shown)} more"] if len(page.fails) > len(shown) else []
        yield "\n".join(["**Would fail: the node refuses these commands**", "", *lines, "", ""])
    for item in page.items[:SHOWN_ITEMS]:
        yield _item(item)
    rest = page.items[SHOWN_ITEMS:]
    if rest:
        yield _folded(f"{count(len(rest), 'more finding')}", "".join(_item(item) for item in rest))
    if page.packets:
        yield _folded(
            f"Packets before and after: {page.packets[0].verdict}", "\n".join(_packets(page.packets))
        )
    if page.paths:
        yield _folded("Paths that must stay open", "\n".join(_paths(page)))
    if page.groups:
        total = sum(group.total for group in page.groups)
        yield _folded(f"Structural diff ({count(total, 'change')})", "".join(_group(g) for g in page.groups))
    for plan in page.plans:
        if plan.steps:
            yield _folded(
                f"Plan and rollback for {plan.node} ({count(len(plan.steps), 'step')})", _plan(plan)
            )
    for rehearsal in page.rehearsals:
        yield _folded(
            f"Rehearsal of {rehearsal.node}: {rehearsal.proof.value}", "\n".join(markdown_lines(rehearsal))
        )
    yield from _listed("What an undo does not bring back", page.residue)
    yield from _listed("Looked at, nothing found", page.quiet)
    yield from _listed("Already so before this change", page.preexisting)
    yield from _listed("Drift: running and persisted values differ before this change", page.drift)
    yield from _listed("Not read or not modelled", [str(gap) for gap in page.gaps])


def _packets(blocks: tuple[PacketBlock, ...]) -> Iterable[str]:
    for block in blocks:
        yield f"**{markdown(block.node)}, {block.when}**: {markdown(block.verdict)}"
        yield ""
        for line in block.lines[:SHOWN_PACKETS]:
            sure = f" ({markdown(line.sure)})" if line.sure else ""
            where = f" · {code(line.where)}" if line.where else ""
            by = f"; by {code(line.rule)}{where}" if line.rule else where
            told = f"{markdown(line.words)}: {markdown(line.before)} → {markdown(line.after)}"
            yield f"- **{line.kind}** {told}{sure}; for one {code(line.witness)}{by}"
        if len(block.lines) > SHOWN_PACKETS:
            yield f"- and {len(block.lines) - SHOWN_PACKETS} more: `netchange compare`"
        for reason in block.unknown[:SHOWN_PACKETS]:
            yield f"- not known: {markdown(reason)}"
        yield ""
    yield markdown(SCOPE)


def _paths(page: View) -> Iterable[str]:
    yield from (f"{markdown(text)}\n" for text in page.checked)
    for group in page.paths:
        yield f"**{markdown(group.title)}**\n"
        yield from (f"- {markdown(text)}" for text in group.lines[:SHOWN_PACKETS])
        if len(group.lines) > SHOWN_PACKETS:
            yield f"- and {len(group.lines) - SHOWN_PACKETS} more"
        yield ""


def _item(item: Item) -> str:
    where = f" · {code(item.where)}" if item.where else ""
    lines = [
        f"**{item.number}. {item.level.name} {item.score:.1f} {code(item.risk)}**{where}",
        "",
        *(f"- {code(change)}" for change in item.changes),
    ]
    if item.more_changes:
        lines.append(f"- and {count(item.more_changes, 'change')} more of this kind")
    lines += ["", f"{markdown(item.message)}", ""]
    for name, value in (
        ("Reaches", item.blast),
        ("Bites", item.onset),
        ("Confidence", item.confidence),
        ("Undo", item.reversibility),
        ("Instead", item.remedy),
    ):
        if value:
            lines.append(f"- {name}: {markdown(value)}")
    return "\n".join([*lines, "", ""])


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{html(title)}</summary>\n\n{body.rstrip()}\n\n</details>\n\n"


def _listed(title: str, lines: Iterable[str], draw: Callable[[str], str] = markdown) -> Iterable[str]:
    shown = [f"- {draw(line)}" for line in lines]
    if shown:
        yield _folded(f"{title} ({len(shown)})", "\n".join(shown[:200]))


def _group(group: Group) -> str:
    lines = [f"**{count(group.total, group.name)}**", ""]
    for level, text, where in group.lines[:200]:
        lines.append(f"- {level.words}: {code(text)}" + (f" · {code(where)}" if where else ""))
    if len(group.lines) > 200:
        lines.append(f"- and {len(group.lines) - 200:,} more")
    return "\n".join([*lines, "", ""])


def _remarks(step: Step) -> str:
    stop = "" if step.safe_to_stop else f"do not stop here: {step.stop_reason}"
    told = "; ".join(part for part in (stop, step.remark) if part)
    return f" — {markdown(told)}" if told else ""


def _plan(plan: Plan) -> str:
    lines: list[str] = []
    for step in plan.steps[:100]:
        operation = step.operation
        what = command_line(operation.argv) if isinstance(operation, Command) else f"write {operation.path}"
        lines += [
            f"{step.number}. {code(what)}" + ("" if step.safe_to_stop else f" — {markdown(step.stop_reason)}")
        ]
        undo = [
            command_line(action.argv) + (f"  # reads:\n{action.stdin}" if action.stdin else "")
            for action in step.undo
        ]
        if undo:
            block = fence("\n".join(undo)[:3000], "sh")
            lines += ["", *(f"   {line}" for line in block.split("\n")), ""]
    if len(plan.steps) > 100:
        lines.append(f"and {count(len(plan.steps) - 100, 'step')} more")
    return "\n".join(lines)
