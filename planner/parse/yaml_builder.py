"""One YAML document built from the parser's events: without recursion, with Kubernetes' meaning of plain words."""

import re
from dataclasses import dataclass, field

from planner.parse.document_values import (
    DEEPEST,
    MOST_VALUES,
    Value,
    compact,
    inert,
    number_value,
    unreadable,
    whole_text,
)

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
        return number_value(float(text), name, line)
    if text.lstrip("+-") in {".inf", ".Inf", ".INF"} or text in {".nan", ".NaN", ".NAN"}:
        raise unreadable(name, line, "a number that JSON cannot hold")
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


class YamlBuilder:
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
                value = _plain(text, self.name, line) if plain and tag is None else whole_text(text)
            case "tag:yaml.org,2002:str" | "tag:yaml.org,2002:binary" | "tag:yaml.org,2002:timestamp":
                value = whole_text(text)
            case (
                "tag:yaml.org,2002:int"
                | "tag:yaml.org,2002:float"
                | "tag:yaml.org,2002:bool"
                | "tag:yaml.org,2002:null"
            ):
                value = _plain(text, self.name, line)
            case _:
                raise unreadable(self.name, line, f"the tag {tag} is not one of YAML's own")
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
            raise unreadable(self.name, line, f"the tag {tag} is not one of YAML's own")
        if self._stack and isinstance(self._stack[-1].value, dict):
            top = self._stack[-1]
            if top.key is None and not top.merge_next:
                raise unreadable(self.name, line, "a key that is a list or an object")
        if len(self._stack) >= DEEPEST:
            raise unreadable(self.name, line, f"nested deeper than {DEEPEST} levels")
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
                        raise unreadable(self.name, line, "`<<` takes an object or a list of objects")
                    for key, value in each.items():
                        done.value.setdefault(key, value)
        self._add(done.value, done.anchor, line, size=done.size)

    def alias(self, anchor: str, line: int) -> None:
        """A value that was named before."""
        if anchor not in self._anchors:
            raise unreadable(self.name, line, f"the alias {anchor} names nothing that is complete")
        value, size = self._anchors[anchor]
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None and not top.merge_next:
            if not isinstance(value, str):
                raise unreadable(self.name, line, "a key that is not a text")
            self._key(top, value, line)
            return
        self._add(value, None, line, size=size, counted=size)

    def _key(self, top: _Open, key: str, line: int) -> None:
        if isinstance(top.value, dict) and key in top.value:
            self.problems.append(
                f'`{self.name}:{line}`: the key "{inert(key)}" is given twice; the last one counts'
            )
        top.key = whole_text(key)

    def _add(self, value: Value, anchor: str | None, line: int, *, size: int = 1, counted: int = 1) -> None:
        """Put a value where it belongs. `counted`: of its size, what was not counted before."""
        self._count += counted
        if self._count > MOST_VALUES:
            raise unreadable(self.name, line, f"more than {MOST_VALUES} values when aliases are written out")
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


def line_of(event: object) -> int:
    """Where an event of the parser begins, 1-based."""
    mark = getattr(event, "start_mark", None)
    return int(mark.line) + 1 if mark is not None else 0
