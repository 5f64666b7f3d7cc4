"""`netchange verify`: whether a node is in the state that its plan predicted."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli.inputs import load_state
from planner.cli.output import note, print_text, progress, width
from planner.errors import NetchangeError

if TYPE_CHECKING:
    from planner.models.node import NodeState
    from planner.models.snapshot import Snapshot

NOT_AS_PREDICTED = 6
NOT_LOOKED_AT = 4


def verify(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="PLAN",
            help="The directory that `plan --out` wrote, or its assessment.json.",
            readable=False,
        ),
    ],
    found: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SNAPSHOT]",
            help="Snapshot or bundle taken after the change; without it this machine is looked at.",
            readable=False,
        ),
    ] = None,
    node: Annotated[str, typer.Option("--node", help="Only this node of the plan.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each node.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print every line of every list.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 when something could not be read or compared.")
    ] = False,
) -> None:
    """Tell whether a node is in the predicted state, what differs, and which paths are open.

    Exit code 6: it is not; 4: planned changes could not be looked at.
    """
    from planner.report.verification import describe_verification
    from planner.verify.verify import verify as compared

    before, predicted = _states(directory)
    with progress("reading"):
        seen = load_state(found) if found is not None else _this_machine()
    pairs = _pairs(before, seen, node, found)
    unseen = len(before.nodes) - len(pairs) if not node else 0
    expected = {one.name: one for one in predicted.nodes}
    with progress("comparing"):
        results = [compared(old, expected[old.name], new, cluster=before.cluster) for old, new in pairs]
    if as_json:
        print_text("".join(f"{one.model_dump_json()}\n" for one in results))
    else:
        print_text("\n".join(describe_verification(one, width=width(), full=full) for one in results))
    if any(one.differs for one in results):
        raise typer.Exit(NOT_AS_PREDICTED)
    if any(one.unread for one in results):
        raise typer.Exit(NOT_LOOKED_AT)
    raise typer.Exit(NOT_LOOKED_AT if strict and (unseen or any(one.gaps for one in results)) else 0)


def _states(named: Path) -> "tuple[Snapshot, Snapshot]":
    """The states before and after that lie beside the assessment."""
    folder = named if os.path.isdir(named) else named.parent  # noqa: PTH112 - it never raises
    if not os.path.lexists(named):
        raise NetchangeError(
            reference="plan-missing",
            message=f"`{named}` does not exist",
            hint="name the directory that `netchange plan --out DIR` wrote",
        )
    paths = [folder / "before.json.gz", folder / "predicted.json.gz"]
    for path in paths:
        if not os.path.lexists(path):
            raise NetchangeError(
                reference="plan-states-missing",
                message=f"{_lacking(named, folder)} `{path.name}`, which tells the states that the plan is about",
                hint="name the directory that `netchange plan --out DIR` wrote",
            )
    return load_state(paths[0]), load_state(paths[1])


def _lacking(named: Path, folder: Path) -> str:
    return f"`{named}` holds no" if folder == named else f"beside `{named}` there is no"


def _this_machine() -> "Snapshot":
    from planner.collect.runner import LocalRunner
    from planner.collect.snapshots import snapshot_host

    return snapshot_host(LocalRunner(), deadline=120)


def _pairs(
    before: "Snapshot", seen: "Snapshot", node: str, found: Path | None
) -> "list[tuple[NodeState, NodeState]]":
    """Nodes of the plan with what was found of them; a single one with a single one, whatever they are called."""
    wanted = [one for one in before.nodes if not node or one.name == node]
    names = {one.name: one for one in seen.nodes}
    where = f"`{found}`" if found is not None else "this machine"
    if not wanted:
        shown = ", ".join(sorted(one.name for one in before.nodes)[:8])
        raise NetchangeError(
            reference="node-not-named",
            message=f"the plan is not about a node `{node}`",
            hint=f"name one of its nodes with `--node`: {shown}",
        )
    if len(wanted) == len(seen.nodes) == 1:
        if wanted[0].name != seen.nodes[0].name:
            note(
                f"the plan is about {wanted[0].name}, and {where} is {seen.nodes[0].name}: compared all the same"
            )
        return [(wanted[0], seen.nodes[0])]
    paired = [(one, names[one.name]) for one in wanted if one.name in names]
    if not paired:
        shown = ", ".join(sorted(one.name for one in wanted)[:8])
        raise NetchangeError(
            reference="verify-no-node",
            message=f"{where} holds no node of the plan ({shown})",
            hint="take the snapshot on a node that the plan is about",
        )
    unseen = sorted(one.name for one in wanted if one.name not in names)
    if unseen:
        more = f" and {len(unseen) - 8} more" if len(unseen) > 8 else ""
        note(f"not looked at, because {where} does not hold them: {', '.join(unseen[:8])}{more}")
    return paired
