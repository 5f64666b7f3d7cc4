"""Whether a node may be left as it is between two steps."""

from collections.abc import Iterator, Sequence

from planner.models.invariant import Kept
from planner.models.node import NodeState
from planner.models.proposal import FileWrite, Stage
from planner.plan.checks_rules import ruleset_keys, table_names
from planner.plan.services import is_sysctl_file

SWITCHES = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")


def unsafe_because(
    before: NodeState, stages: tuple[Stage, ...], position: int, kept: Sequence[Kept] = ()
) -> str:
    """Why the node should not be left after `stages[position]`; empty when it may be.

    Only what the end does not have as well: what the finished change breaks is a matter for the findings.
    """
    now, end = stages[position].after, stages[-1].after
    if stages[position].gaps:
        return "what this step did is not known"
    if position == len(stages) - 1:
        return ""
    return "; ".join(
        [
            *_shut(kept, position + 1),
            *_forwarding(before, now, end),
            *_policies(before, now, end),
            *_routes(before, now, end),
            *_links(before, now, end),
            *_files(stages, position),
        ]
    )


def _shut(kept: Sequence[Kept], step: int) -> Iterator[str]:
    """Paths that were walked and are shut from this step on."""
    shut = [one for one in kept if one.step == step]
    if shut:
        first = min(
            shut, key=lambda one: (not one.path.cuts_undo, one.path.flow.state == "NEW", one.path.name)
        )
        more = f" and {len(shut) - 1} other paths" if len(shut) > 1 else ""
        yield f"shut here and open again at the end: {first.path.words}{more}"


def _forwarding(before: NodeState, now: NodeState, end: NodeState) -> Iterator[str]:
    for key in SWITCHES:
        if (
            "0" not in {before.sysctls.get(key, "0"), end.sysctls.get(key, "0")}
            and now.sysctls.get(key) == "0"
        ):
            yield f"{key} is 0 here and on again at the end: pods' packets are not forwarded meanwhile"


def _policies(before: NodeState, now: NodeState, end: NodeState) -> Iterator[str]:
    for family, backend in ruleset_keys(now, end):
        here, last, first = (state.ruleset(family, backend) for state in (now, end, before))
        for name in table_names(here, last):
            table = here.tables.get(name) if here else None
            final = last.tables.get(name) if last else None
            initial = first.tables.get(name) if first else None
            if table is None or final is None:
                continue
            for chain, policy in sorted(table.policies.items()):
                rules, wanted = table.chains.get(chain, ()), final.chains.get(chain, ())
                place = f"chain {chain} of table {name} ({family}, {backend})"
                if policy == "DROP" and final.policies.get(chain) != "DROP":
                    yield f"{place} drops by policy here and does not at the end"
                elif (
                    policy == "DROP"
                    and len(rules) < len(wanted)
                    and (initial is None or rules != initial.chains.get(chain, ()))
                ):
                    yield f"{place} drops by policy and does not have all of its rules yet"
                elif not rules and wanted and initial is not None and initial.chains.get(chain):
                    yield f"{place} is empty between its old rules and its new ones"


def _routes(before: NodeState, now: NodeState, end: NodeState) -> Iterator[str]:
    def prefixes(state: NodeState) -> set[tuple[str, str, str]]:
        return {(route.family, route.table, route.prefix) for route in state.routes if route.table != "255"}

    missing = (prefixes(before) & prefixes(end)) - prefixes(now)
    for _, table, prefix in sorted(missing):
        yield f"the route to {prefix} of table {table} is missing here and back at the end"


def _links(before: NodeState, now: NodeState, end: NodeState) -> Iterator[str]:
    for link in now.links:
        last, first = end.link(link.name), before.link(link.name)
        if not link.up and last is not None and last.up and first is not None and first.up:
            yield f"{link.name} is down here and up again at the end"


def _files(stages: tuple[Stage, ...], position: int) -> Iterator[str]:
    now, end = stages[position].after, stages[-1].after
    written = {
        stage.operation.path for stage in stages[: position + 1] if isinstance(stage.operation, FileWrite)
    }
    for path in sorted(written):
        file = now.files.get(path)
        if file is None or not is_sysctl_file(path):
            continue
        differing = [
            key
            for key, value in _assignments(file.text)
            if key in now.sysctls and now.sysctls[key] != value and end.sysctls.get(key) == value
        ]
        if differing:
            yield f"{path} and the running values disagree about {', '.join(differing[:5])}" + (
                f" and {len(differing) - 5} more" if len(differing) > 5 else ""
            )


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """Plain `key = value` lines; enough to see a disagreement that a later step resolves."""
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith(("#", ";")):
            yield key.strip().lstrip("-"), " ".join(value.split())
