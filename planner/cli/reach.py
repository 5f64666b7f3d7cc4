"""`netchange reach`: what becomes of all packets on a node, or of a part of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli.inputs import load_state
from planner.cli.output import print_data, print_text, progress, width
from planner.errors import NetchangeError

if TYPE_CHECKING:
    from planner.models.node import NodeState
    from planner.models.snapshot import Snapshot


def reach(
    snapshot: Annotated[Path, typer.Argument(help="Snapshot or bundle.", readable=False)],
    sender: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="POD|LINK|PREFIX",
            help="Only packets of this pod (address, or NAMESPACE/NAME where the snapshot knows it), of this link, or of these "
            "addresses; the name of the node for its own packets.",
        ),
    ] = None,
    receiver: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="ADDRESS|PREFIX[:PORT[/PROTO]]",
            help="Only packets to there: `10.96.0.10:53/udp`, `[fd00::/64]:53`, `:30080` for a port of any address.",
        ),
    ] = None,
    protocol: Annotated[str, typer.Option("--proto", help="Only tcp, udp, icmp, sctp or a number.")] = "",
    state: Annotated[
        str, typer.Option(help="Only packets that conntrack calls NEW, ESTABLISHED, RELATED or INVALID.")
    ] = "",
    node: Annotated[str, typer.Option("--node", help="Node of the snapshot, where it holds several.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print every group.")] = False,
) -> None:
    """Tell what becomes of all packets on a node, grouped by how their way ends, each group with one of its packets."""
    from planner.dataplane.box_text import read_box
    from planner.packet_reach import packet_reach
    from planner.report.answers_v1 import ReachV1, printed
    from planner.report.reach import SHOWN, describe_reach

    known = load_state(snapshot)
    where = _node(known, node, snapshot)
    pods = known.cluster.pods if known.cluster is not None else ()
    within, families = read_box(
        where, pods, sender=sender, receiver=receiver, protocol=protocol, conntrack=state
    )
    with progress("following all packets"):
        found = packet_reach(
            where, known.cluster, within=within, families=families, most=None if full or as_json else SHOWN
        )
    if as_json:
        print_data(printed(ReachV1(node=where.name, reach=tuple(found))))
    else:
        print_text(describe_reach(found, node=where.name, width=width()))


def _node(snapshot: "Snapshot", name: str, path: Path) -> "NodeState":
    if not name and len(snapshot.nodes) == 1:
        return snapshot.nodes[0]
    for node in snapshot.nodes:
        if node.name == name:
            return node
    names = [node.name for node in snapshot.nodes]
    said = f"`{path}` has no node `{name}`" if name else f"`{path}` holds {len(names)} nodes"
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    raise NetchangeError(
        reference="reach-node", message=said, hint=f"name one of them with `--node`: {shown}"
    )
