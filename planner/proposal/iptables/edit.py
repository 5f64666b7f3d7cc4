"""The edits that can be made to one table. Each returns a new table or raises `RefusedError` with the tool's reason."""

import re
from collections.abc import Iterable, Mapping

from planner.models.ruleset import Backend, Table

BASE_CHAINS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
STANDARD = frozenset({"ACCEPT", "DROP", "RETURN", "QUEUE"})
FILTER_ONLY = frozenset({"REJECT"})
"""RefusedError outside INPUT, FORWARD, OUTPUT and chains called from there; the kernel checks at load."""
NAT_ONLY = {
    "DNAT": ("PREROUTING", "OUTPUT"),
    "REDIRECT": ("PREROUTING", "OUTPUT"),
    "MASQUERADE": ("POSTROUTING",),
    "SNAT": ("POSTROUTING", "INPUT"),
    "NETMAP": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
}
TARGET = re.compile(r'(?:^|\s)-(?:j|g|-jump|-goto)\s+("[^"]*"|\S+)')


class RefusedError(Exception):
    """The tool or the kernel would refuse; the message is what it would say."""


def empty_table(name: str) -> Table:
    """A table as the kernel makes it when it is first used."""
    if name not in BASE_CHAINS:
        raise RefusedError(f"table `{name}` does not exist")
    chains = BASE_CHAINS[name]
    return Table(name=name, policies=dict.fromkeys(chains, "ACCEPT"), chains=dict.fromkeys(chains, ()))


def target_of(rule: str) -> str:
    """The word after `-j` or `-g`; empty when the rule has no target. Quoted text is not looked into."""
    match = TARGET.search(_unquoted(rule))
    return match.group(1).strip('"') if match else ""


def _unquoted(rule: str) -> str:
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', rule) if '"' in rule else rule


def check_target(table: Table, chain: str, rule: str) -> None:
    """Refuse what the kernel refuses: a call of a chain that is not there, a target in the wrong table."""
    target = target_of(rule)
    if not target or (target in table.chains and target not in table.policies):
        return
    if target in table.policies:
        raise RefusedError(f"the base chain {target} cannot be called")
    if target in STANDARD:
        if target == "DROP" and table.name == "nat":
            raise RefusedError('the "nat" table is not intended for filtering: the use of DROP is inhibited')
        return
    if re.fullmatch(r"[A-Z][A-Z0-9]*", target) and _is_extension(target):
        if target in FILTER_ONLY and table.name not in {"filter", "security"}:
            raise RefusedError(f"{target} is only valid in the filter table")
        if target in NAT_ONLY and table.name != "nat":
            raise RefusedError(f"{target} is only valid in the nat table")
        if target in NAT_ONLY and chain in table.policies and chain not in NAT_ONLY[target]:
            raise RefusedError(f"{target} is not valid in {chain}")
        return
    raise RefusedError(f"chain `{target}` does not exist in table {table.name}")


def _is_extension(name: str) -> bool:
    from planner.netfilter.registry import find_target

    return find_target(name) is not None


def called_by(table: Table, chain: str) -> set[str]:
    """The chains of the table that a chain's rules call."""
    found: set[str] = set()
    for rule in table.chains.get(chain, ()):
        # Nearly every rule ends with its target, or with options of a target that is no chain; the others are read with care.
        tail = rule[max(rule.rfind("-j "), rule.rfind("-g ")) + 3 :]
        if tail in table.chains:
            found.add(tail)
        elif '"' in tail or "--g" in rule or "--j" in rule or tail.partition(" ")[0] in table.chains:
            found.add(target_of(rule))
    return found & table.chains.keys()


def check_loops(table: Table, chains: Iterable[str]) -> None:
    """Refuse a way from a chain back to itself, as the kernel does when it checks a table.

    Both backends look only at what base chains lead to (net/netfilter/nf_tables_api.c, nft_table_validate();
    net/ipv4/netfilter/ip_tables.c, mark_source_chains()).
    """
    done: set[str] = set()
    for start in chains:
        stack: list[tuple[str, frozenset[str]]] = [(start, frozenset({start}))]
        while stack:
            chain, above = stack.pop()
            if chain in done:
                continue
            done.add(chain)
            for callee in sorted(called_by(table, chain)):
                if callee in above and start in _led_to(table):
                    raise RefusedError(f"chain `{callee}` would call itself: too many links")
                if callee not in above:
                    stack.append((callee, above | {callee}))


def _led_to(table: Table) -> frozenset[str]:
    """Base chains, and all chains that packets may reach from them."""
    found = set(table.policies)
    todo = [*found]
    while todo:
        called = called_by(table, todo.pop()) - found
        found |= called
        todo += called
    return frozenset(found)


def rules_of(table: Table, chain: str) -> tuple[str, ...]:
    """The rules of a chain that must exist."""
    rules = table.chains.get(chain)
    if rules is None:
        raise RefusedError(f"no chain `{chain}` in table {table.name}")
    return rules


def with_chain(table: Table, chain: str, rules: tuple[str, ...]) -> Table:
    """The table with other rules in one chain."""
    return table.model_copy(update={"chains": {**table.chains, chain: rules}})


def append(table: Table, chain: str, rule: str) -> Table:
    """`-A`."""
    rules = rules_of(table, chain)
    check_target(table, chain, rule)
    return with_chain(table, chain, (*rules, rule))


def insert(table: Table, chain: str, rule: str, position: int = 1) -> Table:
    """`-I`: 1 is the head."""
    rules = rules_of(table, chain)
    if not 1 <= position <= len(rules) + 1:
        raise RefusedError(f"index of insertion too big: {chain} has {len(rules)} rules")
    check_target(table, chain, rule)
    return with_chain(table, chain, (*rules[: position - 1], rule, *rules[position - 1 :]))


def delete(table: Table, chain: str, rule: str | int) -> Table:
    """`-D`, by text (the first that is equal) or by position."""
    rules = rules_of(table, chain)
    if isinstance(rule, int):
        if not 1 <= rule <= len(rules):
            raise RefusedError(f"index of deletion too big: {chain} has {len(rules)} rules")
        position = rule - 1
    elif rule in rules:
        position = rules.index(rule)
    else:
        raise RefusedError(f"bad rule: no such rule in {chain}")
    return with_chain(table, chain, (*rules[:position], *rules[position + 1 :]))


def replace(table: Table, chain: str, position: int, rule: str) -> Table:
    """`-R`."""
    rules = rules_of(table, chain)
    if not 1 <= position <= len(rules):
        raise RefusedError(f"index of replacement too big: {chain} has {len(rules)} rules")
    check_target(table, chain, rule)
    return with_chain(table, chain, (*rules[: position - 1], rule, *rules[position:]))


def flush(table: Table, chain: str = "") -> Table:
    """`-F`: policies stay."""
    if chain:
        rules_of(table, chain)
        return with_chain(table, chain, ())
    return table.model_copy(update={"chains": dict.fromkeys(table.chains, ())})


def new_chain(table: Table, chain: str) -> Table:
    """`-N`."""
    if chain in table.chains:
        raise RefusedError(f"chain `{chain}` already exists")
    return with_chain(table, chain, ())


def callers(table: Table) -> Mapping[str, int]:
    """How many rules call each user chain."""
    counts: dict[str, int] = {}
    for rules in table.chains.values():
        for rule in rules:
            target = target_of(rule)
            if target in table.chains:
                counts[target] = counts.get(target, 0) + 1
    return counts


def delete_chain(table: Table, chain: str = "", *, backend: Backend = "nft") -> Table:
    """`-X`: a chain that is called, has rules or is a base chain stays, and the command fails.

    The nft backend takes an empty base chain that accepts away; what is saved, and what packets meet, stays the same.
    """
    called = callers(table)
    if chain:
        if chain in table.policies:
            if backend == "nft" and not table.chains[chain] and table.policies[chain] == "ACCEPT":
                return table
            raise RefusedError(f"`{chain}` is a base chain")
        if rules_of(table, chain):
            raise RefusedError(f"chain `{chain}` is not empty")
        if called.get(chain):
            raise RefusedError(f"too many links: chain `{chain}` is still called")
        return table.model_copy(update={"chains": {n: r for n, r in table.chains.items() if n != chain}})
    user = [name for name in table.chains if name not in table.policies]
    for name in user:
        if table.chains[name] or called.get(name):
            raise RefusedError(f"too many links: chain `{name}` is in use")
    return table.model_copy(update={"chains": {n: r for n, r in table.chains.items() if n in table.policies}})


def set_policy(table: Table, chain: str, policy: str) -> Table:
    """`-P`."""
    if chain not in table.policies:
        raise RefusedError(f"bad built-in chain name `{chain}`")
    if policy not in {"ACCEPT", "DROP"}:
        raise RefusedError(f"bad policy name `{policy}`")
    return table.model_copy(update={"policies": {**table.policies, chain: policy}})


def rename(table: Table, old: str, new: str) -> Table:
    """`-E`: rules that call the chain follow."""
    if old in table.policies:
        raise RefusedError(f"`{old}` is a base chain")
    rules_of(table, old)
    if new in table.chains:
        raise RefusedError(f"chain `{new}` already exists")

    def renamed(rule: str) -> str:
        if target_of(rule) != old:
            return rule
        return re.sub(rf"(^|\s)(-[jg]) {re.escape(old)}(?=\s|$)", rf"\g<1>\g<2> {new}", rule)

    chains = {
        new if name == old else name: tuple(renamed(rule) for rule in rules)
        for name, rules in table.chains.items()
    }
    return table.model_copy(update={"chains": chains})
