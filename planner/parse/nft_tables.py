"""`nft list ruleset` taken apart: tables, what they declare, rules and elements, each as the text that nft printed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from planner.models.node import NodeState

CHAIN, SET, MAP = "chain", "set", "map"
KINDS = (
    CHAIN, SET, MAP, "flowtable", "counter", "quota", "limit", "ct helper", "ct timeout", "ct expectation",
    "secmark", "synproxy", "meter",
)  # fmt: skip
"""What a table declares (nft(8)); two of one name may be there when their kinds differ."""
HEAD = re.compile(r'(?:comment "|type \S+ hook |policy |devices? |flags offload)')
"""How a line of a chain begins that is no rule."""
POLICY = re.compile(r"\bpolicy (\w+);")
"""Of a chain on a hook, at the end of the line that says so."""
NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9/_.-]*")
"""A name that nft reads back without quotes (src/scanner.l, `string`)."""
OBJECT = re.compile(rf"({'|'.join(KINDS)}) (\S+) \{{")
_TABLE = re.compile(r"table (?:(ip|ip6|inet|arp|bridge|netdev) )?(\S+) \{")
_TOKEN = re.compile(r'"[^"\n]*"|[{}]')
_PART = re.compile(r'"[^"\n]*"|[{},]')
_COUNTER = re.compile(r"counter packets [0-9]+ bytes [0-9]+")
_COUNTED = re.compile(r"^([ \t]*)packets [0-9]+ bytes [0-9]+$", re.MULTILINE)
_EXPIRES = re.compile(r" expires [0-9a-z]+")
_USED = re.compile(r"([0-9] [kmgt]?bytes) used [0-9]+ [kmgt]?bytes")
_LAST = re.compile(r"last used [0-9a-z]+")
_HANDLE = re.compile(r" ?# handle \d+[ \t]*$", re.MULTILINE)
_KEY_ENDS = re.compile(
    r" (?:: |counter packets |counter$|timeout |expires |comment \"|limit rate |quota |ct count |last(?: used .*)?$)"
)

Key = tuple[str, str]
"""Kind and name."""


@dataclass(frozen=True, slots=True)
class NftObject:
    """One thing that a table declares."""

    kind: str
    name: str
    head: tuple[str, ...] = ()
    """Lines that say what it is: hook and policy of a chain, type and flags of a set; all lines of other kinds."""
    body: tuple[str, ...] = ()
    """Rules of a chain, each with its line breaks where it has a block; elements of a set or map."""

    @property
    def dynamic(self) -> bool:
        """Whether its elements come from packets, or all go by themselves."""
        words = [line.partition(" ") for line in self.head]
        flags = {flag.strip() for word, _, rest in words if word == "flags" for flag in rest.split(",")}
        return self.kind in {SET, MAP} and (
            "dynamic" in flags or any(word == "timeout" for word, _, _ in words)
        )

    @property
    def lasting(self) -> tuple[str, ...]:
        """The elements that stay until somebody removes them."""
        return (
            ()
            if self.dynamic
            else tuple(one for one in self.body if " timeout " not in one.partition('"')[0])
        )


@dataclass(frozen=True, slots=True)
class NftTable:
    """One table."""

    family: str
    name: str
    head: tuple[str, ...] = ()
    """Its flags and comment."""
    objects: Mapping[Key, NftObject] = field(default_factory=dict)
    """In printed order."""

    @property
    def title(self) -> str:
        """`inet host_fw`."""
        return f"{self.family} {self.name}"

    def of(self, kind: str) -> dict[str, NftObject]:
        """What it declares of one kind, by name."""
        return {name: one for (sort, name), one in self.objects.items() if sort == kind}

    @property
    def dormant(self) -> bool:
        """Whether its chains hang on no hook."""
        return any(line.startswith("flags ") and "dormant" in line for line in self.head)


def still(text: str) -> str:
    """Without what moves by itself: counts, handles, remaining times, what quotas have used."""
    text = _COUNTER.sub("counter packets 0 bytes 0", _HANDLE.sub("", text))
    text = _COUNTED.sub(r"\1packets 0 bytes 0", _LAST.sub("last", text))
    return _USED.sub(r"\1", _EXPIRES.sub("", text))


@lru_cache(maxsize=32)
def nft_tables(text: str) -> Mapping[str, NftTable]:
    """Tables by title, of `nft list ruleset`. A table that is given in parts is joined, as nft does."""
    found: dict[str, NftTable] = {}
    for header, lines in _blocks(still(text).split("\n"), _TABLE):
        table = _table(header, lines)
        former = found.get(table.title)
        if former is not None:
            table = NftTable(
                table.family, table.name, former.head or table.head, {**former.objects, **table.objects}
            )
        found[table.title] = table
    return found


def _blocks(
    lines: Sequence[str], opening: re.Pattern[str]
) -> Iterator[tuple[re.Match[str] | str, tuple[str, ...]]]:
    """What the pattern opens, with its lines up to its brace; every other line alone, as it is."""
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        depth = _depth(line)
        start = at
        at += 1
        while depth > 0 and at < len(lines):
            depth += _depth(lines[at])
            at += 1
        found = opening.fullmatch(line)
        if found is not None:
            yield found, tuple(lines[start + 1 : at - 1])
        elif line and not line.startswith("#"):
            yield "\n".join(one.strip() for one in lines[start:at]), ()


def _depth(line: str) -> int:
    """Braces that a line opens, less those that it closes."""
    if "{" not in line and "}" not in line:
        return 0
    return sum({"{": 1, "}": -1}.get(token, 0) for token in _TOKEN.findall(line))


def _table(header: re.Match[str] | str, lines: Sequence[str]) -> NftTable:
    if isinstance(header, str):
        return NftTable("", "", (header,))
    head: list[str] = []
    objects: dict[Key, NftObject] = {}
    for found, inner in _blocks(lines, OBJECT):
        if isinstance(found, str):
            head.append(found)
        else:
            objects[found[1], found[2]] = _object(found[1], found[2], inner)
    return NftTable(header[1] or "ip", header[2], tuple(head), objects)


def _object(kind: str, name: str, lines: Sequence[str]) -> NftObject:
    if kind in {SET, MAP, "meter"}:
        return _set(kind, name, lines)
    parts = [str(one) for one, _ in _blocks(lines, re.compile(r"(?!)"))]
    if kind != CHAIN:
        return NftObject(kind, name, tuple(parts))
    rules = next((at for at, part in enumerate(parts) if HEAD.match(part) is None), len(parts))
    return NftObject(kind, name, tuple(parts[:rules]), tuple(parts[rules:]))


def _set(kind: str, name: str, lines: Sequence[str]) -> NftObject:
    parts = [str(one) for one, _ in _blocks(lines, re.compile(r"(?!)"))]
    head = [one for one in parts if not one.startswith("elements = {")]
    body = [
        element
        for one in parts
        if one.startswith("elements = {")
        for element in _elements(one.removeprefix("elements = {").removesuffix("}"))
    ]
    return NftObject(kind, name, tuple(head), tuple(body))


def _elements(text: str) -> Iterator[str]:
    """Elements between their commas; one may hold quotes and braces."""
    depth = start = 0
    for token in _PART.finditer(text):
        if token[0] in "{}":
            depth += 1 if token[0] == "{" else -1
        elif token[0] == "," and depth == 0:
            yield text[start : token.start()].strip()
            start = token.end()
    last = text[start:].strip()
    if last:
        yield last


def element_key(element: str) -> str:
    """The element without what is kept with it: data of a map, counter, time, comment."""
    end = _KEY_ENDS.search(element)
    return element[: end.start()] if end else element


def own_tables(state: NodeState) -> dict[str, NftTable]:
    """Tables of a node that iptables does not print as its own."""
    managed = {
        f"{ruleset.family} {name}"
        for ruleset in state.rulesets
        if ruleset.backend == "nft"
        for name in ruleset.tables
    }
    return {title: table for title, table in nft_tables(state.native.text).items() if title not in managed}
