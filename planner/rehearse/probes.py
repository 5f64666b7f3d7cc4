"""The packets that must arrive, really sent on a stage, beside what the model says of them."""

from planner.dataplane.view import view_of
from planner.invariants.check import paths, same_packets
from planner.invariants.walk import LOCAL, walk
from planner.models.cluster import Cluster
from planner.models.horizon import Horizon
from planner.models.invariant import Holding, Path, Walked
from planner.models.node import NodeState
from planner.models.proposal import Outlook
from planner.models.rehearsal import ARRIVES, UNDECIDED, NotRehearsed, RealProbe
from planner.rehearse.frames import TCP
from planner.rehearse.sending import LOST, UNANSWERED, outcome, why_unsent
from planner.rehearse.sessions import Session
from planner.rehearse.stage import Stage
from planner.rehearse.wires import Wires
from planner.topology.derive import derive_topology

MOST = 300
"""Paths that are tried; a node with thousands of Services has more."""


class Prober:
    """Tries every path after each step. What goes otherwise already before the first step says nothing about the change."""

    def __init__(self, outlook: Outlook, cluster: Cluster | None) -> None:
        self._outlook = outlook
        self._node = outlook.before[Horizon.NOW]
        topology = derive_topology(self._node, cluster)
        every = (*paths(self._node, topology, cluster),)
        self._paths = every[:MOST]
        self._sessions = {
            path.name: Session(path)
            for path in self._paths
            if path.flow.state == "ESTABLISHED" and path.flow.protocol == TCP and path.ends_at == (LOCAL,)
        }
        unknown = view_of(self._node).missing("volatile/listeners")
        self._listeners = () if unknown else self._node.volatile.listeners
        self._walked = self._node
        self._predicted: dict[str, str] = {}
        self._former: dict[str, str] = {}
        self._left_out: dict[str, str] = {}
        self._more = len(every) - len(self._paths)

    @property
    def not_rehearsed(self) -> tuple[NotRehearsed, ...]:
        """Paths that could not be tried, or of which the stage shows another thing than the model from the beginning on."""
        told = [
            NotRehearsed(what=f"packet: {path.words}", reason=self._left_out[path.name])
            for path in self._paths
            if path.name in self._left_out
        ]
        if self._more:
            told.append(
                NotRehearsed(
                    what=f"packets of {self._more} more paths", reason=f"those of the first {MOST} are sent"
                )
            )
        return tuple(told)

    def close(self) -> None:
        """Drop the connections."""
        for session in self._sessions.values():
            session.close()

    def __call__(self, stage: Stage, found: NodeState, step: int) -> tuple[RealProbe, ...]:
        """What becomes of each path's packet on the stage, whose state after `step` (0: before the first) is `found`."""
        state = self._outlook.stages[step - 1].after if step else self._node
        if step == 0 or not same_packets(state, self._walked):
            self._predicted = {path.name: _predicted(walk(state, path)) for path in self._paths}
            self._walked = state
        seen: list[RealProbe] = []
        # An entry of a packet sent before would decide about the next one.
        stage.run(("conntrack", "-F"))
        with Wires(stage, found, self._listeners) as wires:
            for path in self._paths:
                if path.name in self._left_out:
                    continue
                predicted = self._predicted[path.name]
                if step == 0:
                    why = self._tried(stage, wires, path, predicted)
                    if why:
                        self._left_out[path.name] = why
                    continue
                after = self._outcome(stage, wires, path)
                before, self._former[path.name] = self._former[path.name], after
                seen.append(
                    RealProbe(
                        path=path.name, words=path.words, before=before, after=after, predicted=predicted
                    )
                )
        return tuple(seen)

    def _tried(self, stage: Stage, wires: Wires, path: Path, predicted: str) -> str:
        """Before the first step: why it cannot be followed here, or nothing."""
        session = self._sessions.get(path.name)
        if session is not None:
            why = why_unsent(wires, path) or session.open(stage, wires)
            after = ARRIVES
        else:
            after = self._outcome(stage, wires, path)
            why = why_unsent(wires, path) or ("the stage refuses its socket" if after == UNDECIDED else "")
        self._former[path.name] = after
        if not why and predicted not in {after, UNDECIDED}:
            return f"the model says `{predicted}` before the change, and the stage shows `{after}`"
        return why

    def _outcome(self, stage: Stage, wires: Wires, path: Path) -> str:
        session = self._sessions.get(path.name)
        return session.outcome(stage, wires) if session is not None else outcome(stage, wires, path)


def _predicted(walked: Walked) -> str:
    if walked.holding is Holding.UNKNOWN or walked.partly:
        return UNDECIDED
    if walked.holding is Holding.HOLDS:
        return ARRIVES
    return UNANSWERED if walked.answering else LOST
