"""`netchange show`: a node for people."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.inputs import load_state
from planner.cli.output import color_wanted, print_text, width


def show(snapshot: Annotated[Path, typer.Argument(help="Snapshot or bundle.", readable=False)]) -> None:
    """Describe the nodes of a snapshot: network, ranges, owners of rules, headroom, MTUs, and what is not known."""
    from planner.report.show import describe

    print_text(describe(load_state(snapshot), width=width(), color=color_wanted()))
