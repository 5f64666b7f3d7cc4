"""Files that the user names: snapshots, bundles and fragments, each read once and safely."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from planner.errors import NetchangeError

if TYPE_CHECKING:
    from planner.models.proposal import Fragment, FragmentKind
    from planner.models.snapshot import Snapshot

FRAGMENT_LIMIT = 256 << 20
"""Octets of one proposed file: a save of 300,000 rules has 50 MB."""
SNAPSHOT_LIMIT = 4 << 30
JSON_START = (b"{", b"\x1f\x8b")


def load_state(path: Path) -> "Snapshot":
    """A snapshot from its file, or from a bundle (directory or archive)."""
    from planner.collect.store import read_file
    from planner.parse.snapshot import load_snapshot

    if path.is_dir() or path.name.endswith((".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")):
        return load_bundle(path)
    return load_snapshot(read_file(path, limit=SNAPSHOT_LIMIT), name=str(path))


def load_bundle(path: Path) -> "Snapshot":
    """A snapshot made from a bundle."""
    from planner.collect.snapshots import snapshot_bundle

    return snapshot_bundle(path)


def is_snapshot(data: bytes) -> bool:
    """Whether a file is a snapshot rather than a fragment: compressed, or JSON that says `schema_version` early."""
    if data.startswith(b"\x1f\x8b"):
        return True
    return data.lstrip()[:1] == b"{" and b'"schema_version"' in data and b'"nodes"' in data


def fragments(
    paths: Iterable[Path], *, kind: "FragmentKind | None" = None, noflush: bool = False
) -> "tuple[Fragment, ...]":
    """The fragments of a proposal in the order given; a directory stands for its files in order of their names."""
    from planner.collect.store import read_file
    from planner.proposal.fragments import decode, recognise

    found = []
    for path in _files(paths):
        text = decode(read_file(path, limit=FRAGMENT_LIMIT), name=str(path))
        found.append(recognise(str(path), text, kind=kind, noflush=noflush))
    targets: dict[str, str] = {}
    for fragment in found:
        if not fragment.target:
            continue
        if fragment.target in targets:
            raise NetchangeError(
                reference="fragment-twice",
                message=f"`{fragment.path}` and `{targets[fragment.target]}` both go to `{fragment.target}` on the node",
                hint="leave one of them out",
            )
        targets[fragment.target] = fragment.path
    return tuple(found)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(_inside(path))
        if not inside:
            raise NetchangeError(
                reference="fragment-directory-empty",
                message=f"`{path}` holds no file",
                hint="give the directory with the proposed files",
            )
        yield from inside


def _inside(path: Path) -> Iterator[Path]:
    """Files below a directory, hidden ones and what lies in hidden directories left out."""
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder) / name for name in names if not name.startswith("."))
