"""The order of operations: the proposal's own, unless another one has the same end and keeps paths open on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planner.invariants.check import kept
from planner.models.cluster import Cluster
from planner.models.horizon import Horizon
from planner.models.invariant import Kept
from planner.models.proposal import Command, Operation, Outlook, Stage
from planner.models.topology import Topology
from planner.proposal.run import run

ADDS = frozenset(
    {"-A", "--append", "-I", "--insert", "-N", "--new-chain", "add", "append", "create", "replace"}
)
REMOVES = frozenset(
    {"-D", "--delete", "-F", "--flush", "-X", "--delete-chain", "del", "delete", "flush", "destroy"}
)
POLICY = frozenset({"-P", "--policy"})
TOOLS = ("iptables", "ip6tables", "ipset", "ip")
MOST = 200
"""Operations that are tried in another order; longer scripts stay as they are."""


@dataclass(frozen=True, slots=True)
class Order:
    """An outlook whose stages stand in the order of the plan, with its paths."""

    outlook: Outlook
    kept: tuple[Kept, ...]
    notes: tuple[str, ...] = ()
    """What was changed about the order."""


def in_order(outlook: Outlook, topology: Topology, cluster: Cluster | None) -> Order:
    """The first order that shuts the fewest paths on the way, among those with the same end; the proposal's own first."""
    found = kept(outlook, topology, cluster)
    best = Order(outlook, found)
    shut = _shut(found)
    if not shut or len(outlook.stages) > MOST or any(stage.gaps or stage.error for stage in outlook.stages):
        return best
    operations = tuple(stage.operation for stage in outlook.stages)
    for words, candidate in _candidates(operations):
        stages = _stages(outlook, candidate)
        if stages is None:
            continue
        effects = tuple(effect for stage in stages for effect in stage.effects)
        other = outlook.model_copy(update={"stages": stages, "effects": effects})
        walked = kept(other, topology, cluster)
        if len(_shut(walked)) < len(_shut(best.kept)):
            gone = sorted(shut - _shut(walked))
            note = f"the steps are not in the order of the proposal: {words}; otherwise {_named(found, gone)} would be shut meanwhile"
            best = Order(other, walked, (note,))
    return best


def _shut(found: Sequence[Kept]) -> set[str]:
    return {one.path.name for one in found if one.step is not None}


def _named(found: Sequence[Kept], names: Sequence[str]) -> str:
    ranked = sorted(
        (one.path for one in found if one.step is not None and one.path.name in names),
        key=lambda path: (not path.cuts_undo, path.flow.state == "NEW", not path.everybody, path.name),
    )
    words = [path.words for path in ranked]
    return words[0] + (f" and {len(words) - 1} other paths" if len(words) > 1 else "")


def _candidates(operations: tuple[Operation, ...]) -> Iterator[tuple[str, tuple[Operation, ...]]]:
    """Other orders, with what is different about them."""
    added = tuple(_hoisted(operations))
    late = tuple(_policies_last(operations))
    both = tuple(_policies_last(added))
    seen = {operations}
    for words, candidate in (
        ("what is added comes before what is removed", added),
        ("policies that drop come last", late),
        ("what is added comes before what is removed, and policies that drop come last", both),
    ):
        if candidate not in seen:
            seen.add(candidate)
            yield words, candidate


def _stages(outlook: Outlook, operations: tuple[Operation, ...]) -> tuple[Stage, ...] | None:
    """The stages in that order; None where one fails, or where they end elsewhere."""
    state = outlook.before[Horizon.NOW]
    stages: list[Stage] = []
    for operation in operations:
        stage = run(operation, state)
        if stage.gaps or stage.error:
            return None
        stages.append(stage)
        state = stage.after
    return tuple(stages) if state == outlook.stages[-1].after else None


def _hoisted(operations: tuple[Operation, ...]) -> list[Operation]:
    """Within each unbroken run of additions and removals, additions first; anything else stays where it is."""
    result: list[Operation] = []
    waiting: list[Operation] = []
    for operation in operations:
        if _adds(operation) or _removes(operation):
            waiting.append(operation)
            continue
        result += [*filter(_adds, waiting), *filter(_removes, waiting), operation]
        waiting = []
    return [*result, *filter(_adds, waiting), *filter(_removes, waiting)]


def _policies_last(operations: tuple[Operation, ...]) -> list[Operation]:
    """Policies that drop behind everything else."""
    late = [operation for operation in operations if _drops(operation)]
    return [*(operation for operation in operations if not _drops(operation)), *late]


def _drops(operation: Operation) -> bool:
    return _is(operation, POLICY) and isinstance(operation, Command) and "DROP" in operation.argv


def _adds(operation: Operation) -> bool:
    return _is(operation, ADDS) and not _is(operation, REMOVES)


def _removes(operation: Operation) -> bool:
    return _is(operation, REMOVES)


def _is(operation: Operation, words: frozenset[str]) -> bool:
    return (
        isinstance(operation, Command)
        and operation.argv[0].rpartition("/")[2].startswith(TOOLS)
        and not operation.argv[0].endswith("-restore")
        and not operation.unless
        and not operation.only_if
        and any(word in words for word in operation.argv[1:5])
    )
