"""The inside of blocks: how a base chain hangs on its hook, and what a set is declared to be."""

from collections.abc import Sequence
from dataclasses import replace

from planner.nft.commands import AddSet, At, Base, SetSpec, TableKey
from planner.nft.keys import key_text, read_key
from planner.nft.problem import NotReadError, RefusedError
from planner.nft.right import Element, read_elements, seconds
from planner.nft.tokens import Cursor, SyntaxMistakeError, Token, joined

HOOKS = frozenset({"prerouting", "input", "forward", "output", "postrouting", "ingress", "egress"})
KINDS = frozenset({"filter", "nat", "route"})
NEAR = 10
"""How far from a named priority nft still prints its name (chain_print_priority of nft)."""
PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
BRIDGE_PRIORITIES = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}
ONLY_AT = {"dstnat": {"prerouting"}, "srcnat": {"postrouting"}, "out": {"output"}}


def statement(cursor: Cursor) -> list[Token]:
    """Tokens up to the end of the line, a `;` or the brace that closes the block; lines within braces go on."""
    found: list[Token] = []
    depth = 0
    while not cursor.done:
        word = cursor.peek()
        if depth == 0 and word in {"\n", ";", "}"}:
            break
        depth += {"{": 1, "}": -1}.get(word, 0)
        found.append(cursor.take())
    if depth:
        line = next(token.line for token in found if token.text == "{")
        raise SyntaxMistakeError(line, "a `{` is not closed")
    return found


def read_base(cursor: Cursor, family: str) -> Base:
    """`type filter hook input [device NAME] priority filter + 10`."""
    cursor.take()
    kind = cursor.take().text
    cursor.take()
    hook = cursor.take().text
    if kind not in KINDS:
        raise SyntaxMistakeError(cursor.line, f"`{kind}` is no type of chain: filter, nat or route")
    if hook not in HOOKS:
        raise SyntaxMistakeError(cursor.line, f"`{hook}` is no hook")
    devices: list[str] = []
    if cursor.accept("device"):
        devices.append(cursor.take().text)
    elif cursor.accept("devices"):
        cursor.accept("=")
        if not cursor.accept("{"):
            raise SyntaxMistakeError(cursor.line, "`devices` needs `= { NAME, … }`")
        while not cursor.accept("}"):
            word = cursor.take().text
            if word not in {",", "\n"}:
                devices.append(word)
    if not cursor.accept("priority"):
        raise SyntaxMistakeError(cursor.line, "a base chain needs its `priority`")
    return Base(kind, hook, read_priority(statement(cursor), family, hook), tuple(devices))


def read_priority(tokens: Sequence[Token], family: str, hook: str) -> int:
    """`filter`, `filter - 5`, `-150`."""
    words = [token.text for token in tokens]
    names = BRIDGE_PRIORITIES if family == "bridge" else PRIORITIES
    line = tokens[0].line if tokens else 0
    sign, base = 1, 0
    if words and words[0] in names:
        if hook not in ONLY_AT.get(words[0], {hook}) and (words[0], hook) != ("dstnat", "output"):
            raise SyntaxMistakeError(line, f"priority `{words[0]}` is not for hook {hook}")
        base = names[words[0]]
        words = words[1:]
        if not words:
            return base
    if words and words[0] in {"+", "-"}:
        sign = -1 if words[0] == "-" else 1
        words = words[1:]
    if len(words) != 1 or not words[0].isdigit():
        raise SyntaxMistakeError(
            line, f"`{joined(tokens)}` is no priority: a number, or a name such as `filter`"
        )
    return base + sign * int(words[0])


def priority_text(priority: int, family: str, hook: str) -> str:
    """As nft prints it."""
    names = BRIDGE_PRIORITIES if family == "bridge" else PRIORITIES
    for name, value in names.items():
        if family in {"netdev", "arp"} and name != "filter":
            continue
        if abs(priority - value) <= NEAR and hook in ONLY_AT.get(name, {hook}):
            rest = priority - value
            return name if not rest else f"{name} {'+' if rest > 0 else '-'} {abs(rest)}"
    return str(priority)


class _Declared:
    """What was found in the block of a set."""

    def __init__(self) -> None:
        self.typed = ""
        self.kinds: tuple[str, ...] = ()
        self.data: tuple[str, ...] = ()
        self.flags: tuple[str, ...] = ()
        self.numbers: dict[str, int] = {}
        self.policy = self.comment = ""
        self.auto_merge = self.counter = False
        self.elements: list[Token] = []


def read_set_block(cursor: Cursor, table: TableKey, name: str, noun: str, at: At, *, create: bool) -> AddSet:
    """What stands between the braces of a set or a map; the opening one is taken."""
    told = _Declared()
    while True:
        while cursor.peek() in {"\n", ";"}:
            cursor.take()
        if cursor.done:
            raise SyntaxMistakeError(at.line, f"the block of {noun} `{name}` is not closed")
        if cursor.accept("}"):
            break
        free = cursor.peek() in {"elements", "auto-merge"}
        _option(cursor, told, noun)
        if not free and cursor.peek() not in {"\n", ";"}:
            raise SyntaxMistakeError(cursor.line, f"`{cursor.peek()}` where a `;` or a new line must stand")
    if not told.typed:
        raise SyntaxMistakeError(at.line, f"{noun} `{name}` has no `type` or `typeof`")
    spec = SetSpec(
        "map" if noun == "map" else "set", told.typed, told.kinds, told.data, told.flags,
        told.numbers.get("timeout", 0), told.numbers.get("gc-interval", 0), told.numbers.get("size", 0),
        told.policy, told.auto_merge, told.counter, told.comment,
    )  # fmt: skip
    elements: tuple[Element, ...] = ()
    if told.elements:
        try:
            elements = elements_of(told.elements, spec)
        except NotReadError:
            spec = replace(spec, unread=joined(told.elements))
        except RefusedError as error:
            raise SyntaxMistakeError(told.elements[0].line, f"an element of `{name}`: {error}") from error
    return AddSet(at, table, name, spec, elements, create=create)


def elements_of(tokens: Sequence[Token], spec: SetSpec, *, keys: bool = False) -> tuple[Element, ...]:
    """Elements of a set of known type; with `keys` those of a map may stand without data. Raises NotReadError or RefusedError."""
    if not spec.kinds:
        raise NotReadError(spec.typed)
    return tuple(read_elements(Cursor(tokens), spec.kinds, spec.data, keys=keys))


def _option(cursor: Cursor, told: _Declared, noun: str) -> None:
    line = cursor.line
    word = cursor.take().text
    match word:
        case "type" | "typeof":
            _typed(statement(cursor), told, word, noun, line)
        case "flags":
            told.flags = tuple(token.text for token in statement(cursor) if token.text != ",")
        case "timeout" | "gc-interval":
            told.numbers[word] = _seconds(cursor)
        case "size":
            told.numbers[word] = _size(cursor)
        case "policy":
            told.policy = cursor.take().text
        case "auto-merge":
            told.auto_merge = True
        case "counter":
            told.counter = True
        case "comment":
            told.comment = cursor.take().text
        case "elements":
            if not cursor.accept("="):
                raise SyntaxMistakeError(line, "`elements` needs `= { … }`")
            told.elements = statement(cursor)
        case _:
            raise SyntaxMistakeError(line, f"`{word}` has no meaning in a {noun}")


def _seconds(cursor: Cursor) -> int:
    word = cursor.take().text
    try:
        return seconds(word)
    except NotReadError as error:
        raise SyntaxMistakeError(cursor.line, f"`{word}` is no time: `1h30m`") from error


def _size(cursor: Cursor) -> int:
    word = cursor.take().text
    if not word.isdigit():
        raise SyntaxMistakeError(cursor.line, f"`{word}` is no size")
    return int(word)


def _typed(tokens: Sequence[Token], told: _Declared, word: str, noun: str, line: int) -> None:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == ":" and token.kind == "sign":
            parts.append([])
        else:
            parts[-1].append(token)
    if (len(parts) == 2) != (noun == "map") or not all(parts):
        wanted = "`type KEY : DATA`" if noun == "map" else "`type KEY`"
        raise SyntaxMistakeError(line, f"a {noun} is declared with {wanted}")
    shown: list[str] = []
    kinds: list[tuple[str, ...]] = []
    for part in parts:
        if word == "type":
            names = [token.text for token in part if token.text not in {".", "interval"}]
            kinds.append(tuple(names))
            shown.append(joined(part))
        else:
            text, found = _typeof(part)
            kinds.append(found)
            shown.append(text)
    told.kinds = kinds[0]
    told.data = kinds[1] if len(kinds) > 1 else ()
    told.typed = f"{word} {' : '.join(shown)}"


def _typeof(part: Sequence[Token]) -> tuple[str, tuple[str, ...]]:
    if [token.text for token in part] == ["verdict"]:
        return "verdict", ("verdict",)
    cursor = Cursor(part)
    try:
        key = read_key(cursor)
    except NotReadError:
        return joined(part), ()
    return key_text(key.json), key.kind
