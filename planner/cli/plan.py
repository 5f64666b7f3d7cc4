"""`netchange plan`: what a proposal does, how risky it is, and how to take it back."""

from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli.inputs import load_state, proposal
from planner.cli.output import note, progress
from planner.cli.plan_files import expect_directory, write_plan
from planner.cli.printing import Format, print_assessment

if TYPE_CHECKING:
    from planner.models.assessment import Assessment
    from planner.models.proposal import Fragment
    from planner.models.snapshot import Snapshot


class Kind(StrEnum):
    """Words of `--as`; equal to `FragmentKind`, which is not imported for `--help`. A test keeps them equal."""

    SYSCTL = "sysctl"
    IPTABLES_RESTORE = "iptables-restore"
    IP6TABLES_RESTORE = "ip6tables-restore"
    SCRIPT = "script"
    IP_BATCH = "ip-batch"
    IPSET_RESTORE = "ipset-restore"
    NFT = "nft"
    CNI = "cni"
    KUBELET = "kubelet"
    FILE = "file"


class Gate(StrEnum):
    """Words of `--gate`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def plan(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Proposed files or directories, in the order they are applied; or one snapshot.",
            readable=False,
        ),
    ],
    before: Annotated[
        Path, typer.Option("--before", help="Snapshot or bundle of the present state.", readable=False)
    ],
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
            help="Directory for assessment.json, apply.sh, rollback.sh and the states before and after.",
            readable=False,
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Form of the report.")] = Format.TERMINAL,
    title: Annotated[str, typer.Option("--title", help="What the change is for.")] = "",
    growth: Annotated[
        float,
        typer.Option("--growth", min=1.0, max=1000.0, help="Limits must hold for today's usage times this."),
    ] = 5.0,
    budget: Annotated[
        float,
        typer.Option(
            "--budget",
            min=0.1,
            max=3600.0,
            help="About how many seconds the comparison of all packets may take for each node; beyond it is unknown.",
        ),
    ] = 20.0,
    full: Annotated[bool, typer.Option("--full", help="Print every line of every list.")] = False,
    gate: Annotated[Gate | None, typer.Option("--gate", help="Exit with 3 at this level or above.")] = None,
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 when anything changes.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 when something could not be read or decided.")
    ] = False,
) -> None:
    """Plan a change: what it does to packets, pods and people, how risky, and the way back."""
    for name, value in (("--growth", growth), ("--budget", budget)):
        if isnan(value):
            raise typer.BadParameter("it is not a number", param_hint=name)
    if out is not None:
        expect_directory(out)
    with progress("planning"):
        snapshot, proposed = read_inputs(files, before, kind, noflush=noflush)
        assessment = assessed(
            snapshot, proposed, name=str(files[0]), title=title, growth=growth, budget=budget
        )
    if out is not None:
        write_plan(out, assessment, snapshot, proposed)
        note(f"wrote assessment.json, apply.sh, rollback.sh and the states before and after to {out}")
    print_assessment(assessment, form, full=full)
    raise typer.Exit(_exit_code(assessment, gate, detailed=detailed, strict=strict))


def read_inputs(
    files: list[Path], before: Path, kind: "Kind | None", *, noflush: bool
) -> "tuple[Snapshot, Snapshot | tuple[Fragment, ...]]":
    """The present state, and what is proposed."""
    from planner.models.proposal import FragmentKind

    chosen: FragmentKind | None = FragmentKind(kind.value) if kind is not None else None
    proposed = proposal(files, kind=chosen, noflush=noflush)
    return load_state(before), proposed


def assessed(
    snapshot: "Snapshot",
    proposed: "Snapshot | tuple[Fragment, ...]",
    *,
    name: str,
    title: str,
    growth: float,
    budget: float = 20.0,
) -> "Assessment":
    """The assessment of a proposal; `name` is the file of one that is a snapshot."""
    from planner.assess import assess, assess_snapshots
    from planner.models.snapshot import Snapshot

    if isinstance(proposed, Snapshot):
        return assess_snapshots(snapshot, proposed, name=name, title=title, growth=growth, budget=budget)
    return assess(snapshot, proposed, title=title, growth=growth, budget=budget)


def _exit_code(assessment: "Assessment", gate: "Gate | None", *, detailed: bool, strict: bool) -> int:
    from planner.models.finding import Confidence, Level

    if gate is not None and assessment.level >= Level[gate.value.upper()]:
        return 3
    undecided = any(scored.finding.confidence is Confidence.UNKNOWN for scored in assessment.findings)
    if strict and (assessment.gaps or undecided):
        return 4
    return 2 if detailed and assessment.changes else 0
