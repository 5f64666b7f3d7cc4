"""`netchange probes`: runnable checks of the paths that work before a change."""

import os
from pathlib import Path
from typing import Annotated

import typer

from planner.cli.output import print_text, width
from planner.errors import NetchangeError


def probes(
    assessment: Annotated[
        Path,
        typer.Argument(
            help="The directory that `plan --out` wrote, or its assessment.json.",
            readable=False,
        ),
    ],
    node: Annotated[str, typer.Option("--node", help="Only this node of the plan.")] = "",
    where: Annotated[
        str,
        typer.Option("--where", help="Only checks that run there: a part of the words that `Run …` shows."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each check.")] = False,
    script: Annotated[
        bool, typer.Option("--script", help="A script that is run before and after the change.")
    ] = False,
) -> None:
    """Print the checks to run before and after: only of paths that work before, with what to expect after."""
    from planner.collect.store import read_file
    from planner.report.probes import describe_probes, probe_script
    from planner.report.saved import load

    if as_json and script:
        raise typer.BadParameter("it is a form of its own: leave out --json", param_hint="--script")
    if os.path.isfile(assessment / "assessment.json"):  # noqa: PTH113 - it never raises
        assessment /= "assessment.json"
    saved = load(read_file(assessment, limit=1 << 30), name=str(assessment))
    plans = [plan for plan in saved.plans if not node or plan.node == node]
    if not plans or (script and len(plans) > 1):
        names = ", ".join(sorted(plan.node for plan in saved.plans)[:8])
        raise NetchangeError(
            reference="node-not-named",
            message=f"the plan is not about a node `{node}`" if node else "a script is for one node",
            hint=f"name one of its nodes with `--node`: {names}",
        )
    places = sorted({probe.where for plan in plans for probe in plan.probes})
    if where and not any(where in place for place in places):
        raise NetchangeError(
            reference="probes-where-unknown",
            message=f"no check runs at a place with `{where}` in its words",
            hint=f"the places are: {'; '.join(places) or 'none'}",
        )
    plans = [
        plan.model_copy(update={"probes": tuple(probe for probe in plan.probes if where in probe.where)})
        for plan in plans
    ]
    if script:
        print_text(probe_script(plans[0]))
    elif as_json:
        print_text("".join(f"{probe.model_dump_json()}\n" for plan in plans for probe in plan.probes))
    else:
        print_text(describe_probes(plans, width=width()))
