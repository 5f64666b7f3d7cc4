"""Commands of nft on tables that iptables-nft manages: they are tables of nft like all others, recorded in the words of iptables."""

from collections.abc import Callable, Sequence

from planner.models.change import Cause
from planner.models.node import NodeState
from planner.models.proposal import Effect
from planner.models.ruleset import Ruleset, Table
from planner.models.source import Gap, Source
from planner.nft.apply import RefusalError
from planner.nft.commands import (
    AddChain,
    AddTable,
    At,
    Command,
    Delete,
    Flush,
    TableKey,
)
from planner.nft.state import Recorded

Sources = Callable[[At], Source]


class Managed:
    """The rule sets of the nft backend while a file is carried out."""

    def __init__(self, state: NodeState, tables: Recorded) -> None:
        self._before = state.rulesets
        self._sets: dict[str, Ruleset] = {
            ruleset.family: ruleset for ruleset in state.rulesets if ruleset.backend == "nft"
        }
        self._native = frozenset(tables.names())
        self.effects: tuple[Effect, ...] = ()
        self.unknown: tuple[Gap, ...] = ()
        """Chains of which it is no longer known what they hold."""

    def rulesets(self) -> tuple[Ruleset, ...]:
        """All rule sets afterwards."""
        after = tuple(
            self._sets[ruleset.family] if ruleset.backend == "nft" else ruleset for ruleset in self._before
        )
        return self._before if after == self._before else after

    def take(self, commands: Sequence[Command], source: Sources) -> tuple[list[Command], tuple[Gap, ...]]:
        """Carries out what is for these tables; the commands that are left, and what was not understood. Raises RefusalError."""
        left: list[Command] = []
        gaps: list[Gap] = []
        for command in commands:
            if isinstance(command, Flush) and command.kind == "ruleset":
                self._flush_all(command.table[0], source(command.at))
                left.append(command)
            elif self._table(command.table) is None:
                left.append(command)
            else:
                reason = self._one(command, source(command.at))
                if reason:
                    gaps.append(
                        Gap(section="proposal", reason=f"not understood: {reason}", source=source(command.at))
                    )
        return left, tuple(gaps)

    def _table(self, key: TableKey) -> Table | None:
        if key in self._native or key[0] not in self._sets:
            return None
        return self._sets[key[0]].tables.get(key[1])

    def _flush_all(self, family: str, source: Source) -> None:
        for one, ruleset in sorted(self._sets.items()):
            if family in {"", one}:
                for table in ruleset.tables.values():
                    self._tell(one, table, source)
                self._sets[one] = ruleset.model_copy(update={"tables": {}})

    def _tell(self, family: str, table: Table, source: Source, only: str = "") -> None:
        for chain in table.chains:
            if only in {"", chain}:
                what = f"chain/{family}/nft/{table.name}/{chain}"
                self.effects += (Effect(what=what, cause=Cause.PROPOSED, source=source),)

    def _one(self, command: Command, source: Source) -> str:
        """Why the command was not understood; empty when it was carried out."""
        family, name = command.table
        table = self._sets[family].tables[name]
        match command:
            case AddTable(create=False):
                return ""
            case AddTable():
                raise RefusalError(command.at, f"table {family} {name} exists already")
            case Flush(kind="table"):
                self._tell(family, table, source)
                self._put(family, table.model_copy(update={"chains": dict.fromkeys(table.chains, ())}))
                return ""
            case Flush(kind="chain", name=chain):
                self._known(command, table, chain)
                self._tell(family, table, source, chain)
                self._put(family, table.model_copy(update={"chains": {**table.chains, chain: ()}}))
                return ""
            case Delete(kind="table", handle=None):
                self._tell(family, table, source)
                ruleset = self._sets[family]
                rest = {one: held for one, held in ruleset.tables.items() if one != name}
                self._sets[family] = ruleset.model_copy(update={"tables": rest})
                return ""
            case AddChain(chain=chain, base=base, policy=policy) if chain in table.policies:
                if base is not None and base.hook.upper() != chain:
                    raise RefusalError(command.at, f"chain {chain} exists already, and on another hook")
                if policy:
                    self._tell(family, table, source, chain)
                    policies = {**table.policies, chain: policy.upper()}
                    self._put(family, table.model_copy(update={"policies": policies}))
                return ""
            case AddChain(chain=chain, base=None) if chain in table.chains:
                return ""
            case _:
                chain = getattr(command, "chain", "")
                where = f"iptables/nft/{family}/{name}" + (f"/{chain}" if chain else "")
                reason = (
                    f"table {family} {name} is recorded in the words of iptables, and nft changes "
                    f"{f'chain {chain}' if chain else 'it'} in its own: what it holds afterwards is not known"
                )
                self.unknown += (Gap(section=where, reason=reason, source=source),)
                return reason

    def _put(self, family: str, table: Table) -> None:
        ruleset = self._sets[family]
        self._sets[family] = ruleset.model_copy(update={"tables": {**ruleset.tables, table.name: table}})

    def _known(self, command: Command, table: Table, chain: str) -> None:
        if chain not in table.chains:
            raise RefusalError(command.at, f"chain {chain} does not exist in table {' '.join(command.table)}")
