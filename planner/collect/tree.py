"""The wanted files of a directory or tar archive, in memory: nothing is unpacked to disk, no link leads out.

Limits: no wanted file above 64 MiB (it becomes unreadable, with the reason), all of them below 512 MiB, an archive below
8 GiB unpacked, 2 million members or directory entries. Beyond these it is refused: nothing of this size describes a node.
"""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn, cast

from planner.errors import NetchangeError

FILE_LIMIT = 64 * 1024 * 1024
TOTAL_LIMIT = 512 * 1024 * 1024
ARCHIVE_LIMIT = 8 * 1024 * 1024 * 1024
MEMBER_LIMIT = 2_000_000
LINKS_FOLLOWED = 40
"""As many as Linux follows (path_resolution(7))."""
AGAIN = "copy it again, or make it again on the node"

Predicate = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a symbolic link, or something that could not be read."""

    data: bytes = b""
    target: str = ""
    """Of a symbolic link."""
    trouble: str = ""
    """Why the content is not known."""
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """Wanted files by path, relative to the root, with `/`."""

    entries: dict[str, Entry]

    def read(self, path: str) -> Entry | None:
        """The entry that a path leads to, links followed inside the tree only, as after chroot(2)."""
        parts = [part for part in path.split("/") if part not in {"", "."}]
        reached: list[str] = []
        followed = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                reached = reached[:-1]
                continue
            entry = self.entries.get("/".join([*reached, part]))
            if entry is None or not entry.target:
                reached.append(part)
                continue
            followed += 1
            if followed > LINKS_FOLLOWED:
                return Entry(trouble="a loop of symbolic links")
            if entry.target.startswith("/"):
                reached = []
            parts = [step for step in entry.target.split("/") if step not in {"", "."}] + parts
        return self.entries.get("/".join(reached))

    def link(self, path: str) -> str:
        """Target when the path itself is a symbolic link, else empty."""
        entry = self.entries.get(path)
        return entry.target if entry else ""

    def under(self, root: str) -> "Tree":
        """The part below a directory."""
        if not root:
            return self
        prefix = f"{root}/"
        return Tree(
            {path[len(prefix) :]: entry for path, entry in self.entries.items() if path.startswith(prefix)}
        )


def read_directory(root: Path, wanted: Predicate) -> Tree:
    """Wanted files below a directory. Links are recorded, not followed; devices and pipes are never opened."""
    entries: dict[str, Entry] = {}
    total = seen = 0
    for directory, names, files in os.walk(root, onerror=None, followlinks=False):
        names.sort()
        for name in sorted((*files, *names)):
            seen += 1
            if seen > MEMBER_LIMIT:
                _refuse(root, "bundle-too-large", f"holds more than {MEMBER_LIMIT:,} files")
            path = Path(directory, name)
            inside = path.relative_to(root).as_posix()
            if not wanted(inside):
                continue
            entry = _entry(path)
            if entry is not None:
                entries[inside] = entry
                total += len(entry.data)
            if total > TOTAL_LIMIT:
                _refuse(root, "bundle-too-large", f"holds more than {TOTAL_LIMIT >> 20} MiB of wanted files")
    return Tree(entries)


def _entry(path: Path) -> Entry | None:
    """What a directory holds under that name; None for a directory."""
    try:
        about = path.lstat()
        if stat.S_ISLNK(about.st_mode):
            return Entry(target=str(path.readlink()))
        if stat.S_ISDIR(about.st_mode):
            return None
        if not stat.S_ISREG(about.st_mode):
            return Entry(trouble="a device, pipe or socket, which is not opened")
        if about.st_size > FILE_LIMIT:
            return Entry(trouble=_too_large(about.st_size))
        # Between lstat and open it may have become something else: neither follow a link nor wait for a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        return Entry(trouble=f"not readable: {error.strerror or error}")
    if len(data) > FILE_LIMIT:
        return Entry(trouble=_too_large(len(data)))
    return Entry(data=data, mode=f"{stat.S_IMODE(about.st_mode):04o}")


def _too_large(size: int) -> str:
    return f"{size >> 20} MiB, more than the {FILE_LIMIT >> 20} MiB that are read of one file"


class _Counted:
    """A stream that stops at a limit and remembers its last bytes."""

    def __init__(self, source: IO[bytes], path: Path) -> None:
        self._source = source
        self._path = path
        self.size = 0
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._source.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self.size += len(data)
        self.tail = (self.tail + data)[-1024:] if data else self.tail
        if self.size > ARCHIVE_LIMIT:
            _refuse(self._path, "bundle-too-large", f"unpacks to more than {ARCHIVE_LIMIT >> 30} GiB")
        return data


MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
)


def compression(head: bytes) -> str:
    """gzip, xz, bzip2 or empty, by the first bytes."""
    return next((kind for magic, kind in MAGIC if head.startswith(magic)), "")


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """A file's bytes with their compression undone."""
    with path.open("rb") as raw:
        kind = compression(raw.read(8))
        raw.seek(0)
        match kind:
            case "gzip":
                with gzip.GzipFile(fileobj=raw) as source:
                    yield cast("IO[bytes]", source)
            case "xz":
                with lzma.LZMAFile(raw) as source:
                    yield cast("IO[bytes]", source)
            case "bzip2":
                with bz2.BZ2File(raw) as source:
                    yield cast("IO[bytes]", source)
            case _:
                yield raw


def is_tar(path: Path) -> bool:
    """Whether, compression undone, the first header is that of a tar archive."""
    try:
        with unpacked(path) as source:
            head = source.read(512)
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return False
    return head[257:262] == b"ustar"


def read_archive(path: Path, wanted: Predicate) -> Tree:
    """Wanted members of a tar archive, plain or compressed. Absolute names and `..` refuse it as a whole."""
    try:
        with unpacked(path) as source:
            counted = _Counted(source, path)
            entries = _members(path, counted, wanted)
            while counted.read(1 << 20):
                pass
            ended = counted.tail.strip(b"\0") == b"" and len(counted.tail) == 1024
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, OSError) as error:
        _refuse(path, "bundle-damaged", f"is cut off or damaged: {error}", hint=AGAIN, cause=error)
    if not ended:
        # tar(5): an archive ends with two blocks of zeros. tarfile takes a file that just stops for a whole one.
        _refuse(path, "bundle-damaged", "is cut off: the end of the archive is missing", hint=AGAIN)
    return Tree(entries)


def _members(path: Path, source: _Counted, wanted: Predicate) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    total = seen = 0
    with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|", errorlevel=2) as archive:
        for member in archive:
            seen += 1
            if seen > MEMBER_LIMIT:
                _refuse(path, "bundle-too-large", f"holds more than {MEMBER_LIMIT:,} members")
            name = _safe(path, member.name)
            if not wanted(name):
                continue
            entry = _member(archive, member, entries)
            if entry is not None:
                entries[name] = entry
                total += len(entry.data)
            if total > TOTAL_LIMIT:
                _refuse(path, "bundle-too-large", f"holds more than {TOTAL_LIMIT >> 20} MiB of wanted files")
    return entries


def _safe(path: Path, name: str) -> str:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        _refuse(
            path,
            "bundle-unsafe",
            f"holds a member that points out of it: `{name[:120]}`",
            hint="no collector makes such an archive: do not trust it",
        )
    return "/".join(parts)


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, held: dict[str, Entry]) -> Entry | None:
    mode = f"{member.mode & 0o7777:04o}"
    if member.issym():
        return Entry(target=member.linkname)
    if member.islnk():
        # A hard link names an earlier member; one that was not wanted was not kept.
        first = held.get("/".join(PurePosixPath(member.linkname).parts))
        return first or Entry(trouble="a hard link to a member that is not read")
    if member.isdir():
        return None
    if not member.isfile():
        return Entry(trouble="a device or pipe, which is not read")
    if member.size > FILE_LIMIT:
        return Entry(trouble=_too_large(member.size))
    file = archive.extractfile(member)
    return Entry(data=file.read() if file else b"", mode=mode)


def _refuse(
    path: Path, reference: str, message: str, *, hint: str = "", cause: BaseException | None = None
) -> NoReturn:
    hint = hint or "check that it describes nodes, and take out what does not"
    raise NetchangeError(reference=reference, message=f"`{path}` {message}", hint=hint) from cause
