"""Facets of nft tables that iptables does not manage: chains, sets and other things one by one, or a table as a whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from planner.emit.nft import differing_objects, rebuilt, touched_objects
from planner.emit.script import quote
from planner.models.node import NodeState
from planner.parse.nft_tables import MAP, SET, Key, NftObject, NftTable, nft_tables, own_tables
from planner.plan.facet import Facet, digest_facet, shell

EACH = 16
"""Up to so many things of a table are compared one by one; more, and the table is compared as a whole."""
VolatileSet = tuple[str, str, str]
"""Table, kind and name of a set whose elements come and go by themselves."""

STILL = r"""s/counter packets [0-9][0-9]* bytes [0-9][0-9]*/counter packets 0 bytes 0/g
s/^\([ TAB]*\)packets [0-9][0-9]* bytes [0-9][0-9]*$/\1packets 0 bytes 0/
s/last used [0-9a-z][0-9a-z]*/last/g
s/ expires [0-9a-z][0-9a-z]*//g
s/\([0-9] [kmgt]*bytes\) used [0-9][0-9]* [kmgt]*bytes/\1/g
s/^[ TAB]*//
s/[ TAB]*$//""".replace("TAB", "\t")
"""`planner.parse.nft_tables.still`, for sed(1); blanks around a line go, too."""
WHOLE = r"""/^$/d
/^}$/d
/^TABTAB*elements = {/,/^TAB}$/{
/^TAB}$/!d
}
/^TAB[a-z].* {$/{
h
x
s/^TAB//
x
}
STILL
G
s/^\(.*\)\n\(.*\)$/\2TAB\1/p""".replace("TAB", "\t")
"""Each line after what declares it."""
PIECES = "tr , '\\n' | sed -e 's/^ *//' -e 's/ *$//' -e '/^$/d' -e '/ timeout /d' | LC_ALL=C sort"
"""Elements in an order of their own: nft prints those of a hash as they come. What has a time is left out."""


def native_facets(
    before: NodeState, after: NodeState, *, whole: frozenset[str], volatile: frozenset[VolatileSet]
) -> Iterator[Facet]:
    """What differs. Counters, remaining times and what packets have put into sets are no part of it."""
    if before.native.text == after.native.text:
        return
    old, new = own_tables(before), own_tables(after)
    for title in sorted({*old, *new}):
        former, latter = old.get(title), new.get(title)
        if title in whole:
            if (
                former is None
                or latter is None
                or former.head != latter.head
                or differing_objects(former, latter)
            ):
                yield from _whole(title, former, latter, volatile)
            continue
        if former is None or latter is None:
            continue  # such tables are whole ones
        if former.head != latter.head:
            yield _head(title, former, latter)
        for key in touched_objects(former, latter):
            sides = [table.objects.get(key) for table in (former, latter)]
            yield _object(title, key, *sides, volatile=(title, *key) in volatile)


def whole_tables(states: Sequence[NodeState]) -> frozenset[str]:
    """Tables that come, go or are made anew on the way, or of which one step changes much: they are compared whole."""
    found: set[str] = set()
    for one, other in pairwise(states):
        if one.native == other.native:
            continue
        old, new = own_tables(one), own_tables(other)
        for title in {*old, *new}:
            former, latter = old.get(title), new.get(title)
            if (
                former is None
                or latter is None
                or rebuilt(former, latter)
                or len(touched_objects(former, latter)) > EACH
            ):
                found.add(title)
    return frozenset(found)


def volatile_sets(states: Iterable[NodeState]) -> frozenset[VolatileSet]:
    """Sets that packets fill, or whose elements all go by themselves, in any of the states."""
    return frozenset(
        (title, *key)
        for text in dict.fromkeys(state.native.text for state in states)
        for title, table in nft_tables(text).items()
        for key, one in table.objects.items()
        if one.dynamic
    )


def _list(title: str) -> str:
    """Prints a table; PRINTER of `scripts` knows how it begins."""
    return f"nft list table {' '.join(quote(word) for word in title.split(' '))}"


def _head(title: str, former: NftTable, latter: NftTable) -> Facet:
    program = "/^\t[^\t}].*[^{]$/p"
    texts = ("".join(f"\t{line}\n" for line in table.head) for table in (former, latter))
    return digest_facet(
        f"nft flags of table {title}", shell(f"{_list(title)} | sed -n {quote(program)} | sha256sum"), *texts
    )


def _object(title: str, key: Key, old: NftObject | None, new: NftObject | None, *, volatile: bool) -> Facet:
    kind, name = key
    place = f"nft {kind} {name} of table {title}"
    program = "\n".join([f"/^\t{kind} {_literal(name)} {{$/,/^\t}}$/{{", STILL, "p", "}"])
    source = f"{_list(title)} | sed -n {quote(program)}"
    if kind not in {SET, MAP}:
        return digest_facet(place, shell(f"{source} | sha256sum"), *map(_text, (old, new)))
    if volatile:
        source = f"{source} | sed {quote('/^elements = {/,$d')}"
    cut = quote("s/^elements = {//;s/[{}]//g")
    texts = (_pieces([_text(one, elements=not volatile)]) if one else "" for one in (old, new))
    return digest_facet(place, shell(f"{source} | sed {cut} | {PIECES} | sha256sum"), *texts)


def _text(one: NftObject | None, *, elements: bool = True) -> str:
    """A thing as nft prints it, without blanks around its lines."""
    if one is None:
        return ""
    body = one.body if one.kind not in {SET, MAP} else (", ".join(one.body if elements else ()),)
    lines = (f"{one.kind} {one.name} {{", *one.head, *filter(None, body), "}")
    return "".join(f"{line}\n" for line in lines)


def _pieces(texts: Iterable[str]) -> str:
    """What PIECES makes of texts without braces."""
    found = [
        piece.strip(" ")
        for text in texts
        for line in text.replace("{", "").replace("}", "").split("\n")
        for piece in line.split(",")
    ]
    kept = [piece for piece in found if piece and " timeout " not in piece]
    return "".join(f"{piece}\n" for piece in sorted(kept, key=_octets))


def _whole(
    title: str, former: NftTable | None, latter: NftTable | None, volatile: frozenset[VolatileSet]
) -> Iterator[Facet]:
    """What a table declares and its rules, in an order of their own; and the elements of its sets."""
    program = WHOLE.replace("STILL", STILL)
    # A stable sort by what declares a line: the order of chains means nothing, the order of rules in a chain does.
    key = "LC_ALL=C sort -s -t '\t' -k1,1"
    yield digest_facet(
        f"nft table {title}",
        shell(f"{_list(title)} | sed -n {quote(program)} | {key} | sha256sum"),
        *map(_declared, (former, latter)),
    )
    if any(kind in {SET, MAP} for table in (former, latter) if table for kind, _ in table.objects):
        moving = [
            f"/^\t{kind} {_literal(name)} {{$/,/^\t}}$/d"
            for place, kind, name in sorted(volatile)
            if place == title
        ]
        program = "\n".join(
            [
                *moving,
                "/^\t\t*elements = {/,/^\t}$/{",
                "/^\t}$/d",
                STILL,
                "s/^elements = {//",
                "s/[{}]//g",
                "p",
                "}",
            ]
        )
        yield digest_facet(
            f"nft elements of table {title}",
            shell(f"{_list(title)} | sed -n {quote(program)} | {PIECES} | sha256sum"),
            *(_all_elements(title, table, volatile) for table in (former, latter)),
        )


def _declared(table: NftTable | None) -> str:
    if table is None:
        return ""
    lines = [("", f"table {table.title} {{"), *(("", line) for line in table.head)]
    for one in table.objects.values():
        key = f"{one.kind} {one.name} {{"
        body = () if one.kind in {SET, MAP} else one.body
        lines += [(key, line) for text in (key, *one.head, *body, "}") for line in text.split("\n")]
    return "".join(f"{key}\t{line}\n" for key, line in sorted(lines, key=lambda line: _octets(line[0])))


def _all_elements(title: str, table: NftTable | None, volatile: frozenset[VolatileSet]) -> str:
    objects: Mapping[Key, NftObject] = table.objects if table else {}
    return _pieces(
        ", ".join(one.body)
        for key, one in objects.items()
        if key[0] in {SET, MAP} and (title, *key) not in volatile
    )


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _literal(text: str) -> str:
    """Text as a basic regular expression between slashes."""
    return "".join(f"\\{char}" if char in "\\.[]*^$/" else char for char in text)
