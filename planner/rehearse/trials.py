"""What else may happen: the script is killed, a step fails, the rollback runs twice, somebody else is at work, nobody confirms."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from planner.diff.nodes import diff_nodes
from planner.models.change import Change
from planner.models.horizon import Horizon
from planner.models.plan import Plan
from planner.models.proposal import Outlook
from planner.models.rehearsal import Difference, Trial
from planner.rehearse.facts import compare, compare_facts, facts
from planner.rehearse.foreign import ELSEWHERE, Foreign, NotPlayed, Offer, best, kind_of
from planner.rehearse.foreign_beside import beside
from planner.rehearse.foreign_same import on_the_same
from planner.rehearse.mishaps import failing, killed_after, killed_before
from planner.rehearse.scripts import STATE, said
from planner.rehearse.turns import UNDONE, Ground

GONE = frozenset({-9, 137})
"""How the end by SIGKILL is told."""
MOMENTS = (0.35, 0.75)
"""Parts of the time that the whole plan takes, at which it is killed."""
TIMER = 1
"""Seconds until the dead-man timer fires."""
_NUMBER = re.compile(r"^rule \d+: ")
WAITS = 600
SHOWN = 6
MOST = 300
"""Changes of a kind that are looked at for something that somebody else could do to them."""
TRIES = 10
"""Things that are tried until one can be done."""
REFUSED = 3
"""Exit status of rollback.sh where somebody else has changed what a step set."""
SAME = "foreign/same"
"""Name of the trial in which somebody else changes what the plan has set."""
ENDS = """n=0
while [ "$n" -lt "$2" ]; do
  grep -q -e 'Z taken back' -e 'Z nothing to take back' -e 'sh: not as before' -e 'sh: left alone' "$1/log" &&
    [ ! -d "$1/lock" ] && exit 0
  n=$((n + 1))
  sleep 0.1
done
exit 1
"""
"""Waits until the log of a state directory says that a rollback has ended, so many tenths of a second at most."""


def run_trials(ground: Ground, outlook: Outlook, *, thorough: bool = False) -> Iterator[Trial]:
    """Every trial, each from the original state. `thorough`: at every step instead of at one."""
    steps = [step.number for step in ground.fitted.plan.steps if step.apply]
    if not steps:
        return
    trial, seconds = _twice(ground)
    yield trial
    if not trial.held:
        return  # It cannot be said of the others what makes them fail.
    chosen = steps if thorough else _risky(ground.fitted.plan, steps)
    for step in chosen:
        yield _mishap(ground, killed_before, step, "apply.sh killed right before the command of step {}")
    for step in chosen:
        yield _mishap(ground, killed_after, step, "apply.sh killed right after the command of step {}")
    yield _killed_at_moments(ground, seconds)
    yield _mishap(ground, failing, steps[-1], "step {} fails after its command has run")
    yield from _foreign(ground, outlook)
    yield _timer(ground)


def _risky(plan: Plan, steps: Sequence[int]) -> list[int]:
    """The step after which one may least stop: the last of those told unsafe, else the one in the middle."""
    unsafe = [number for number in steps if not plan.steps[number - 1].safe_to_stop]
    return [unsafe[-1] if unsafe else steps[len(steps) // 2]]


def _twice(ground: Ground) -> tuple[Trial, float]:
    """The scripts in one go, as an operator runs them, and both a second time."""
    scripts = ground.scripts
    applied = scripts.apply()
    scripts.keep_notes(len(ground.plan.steps))
    again = scripts.apply()
    back = scripts.rollback()
    second = scripts.rollback()
    trouble = [
        said(done)
        for done, wanted in ((applied, {0}), (again, {0}), (back, UNDONE), (second, {0}))
        if done.status not in wanted
    ]
    if not trouble and "nothing to take back" not in second.stderr:
        trouble.append(f"the second rollback.sh did something: {said(second)}")
    return _judged(
        ground,
        "twice",
        "apply.sh and rollback.sh as an operator runs them, and each of them a second time: it does nothing",
        trouble,
    ), applied.seconds


def _mishap(ground: Ground, make: Callable[[Plan, int], Plan], step: int, words: str) -> Trial:
    ended = ground.scripts.mishap(make(ground.fitted.plan, step), step)
    trouble: list[str] = []
    wanted = {2} if make is failing else GONE
    if ended.status not in wanted:
        trouble.append(f"the mishap did not happen: {said(ended)}")
    back = ground.scripts.rollback()
    if back.status not in UNDONE:
        trouble.append(said(back))
    return _judged(ground, f"{make.__name__}/{step}", f"{words.format(step)}, then rollback.sh", trouble)


def _killed_at_moments(ground: Ground, seconds: float) -> Trial:
    """With everything that it has started, whatever that is doing: an `iptables-restore` in its middle too."""
    trouble: list[str] = []
    left: tuple[Difference, ...] = ()
    for part in MOMENTS:
        running = ground.scripts.start()
        running.wait(part * seconds)
        running.kill()
        running.wait(WAITS)
        back = ground.scripts.rollback()
        if back.status not in UNDONE:
            trouble.append(f"at {part:.0%}: {said(back)}")
        left = ground.left_behind()
        if left:
            trouble += [f"at {part:.0%} was left behind: {_told(left)}"]
            break
    moments = ", ".join(f"{part:.0%}" for part in MOMENTS)
    return Trial(
        name="killed/moments",
        words=f"apply.sh killed with the command it runs, at {moments} of its time, then rollback.sh",
        held=not trouble,
        detail="\n".join(trouble),
    )


def _foreign(ground: Ground, outlook: Outlook) -> Iterator[Trial]:
    """Beside the change: it stays. In what the change has set: the rollback stops and touches nothing."""
    changes = diff_nodes(outlook.before[Horizon.NOW], outlook.stages[-1].after)
    trial = _beside(ground, changes)
    yield trial
    ground.left_behind()
    same = _same(ground, changes)
    if same is not None:
        yield same


def _offers(
    changes: Sequence[Change], offer: Callable[[Change], Iterable[Offer]]
) -> Iterator[tuple[str, tuple[Foreign, ...] | NotPlayed]]:
    """For every kind of thing that the change touches, in the order of their names."""
    kinds = sorted({kind for change in changes if (kind := kind_of(change))})
    for kind in kinds:
        own = [change for change in changes if kind_of(change) == kind]
        yield kind, best([one for change in own[:MOST] for one in offer(change)], kind)


def _play(
    ground: Ground, offered: Iterable[tuple[str, tuple[Foreign, ...] | NotPlayed]]
) -> tuple[list[Foreign], list[str]]:
    """Do of each kind the first that can be done; and say why nothing of a kind was done."""
    played: list[Foreign] = []
    told: list[str] = []
    for kind, found in offered:
        if isinstance(found, NotPlayed):
            told.append(f"not played, {kind}: {found.reason}")
            continue
        trouble = ""
        for foreign in found[:TRIES]:
            if any(
                (one.argv, one.stdin) == (foreign.argv, foreign.stdin)
                or (one.thing and one.thing == foreign.thing)
                for one in played
            ):
                break
            done = ground.stage.run(foreign.argv, foreign.stdin)
            if done.status == 0:
                played.append(foreign)
                break
            trouble = trouble or f"not played, {kind}: {foreign.words}: {said(done)}"
        else:
            told.append(trouble)
    return played, told


def _beside(ground: Ground, changes: Sequence[Change]) -> Trial:
    trouble = _unless_done(ground)
    applied = ground.look()
    for foreign in ELSEWHERE:
        ground.stage.run(foreign.argv)
    played, told = _play(
        ground, _offers(changes, lambda change: beside(change, ground.stage.original, applied, ground.plan))
    )
    now = ground.look()
    theirs = _lines(compare(applied, now))
    back = ground.scripts.rollback()
    if back.status not in UNDONE:
        trouble.append(said(back))
    found = compare(ground.stage.original, ground.look())
    if _lines(found) != theirs:
        trouble.append(f"instead of what somebody else made there is: {_told(found) or 'nothing'}")
    for foreign in reversed(played):
        ground.stage.run(foreign.back)
    for foreign in reversed(ELSEWHERE):
        ground.stage.run(foreign.back)
    did = "; ".join(foreign.words for foreign in (*ELSEWHERE, *played))
    return Trial(
        name="foreign/beside",
        words=f"somebody else changes something beside the change before rollback.sh ({did}): it stays, "
        "and everything else is as before",
        held=not trouble,
        detail="\n".join([*trouble, *told]),
    )


def _lines(found: Iterable[Difference]) -> set[tuple[str, str, bool]]:
    """What is there more, and what less, line by line: of a list, what stood there before is no difference.

    A rule of an nft chain has another number where the plan's own rules stand above it.
    """
    sides = [(one.what, _unnumbered(one.wanted), _unnumbered(one.found)) for one in found]
    more = {(what, line, True) for what, wanted, held in sides for line in held - wanted if line}
    return more | {(what, line, False) for what, wanted, held in sides for line in wanted - held if line}


def _unnumbered(text: str) -> set[str]:
    return set(_NUMBER.sub("", text).split("\n"))


def _same(ground: Ground, changes: Sequence[Change]) -> Trial | None:
    """All kinds at once: the rollback must name each of them, and touch none."""
    applied = _unless_done(ground)
    state = ground.look()
    played, told = _play(ground, _offers(changes, lambda change: on_the_same(change, state, ground.plan)))
    if not played:
        ground.scripts.rollback()
        ground.left_behind()
        return None
    trouble = list(applied)
    before = facts(ground.look())
    back = ground.scripts.rollback()
    if back.status != REFUSED:
        trouble.append(f"it was not refused: {said(back)}")
    trouble += [
        f"it was refused without a word of this: {foreign.words}"
        for foreign in played
        if foreign.thing not in back.stderr
    ]
    touched = compare_facts(before, facts(ground.look()))
    if touched:
        trouble.append(f"it was refused, and changed all the same: {_told(touched)}")
    for foreign in played:
        if not foreign.forced:
            ground.stage.run(foreign.back)
    forced = ground.scripts.rollback("--force")
    if forced.status not in UNDONE:
        trouble.append(f"with --force: {said(forced)}")
    did = "; ".join(foreign.words for foreign in played)
    trial = _judged(
        ground,
        SAME,
        f"somebody else changes what the plan has set ({did}): rollback.sh names it, refuses and changes nothing; "
        "with --force it leads back",
        trouble,
    )
    return trial.model_copy(update={"detail": "\n".join([*filter(None, [trial.detail]), *told])})


def _unless_done(ground: Ground) -> list[str]:
    applied = ground.scripts.repeat(len(ground.plan.steps))
    return [] if applied.status == 0 else [said(applied)]


def _timer(ground: Ground) -> Trial:
    """Nobody confirms. It may fire while the plan is still at work: that is one of its cases."""
    running = ground.scripts.start("--confirm-within", str(TIMER))
    trouble: list[str] = []
    if running.wait(WAITS) is None:
        trouble.append("apply.sh did not end")
        running.kill()
    # The timer's process is no child of anybody who could wait for it: its end is looked for.
    ended = ground.stage.run(("sh", "-c", ENDS, "wait", STATE, str(WAITS * 10)), timeout=WAITS + 10)
    if ended.status != 0:
        trouble.append(f"the timer did not take the change back: {ground.scripts.log()[-500:]}")
    return _judged(
        ground,
        "timer",
        f"nobody confirms within {TIMER} s: the timer takes everything back, without a session",
        trouble,
    )


def _judged(ground: Ground, name: str, words: str, trouble: list[str]) -> Trial:
    left = ground.left_behind()
    if left:
        trouble.append(f"left behind: {_told(left)}")
    return Trial(name=name, words=words, held=not trouble, detail="\n".join(trouble))


def _told(found: Sequence[Difference]) -> str:
    lines = [f"{one.what}: wanted {one.wanted or 'nothing'}, found {one.found or 'nothing'}" for one in found]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "; ".join([*lines[:SHOWN], *more])
