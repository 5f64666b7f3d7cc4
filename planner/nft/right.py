"""What a key is compared with: constants, ranges, sets and maps, in the order and the form in which nft keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.nft.keys import Key
from planner.nft.problem import NotReadError, RefusedError
from planner.nft.tokens import Cursor, SyntaxMistakeError, Token
from planner.nft.values import (
    ADDRESSES,
    FLAGS,
    NAMES,
    Json,
    constant_text,
    interval_of,
    interval_value,
    number_of,
    read_constant,
)

VERDICTS = frozenset({"accept", "drop", "return", "continue", "jump", "goto"})
Pair = tuple[Json, Json]


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a set as it was written."""

    value: Json
    data: Json = None
    timeout: int | None = None
    comment: str = ""
    counted: bool = False


def read_value(cursor: Cursor, kind: str) -> Json:
    """A constant, a prefix or a range of one data type."""
    if kind == "iface_index" and cursor.peek() in {"exists", "missing"}:
        return read_constant(cursor.take().text, "boolean")
    token = cursor.take()
    if token.kind not in {"word", "string"}:
        raise NotReadError(token.text)
    if kind == "iface_index" and token.text == "0":
        raise NotReadError("a link's number")
    if kind in NAMES and token.kind == "word" and token.text in VERDICTS:
        raise NotReadError(f"`{token.text}` where a name must stand")
    if kind in NAMES or kind == "ether_addr" or token.kind == "string":
        low = read_constant(token.text, kind)
        if cursor.peek() == "-":
            raise NotReadError("a range of names")
        return low
    first, last = token.text, ""
    if cursor.accept("-"):
        last = cursor.take().text
    elif "-" in first:
        first, last = _cut(first, kind)
    if not last:
        return read_constant(first, kind)
    low, high = read_constant(first, kind), read_constant(last, kind)
    if kind == "inet_proto":
        low, high = number_of(low, kind), number_of(high, kind)
    if number_of(low, kind) > number_of(high, kind):
        raise RefusedError(f"`{first}-{last}`: the range ends before it begins")
    return {"range": [low, high]}


def _cut(word: str, kind: str) -> tuple[str, str]:
    """A range that is one word; a name with a hyphen is none."""
    try:
        read_constant(word, kind)
    except NotReadError:
        low, _, high = word.partition("-")
        if "-" in high and kind not in ADDRESSES:
            raise
        return low, high
    return word, ""


def read_concat(cursor: Cursor, kinds: Sequence[str]) -> Json:
    """A value of a key: of each part one, joined by dots; `*` is the rest."""
    if cursor.peek() == "*" and len(kinds) == 1:
        cursor.take()
        return "*"
    parts = [read_value(cursor, kinds[0])]
    for kind in kinds[1:]:
        if not cursor.accept("."):
            raise NotReadError("a concatenation with fewer parts than its type")
        parts.append(read_value(cursor, kind))
    if len(parts) == 1:
        return parts[0]
    return {"concat": parts}


def read_verdict(cursor: Cursor) -> Json:
    """`accept`, `jump CHAIN` …"""
    word = cursor.take().text
    if word in {"jump", "goto"} and cursor.peek() == "{":
        raise NotReadError("a chain within a rule")
    if word in {"jump", "goto"}:
        return {word: {"target": cursor.take().text}}
    if word in VERDICTS:
        return {word: None}
    raise NotReadError(word)


def read_elements(
    cursor: Cursor, kinds: Sequence[str], data: Sequence[str] = (), *, keys: bool = False
) -> list[Element]:
    """`{ value [: data] [options], … }`; sets within it are laid out flat. With `keys` a map's may stand without data."""
    if not cursor.accept("{"):
        raise NotReadError("no set")
    found: list[Element] = []
    while True:
        while cursor.peek() in {"\n", ","}:
            cursor.take()
        if cursor.accept("}"):
            return found
        if cursor.peek() == "{":
            found += read_elements(cursor, kinds, data, keys=keys)
            continue
        found.append(_element(cursor, kinds, data, keys=keys))
        while cursor.accept("\n"):
            pass
        if cursor.peek() not in {",", "}"}:
            raise NotReadError(cursor.peek())


def _element(cursor: Cursor, kinds: Sequence[str], data: Sequence[str], *, keys: bool) -> Element:
    value = read_concat(cursor, kinds)
    timeout, comment, counted = None, "", False
    while cursor.peek() in {"timeout", "expires", "comment", "counter"}:
        match cursor.take().text:
            case "timeout":
                timeout = seconds(cursor.take().text)
            case "expires":
                cursor.take()
            case "comment":
                comment = cursor.take().text
            case _:
                counted = True
                if cursor.accept("packets"):
                    cursor.take()
                    cursor.accept("bytes")
                    cursor.take()
    mapped: Json = None
    if data:
        while cursor.accept("\n"):
            pass
        if cursor.peek() in {",", "}"}:
            if keys:
                return Element(value, None, timeout, comment, counted)
            raise RefusedError("an element of a map has no data")
        if not cursor.accept(":"):
            raise NotReadError("an element of a map without its data")
        mapped = read_verdict(cursor) if tuple(data) == ("verdict",) else read_concat(cursor, data)
    return Element(value, mapped, timeout, comment, counted)


UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def seconds(word: str) -> int:
    """`1h30m` in seconds. Less than a second is not read."""
    total, number = 0, ""
    for letter in word:
        if letter.isdigit():
            number += letter
        elif letter in UNITS and number:
            total, number = total + int(number) * UNITS[letter], ""
        else:
            raise NotReadError(word)
    return total + int(number or 0)


def time_text(value: int) -> str:
    """Seconds as nft prints them: `1h30m`."""
    text = ""
    for unit, size in UNITS.items():
        count, value = divmod(value, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def has_intervals(values: Sequence[Json]) -> bool:
    """Whether a set must be one of intervals to hold them."""
    return any(
        (isinstance(value, dict) and not value.keys() & {"concat"})
        or value == "*"
        or (isinstance(value, str) and value.endswith("*"))
        or (
            isinstance(value, dict)
            and isinstance(parts := value.get("concat"), list)
            and any(isinstance(part, dict) for part in parts)
        )
        for value in values
    )


def in_order(
    pairs: Sequence[Pair], kinds: Sequence[str], *, intervals: bool, merge: bool = False
) -> list[Pair]:
    """Elements in the order in which nft prints them; doubles once, and with `merge` neighbours as one interval."""
    if len(kinds) != 1:
        unique: list[Pair] = []
        for pair in pairs:
            if pair not in unique:
                unique.append(pair)
        return unique if intervals else sorted(unique, key=lambda pair: _numbers(pair[0], kinds))
    kind = kinds[0]
    rest = [pair for pair in pairs if pair[0] == "*"]
    named = [pair for pair in pairs if pair[0] != "*"]
    if not intervals or kind in NAMES:
        found: dict[int, Pair] = {}
        for pair in named:
            found.setdefault(number_of(pair[0], kind, within_intervals=intervals), pair)
        return [found[number] for number in sorted(found)] + rest
    spans = sorted((*interval_of(value, kind), at) for at, (value, _) in enumerate(named))
    if not merge:
        return [(interval_value(low, high, kind), named[at][1]) for low, high, at in spans] + rest
    joined: list[tuple[int, int]] = []
    for low, high, _ in spans:
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(high, joined[-1][1])
        else:
            joined.append((low, high))
    return [(interval_value(low, high, kind), None) for low, high in joined] + rest


OCTETS = {"ipv4_addr": 4, "ipv6_addr": 16, "inet_service": 2, "ether_addr": 6, "ether_type": 2}
"""Data types that are kept in the order of the network."""


def _numbers(value: Json, kinds: Sequence[str]) -> int:
    """What a concatenation sorts by: its octets, each part filled up to four, read as the machine reads a number (measured)."""
    match value:
        case {"concat": [*parts]}:
            octets = b"".join(_octets(part, kind) for part, kind in zip(parts, kinds, strict=True))
            return int.from_bytes(octets, "little")
        case _:
            return 1 << 1024


def _octets(part: Json, kind: str) -> bytes:
    if kind in NAMES:
        return str(part).encode().ljust(16, b"\0")
    number = number_of(part, kind)
    if kind not in OCTETS:
        return number.to_bytes(8, "little")
    size = OCTETS[kind]
    return number.to_bytes(size, "big").ljust(size + -size % 4, b"\0")


def read_set(cursor: Cursor, key: Key) -> Json:
    """An anonymous set; of one element that element alone."""
    values = [element.value for element in read_elements(cursor, key.kind)]
    if not values:
        raise RefusedError("a set without elements")
    if len(values) == 1 and len(key.kind) == 1:
        return values[0]
    intervals = has_intervals(values)
    pairs = in_order([(value, None) for value in values], key.kind, intervals=intervals, merge=intervals)
    return {"set": [value for value, _ in pairs]}


def read_mapping(cursor: Cursor, key: Key, data: Sequence[str]) -> Json:
    """`@name` or `{ value : data, … }`."""
    if cursor.accept("@"):
        return "@" + cursor.take().text
    elements = read_elements(cursor, key.kind, data)
    if not elements:
        raise RefusedError("a map without elements")
    pairs: list[Pair] = [(element.value, element.data) for element in elements]
    intervals = has_intervals([value for value, _ in pairs])
    return {"set": [[value, to] for value, to in in_order(pairs, key.kind, intervals=intervals)]}


def read_flags(cursor: Cursor, kind: str) -> list[str]:
    """`fin|syn`, `(fin | syn)`, `fin,syn` or a number, as names in the order of their bits."""
    names: set[str] = set()
    paren = cursor.accept("(")
    while True:
        token: Token = cursor.take()
        if token.text.isdigit() or token.text.startswith("0x"):
            number = int(token.text, 0)
            if number >= 1 << 10:
                raise NotReadError(token.text)
            names |= {name for name, bit in FLAGS[kind].items() if bit & number}
        elif token.text in FLAGS[kind]:
            names.add(token.text)
        else:
            raise NotReadError(token.text)
        if not (cursor.accept("|") or cursor.accept(",")):
            break
    if paren and not cursor.accept(")"):
        raise SyntaxMistakeError(cursor.line, "a `(` is not closed")
    return [name for name in FLAGS[kind] if name in names]


def value_text(value: Json, kinds: Sequence[str]) -> str:
    """A constant, a concatenation, a set or the name of one, as nft prints it."""
    match value:
        case {"concat": [*parts]}:
            return " . ".join(constant_text(part, kind) for part, kind in zip(parts, kinds, strict=True))
        case {"set": [*parts]}:
            return "{ " + ", ".join(value_text(part, kinds) for part in parts) + " }"
        case [*parts]:
            return ",".join(map(str, parts))
        case str() if value.startswith("@"):
            return value
        case _:
            return constant_text(value, kinds[0])


def verdict_text(verdict: Json) -> str:
    """`jump CHAIN`, `accept` …"""
    match verdict:
        case {"jump": {"target": target}}:
            return f"jump {target}"
        case {"goto": {"target": target}}:
            return f"goto {target}"
        case dict():
            return " ".join(verdict)
        case _:
            raise NotReadError(str(verdict))


def mapping_text(mapping: Json, kinds: Sequence[str], data: Sequence[str]) -> str:
    """`@name` or `{ value : data, … }`."""
    match mapping:
        case str():
            return mapping
        case {"set": [*pairs]}:
            return "{ " + ", ".join(pair_text(pair, kinds, data) for pair in pairs) + " }"
        case _:
            raise NotReadError(str(mapping))


def pair_text(pair: Json, kinds: Sequence[str], data: Sequence[str]) -> str:
    """`value : data`."""
    match pair:
        case [value, to]:
            shown = verdict_text(to) if tuple(data) == ("verdict",) else value_text(to, data)
            return f"{value_text(value, kinds)} : {shown}"
        case _:
            raise NotReadError(str(pair))
