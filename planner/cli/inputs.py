"""Files that the user names: snapshots, bundles and fragments, each read once and safely."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from planner.errors import NetchangeError

if TYPE_CHECKING:
    from planner.models.proposal import Fragment, FragmentKind
    from planner.models.snapshot import Snapshot

FRAGMENT_LIMIT = 256 << 20
"""Octets of one proposed file: a save of 300,000 rules has 50 MB."""
SNAPSHOT_LIMIT = 4 << 30
GZIP = b"\x1f\x8b"
HEAD = 1 << 16


def load_state(path: Path) -> "Snapshot":
    """A snapshot from its file, or from a bundle: a directory, an archive or a saved stream."""
    from planner.collect.store import read_file

    if os.path.isdir(path) or (os.path.isfile(path) and _is_bundle(path)):  # noqa: PTH112, PTH113 - they never raise
        return load_bundle(path)
    return _load_snapshot(path, read_file(path, limit=SNAPSHOT_LIMIT))


def load_bundle(path: Path, *, cluster: Path | None = None) -> "Snapshot":
    """A snapshot made from a bundle."""
    from planner.collect.snapshots import snapshot_bundle

    return _expect_nodes(snapshot_bundle(path, cluster=cluster), path)


def _load_snapshot(path: Path, data: bytes) -> "Snapshot":
    from planner.parse.snapshot import load_snapshot

    return _expect_nodes(load_snapshot(data, name=str(path)), path)


def _expect_nodes(snapshot: "Snapshot", path: Path) -> "Snapshot":
    """At least one node, each under a name of its own: nothing can be said about none, and one of two would be lost."""
    names = [node.name for node in snapshot.nodes]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice or not names:
        raise NetchangeError(
            reference="snapshot-nodes",
            message=f"`{path}` holds the node `{twice[0]}` twice" if twice else f"`{path}` holds no node",
            hint="take a new one with `netchange snapshot`",
        )
    return snapshot


def _is_bundle(path: Path) -> bool:
    """An archive, or a collector's stream, plain or with gzip."""
    from planner.collect.archive import is_tar, unpacked
    from planner.parse.stream import find_token

    if is_tar(path):
        return True
    try:
        with unpacked(path) as source:
            head = source.read(HEAD)
    except (OSError, EOFError, ValueError):
        return False
    return head.lstrip()[:1] != b"{" and bool(find_token(head.decode("utf-8", "replace")))


def proposal(
    paths: Iterable[Path], *, kind: "FragmentKind | None" = None, noflush: bool = False
) -> "Snapshot | tuple[Fragment, ...]":
    """What is proposed: the fragments in the order given, or another state when one snapshot or bundle is named alone.

    A directory stands for its files in order of their names. Every file is read once, so that it may be a pipe.
    """
    from planner.collect.store import read_file

    named = list(paths)
    alone = len(named) == 1 and kind is None
    if alone and os.path.isfile(named[0]) and _is_bundle(named[0]):  # noqa: PTH113 - it never raises
        return _state(named[0], load_bundle(named[0]), noflush=noflush)
    files = [(path, read_file(path, limit=_limit(path, alone=alone))) for path in _files(named)]
    for path, data in files:
        if not _is_snapshot(data):
            continue
        if alone and path == named[0]:
            return _state(path, _load_snapshot(path, data), noflush=noflush)
        contradiction = f"the kind {kind.value}" if kind is not None else "other files"
        _contradict(
            f"`{path}` is a snapshot or compressed, and cannot be proposed with {contradiction}",
            "name one snapshot alone, or unpacked configuration files",
        )
    return _recognised(files, kind=kind, noflush=noflush)


def fragments(
    paths: Iterable[Path], *, kind: "FragmentKind | None" = None, noflush: bool = False
) -> "tuple[Fragment, ...]":
    """The fragments of a proposal that is no snapshot."""
    from planner.collect.store import read_file

    files = [(path, read_file(path, limit=FRAGMENT_LIMIT)) for path in _files(paths)]
    return _recognised(files, kind=kind, noflush=noflush)


def _limit(path: Path, *, alone: bool) -> int:
    """A snapshot may be larger than any fragment, and only a file named alone may be one."""
    return SNAPSHOT_LIMIT if alone and not os.path.isdir(path) else FRAGMENT_LIMIT  # noqa: PTH112 - it never raises


def _is_snapshot(data: bytes) -> bool:
    """Whether a file is a snapshot rather than a fragment: compressed, or JSON with the fields of one."""
    if data.startswith(GZIP):
        return True
    return (
        data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and b'"schema_version"' in data and b'"nodes"' in data
    )


def _state(path: Path, snapshot: "Snapshot", *, noflush: bool) -> "Snapshot":
    if noflush:
        _contradict(
            f"`--noflush` goes with iptables-restore files, and `{path}` is a snapshot",
            "leave `--noflush` out",
        )
    return snapshot


def _contradict(message: str, hint: str) -> NoReturn:
    raise NetchangeError(reference="options-contradict", message=message, hint=hint)


def _recognised(
    files: "list[tuple[Path, bytes]]", *, kind: "FragmentKind | None", noflush: bool
) -> "tuple[Fragment, ...]":
    from planner.models.proposal import FragmentKind
    from planner.proposal.fragments import decode, recognise

    found = tuple(
        recognise(str(path), decode(data, name=str(path)), kind=kind, noflush=noflush) for path, data in files
    )
    restores = (FragmentKind.IPTABLES_RESTORE, FragmentKind.IP6TABLES_RESTORE)
    if noflush and not any(fragment.kind in restores for fragment in found):
        _contradict(
            "`--noflush` goes with iptables-restore files, and none is proposed", "leave `--noflush` out"
        )
    seen: dict[str, str] = {}
    for fragment in found:
        place = fragment.target or f"run {fragment.path}"
        if place in seen:
            first = seen[place]
            what = (
                f"`{first}` is named twice"
                if first == fragment.path
                else f"`{first}` and `{fragment.path}` both go to `{fragment.target}` on the node"
            )
            raise NetchangeError(reference="fragment-twice", message=what, hint="leave one of them out")
        seen[place] = fragment.path
    return found


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - it never raises
            yield path
            continue
        inside = sorted(_inside(path))
        if not inside:
            raise NetchangeError(
                reference="fragment-directory-empty",
                message=f"`{path}` holds no file",
                hint="give the directory with the proposed files; what is hidden is left out",
            )
        yield from inside


def _inside(root: Path) -> Iterator[Path]:
    """Files below a directory, hidden ones and what lies in hidden directories left out.

    Who proposes may be a stranger: a link could make the report quote any file of the machine that reviews.
    """
    for folder, folders, names in os.walk(root, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*folders, *names):
            path = Path(folder, name)
            if not name.startswith("."):
                _expect_plain(path)
                if name not in folders:
                    yield path


def _expect_plain(path: Path) -> None:
    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
    if path.is_symlink():
        raise NetchangeError(
            reference="fragment-is-link",
            message=f"`{shown}` is a symbolic link, and links of a proposal are not followed",
            hint="put a copy of the file there, or name the file itself",
        )
    if shown != str(path):
        raise NetchangeError(
            reference="fragment-name-not-text",
            message=f"the name of `{shown}` is not UTF-8",
            hint="rename the file",
        )


def _unreadable(trouble: OSError) -> NoReturn:
    raise NetchangeError(
        reference="input-unreadable",
        message=f"`{trouble.filename}` could not be listed: {trouble.strerror}",
        hint="change its mode, or run as a user who may read it",
    ) from trouble
