"""Facets of the packet filter: chains of iptables in both backends, and ipsets."""

from collections.abc import Iterable

from planner.emit.iptables_restore import BASE_CHAINS, touched_chains
from planner.emit.script import quote
from planner.models.node import NodeState
from planner.models.ruleset import IpSet, Ruleset, Table
from planner.plan.facet import Facet, digest_facet, shell
from planner.plan.scope import Scope


def rule_facets(before: NodeState, after: NodeState, how: Scope) -> tuple[Facet, ...]:
    """Chains and ipsets that differ."""
    found: list[Facet] = []
    for family, backend in ruleset_keys(before, after):
        have, want = before.ruleset(family, backend), after.ruleset(family, backend)
        for name in table_names(have, want):
            found += _table_facets(have, want, name, save_tool(before, family, backend), how)
    names = {ipset.name for state in (before, after) for ipset in state.ipsets}
    for name in sorted(names):
        old, new = ipset_of(before, name), ipset_of(after, name)
        if old != new:
            found.append(_ipset_facet(name, old, new))
    return tuple(found)


def ruleset_keys(before: NodeState, after: NodeState) -> tuple[tuple[str, str], ...]:
    """Families and backends that either state has, sorted."""
    return tuple(sorted({(r.family, r.backend) for state in (before, after) for r in state.rulesets}))


def table_names(have: Ruleset | None, want: Ruleset | None) -> tuple[str, ...]:
    """Tables that either ruleset has, sorted."""
    return tuple(sorted({name for ruleset in (have, want) if ruleset for name in ruleset.tables}))


def ipset_of(state: NodeState, name: str) -> IpSet | None:
    """The ipset of that name."""
    return next((ipset for ipset in state.ipsets if ipset.name == name), None)


def save_tool(state: NodeState, family: str, backend: str) -> str:
    """The program that prints these rules on the node; its twin ends with `-restore`.

    Before iptables 1.8 there was one backend, and no program that is named for it.
    """
    stem = "ip6tables" if family == "ip6" else "iptables"
    named = f"iptables-{backend}" in state.tools
    if not named and "iptables" in state.tools and state.iptables_default == backend:
        return f"{stem}-save"
    return f"{stem}-{backend}-save"


ALONE = 8
"""Chains of one table that are listed one by one: iptables-nft-save takes a time that grows with the square of a table's chains
(1.8.9: 4.4 s for 21,000, 210 s for 103,000), the listing of one chain 0.3 s of the latter."""


def _table_facets(
    have: Ruleset | None, want: Ruleset | None, name: str, tool: str, how: Scope
) -> list[Facet]:
    ruleset = have or want
    old = have.tables.get(name) if have else None
    new = want.tables.get(name) if want else None
    chains = touched_chains(old, new)
    if ruleset is None or not chains:
        return []
    place = table_name(name, ruleset.family, ruleset.backend)
    key = (ruleset.family, ruleset.backend, name)
    loaded = key not in how.unloaded
    if key in how.whole:
        chains = tuple(sorted(set(_all_chains(old)) | set(_all_chains(new))))
        argv = _reader(tool, name, None, loaded=loaded)
        texts = (chain_text(table, chains, loaded=loaded) for table in (old, new))
        return [digest_facet(place, argv, *texts)]
    alone = loaded and ruleset.backend == "nft" and len(chains) <= ALONE
    return [
        digest_facet(
            chain_name(chain, place),
            _reader(tool, name, chain, loaded=loaded, alone=alone),
            *(chain_text(table, (chain,), loaded=loaded) for table in (old, new)),
        )
        for chain in chains
    ]


def table_name(name: str, family: str, backend: str) -> str:
    """What a table is called where it is compared as a whole."""
    return f"table {name} ({family}, {backend})"


def chain_name(chain: str, place: str) -> str:
    """What a chain is called that is compared by itself; `place` is the name of its table."""
    return f"chain {chain} of {place}"


def _all_chains(table: Table | None) -> tuple[str, ...]:
    return (*table.chains, *table.policies) if table else ()


def _reader(tool: str, name: str, chain: str | None, *, loaded: bool, alone: bool = False) -> tuple[str, ...]:
    """Digest of one chain, or of all of a table, from what iptables-save prints; counters are cut off.

    `-t` would make the legacy backend load a table that is not there: that one is cut out of the whole print instead.
    `alone`: the chain is listed by itself, and the table is printed only where that fails (the chain is not there, or is told by nft only).
    """
    begin, end, source = "", "", f"{quote(tool)} -t {quote(name)}"
    if alone and chain is not None:
        begin = "s/^-N \\([^ ]*\\)$/:\\1 - /\ns/^-P \\([^ ]*\\) \\([^ ]*\\)$/:\\1 \\2 /"
        listing = f"{quote(tool.removesuffix('-save'))} -t {quote(name)} -S {quote(chain)}"
        source = f"{{ {listing} && echo COMMIT || {source}; }} 2>/dev/null"
    elif not loaded:
        begin, end, source = f"/^\\*{name}$/,/^COMMIT$/{{", "}", quote(tool)
    word = "[^ ]*" if chain is None else sed_literal(chain)
    rules = "-A " if chain is None else f"-A {word} "
    program = "\n".join(
        [
            begin,
            f"/^:{word} ACCEPT /d",
            f"s/^:\\({word}\\) \\([^ ]*\\) .*/-P \\1 \\2/p",
            f"/^{rules}/p",
            f"/^-A {word}$/p",
            *(["/^COMMIT$/p"] if loaded else []),
            end,
        ]
    )
    # A stable sort by chain: the order of chains means nothing, the order of rules in a chain does.
    return shell(f"{source} | sed -n {quote(program.strip(chr(10)))} | sort -s -k2,2 | sha256sum")


def chain_text(table: Table | None, chains: Iterable[str], *, loaded: bool) -> str:
    """What `_reader` digests. `ACCEPT` policies are left out: an absent table and an untouched one are the same."""
    lines: list[tuple[str, str]] = [("", "COMMIT")] if loaded else []
    for chain in chains:
        if table is None or (chain not in table.chains and chain not in table.policies):
            continue
        base = chain in table.policies or chain in BASE_CHAINS.get(table.name, ())
        policy = table.policies.get(chain, "ACCEPT") if base else "-"
        if policy != "ACCEPT":
            lines.append((chain, f"-P {chain} {policy}"))
        lines += [(chain, f"-A {chain} {rule}".rstrip(" ")) for rule in table.chains.get(chain, ())]
    ordered = sorted(lines, key=lambda line: line[0].encode("utf-8", "surrogateescape"))
    return "".join(f"{text}\n" for _, text in ordered)


def sed_literal(text: str) -> str:
    """Text as a basic regular expression between slashes."""
    return "".join(f"\\{char}" if char in "\\.[]*^$/" else char for char in text)


def _ipset_facet(name: str, before: IpSet | None, after: IpSet | None) -> Facet:
    place = quote(name)
    program = rf"""s/^add [^ ]* //
s/^create [^ ]* \([^ ]*\).*/type \1/
{MOVING}
p"""
    argv = shell(f"ipset save {place} 2>/dev/null | sed -n {quote(program)} | sort | sha256sum")
    return digest_facet(set_name(name), argv, _ipset_text(before), _ipset_text(after))


MOVING = r"""s/ timeout [0-9]*//
s/ packets [0-9]*//
s/ bytes [0-9]*//"""
"""Remaining times and counters of elements move by themselves."""


def set_name(name: str) -> str:
    """What an ipset is called."""
    return f"ipset {name}"


def _ipset_text(ipset: IpSet | None) -> str:
    if ipset is None:
        return ""
    lines = [f"type {ipset.type}", *(without_times(element) for element in ipset.elements)]
    return "".join(
        f"{line}\n" for line in sorted(lines, key=lambda line: line.encode("utf-8", "surrogateescape"))
    )


def without_times(element: str) -> str:
    """The element without what moves by itself."""
    kept: list[str] = []
    words = iter(element.split(" "))
    for word in words:
        if word in {"timeout", "packets", "bytes"} and kept:
            next(words, None)
        else:
            kept.append(word)
    return " ".join(kept)
