"""Base chains of nft that iptables does not manage: whether one can matter to a packet."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from planner.dataplane.nft_conditions import Reading
from planner.dataplane.nft_rules import Writer
from planner.models.ruleset import NativeRuleset, Table
from planner.parse.nft_tables import nft_tables

Expression = dict[str, Any]
HARMLESS = frozenset({"counter", "log", "comment", "accept", "return", "continue", "limit", "quota", "last"})
"""Statements that leave a packet as it is and on its way. An accept ends only its own chain (nft(8), verdict)."""
HOOKS = frozenset({"prerouting", "input", "forward", "output", "postrouting"})
TRACKING = frozenset(
    {"ct", "ct helper", "ct timeout", "ct expectation", "snat", "dnat", "masquerade", "redirect", "flow"}
)


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain on a hook."""

    family: str
    table: str
    name: str
    hook: str
    priority: int
    policy: str
    kind: str = "filter"
    """`filter`, `nat` or `route`."""

    def __str__(self) -> str:
        return f"nft chain {self.family} {self.table} {self.name}"


@dataclass(frozen=True, slots=True)
class Attached:
    """A chain on a hook of the network layer, as packets of one family meet it."""

    base: BaseChain
    table: Table


@lru_cache(maxsize=16)
def _attached(json_text: str, asleep: frozenset[str], family: str) -> tuple[Attached, ...]:
    """Equal rule sets are read once."""
    return tuple(Native(NativeRuleset(json_text=json_text), asleep)._compiled(family))  # noqa: SLF001 - of this module


def dormant(text: str) -> frozenset[str]:
    """Tables that sleep: none of their chains is on its hook (nft(8), flags)."""
    if "dormant" not in text:
        return frozenset()
    return frozenset(title for title, table in nft_tables(text).items() if table.dormant)


class Native:
    """The rule set."""

    def __init__(self, ruleset: NativeRuleset, asleep: frozenset[str] | None = None) -> None:
        self._ruleset = ruleset
        # By the text: in the objects nft 1.0.6 prints what happens to be in memory for the flags of a table (measured).
        self._asleep = dormant(ruleset.text) if asleep is None else asleep

    @cached_property
    def _items(self) -> tuple[Expression, ...]:
        if not self._ruleset.json_text:
            return ()
        try:
            found = json.loads(self._ruleset.json_text)["nftables"]
        except (ValueError, KeyError, TypeError):
            return ()
        return tuple(item for item in found if isinstance(item, dict))

    @cached_property
    def bases(self) -> tuple[BaseChain, ...]:
        """Every chain on a hook. Those of a table that sleeps are on none (nft(8), flags dormant)."""
        found = []
        for item in self._items:
            chain = item.get("chain")
            if (
                isinstance(chain, dict)
                and "hook" in chain
                and f"{chain.get('family')} {chain.get('table')}" not in self._asleep
            ):
                found.append(
                    BaseChain(
                        str(chain.get("family")), str(chain.get("table")), str(chain.get("name")),
                        str(chain["hook"]), _priority(chain.get("prio", 0)), str(chain.get("policy", "accept")),
                        str(chain.get("type", "filter")),
                    )
                )  # fmt: skip
        return tuple(sorted(found, key=lambda base: (base.priority, str(base))))

    @cached_property
    def _rules(self) -> dict[tuple[str, str, str], list[list[Expression]]]:
        rules: dict[tuple[str, str, str], list[list[Expression]]] = {}
        for item in self._items:
            rule = item.get("rule")
            if isinstance(rule, dict):
                key = str(rule.get("family")), str(rule.get("table")), str(rule.get("chain"))
                rules.setdefault(key, []).append([e for e in rule.get("expr", ()) if isinstance(e, dict)])
        return rules

    @property
    def unread(self) -> bool:
        """There is a rule set, and only as text."""
        return not self._ruleset.json_text and bool(self._ruleset.text.strip())

    def on(self, family: str, hook: str) -> Iterator[BaseChain]:
        """Base chains that a packet of the family meets at a hook of the network layer."""
        for base in self.bases:
            if base.hook == hook.lower() and base.family in {family, "inet"}:
                yield base

    def attached(self, family: str) -> "tuple[Attached, ...]":
        """Base chains that a packet of the family meets at hooks of the network layer, with the rules of their tables."""
        return _attached(self._ruleset.json_text, self._asleep, family) if self.bases else ()

    def _compiled(self, family: str) -> "Iterator[Attached]":
        tables: dict[tuple[str, str], Table] = {}
        for base in self.bases:
            if base.family not in {family, "inet"} or base.hook not in HOOKS:
                continue
            key = base.family, base.table
            if key not in tables:
                tables[key] = self._table(*key, family)
            yield Attached(base, tables[key])

    def _table(self, own: str, name: str, family: str) -> Table:
        sets: dict[str, list[object] | None] = {}
        maps: dict[str, list[object]] = {}
        for item in self._items:
            for kind in ("set", "map"):
                body = item.get(kind)
                if isinstance(body, dict) and (body.get("family"), body.get("table")) == (own, name):
                    elements = [*body.get("elem", ())]
                    if "dynamic" in body.get("flags", ()) or "unread" in body:
                        sets[str(body["name"])] = None
                    elif kind == "map":
                        maps[str(body["name"])] = elements
                    else:
                        sets[str(body["name"])] = elements
        hooks = {base.hook for base in self.bases if (base.family, base.table) == (own, name)}
        writer = Writer(
            Reading(family, sets.get, sending=hooks <= {"forward", "output", "postrouting"}), maps
        )
        for item in self._items:
            chain = item.get("chain")
            if isinstance(chain, dict) and (chain.get("family"), chain.get("table")) == (own, name):
                writer.write(str(chain["name"]), self._rules.get((own, name, str(chain["name"])), []))
        policies = {
            base.name: base.policy.upper() for base in self.bases if (base.family, base.table) == (own, name)
        }
        chains = {chain: tuple(rules) for chain, rules in writer.chains.items()}
        # Not validated: the rules carry their meaning.
        return Table.model_construct(name=f"{own} {name}", policies=policies, chains=chains)

    def aside(self, families: frozenset[str], hooks: frozenset[str]) -> Iterator[BaseChain]:
        """Base chains of the link layer (netdev, bridge)."""
        for base in self.bases:
            if base.family in families and base.hook in hooks:
                yield base

    def is_idle(self, base: BaseChain, fields: dict[str, object]) -> bool:
        """Whether the chain lets a packet with these fields pass untouched, for certain."""
        return base.policy == "accept" and self._harmless(base.family, base.table, base.name, fields, 0)

    def out_of_turn(self, family: str, hook: str, table: str, chain: str, fields: dict[str, object]) -> str:
        """The doubt that a base chain leaves of which it is not known when it is asked; empty where it does nothing."""
        for base in self.on(family, hook):
            if (f"{base.family} {base.table}", base.name) == (table, chain) and not self.is_idle(
                base, fields
            ):
                return f"{base} has the priority of conntrack's own hooks, or sends packets by other routes"
        return ""

    def _harmless(self, family: str, table: str, chain: str, fields: dict[str, object], depth: int) -> bool:
        return depth < 16 and all(
            self._passes(rule, family, table, fields, depth)
            for rule in self._rules.get((family, table, chain), ())
        )

    def _passes(
        self, rule: list[Expression], family: str, table: str, fields: dict[str, object], depth: int
    ) -> bool:
        """Whether the rule does nothing to such a packet."""
        for expression in rule:
            for kind, body in expression.items():
                if kind == "match":
                    if _fails(body, fields):
                        return True
                elif kind in {"jump", "goto"}:
                    if not self._harmless(family, table, str(body.get("target")), fields, depth + 1):
                        return False
                elif kind not in HARMLESS:
                    return False
        return True

    def tracks(self, family: str) -> bool:
        """Whether a rule of it makes the kernel track flows of the family."""
        return any(
            key[0] in {family, "inet"} and any(_mentions_tracking(expression) for expression in rule)
            for key, rules in self._rules.items()
            for rule in rules
        )


def _mentions_tracking(part: object) -> bool:
    if isinstance(part, dict):
        return any(key in TRACKING or _mentions_tracking(value) for key, value in part.items())
    if isinstance(part, list):
        return any(map(_mentions_tracking, part))
    return False


def _fails(body: Expression, fields: dict[str, object]) -> bool:
    """Whether a match is surely not met: only plain comparisons of links and the protocol are read."""
    left, right, operator = body.get("left"), body.get("right"), body.get("op")
    if not isinstance(left, dict) or operator not in {"==", "in"}:
        return False
    meta = left.get("meta")
    name = str(meta.get("key")) if isinstance(meta, dict) else ""
    payload = left.get("payload")
    if isinstance(payload, dict):
        name = f"{payload.get('protocol')} {payload.get('field')}"
    if name not in fields:
        return False
    among = right.get("set") if isinstance(right, dict) else None
    options = among if isinstance(among, list) else [right]
    if not all(isinstance(option, str | int) for option in options):
        return False
    if name in {"iifname", "oifname"} and any(str(option).endswith("*") for option in options):
        return not any(_named(str(fields[name]), str(option)) for option in options)
    return fields[name] not in options


def _named(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _priority(value: object) -> int:
    return value if isinstance(value, int) else 0
