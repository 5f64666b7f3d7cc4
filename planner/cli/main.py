"""The command line: loads, calls, prints. Each command has a file of its own and imports what it needs when it runs."""

import gc
import sys

import typer

from planner.cli import diff, explain, plan, report, risks, show, snapshot
from planner.errors import NetchangeError

app = typer.Typer(
    name="netchange",
    help="Plan for the network of Kubernetes nodes: what a change does, how far it reaches, how to take it back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(snapshot.app, name="snapshot")
app.command("show")(show.show)
app.command("plan")(plan.plan)
app.command("diff")(diff.diff)
app.command("report")(report.report)
app.command("explain")(explain.explain)
app.command("risks")(risks.risks)


def _version(*, value: bool) -> None:
    if value:
        from planner import __version__

        typer.echo(f"netchange {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False,
        "--version",
        callback=lambda value: _version(value=value),
        is_eager=True,
        help="Print the version.",
    ),
) -> None:
    """Plan for the network of Kubernetes nodes."""


def main() -> None:
    """Run, and turn what the user can mend into one sentence and exit code 1."""
    # A run builds one large acyclic structure and ends: the cyclic collector only walks it again and again.
    gc.disable()
    try:
        app()
    except NetchangeError as error:
        sys.stderr.write(f"netchange: {error}\n")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("netchange: stopped\n")
        sys.exit(130)
