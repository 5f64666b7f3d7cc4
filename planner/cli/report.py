"""`netchange report`: a saved assessment in another form."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.printing import Format, print_assessment


def report(
    assessment: Annotated[
        Path, typer.Argument(help="The assessment.json that `plan --out` wrote.", readable=False)
    ],
    form: Annotated[Format, typer.Option("--format", help="Form of the report.")] = Format.TERMINAL,
    full: Annotated[bool, typer.Option("--full", help="Print every line of every list.")] = False,
) -> None:
    """Print a saved assessment."""
    from planner.collect.store import read_file
    from planner.report.saved import load

    print_assessment(load(read_file(assessment, limit=1 << 30), name=str(assessment)), form, full=full)
