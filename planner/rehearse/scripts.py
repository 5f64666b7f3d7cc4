"""The plan's own scripts on a stage: the very texts that an operator gets, put there and run."""

from dataclasses import dataclass
from importlib.resources import files

from planner.models.plan import Plan
from planner.plan.scripts import emit_apply, emit_rollback, plan_id
from planner.rehearse.process import Completed, Running
from planner.rehearse.stage import Stage

PLACE = "/run/netchange-rehearsal"
LONG = 3600.0
"""Seconds after which a script that does not end is ended."""


@dataclass(frozen=True, slots=True)
class Scripts:
    """apply.sh and rollback.sh of one plan on one stage."""

    stage: Stage
    plan: Plan
    apply_text: str
    rollback_text: str

    @classmethod
    def on(cls, stage: Stage, plan: Plan) -> "Scripts":
        """Put them there."""
        made = cls(stage, plan, emit_apply(plan), emit_rollback(plan))
        stage.write(f"{PLACE}/apply.sh", made.apply_text, mode=0o700)
        stage.write(f"{PLACE}/rollback.sh", made.rollback_text, mode=0o700)
        return made

    @property
    def state(self) -> str:
        """Where the scripts keep what they know."""
        return f"{PLACE}/state/{plan_id(self.plan)}"

    def apply(self, *arguments: str) -> Completed:
        """Run apply.sh to its end."""
        return self._run("apply.sh", arguments)

    def rollback(self, *arguments: str) -> Completed:
        """Run rollback.sh to its end."""
        return self._run("rollback.sh", arguments)

    def variant(self, text: str, *arguments: str) -> Completed:
        """Run another text of apply.sh, as one with a mishap written into it."""
        self.stage.write(f"{PLACE}/mishap.sh", text, mode=0o700)
        return self._run("mishap.sh", arguments)

    def repeat(self, last: int) -> Completed:
        """The commands of the first steps once more, without the checks that were seen to hold, and what apply.sh noted then."""
        if self.stage.run(("test", "-d", f"{PLACE}/noted/{last}")).status != 0:
            return self.apply("--to", str(last))
        library = "\n" + files("planner.plan").joinpath("apply.sh").read_text(encoding="utf-8")
        calls = "".join(f"step_{number}_apply || exit 2\n" for number in range(1, last + 1))
        text = f'{self.apply_text.removesuffix(library)}\nmkdir -p "$state"\n{calls}'
        done = self.variant(text)
        self.stage.run(("sh", "-c", f"rm -rf {PLACE}/state && cp -a {PLACE}/noted/{last} {PLACE}/state"))
        return done

    def keep_notes(self, last: int) -> None:
        """Remember what apply.sh has noted after that step, for `repeat`."""
        self.stage.run(("sh", "-c", f"mkdir -p {PLACE}/noted && cp -a {PLACE}/state {PLACE}/noted/{last}"))

    def start(self, *arguments: str) -> Running:
        """Start apply.sh in a session of its own."""
        return self.stage.spawn(("sh", f"{PLACE}/apply.sh", *arguments), env=self._environment())

    def forget(self) -> None:
        """Without what earlier runs noted, as on a node where nothing was tried yet."""
        self.stage.run(("rm", "-rf", f"{PLACE}/state"))

    def log(self) -> str:
        """What the scripts noted."""
        return self.stage.read(f"{self.state}/log") or ""

    def _run(self, name: str, arguments: tuple[str, ...]) -> Completed:
        return self.stage.run(("sh", f"{PLACE}/{name}", *arguments), timeout=LONG, env=self._environment())

    def _environment(self) -> dict[str, str]:
        # Parts that are not understood are told in the report; here they are run to see what they leave behind.
        return {"NETCHANGE_STATE": f"{PLACE}/state", "NETCHANGE_ACCEPT_UNKNOWN": "1"}


def said(done: Completed) -> str:
    """The last lines that a script told people, on which somebody can act."""
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    ended = "it was ended at the deadline" if done.status is None else f"exit {done.status}"
    return "\n".join([ended, *lines[-12:]])
