"""`netchange trace`: the way of a packet through a node."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli.inputs import load_state
from planner.cli.output import color_wanted, print_data, print_text, width
from planner.errors import NetchangeError

if TYPE_CHECKING:
    from planner.models.flow import Flow
    from planner.models.node import NodeState
    from planner.models.snapshot import Snapshot

PORTS = 4
"""Ports of a bridge that a note names."""


def trace(
    snapshot: Annotated[Path, typer.Argument(help="Snapshot or bundle.", readable=False)],
    flows: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FLOW]...",
            help="`10.244.1.5:40000 -> 10.96.0.10:53 udp in veth1`, with more words behind it: state NEW, mark 0x4000, "
            "ttl 64, tos 0, length 60, type 8/0, flags syn,ack, user 1000, out PORT (of a bridge).",
        ),
    ] = None,
    node: Annotated[str, typer.Option(help="Node of the snapshot, where it holds several.")] = "",
    link: Annotated[str, typer.Option("--in", help="Link it comes by; `-` for the node's own packets.")] = "",
    source: Annotated[str, typer.Option("--from", help="Sender: ADDRESS or ADDRESS:PORT.")] = "",
    destination: Annotated[str, typer.Option("--to", help="Receiver: ADDRESS or ADDRESS:PORT.")] = "",
    protocol: Annotated[str, typer.Option("--proto", help="tcp, udp, icmp, sctp or a number.")] = "",
    state: Annotated[
        str, typer.Option(help="As conntrack would say: NEW, ESTABLISHED, RELATED, INVALID.")
    ] = "NEW",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what becomes of a packet on a node, hop by hop. A packet without a link comes by the one that leads to its sender."""
    from planner.dataplane.trace import by_port, trace
    from planner.dataplane.view import view_of
    from planner.report.answers_v1 import TracedFlow, TraceV1, printed
    from planner.report.trace import describe_traces

    where = _node(load_state(snapshot), node, snapshot)
    asked = _flows(where, flows or [], link, source, destination, protocol, state)
    found = [(by_port(view_of(where), flow), trace(where, flow)) for flow in asked]
    if as_json:
        flows_told = tuple(TracedFlow(flow=flow, traces=traces) for flow, traces in found)
        print_data(printed(TraceV1(node=where.name, flows=flows_told)))
        return
    texts = [
        describe_traces(
            flow,
            traces,
            node=where.name,
            note=_unnamed_port(where, flow),
            width=width(),
            color=color_wanted(),
        )
        for flow, traces in found
    ]
    print_text("\n".join(texts))


def _unnamed_port(where: "NodeState", flow: "Flow") -> str:
    """That a packet comes by a bridge and nobody said by which port: answers to it go the way of those that are routed."""
    entry = flow.entry
    ports = [link.name for link in where.links if entry.link and link.master == entry.link and link.up]
    if entry.bridge_port or not ports:
        return ""
    shown = ", ".join(ports[:PORTS]) + (f" and {len(ports) - PORTS} more" if len(ports) > PORTS else "")
    return f"By which port of {entry.link} it comes is not known, and may decide: name one behind the flow with `in`: {shown}."


def _node(snapshot: "Snapshot", name: str, path: Path) -> "NodeState":
    names = [node.name for node in snapshot.nodes]
    if not name and len(names) == 1:
        return snapshot.nodes[0]
    for node in snapshot.nodes:
        if node.name == name:
            return node
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    said = f"`{path}` has no node `{name}`" if name else f"`{path}` holds {len(names)} nodes"
    raise NetchangeError(
        reference="trace-node", message=said, hint=f"name one of them with `--node`: {shown}"
    )


def _flows(
    where: "NodeState", texts: list[str], link: str, source: str, destination: str, protocol: str, state: str
) -> "list[Flow]":
    from planner.dataplane.flow_text import STATES, Words, make_flow, read_flow

    asked = [read_flow(text, where) for text in texts]
    if source or destination:
        if not source or not destination:
            raise NetchangeError(
                reference="flow-half",
                message="a flow needs both `--from` and `--to`",
                hint="or write it whole: `10.244.1.5 -> 10.96.0.10:53 udp`",
            )
        if state.upper() not in STATES:
            raise NetchangeError(
                reference="flow-state",
                message=f"`{state}` is no state of conntrack",
                hint=f"it is one of {', '.join(STATES)}",
            )
        words = Words(source, destination, protocol.lower(), link, state=state.upper())
        asked.append(make_flow(words, where))
    if not asked:
        raise NetchangeError(
            reference="flow-missing",
            message="no flow is given",
            hint="write one as `10.244.1.5:40000 -> 10.96.0.10:53 udp in veth1`, or with `--from` and `--to`",
        )
    return asked
