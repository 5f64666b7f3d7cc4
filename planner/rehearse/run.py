"""The rehearsal of one node's plan: rebuild, forward, back from every step, and what else may happen."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from types import TracebackType
from weakref import WeakSet

from planner.errors import NetchangeError
from planner.models.cluster import Cluster
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.plan import Plan
from planner.models.proposal import Outlook
from planner.models.rehearsal import NotRehearsed, Proof, Rehearsal, Trial, Turn
from planner.rehearse.isolation import Isolation, usual
from planner.rehearse.namespaces import StageFailedError
from planner.rehearse.probes import Prober
from planner.rehearse.stage import Stage
from planner.rehearse.trials import SAME, run_trials
from planner.rehearse.turns import Ground, no_probes, run_turns

MESSAGE = 16_384
"""Characters of rules that surely fit into one message, whatever the machine's net.core.wmem_max."""
MANY_RULES = 20_000
"""From so many rules on, one stage at a time: the kernel holds each of them."""


MANY_LINKS = 500
"""The same: to make a node of so many, and to open all its sysctls, takes longer than what is done with it."""


def rehearse(
    outlook: Outlook,
    plan: Plan,
    *,
    cluster: Cluster | None = None,
    packets: bool = True,
    trials: bool = True,
    thorough: bool = False,
    load_modules: bool = False,
    open_stage: Callable[[], Stage] | None = None,
) -> Rehearsal:
    """Run `plan`, which was made from `outlook`, on the node as it was before, rebuilt in a namespace.

    `packets`: those that must arrive are sent after each step; `cluster` tells of more of them. `trials`: mishaps, too. `thorough`: the script is killed at every step instead of at one. `load_modules`: the machine may load kernel modules for it. `open_stage` gives another place to run it.
    """
    began = monotonic()
    node = outlook.before[Horizon.NOW]
    stopped = Stopped()

    def opened() -> Stage:
        later = tuple(stage.after for stage in outlook.stages)
        walls = Isolation.PLAIN if large_messages(plan) and Isolation.PLAIN in usual() else None
        stage = Stage(node, isolation=walls, load_modules=load_modules, later=later).__enter__()
        try:
            stopped.add(stage)
            stage.rebuild()
        except BaseException as error:
            stage.__exit__(type(error), error, error.__traceback__)
            raise
        return stage

    make = open_stage or opened
    prober = Prober(outlook, cluster) if packets else None
    beside = trials and _rules(node) < MANY_RULES and len(node.links) < MANY_LINKS
    try:
        ground = Ground(make, plan)
    except NetchangeError as error:
        return not_run(outlook.node, error.message)
    try:
        with ThreadPoolExecutor(max_workers=1) as other, stopped:
            # Most of the time is other programs': two stages of one node take little more of it than one.
            early = other.submit(_trials, make, outlook, plan, thorough=thorough) if beside else None
            seen = run_turns(ground, outlook, probing=prober or no_probes)
            sound = all(turn.undone and not turn.left_behind for turn in seen.turns)
            whole = sound and all(turn.applied for turn in seen.turns) and not seen.unknown
            tried = early.result() if early is not None else ()
        if sound and not any(turn.unpredicted or not turn.not_run for turn in seen.turns):
            return not_run(outlook.node, _nothing_run(seen.turns))
        if whole and trials and not beside:
            with stopped:
                tried = tuple(run_trials(ground, outlook, thorough=thorough))
        tried = tried if whole else ()
        untried = prober.not_rehearsed if prober is not None else ()
        mishaps = tuple(_not_tried(tried, unknown=seen.unknown)) if trials else ()
        not_rehearsed = tuple(
            dict.fromkeys((*seen.not_rehearsed, *mishaps, *untried, *ground.stage.not_rebuilt))
        )
        return Rehearsal(
            node=outlook.node,
            proof=judge(outlook, seen.turns, tried, not_rehearsed),
            reason=_reason(outlook, seen.turns),
            kernel=ground.stage.kernel,
            tools=dict(ground.stage.tools),
            isolation=str(ground.stage.isolation),
            turns=tuple(seen.turns),
            trials=tried,
            not_rehearsed=not_rehearsed,
            unreached=len(plan.steps) - len(seen.turns),
            facts=ground.stage.facts,
            seconds=round(monotonic() - began, 1),
        )
    finally:
        if prober is not None:
            prober.close()
        ground.close()


class Stopped:
    """The stages of a rehearsal, all ended at once where an exception ends it: nobody waits for another thread, or a command."""

    def __init__(self) -> None:
        self._stages: WeakSet[Stage] = WeakSet()
        self._all = False

    def add(self, stage: Stage) -> None:
        """One more. Raises StageFailedError where it comes too late."""
        self._stages.add(stage)
        if self._all:
            raise StageFailedError("the rehearsal was stopped")

    def __enter__(self) -> None:
        """What follows may be stopped."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._all = True
            for stage in list(self._stages):
                stage.abandon()


def large_messages(plan: Plan) -> bool:
    """Whether a step, or its undo, is one message of the nft backend that root of a user namespace may not send.

    It may not exceed net.core.wmem_max (net/core/sock.c, SO_SNDBUFFORCE): 400 rules with comments do (measured).
    """
    actions = (action for step in plan.steps for action in (*step.apply, *step.undo))
    return any(
        len(action.stdin or "") > MESSAGE and action.argv[0].startswith(("nft", "iptables", "ip6tables"))
        for action in actions
    )


def _trials(make: Callable[[], Stage], outlook: Outlook, plan: Plan, *, thorough: bool) -> tuple[Trial, ...]:
    ground = Ground(make, plan)
    try:
        return tuple(run_trials(ground, outlook, thorough=thorough))
    finally:
        ground.close()


def _rules(node: NodeState) -> int:
    return sum(ruleset.size for ruleset in node.rulesets)


def not_run(node: str, reason: str) -> Rehearsal:
    """The rehearsal that did not take place."""
    return Rehearsal(node=node, proof=Proof.NOT_RUN, reason=reason)


def judge(
    outlook: Outlook, turns: Sequence[Turn], trials: Sequence[Trial], not_rehearsed: Sequence[NotRehearsed]
) -> Proof:
    """What all of it proves. A wrong prediction is told first: everything else rests on it."""
    if any(turn.unpredicted for turn in turns) or any(
        not probe.agrees for turn in turns for probe in turn.probes
    ):
        return Proof.MODEL_WRONG
    if any(not turn.applied and not _would_fail(outlook, turn.step) for turn in turns):
        return Proof.MODEL_WRONG
    if any(not turn.undone or turn.left_behind for turn in turns):
        return Proof.NOT_UNDONE
    if any(not trial.held for trial in trials):
        return Proof.NOT_UNDONE
    if not_rehearsed or any(not turn.applied for turn in turns):
        return Proof.PROVEN_EXCEPT
    return Proof.PROVEN


def _nothing_run(turns: Sequence[Turn]) -> str:
    first = f"step {turns[0].step} is {turns[0].not_run}"
    return f"of {len(turns)} steps none can be run on a stage: {first}" if len(turns) > 1 else first


def _not_tried(tried: Sequence[Trial], *, unknown: bool) -> Iterator[NotRehearsed]:
    """Mishaps that the guide promises and that this rehearsal has not shown."""
    if not tried:
        reason = "a step fails, is not as predicted or is not taken back: that comes first"
        if unknown:
            reason = "what a step does is not known, and is left by every way back: what a mishap leaves could not be told from it"
        yield NotRehearsed(what="mishaps", reason=reason)
    elif all(trial.held for trial in tried) and not any(trial.name == SAME for trial in tried):
        yield NotRehearsed(
            what="somebody else changes what the plan has set",
            reason="of what this plan sets, nothing is known that could be changed again without breaking it",
        )


def _would_fail(outlook: Outlook, step: int) -> bool:
    return bool(outlook.stages[step - 1].error)


def _reason(outlook: Outlook, turns: Sequence[Turn]) -> str:
    """Why not everything was run, or was not as it should be, in one sentence."""
    for turn in turns:
        if turn.unpredicted:
            first = turn.unpredicted[0]
            return (
                f"after step {turn.step}, {first.what} was predicted to be `{_short(first.wanted)}`, "
                f"and is `{_short(first.found)}`"
            )
        if not turn.applied:
            how = "as predicted" if _would_fail(outlook, turn.step) else "which was not predicted"
            return f"step {turn.step} fails, {how}"
        for probe in turn.probes:
            if not probe.agrees:
                return f"after step {turn.step}, {probe.words}: predicted `{probe.predicted}`, found `{probe.after}`"
    for turn in turns:
        if turn.left_behind:
            first = turn.left_behind[0]
            return (
                f"taken back from after step {turn.step}, {first.what} was `{_short(first.wanted)}` before, "
                f"and is `{_short(first.found)}`"
            )
        if not turn.undone:
            return f"rollback.sh does not end well from after step {turn.step}"
    return ""


def _short(text: str) -> str:
    line = text.split("\n", maxsplit=1)[0]
    return "absent" if not text else line if len(line) <= 100 else f"{line[:99]}…"
