"""What documents are made of: values as JSON has them, in one notation, with limits."""

import json
from typing import TypeAlias

from planner.errors import NetchangeError

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

LARGEST = 4 * 1024 * 1024
"""Characters. A ConfigMap may hold 1 MiB, so whatever a cluster can carry fits."""
DEEPEST = 64
MOST_VALUES = 200_000
"""Counted after aliases are written out, so that a few lines of YAML cannot become a billion values."""


def compact(value: Value) -> str:
    """The value as JSON without blanks, keys in order: equal values give equal text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def as_object(value: Value) -> dict[str, Value]:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def unreadable(name: str, line: int, reason: str) -> NetchangeError:
    """The error for a document that is not one; line 0 when it is not known."""
    where = f"{name}:{line}" if line else name
    return NetchangeError(
        reference="document-unreadable",
        message=f"`{where}` cannot be read: {inert(reason)}",
        hint="mend the file; nothing in it was taken into account",
    )


def inert(text: str) -> str:
    """Foreign text for a sentence: one line, not long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:120]


def number_value(number: float, name: str, line: int = 0) -> int | float:
    """The number in one notation: 1450.0 is 1450."""
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 - not a number is unlike itself
        raise unreadable(name, line, "a number that JSON cannot hold")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def whole_text(text: str) -> str:
    """Half of a surrogate pair becomes the replacement character, as in Go."""
    if any("\ud800" <= c <= "\udfff" for c in text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
