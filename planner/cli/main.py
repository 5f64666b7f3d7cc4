"""The command line: loads, calls, prints. Each command has a file of its own and imports what it needs when it runs."""

import gc
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import typer

from planner.cli import (
    compare,
    diff,
    explain,
    plan,
    probes,
    reach,
    rehearse,
    report,
    risks,
    show,
    snapshot,
    trace,
    verify,
)
from planner.cli.arguments import arguments
from planner.cli.output import note, silence
from planner.errors import NetchangeError

FAILED = 1
"""Also for mistakes in the options: 2, which is usual for them, says with `--detailed-exitcode` that something changes."""
INTERRUPTED = 130
TERMINATED = 143
UsageMistake: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for every mistake in options and arguments; its releases keep it in different places."""

app = typer.Typer(
    name="netchange",
    help="Plan for the network of Kubernetes nodes: what a change does, how far it reaches, how to take it back.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(snapshot.app, name="snapshot")
app.command("show")(show.show)
app.command("plan")(plan.plan)
app.command("rehearse")(rehearse.rehearse)
app.command("compare")(compare.compare)
app.command("trace")(trace.trace)
app.command("reach")(reach.reach)
app.command("verify")(verify.verify)
app.command("probes")(probes.probes)
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
    context: typer.Context,
    version: bool = typer.Option(  # noqa: ARG001 - its callback acts
        False,
        "--version",
        callback=lambda value: _version(value=value),
        is_eager=True,
        help="Print the version.",
    ),
) -> None:
    """Plan for the network of Kubernetes nodes."""
    snapshot.help_without_command(context)


def main() -> None:
    """Run, and turn what the user can mend into one sentence and exit code 1."""
    # A run builds one large acyclic structure and ends: the cyclic collector only walks it again and again.
    gc.disable()
    signal.signal(signal.SIGTERM, _terminated)
    code = run(sys.argv[1:])
    sys.exit(code)


def run(argv: Sequence[str]) -> int:
    """The exit code of a run with these arguments."""
    try:
        code = app(arguments(argv), prog_name="netchange", standalone_mode=False)
    except NetchangeError as mistake:
        note(str(mistake))
    except UsageMistake as mistake:
        note(_usage(mistake))
    except (typer.Abort, KeyboardInterrupt):
        note("stopped")
        return INTERRUPTED
    except OSError as trouble:
        where = f"`{trouble.filename}`: " if trouble.filename else ""
        note(f"{where}{trouble.strerror or trouble}; check the path, its mode and the disk")
    except UnicodeEncodeError:
        note(
            "a text of the input holds half of a surrogate pair, which is no character; mend the file, or make it again"
        )
    except MemoryError:
        note("there is not enough memory for these inputs; run it on a larger machine, or with fewer nodes")
    else:
        return code if isinstance(code, int) else 0
    silence()
    return FAILED


def _usage(mistake: Exception) -> str:
    """One sentence with the command whose help tells more."""
    context = getattr(mistake, "ctx", None)
    command = context.command_path if context is not None else "netchange"
    said = getattr(mistake, "format_message", mistake.__str__)().strip().rstrip(".")
    said = said.replace("Value error, ", "").replace("Input should be", "it should be")
    return f"{said[:1].lower()}{said[1:]}; `{command} --help` tells what it takes"


def _terminated(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal.signal calls it
    """End as an exception does, so that half-written files and running commands are cleaned up."""
    raise SystemExit(TERMINATED)
