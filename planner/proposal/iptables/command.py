"""One call of iptables, ip6tables or a twin, on the state of a node."""

from typing import assert_never

from planner.models.change import Cause
from planner.models.node import NodeState
from planner.models.proposal import Command, Effect
from planner.models.ruleset import Backend, Family, Ruleset, Table
from planner.models.source import Gap, Source
from planner.netfilter import command as call
from planner.netfilter.command import parse_command
from planner.netfilter.differing import differing
from planner.netfilter.extension import Verbatim
from planner.netfilter.problem import RuleError
from planner.netfilter.rule import parse_rule
from planner.proposal.iptables import edit
from planner.proposal.iptables.edit import RefusedError
from planner.proposal.outcome import Outcome


def program(argv: tuple[str, ...]) -> tuple[Family, str] | None:
    """Family and backend (`nft`, `legacy`, or empty for the node's default) of an iptables program's name."""
    name = argv[0].rsplit("/", 1)[-1].removesuffix("-restore")
    families: dict[str, Family] = {"iptables": "ip", "ip6tables": "ip6"}
    for prefix, family in families.items():
        if name == prefix:
            return family, ""
        if name in {f"{prefix}-nft", f"{prefix}-legacy"}:
            return family, name.removeprefix(f"{prefix}-")
    return None


def apply_call(table: Table, wanted: call.Command, backend: Backend) -> Table:
    """The table after one call of a program of that backend. Raises RefusedError."""
    match wanted:
        case call.Append(chain=chain, rule=rule):
            return edit.append(table, chain, rule)
        case call.Insert(chain=chain, position=position, rule=rule):
            return edit.insert(table, chain, rule, position)
        case call.Delete(chain=chain, rule=rule):
            return edit.delete(table, chain, rule)
        case call.DeleteAt(chain=chain, position=position):
            return edit.delete(table, chain, position)
        case call.Replace(chain=chain, position=position, rule=rule):
            return edit.replace(table, chain, position, rule)
        case call.Check(chain=chain, rule=rule):
            if rule not in edit.rules_of(table, chain):
                raise RefusedError(f"bad rule: no such rule in {chain}")
            return table
        case call.NewChain(chain=chain):
            return edit.new_chain(table, chain)
        case call.DeleteChain(chain=chain):
            return edit.delete_chain(table, chain, backend=backend)
        case call.RenameChain(chain=chain, name=name):
            return edit.rename(table, chain, name)
        case call.Flush(chain=chain):
            return edit.flush(table, chain)
        case call.SetPolicy(chain=chain, policy=policy):
            return edit.set_policy(table, chain, policy)
        case call.Zero() | call.Show():
            return table
        case _:
            assert_never(wanted)


def backend_of(state: NodeState, wanted: str) -> Backend | None:
    """The backend that a plain `iptables` speaks to on this node, when it can be told."""
    if wanted in {"nft", "legacy"}:
        return "nft" if wanted == "nft" else "legacy"
    if state.iptables_default in {"nft", "legacy"}:
        return "nft" if state.iptables_default == "nft" else "legacy"
    holding = {ruleset.backend for ruleset in state.rulesets if ruleset.size}
    if len(holding) == 1:
        return holding.pop()
    return None if holding else "nft"


def with_table(state: NodeState, family: Family, backend: Backend, table: Table) -> NodeState:
    """The state with one table set."""
    present = state.ruleset(family, backend)
    ruleset = present or Ruleset(family=family, backend=backend)
    changed = ruleset.model_copy(update={"tables": {**ruleset.tables, table.name: table}})
    rulesets = tuple(changed if one is present else one for one in state.rulesets)
    return state.model_copy(update={"rulesets": rulesets if present else (*state.rulesets, changed)})


def undecided(command: Command, state: NodeState, family: Family) -> Outcome:
    """When it is not known which backend a program speaks to."""
    reason = f"both iptables backends hold rules, and it is not known which one `{command.argv[0]}` speaks to"
    return Outcome(state, gaps=(Gap(section=f"iptables/{family}", reason=reason, source=command.source),))


def run_iptables(command: Command, state: NodeState) -> Outcome:
    """The node after one call of iptables or a twin."""
    found = program(command.argv)
    if found is None:
        raise AssertionError(f"not an iptables program: {command.argv[0]}")
    family, wanted = found
    backend = backend_of(state, wanted)
    if backend is None:
        return undecided(command, state, family)
    unknown = state.gap(f"iptables/{backend}/{family}")
    gaps: tuple[Gap, ...] = ()
    try:
        other = {"ip": {"-6", "--ipv6"}, "ip6": {"-4", "--ipv4"}}[family]
        if other & set(command.argv):
            return Outcome(state)  # a rule for the other family is passed over (iptables(8), -4 and -6)
        line = parse_command(command.argv[1:], family)
        gaps = unread(line, family, command.source)
        ruleset = state.ruleset(family, backend)
        before = (ruleset.tables.get(line.table) if ruleset else None) or edit.empty_table(line.table)
        table = before
        for one in line.commands:
            table = apply_call(table, one, backend)
            edit.check_loops(table, chains_of(one))
    except (RefusedError, RuleError) as refusal:
        if unknown is not None:
            reason = f"the rules of the node are not known ({unknown.reason}): {refusal}"
            return Outcome(state, gaps=(Gap(section=unknown.section, reason=reason, source=command.source),))
        return Outcome(state, error=f"{command.argv[0]}: {refusal}")
    if table is before:
        return Outcome(state, gaps=gaps)
    if unknown is not None:
        reason = f"laid on rules that are not known: {unknown.reason}"
        gaps = (*gaps, Gap(section=unknown.section, reason=reason, source=command.source))
    effects = rule_effects(before, table, family, backend, command.source)
    return Outcome(with_table(state, family, backend, table), effects=effects, gaps=gaps)


def chains_of(wanted: call.Command) -> tuple[str, ...]:
    """Chains that a call gives a rule to."""
    match wanted:
        case call.Append(chain=chain) | call.Insert(chain=chain) | call.Replace(chain=chain):
            return (chain,)
        case _:
            return ()


def unread(line: call.CommandLine, family: Family, source: Source) -> tuple[Gap, ...]:
    """What of a command only the node can read: an extension that is not known here may not be known there either."""
    reasons = [line.unread] if line.unread else []
    for one in line.commands:
        if isinstance(one, call.Append | call.Insert | call.Replace) and not line.unread:
            rule = parse_rule(one.rule, family)
            reasons += [
                f"the extension `{use.extension}` is not known here: whether the node's iptables takes it is not known"
                for use in (*rule.matches, rule.target)
                if isinstance(use, Verbatim)
            ]
    return tuple(Gap(section="proposal", reason=reason, source=source) for reason in reasons)


def rule_effects(
    before: Table | None, after: Table, family: Family, backend: Backend, source: Source
) -> tuple[Effect, ...]:
    """Which chains a command touched, so that a change can name its line."""
    name = f"{family}/{backend}/{after.name}"
    former = before.chains if before is not None else {}
    touched = [*differing(former, after.chains)]
    policies = before.policies if before is not None else {}
    touched += [chain for chain in after.policies if policies.get(chain) != after.policies[chain]]
    return tuple(
        Effect(what=f"chain/{name}/{chain}", cause=Cause.PROPOSED, source=source)
        for chain in sorted(set(touched))
    )
