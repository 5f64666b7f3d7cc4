"""An assessment for a terminal: readable at 80 columns and without colour."""

import io

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from planner.models.assessment import Assessment
from planner.models.finding import Level
from planner.models.plan import Plan, Step
from planner.models.proposal import Command, FileWrite
from planner.report.escape import visible
from planner.report.packets import SCOPE, PacketBlock
from planner.report.rehearsal import terminal_lines
from planner.report.view import Group, Item, View, view
from planner.report.words import command_line, count

STYLES = {
    Level.CRITICAL: "bold white on red",
    Level.HIGH: "bold red",
    Level.MEDIUM: "bold yellow",
    Level.LOW: "cyan",
    Level.NONE: "green",
}
SHOWN_CHANGES = 12
"""Lines of one kind of change; the rest is counted."""
SHOWN_STEPS = 12
SHOWN_PACKETS, SHOWN_WITNESSES, SHOWN_UNKNOWN, SHOWN_PATHS = 12, 3, 3, 4
PACKETS = {"blocked": "red", "let through": "yellow", "otherwise": "", "unknown": "magenta"}
SHOWN_RESIDUE = 8
SHOWN_REASON = 72


def render(assessment: Assessment, *, width: int = 80, color: bool = False, full: bool = False) -> str:
    """The report as text; `color` adds ANSI colours, `full` shows every line instead of the first of each list."""
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    _Page(console, full=full).draw(view(assessment))
    return "\n".join(line.rstrip() for line in buffer.getvalue().split("\n"))


class _Page:
    def __init__(self, console: Console, *, full: bool) -> None:
        self.console = console
        self.full = full

    def draw(self, page: View) -> None:
        head = Text.assemble(
            ("netchange: ", "bold"), (page.level.name, STYLES[page.level]), (f" · {page.headline}", "bold")
        )
        self.console.print(head)
        if page.title:
            self.line(page.title)
        self.line(page.scope)
        self.line(f"snapshot of {page.taken_at}")
        self.console.print()
        for name, value in page.facts:
            self.pair(name, value)
        self.listed("Would fail: the node refuses these commands", page.fails)
        for item in page.items:
            self.console.print()
            self.item(item)
        self.packets(page.packets)
        self.paths(page)
        self.section("What changes")
        if not page.groups:
            self.line("Nothing: before and after are the same.", indent=2)
        for group in page.groups:
            self.group(group)
        self.section("Plan and rollback")
        for plan in page.plans:
            self.plan(plan)
        for residue in page.residue if self.full else page.residue[:SHOWN_RESIDUE]:
            self.line(f"- an undo does not bring back {residue}", indent=2, hang=2)
        if page.rehearsals:
            self.section("Rehearsal")
        for rehearsal in page.rehearsals:
            for line in terminal_lines(rehearsal, self.console.width - 2, full=self.full):
                self.console.print(Padding(Text(line), (0, 0, 0, 2)))
        self.listed("Already so before this change", page.preexisting)
        self.listed("Drift: running and persisted values differ before this change", page.drift)
        self.listed("Not read or not modelled", tuple(str(gap) for gap in page.gaps))
        self.console.print()
        self.line(f"netchange {page.netchange} · levels: docs/concepts/levels.md · `netchange explain RISK`")

    def packets(self, blocks: tuple[PacketBlock, ...]) -> None:
        if not blocks:
            return
        self.section("Packets")
        limit = SHOWN_PACKETS
        for block in blocks:
            self.line(f"{block.node}, {block.when}: {block.verdict}", indent=2, hang=2)
            shown = block.lines if self.full else block.lines[:limit]
            for number, line in enumerate(shown):
                text = f"{line.words}: {line.before} → {line.after}" + (
                    f" ({line.sure})" if line.sure else ""
                )
                label = f"  {line.kind:>11}  "
                self.console.print(
                    _labelled(self.console, label, Text(visible(text), style=PACKETS[line.kind]))
                )
                if number < SHOWN_WITNESSES or self.full:
                    self.console.print(
                        _labelled(self.console, "               e.g. ", Text(visible(line.witness)))
                    )
                    decided = line.rule + (f"  {line.where}" if line.where else "")
                    if decided:
                        self.console.print(
                            _labelled(self.console, "               by   ", Text(visible(decided)))
                        )
            if len(block.lines) > len(shown):
                self.line(
                    f"and {len(block.lines) - len(shown)} more (--full, or netchange compare)", indent=15
                )
            for reason in block.unknown if self.full else block.unknown[:SHOWN_UNKNOWN]:
                self.line(f"not known: {reason}", indent=4, hang=2)
            if len(block.unknown) > SHOWN_UNKNOWN and not self.full:
                self.line(
                    f"and {count(len(block.unknown) - SHOWN_UNKNOWN, 'reason')} more (--full)", indent=4
                )
        self.line(SCOPE, indent=2, style="dim")

    def paths(self, page: View) -> None:
        if not page.paths:
            return
        self.section("Paths")
        for text in page.checked:
            self.line(text, indent=2, hang=2)
        for group in page.paths:
            self.line(group.title, indent=2)
            shown = group.lines if self.full else group.lines[:SHOWN_PATHS]
            for text in shown:
                self.line(f"- {text}", indent=4, hang=2)
            if len(group.lines) > len(shown):
                self.line(f"and {len(group.lines) - len(shown)} more (--full)", indent=6)

    def line(self, text: str, *, indent: int = 0, hang: int = 0, style: str = "") -> None:
        body = Text(visible(text), style=style)
        if hang:
            self.console.print(_hanging(self.console, body, indent, hang))
        else:
            self.console.print(Padding(body, (0, 0, 0, indent)))

    def pair(self, name: str, value: str) -> None:
        label = f"  {name}: "
        self.console.print(_labelled(self.console, label, Text(visible(value))))

    def section(self, title: str) -> None:
        self.console.print()
        self.console.print(Text(title, style="bold"))

    def listed(self, title: str, lines: tuple[str, ...]) -> None:
        if not lines:
            return
        self.section(title)
        limit = len(lines) if self.full else SHOWN_CHANGES
        for text in lines[:limit]:
            self.line(f"- {text}", indent=2, hang=2)
        if len(lines) > limit:
            self.line(f"- and {len(lines) - limit} more (--full)", indent=2)

    def item(self, item: Item) -> None:
        where = visible(item.where)
        head = Text.assemble(
            (f"{item.number}. ", "bold"),
            (item.level.name, STYLES[item.level]),
            (f" {item.score:.1f} ", ""),
            (visible(item.risk), "bold"),
        )
        beside = where and len(head) + 2 + len(where) <= self.console.width
        self.console.print(Text.assemble(head, (f"  {where}", "dim")) if beside else head)
        if where and not beside:
            self.line(where, indent=3, style="dim")
        for change in item.changes:
            self.line(change, indent=3, hang=2)
        if item.more_changes:
            self.line(f"and {count(item.more_changes, 'change')} more of this kind", indent=3)
        self.line(item.message, indent=3)
        for name, value in (
            ("reaches", item.blast),
            ("bites", item.onset),
            ("sure", item.confidence),
            ("undo", item.reversibility),
            ("instead", item.remedy),
        ):
            if value:
                self.console.print(_labelled(self.console, f"   {name:<8} ", Text(visible(value))))

    def group(self, group: Group) -> None:
        self.line(count(group.total, group.name), indent=2)
        limit = len(group.lines) if self.full else SHOWN_CHANGES
        for level, text, where in group.lines[:limit]:
            mark = f"{level.words:>8}  "
            body = Text.assemble((visible(text), ""), (f"  {visible(where)}" if where else "", "dim"))
            self.console.print(_labelled(self.console, f"  {mark}", body))
        if len(group.lines) > limit:
            self.line(f"and {len(group.lines) - limit:,} more (--full)", indent=12)

    def plan(self, plan: Plan) -> None:
        self.line(f"{plan.node}: {count(len(plan.steps), 'step')}", indent=2)
        limit = len(plan.steps) if self.full else SHOWN_STEPS
        for step in plan.steps[:limit]:
            command = (
                command_line(step.operation.argv)
                if isinstance(step.operation, Command)
                else f"{'delete' if step.operation.text is None else 'write'} {step.operation.path}"
                if isinstance(step.operation, FileWrite)
                else ""
            )
            text = Text.assemble((visible(command), ""), (visible(self.remarks(step)), "yellow"))
            self.console.print(_labelled(self.console, f"  {step.number:>4}  ", text))
            undo = "; ".join(command_line(action.argv) for action in step.undo) or "nothing to undo"
            shown = undo if self.full or len(undo) <= 200 else f"{undo[:200]}…"
            self.console.print(_labelled(self.console, "        undo  ", Text(visible(shown), style="dim")))
        if len(plan.steps) > limit:
            self.line(f"and {count(len(plan.steps) - limit, 'step')} more (--full)", indent=8)

    def remarks(self, step: Step) -> str:
        """What is to be known before stopping after a step, and what the step alone does not do."""
        stop = "" if step.safe_to_stop else f"do not stop here: {step.stop_reason}"
        if len(stop) > SHOWN_REASON and not self.full:
            stop = f"{stop[:SHOWN_REASON]}…"
        told = "; ".join(part for part in (stop, step.remark) if part)
        return f"  [{told}]" if told else ""


def _hanging(console: Console, text: Text, indent: int, hang: int) -> Text:
    width = max(20, console.width - indent - hang)
    wrapped = text.wrap(console, width)
    out = Text()
    for number, line in enumerate(wrapped):
        out.append(" " * (indent + (hang if number else 0)))
        out.append(line)
        if number < len(wrapped) - 1:
            out.append("\n")
    return out


def _labelled(console: Console, label: str, body: Text) -> Text:
    """A label, and a body whose further lines stand under its first."""
    width = max(20, console.width - len(label))
    out = Text(label, style="dim")
    wrapped = body.wrap(console, width)
    for number, line in enumerate(wrapped):
        if number:
            out.append("\n" + " " * len(label))
        out.append(line)
    return out
