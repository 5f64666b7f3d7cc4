"""`netchange snapshot`: record the state of this host, or of a bundle that was collected elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli.arguments import STDOUT
from planner.cli.output import note, print_data, print_text, progress, write

if TYPE_CHECKING:
    from planner.models.snapshot import Snapshot

app = typer.Typer(invoke_without_command=True)

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write; compressed when the name ends in .gz. Without it: stdout.",
        readable=False,
    ),
]
Redact = Annotated[bool, typer.Option("--redact", help="Mask secrets (keys, passwords, tokens).")]
RedactAddresses = Annotated[
    bool, typer.Option("--redact-addresses", help="Mask addresses too, consistently: equal ones stay equal.")
]


Cluster = Annotated[
    Path | None,
    typer.Option(
        "--cluster",
        help="Directory of files that `kubectl get -A -o json` wrote: who may be hit.",
        readable=False,
    ),
]


def help_without_command(context: typer.Context) -> None:
    """Help on stderr and a failure when no command is named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(1)


@app.callback()
def options(context: typer.Context) -> None:
    """Record the state of nodes."""
    help_without_command(context)


@app.command("host")
def host(
    output: Output = None,
    cluster: Cluster = None,
    root: Annotated[
        str, typer.Option("--root", help="Where the files of the node lie; commands always ask this kernel.")
    ] = "/",
    redact: Redact = False,
    redact_addresses: RedactAddresses = False,
    show_commands: Annotated[
        bool,
        typer.Option("--show-commands", help="Print every command and file that is read, and run nothing."),
    ] = False,
    deadline: Annotated[
        int,
        typer.Option(
            "--deadline",
            min=1,
            max=86400,
            help="Seconds for the whole collection; one command may take a sixth of them, at least 20.",
        ),
    ] = 120,
) -> None:
    """Snapshot this machine. Without root it records what it can, and each gap with its reason."""
    if show_commands:
        print_text(_commands())
        return
    from planner.collect.runner import LocalRunner
    from planner.collect.snapshots import snapshot_host

    with progress("collecting"):
        taken = snapshot_host(LocalRunner(), deadline=deadline, root=root, cluster=cluster)
    _finish(taken, output, redact=redact, redact_addresses=redact_addresses)


@app.command("bundle")
def bundle(
    path: Annotated[
        Path, typer.Argument(help="Directory or archive: our own layout, or an sosreport.", readable=False)
    ],
    output: Output = None,
    cluster: Cluster = None,
    redact: Redact = False,
    redact_addresses: RedactAddresses = False,
) -> None:
    """Snapshot from command outputs that were collected elsewhere."""
    from planner.cli.inputs import load_bundle

    with progress("reading"):
        taken = load_bundle(path, cluster=cluster)
    _finish(taken, output, redact=redact, redact_addresses=redact_addresses)


@app.command("script")
def script() -> None:
    """Print the collector script, to be run on a node: `sh -s TOKEN / < script > stream.txt`."""
    from planner.collect.host import collector_script

    print_text(collector_script())


def _commands() -> str:
    from planner.collect.sections import show_commands

    shown = show_commands()
    width = max(len(one.command) for one in shown if len(one.command) <= 60)
    lines = [f"{one.command:<{width}}  needs {one.privilege}; tells {one.unknown}" for one in shown]
    return "\n".join(lines) + "\n"


def _finish(taken: "Snapshot", output: Path | None, *, redact: bool, redact_addresses: bool) -> None:
    from planner.emit.snapshot import dump_snapshot

    if redact or redact_addresses:
        from planner.collect.redact import redact as masked

        taken = masked(taken, secrets=True, addresses=redact_addresses)
    compressed = output is not None and output.name.endswith(".gz")
    data = dump_snapshot(taken, gz=compressed)
    if output is None or output == Path(STDOUT):
        print_data(data)
    else:
        write(output, data)
    for node in taken.nodes:
        rules = sum(ruleset.size for ruleset in node.rulesets)
        note(
            f"{node.name}: {len(node.sysctls)} sysctls, {rules} rules, {len(node.routes)} routes,"
            f" {len(node.links)} links, {len(node.gaps)} gaps"
        )
        for gap in node.gaps[:10]:
            note(f"  gap {gap}")
        if len(node.gaps) > 10:
            note(f"  and {len(node.gaps) - 10} more: `netchange show`")
