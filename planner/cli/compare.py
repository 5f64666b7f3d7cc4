"""`netchange compare`: for which packets the outcome differs between before and after."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.inputs import load_state, proposal
from planner.cli.output import print_data, print_text, progress, width
from planner.cli.plan import Kind
from planner.errors import NetchangeError


def compare(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Proposed files or directories, in the order they are applied; or one snapshot.",
            readable=False,
        ),
    ],
    before: Annotated[
        Path, typer.Option("--before", help="Snapshot or bundle of the present state.", readable=False)
    ],
    kind: Annotated[
        Kind | None, typer.Option("--as", help="Kind of the files, where path and content do not tell it.")
    ] = None,
    noflush: Annotated[
        bool, typer.Option("--noflush", help="iptables-restore files are applied with --noflush.")
    ] = False,
    name: Annotated[str, typer.Option("--node", help="Node of the snapshot, where it holds several.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Print every class, with the way of its packet before and after.")
    ] = False,
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 when a packet is treated differently.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 when something could not be read or decided.")
    ] = False,
) -> None:
    """Tell which packets a change treats differently, each class with one of its packets; nothing is a proof."""
    from planner.changes import changes_of
    from planner.models.proposal import FragmentKind
    from planner.models.snapshot import Snapshot
    from planner.packet_changes import packet_changes
    from planner.proposal.propose import propose
    from planner.proposal.transition import propose_state
    from planner.report.answers_v1 import ComparisonV1, printed
    from planner.report.comparison import describe_comparison
    from planner.report.packets import decided_by
    from planner.risks.moved import line_of
    from planner.risks.nft_lines import rule_lines

    chosen = FragmentKind(kind.value) if kind is not None else None
    snapshot = load_state(before)
    node = snapshot.nodes[0]
    if name or len(snapshot.nodes) > 1:
        found = [one for one in snapshot.nodes if one.name == name]
        if not found:
            names = ", ".join(sorted(one.name for one in snapshot.nodes)[:5])
            raise NetchangeError(
                reference="node-not-named",
                message=f"`{before}` holds {len(snapshot.nodes)} nodes ({names}), and `{name}` is none of them",
                hint="name one with `--node`",
            )
        node = found[0]
    proposed = proposal(files, kind=chosen, noflush=noflush)
    with progress("comparing"):
        if isinstance(proposed, Snapshot):
            outlook, fragments = propose_state(node, proposed.nodes[0], name=str(files[0])), {}
        else:
            outlook = propose(node, proposed)
            fragments = {one.target: one for one in proposed if one.target}
        comparison = packet_changes(outlook, snapshot.cluster)
        changes = changes_of(outlook, fragments)
    lines = rule_lines(outlook.effects)
    places = tuple(str(lines.of(decided_by(one)) or line_of(one, changes)) for one in comparison.classes)
    if as_json:
        told = ComparisonV1(
            node=node.name, equivalent=comparison.equivalent, comparison=comparison, places=places
        )
        print_data(printed(told))
    else:
        print_text(describe_comparison(comparison, node=node.name, places=places, width=width(), full=full))
    if strict and comparison.unknown:
        raise typer.Exit(4)
    raise typer.Exit(2 if detailed and comparison.classes else 0)
