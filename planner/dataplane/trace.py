"""What becomes of one packet on a node: every outcome that is possible."""

from planner.dataplane.choices import Choices, Draw, explore
from planner.dataplane.pipeline import run
from planner.dataplane.view import View, view_of
from planner.models.flow import Flow, Trace
from planner.models.node import NodeState


def trace(state: NodeState, flow: Flow, *, draw: Draw | None = None) -> tuple[Trace, ...]:
    """One trace where everything is decided; one for each outcome of a random match or of several next hops.

    `draw` fixes the random choices: it gets what is drawn and its probability. What is not known and decides makes a
    trace of disposition UNKNOWN, with what it could be in `alternatives`.
    """
    view = view_of(state)
    flow = by_port(view, flow)

    def once(choices: Choices) -> Trace:
        return run(view, flow, choices)

    return explore(once, flow, draw)


def by_port(view: View, flow: Flow) -> Flow:
    """A flow that enters by a port of a bridge enters by the bridge."""
    entry = flow.entry
    link = view.links.get(entry.link)
    master = view.links.get(link.master) if link is not None and link.master else None
    if entry.bridge_port or master is None:
        return flow
    if master.kind == "bridge":
        changed = entry.model_copy(update={"link": master.name, "bridge_port": entry.link})
    elif master.kind in {"bond", "team"}:
        changed = entry.model_copy(update={"link": master.name})
    else:
        return flow
    return flow.model_copy(update={"entry": changed})
