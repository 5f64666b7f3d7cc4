"""A plan from an outlook: a step for each operation, with what must hold, what is run, and the way back."""

import shlex
from collections.abc import Iterable, Iterator, Sequence

from planner.emit.script import plain
from planner.models.change import Cause
from planner.models.cluster import Cluster
from planner.models.horizon import Horizon
from planner.models.invariant import Kept
from planner.models.node import MASK, NodeState
from planner.models.plan import Action, Check, Plan, Residue, Step, UndoKind
from planner.models.proposal import Command, FileWrite, Operation, Outlook, Stage
from planner.models.topology import Topology
from planner.plan.by_rule import chains_back
from planner.plan.checks import facets, file_facets, sysctl_facets
from planner.plan.facet import Facet
from planner.plan.masked import is_masked, words
from planner.plan.native import undone_tables
from planner.plan.native_parts import natives_back
from planner.plan.parts import parts, sets_back
from planner.plan.probes import probes
from planner.plan.residue import not_known, residues
from planner.plan.scope import Scope, scope
from planner.plan.services import acts
from planner.plan.stopping import unsafe_because
from planner.plan.undo import delete_file, install_file, undo, undo_file
from planner.topology.owners import OTHERS, owner_of_chain

TITLE = 120


def build_plan(
    outlook: Outlook,
    *,
    topology: Topology | None = None,
    cluster: Cluster | None = None,
    kept: Sequence[Kept] = (),
) -> Plan:
    """All steps of one node in the outlook's order. Nothing is run and nothing is read but the outlook.

    `kept` are the node's paths: a step after which one is shut is not safe to stop after.
    """
    start = outlook.before[Horizon.NOW]
    steps: list[Step] = []
    how = scope((start, *(stage.after for stage in outlook.stages)))
    state = start
    for position, stage in enumerate(outlook.stages):
        steps.append(_step(position, state, outlook, how, kept))
        state = stage.after
    in_stages = {gap for stage in outlook.stages for gap in stage.gaps}
    not_planned = tuple(
        dict.fromkeys(gap for gap in outlook.gaps if gap.section == "proposal" and gap not in in_stages)
    )
    return Plan(
        node=outlook.node,
        steps=tuple(steps),
        probes=probes(outlook, topology, cluster),
        not_undoable=_once(residue for step in steps for residue in step.residue),
        notes=tuple(f"step {step.number}: {step.remark}" for step in steps if step.remark),
        not_planned=not_planned,
    )


def _step(position: int, before: NodeState, outlook: Outlook, how: Scope, kept: Sequence[Kept]) -> Step:
    stage = outlook.stages[position]
    operation = stage.operation
    back = () if stage.after == before else _undo(before, stage)
    # What an earlier step may have changed, or not, is nothing that this one can be refused for.
    open_keys = frozenset(
        effect.what.removeprefix("sysctl/")
        for earlier in outlook.stages[:position]
        for effect in earlier.effects
        if effect.cause is Cause.MAYBE
    )
    found = tuple(facet for facet in _facets(before, stage, back, how) if facet.name not in open_keys)
    # A command that fails changes nothing, in the model and here: running it would only stop the script.
    skipped = bool(stage.error) and stage.after == before
    reason = unsafe_because(outlook.before[Horizon.NOW], outlook.stages, position, kept)
    return Step(
        number=position + 1,
        node=outlook.node,
        title=title(operation),
        operation=operation,
        source=operation.source,
        precondition=_checks(facet.check_before() for facet in found),
        apply=() if skipped else (_apply(operation, before),),
        expected=_checks(facet.check_after() for facet in found),
        undo=back,
        undo_kind=_kind(before, stage, back, found),
        restored=_checks(facet.check_before() for facet in found if facet.before != facet.after),
        parts=parts(found),
        chains=tuple(chains_back(before, stage.after, how)),
        sets=tuple(sets_back(before, stage.after)),
        natives=tuple(natives_back(before, stage.after, how)),
        residue=residues(before, stage),
        safe_to_stop=not reason,
        stop_reason=reason,
        remark=_remark(before, stage, skipped=skipped),
    )


def title(operation: Operation) -> str:
    """What the step does, on one line."""
    match operation:
        case FileWrite(path=path, text=None):
            return plain(f"delete {path}")
        case FileWrite(path=path):
            return plain(f"write {path}")
        case Command(argv=argv, stdin=stdin):
            text = plain(shlex.join(argv))
            if argv == ("nft", "-f", "-"):
                tables = sorted(undone_tables(stdin))
                text += f" (table{'s' * (len(tables) > 1)} {', '.join(tables)})" if tables else ""
            return text if len(text) <= TITLE else text[: TITLE - 1] + "…"


def _facets(before: NodeState, stage: Stage, back: tuple[Action, ...], how: Scope) -> tuple[Facet, ...]:
    """What this step must find and leave: all that differs, what its undo writes, and what its command names."""
    operation = stage.operation
    after = stage.after
    if isinstance(operation, FileWrite):
        files = file_facets(operation.path, before.files.get(operation.path), after.files.get(operation.path))
        return (*files, *facets(before, after, how))
    found = facets(before, after, how)
    named = [action.argv[2].partition("=")[0] for action in back if action.argv[:2] == ("sysctl", "-w")]
    if operation.argv[0].rpartition("/")[2] == "sysctl":
        named += [
            word.partition("=")[0] for word in operation.argv[1:] if "=" in word and not word.startswith("--")
        ]
    known = {facet.name for facet in found}
    found = (*found, *(facet for facet in sysctl_facets(before, after, named) if facet.name not in known))
    if operation.stdin_path and operation.stdin_path in before.files:
        file = before.files[operation.stdin_path]
        found = (*file_facets(operation.stdin_path, file, file), *found)
    return found


def _undo(before: NodeState, stage: Stage) -> tuple[Action, ...]:
    running = undo(before, stage.after)
    if isinstance(stage.operation, FileWrite):
        path = stage.operation.path
        if before.files.get(path) != stage.after.files.get(path):
            return (undo_file(path, before.files.get(path)), *running)
    return running


def _apply(operation: Operation, before: NodeState) -> Action:
    match operation:
        case FileWrite(path=path, text=None):
            return delete_file(path)
        case FileWrite(path=path, text=text):
            former = before.files.get(path)
            fresh = former is None or bool(former.link_to)
            return install_file(path, text or "", "0644" if fresh else former.mode if former else "")
        case Command(argv=argv, stdin=stdin, stdin_path=stdin_path):
            file = before.files.get(stdin_path) if stdin_path else None
            return Action(argv=argv, stdin=file.text if file else stdin)


def _kind(before: NodeState, stage: Stage, back: tuple[Action, ...], found: tuple[Facet, ...]) -> UndoKind:
    if not_known(stage) or (stage.error and stage.after != before):
        return UndoKind.NONE
    if isinstance(stage.operation, FileWrite):
        return UndoKind.RESTORE
    if not back:
        return UndoKind.INVERSE
    chains = [facet.name.split()[1] for facet in found if facet.name.startswith("chain ")]
    if (
        chains
        and len(chains) == len(found)
        and all(owner_of_chain(chain) not in {"", OTHERS} for chain in chains)
    ):
        return UndoKind.REAPPLY
    program = stage.operation.argv[0].rpartition("/")[2]
    if program == "nft" or program.endswith("-restore") or before.sysctls != stage.after.sysctls:
        return UndoKind.RESTORE
    return UndoKind.INVERSE


def _remark(before: NodeState, stage: Stage, *, skipped: bool) -> str:
    if skipped:
        return f"not run: it would fail and change nothing: {stage.error}"
    if stage.error:
        return f"it would fail in the middle: {stage.error}"
    unknown = not_known(stage)
    if unknown:
        return "what it does is not known: " + "; ".join(str(gap) for gap in unknown)
    return "; ".join(_file_words(before, stage.operation)) if isinstance(stage.operation, FileWrite) else ""


def _file_words(before: NodeState, write: FileWrite) -> Iterator[str]:
    if sentence := acts(write.path):
        yield f"{write.path}: {sentence}"
    if is_masked(before.files.get(write.path)):
        yield words(write.path)
    if write.text is not None and MASK in write.text:
        yield f"the proposed text of {write.path} holds {MASK}: it was copied from a record, and is no secret"


def _checks(checks: Iterable[Check]) -> tuple[Check, ...]:
    return tuple(dict.fromkeys(checks))


def _once(residue: Iterable[Residue]) -> tuple[Residue, ...]:
    return tuple(dict.fromkeys(residue))
