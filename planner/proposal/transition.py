"""From one recorded state to another: the operations that turn the first into the second."""

from collections.abc import Iterator

from planner.emit.ip import restore_commands
from planner.emit.ipset import restore_input as restore_set
from planner.emit.iptables_restore import restore_input
from planner.emit.sysctl import restore_writes
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.proposal import Command, FileWrite, Operation, Outlook, Stage
from planner.models.ruleset import TABLES, Table
from planner.models.source import Gap, Source
from planner.proposal.acting import acting
from planner.proposal.native import native_stage
from planner.proposal.propose import reboot_states
from planner.proposal.run import run


def propose_state(node: NodeState, wanted: NodeState, *, name: str) -> Outlook:
    """What bringing `node` to the state `wanted` means; `name` is the file that the wanted state came from."""
    source = Source(name=name)
    wanted = sharing(node, wanted)
    stages: list[Stage] = []
    gaps: list[Gap] = list(wanted.gaps)
    state = node
    for operation in operations(node, wanted, source):
        stage = run(operation, state)
        stages.append(stage)
        gaps.extend(stage.gaps)
        state = stage.after
    for found in native_stage(state, wanted, source):
        if isinstance(found, Gap):
            gaps.append(found)
        else:
            stages.append(found)
    wanted = wanted.model_copy(update={"name": node.name})
    before = dict.fromkeys(Horizon, node)
    after = {
        horizon: wanted.model_copy(update={"files": acting(node.files, wanted.files, horizon)})
        for horizon in Horizon
    }
    before[Horizon.REBOOT], after[Horizon.REBOOT] = reboot_states(node, wanted, running_stays=True)
    return Outlook(
        node=node.name,
        before=before,
        after=after,
        stages=tuple(stages),
        effects=tuple(effect for stage in stages for effect in stage.effects),
        gaps=tuple(gaps),
    )


def sharing(have: NodeState, want: NodeState) -> NodeState:
    """The second state with what equals something of the first being that very thing: large tables are then compared once."""
    rulesets = []
    for ruleset in want.rulesets:
        former = have.ruleset(ruleset.family, ruleset.backend)
        tables = former.tables if former else {}
        same = {name: _shared(tables.get(name), one) for name, one in ruleset.tables.items()}
        rulesets.append(ruleset.model_copy(update={"tables": same}))
    return want.model_copy(update={"rulesets": tuple(rulesets)})


def _shared(former: Table | None, table: Table) -> Table:
    """The table with the chains of another where they are equal, or that other one."""
    if former is None or former == table:
        return former or table
    chains = {
        name: held if (held := former.chains.get(name)) == rules else rules
        for name, rules in table.chains.items()
    }
    return table.model_copy(update={"chains": chains})


def operations(have: NodeState, want: NodeState, source: Source) -> Iterator[Operation]:
    """Files, then sets (rules name them), links and routes, rules, and sysctls last; nothing for what is equal."""
    for path in sorted({*have.files, *want.files}):
        former, latter = have.files.get(path), want.files.get(path)
        if former != latter:
            yield FileWrite(path=path, text=latter.text if latter is not None else None, source=source)
    former_sets, latter_sets = {s.name: s for s in have.ipsets}, {s.name: s for s in want.ipsets}
    texts = [
        restore_set(former_sets.get(name), latter_sets.get(name))
        for name in sorted({*former_sets, *latter_sets}, key=lambda name: (name not in latter_sets, name))
    ]
    if any(texts):
        yield Command(argv=("ipset", "-exist", "restore"), stdin="".join(texts), source=source)
    for argv in restore_commands(have, want):
        yield Command(argv=argv, source=source)
    for ruleset in sorted({(r.family, r.backend) for r in (*have.rulesets, *want.rulesets)}):
        family, backend = ruleset
        former_rules, latter_rules = have.ruleset(family, backend), want.ruleset(family, backend)
        text = "".join(
            restore_input(
                former_rules.tables.get(table) if former_rules else None,
                latter_rules.tables.get(table) if latter_rules else None,
                family=family,
            )
            for table in TABLES
        )
        if text:
            program = "ip6tables" if family == "ip6" else "iptables"
            yield Command(argv=(f"{program}-{backend}-restore", "--noflush"), stdin=text, source=source)
    for key, value in restore_writes(have, want):
        yield Command(argv=("sysctl", "-w", f"{key}={value}"), source=source)
