"""Plans with a mishap written into one step: the script is killed, or a command of the step fails."""

from planner.models.plan import Action, Plan

KILL = Action(argv=("sh", "-c", "kill -KILL $PPID"))
"""Ends the script that runs it, as a crash would: nothing is noted any more."""
FAIL = Action(argv=("false",))


def killed_before(plan: Plan, step: int) -> Plan:
    """The script is gone when the step was announced and nothing of it was run."""
    return _with(plan, step, before=(KILL,))


def killed_after(plan: Plan, step: int) -> Plan:
    """The script is gone when the step's command was run and nothing was noted of that."""
    return _with(plan, step, after=(KILL,))


def failing(plan: Plan, step: int) -> Plan:
    """The step's command is run, and then one fails that belongs to it."""
    return _with(plan, step, after=(FAIL,))


def _with(
    plan: Plan, number: int, *, before: tuple[Action, ...] = (), after: tuple[Action, ...] = ()
) -> Plan:
    steps = tuple(
        step.model_copy(update={"apply": (*before, *step.apply, *after)}) if step.number == number else step
        for step in plan.steps
    )
    return plan.model_copy(update={"steps": steps})
