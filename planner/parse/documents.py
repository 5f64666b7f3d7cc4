"""JSON and YAML of unknown origin: small, without surprises, and read as the programs on a node read them."""

import json
import re
from dataclasses import dataclass, field
from typing import TypeAlias

from planner.errors import NetchangeError

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

LARGEST = 4 * 1024 * 1024
"""Characters. A ConfigMap may hold 1 MiB, so whatever a cluster can carry fits."""
DEEPEST = 64
MOST_VALUES = 200_000
"""Counted after aliases are written out, so that a few lines of YAML cannot become a billion values."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document, and what its reader should be told about it."""

    value: Value
    line: int = 1
    problems: tuple[str, ...] = ()
    """Sentences with `name:line` where the line is known: a key that is given twice."""


def load_json(text: str, *, name: str) -> Document:
    """One JSON document, as strict as Go's encoding/json: no comments, no NaN, no trailing commas."""
    _refuse_large(text, name)
    problems: list[str] = []

    def build(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
        built: dict[str, Value] = {}
        for key, value in pairs:
            if key in built:
                problems.append(f'`{name}`: the key "{_inert(key)}" is given twice; the last one counts')
            built[key] = value
        return built

    def refuse(word: str) -> Value:
        raise ValueError(f"{word} is not JSON")

    try:
        value: Value = json.loads(text, object_pairs_hook=build, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise _unreadable(name, error.lineno, error.msg) from error
    except RecursionError as error:
        raise _unreadable(name, 0, f"nested deeper than {DEEPEST} levels") from error
    except ValueError as error:
        raise _unreadable(name, 0, str(error)[:120]) from error
    return Document(_checked(value, name), problems=tuple(problems))


def load_yaml(text: str, *, name: str) -> tuple[Document, ...]:
    """Every document of a YAML stream; empty ones are left out. Scalars mean what they mean to Kubernetes."""
    import yaml

    _refuse_large(text, name)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents: list[Document] = []
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder(name)
            elif isinstance(event, yaml.ScalarEvent):
                builder.scalar(event.value, event.tag, event.implicit[0], event.anchor, _line(event))
            elif isinstance(event, yaml.SequenceStartEvent):
                builder.start([], event.tag, event.anchor, _line(event))
            elif isinstance(event, yaml.MappingStartEvent):
                builder.start({}, event.tag, event.anchor, _line(event))
            elif isinstance(event, yaml.AliasEvent):
                builder.alias(event.anchor or "", _line(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                builder.end(_line(event))
            elif isinstance(event, yaml.DocumentEndEvent) and not builder.empty:
                documents.append(Document(builder.result, builder.first_line, tuple(builder.problems)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _unreadable(name, mark.line + 1 if mark else 0, error.problem or "not YAML") from error
    except yaml.YAMLError as error:
        raise _unreadable(name, 0, str(error).split("\n", 1)[0]) from error
    return tuple(documents)


def load_either(text: str, *, name: str) -> tuple[Document, ...]:
    """JSON where the text is JSON, else YAML: the way Kubernetes' own decoders take a file."""
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return (load_json(text, name=name),)
        except NetchangeError:
            pass
    return load_yaml(text, name=name)


def compact(value: Value) -> str:
    """The value as JSON without blanks, keys in order: equal values give equal text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def as_object(value: Value) -> dict[str, Value]:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def _refuse_large(text: str, name: str) -> None:
    if len(text) > LARGEST:
        raise NetchangeError(
            reference="document-too-large",
            message=f"`{name}` has {len(text)} characters, more than {LARGEST}",
            hint="split it, or leave out what does not concern the network",
        )


def _unreadable(name: str, line: int, reason: str) -> NetchangeError:
    where = f"{name}:{line}" if line else name
    return NetchangeError(
        reference="document-unreadable",
        message=f"`{where}` cannot be read: {_inert(reason)}",
        hint="mend the file; nothing in it was taken into account",
    )


def _inert(text: str) -> str:
    """Foreign text for a sentence: one line, not long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:120]


def _checked(value: Value, name: str) -> Value:
    """The value in one notation (1450.0 is 1450, no half characters); refused when too deep or too much."""
    left = MOST_VALUES

    def check(part: Value, depth: int) -> Value:
        nonlocal left
        left -= 1
        if left < 0:
            raise _unreadable(name, 0, f"more than {MOST_VALUES} values")
        if depth > DEEPEST:
            raise _unreadable(name, 0, f"nested deeper than {DEEPEST} levels")
        match part:
            case dict():
                return {_whole(key): check(inner, depth + 1) for key, inner in part.items()}
            case list():
                return [check(inner, depth + 1) for inner in part]
            case float():
                return _number(part, name)
            case str():
                return _whole(part)
            case _:
                return part

    return check(value, 0)


def _number(number: float, name: str, line: int = 0) -> int | float:
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 - not a number is unlike itself
        raise _unreadable(name, line, "a number that JSON cannot hold")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _whole(text: str) -> str:
    """Half of a surrogate pair becomes the replacement character, as in Go."""
    if any("\ud800" <= c <= "\udfff" for c in text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _line(event: object) -> int:
    mark = getattr(event, "start_mark", None)
    return int(mark.line) + 1 if mark is not None else 0


_TAGS = "tag:yaml.org,2002:"
# What Kubernetes' reader makes of a plain scalar (sigs.k8s.io/yaml, goyaml.v2/resolve.go): YAML 1.1 words for
# booleans, no base 60, no dates once it has become JSON.
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OCTAL = re.compile(r"[-+]?0o?[0-7_]+")
_HEX = re.compile(r"[-+]?0x[0-9a-fA-F_]+")
_BINARY = re.compile(r"[-+]?0b[01_]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def _plain(text: str, name: str, line: int) -> Value:
    """What an unquoted word means."""
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if len(text) > 100 or text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        return int(digits)
    if _BINARY.fullmatch(text):
        return int(digits, 2)
    if _HEX.fullmatch(text):
        return int(digits, 16)
    if _OCTAL.fullmatch(text):
        return int(digits.replace("o", ""), 8)
    if _FLOAT.fullmatch(text):
        return _number(float(text), name, line)
    if text.lstrip("+-") in {".inf", ".Inf", ".INF"} or text in {".nan", ".NaN", ".NAN"}:
        raise _unreadable(name, line, "a number that JSON cannot hold")
    return text


@dataclass(slots=True)
class _Open:
    """A collection that has not ended."""

    value: list[Value] | dict[str, Value]
    anchor: str
    size: int = 1
    key: str | None = None
    merged: list[Value] = field(default_factory=list)
    merge_next: bool = False


class _Builder:
    """Builds one document from the parser's events, without recursion."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.result: Value = None
        self.empty = True
        self.first_line = 0
        self.problems: list[str] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._count = 0

    def scalar(self, text: str, tag: str | None, plain: bool, anchor: str | None, line: int) -> None:  # noqa: FBT001 - as the event has it
        """A word."""
        value: Value
        match tag:
            case None | "!":
                value = _plain(text, self.name, line) if plain and tag is None else _whole(text)
            case "tag:yaml.org,2002:str" | "tag:yaml.org,2002:binary" | "tag:yaml.org,2002:timestamp":
                value = _whole(text)
            case (
                "tag:yaml.org,2002:int"
                | "tag:yaml.org,2002:float"
                | "tag:yaml.org,2002:bool"
                | "tag:yaml.org,2002:null"
            ):
                value = _plain(text, self.name, line)
            case _:
                raise _unreadable(self.name, line, f"the tag {tag} is not one of YAML's own")
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None and not top.merge_next:
            if text == "<<" and plain:
                top.merge_next = True
                return
            if anchor:
                self._anchors[anchor] = (value, 1)
            self._key(top, text if isinstance(value, str) else compact(value), line)
            return
        self._add(value, anchor, line)

    def start(
        self, value: list[Value] | dict[str, Value], tag: str | None, anchor: str | None, line: int
    ) -> None:
        """A list or an object begins."""
        if tag not in {None, "!", _TAGS + "map", _TAGS + "seq"}:
            raise _unreadable(self.name, line, f"the tag {tag} is not one of YAML's own")
        if self._stack and isinstance(self._stack[-1].value, dict):
            top = self._stack[-1]
            if top.key is None and not top.merge_next:
                raise _unreadable(self.name, line, "a key that is a list or an object")
        if len(self._stack) >= DEEPEST:
            raise _unreadable(self.name, line, f"nested deeper than {DEEPEST} levels")
        if not self._stack:
            self.first_line = line
        self._stack.append(_Open(value, anchor or ""))

    def end(self, line: int) -> None:
        """The innermost list or object ends."""
        done = self._stack.pop()
        if isinstance(done.value, dict):
            for source in done.merged:
                for each in source if isinstance(source, list) else [source]:
                    if not isinstance(each, dict):
                        raise _unreadable(self.name, line, "`<<` takes an object or a list of objects")
                    for key, value in each.items():
                        done.value.setdefault(key, value)
        self._add(done.value, done.anchor, line, size=done.size)

    def alias(self, anchor: str, line: int) -> None:
        """A value that was named before."""
        if anchor not in self._anchors:
            raise _unreadable(self.name, line, f"the alias {anchor} names nothing that is complete")
        value, size = self._anchors[anchor]
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None and not top.merge_next:
            if not isinstance(value, str):
                raise _unreadable(self.name, line, "a key that is not a text")
            self._key(top, value, line)
            return
        self._add(value, None, line, size=size, counted=size)

    def _key(self, top: _Open, key: str, line: int) -> None:
        if isinstance(top.value, dict) and key in top.value:
            self.problems.append(
                f'`{self.name}:{line}`: the key "{_inert(key)}" is given twice; the last one counts'
            )
        top.key = _whole(key)

    def _add(self, value: Value, anchor: str | None, line: int, *, size: int = 1, counted: int = 1) -> None:
        """Put a value where it belongs. `counted`: of its size, what was not counted before."""
        self._count += counted
        if self._count > MOST_VALUES:
            raise _unreadable(self.name, line, f"more than {MOST_VALUES} values when aliases are written out")
        if anchor:
            self._anchors[anchor] = (value, size)
        if not self._stack:
            self.result, self.empty = value, value is None
            self.first_line = self.first_line or line
            return
        top = self._stack[-1]
        top.size += size
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.merge_next:
            top.merged.append(value)
            top.merge_next = False
        else:
            top.value[top.key or ""] = value
            top.key = None
