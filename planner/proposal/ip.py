"""Commands of iproute2 and what they make of a node."""

from planner.iproute.run import run
from planner.iproute.world import NotModelledError, RefusedError
from planner.models.node import NodeState
from planner.models.proposal import Command
from planner.models.source import Gap
from planner.parse.ip_names import NotUnderstoodError
from planner.proposal.ip_batch import read_ip_batch
from planner.proposal.outcome import Outcome

__all__ = ["read_ip_batch", "run_ip"]


def run_ip(command: Command, state: NodeState) -> Outcome:
    """What `ip` or `bridge` makes of a node. A command that fails changes nothing; one that is not modelled is a gap."""
    try:
        world = run(command.argv, state, command.source)
    except RefusedError as error:
        return Outcome(state=state, error=str(error))
    except (NotModelledError, NotUnderstoodError) as error:
        shown = " ".join(command.argv)[:200]
        gap = Gap(
            section="proposal",
            reason=f"not modelled, {error}: `{shown}`",
            source=command.source,
            network=True,
        )
        return Outcome(state=state, gaps=(gap,))
    return Outcome(state=world.state(), effects=tuple(world.effects), gaps=tuple(world.gaps))
