"""Who is meant, in words: the pods of the node under review."""

from planner.risks.risk import Review


def pods(review: Review) -> str:
    """`42 pods on node-1`, or `the pods on node-1` when their number is not known."""
    count = review.topology.pods
    node = review.before.name
    if count is None:
        return f"the pods on {node}"
    if count == 1:
        return f"pods on {node} (1 now)"
    return f"{counted(count, 'pod')} on {node}"


def counted(number: int, noun: str) -> str:
    """`1 pod`, `2 pods`, `3 policies`."""
    if number == 1:
        return f"1 {noun}"
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {plural}"


def listed(names: tuple[str, ...] | list[str], most: int = 3) -> str:
    """`a, b and c`, `a, b, c and 4 more`."""
    unique = sorted(set(names))
    if len(unique) > most:
        return ", ".join(unique[:most]) + f" and {len(unique) - most} more"
    if len(unique) > 1:
        return ", ".join(unique[:-1]) + " and " + unique[-1]
    return unique[0] if unique else ""
