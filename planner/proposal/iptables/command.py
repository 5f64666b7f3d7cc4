"""One call of iptables, ip6tables or a twin, on the state of a node."""

from dataclasses import dataclass, field

from planner.models.change import Cause
from planner.models.node import NodeState
from planner.models.proposal import Command, Effect
from planner.models.ruleset import Backend, Family, Ruleset, Table
from planner.models.source import Gap, Source
from planner.netfilter.words import join_words
from planner.proposal.iptables import edit
from planner.proposal.iptables.edit import RefusedError
from planner.proposal.outcome import Outcome

ACTIONS = {
    "-A": "append",
    "--append": "append",
    "-I": "insert",
    "--insert": "insert",
    "-D": "delete",
    "--delete": "delete",
    "-R": "replace",
    "--replace": "replace",
    "-F": "flush",
    "--flush": "flush",
    "-N": "new-chain",
    "--new-chain": "new-chain",
    "-X": "delete-chain",
    "--delete-chain": "delete-chain",
    "-P": "policy",
    "--policy": "policy",
    "-E": "rename-chain",
    "--rename-chain": "rename-chain",
    "-C": "check",
    "--check": "check",
    "-Z": "zero",
    "--zero": "zero",
    "-L": "list",
    "--list": "list",
    "-S": "list",
    "--list-rules": "list",
}
QUIET = frozenset({"-v", "--verbose", "-n", "--numeric", "--line-numbers", "-x", "--exact"})
DEFAULT_TABLE = "filter"


@dataclass(slots=True)
class Call:
    """What a command line asks for."""

    action: str = ""
    table: str = DEFAULT_TABLE
    chain: str = ""
    position: int | None = None
    argument: str = ""
    """Policy or new name."""
    rule: list[str] = field(default_factory=list)
    family: str = ""
    """`-4` or `-6` when given: in iptables a rule for the other family is ignored."""


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


def read_call(words: tuple[str, ...]) -> Call:
    """Words of a command line, or of a line of a restore file. Raises RefusedError on what the tool refuses."""
    call = Call()
    position = 0

    def following(what: str) -> str:
        nonlocal position
        position += 1
        if position >= len(words):
            raise RefusedError(f"`{words[position - 1]}` needs {what}")
        return words[position]

    while position < len(words):
        word = words[position]
        if word in ACTIONS and not call.action:
            call.action = ACTIONS[word]
            optional = call.action in {"flush", "delete-chain", "zero", "list"}
            if not optional or (position + 1 < len(words) and not words[position + 1].startswith("-")):
                call.chain = following("a chain")
            if call.action in {"policy", "rename-chain"}:
                call.argument = following("a word")
            if call.action in {"insert", "delete", "replace"} and position + 1 < len(words):
                upcoming = words[position + 1]
                if upcoming.isdigit():
                    call.position = int(following("a number"))
        elif word in ACTIONS and ACTIONS[word] not in {"zero", "list"}:
            raise RefusedError(f"`{word}` beside another command")
        elif word in {"-t", "--table"}:
            call.table = following("a table")
        elif word.startswith("--table="):
            call.table = word.removeprefix("--table=")
        elif word.startswith("-t") and len(word) > 2 and not word.startswith("--"):
            call.table = word[2:]
        elif word in {"-w", "--wait", "-W", "--wait-interval"}:
            if position + 1 < len(words) and words[position + 1].isdigit():
                position += 1
        elif (word.startswith(("-w", "--wait=")) and word.lstrip("-wait=").isdigit()) or word in QUIET:
            pass
        elif word in {"-4", "--ipv4"}:
            call.family = "ip"
        elif word in {"-6", "--ipv6"}:
            call.family = "ip6"
        elif word in {"-c", "--set-counters"}:
            position += 2
        else:
            call.rule.append(word)
        position += 1
    if not call.action:
        raise RefusedError("no command specified")
    if call.table not in edit.BASE_CHAINS:
        raise RefusedError(f"table `{call.table}` does not exist")
    return call


def apply_call(table: Table, call: Call, family: str, known: frozenset[str] = frozenset()) -> Table:
    """The table after one call. Raises RefusedError."""
    rule = ""
    if call.action in {"append", "insert", "replace", "check"} or (
        call.action == "delete" and call.position is None
    ):
        text = join_words(call.rule)
        rule = edit.spelled(text, family, known)
    match call.action:
        case "append":
            return edit.append(table, call.chain, rule)
        case "insert":
            return edit.insert(table, call.chain, rule, call.position or 1)
        case "delete":
            return edit.delete(table, call.chain, call.position if call.position is not None else rule)
        case "replace":
            if call.position is None:
                raise RefusedError("-R needs a rule number")
            return edit.replace(table, call.chain, call.position, rule)
        case "flush":
            return edit.flush(table, call.chain)
        case "new-chain":
            return edit.new_chain(table, call.chain)
        case "delete-chain":
            return edit.delete_chain(table, call.chain)
        case "policy":
            return edit.set_policy(table, call.chain, call.argument)
        case "rename-chain":
            return edit.rename(table, call.chain, call.argument)
        case "check":
            if rule not in table.chains.get(call.chain, ()):
                raise RefusedError(f"bad rule: no such rule in {call.chain}")
            return table
        case _:
            return table


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


def with_table(
    state: NodeState, family: Family, backend: Backend, table: Table | None, name: str
) -> NodeState:
    """The state with one table set, or removed when None."""
    ruleset = state.ruleset(family, backend) or Ruleset(family=family, backend=backend)
    tables = {key: value for key, value in ruleset.tables.items() if key != name or table is not None}
    if table is not None:
        tables[name] = table
    changed = ruleset.model_copy(update={"tables": tables})
    if state.ruleset(family, backend) is None:
        rulesets = (*state.rulesets, changed)
    else:
        rulesets = tuple(
            changed if r.family == family and r.backend == backend else r for r in state.rulesets
        )
    return state.model_copy(update={"rulesets": rulesets})


def run_iptables(command: Command, state: NodeState) -> Outcome:
    """The node after one call of iptables or a twin."""
    found = program(command.argv)
    if found is None:
        raise AssertionError(f"not an iptables program: {command.argv[0]}")
    family, wanted = found
    backend = backend_of(state, wanted)
    if backend is None:
        reason = "both iptables backends hold rules and it is not known which one plain `iptables` speaks to"
        return Outcome(state, gaps=(Gap(section=f"iptables/{family}", reason=reason, source=command.source),))
    unknown = state.gap(f"iptables/{backend}/{family}")
    try:
        call = read_call(command.argv[1:])
        if call.action == "list":
            return Outcome(state)
        if call.family and call.family != family:
            return Outcome(state)
        ruleset = state.ruleset(family, backend)
        table = (ruleset.tables.get(call.table) if ruleset else None) or edit.empty_table(call.table)
        changed = apply_call(table, call, family)
    except RefusedError as refusal:
        if unknown is not None:
            gap = Gap(
                section=unknown.section,
                reason=f"the rules of the node are not known: {refusal}",
                source=command.source,
            )
            return Outcome(state, gaps=(gap,))
        return Outcome(state, error=f"{command.argv[0]}: {refusal}")
    gaps: tuple[Gap, ...] = ()
    if unknown is not None:
        gaps = (
            Gap(
                section=unknown.section,
                reason=f"laid on rules that are not known: {unknown.reason}",
                source=command.source,
            ),
        )
    effects = rule_effects(table, changed, family, backend, command.source)
    return Outcome(with_table(state, family, backend, changed, call.table), effects=effects, gaps=gaps)


def rule_effects(
    before: Table | None, after: Table, family: Family, backend: Backend, source: Source
) -> tuple[Effect, ...]:
    """Which chains a command touched, so that a change can name its line."""
    name = f"{family}/{backend}/{after.name}"
    former = before.chains if before is not None else {}
    touched = [chain for chain in {**former, **after.chains} if former.get(chain) != after.chains.get(chain)]
    policies = before.policies if before is not None else {}
    touched += [chain for chain in after.policies if policies.get(chain) != after.policies[chain]]
    return tuple(
        Effect(what=f"chain/{name}/{chain}", cause=Cause.PROPOSED, source=source)
        for chain in sorted(set(touched))
    )
