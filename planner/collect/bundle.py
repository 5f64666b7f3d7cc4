"""Bundles: the raw outputs of nodes, from which a snapshot is made again without the nodes.

A bundle is one of

- a saved stream of the collector, `stream.txt` or any name, plain or with gzip;
- a directory or tar archive (plain, gzip, xz, bzip2) with `stream.txt` or `stream.txt.gz` in it;
- the same with one file for each section, for who cannot run the collector: `sections/NAME` holds what the command
  printed (`sections/ip/addr`, `sections/file/etc/resolv.conf`), and beside it may lie `NAME.rc` (exit status),
  `NAME.stderr`, `NAME.argv` and, without `NAME`, `NAME.skipped` (the reason). An output that is empty and has no `.rc`
  counts as cut: a command that failed leaves the same;
- an sosreport, unpacked or not, recognised by its `sos_commands`;
- a directory or archive with one of these for each node, named after the node.

Nothing is written to disk.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

from planner.collect.archive import compression, is_tar, read_archive
from planner.collect.sosreport import MARKER, decoded, file_sections, sos_path_wanted, sos_sections
from planner.collect.store import read_file
from planner.collect.tree import FILE_LIMIT, TOTAL_LIMIT, Tree, read_directory
from planner.errors import NetchangeError
from planner.models.section import Section
from planner.parse.stream import find_token, parse_stream

Kind = Literal["stream", "sections", "sosreport"]
STREAMS = ("stream.txt", "stream.txt.gz")
SIDECARS = (".rc", ".stderr", ".argv")
SUFFIXES = (".tar", ".tgz", ".txz", ".tbz2", ".tar.gz", ".tar.xz", ".tar.bz2", ".txt", ".txt.gz", ".stream")
DEPTH = 2
"""Directories above a node's own: the archive's and the node's."""
LAYOUT = "a bundle is a saved collector stream, a directory or archive with `stream.txt` or `sections/`, or an sosreport"


@dataclass(frozen=True, slots=True)
class NodeBundle:
    """The sections of one node."""

    name: str
    """Of its directory or file; empty when the bundle holds one node only."""
    kind: Kind
    sections: tuple[Section, ...]


def read_bundle(path: Path) -> tuple[Section, ...]:
    """The sections of a bundle of one node."""
    bundles = read_bundles(path)
    if len(bundles) > 1:
        names = ", ".join(bundle.name for bundle in bundles[:5])
        raise NetchangeError(
            reference="bundle-of-many",
            message=f"`{path}` holds {len(bundles)} nodes ({names}) where one is wanted",
            hint="name the directory or file of one node",
        )
    return bundles[0].sections


def read_bundles(path: Path) -> tuple[NodeBundle, ...]:
    """Every node of a bundle, in the order of their names."""
    if path.is_dir():
        return _directory(path)
    if is_tar(path) if path.is_file() else False:
        return _nodes(path, read_archive(path, _wanted))
    return (_stream_file(path),)


def _directory(path: Path) -> tuple[NodeBundle, ...]:
    """A node's own directory, or one directory or file for each node."""
    try:
        children = sorted(path.iterdir())
    except OSError as error:
        raise NetchangeError(
            reference="bundle-unreadable",
            message=f"`{path}` could not be read: {error.strerror or error}",
            hint="change its mode, or run as a user who may read it",
        ) from error
    if not children:
        raise NetchangeError(reference="bundle-empty", message=f"`{path}` is an empty directory", hint=LAYOUT)
    if _is_root(path):
        return (_bundle("", read_directory(path, _wanted_in_root), path),)
    roots = [child for child in children if child.is_dir() and not child.is_symlink() and _is_root(child)]
    files = [
        child
        for child in children
        if child.is_file() and child.name.endswith(SUFFIXES) and _looks_like(child)
    ]
    found = [_bundle(child.name, read_directory(child, _wanted_in_root), child) for child in roots]
    for file in files:
        inner = _nodes(file, read_archive(file, _wanted)) if is_tar(file) else (_stream_file(file),)
        found.extend(
            NodeBundle(name=one.name or _stem(file.name), kind=one.kind, sections=one.sections)
            for one in inner
        )
    if not found:
        raise _no_bundle(path)
    return _named(tuple(sorted(found, key=lambda one: one.name)), path)


def _is_root(path: Path) -> bool:
    return (
        (path / MARKER).is_dir() or (path / "sections").is_dir() or any((path / s).is_file() for s in STREAMS)
    )


def _looks_like(path: Path) -> bool:
    """A tar archive or a stream; other files beside them (checksums, notes) are passed over."""
    if is_tar(path):
        return True
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return compression(head) == "gzip" or bool(find_token(decoded(head)))


def _stem(name: str) -> str:
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def _named(bundles: tuple[NodeBundle, ...], path: Path) -> tuple[NodeBundle, ...]:
    if len(bundles) == 1:
        return (NodeBundle(name="", kind=bundles[0].kind, sections=bundles[0].sections),)
    names = [bundle.name for bundle in bundles]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise NetchangeError(
            reference="bundle-node-twice",
            message=f"`{path}` holds the node `{twice[0]}` more than once",
            hint="keep one bundle for each node",
        )
    return bundles


def _nodes(path: Path, tree: Tree) -> tuple[NodeBundle, ...]:
    """The nodes of an archive: where a marker lies is a node's root."""
    roots: set[str] = set()
    for inside in tree.entries:
        parts = inside.split("/")
        for depth in range(min(DEPTH, len(parts) - 1) + 1):
            if parts[depth] in {MARKER, "sections", *STREAMS}:
                roots.add("/".join(parts[:depth]))
                break
    if not roots:
        raise _no_bundle(path)
    found = [_bundle(root.rpartition("/")[2], tree.under(root), path) for root in sorted(roots)]
    return _named(tuple(found), path)


def _wanted_in_root(path: str) -> bool:
    return path in STREAMS or path.startswith("sections/") or sos_path_wanted(path)


def _wanted(path: str) -> bool:
    parts = path.split("/")
    return any(_wanted_in_root("/".join(parts[depth:])) for depth in range(min(DEPTH, len(parts) - 1) + 1))


def _bundle(name: str, tree: Tree, path: Path) -> NodeBundle:
    kind = _kind(tree, path)
    match kind:
        case "stream":
            inside = next(one for one in STREAMS if one in tree.entries)
            entry = tree.entries[inside]
            if entry.trouble or entry.target:
                why = entry.trouble or "a symbolic link, which is not followed"
                raise NetchangeError(
                    reference="bundle-unreadable", message=f"`{path}`: {inside}: {why}", hint=LAYOUT
                )
            sections = _stream(entry.data, Path(path, inside))
        case "sections":
            sections = _sections(tree)
        case "sosreport":
            sections = sos_sections(tree)
        case _:
            assert_never(kind)
    return NodeBundle(name=name, kind=kind, sections=sections)


def _kind(tree: Tree, path: Path) -> Kind:
    if any(inside in tree.entries for inside in STREAMS):
        return "stream"
    if any(inside.startswith("sections/") for inside in tree.entries):
        return "sections"
    if any(inside.startswith(f"{MARKER}/") for inside in tree.entries):
        return "sosreport"
    raise _no_bundle(path)


def _no_bundle(path: Path) -> NetchangeError:
    return NetchangeError(
        reference="bundle-not-recognised", message=f"`{path}` holds no outputs of a node", hint=LAYOUT
    )


def _stream_file(path: Path) -> NodeBundle:
    data = read_file(path, limit=TOTAL_LIMIT)
    if data.startswith(b"PK\x03\x04"):
        raise NetchangeError(
            reference="bundle-wrong-kind",
            message=f"`{path}` is a zip archive, which is not read",
            hint="unpack it and name the directory",
        )
    return NodeBundle(name="", kind="stream", sections=_stream(data, path))


def _stream(data: bytes, path: Path) -> tuple[Section, ...]:
    """A stream, gzip undone as far as it goes: one that was cut still holds whole sections."""
    if compression(data) == "gzip":
        unpacker = zlib.decompressobj(wbits=31)
        parts: list[bytes] = []
        size = 0
        try:
            while data and not unpacker.eof:
                parts.append(unpacker.decompress(data, FILE_LIMIT))
                size += len(parts[-1])
                data = unpacker.unconsumed_tail
                if size > TOTAL_LIMIT:
                    raise NetchangeError(
                        reference="bundle-too-large",
                        message=f"`{path}` unpacks to more than {TOTAL_LIMIT >> 20} MiB",
                        hint="check that it is a collector's stream",
                    )
        except zlib.error:
            parts.append(b"")
        data = b"".join(parts)
    elif compression(data):
        raise NetchangeError(
            reference="bundle-damaged",
            message=f"`{path}` is compressed with {compression(data)} and holds no whole tar archive",
            hint="copy it again, or make it again on the node",
        )
    text = decoded_keeping_frames(data)
    if not find_token(text):
        kind = "binary data" if b"\0" in data[:4096] else "empty" if not text.strip() else "some other text"
        if text.startswith("{") and '"schema_version"' in text:
            kind = "a snapshot or an assessment, which netchange made"
        raise NetchangeError(
            reference="bundle-not-recognised",
            message=f"`{path}` is {kind}, not outputs of a node",
            hint=LAYOUT,
        )
    sections, _ = parse_stream(text)
    return sections


def decoded_keeping_frames(data: bytes) -> str:
    """As text, with carriage returns kept: the stream's parser reports them."""
    return data.decode("utf-8", "backslashreplace").removeprefix("\ufeff")


def _sections(tree: Tree) -> tuple[Section, ...]:
    inside = tree.under("sections")
    sections: list[Section] = []
    for name in sorted(inside.entries):
        base, dot, suffix = name.rpartition(".")
        if f"{dot}{suffix}" in SIDECARS and base in inside.entries:
            continue
        if suffix == "skipped" and base not in inside.entries:
            reason = decoded(inside.entries[name].data).strip().replace("\n", " ")
            sections.append(Section(name=base, skipped=reason or "no reason given"))
        elif name.startswith("file/") and inside.link(name):
            sections.extend(file_sections(inside.under("file"), name.removeprefix("file/")))
        else:
            sections.append(_section(inside, name))
    return tuple(sections)


def _section(inside: Tree, name: str) -> Section:
    entry = inside.read(name)
    if entry is None or entry.trouble:
        why = entry.trouble if entry else "a symbolic link that leads out of the bundle"
        return Section(name=name, skipped=f"{name}: {why}")
    text = decoded(entry.data)
    status: int | None = 0
    recorded = _beside(inside, f"{name}.rc")
    if recorded is not None:
        status = int(recorded) if recorded.lstrip("-").isdecimal() else None
    elif not text and not name.startswith("file/"):
        status = None
    lines = (_beside(inside, f"{name}.stderr") or "").splitlines()
    shown = lines[:1] if len(lines) < 2 else [lines[0], lines[-1]]
    stderr = " … ".join(shown)
    if status is None and not stderr:
        stderr = "no exit status was recorded"
    default = f"/{name.removeprefix('file/')}" if name.startswith("file/") else name
    return Section(
        name=name, argv=_beside(inside, f"{name}.argv") or default, text=text, status=status, stderr=stderr
    )


def _beside(inside: Tree, path: str) -> str | None:
    entry = inside.entries.get(path)
    return decoded(entry.data).strip() if entry is not None and not entry.trouble else None
