"""The plan step by step, and the way back from after each of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from planner.diff.nodes import diff_nodes
from planner.diff.sysctls import diff_sysctls
from planner.models.change import Cause, Change, SysctlChange
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.plan import Plan
from planner.models.proposal import FileWrite, Outlook
from planner.models.rehearsal import Difference, NotRehearsed, RealProbe, Turn
from planner.rehearse.differences import difference
from planner.rehearse.facts import compare, lasting_tables
from planner.rehearse.fit import Fitted, fit
from planner.rehearse.inside.files import Found
from planner.rehearse.look import Seen
from planner.rehearse.scripts import Scripts, said
from planner.rehearse.stage import Stage
from planner.rehearse.translate import on_stage
from planner.sysctls.names import link_key

UNDONE = frozenset({0, 7})
"""Exit statuses of rollback.sh that say that it has run to its end (7: but for what nobody knows to take back)."""

Probing = Callable[[Stage, NodeState, int], tuple[RealProbe, ...]]
"""Sends the packets of the invariants on the stage in a state after a step (0: before the first)."""


def no_probes(_stage: Stage, _found: NodeState, _step: int) -> tuple[RealProbe, ...]:
    """Nothing is sent."""
    return ()


@dataclass
class Ground:
    """A stage with the plan's scripts on it; another one takes its place when something was left behind."""

    open_stage: Callable[[], Stage]
    plan: Plan
    stage: Stage = field(init=False)
    scripts: Scripts = field(init=False)
    fitted: Fitted = field(init=False)

    def __post_init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self.stage = self.open_stage()
        try:
            self.fitted = fit(self.plan, self.stage)
            self.scripts = Scripts.on(self.stage, self.fitted.plan)
            self._paths = written_paths(self.plan)
            start = self.stage.rested(self._paths)
            self._still, self._others = start.digest, start.others
        except BaseException:
            self.close()
            raise

    def renew(self) -> None:
        """Begin again on a new stage."""
        self.close()
        self._open()

    def close(self) -> None:
        """End the stage and all that runs on it."""
        self.stage.__exit__(None, None, None)

    def look(self) -> NodeState:
        """The stage as it is once its links have seen what was done to them."""
        return self._settled()[1]

    def _settled(self) -> tuple[Seen, NodeState]:
        seen = self.stage.look(self._paths)
        state = seen.state()
        if seen.tentative or self.stage.waits_for(state.links):
            self.stage.settle()
            seen = self.stage.look(self._paths)
            state = seen.state()
        return seen, state

    def left_behind(self) -> tuple[Difference, ...]:
        """What is not as it was; then the stage is of no use any more and another one takes its place."""
        seen = self.stage.look(self._paths)
        found: tuple[Difference, ...] = ()
        if not seen.digest or seen.digest != self._still:
            seen, state = self._settled()
            found = (*compare(self.stage.original, state), *_others(self._others, seen.others))
            self._still = seen.digest
        if found:
            self.renew()
        else:
            self.scripts.forget()
            self.stage.rests(seen)
        return found


def written_paths(plan: Plan) -> tuple[str, ...]:
    """Files that a plan writes."""
    paths = (step.operation.path for step in plan.steps if isinstance(step.operation, FileWrite))
    return tuple(sorted(set(paths)))


def _others(before: Mapping[str, Found], after: Mapping[str, Found]) -> Iterator[Difference]:
    """Files that no collector looks for and that are not as they were."""
    for path in sorted(before.keys() | after.keys()):
        sides = (
            " ".join(f"{name} {value}" for name, value in sorted(side[path].items())) if path in side else ""
            for side in (before, after)
        )
        wanted, found = sides
        if wanted != found:
            yield Difference(what=f"file {path}", wanted=wanted, found=found)


@dataclass
class Turns:
    """What was seen, step by step."""

    turns: list[Turn]
    not_rehearsed: list[NotRehearsed]


def run_turns(ground: Ground, outlook: Outlook, *, probing: Probing = no_probes) -> Turns:
    """Forward once, with a look at the state after each step; then back from each, the last first."""
    turns, unseen = _forward(ground, outlook, probing)
    told = [*ground.fitted.not_rehearsed, *unseen]
    shown = [turn.step for turn in turns if turn.applied and _does(ground, turn.step)]
    back: dict[int, Turn] = {}
    if turns:
        last = turns[-1]
        back[last.step] = _back(ground, last)
    for turn in reversed(turns[:-1]):
        if turn.step not in shown:
            continue  # It runs nothing: the state is that after the step before.
        applied = ground.scripts.repeat(turn.step)
        if applied.status != 0:
            output = f"a second run of steps 1 to {turn.step}: {said(applied)}"
            turn = turn.model_copy(update={"applied": False, "output": output})  # noqa: PLW2901
        back[turn.step] = _back(ground, turn)
    found: list[Turn] = []
    for turn in turns:
        former = found[-1] if found else None
        if turn.step in back:
            found.append(back[turn.step])
        elif former is not None:
            same = {"left_behind": former.left_behind, "undone": former.undone}
            found.append(turn.model_copy(update=same))
        else:
            found.append(turn)
    return Turns(found, told)


def _does(ground: Ground, step: int) -> bool:
    return bool(ground.fitted.plan.steps[step - 1].apply)


def _forward(ground: Ground, outlook: Outlook, probing: Probing) -> tuple[list[Turn], list[NotRehearsed]]:
    turns: list[Turn] = []
    unseen: list[NotRehearsed] = []
    start = outlook.before[Horizon.NOW]
    probing(ground.stage, ground.stage.original, 0)
    maybe: dict[str, str | None] = {}
    former = start
    for stage, step in zip(outlook.stages, ground.fitted.plan.steps, strict=True):
        number = str(step.number)
        # What may follow `conf.default` once may follow it again.
        maybe = {key: _default(stage.after, key) for key in maybe} | _maybe(former, stage.after)
        former = stage.after
        done = ground.scripts.apply("--from", number, "--to", number)
        ground.scripts.keep_notes(step.number)
        found = ground.look()
        expected = on_stage(stage.after, start, ground.stage.original, fixed=ground.fitted.fixed)
        unseen += [
            NotRehearsed(what=name, reason="it could not be rebuilt as it is on the node")
            for name in expected.unseen
        ]
        probes = probing(ground.stage, found, step.number)
        skipped = step.number in ground.fitted.skipped
        turns.append(
            Turn(
                step=step.number,
                title=step.title,
                applied=done.status == 0,
                not_run="" if step.apply else step.remark,
                shown=not skipped,
                output="" if done.status == 0 else said(done),
                unpredicted=() if skipped else unpredicted(ground.stage, expected.state, found, maybe=maybe),
                seconds=round(done.seconds, 3),
                probes=probes,
            )
        )
        if done.status != 0:
            unseen += [
                NotRehearsed(
                    what=f"step {later.number}: {later.title}", reason=f"apply.sh stops at step {step.number}"
                )
                for later in ground.fitted.plan.steps[step.number :]
            ]
            break
    return turns, list(dict.fromkeys(unseen))


def unpredicted(
    stage: Stage, expected: NodeState, found: NodeState, *, maybe: Mapping[str, str | None]
) -> tuple[Difference, ...]:
    """What the kernel made otherwise than the model says, of what can be shown on the stage.

    `maybe` are values that the kernel may copy from `conf.default`: whether it does hangs on what no snapshot shows.
    """
    return tuple(
        difference(change)
        for change in diff_nodes(lasting_tables(expected), lasting_tables(found))
        if not _may_be(change, maybe) and not stage.why_not(change)
    )


def _may_be(change: Change, maybe: Mapping[str, str | None]) -> bool:
    if not isinstance(change, SysctlChange):
        return False
    return change.cause is Cause.MAYBE or (change.key in maybe and maybe[change.key] == change.after)


def _default(state: NodeState, key: str) -> str | None:
    parts = link_key(key)
    return state.sysctls.get(parts.default) if parts else None


def _maybe(before: NodeState, after: NodeState) -> dict[str, str | None]:
    return {change.key: change.after for change in diff_sysctls(before, after) if change.cause is Cause.MAYBE}


def _back(ground: Ground, turn: Turn) -> Turn:
    done = ground.scripts.rollback()
    undone = done.status in UNDONE
    output = turn.output if undone else "\n".join(part for part in (turn.output, said(done)) if part)
    left = ground.left_behind()
    return turn.model_copy(
        update={
            "undone": undone,
            "left_behind": left,
            "output": output,
            "undo_seconds": round(done.seconds, 3),
        }
    )
