"""The plan's own scripts on a stage: the very texts that an operator gets, put there and run."""

from dataclasses import dataclass, field
from importlib.resources import files

from planner.models.plan import Plan
from planner.plan.scripts import emit_apply, emit_rollback
from planner.rehearse.process import Completed, Running
from planner.rehearse.stage import Stage

PLACE = "/run/netchange-rehearsal"
STATE = f"{PLACE}/state"
"""Where the scripts keep what they know; the same for a plan and for one with a mishap in it."""
STEPS = f"""
state={STATE}
mkdir -p "$state"
n=1
while [ "$n" -le "$3" ]; do
  "step_${{n}}_apply" || exit 2
  n=$((n + 1))
done
rm -rf "$state"
exec cp -a {PLACE}/noted/"$3" "$state"
"""
"""In place of apply.sh's own ways: the commands of the first steps (`--state DIR N`), and what was noted of them."""
LONG = 3600.0
"""Seconds after which a script that does not end is ended."""


@dataclass(frozen=True, slots=True)
class Scripts:
    """apply.sh and rollback.sh of one plan on one stage."""

    stage: Stage
    plan: Plan
    apply_text: str
    rollback_text: str
    noted: set[int] = field(default_factory=set)
    """Steps after which it is known what apply.sh notes."""

    @classmethod
    def on(cls, stage: Stage, plan: Plan) -> "Scripts":
        """Put them there."""
        made = cls(stage, plan, emit_apply(plan), emit_rollback(plan))
        stage.run(("rm", "-rf", PLACE))
        library = "\n" + files("planner.plan").joinpath("apply.sh").read_text(encoding="utf-8")
        stage.write(f"{PLACE}/apply.sh", made.apply_text, mode=0o700)
        stage.write(f"{PLACE}/rollback.sh", made.rollback_text, mode=0o700)
        stage.write(f"{PLACE}/steps.sh", made.apply_text.removesuffix(library) + STEPS, mode=0o700)
        return made

    def apply(self, *arguments: str) -> Completed:
        """Run apply.sh to its end."""
        return self._run("apply.sh", arguments)

    def rollback(self, *arguments: str) -> Completed:
        """Run rollback.sh to its end."""
        return self._run("rollback.sh", arguments)

    def mishap(self, plan: Plan, step: int) -> Completed:
        """Run the apply.sh of a plan with a mishap in that step, from the original state on."""
        self.stage.write(f"{PLACE}/mishap.sh", emit_apply(plan), mode=0o700)
        self.repeat(step - 1)
        return self._run("mishap.sh", ("--from", str(step)))

    def repeat(self, last: int) -> Completed:
        """The first steps once more: their commands, and what apply.sh noted after them when it ran them itself.

        Its checks were seen to hold then, and take most of the time.
        """
        if last == 0:
            return Completed(0)
        if last not in self.noted:
            done = self.apply("--to", str(last))
            self.keep_notes(last)
            return done
        return self._run("steps.sh", (str(last),))

    def keep_notes(self, last: int) -> None:
        """Remember what apply.sh has noted after that step, for `repeat`."""
        self.noted.add(last)
        self.stage.run(
            (
                "sh",
                "-c",
                f"mkdir -p {PLACE}/noted && rm -rf {PLACE}/noted/{last} && cp -a {STATE} {PLACE}/noted/{last}",
            )
        )

    def start(self, *arguments: str) -> Running:
        """Start apply.sh in a session of its own."""
        return self.stage.spawn(
            ("sh", f"{PLACE}/apply.sh", "--state", STATE, *arguments), env=self._environment()
        )

    def forget(self) -> None:
        """Without what earlier runs noted, as on a node where nothing was tried yet."""
        self.stage.run(("rm", "-rf", STATE))

    def log(self) -> str:
        """What the scripts noted."""
        return self.stage.read(f"{STATE}/log") or ""

    def _run(self, name: str, arguments: tuple[str, ...]) -> Completed:
        return self.stage.run(
            ("sh", f"{PLACE}/{name}", "--state", STATE, *arguments), timeout=LONG, env=self._environment()
        )

    def _environment(self) -> dict[str, str]:
        # Parts that are not understood are told in the report; here they are run to see what they leave behind.
        return {"NETCHANGE_ACCEPT_UNKNOWN": "1"}


def said(done: Completed) -> str:
    """The last lines that a script told people, on which somebody can act."""
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    ended = "it was ended at the deadline" if done.status is None else f"exit {done.status}"
    return "\n".join([ended, *lines[-12:]])
