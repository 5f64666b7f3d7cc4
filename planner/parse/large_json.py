"""JSON of many megabytes, read without the pauses of cyclic garbage collection."""

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def no_collections() -> Iterator[None]:
    """Without cyclic garbage collection: it visits every object made so far again and again, and frees none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_large_json(text: str, *, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """As `json.loads`; a document nested too deeply is a ValueError as well."""
    with no_collections():
        try:
            return json.loads(text, object_pairs_hook=pairs)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
