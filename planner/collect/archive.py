"""The wanted members of a tar archive, plain or compressed, read once from front to back."""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from planner.collect import tree
from planner.collect.tree import Entry, Predicate, Tree, refuse, too_large

AGAIN = "copy it again, or make it again on the node"


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
        if self.size > tree.ARCHIVE_LIMIT:
            refuse(self._path, "bundle-too-large", f"unpacks to more than {tree.ARCHIVE_LIMIT >> 30} GiB")
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
        refuse(path, "bundle-damaged", f"is cut off or damaged: {error}", hint=AGAIN, cause=error)
    if not ended:
        # tar(5): an archive ends with two blocks of zeros. tarfile takes a file that just stops for a whole one.
        refuse(path, "bundle-damaged", "is cut off: the end of the archive is missing", hint=AGAIN)
    return Tree(entries)


def _members(path: Path, source: _Counted, wanted: Predicate) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    total = seen = 0
    with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|", errorlevel=2) as archive:
        for member in archive:
            seen += 1
            if seen > tree.MEMBER_LIMIT:
                refuse(path, "bundle-too-large", f"holds more than {tree.MEMBER_LIMIT:,} members")
            name = _safe(path, member.name)
            if not wanted(name):
                continue
            entry = _member(archive, member, entries)
            if entry is not None:
                entries[name] = entry
                total += len(entry.data)
            if total > tree.TOTAL_LIMIT:
                refuse(
                    path, "bundle-too-large", f"holds more than {tree.TOTAL_LIMIT >> 20} MiB of wanted files"
                )
    return entries


def _safe(path: Path, name: str) -> str:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        refuse(
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
    if member.size > tree.FILE_LIMIT:
        return Entry(trouble=too_large(member.size))
    file = archive.extractfile(member)
    return Entry(data=file.read() if file else b"", mode=mode)
