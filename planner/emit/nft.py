"""`nft -f` transactions that turn some tables into others, chain by chain and element by element."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from planner.parse.nft_tables import CHAIN, MAP, NAME, POLICY, SET, Key, NftObject, NftTable, element_key

ORDER = (CHAIN, MAP, SET)
"""Kinds in the order in which they are deleted, before all others: each may name those that come later."""
_WORD = re.compile(r"[A-Za-z0-9/_.-]+")
_QUOTED = re.compile(r'"[^"]*"')
_FOREIGN = re.compile(r"\bxt (?:match|target) |# ")
"""Extensions of iptables that nft has no words for."""
UNLISTED = frozenset(
    {
        "sets", "chains", "maps", "tables", "meters", "counters", "quotas", "limits", "synproxys", "flowtables",
        "secmarks", "hooks",
    }
)  # fmt: skip
"""Names of tables that `nft list table` takes for words of its own (src/scanner.l, after `list`; nft 1.0.6)."""
EACH = 500
"""Elements of one command."""


def transaction(
    have: Mapping[str, NftTable], want: Mapping[str, NftTable], *, keep_tables: bool = False
) -> str:
    """Text for `nft -f -` that leads from the first tables to the second; empty when nothing differs.

    The kernel takes all of it or nothing. Chains and sets that do not differ, and what packets have put into sets, are
    left alone. With `keep_tables` a table that goes is emptied of what is known of it, and stays.
    """
    lines: list[str] = []
    for title in sorted({*have, *want}):
        former, latter = have.get(title), want.get(title)
        if former is None and latter is not None:
            lines += _block(latter, latter.objects.values())
        elif latter is None and former is not None:
            if keep_tables:
                lines += _Edit(former, NftTable(former.family, former.name, former.head)).lines()
            else:
                lines.append(f"delete table {title}")
        elif former is not None and latter is not None:
            if rebuilt(former, latter):
                lines += [f"delete table {title}", *_block(latter, latter.objects.values())]
            else:
                lines += _Edit(former, latter).lines()
    return "".join(f"{line}\n" for line in lines)


def table_text(table: NftTable) -> str:
    """A whole table, as nft reads it back."""
    return "".join(f"{line}\n" for line in _block(table, table.objects.values()))


def rebuilt(have: NftTable, want: NftTable) -> bool:
    """Whether a table has to be deleted and made again: only the flag `dormant` can be changed, and alone.

    A transaction that puts a table to sleep, or wakes it up, may not hang chains on hooks or take them off
    (net/netfilter/nf_tables_api.c, __NFT_TABLE_F_UPDATE; EINVAL, measured with Linux 6.18).
    """
    if _fixed(have) != _fixed(want):
        return True
    return have.dormant != want.dormant and any(
        kind == CHAIN and _hook(have.objects.get((kind, name))) != _hook(want.objects.get((kind, name)))
        for kind, name in differing_objects(have, want)
    )


def _hook(chain: NftObject | None) -> tuple[str, ...]:
    return tuple(line for line in chain.head if line.startswith("type ")) if chain is not None else ()


def _fixed(table: NftTable) -> frozenset[str]:
    words = {
        word.strip()
        for line in table.head
        if line.startswith("flags ")
        for word in line.removeprefix("flags ").split(",")
    }
    return frozenset(line for line in table.head if not line.startswith("flags ")) | (words - {"dormant"})


def differing_objects(have: NftTable | None, want: NftTable | None) -> tuple[Key, ...]:
    """What two tables declare differently, in the first one's order, then in the second's."""
    former, latter = (have.objects if have else {}), (want.objects if want else {})
    return tuple(
        key for key in dict.fromkeys((*former, *latter)) if not same(former.get(key), latter.get(key))
    )


def touched_objects(have: NftTable, want: NftTable) -> tuple[Key, ...]:
    """What the transactions there and back write: what differs, and what is emptied and filled again because it names that."""
    keys = {*differing_objects(have, want), *_Edit(have, want).refilled, *_Edit(want, have).refilled}
    return tuple(key for key in dict.fromkeys((*have.objects, *want.objects)) if key in keys)


def same(have: NftObject | None, want: NftObject | None) -> bool:
    """Whether both are the same but for what moves by itself and the order of elements."""
    if have is None or want is None:
        return have is want
    if have.kind in {SET, MAP}:
        return have.head == want.head and sorted(have.lasting) == sorted(want.lasting)
    return have == want


def unusable(table: NftTable) -> str:
    """Why nft could not read back what it has printed of a table, or nobody else may change it; empty when neither."""
    if any(line.startswith("flags ") and "owner" in line for line in table.head):
        return "it belongs to a process, and nobody else may change it"
    names = [table.name, *(name for _, name in table.objects)]
    odd = next((name for name in names if NAME.fullmatch(name) is None), None)
    if odd is not None:
        return f"the name `{odd}` cannot be written for nft"
    if table.name in UNLISTED:
        return f"nft does not list a table that is called `{table.name}`"
    for one in table.objects.values():
        for line in one.body:
            if _FOREIGN.search(_QUOTED.sub('""', line)):
                return f"nft prints a rule of chain {one.name} and cannot read it: {line}"
    return ""


@dataclass(frozen=True)
class _Edit:
    """A table that stays, with other contents."""

    have: NftTable
    want: NftTable

    @cached_property
    def _differing(self) -> tuple[Key, ...]:
        return differing_objects(self.have, self.want)

    @cached_property
    def _gone(self) -> frozenset[Key]:
        """What is deleted: for good, or because it cannot be changed in place."""
        return frozenset(
            key
            for key in self._differing
            if key in self.have.objects
            and (
                key not in self.want.objects or not _in_place(self.have.objects[key], self.want.objects[key])
            )
        )

    @cached_property
    def refilled(self) -> frozenset[Key]:
        """Chains and maps that are emptied and filled again: they differ, or they name what is deleted."""
        gone = {name for _, name in self._gone}
        return frozenset(
            key
            for key, one in self.have.objects.items()
            if (key[0] == CHAIN and (key in self._gone or one.body != self._wanted(key)))
            or (key[0] in {CHAIN, MAP} and not one.dynamic and _names(one, gone))
        )

    def _wanted(self, key: Key) -> tuple[str, ...]:
        one = self.want.objects.get(key)
        return one.body if one is not None else ()

    def lines(self) -> Iterator[str]:
        """All commands: what goes, from those that name to those that are named, then what comes."""
        if not self._differing and self.have.head == self.want.head:
            return
        place = self.want.title
        yield from (
            f"flush chain {place} {name}" for kind, name in self._ordered(self.refilled) if kind == CHAIN
        )
        yield from (f"flush map {place} {name}" for kind, name in self._ordered(self.refilled) if kind == MAP)
        yield from (f"delete {kind} {place} {name}" for kind, name in self._ordered(self._gone))
        for key in self._kept_sets():
            yield from _elements("delete", place, key[1], self._less(key), element_key)
        yield from _block(self.want, self._made())
        for key in self._kept_sets():
            yield from _elements("add", place, key[1], self._more(key), str)

    def _ordered(self, keys: frozenset[Key]) -> list[Key]:
        rank = {kind: at for at, kind in enumerate(ORDER)}
        return sorted(
            (key for key in self.have.objects if key in keys), key=lambda key: rank.get(key[0], len(rank))
        )

    def _kept_sets(self) -> Iterator[Key]:
        for key in self.want.objects:
            if key[0] in {SET, MAP} and key in self.have.objects and key not in self._gone:
                yield key

    def _less(self, key: Key) -> tuple[str, ...]:
        if key in self.refilled:
            return ()
        there = frozenset(self.want.objects[key].lasting)
        return tuple(one for one in self.have.objects[key].lasting if one not in there)

    def _more(self, key: Key) -> tuple[str, ...]:
        there = () if key in self.refilled else frozenset(self.have.objects[key].lasting)
        return tuple(one for one in self.want.objects[key].lasting if one not in there)

    def _made(self) -> Iterator[NftObject]:
        """What the block declares: what is new or made again whole, chains that are filled again, other policies."""
        for key, one in self.want.objects.items():
            former = self.have.objects.get(key)
            if former is None or key in self._gone:
                yield one
            elif key[0] == CHAIN and (key in self.refilled or former.head != one.head):
                yield one if key in self.refilled else NftObject(one.kind, one.name, one.head)


def _in_place(have: NftObject, want: NftObject) -> bool:
    """Whether an object can become the other without being deleted: rules, elements, and the policy of a chain.

    A set that is constant takes no other elements (net/netfilter/nf_tables_api.c, nf_tables_newsetelem: EBUSY).
    """
    if have.kind == CHAIN:
        return without_policy(have.head) == without_policy(want.head)
    return have.kind in {SET, MAP} and have.head == want.head and not _stiff(have, want)


def _stiff(have: NftObject, want: NftObject) -> bool:
    """Constant, or intervals with a catch-all: nft 1.0.6 aborts over every element of those (range_expr_value_low, measured)."""
    flags = " ".join(line for line in have.head if line.startswith("flags "))
    rest = any(one.startswith("* ") or one == "*" for one in (*have.body, *want.body))
    return "constant" in flags or ("interval" in flags and rest)


def without_policy(head: Sequence[str]) -> tuple[str, ...]:
    """What a chain says of itself but for its policy, the only part that can be changed in place."""
    return tuple(POLICY.sub("", line).strip() if line.startswith("type ") else line for line in head)


def _names(one: NftObject, names: set[str]) -> bool:
    return bool(names) and any(not names.isdisjoint(_WORD.findall(line)) for line in one.body)


def _block(table: NftTable, objects: Iterable[NftObject]) -> Iterator[str]:
    """The table as nft prints it, with some of what it declares. Its flags are always named: without them it would wake up."""
    yield f"table {table.title} {{"
    yield from (f"\t{line}" for line in table.head)
    for one in objects:
        yield f"\t{one.kind} {one.name} {{"
        yield from (f"\t\t{line}" for text in one.head for line in text.split("\n"))
        if one.kind in {SET, MAP}:
            if one.lasting:
                yield f"\t\telements = {{ {', '.join(one.lasting)} }}"
        else:
            yield from (f"\t\t{line}" for text in one.body for line in text.split("\n"))
        yield "\t}"
    yield "}"


def _elements(
    verb: str, place: str, name: str, elements: Sequence[str], shown: Callable[[str], str]
) -> Iterator[str]:
    for at in range(0, len(elements), EACH):
        yield f"{verb} element {place} {name} {{ {', '.join(map(shown, elements[at : at + EACH]))} }}"
