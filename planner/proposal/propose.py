"""A proposal laid on a node: its stages now, and the state at each horizon."""

from collections.abc import Iterator, Sequence

from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.proposal import Fragment, FragmentKind, Outlook, Stage
from planner.models.source import WOULD_FAIL, Gap, Source
from planner.proposal.acting import acting
from planner.proposal.fragments import RESTORE_TARGETS
from planner.proposal.nft_boot import after_restart, differs, loaded_file
from planner.proposal.run import run
from planner.proposal.steps import compile_fragment, stops_at_error
from planner.proposal.sysctl import AfterReboot, at_reboot

RUNNING = (
    "links",
    "routes",
    "policy_rules",
    "nexthop_objects",
    "neighbours",
    "fdb",
    "rulesets",
    "native",
    "ipsets",
)
"""What lives in the kernel only: set by commands, it is gone after a reboot unless somebody sets it again."""


def propose(node: NodeState, fragments: Sequence[Fragment]) -> Outlook:
    """What the fragments, applied in the order given, make of the node."""
    stages: list[Stage] = []
    gaps: list[Gap] = []
    state = node
    for fragment in fragments:
        for item in _stages(fragment, state):
            if isinstance(item, Gap):
                gaps.append(item)
                continue
            stages.append(item)
            gaps.extend(item.gaps)
            if item.error and fragment.kind is not FragmentKind.SYSCTL:  # a risk tells of keys in files
                reason = f"would fail on {node.name}: {item.error}"
                gaps.append(Gap(section=WOULD_FAIL, reason=reason, source=item.operation.source))
            state = item.after
    persisted = any(fragment.target in RESTORE_TARGETS for fragment in fragments)
    before, after = _horizons(node, state, gaps, rules_persisted=persisted)
    return Outlook(
        node=node.name,
        before=before,
        after=after,
        stages=tuple(stages),
        effects=tuple(effect for stage in stages for effect in stage.effects),
        gaps=tuple(gaps),
    )


def _stages(fragment: Fragment, state: NodeState) -> Iterator[Stage | Gap]:
    stops = fragment.kind in {FragmentKind.IP_BATCH, FragmentKind.IPSET_RESTORE} or (
        fragment.kind is FragmentKind.SCRIPT and stops_at_error(fragment.text or "")
    )
    for item in compile_fragment(fragment, state):
        if isinstance(item, Gap):
            yield item
            continue
        stage = run(item, state)
        if not stage.effects and not stage.error and not stage.gaps and stage.after == state:
            continue  # what the command sets is set already
        yield stage
        state = stage.after
        if stage.error and stops:
            source = Source(name=fragment.path, line=item.source.line)
            reason = "the rest of the file does not run: it stops at the first command that fails"
            yield Gap(section=WOULD_FAIL, reason=reason, source=source)
            return


def _horizons(
    node: NodeState, applied: NodeState, gaps: list[Gap], *, rules_persisted: bool
) -> tuple[dict[Horizon, NodeState], dict[Horizon, NodeState]]:
    before: dict[Horizon, NodeState] = {}
    after: dict[Horizon, NodeState] = {}
    for horizon in (Horizon.NOW, Horizon.NEW_PODS, Horizon.SERVICE_RESTART):
        before[horizon] = node
        after[horizon] = applied.model_copy(update={"files": acting(node.files, applied.files, horizon)})
    before[Horizon.REBOOT], after[Horizon.REBOOT] = reboot_states(node, applied, rules_stay=rules_persisted)
    if differs(node, applied) and (loaded_file(node) or loaded_file(applied)):
        for horizon in (Horizon.SERVICE_RESTART, Horizon.REBOOT):
            for states, files in ((before, node), (after, applied)):
                state = states[horizon]
                native, found = after_restart(state, files, node)
                states[horizon] = state.model_copy(update={"native": native})
                gaps.extend(gap for gap in found if files is applied and gap not in gaps)
    return before, after


def reboot_states(
    node: NodeState, applied: NodeState, *, running_stays: bool = False, rules_stay: bool = False
) -> tuple[NodeState, NodeState]:
    """Both states after a reboot: persisted values, and what lived in the kernel only as it was before the change.

    A value that no file sets and whose default is not known is taken to come back as it was. With `running_stays` links,
    routes and rules come back as they are afterwards: somebody persisted them too.
    """
    former = at_reboot(node, node.files)
    # Nothing but these decides what the keys hold then.
    same = all(getattr(node, field) == getattr(applied, field) for field in ("sysctls", "files", "modules"))
    latter = former if same else at_reboot(applied, applied.files)

    def back(values: AfterReboot) -> dict[str, str]:
        kept = {key: node.sysctls[key] for key in values.unknown if key in node.sysctls}
        return {**values.values, **kept}

    running = {
        field: getattr(node, field)
        for field in RUNNING
        if not running_stays and not (rules_stay and field == "rulesets")
    }
    return (
        node.model_copy(update={"sysctls": {**node.sysctls, **back(former)}}),
        applied.model_copy(update={"sysctls": {**applied.sysctls, **back(latter)}, **running}),
    )
