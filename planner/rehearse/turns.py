"""The plan step by step, and the way back from after each of them.

Up to `EACH` steps the plan is applied again for each of them, and taken back as a whole. With more, that would take the square of
their number: then every step is taken back alone, the last first, and what is found must be what was found there on the way
forward. What a whole way back does from there on is what follows. From some of them it is run as a whole all the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from planner.diff.nodes import diff_nodes
from planner.diff.sysctls import diff_sysctls
from planner.diff.unsaid import is_unsaid
from planner.models.change import Cause, Change, SysctlChange
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.plan import Plan, Step
from planner.models.proposal import FileWrite, Outlook
from planner.models.rehearsal import Difference, NotRehearsed, RealProbe, Turn
from planner.plan.residue import not_known
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

EACH = 24
"""Steps up to which a whole way back is run from after each of them."""
SHOWN = 3
"""Facts that are named of what nobody predicted."""
KEPT_RULES = 20_000
"""With more rules, of the states between the steps only the digests are kept."""

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

    def pause(self) -> "Pause":
        """The stage as it is once its links have seen what was done to them."""
        return Pause(*self._settled())

    def look(self) -> NodeState:
        """The state there."""
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
            found = (*compare(self.stage.original, state), *other_files(self._others, seen.others))
            self._still = seen.digest
        if found:
            self.renew()
        else:
            self.scripts.forget()
            self.stage.rests(seen)
        return found


@dataclass(frozen=True)
class Pause:
    """What was found between two steps."""

    seen: Seen
    state: NodeState

    def kept(self) -> "Pause":
        """Without what takes much memory: of a large node there are no sections, and no state but an empty one."""
        small = Seen(self.seen.name, (), self.seen.others, self.seen.digest)
        large = sum(ruleset.size for ruleset in self.state.rulesets) > KEPT_RULES
        return Pause(small, NodeState(name=self.state.name) if large else self.state)

    def equals(self, other: "Pause") -> bool:
        """Whether nothing is different, as a rollback is judged."""
        if self.seen.digest and self.seen.digest == other.seen.digest:
            return True
        return not any((*compare(self.state, other.state), *other_files(self.seen.others, other.seen.others)))


def written_paths(plan: Plan) -> tuple[str, ...]:
    """Files that a plan writes."""
    paths = (step.operation.path for step in plan.steps if isinstance(step.operation, FileWrite))
    return tuple(sorted(set(paths)))


def other_files(before: Mapping[str, Found], after: Mapping[str, Found]) -> Iterator[Difference]:
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
    unknown: bool = False
    """Steps of which nothing was predicted have done something, which no way back knows to undo."""


@dataclass
class Unknown:
    """What steps did of which nothing was predicted, and that no way back knows to undo: the plan says so of them."""

    steps: dict[int, NotRehearsed] = field(default_factory=dict)
    facts: dict[int, frozenset[Difference]] = field(default_factory=dict)
    """What was found to differ from before the step, by its number."""
    changed: set[str] = field(default_factory=set)
    """What is otherwise than predicted from there on."""

    def seen(self, step: Step, why: str, before: NodeState, found: NodeState) -> None:
        """A step that was run, and what it did."""
        facts = tuple(compare(before, found))
        named = "; ".join(
            f"{one.what}: {one.wanted or 'nothing'} → {one.found or 'nothing'}" for one in facts[:SHOWN]
        )
        more = f" and {len(facts) - SHOWN} more" if len(facts) > SHOWN else ""
        did = (
            f"here it changed {named}{more}, which the way back leaves"
            if facts
            else "here it changed nothing that is recorded"
        )
        self.steps[step.number] = NotRehearsed(
            what=f"step {step.number}: {step.title}", reason=f"nothing is predicted, as {why}; {did}"
        )
        self.facts[step.number] = frozenset(facts)

    def spared(self, turn: Turn) -> Turn:
        """Without what the plan does not claim to take back."""
        known = frozenset[Difference]().union(
            *(facts for step, facts in self.facts.items() if step <= turn.step)
        )
        left = tuple(one for one in turn.left_behind if one not in known)
        return turn if left == turn.left_behind else turn.model_copy(update={"left_behind": left})

    def told(self) -> tuple[NotRehearsed, ...]:
        """One line for each of the steps."""
        return tuple(self.steps.values())


def run_turns(ground: Ground, outlook: Outlook, *, probing: Probing = no_probes) -> Turns:
    """Forward once, with a look at the state after each step; then back from each, the last first."""
    turns, unseen, pauses, unknown = _forward(ground, outlook, probing)
    told = [*ground.fitted.not_rehearsed, *unseen]
    # What runs nothing leaves the state after the step before; a step that failed may have done something.
    done = [turn for turn in turns if turn is turns[-1] or _does(ground, turn.step)]
    back: dict[int, Turn] = {}
    if len(done) > EACH:
        back = _one_by_one(ground, done, pauses)
    whole = [done[0], done[len(done) // 2]] if back else done[:-1]
    if done and not back:
        back[done[-1].step] = _back(ground, done[-1])
    for turn in reversed(whole):
        back[turn.step] = _back(ground, _again(ground, turn))
    found: list[Turn] = []
    for turn in turns:
        former = found[-1] if found else None
        if turn.step in back:
            found.append(back[turn.step])
        elif former is not None:
            same = {"left_behind": former.left_behind, "undone": former.undone, "stepwise": former.stepwise}
            found.append(turn.model_copy(update=same))
        else:
            found.append(turn)
    return Turns(
        [unknown.spared(turn) for turn in found],
        [*told, *unknown.told()],
        unknown=any(unknown.facts.values()),
    )


def _again(ground: Ground, turn: Turn) -> Turn:
    """The stage after that step once more; the turn with what went otherwise this time."""
    applied = ground.scripts.repeat(turn.step)
    if applied.status == 0:
        return turn
    output = f"a second run of steps 1 to {turn.step}: {said(applied)}"
    return turn.model_copy(update={"applied": False, "output": output})


def _one_by_one(ground: Ground, turns: Sequence[Turn], pauses: Mapping[int, "Pause"]) -> dict[int, Turn]:
    """Each step taken back alone, the last first. Empty where one led elsewhere: then each way back has to be run as a whole."""
    took: dict[int, float] = {}
    for turn, former in zip(reversed(turns), (*reversed(turns[:-1]), None), strict=True):
        done = ground.scripts.rollback("--to", str(turn.step))
        took[turn.step] = done.seconds
        there = former is None or ground.pause().equals(pauses[former.step])
        if done.status not in UNDONE or not there:
            ground.renew()
            ground.scripts.repeat(turns[-1].step)
            return {}
    if ground.left_behind():
        ground.scripts.repeat(turns[-1].step)
        return {}
    return {
        turn.step: turn.model_copy(
            update={
                "stepwise": True,
                "undo_seconds": round(sum(took[one.step] for one in turns[: number + 1]), 3),
            }
        )
        for number, turn in enumerate(turns)
    }


def _does(ground: Ground, step: int) -> bool:
    return bool(ground.fitted.plan.steps[step - 1].apply)


def _forward(
    ground: Ground, outlook: Outlook, probing: Probing
) -> tuple[list[Turn], list[NotRehearsed], dict[int, Pause], Unknown]:
    turns: list[Turn] = []
    unknown = Unknown()
    last = ground.stage.original
    guessed = any(map(not_known, outlook.stages))
    pauses: dict[int, Pause] = {}
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
        pause = ground.pause()
        found, pauses[step.number] = pause.state, pause.kept()
        expected = on_stage(stage.after, start, ground.stage.original, fixed=ground.fitted.fixed)
        unseen += [
            NotRehearsed(what=name, reason="it could not be rebuilt as it is on the node")
            for name in expected.unseen
        ]
        probes = probing(ground.stage, found, step.number)
        skipped = step.number in ground.fitted.skipped
        wrong = () if skipped else unpredicted(ground.stage, expected.state, found, maybe=maybe)
        if (gaps := not_known(stage)) and not skipped:
            unknown.seen(step, "; ".join(map(str, gaps)), last, found)
            unknown.changed |= {one.what for one in wrong}
            skipped = True
        last = found if guessed else last
        turns.append(
            Turn(
                step=step.number,
                title=step.title,
                applied=done.status == 0,
                not_run="" if step.apply else step.remark,
                shown=not skipped,
                output="" if done.status == 0 else said(done),
                unpredicted=tuple(one for one in wrong if one.what not in unknown.changed),
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
    return turns, list(dict.fromkeys(unseen)), pauses, unknown


def unpredicted(
    stage: Stage, expected: NodeState, found: NodeState, *, maybe: Mapping[str, str | None]
) -> tuple[Difference, ...]:
    """What the kernel made otherwise than the model says, of what can be shown on the stage.

    `maybe` are values that the kernel may copy from `conf.default`: whether it does hangs on what no snapshot shows.
    """
    return tuple(
        difference(change)
        for change in diff_nodes(lasting_tables(expected), lasting_tables(found))
        if not _may_be(change, maybe)
        and not stage.why_not(change)
        and not is_unsaid(change, stage.original, expected)
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
