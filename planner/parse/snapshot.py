"""A snapshot read back: gzip or plain JSON, refused with the place where it is not one."""

import json
import zlib
from typing import Any, NoReturn

from pydantic import ValidationError

from planner.errors import NetchangeError
from planner.models.snapshot import SCHEMA_VERSION, Snapshot
from planner.parse.large_json import expect_whole_text, no_collections

LIMIT = 2 * 1024 * 1024 * 1024
"""A compressed snapshot may not unpack to more than this."""
GZIP = b"\x1f\x8b"
ARCHIVES = ((b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2"), (b"PK\x03\x04", "zip"), (b"\x28\xb5\x2f\xfd", "zstd"))
COLLECT_AGAIN = "take a new one with `netchange snapshot`"


class _TwiceError(ValueError):
    """A key that an object names twice."""


def load_snapshot(data: bytes, *, name: str) -> Snapshot:
    """The snapshot in these bytes; `name` is how the user called them."""
    text = _decoded(_unpacked(data, name), name)
    with no_collections():
        document = _document(text, name)
        _expect_snapshot(document, name)
        try:
            return Snapshot.model_validate(document)
        except ValidationError as error:
            _refuse(error, name)


def _unpacked(data: bytes, name: str) -> bytes:
    if not data.startswith(GZIP):
        return data
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, LIMIT)
    except zlib.error as error:
        raise NetchangeError(
            reference="snapshot-damaged",
            message=f"`{name}` is damaged: its compression cannot be undone",
            hint=f"copy it again, or {COLLECT_AGAIN}",
        ) from error
    if unpacker.unconsumed_tail:
        raise NetchangeError(
            reference="snapshot-too-large",
            message=f"`{name}` unpacks to more than {LIMIT // 1024**3} GiB",
            hint="check that it is a snapshot",
        )
    if not unpacker.eof:
        raise NetchangeError(
            reference="snapshot-damaged",
            message=f"`{name}` is cut off: its compressed data has no end",
            hint=f"copy it again, or {COLLECT_AGAIN}",
        )
    return unpacked


def _decoded(data: bytes, name: str) -> str:
    for magic, kind in ARCHIVES:
        if data.startswith(magic):
            raise NetchangeError(
                reference="snapshot-wrong-kind",
                message=f"`{name}` is compressed with {kind}; a snapshot is JSON, plain or with gzip",
                hint="unpack it first; of an archive of command outputs a snapshot is made first",
            )
    if not data.strip():
        raise NetchangeError(
            reference="snapshot-empty",
            message=f"`{name}` is empty",
            hint=f"copy it again, or {COLLECT_AGAIN}",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NetchangeError(
            reference="snapshot-wrong-kind",
            message=f"`{name}` is no snapshot: byte {error.start} is not UTF-8",
            hint="a snapshot is JSON, plain or with gzip",
        ) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _TwiceError(key)
            seen.add(key)
    return found


def _document(text: str, name: str) -> Any:
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        expect_whole_text(text, document)
    except json.JSONDecodeError as error:
        if not text[: error.pos].strip():
            raise NetchangeError(
                reference="snapshot-wrong-kind",
                message=f"`{name}` is no snapshot: it is some other text, not JSON",
                hint="a snapshot is JSON, plain or with gzip; of outputs of a node `netchange snapshot bundle` makes one",
            ) from error
        where = f"`{name}`, line {error.lineno}, column {error.colno}"
        cut = error.pos >= len(text.rstrip()) - 1
        raise NetchangeError(
            reference="snapshot-not-json",
            message=f"{where}: not JSON: {error.msg}" + (" (the file ends too early)" if cut else ""),
            hint=f"copy it again, or {COLLECT_AGAIN}",
        ) from error
    except _TwiceError as error:
        raise NetchangeError(
            reference="snapshot-key-twice",
            message=f"`{name}`: an object names the key `{error}` twice{_line_of(text, str(error))}",
            hint="a snapshot is not meant to be merged by hand; " + COLLECT_AGAIN,
        ) from error
    except (RecursionError, ValueError) as error:
        raise NetchangeError(
            reference="snapshot-not-json",
            message=f"`{name}` is no snapshot: {error}",
            hint=COLLECT_AGAIN,
        ) from error
    return document


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"`{word}` is no JSON number")


def _line_of(text: str, key: str) -> str:
    """The line with the second of two occurrences that stand closest: the parser does not say where."""
    needle = f"{json.dumps(key, ensure_ascii=False)}"
    lines = [number for number, line in enumerate(text.split("\n"), 1) if needle in line]
    return f" (the key stands in line {', '.join(map(str, lines[:5]))})" if 0 < len(lines) <= 5 else ""


def _expect_snapshot(document: Any, name: str) -> None:
    wrong = ""
    if not isinstance(document, dict):
        wrong = "its JSON is not an object"
    elif "findings" in document or "level" in document:
        wrong = "it is an assessment, as `netchange plan` writes it"
    elif "apiVersion" in document or "kind" in document:
        wrong = "it is a Kubernetes object"
    elif "nodes" not in document:
        wrong = "it has no `nodes`"
    if wrong:
        raise NetchangeError(
            reference="snapshot-wrong-kind", message=f"`{name}` is no snapshot: {wrong}", hint=COLLECT_AGAIN
        )
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        shown = json.dumps(version)[:40] if version is not None else "none"
        raise NetchangeError(
            reference="snapshot-version",
            message=f"`{name}` has schema version {shown}; this netchange reads version {SCHEMA_VERSION}",
            hint=f"use the netchange that wrote it, or {COLLECT_AGAIN}",
        )


def _refuse(error: ValidationError, name: str) -> NoReturn:
    first, *others = error.errors(include_url=False, include_context=False)
    place = "/".join(str(part) for part in first["loc"]) or "the document"
    more = f" (and {len(others)} more such places)" if others else ""
    unknown = first["type"] == "extra_forbidden"
    said = "this field is not known" if unknown else first["msg"]
    hint = "was it written by a newer netchange? " + COLLECT_AGAIN if unknown else COLLECT_AGAIN
    raise NetchangeError(
        reference="snapshot-invalid", message=f"`{name}`: {place}: {said}{more}", hint=hint
    ) from error
