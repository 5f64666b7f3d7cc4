"""The API objects in a file of kubectl, one at a time: a list of 150,000 pods never stands in memory as dictionaries."""

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Item = dict[str, Any]

FILE_KINDS = {
    "nodes": "Node",
    "pods": "Pod",
    "services": "Service",
    "endpoints": "Endpoints",
    "endpointslices": "EndpointSlice",
    "namespaces": "Namespace",
    "configmaps": "ConfigMap",
    "replicasets": "ReplicaSet",
    "jobs": "Job",
}
"""What a file is called, to the kind of its objects: only for lists whose `kind` comes too late or not at all."""

WHITE = " \t\r\n"
_DECODER = json.JSONDecoder()


class MalformedError(ValueError):
    """The text ends or breaks in a way that neither JSON nor YAML allows."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Objects that the server kept back: the file holds one page of a longer list."""

    kind: str
    remaining: int | None


@dataclass(frozen=True, slots=True)
class Stranger:
    """Something where an object was expected."""

    what: str


Piece = tuple[str, Item] | Rest | Stranger


def objects(name: str, text: str) -> Iterator[Piece]:
    """Every object of a file with its kind, as JSON or YAML, single, several, or in lists (also lists of lists)."""
    hint = kind_by_name(name)
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    if text[start : start + 1] == "{":
        yield from _json(text, start, hint)
    else:
        yield from _yaml(text, hint)


def kind_by_name(file: str) -> str:
    """`cluster/pods.json` to `Pod`; empty when the name says nothing."""
    stem = file.rsplit("/", 1)[-1].split(".", 1)[0].lower()
    return FILE_KINDS.get(stem.replace("-", "").replace("_", ""), "")


def _json(text: str, start: int, hint: str) -> Iterator[Piece]:
    """JSON documents one after the other, with nothing between them, as repeated `kubectl get -o json` leaves them."""
    position = start
    while position < len(text):
        if text[position] != "{":
            raise MalformedError(f"{_place(text, position)}: an object was expected")
        position = yield from _json_document(text, position, hint)
        position = _skip(text, position)


def _json_document(text: str, start: int, hint: str) -> Generator[Piece, None, int]:
    """One top-level object. The elements of its `items` are decoded one by one; all else is small and decoded whole."""
    head: Item = {}
    position = _skip(text, start + 1)
    items = False
    while text[position : position + 1] == '"':
        key, position = _value(text, position)
        position = _skip(text, position)
        if text[position : position + 1] != ":":
            raise MalformedError(f"{_place(text, position)}: a colon was expected")
        position = _skip(text, position + 1)
        if key == "items" and text[position : position + 1] == "[":
            items = True
            kind = _element_kind(head) or hint
            position = yield from _json_items(text, position, kind)
        else:
            head[key], position = _value(text, position)
        position = _skip(text, position)
        if text[position : position + 1] != ",":
            break
        position = _skip(text, position + 1)
    if text[position : position + 1] != "}":
        raise MalformedError(f"{_place(text, position)}: the text ends or breaks inside an object")
    if items:
        yield from _rest(head, hint)
    else:
        yield from _one(head, hint)
    return position + 1


def _json_items(text: str, start: int, kind: str) -> Generator[Piece, None, int]:
    position = _skip(text, start + 1)
    while text[position : position + 1] != "]":
        element, position = _value(text, position)
        yield from _one(element, kind)
        position = _skip(text, position)
        if text[position : position + 1] == ",":
            position = _skip(text, position + 1)
        elif text[position : position + 1] != "]":
            raise MalformedError(f"{_place(text, position)}: the text ends or breaks inside a list")
    return position + 1


def _yaml(text: str, hint: str) -> Iterator[Piece]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for document in yaml.load_all(text, Loader=loader):
            if document is not None:
                yield from _one(document, hint)
    except yaml.YAMLError as error:
        raise MalformedError(" ".join(str(error).split())) from error
    except (RecursionError, ValueError) as error:
        raise MalformedError(f"cannot be read as YAML: {error}") from error


def _one(element: object, kind: str) -> Iterator[Piece]:
    """An object by its own kind, else by that of its list; a list yields its elements."""
    if not isinstance(element, dict):
        yield Stranger(type(element).__name__)
        return
    own = element.get("kind")
    own = own if isinstance(own, str) else ""
    items = element.get("items")
    if isinstance(items, list) and (own.endswith("List") or not own):
        inner = _element_kind(element) or kind
        for item in items:
            yield from _one(item, inner)
        yield from _rest(element, kind)
        return
    if not own and not kind:
        yield Stranger("an object without kind")
        return
    yield own or kind, element


def _element_kind(head: Item) -> str:
    """`PodList` to `Pod`; `List` says nothing, its elements carry their kinds."""
    kind = head.get("kind")
    return kind.removesuffix("List") if isinstance(kind, str) and kind.endswith("List") else ""


def _rest(head: Item, hint: str) -> Iterator[Piece]:
    """A list with a `continue` token is one page (kubernetes.io, API concepts, retrieving large result sets in chunks)."""
    metadata = head.get("metadata")
    if isinstance(metadata, dict) and metadata.get("continue"):
        remaining = metadata.get("remainingItemCount")
        yield Rest(_element_kind(head) or hint, remaining if isinstance(remaining, int) else None)


def _value(text: str, position: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        raise MalformedError(f"{_place(text, error.pos)}: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise MalformedError(f"{_place(text, position)}: cannot be read: {error}") from error


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in WHITE:
        position += 1
    return position


def _place(text: str, position: int) -> str:
    return f"line {text.count(chr(10), 0, position) + 1}"
