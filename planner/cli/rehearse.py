"""`netchange rehearse`: the plan and its rollback, run in a namespace before anybody applies them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from planner.cli.inputs import load_state
from planner.cli.output import note, print_data, print_text, progress, width
from planner.cli.plan import Kind, assessed, read_inputs
from planner.cli.plan_files import expect_directory, write_plan
from planner.cli.printing import Format
from planner.errors import NetchangeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from planner.models.assessment import Assessment
    from planner.models.proposal import Fragment
    from planner.models.rehearsal import Rehearsal
    from planner.models.snapshot import Snapshot

FAILED = 6
INCOMPLETE = 4
HEAD = 4096


def rehearse(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="The directory that `plan --out` wrote, or its assessment.json; or proposed files, as for `plan`.",
            readable=False,
        ),
    ],
    before: Annotated[
        Path | None,
        typer.Option(
            "--before",
            help="Snapshot or bundle of the present state; not needed beside an assessment that has it.",
            readable=False,
        ),
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option("--as", help="Kind of the files, where path and content do not tell it.")
    ] = None,
    noflush: Annotated[
        bool, typer.Option("--noflush", help="iptables-restore files are applied with --noflush.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Directory for assessment.json with the evidence, apply.sh and rollback.sh.",
            readable=False,
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Form of the evidence.")] = Format.TERMINAL,
    title: Annotated[str, typer.Option("--title", help="What the change is for.")] = "",
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Kill the script at every step instead of at one.")
    ] = False,
    load_modules: Annotated[
        bool,
        typer.Option(
            "--load-modules", help="Let the kernel load modules for the node's rules, for this whole machine."
        ),
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Print every line of every list.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 when a plan or a step could not be rehearsed.")
    ] = False,
) -> None:
    """Rehearse a plan: run every step and the way back from each in a namespace, and compare with the prediction."""
    from planner.rehearsed import with_rehearsals

    if out is not None:
        expect_directory(out)
    with progress("planning"):
        saved = _saved(files) if kind is None and not noflush else None
        if saved is not None:
            assessment, snapshot, proposed = _loaded(saved, before)
        elif before is None:
            for file in files:
                if not os.path.lexists(file):
                    raise NetchangeError(
                        reference="path-missing", message=f"`{file}` does not exist", hint="check the path"
                    )
            raise typer.BadParameter("it is needed with proposed files", param_hint="--before")
        else:
            snapshot, proposed = read_inputs(files, before, kind, noflush=noflush)
            assessment = assessed(snapshot, proposed, name=str(files[0]), title=title, growth=5.0)
    with progress("rehearsing"):
        found = _rehearsals(assessment, snapshot, proposed, thorough=thorough, load_modules=load_modules)
        rehearsals = tuple(found)
    for cohort in assessment.cohorts:
        others = [name for name in cohort.nodes if name != cohort.representative]
        if others:
            more = f" and {len(others) - 8} more" if len(others) > 8 else ""
            note(
                f"{cohort.representative} stands for {', '.join(others[:8])}{more}: the same but for their names"
            )
    judged = with_rehearsals(assessment, snapshot, rehearsals)
    if judged.level > assessment.level:
        note(f"the rehearsal raises the level from {assessment.level.words} to {judged.level.words}")
    if out is not None:
        write_plan(out, judged, snapshot, proposed)
        note(f"wrote assessment.json with the evidence, and the plan's other files, to {out}")
    _print(rehearsals, form, full=full)
    raise typer.Exit(exit_code(rehearsals, strict=strict))


def exit_code(rehearsals: "tuple[Rehearsal, ...]", *, strict: bool) -> int:
    """6 where something was not as predicted or did not come back; 4 where that is not known and `--strict` wants it."""
    from planner.models.rehearsal import Proof

    if any(rehearsal.failed for rehearsal in rehearsals):
        return FAILED
    left_out = any(
        rehearsal.proof is Proof.NOT_RUN
        or rehearsal.unreached
        or any(one.what.startswith("step ") for one in rehearsal.not_rehearsed)
        for rehearsal in rehearsals
    )
    return INCOMPLETE if strict and left_out else 0


def _saved(files: list[Path]) -> Path | None:
    """The file of the saved assessment, when one is named."""
    if len(files) != 1:
        return None
    inside = files[0] / "assessment.json"
    if os.path.isfile(inside):  # noqa: PTH113 - it never raises
        return inside
    if not os.path.isfile(files[0]) or files[0].name.endswith(".gz"):  # noqa: PTH113 - as above
        return None
    with files[0].open("rb") as file:
        head = file.read(HEAD)
    return files[0] if head.lstrip()[:1] == b"{" and b'"netchange"' in head else None


def _loaded(
    path: Path, before: Path | None
) -> "tuple[Assessment, Snapshot, Snapshot | tuple[Fragment, ...]]":
    """A saved assessment with the state it was made from, and what was proposed."""
    from planner.collect.store import read_file
    from planner.report.saved import load

    assessment = load(read_file(path, limit=1 << 30), name=str(path))
    where = before or path.parent / "before.json.gz"
    if before is None and not os.path.lexists(where):
        raise NetchangeError(
            reference="assessment-without-snapshot",
            message=f"the snapshot that `{path}` was made from does not lie beside it",
            hint="name it with `--before`",
        )
    snapshot = load_state(where)
    if assessment.taken_at != snapshot.taken_at or set(assessment.nodes) != {
        node.name for node in snapshot.nodes
    }:
        raise NetchangeError(
            reference="assessment-of-another-snapshot",
            message=f"`{path}` was made from a snapshot of {assessment.taken_at}, and `{where}` is of {snapshot.taken_at}",
            hint="name the snapshot that it was made from, or plan again",
        )
    named = {node.name for node in snapshot.nodes}
    for plan in assessment.plans:
        numbers = [step.number for step in plan.steps]
        if plan.node not in named or numbers != list(range(1, len(numbers) + 1)):
            raise NetchangeError(
                reference="assessment-edited",
                message=f"`{path}` holds a plan for `{plan.node}` that does not fit together: a node that it is not about, "
                "or steps that are not numbered from 1 on",
                hint="give the assessment.json as `netchange plan --out DIR` wrote it, or plan again",
            )
    wanted = path.parent / "predicted.json.gz"
    if not assessment.fragments and os.path.lexists(wanted):
        return assessment, snapshot, load_state(wanted)
    return assessment, snapshot, assessment.fragments


def _rehearsals(
    assessment: "Assessment",
    snapshot: "Snapshot",
    proposed: "Snapshot | Sequence[Fragment]",
    *,
    thorough: bool,
    load_modules: bool,
) -> "Iterator[Rehearsal]":
    from planner.assess import node_of
    from planner.models.snapshot import Snapshot
    from planner.rehearse.outlook import outlook_of
    from planner.rehearse.run import not_run
    from planner.rehearse.run import rehearse as run
    from planner.rehearse.stage import available
    from planner.verify.predict import predict

    predicted = predict(snapshot, proposed).nodes if isinstance(proposed, Snapshot) else ()
    wanted = {node.name: node for node in predicted}
    missing = available()
    for plan in assessment.plans:
        node = node_of(snapshot, plan.node)
        if not plan.steps:
            unwritten = "; ".join(gap.reason for gap in plan.not_planned)
            yield not_run(plan.node, unwritten or "the plan has no step")
        elif missing:
            yield not_run(plan.node, missing)
        else:
            yield run(
                outlook_of(plan, node, wanted.get(node.name)),
                plan,
                cluster=snapshot.cluster,
                thorough=thorough,
                load_modules=load_modules,
            )


def _print(rehearsals: "tuple[Rehearsal, ...]", form: Format, *, full: bool) -> None:
    from planner.report.rehearsal import describe_rehearsals, markdown_page, render_json

    match form:
        case Format.TERMINAL:
            print_text(describe_rehearsals(rehearsals, width=width(), full=full))
        case Format.MARKDOWN:
            print_data(markdown_page(rehearsals).encode())
        case Format.JSON:
            print_data(render_json(rehearsals).encode())
        case _:
            assert_never(form)
