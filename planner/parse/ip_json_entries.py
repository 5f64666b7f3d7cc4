"""A JSON list of iproute2, entry by entry: what cannot be read of it is a gap."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from planner.models.source import Gap
from planner.parse.ip_names import NotUnderstoodError

Item = TypeVar("Item")
Entry = dict[str, Any]


def first_wins(pairs: list[tuple[str, Any]]) -> Entry:
    """An object in which a later key does not replace an earlier one, but is kept under `KEY#2`.

    iproute2 up to 6.1 writes the `dst` and `src` of an encapsulation into the route's own object, after the route's `dst`:
    `json.loads` would lose the route's prefix (measured with 5.10 and 6.1; 6.15 nests them).
    """
    entry: Entry = {}
    for key, value in pairs:
        entry[key if key not in entry else f"{key}#2"] = value
    return entry


def read_entries(text: str, section: str) -> tuple[list[Entry], tuple[Gap, ...]]:
    """The objects of a JSON list; an empty text is an empty list, as iproute2 prints for an empty table."""
    if not text.strip():
        return [], ()
    try:
        found = json.loads(text, object_pairs_hook=first_wins)
    except (ValueError, RecursionError) as error:
        return [], (Gap(section=section, reason=f"not JSON: {error}"),)
    if not isinstance(found, list):
        return [], (Gap(section=section, reason="not a JSON list"),)
    entries = [entry for entry in found if isinstance(entry, dict) and entry]
    broken = sum(1 for entry in found if not isinstance(entry, dict))
    return entries, (Gap(section=section, reason=f"{broken} entries are no JSON objects"),) if broken else ()


def each(
    text: str, section: str, build: Callable[[Entry], Item | None]
) -> tuple[tuple[Item, ...], tuple[Gap, ...]]:
    """Build a noun of every object; what cannot be built is a gap."""
    entries, gaps = read_entries(text, section)
    items: list[Item] = []
    refused: list[Gap] = list(gaps)
    for entry in entries:
        try:
            item = build(entry)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
            shown = json.dumps(entry, sort_keys=True)[:160]
            what = error if isinstance(error, NotUnderstoodError) else type(error).__name__
            refused.append(Gap(section=section, reason=f"an entry could not be read ({what}): {shown}"))
        else:
            if item is not None:
                items.append(item)
    return tuple(items), tuple(refused)
