"""`netchange explain`: the page of a risk."""

from typing import Annotated

import typer

from planner.cli.output import print_text


def explain(risk: Annotated[str, typer.Argument(help="Id of a risk, as the report prints it.")]) -> None:
    """Print what a risk is, why it matters, when it bites, how to undo and how to check."""
    from planner.risks.explain import explain as page

    print_text(page(risk))
