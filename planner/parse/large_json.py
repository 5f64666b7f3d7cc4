"""JSON of many megabytes, read without the pauses of cyclic garbage collection."""

import gc
import json
import re
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


def expect_whole_text(text: str, document: Any) -> None:
    """Raises ValueError when a string of the document holds half of a surrogate pair: JSON can say it, UTF-8 cannot (RFC 8259, 8.2)."""
    if not re.search(r"\\u[dD][89a-fA-F]", text):
        return
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text in it holds half of a surrogate pair, which is no character") from error
