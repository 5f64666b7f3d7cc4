"""An invariant: one sentence that must stay true of a node, and the paths that are examples of it there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from planner.invariants.ground import Ground, Spot
from planner.models.flow import Entry, Flow
from planner.models.invariant import Path
from planner.models.traffic import TrafficClass

TCP, UDP, IPIP = 6, 17, 4
REMOTE_PORT, POD_PORT = 40000, 8080
"""Some port out of the usual ephemeral range, and one that a pod might serve."""
COMING = "coming"
"""Part of the name of a path to an address that the proposal brings: it is walked with that address on both sides."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """One kind of path. Declared once, as `INVARIANT`, in a module of its own."""

    id: str
    """Kebab-case, stable for ever, the module's name: `pods-reach-services`."""
    title: str
    """The sentence that must stay true."""
    words: str
    """Who reaches whom, in general: `pods to Services`."""
    breaks: tuple[TrafficClass, ...]
    """What is lost with it; the first is the class of its paths."""
    paths: Callable[[Ground], Iterator[Path]]
    sources: tuple[str, ...]
    control: bool = False
    """Whoever has to mend the node needs it."""
    translated: bool = False
    """Where it leads to is nobody's own address: without a translation it leads nowhere."""
    outward: bool = False
    """It leaves the cluster, where pods' addresses are not known unless they were before."""
    underlay: bool = False
    """It carries other packets, or they wait for it: either direction alone is of no use."""

    def path(
        self,
        name: str,
        words: str,
        flow: Flow,
        *,
        answered: bool = True,
        ends_at: tuple[str, ...] = (),
        cuts_undo: bool = False,
        everybody: bool = True,
    ) -> Path:
        """An example."""
        return Path(
            invariant=self.id,
            name=f"{self.id}/{name}",
            words=words,
            traffic=self.breaks[0],
            flow=flow,
            answered=answered,
            ends_at=ends_at,
            cuts_undo=cuts_undo,
            everybody=everybody,
        )


def opening(
    ground: Ground,
    source: Spot,
    destination: str,
    port: int,
    *,
    protocol: int = TCP,
    entry: Entry | None = None,
) -> Flow:
    """The first packet of a connection."""
    return Flow(
        family=ground.family,
        protocol=protocol,
        source=source.address,
        destination=destination,
        source_port=REMOTE_PORT,
        destination_port=port,
        entry=entry or source.entry,
    )


def reach(address: str, port: int) -> str:
    """`10.96.0.10:53`, `[fd00::a]:53`; the address alone where there are no ports."""
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
