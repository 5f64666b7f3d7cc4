"""Both sides at once: what is the same on both is done once, and only what differs is done twice."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar, assert_never

from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.chains import Arrivals
from planner.dataplane.symbolic.dispatch import Dispatch, as_entered
from planner.dataplane.symbolic.form import End, Form
from planner.dataplane.symbolic.side import LATER, Side, Step
from planner.dataplane.symbolic.twins import crossed, stepped
from planner.models.flow import Disposition

Pair = tuple[Step, Step]
Ends = dict[tuple[End, End], PacketSet]
Touched = Callable[[str], PacketSet]
"""For a stage: packets, as they entered, that something changed in it can meet."""
Key = TypeVar("Key")
FEW = 8
"""Forms that go through a stage one beside the other."""
VEILING = frozenset(
    {
        "output raw", "output mangle", "output nat", "output filter", "forward mangle", "forward filter", "forward security",
        "postrouting mangle",
    }
)  # fmt: skip
"""Stages that do not look at the next hop."""
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
    resolved: bool = True,
) -> Ends:
    """Every packet of a set with its end before and after; unless all are asked for, those that end alike may be left out.

    Unless `resolved`, the sets may hold stand-ins: the caller joins what it takes together, resolves it and dismisses them. Of two
    ends that a packet cannot have both the set may hold it for both until then, and so may that of an end that no packet has.
    """
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
        if stage in VEILING and stage not in changed and (apart or len(joint) > FEW):
            alike = [((form, form), where) for form, where in joint.items()]
            apart, joint = _veiled(space, sides, stage, [*alike, *apart], dispatch, left), {}
        for step, where in _jointly(sides[0], stage, joint, dispatch):
            _add(left, (step, step), where)
        for (before, after), where in apart:
            joining = dispatch if stage in TRANSLATING else None
            if joining is not None and isinstance(before, Form) and before == after and as_entered(before):
                together = stepped(joining, sides, before, where)
                if together is not None:
                    for pair, part in together:
                        _add(left, pair, part)
                    continue
            for pair, part in crossed(
                _step(sides[0], before, stage, where), _step(sides[1], after, stage, where)
            ):
                for like, some in ((pair, part),) if joining is None else joining.paired(pair, part):
                    _add(left, like, some)
        pairs = left
    ends: Ends = {}
    for (before, after), where in pairs.items():
        match before, after:
            case End() as one, End() as other:
                if whole or one != other or one.disposition is Disposition.UNKNOWN:
                    _add(ends, (one, other), space.resolved(where) if resolved else where)
                    space.tidy()
            case _:
                raise RuntimeError(f"packets are left at {before} and {after} after the last stage")
    if resolved:
        space.dismiss()
    return ends


def _jointly(
    side: Side, stage: str, arrivals: Arrivals, dispatch: Dispatch | None
) -> Iterator[tuple[Step, PacketSet]]:
    """Packets that both sides treat alike, through one stage."""
    for step, where in side.step(stage, arrivals, dispatch=dispatch).items() if arrivals else ():
        if dispatch is None or stage not in TRANSLATING:
            yield step, where
        else:
            for like, part in dispatch.joined(step, where):
                yield like, side.space.simplified(part)


def _veiled(
    space: Space,
    sides: tuple[Side, Side],
    stage: str,
    apart: list[tuple[Pair, PacketSet]],
    dispatch: Dispatch | None,
    left: dict[Pair, PacketSet],
) -> list[tuple[Pair, PacketSet]]:
    """Pairs that differ only in what a stage does not look at go through it as one; the others are given back."""
    others: list[tuple[Pair, PacketSet]] = []
    joint: Arrivals = {}
    groups: dict[Form, list[tuple[Form, Form, PacketSet]]] = {}
    blind: bool | None = None
    for pair, where in apart:
        match pair:
            case (Form() as before, Form() as after) if before.stage == after.stage == stage:
                veiled = before._replace(hop="")
                same_link = before.link == after.link and before.first_link == after.first_link
                if not same_link:
                    blind = sides[0].blind(stage) if blind is None else blind
                    veiled = veiled._replace(link="", first_link="")
                seen = after._replace(hop="", link=veiled.link, first_link=veiled.first_link)
                if veiled == seen and (same_link or (blind and not before.bridge)):
                    _add(joint, veiled, where)
                    groups.setdefault(veiled, []).append((before, after, where))
                    continue
            case _:
                pass
        others.append((pair, where))
    for veiled, members in groups.items():
        for step, where in _jointly(sides[0], stage, {veiled: joint[veiled]}, dispatch):
            for before, after, those in members:
                part = where & those
                if part.satisfiable():
                    shown = _shown(step, veiled, before)
                    _add(left, (shown, shown if before == after else _shown(step, veiled, after)), part)
    space.tidy()
    return others


def _shown(step: Step, veiled: Form, form: Form) -> Step:
    """What was hidden, as it is for one side."""
    match step:
        case Form():
            hidden = {
                name: getattr(form, name)
                for name in ("hop", "link", "first_link")
                if getattr(veiled, name) != getattr(form, name)
                and getattr(step, name) == getattr(veiled, name)
            }
            return step._replace(**hidden) if hidden else step
        case End(at=Form() as at):
            shown = _shown(at, veiled, form)
            return replace(step, at=shown if isinstance(shown, Form) else at)
        case End():
            return step
        case _:
            assert_never(step)


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
