"""What was worked out of a frozen object, worked out once: the states of a proposal share most of their tables."""

from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")
MOST = 32
"""Objects that answers are kept of; the oldest goes first."""


class Known(Generic[Key, Value]):
    """Answers by the identity of what they are about: to compare large objects would cost as much as to read them."""

    def __init__(self, make: Callable[[Key], Value]) -> None:
        self._make = make
        self._held: dict[int, tuple[Key, Value]] = {}

    def of(self, key: Key) -> Value:
        """The answer, which nobody may change."""
        held = self._held.get(id(key))
        if held is None:
            while len(self._held) >= MOST:
                del self._held[next(iter(self._held))]
            # The object is held too, so that no other one can get its identity.
            held = self._held[id(key)] = key, self._make(key)
        return held[1]
