"""Structured files compared by what they say: other blanks, another order of keys, YAML for JSON are no change."""

import posixpath
from collections import Counter
from collections.abc import Callable, Iterator

from planner.diff.files import differing_files, file_change
from planner.errors import NetchangeError
from planner.models.change import DocumentChange, FileChange
from planner.models.node import NodeState
from planner.models.source import Gap, Source
from planner.parse.cni import is_cni_path
from planner.parse.documents import Value, compact, load_either, load_json
from planner.parse.kubelet import FLAG_FILES, is_kubelet_path, parse_flags, split_words
from planner.parse.resolv import parse_resolv
from planner.parse.subnet_env import PATH as SUBNET_ENV
from planner.parse.subnet_env import parse_env

RESOLV_PATHS = frozenset(
    {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/systemd/resolve/stub-resolv.conf"}
)
_SETS = frozenset({"allowedUnsafeSysctls", "enforceNodeAllocatable"})
"""Lists of the kubelet whose order means nothing."""
_IDENTITIES = ("type", "name", "key", "dst", "containerPort")
"""Fields that say which item of a list is which."""
_ITEM, _GONE, _LEAF = "\0item ", " gone", "\0leaf "


def diff_documents(before: NodeState, after: NodeState) -> Iterator[DocumentChange | FileChange]:
    """Changes by file and pointer. A file that says the same in other words, or cannot be read, is a change of text."""
    for path, old, new in differing_files(before, after):
        kind = document_kind(path)
        if kind:
            yield from _diff_file(after.name, path, kind, old, new)


def unreadable_documents(before: NodeState, after: NodeState) -> Iterator[Gap]:
    """A gap for each changed document that cannot be read, in either state."""
    for path, *texts in differing_files(before, after):
        for text, side in zip(texts, ("before", "after"), strict=True):
            if text is not None and document_kind(path):
                try:
                    read_document(path, text)
                except NetchangeError as error:
                    yield Gap(
                        section=f"files{path}", reason=f"{side}: {error.message}", source=Source(name=path)
                    )


def document_kind(path: str) -> str:
    """The format that the path tells; empty when the file is compared as text."""
    if is_cni_path(path):
        return "cni"
    if path in FLAG_FILES or is_kubelet_path(path):
        return "kubelet"
    if path in RESOLV_PATHS:
        return "resolv"
    if path == SUBNET_ENV:
        return "subnet-env"
    extension = posixpath.splitext(path)[1]
    return {".json": "json", ".conflist": "cni", ".yaml": "manifest", ".yml": "manifest"}.get(extension, "")


def read_document(path: str, text: str) -> Value:
    """What the file says. Raises `NetchangeError` when it cannot be read."""
    reader = _READERS.get(document_kind(path), _several)
    return _flags(text) if path in FLAG_FILES else reader(text, path)


def _diff_file(
    node: str, path: str, kind: str, old: str | None, new: str | None
) -> Iterator[DocumentChange | FileChange]:
    try:
        was = None if old is None else read_document(path, old)
        now = None if new is None else read_document(path, new)
    except NetchangeError:
        yield file_change(node, path, old, new)
        return
    if old is None or new is None:
        yield DocumentChange(
            node=node,
            path=path,
            format=kind,
            pointer="",
            before=None if old is None else compact(was),
            after=None if new is None else compact(now),
        )
        return
    differences = sorted(_differences(was, now), key=lambda each: (each[0], each[1] is None, each[2] or ""))
    if not differences:
        yield FileChange(node=node, path=path, before=old, after=new, equivalent=True)
    for pointer, value, latter in differences:
        yield DocumentChange(node=node, path=path, format=kind, pointer=pointer, before=value, after=latter)


def _differences(before: Value, after: Value) -> Iterator[tuple[str, str | None, str | None]]:
    """Pointer and both values as JSON, of the smallest parts that differ."""
    old, new = _aligned(before, after)
    if old == new:
        return
    from deepdiff import DeepDiff

    # Its threshold would report two objects with few keys in common as one change, and print them as Python does.
    found = DeepDiff(old, new, view="tree", ignore_private_variables=False, threshold_to_diff_deeper=0)
    for how in ("values_changed", "dictionary_item_added", "dictionary_item_removed"):
        for level in found.get(how, ()):
            pointer = "".join("/" + _segment(part) for part in level.path(output_format="list"))
            yield (
                pointer,
                None if how == "dictionary_item_added" else str(level.t1).removeprefix(_LEAF),
                None if how == "dictionary_item_removed" else str(level.t2).removeprefix(_LEAF),
            )


def _segment(part: object) -> str:
    """A key as a part of a JSON pointer (RFC 6901); an item of a list by its place."""
    text = str(part)
    if text.startswith(_ITEM):
        return text.removeprefix(_ITEM).removesuffix(_GONE)
    return text.replace("~", "~0").replace("/", "~1")


_Tree = str | dict[str, "_Tree"]


def _aligned(before: Value, after: Value) -> tuple[_Tree, _Tree]:
    """Both as trees of objects with one leaf for each value that is compared as a whole, items of lists side by side."""
    match before, after:
        case dict(), dict():
            return _aligned_objects(before, after)
        case list(), list():
            labels = _labels(before, after)
            if labels is not None:
                old, new = labels
                return _aligned_objects(
                    dict(zip(old, before, strict=True)), dict(zip(new, after, strict=True))
                )
        case str(), str() if before != after and before[:1] == after[:1] == "{":
            # A ConfigMap holds whole documents as text: flannel's net-conf.json, calico's cni_network_config.
            try:
                return _aligned(load_json(before, name="").value, load_json(after, name="").value)
            except NetchangeError:
                pass
        case _:
            pass
    return _LEAF + compact(before), _LEAF + compact(after)


def _aligned_objects(before: dict[str, Value], after: dict[str, Value]) -> tuple[_Tree, _Tree]:
    old: dict[str, _Tree] = {}
    new: dict[str, _Tree] = {}
    for key in sorted({*before, *after}):
        if key not in after:
            old[key] = _LEAF + compact(before[key])
        elif key not in before:
            new[key] = _LEAF + compact(after[key])
        elif key in _SETS and _texts(before[key]) and _texts(after[key]):
            old[key], new[key] = (_LEAF + compact(_as_set(value)) for value in (before[key], after[key]))
        else:
            old[key], new[key] = _aligned(before[key], after[key])
    return old, new


def _labels(before: list[Value], after: list[Value]) -> tuple[list[str], list[str]] | None:
    """A label for each item: its place in `after`, or in `before` when it is gone. None: the list is one value.

    The order of plugins, containers or rules may count, so a list whose common items changed places is one value.
    """
    former, latter = _identities(before), _identities(after)
    if former is None or latter is None:
        return None
    places = {identity: at for at, identity in enumerate(latter)}
    common = [places[identity] for identity in former if identity in places]
    if common != sorted(common) or not common:
        return None
    old = [
        f"{_ITEM}{places[identity]}" if identity in places else f"{_ITEM}{at}{_GONE}"
        for at, identity in enumerate(former)
    ]
    return old, [f"{_ITEM}{at}" for at in range(len(latter))]


def _identities(items: list[Value]) -> list[str] | None:
    """What tells the items apart; None unless every item is an object with one and the same telling field."""
    objects = [item for item in items if isinstance(item, dict)]
    if not objects or len(objects) != len(items):
        return None
    chosen: list[str] | None = None
    for field in _IDENTITIES:
        if all(isinstance(item.get(field), (str, int)) for item in objects):
            chosen = [compact(item[field]) for item in objects]
            break
    else:
        if all(isinstance(item.get("metadata"), dict) for item in objects):
            chosen = [compact([item.get("kind"), _named(item["metadata"])]) for item in objects]
    if chosen is None:
        return None
    seen: Counter[str] = Counter()
    numbered = []
    for identity in chosen:
        seen[identity] += 1
        numbered.append(f"{identity} {seen[identity]}")
    return numbered


def _named(metadata: Value) -> list[Value]:
    return [metadata.get("namespace"), metadata.get("name")] if isinstance(metadata, dict) else []


def _texts(value: Value) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _as_set(value: Value) -> list[Value]:
    return [*sorted({str(each) for each in value})] if isinstance(value, list) else []


def _one(text: str, path: str) -> Value:
    return load_json(text, name=path).value


def _several(text: str, path: str) -> Value:
    """One document is itself, several are a list."""
    values = [document.value for document in load_either(text, name=path)]
    return values[0] if len(values) == 1 else values


def _resolver(text: str, path: str) -> Value:
    resolver = parse_resolv(text, name=path)
    return {
        "nameservers": list(resolver.nameservers),
        "search": list(resolver.search),
        "options": {
            word: number for word, _, number in (option.partition(":") for option in resolver.options)
        },
        "sortlist": list(resolver.sortlist),
    }


def _environment(text: str, _path: str) -> Value:
    return dict(parse_env(text))


def _flags(text: str) -> Value:
    """Flags by variable."""
    return {name: dict(parse_flags(split_words(value))) for name, value in parse_env(text).items()}


_READERS: dict[str, Callable[[str, str], Value]] = {
    "cni": _one,
    "json": _one,
    "kubelet": _several,
    "manifest": _several,
    "resolv": _resolver,
    "subnet-env": _environment,
}
