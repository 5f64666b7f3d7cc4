"""An assessment in the form that the user asked for."""

from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from planner.cli.output import color_wanted, print_data, print_text, width

if TYPE_CHECKING:
    from planner.models.assessment import Assessment


class Format(StrEnum):
    """Forms of a report."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"


def print_assessment(assessment: "Assessment", form: Format, *, full: bool) -> None:
    """Print a report to stdout."""
    match form:
        case Format.TERMINAL:
            from planner.report import terminal

            print_text(terminal.render(assessment, width=width(), color=color_wanted(), full=full))
        case Format.MARKDOWN:
            from planner.report import markdown

            print_data(markdown.render(assessment).encode())
        case Format.JSON:
            from planner.report import json_v1

            print_data(json_v1.render(assessment).encode())
        case _:
            assert_never(form)
