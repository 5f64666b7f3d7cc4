"""The order of operations: the proposal's own, unless harmless additions can come first with the same end."""

from collections.abc import Callable, Sequence

from planner.models.node import NodeState
from planner.models.proposal import Command, Operation

ADDS = frozenset(
    {"-A", "--append", "-I", "--insert", "-N", "--new-chain", "add", "append", "create", "replace"}
)
REMOVES = frozenset(
    {"-D", "--delete", "-F", "--flush", "-X", "--delete-chain", "del", "delete", "flush", "destroy"}
)
TOOLS = ("iptables", "ip6tables", "ipset", "ip")


def order(
    operations: Sequence[Operation], predict: Callable[[tuple[Operation, ...]], NodeState | None]
) -> tuple[Operation, ...]:
    """Additions before removals, so that no packet falls between the two, if `predict` gives the same end for both.

    `predict` returns None where it cannot tell; then, and whenever the ends differ, the proposal's order stays.
    """
    kept = tuple(operations)
    if not any(_removes(operation) for operation in kept):
        return kept
    candidate = tuple(_hoisted(kept))
    if candidate == kept:
        return kept
    end = predict(kept)
    return candidate if end is not None and predict(candidate) == end else kept


def _hoisted(operations: tuple[Operation, ...]) -> list[Operation]:
    """Within each unbroken run of additions and removals, additions first; anything else stays where it is."""
    result: list[Operation] = []
    run: list[Operation] = []
    for operation in operations:
        if _adds(operation) or _removes(operation):
            run.append(operation)
            continue
        result += [*filter(_adds, run), *filter(_removes, run), operation]
        run = []
    return [*result, *filter(_adds, run), *filter(_removes, run)]


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
        and any(word in words for word in operation.argv[1:4])
    )
