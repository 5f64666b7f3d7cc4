"""What `netchange plan --out` leaves behind: all files of a plan, or none."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from planner.cli.output import note
from planner.errors import NetchangeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from planner.models.assessment import Assessment
    from planner.models.proposal import Fragment
    from planner.models.snapshot import Snapshot


SCRIPTS = ("apply.sh", "rollback.sh")


def expect_directory(out: Path) -> None:
    """Told before the planning, which may take long: whether the directory can be one."""
    held = next(
        (path for path in (out, *out.absolute().parents) if os.path.lexists(path)), out
    )  # it never raises
    if os.path.lexists(held) and not os.path.isdir(held):  # noqa: PTH112 - it never raises
        what = "is not a directory" if held == out else f"can be none: `{held}` is not a directory"
        raise NetchangeError(
            reference="out-not-directory",
            message=f"`{out}` {what}",
            hint="give `--out` a directory; it is made when it does not exist",
        )


def write_plan(
    out: Path, assessment: "Assessment", snapshot: "Snapshot", proposed: "Snapshot | Sequence[Fragment]"
) -> None:
    """The assessment, the states before and after, and each node's scripts; those of several nodes lie in a directory of
    their own for each.
    """
    from planner.collect.store import Output, write_together
    from planner.emit.snapshot import dump_snapshot
    from planner.plan.scripts import emit_apply, emit_rollback
    from planner.report.saved import dump
    from planner.verify.predict import predict

    files = {
        out / "assessment.json": Output(dump(assessment)),
        out / "before.json.gz": Output(dump_snapshot(snapshot, gz=True)),
        out / "predicted.json.gz": Output(dump_snapshot(predict(snapshot, proposed), gz=True)),
    }
    single = len(assessment.plans) == 1
    for plan in assessment.plans:
        where = out if single else out / _directory(plan.node)
        if where / "apply.sh" in files:
            raise NetchangeError(
                reference="out-name-twice",
                message=f"`{where}` would hold the scripts of two nodes: `{plan.node}` and one with nearly the same name",
                hint="plan them one at a time",
            )
        files[where / "apply.sh"] = Output(emit_apply(plan).encode(), executable=True)
        files[where / "rollback.sh"] = Output(emit_rollback(plan).encode(), executable=True)
    made: list[Path] = []
    try:
        for folder in sorted({path.parent for path in files}):
            _make(folder, made)
        write_together(files)
        _set_aside(out, set(files))
    except BaseException:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise


def _set_aside(out: Path, written: set[Path]) -> None:
    """Scripts of a former plan that this one did not replace: beside its assessment they would be taken for its own."""
    for name in SCRIPTS:
        for old in sorted((*out.glob(name), *out.glob(f"*/{name}"))):
            if old not in written and old.is_file():
                former = old.with_name(f"{name}.former")
                old.replace(former)
                note(f"{old} belongs to a former plan and is now called {former.name}")


def _directory(node: str) -> str:
    """A node's name as that of a directory: names come from the snapshot, and `..` must not lead out of `--out`."""
    return re.sub(r"^\.|[^A-Za-z0-9._-]", "_", node)[:200] or "_"


def _make(folder: Path, made: list[Path]) -> None:
    """The directory and those above it that do not exist; what was made is remembered."""
    missing = []
    above = folder
    while not os.path.lexists(above):
        missing.append(above)
        above = above.parent
    try:
        for one in reversed(missing):
            one.mkdir()
            made.append(one)
    except OSError as error:
        raise NetchangeError(
            reference="output-not-written",
            message=f"the directory `{folder}` could not be made: {error.strerror or error}",
            hint="nothing was changed; give `--out` a directory that this user may write to",
        ) from error
