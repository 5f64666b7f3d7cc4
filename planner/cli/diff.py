"""`netchange diff`: the structural difference of two snapshots, alone."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.inputs import load_state
from planner.cli.output import note, print_data, print_text, progress


def diff(
    before: Annotated[Path, typer.Argument(help="Snapshot or bundle.", readable=False)],
    after: Annotated[Path, typer.Argument(help="Snapshot or bundle.", readable=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 when anything differs.")
    ] = False,
) -> None:
    """Show what differs: order counts where it can matter, notation, counters and random order do not."""
    from planner.diff.snapshots import diff_snapshots
    from planner.report.escape import visible
    from planner.report.words import describe

    with progress("reading"):
        first, second = load_state(before), load_state(after)
    with progress("comparing"):
        result = diff_snapshots(first, second)
    many = len(first.nodes) > 1 or len(second.nodes) > 1
    lines = [
        change.model_dump_json() if as_json else visible(f"{change.node}: " * many + describe(change))
        for change in result.changes
    ]
    text = "".join(f"{line}\n" for line in lines)
    if as_json:
        print_data(text.encode())
    else:
        print_text(text)
    for gap in result.gaps:
        note(f"not compared: {gap}")
    for name in result.only_before:
        note(f"node {name} is only in {before}")
    for name in result.only_after:
        note(f"node {name} is only in {after}")
    if not result.changes:
        note("no difference")
    raise typer.Exit(2 if detailed and result.changes else 0)
