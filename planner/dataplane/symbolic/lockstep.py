"""Both sides at once: what is the same on both is done once, and only what differs is done twice."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.chains import Arrivals
from planner.dataplane.symbolic.dispatch import Dispatch
from planner.dataplane.symbolic.form import End, Form
from planner.dataplane.symbolic.side import LATER, Side, Step

Pair = tuple[Step, Step]
Ends = dict[tuple[End, End], PacketSet]
Touched = Callable[[str], PacketSet]
"""For a stage: packets, as they entered, that something changed in it can meet."""
Key = TypeVar("Key")
TRANSLATING = frozenset({"prerouting nat", "output nat"})


def run(
    space: Space,
    sides: tuple[Side, Side],
    order: Sequence[str],
    start: PacketSet,
    *,
    changed: Collection[str],
    touched: Touched | None = None,
    dispatch: Dispatch | None = None,
    whole: bool = True,
) -> Ends:
    """Every packet of a set with its end before and after; unless all are asked for, those that end alike may be left out."""
    # Sets of different pairs have no packet in common: what is not known is a variable of the set.
    form = Form(stage=order[0])
    pairs: dict[Pair, PacketSet] = {(form, form): start}
    differing = {stage for stage in order if stage in changed}
    for stage in order:
        space.tidy()
        joint: Arrivals = {}
        left: dict[Pair, PacketSet] = {}
        apart: list[tuple[Pair, PacketSet]] = []
        # Those of one form whose way from here on is the same on both sides.
        settled = not whole and not LATER[stage] & differing
        for (before, after), where in pairs.items():
            if isinstance(before, Form) and before == after and before.stage == stage:
                if settled:
                    continue
                met = _met(space, before, stage, changed, touched)
                _add(joint, before, where & ~met)
                if (where & met).satisfiable():
                    apart.append(((before, after), where & met))
            elif _at(before, stage) or _at(after, stage):
                apart.append(((before, after), where))
            else:
                left[before, after] = where
        if joint:
            for step, where in sides[0].step(stage, joint, dispatch=dispatch).items():
                if dispatch is None or stage not in TRANSLATING:
                    _add(left, (step, step), where)
                    continue
                for like, part in dispatch.joined(step, where):
                    _add(left, (like, like), part)
        for (before, after), where in apart:
            for one, part in _step(sides[0], before, stage, where):
                for other, both in _step(sides[1], after, stage, part):
                    _add(left, (one, other), both)
        pairs = left
    ends: Ends = {}
    for (before, after), where in pairs.items():
        match before, after:
            case End() as one, End() as other:
                ends[one, other] = where
            case _:
                raise RuntimeError(f"packets are left at {before} and {after} after the last stage")
    return ends


def _met(
    space: Space, form: Form, stage: str, changed: Collection[str], touched: Touched | None
) -> PacketSet:
    """Packets of one form that a stage may treat differently."""
    if stage not in changed:
        return space.none
    as_entered = form.destination is None and form.destination_port is None and form.source is None
    return touched(stage) if touched is not None and as_entered and form.source_ports is None else space.all


def _at(step: Step, stage: str) -> bool:
    return isinstance(step, Form) and step.stage == stage


def _step(side: Side, step: Step, stage: str, where: PacketSet) -> list[tuple[Step, PacketSet]]:
    if isinstance(step, Form) and step.stage == stage:
        return list(side.step(stage, {step: where}).items())
    return [(step, where)]


def _add(into: dict[Key, PacketSet], key: Key, where: PacketSet) -> None:
    if where.satisfiable():
        into[key] = into[key] | where if key in into else where
