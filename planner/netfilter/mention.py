"""Whether any rule of many holds a word: asked of thousands of rules as one text, which a library reads faster than we do one by one."""

from collections.abc import Mapping
from itertools import chain, islice

TOGETHER = 8192
"""Rules of one text: of a large node all would be tens of megabytes."""


def mentions(chains: Mapping[str, tuple[str, ...]], *words: str) -> bool:
    """Whether one of the words, none of which holds a line break, stands in some rule."""
    rules = chain.from_iterable(chains.values())
    while some := [*islice(rules, TOGETHER)]:
        text = "\n".join(some)
        if any(word in text for word in words):
            return True
    return False
